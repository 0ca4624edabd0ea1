//! Why a node refuses a handshake: what both ends can read of it, and what to do.

use std::{fmt, io};

use elect_core::{Address, Body, ClusterId, Digest, Epoch, Incarnation, NodeId};
use serde::{Serialize, Serializer};

/// In place of a group's number: the stream is for as many groups as both have in common.
pub(crate) const MANY_GROUPS: u32 = u32::MAX;

/// Why a node refused a handshake. Both ends read the same: the *dialler* is the node that was refused, the *listener* the
/// one that refused it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeRefusal {
    /// No common protocol version: the oldest and the newest that each speaks.
    Version {
        /// The dialler's.
        dialler: (u16, u16),
        /// The listener's.
        listener: (u16, u16),
    },
    /// Another cluster.
    Cluster {
        /// The dialler's.
        dialler: ClusterId,
        /// The listener's.
        listener: ClusterId,
    },
    /// Another group of the same nodes. The number [`u32::MAX`] stands for a process of several groups
    /// ([`Groups`](crate::Groups)).
    Group {
        /// The dialler's.
        dialler: u32,
        /// The listener's.
        listener: u32,
    },
    /// Another member list: names or kinds differ.
    Members {
        /// The digest of the dialler's list.
        dialler: Digest,
        /// The digest of the listener's list.
        listener: Digest,
    },
    /// Another node listens at that address: it is wrong, or swapped with another one.
    Addressee {
        /// Whom the dialler wanted.
        wanted: NodeId,
        /// Who listens there.
        listener: NodeId,
    },
    /// The dialler has the listener's own name: the address leads back to itself, or two processes share a name.
    OwnName {
        /// Whom the dialler wanted.
        wanted: NodeId,
        /// The name of both.
        name: NodeId,
    },
    /// The dialler is no member of the listener's list.
    UnknownName(NodeId),
    /// The transport has proved that the dialler, or the listener, is not who it claims to be.
    Identity {
        /// The name that it claims, or under which it was dialled.
        claimed: NodeId,
        /// Who it is.
        proven: NodeId,
    },
    /// The listener knows a later life of the dialler, or another one with the same counter: a twin.
    Life {
        /// The life that greeted.
        rejected: Incarnation,
        /// The life that the listener knows.
        known: Incarnation,
        /// Where the refused dialler dialled from, as the listener saw it; empty where the transport does not say.
        dialler: Address,
        /// Where the known life was heard from last; empty where that is not known.
        known_at: Address,
    },
    /// The dialler's life began below what its storage held before: it was set back.
    WentBack {
        /// The life that greeted.
        rejected: Incarnation,
        /// The durable epoch that an earlier life told.
        epoch: Epoch,
        /// The offset of the last durable entry that it told, if that was of this epoch.
        offset: Option<u64>,
    },
    /// The listener has stopped for good, and waits for its operator.
    Stopped(NodeId),
    /// The listener is a process of several groups, and runs none of that number.
    NoGroup(u32),
    /// The dialler says that it is the supervisor of that node, and the transport does not prove who it is, as TLS would.
    UnprovenSupervisor(NodeId),
    /// A reason that this version does not know.
    Unknown(u8),
}

impl std::error::Error for HandshakeRefusal {}

/// As text.
impl Serialize for HandshakeRefusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl HandshakeRefusal {
    /// What an operator does about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Version { .. } => "upgrade the older of the two",
            Self::Cluster { .. } => "correct the cluster name, or the address that leads to another cluster",
            Self::Group { .. } => "give both the same group number, or start both in `Groups`",
            Self::NoGroup(_) => "start that group there, too",
            Self::UnprovenSupervisor(_) => "connect the nodes by TLS, or do without supervisors",
            Self::Members { .. } => "give every node the same list of names and kinds",
            Self::Addressee { .. } => "correct the dialler's address for that peer",
            Self::OwnName { .. } => {
                "correct the dialler's address for that peer, or its name if two processes share it"
            }
            Self::UnknownName(_) => "add it to the list of every node, or correct its name",
            Self::Identity { .. } => "give it a certificate or key of its own name",
            Self::Life { .. } => {
                "stop the process that should not run; if its disk is a copy or a backup, start it as a replacement"
            }
            Self::WentBack { .. } => "start it as a replacement: its disk was set back",
            Self::Stopped(_) => "look there for the reason, and start it again",
            Self::Unknown(_) => "look at the other node, which is newer",
        }
    }

    /// What the listener says of the dialler's life, as the elector understands it.
    pub(crate) const fn rejection(&self) -> Option<Body> {
        match *self {
            Self::Life { rejected, known, .. } => Some(Body::Reject { rejected, known }),
            Self::WentBack { rejected, epoch, offset } => Some(Body::WentBack { rejected, epoch, offset }),
            _ => None,
        }
    }

    /// The same without what differs from attempt to attempt.
    pub(crate) fn kind(&self) -> Self {
        let mut kind = self.clone();
        if let Self::Life { dialler, .. } = &mut kind {
            *dialler = Address::default();
        }
        kind
    }
}

impl fmt::Display for HandshakeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { dialler, listener } => write!(
                f,
                "there is no common protocol version: the dialler speaks {} to {}, the listener {} to {}",
                dialler.0, dialler.1, listener.0, listener.1
            ),
            Self::Cluster { dialler, listener } => {
                write!(f, "the dialler belongs to cluster {dialler}, the listener to {listener}")
            }
            Self::Group { dialler, listener } => {
                write!(f, "the dialler is of {}, the listener of {}", Number(*dialler), Number(*listener))
            }
            Self::Members { dialler, listener } => write!(
                f,
                "the member lists differ: the dialler's has the digest {dialler:?}, the listener's {listener:?}"
            ),
            Self::Addressee { wanted, listener } => {
                write!(f, "the dialler wanted {wanted}, and {listener} listens there")
            }
            Self::OwnName { wanted, name } => {
                write!(f, "the dialler wanted {wanted}, and both are named {name}")
            }
            Self::UnknownName(name) => write!(f, "{name} is no member of the listener's list"),
            Self::Identity { claimed, proven } => {
                write!(f, "it claims to be {claimed}, and its transport proves that it is {proven}")
            }
            Self::Life { rejected, known, dialler, known_at } => {
                write!(f, "incarnation {rejected}{} ", At(dialler))?;
                let why = if rejected.counter == known.counter { "is a twin of" } else { "is older than" };
                write!(f, "{why} incarnation {known}{} under the same name", At(known_at))
            }
            Self::WentBack { rejected, epoch, offset } => {
                write!(f, "incarnation {rejected} began below epoch {epoch}")?;
                match offset {
                    Some(offset) => write!(f, " and offset {offset}, which its storage held before"),
                    None => f.write_str(", which its storage held before"),
                }
            }
            Self::NoGroup(group) => write!(f, "the listener runs no group {group}"),
            Self::UnprovenSupervisor(name) => {
                write!(f, "nothing proves that the dialler may speak for {name} as its supervisor")
            }
            Self::Stopped(listener) => write!(f, "{listener} has stopped for good"),
            Self::Unknown(code) => write!(f, "for reason {code}, which a later version gives"),
        }
    }
}

/// The number of a group, or of many.
struct Number(u32);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == MANY_GROUPS { f.write_str("several groups") } else { write!(f, "group {}", self.0) }
    }
}

/// An address, where there is one.
struct At<'a>(&'a Address);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.as_str().is_empty() { Ok(()) } else { write!(f, " at {}", self.0) }
    }
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the handshake was refused: {0}")]
    Refused(#[from] HandshakeRefusal),
    #[error("the other end does not speak this protocol: {0}")]
    Foreign(&'static str),
    /// In place of a greeting: this group no longer runs there.
    #[error("the other end runs no group {0} any more")]
    Gone(u32),
    #[error("the handshake did not finish: {0}")]
    Io(#[from] io::Error),
    /// The listener is about to be gone: it refuses nobody, and the dialler hears nothing but the end of the stream.
    #[error("this node ends")]
    Ending,
}
