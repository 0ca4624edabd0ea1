//! What a node tells its host.

use std::path::PathBuf;

use elect_core::{Address, Duty, Incarnation, NodeId, Notice, SteppedDown, Time};

/// What happened to this node, in order. Match every variant by its name: the first three must be acted on.
#[derive(Debug)]
pub enum HostEvent {
    /// Authority ended: demote at once. The lease cell has already fallen.
    Lost(SteppedDown),
    /// Act on it. Gains ([`Duty::Elected`], [`Duty::EpochRaised`]) move through here to the host.
    Act(Duty),
    /// The node has ended; nothing follows. Whoever leads now, it is not this node.
    Ended(Ended),
    /// Worth knowing: to be logged, counted or shown.
    Happened(NodeNotice),
}

/// What is worth knowing of a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NodeNotice {
    /// The elector reports.
    Elector(Notice),
    /// The link to a peer came up, went down, or cannot be brought up for a new reason.
    LinkChanged(Link),
    /// Copies in the vote file had to be restored when it was opened: a save was cut off by a crash, or the
    /// disk rots.
    VoteFileRepaired {
        /// How many of four.
        copies: usize,
    },
    /// The reader was so far behind that events were left out: what was only worth knowing, and what is moot by now.
    /// See [`Events`](crate::Events).
    Missed {
        /// How many.
        count: u64,
    },
    /// The vote file is not the one that this node wrote last: it was restored from a backup, copied or moved, or its file
    /// system numbers its files anew at a reboot. Where a file system is known not to do that the node is refused instead.
    VoteFileMoved {
        /// The file.
        path: PathBuf,
    },
}

/// The link over which this node sends to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The peer.
    pub peer: NodeId,
    /// Whether a stream stands.
    pub is_up: bool,
    /// Since when it is up, or down.
    pub since: Time,
    /// Why it is down, as far as that is known.
    pub reason: Option<String>,
    /// The incarnation in which the peer last dialled this node.
    pub incarnation: Option<Incarnation>,
    /// Where clients reach the peer, as it said when it dialled.
    pub address: Option<Address>,
}

/// Why a node ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The host asked for it, or dropped its last handle.
    Shutdown,
    /// A thread of the node panicked, in this library or in the host's [`Floor`](elect_core::Floor): the node stopped
    /// rather than go on with a part missing.
    Panicked {
        /// The thread.
        thread: String,
    },
}
