//! The end of a save: the record is on the disk, or not, the fence is raised, and the position is pulled.

use std::cell::Cell;

use elect_core::{Epoch, Floor, Position, Raise, Record};

use super::Node;
use crate::host::Host;
use crate::model_log::EntryId;
use crate::store::Store;

/// What a commit did, for the checkers.
#[derive(Debug)]
pub(crate) struct Committed {
    /// What is on the disk now, if that changed.
    pub(crate) record: Option<Record>,
    /// What the gate raised the fence to, and the epoch below that passes.
    pub(crate) raised: Option<(Epoch, Option<Epoch>)>,
    /// The position that was reported, and the last durable entry of the built-in store.
    pub(crate) reported: Option<(Position, EntryId)>,
    /// Whether the elector will be told that it succeeded.
    pub(crate) succeeded: bool,
}

/// The host's fence, or none on a witness, what a gate raised it to, and the position that it reported then.
struct WatchedFloor<'a> {
    fence: Option<&'a dyn Floor>,
    /// The epoch that a log reports which mixes positions.
    mixed: Option<Epoch>,
    position: Cell<Option<Position>>,
    raised: Cell<Option<(Epoch, Option<Epoch>)>>,
}

impl Floor for WatchedFloor<'_> {
    fn raise(&self, raise: Raise) -> Option<Position> {
        self.raised.set(Some((raise.floor(), raise.exempt_epoch())));
        let fence = self.fence?;
        let mut position = fence.raise(raise);
        if let (Some(mixed), Some(position)) = (self.mixed, &mut position) {
            position.epoch = mixed;
        }
        self.position.set(position);
        position
    }
}

impl Node {
    /// The save under way ends; `None` if there is none. `mixed` names the epoch that the store reports wrongly, if it
    /// does.
    pub(crate) fn commit(&mut self, mixed: impl FnOnce(&Store) -> Option<Epoch>) -> Option<Committed> {
        let process = self.process.as_mut()?;
        let gate = process.take_saving()?;
        let before = self.disk.record().copied();
        let store = self.seat.store();
        let fence = self.seat.host().and_then(Host::fence);
        let mixed = store.and_then(mixed);
        let floor = WatchedFloor { fence, mixed, position: Cell::default(), raised: Cell::default() };
        let result = gate.commit(&mut self.disk, &floor);
        let committed = Committed {
            record: self.disk.record().copied().filter(|record| Some(record) != before.as_ref()),
            raised: floor.raised.get(),
            reported: floor.position.get().zip(store.map(Store::durable)),
            succeeded: result.is_ok(),
        };
        process.set_gated(result);
        Some(committed)
    }
}
