//! What a node tells its host.

use std::path::PathBuf;

use elect_core::{Duty, Notice, SteppedDown};

use crate::link::{Link, RefusedDialler};
use crate::transport::TransportNotice;

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
    /// One of the two streams between this node and a peer came up, went down, or cannot be brought up for a new reason.
    LinkChanged(Box<Link>),
    /// Somebody dialled this node and was not let in. Told once a minute for the same host, name and reason, and once a
    /// second in all after the first 32; `NodeHandle::refused_diallers` has the rest.
    DiallerRefused(Box<RefusedDialler>),
    /// The transport reports.
    Transport(TransportNotice),
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
