//! The lease cell: what a host's threads read to know whether this node may act.

use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::epoch::Epoch;
use crate::time::Time;

/// A lock-free view of this node's authority. Cheap to clone; every clone sees the same cell.
///
/// The elector writes it inside its inputs: authority that ends has ended here before the step is even
/// returned (S8). Readers compare it with *their* clock at the moment of the call.
#[derive(Clone)]
pub struct Authority(Arc<Cell>);

struct Cell {
    /// The epoch led, zero for none.
    epoch: AtomicU64,
    /// End of the lease, in nanoseconds of the local clock.
    lease_end: AtomicU64,
    /// The epoch in which this leadership began: it goes on through raises, where nobody else led in between. Written
    /// while nothing is led.
    began_in: AtomicU64,
    /// No new work is admitted while a handover drains.
    draining: AtomicBool,
}

/// A lease as it stood at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The epoch led.
    pub epoch: Epoch,
    /// The lease is valid before this point of the local clock.
    pub end: Time,
}

/// A lease, and the leadership that it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tenure {
    pub(crate) lease: Lease,
    /// The epoch in which it began.
    pub(crate) began_in: Epoch,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Cell {
            epoch: AtomicU64::new(0),
            lease_end: AtomicU64::new(0),
            began_in: AtomicU64::new(0),
            draining: AtomicBool::new(false),
        }))
    }

    /// R58: the lease held at `now`, the reader's own clock at the call, if there is one. Lock-free.
    pub fn lease(&self, now: Time) -> Option<Lease> {
        self.tenure(now).map(|tenure| tenure.lease)
    }

    /// The lease held at `now`, with the leadership that it is part of.
    pub(crate) fn tenure(&self, now: Time) -> Option<Tenure> {
        let cell = &*self.0;
        loop {
            let epoch = cell.epoch.load(Ordering::SeqCst);
            let began_in = Epoch::new(cell.began_in.load(Ordering::SeqCst));
            let end = Time::from_nanos(cell.lease_end.load(Ordering::SeqCst));
            // An epoch is never led twice, so an unchanged epoch means that the others belong to it.
            if cell.epoch.load(Ordering::SeqCst) == epoch {
                let lease = Lease { epoch: Epoch::new(epoch), end };
                return (epoch != 0 && now < end).then_some(Tenure { lease, began_in });
            }
        }
    }

    /// The epoch in which the leadership of today, or the last one, began.
    pub(crate) fn began_in(&self) -> Epoch {
        Epoch::new(self.0.began_in.load(Ordering::SeqCst))
    }

    /// Whether a handover is draining: what has begun may finish, nothing new may start.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::SeqCst)
    }

    /// A leadership begins. Whatever was held before is over.
    pub(crate) fn grant(&self, epoch: Epoch, lease_end: Time) {
        let cell = &*self.0;
        cell.epoch.store(0, Ordering::SeqCst);
        cell.draining.store(false, Ordering::SeqCst);
        cell.began_in.store(epoch.number(), Ordering::SeqCst);
        cell.lease_end.store(lease_end.as_nanos(), Ordering::SeqCst);
        cell.epoch.store(epoch.number(), Ordering::SeqCst);
    }

    /// R27: the leadership goes on in a higher epoch, and no reader sees a gap. Meanwhile the earlier of both ends
    /// holds: what reads the old epoch with the new end reads again.
    pub(crate) fn raise(&self, epoch: Epoch, lease_end: Time) {
        let cell = &*self.0;
        cell.lease_end.fetch_min(lease_end.as_nanos(), Ordering::SeqCst);
        cell.epoch.store(epoch.number(), Ordering::SeqCst);
        cell.lease_end.store(lease_end.as_nanos(), Ordering::SeqCst);
    }

    pub(crate) fn extend(&self, lease_end: Time) {
        self.0.lease_end.store(lease_end.as_nanos(), Ordering::Release);
    }

    pub(crate) fn revoke(&self) {
        self.0.epoch.store(0, Ordering::SeqCst);
    }

    pub(crate) fn set_draining(&self, draining: bool) {
        self.0.draining.store(draining, Ordering::SeqCst);
    }

    /// A cell of its own that shows the same.
    #[cfg(feature = "explore")]
    pub(crate) fn detached(&self) -> Self {
        let cell = &*self.0;
        Self(Arc::new(Cell {
            epoch: AtomicU64::new(cell.epoch.load(Ordering::SeqCst)),
            lease_end: AtomicU64::new(cell.lease_end.load(Ordering::SeqCst)),
            began_in: AtomicU64::new(cell.began_in.load(Ordering::SeqCst)),
            draining: AtomicBool::new(self.is_draining()),
        }))
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for Authority {
    /// Whether both are views of the same elector.
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other)
    }
}

impl Eq for Authority {}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("epoch", &self.0.epoch.load(Ordering::SeqCst))
            .field("lease_end", &Time::from_nanos(self.0.lease_end.load(Ordering::SeqCst)))
            .field("draining", &self.is_draining())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_checked_against_the_readers_clock() {
        let authority = Authority::new();
        let at = Time::from_nanos;
        assert_eq!(authority.lease(at(0)), None);
        authority.grant(Epoch::new(3), at(10));
        assert_eq!(authority.lease(at(9)), Some(Lease { epoch: Epoch::new(3), end: at(10) }));
        assert_eq!(authority.lease(at(10)), None);
        authority.extend(at(20));
        assert!(authority.lease(at(19)).is_some());
        authority.revoke();
        assert_eq!(authority.lease(at(0)), None);
    }
}
