//! The log behind the node's fence.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use elect_core::{Fence, Fenced, Log, NodeId, Position, Stamp};

use super::{Store, StoreError, View};
use crate::replication::{Cursor, Entry, Journal, Part, WriteRefused};

/// A state that nobody has asked for any more for this long is not kept for the rest of a transfer.
const UNASKED_MAX: Duration = Duration::from_mins(1);
/// While a state is sent, what follows it is kept, up to so many budgets.
const SENDING_BUDGETS: u64 = 4;

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
    /// States that are being sent.
    sending: HashMap<NodeId, Sending>,
}

/// A state that is sent to a node in parts, as it was at one moment.
#[derive(Debug)]
struct Sending {
    state: Position,
    view: View,
    asked: Instant,
}

impl FencedLog {
    /// The journal of this store behind this fence.
    pub fn new(fence: Arc<Fence<ReplicaLog>>, store: Arc<Store>) -> Self {
        let last = fence.inspect(|log| log.durable);
        Self { fence, store, last, dirty: false, failed: None, sending: HashMap::new() }
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

    /// Drops a part of what is applied while the log takes more than `budget` bytes; after which entry it begins now, if
    /// that changed.
    pub fn drop_old(&mut self, budget: u64) -> Result<Option<Position>, StoreError> {
        self.sending.retain(|_, sending| sending.asked.elapsed() < UNASKED_MAX);
        let mut limit = self.store.applied();
        // Whoever receives a state needs what follows it.
        let sent = self.sending.values().map(|sending| sending.state.offset).min();
        if let Some(sent) = sent
            && self.store.log_bytes(self.last.offset)? < budget.saturating_mul(SENDING_BUDGETS)
        {
            limit = limit.min(sent);
        }
        self.store.drop_old(self.last.offset, limit, budget)
    }

    /// What failed is noted: the host asks after each batch.
    fn noted<T>(&mut self, done: Result<T, StoreError>) -> Option<T> {
        done.map_err(|error| self.failed = Some(error)).ok()
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
        self.noted(written).ok_or(WriteRefused::Failed)?;
        let end = keep.offset + entries.len() as u64;
        self.last = entries.last().map_or(keep, |entry| Position::new(entry.epoch, end));
        self.dirty = true;
        Ok(())
    }

    fn read(&mut self, after: u64, through: u64, bytes_max: usize) -> Vec<Entry> {
        let read = self.store.read(after, through, bytes_max);
        self.noted(read).unwrap_or_default()
    }

    fn ack(&self, stamp: Stamp) -> Result<(), Fenced> {
        self.fence.ack(stamp)
    }

    fn part(&mut self, to: NodeId, now: Position, from: &Cursor, bytes_max: usize) -> Option<Part> {
        let goes_on = self.sending.get(&to).is_some_and(|sending| sending.state == from.state);
        if !goes_on {
            let (state, view) = (now, self.store.view());
            self.sending.insert(to, Sending { state, view, asked: Instant::now() });
        }
        let sending = self.sending.get_mut(&to)?;
        sending.asked = Instant::now();
        let after = if goes_on { from.after.clone() } else { Bytes::new() };
        let read = sending.view.keys().and_then(|keys| Ok((keys, sending.view.part(&after, bytes_max)?)));
        let state = sending.state;
        let (keys, (pairs, is_last)) = self.noted(read)?;
        Some(Part { from: Cursor { state, after }, pairs, keys, is_last })
    }

    fn sent(&mut self, to: NodeId) {
        self.sending.remove(&to);
    }

    fn receive(&mut self, anew: bool, pairs: &[(Bytes, Bytes)]) -> Option<u64> {
        let received = self.store.receive(anew, pairs);
        // Synced part by part, so that nothing waits for all of it in the end.
        self.dirty = true;
        self.noted(received)
    }

    fn install(&mut self, stamp: Stamp, state: Position) -> Result<(), WriteRefused> {
        let installed = self.fence.apply(stamp, |log| {
            log.store.install(state)?;
            (log.last, log.durable) = (state.offset, state);
            Ok(())
        })?;
        self.noted(installed).ok_or(WriteRefused::Failed)?;
        self.last = state;
        // What was sent lies in the generation that was replaced.
        self.sending.clear();
        Ok(())
    }

    fn forget_received(&mut self) {
        let forgotten = self.store.forget_received();
        self.noted(forgotten);
    }
}
