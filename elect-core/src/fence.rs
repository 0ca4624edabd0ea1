//! The fence: what keeps a deposed leader's requests out of the log.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::epoch::{Epoch, Position, Stamp};
use crate::gate::{Floor, Raise};

/// What a fence needs to know of the host's log.
pub trait Log {
    /// Epoch and offset of the last *durable* entry: both of the same entry, `None` without a log.
    fn last_durable(&self) -> Option<Position>;
}

/// Why a fence refused a stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fenced {
    /// The sender's leadership is over: it must not try again.
    #[error("stamp of epoch {stamp} is stale, the floor is epoch {floor}")]
    Stale {
        /// Epoch of the stamp.
        stamp: Epoch,
        /// The floor.
        floor: Epoch,
    },
    /// This node has not adopted that epoch yet: try again after it has. A stamp never raises the floor.
    #[error("stamp of epoch {stamp} is ahead of this node, which is at epoch {floor}: retry once it follows")]
    Ahead {
        /// Epoch of the stamp.
        stamp: Epoch,
        /// The floor.
        floor: Epoch,
    },
    /// The stamp was never set: nobody leads epoch zero.
    #[error("the stamp was never set: take it from the office, or from the request that is applied")]
    Unset,
    /// A closure panicked while it applied: the log may be half written.
    #[error("an earlier apply panicked, so the log may be half written: restart the node")]
    Poisoned,
}

/// Guards a host's log against requests of leaderships that are over (S6, R52).
///
/// Only a [`Gate`](crate::Gate) raises the floor, at every adoption and once at start. Applying excludes
/// raising, so the position that an accept reports holds every entry that was admitted before it.
///
/// ```
/// use elect_core::{Epoch, Fence, Fenced, Log, Position, Stamp};
///
/// struct Entries(Vec<(Epoch, &'static str)>);
/// impl Log for Entries {
///     fn last_durable(&self) -> Option<Position> {
///         self.0.last().map(|(epoch, _)| Position::new(*epoch, self.0.len() as u64))
///     }
/// }
///
/// let fence = Fence::new(Entries(Vec::new())); // the floor is epoch 0 until an elector starts
/// let stamp = Stamp::received(Epoch::new(1));
/// let refused = fence.apply(stamp, |log| log.0.push((stamp.epoch(), "value")));
/// assert!(matches!(refused, Err(Fenced::Ahead { .. })));
/// ```
pub struct Fence<L> {
    log: Mutex<L>,
    floor: AtomicU64,
    /// While a leader, this node or the one it follows, re-offers itself: the epoch below the floor whose stamps still
    /// pass, zero for none.
    exempt_epoch: AtomicU64,
}

impl<L: Log> Fence<L> {
    /// A fence around `log`, with its floor at epoch zero until an elector starts.
    pub const fn new(log: L) -> Self {
        Self { log: Mutex::new(log), floor: AtomicU64::new(0), exempt_epoch: AtomicU64::new(0) }
    }

    /// Runs `write` with the log if `stamp` may still write; the floor does not move meanwhile.
    ///
    /// Blocks while another apply or a raise is under way. If `write` panics the fence refuses every later
    /// apply with [`Fenced::Poisoned`].
    pub fn apply<T>(&self, stamp: Stamp, write: impl FnOnce(&mut L) -> T) -> Result<T, Fenced> {
        let mut log = self.log.lock().map_err(|_| Fenced::Poisoned)?;
        self.admit(stamp)?;
        // R28: the floor's own epoch is led, so that the one before it is over: none of its entries comes after these.
        if stamp.epoch().number() == self.floor.load(Ordering::SeqCst) {
            self.exempt_epoch.store(0, Ordering::SeqCst);
        }
        Ok(write(&mut log))
    }

    /// Runs `note` with the log, whatever the floor is: entries that were written before have become durable, which is
    /// a fact and needs no stamp. The floor does not move meanwhile.
    ///
    /// For what [`Log::last_durable`] tells from here on, and for nothing else: what is *written* passes
    /// [`apply`](Self::apply). An entry that was cut since does not become durable again: compare with what is there.
    pub fn durable<T>(&self, note: impl FnOnce(&mut L) -> T) -> T {
        note(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `read` with the log, whatever the floor is.
    pub fn inspect<T>(&self, read: impl FnOnce(&L) -> T) -> T {
        read(&self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// R52: an early look, lock-free: spares the work on a request that is already stale.
    pub fn admit(&self, stamp: Stamp) -> Result<(), Fenced> {
        let floor = Epoch::new(self.floor.load(Ordering::SeqCst));
        let epoch = stamp.epoch();
        // Nobody leads epoch zero: not even a fence that no elector has raised yet lets it pass.
        if epoch == Epoch::ZERO {
            return Err(Fenced::Unset);
        }
        if epoch == floor {
            return Ok(());
        }
        let exempt_epoch = Epoch::new(self.exempt_epoch.load(Ordering::SeqCst));
        if epoch < floor && epoch == exempt_epoch {
            return Ok(());
        }
        Err(if epoch < floor {
            Fenced::Stale { stamp: epoch, floor }
        } else {
            Fenced::Ahead { stamp: epoch, floor }
        })
    }

    /// The last act before an acknowledgement leaves, the primary's own included: lock-free.
    ///
    /// The entry must already be durable. If this passes, every position reported to a later candidate
    /// includes it.
    pub fn ack(&self, stamp: Stamp) -> Result<(), Fenced> {
        self.admit(stamp)
    }

    /// The epoch below which stamps are refused.
    pub fn floor(&self) -> Epoch {
        Epoch::new(self.floor.load(Ordering::SeqCst))
    }
}

impl<L: Log> Floor for Fence<L> {
    fn raise(&self, raise: Raise) -> Option<Position> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let exempt_epoch = raise.exempt_epoch().map_or(0, Epoch::number);
        // R28: an exception begins with a higher floor and is not opened again. It comes first: whoever sees the new
        // floor also sees what passes below it.
        if exempt_epoch == 0 || raise.floor().number() > self.floor.load(Ordering::SeqCst) {
            self.exempt_epoch.store(exempt_epoch, Ordering::SeqCst);
        }
        self.floor.fetch_max(raise.floor().number(), Ordering::SeqCst);
        // R29: the position is pulled after the raise and under the same lock: no apply lies between them (S7).
        log.last_durable()
    }

    fn last_durable(&self) -> Option<Position> {
        self.inspect(Log::last_durable)
    }
}

impl<L> fmt::Debug for Fence<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fence")
            .field("floor", &self.floor.load(Ordering::SeqCst))
            .field("exempt_epoch", &self.exempt_epoch.load(Ordering::SeqCst))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Entries(u64);

    impl Log for Entries {
        fn last_durable(&self) -> Option<Position> {
            Some(Position::new(Epoch::new(1), self.0))
        }
    }

    fn stamp(epoch: u64) -> Stamp {
        Stamp::received(Epoch::new(epoch))
    }

    fn raise(fence: &Fence<Entries>, floor: u64, exempt_epoch: Option<u64>) -> Option<Position> {
        fence.raise(Raise::new(Epoch::new(floor), exempt_epoch.map(Epoch::new)))
    }

    #[test]
    fn only_the_floors_own_epoch_passes() {
        let fence = Fence::new(Entries(0));
        raise(&fence, 5, None);
        assert!(matches!(fence.admit(stamp(4)), Err(Fenced::Stale { .. })));
        assert_eq!(fence.admit(stamp(5)), Ok(()));
        assert!(matches!(fence.admit(stamp(6)), Err(Fenced::Ahead { .. })));
        assert_eq!(fence.floor(), Epoch::new(5), "a stamp ahead raises nothing");
    }

    #[test]
    fn the_epoch_followed_passes_until_the_exception_ends() {
        let fence = Fence::new(Entries(0));
        raise(&fence, 5, None);
        raise(&fence, 7, Some(5));
        assert_eq!(fence.ack(stamp(5)), Ok(()));
        assert!(fence.ack(stamp(6)).is_err());
        raise(&fence, 7, None);
        assert!(matches!(fence.ack(stamp(5)), Err(Fenced::Stale { .. })));
        assert_eq!(fence.ack(stamp(0)), Err(Fenced::Unset), "epoch zero is no exception");
    }

    #[test]
    fn r28_the_first_stamp_of_the_floor_ends_the_exception() {
        let fence = Fence::new(Entries(0));
        raise(&fence, 5, None);
        raise(&fence, 7, Some(5));
        fence.apply(stamp(5), |log| log.0 = 8).unwrap();
        fence.apply(stamp(7), |log| log.0 = 9).unwrap();
        assert!(
            matches!(fence.apply(stamp(5), |log| log.0 = 8), Err(Fenced::Stale { .. })),
            "it was delayed"
        );
        raise(&fence, 7, Some(5));
        assert!(fence.ack(stamp(5)).is_err(), "and stays out");
        raise(&fence, 8, Some(7));
        assert_eq!(fence.ack(stamp(7)), Ok(()));
    }

    #[test]
    fn the_position_is_pulled_after_the_raise() {
        let fence = Fence::new(Entries(1));
        raise(&fence, 1, None);
        fence.apply(stamp(1), |log| log.0 = 9).unwrap();
        assert_eq!(raise(&fence, 2, None), Some(Position::new(Epoch::new(1), 9)));
        assert!(fence.apply(stamp(1), |log| log.0 = 10).is_err());
        assert_eq!(fence.inspect(|log| log.0), 9);
    }

    #[test]
    fn a_stamp_that_was_never_set_passes_no_fence() {
        let fence = Fence::new(Entries(0));
        let unset = Stamp::received(Epoch::default());
        assert_eq!(fence.apply(unset, |log| log.0 = 9), Err(Fenced::Unset), "no elector has started");
        assert_eq!((fence.admit(unset), fence.ack(unset)), (Err(Fenced::Unset), Err(Fenced::Unset)));
        assert_eq!(fence.inspect(|log| log.0), 0);
    }

    #[test]
    fn what_became_durable_is_noted_without_a_stamp() {
        let fence = Fence::new(Entries(1));
        raise(&fence, 4, None);
        fence.durable(|log| log.0 = 2);
        assert_eq!(raise(&fence, 5, None), Some(Position::new(Epoch::new(1), 2)));
        assert_eq!(fence.floor(), Epoch::new(5), "it moves no floor");
    }

    #[test]
    fn a_panic_while_applying_closes_the_fence() {
        let fence = Fence::new(Entries(0));
        raise(&fence, 1, None);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = fence.apply(stamp(1), |_| panic!("the host's bug"));
        }));
        assert!(panicked.is_err());
        assert_eq!(fence.apply(stamp(1), |_| ()), Err(Fenced::Poisoned));
        assert!(raise(&fence, 2, None).is_some(), "an election still goes on");
    }
}
