//! The storage of a replica, as it needs it.

use bytes::Bytes;
use elect_core::{Fenced, NodeId, Position, Stamp};

use super::message::{Cursor, Entry, Part};

/// The log that a replica writes, behind the node's fence, and the state that is applied.
pub trait Journal {
    /// Under `stamp`, through [`Fence::apply`](elect_core::Fence::apply): cuts everything after `keep`, which the
    /// log holds, and appends `entries`. Both or neither. Not yet durable.
    fn write(&mut self, stamp: Stamp, keep: Position, entries: &[Entry]) -> Result<(), WriteRefused>;

    /// The entries after offset `after` up to `through`, as many as fit into `bytes_max` but at least one. None
    /// after a failure, which the host notices by itself.
    fn read(&mut self, after: u64, through: u64, bytes_max: usize) -> Vec<Entry>;

    /// [`Fence::ack`](elect_core::Fence::ack): the last act before an acknowledgement.
    fn ack(&self, stamp: Stamp) -> Result<(), Fenced>;

    /// What follows `from` in the state that is being sent to `to`, about `bytes_max` bytes of it. If that is another
    /// one, or none: the first part of the state as it is applied now, at `now`. `None` after a failure.
    fn part(&mut self, to: NodeId, now: Position, from: &Cursor, bytes_max: usize) -> Option<Part>;

    /// `to` needs no state any more.
    fn sent(&mut self, to: NodeId);

    /// Keeps a part of a state beside log and state; `anew`: the first one, and what came before is dropped. How many keys
    /// have come, `None` after a failure. Not yet durable.
    fn receive(&mut self, anew: bool, pairs: &[(Bytes, Bytes)]) -> Option<u64>;

    /// Under `stamp`, like [`write`](Self::write): what was received is the whole state after `state`, and takes the place
    /// of log and state. Both or neither, and durable.
    fn install(&mut self, stamp: Stamp, state: Position) -> Result<(), WriteRefused>;

    /// What was received is not needed.
    fn forget_received(&mut self);
}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteRefused {
    /// The fence refused the stamp.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// The storage failed: the node must stop.
    #[error("the storage failed")]
    Failed,
    /// This replica does not lead the epoch of the stamp.
    #[error("this node does not lead")]
    NotLeading,
}
