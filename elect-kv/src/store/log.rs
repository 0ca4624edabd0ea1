//! The log behind the node's fence.

use std::sync::Arc;

use elect_core::{Fence, Fenced, Log, Position, Stamp};

use super::{Store, StoreError};
use crate::replication::{Entry, Journal, WriteRefused};

/// What the fence guards: the writing side of a store.
#[derive(Debug)]
pub struct ReplicaLog {
    store: Arc<Store>,
    last: u64,
    durable: Position,
}

impl ReplicaLog {
    /// The log of a store that was just opened: all of it is durable.
    pub fn new(store: Arc<Store>) -> Result<Self, StoreError> {
        // What an earlier run wrote may still wait in the system's buffers.
        store.sync()?;
        let last = store.history()?.last();
        Ok(Self { store, last: last.offset, durable: last })
    }
}

impl Log for ReplicaLog {
    fn last_durable(&self) -> Option<Position> {
        Some(self.durable)
    }
}

/// A replica's journal: every write passes the fence, every acknowledgement passes it again.
#[derive(Debug)]
pub struct FencedLog {
    fence: Arc<Fence<ReplicaLog>>,
    store: Arc<Store>,
    /// The last entry written.
    last: Position,
    /// Whether something waits for a sync.
    dirty: bool,
    failed: Option<StoreError>,
}

impl FencedLog {
    /// The journal of this store behind this fence.
    pub fn new(fence: Arc<Fence<ReplicaLog>>, store: Arc<Store>) -> Self {
        let last = fence.inspect(|log| log.durable);
        Self { fence, store, last, dirty: false, failed: None }
    }

    /// Whether something waits for a sync.
    pub const fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Makes everything written so far durable. The fence may rise meanwhile: what it reports then does not
    /// include these entries, and what acknowledges them is refused.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.store.sync()?;
        self.dirty = false;
        self.fence.durable(|log| log.durable = self.last);
        Ok(())
    }

    /// Why the storage failed, if it did: the node must stop.
    pub const fn take_failure(&mut self) -> Option<StoreError> {
        self.failed.take()
    }
}

impl Journal for FencedLog {
    fn write(&mut self, stamp: Stamp, keep: Position, entries: &[Entry]) -> Result<(), WriteRefused> {
        let written = self.fence.apply(stamp, |log| {
            log.store.write(keep, log.last, entries)?;
            log.last = keep.offset + entries.len() as u64;
            if log.durable.offset > keep.offset {
                log.durable = keep;
            }
            Ok(())
        })?;
        match written {
            Ok(()) => {
                let end = keep.offset + entries.len() as u64;
                self.last = entries.last().map_or(keep, |entry| Position::new(entry.epoch, end));
                self.dirty = true;
                Ok(())
            }
            Err(error) => {
                self.failed = Some(error);
                Err(WriteRefused::Failed)
            }
        }
    }

    fn read(&mut self, after: u64, through: u64, bytes_max: usize) -> Vec<Entry> {
        self.store.read(after, through, bytes_max).unwrap_or_else(|error| {
            self.failed = Some(error);
            Vec::new()
        })
    }

    fn ack(&self, stamp: Stamp) -> Result<(), Fenced> {
        self.fence.ack(stamp)
    }
}
