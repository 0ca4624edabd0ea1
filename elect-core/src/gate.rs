//! The gate: what must be durable before the elector goes on, and what nothing slips past.

use alloc::boxed::Box;
use core::fmt;

use crate::authority::Authority;
use crate::epoch::{Epoch, Position};
use crate::record::Record;

/// Durable storage for one record.
pub trait VoteStore {
    /// What can go wrong.
    type Error: core::error::Error + Send + Sync + 'static;

    /// Makes `record` durable. Once this returns `Ok`, no crash brings an older record back; after `Err`
    /// the store holds either the old or the new one.
    fn save(&mut self, record: &Record) -> Result<(), Self::Error>;
}

/// What a gate raises: a [`Fence`](crate::Fence), or [`NoLog`] for a host that has nothing to fence.
pub trait Floor {
    /// Raises the floor and *then* pulls the position of the last durable entry.
    fn raise(&self, raise: Raise) -> Option<Position>;

    /// The position of the last durable entry, before anything is raised: for a start (R59). `None` without a log.
    fn last_durable(&self) -> Option<Position> {
        None
    }
}

/// For a witness, or a host that keeps no log: nothing to fence, no position.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLog;

impl Floor for NoLog {
    fn raise(&self, _: Raise) -> Option<Position> {
        None
    }
}

impl<F: Floor + ?Sized> Floor for alloc::sync::Arc<F> {
    fn raise(&self, raise: Raise) -> Option<Position> {
        (**self).raise(raise)
    }

    fn last_durable(&self) -> Option<Position> {
        (**self).last_durable()
    }
}

/// An order to raise a floor. Only a gate makes one.
#[derive(Debug)]
pub struct Raise {
    floor: Epoch,
    exempt_epoch: Option<Epoch>,
}

impl Raise {
    pub(crate) const fn new(floor: Epoch, exempt_epoch: Option<Epoch>) -> Self {
        Self { floor, exempt_epoch }
    }

    /// Stamps below this epoch are stale from now on.
    pub const fn floor(&self) -> Epoch {
        self.floor
    }

    /// The one epoch below the floor whose stamps still pass: the leadership that goes on meanwhile,
    /// this node's own or that of the leader it follows.
    pub const fn exempt_epoch(&self) -> Option<Epoch> {
        self.exempt_epoch
    }
}

/// What must be durable before the elector goes on. `Send`, not `Clone`, one at a time.
///
/// What waits for it (an accept, leading, following a new epoch) is not in any step until
/// [`on_gated`](crate::Elector::on_gated) receives what [`commit`](Self::commit) returned:
///
/// ```compile_fail
/// # use elect_core::{Gate, Gated};
/// fn without_saving(gate: Gate) -> Gated {
///     Gated { gate } // private: only `commit` makes one
/// }
/// ```
///
/// ```compile_fail
/// # use elect_core::Gate;
/// fn twice(gate: &Gate) -> Gate {
///     gate.clone() // a gate is committed once
/// }
/// ```
///
/// ```compile_fail
/// # use elect_core::{Fence, Log, Raise};
/// fn raise_by_hand(floor: elect_core::Epoch) -> Raise {
///     Raise::new(floor, None) // private: only a gate raises a fence
/// }
/// ```
///
/// A gate that is dropped leaves the elector waiting, visibly in `explain`, never unsafe.
#[must_use = "the elector waits until the gate is committed"]
pub struct Gate {
    pub(crate) ticket: Ticket,
    /// `None` where the record is already durable and only the fence moves.
    pub(crate) record: Option<Record>,
    pub(crate) raise: Raise,
}

/// Names one gate of one elector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// The lease cell names the elector, in this very life.
    pub(crate) elector: Authority,
    pub(crate) number: u64,
}

impl Gate {
    /// Saves the record, raises the fence, and then pulls the durable position: in this order.
    ///
    /// May block for as long as `store` and the fence's appliers do. Hand either result to
    /// [`on_gated`](crate::Elector::on_gated); after a failed save the elector stops for good.
    pub fn commit<S: VoteStore>(self, store: &mut S, floor: &impl Floor) -> Result<Gated, StorageFailed> {
        let Self { ticket, record, raise } = self;
        if let Some(record) = record
            && let Err(error) = store.save(&record)
        {
            return Err(StorageFailed { ticket, error: Box::new(error) });
        }
        let position = floor.raise(raise);
        Ok(Gated { ticket, position })
    }

    /// The record that will be saved, if this gate saves one.
    pub const fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("record", &self.record)
            .field("raise", &self.raise)
            .finish_non_exhaustive()
    }
}

/// Proof that a gate was committed.
#[derive(Debug)]
#[must_use = "the elector waits for this"]
pub struct Gated {
    pub(crate) ticket: Ticket,
    pub(crate) position: Option<Position>,
}

/// A save failed: what the disk holds is unknown, so the node stops (S11).
#[derive(Debug, thiserror::Error)]
#[error("the record could not be saved, so this node stops: {error}")]
#[must_use = "the elector must learn that it has to stop"]
pub struct StorageFailed {
    pub(crate) ticket: Ticket,
    #[source]
    error: Box<dyn core::error::Error + Send + Sync>,
}
