//! What reaches the host besides the elector's events, and how it ends.

use bytes::Bytes;
use elect_core::{Epoch, NodeId, NotInOffice};
use tokio::sync::{mpsc, oneshot};

use crate::replication::Message;
use crate::store::CommandResult;

/// What reaches the host besides the elector's events.
#[derive(Debug)]
pub(crate) enum Input {
    /// A client's write.
    Write { command: Bytes, reply: WriteReply },
    /// A replication connection stands.
    Up { peer: NodeId, session: u64, outbox: mpsc::UnboundedSender<Message> },
    /// It closed.
    Down { peer: NodeId, session: u64 },
    /// It brought a message.
    Message { peer: NodeId, session: u64, message: Message },
    /// End in good order.
    Stop,
}

/// Why the host ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was asked to.
    Stopped,
    /// Something failed: the process must not go on.
    Failed(String),
}

/// Whoever waits for a write.
pub(crate) type WriteReply = oneshot::Sender<Result<CommandResult, WriteFailed>>;

/// Why a write has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteFailed {
    /// It was not admitted: it never takes effect.
    NotAdmitted(Option<NotInOffice>),
    /// Office was lost before a quorum held it: it may or may not take effect.
    Unknown(Epoch),
}
