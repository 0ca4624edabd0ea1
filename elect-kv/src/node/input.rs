//! What reaches the threads of a node besides the elector's events, and how they end.

use elect_core::{Epoch, NodeId, NotInOffice, Position};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::replication::Message;

/// What reaches the log's thread from a peer. Whatever takes memory holds a permit until it is handled, so that a thread
/// that waits for a disk is not buried.
#[derive(Debug)]
pub(crate) enum Input {
    /// A replication connection stands.
    Up { peer: NodeId, session: u64, outbox: mpsc::Sender<Message> },
    /// It closed.
    Down { peer: NodeId, session: u64, _place: Option<OwnedSemaphorePermit> },
    /// It brought a message.
    Message { peer: NodeId, session: u64, message: Message, _room: OwnedSemaphorePermit },
}

/// What the log's thread tells the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// The winner of `epoch` holds all that an earlier leader may have acknowledged.
    CaughtUp { epoch: Epoch, held: Position },
    /// The source of `epoch` is unreachable or no longer has what it reported.
    SourceLost { epoch: Epoch },
    /// The leader's own entry is committed.
    OwnEntryCommitted(Position),
    /// A replaced storage holds everything up to this entry.
    Rebuilt(Position),
    /// Every admitted write is answered, and the elector knows the position that this led to.
    Answered,
    /// The storage failed, or must not be written to.
    Failed(String),
    /// From whoever runs the node: end in good order.
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

/// Why a write has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteFailed {
    /// It was not admitted: it never takes effect.
    NotAdmitted(Option<NotInOffice>),
    /// Office was lost before a quorum held it: it may or may not take effect.
    Unknown(Epoch),
    /// No quorum confirmed it in time: it may or may not take effect.
    Stands,
    /// No quorum confirms anything any more: it was not admitted, and never takes effect.
    NoQuorum,
}
