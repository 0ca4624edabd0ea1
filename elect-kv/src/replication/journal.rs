//! The log that a replica writes, as it needs it.

use elect_core::{Fenced, Position, Stamp};

use super::message::Entry;

/// The log that a replica writes, behind the node's fence.
pub trait Journal {
    /// Under `stamp`, through [`Fence::apply`](elect_core::Fence::apply): cuts everything after `keep`, which the
    /// log holds, and appends `entries`. Both or neither. Not yet durable.
    fn write(&mut self, stamp: Stamp, keep: Position, entries: &[Entry]) -> Result<(), WriteRefused>;

    /// The entries after offset `after` up to `through`, as many as fit into `bytes_max` but at least one. None
    /// after a failure, which the host notices by itself.
    fn read(&mut self, after: u64, through: u64, bytes_max: usize) -> Vec<Entry>;

    /// [`Fence::ack`](elect_core::Fence::ack): the last act before an acknowledgement.
    fn ack(&self, stamp: Stamp) -> Result<(), Fenced>;
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
