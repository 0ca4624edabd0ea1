//! What a replica wants done.

use elect_core::{Epoch, NodeId, Position};

use super::message::Message;

/// What an input brought about, in the order in which it must be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this; it may be lost together with the connection.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Everything up to here is committed and durable here: apply it, answer the clients that wait for it.
    Committed(u64),
    /// The winner of `epoch` holds all that an earlier leader may have acknowledged.
    CaughtUp {
        /// The epoch won.
        epoch: Epoch,
        /// What to report to the elector.
        held: Position,
    },
    /// The source of `epoch` is unreachable or no longer has what it reported.
    SourceLost {
        /// The epoch won.
        epoch: Epoch,
    },
    /// The leader's own entry is committed.
    OwnEntryCommitted(Position),
    /// A replaced storage holds everything up to this entry.
    Rebuilt(Position),
    /// The state after this entry is sent to a node whose log ends before this one begins.
    Sends {
        /// To whom.
        to: NodeId,
        /// The last entry that is applied to it.
        state: Position,
        /// How many keys it has.
        keys: u64,
    },
    /// Such a state is received, so far beside log and state.
    Receives {
        /// From whom.
        from: NodeId,
        /// The last entry that is applied to it.
        state: Position,
        /// How many keys have come.
        received: u64,
        /// How many it has.
        keys: u64,
    },
    /// It is whole, and has taken the place of log and state.
    Installed {
        /// From whom.
        from: NodeId,
        /// The last entry that is applied to it.
        state: Position,
    },
    /// A leader's log contradicts what is committed here: nothing was cut, and the node must stop.
    Diverged {
        /// The last entry that both logs share.
        shared: Position,
        /// Committed here.
        commit: u64,
    },
}
