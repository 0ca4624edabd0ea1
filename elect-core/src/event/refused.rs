//! Why a request had no effect, and why a frame counted for nothing.

use core::fmt;
use core::time::Duration;

use crate::epoch::Epoch;
use crate::handover::Lag;
use crate::name::NodeId;
use crate::nonce::Incarnation;
use crate::rebuild::NotRebuilt;

/// Why a member cannot lead now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Unfit {
    /// It is a witness or an observer, never leads by configuration, or has replaced storage.
    #[error("it may not lead")]
    Ineligible,
    /// It is not connected in both directions.
    #[error("it is not connected")]
    NotConnected,
    /// Its host reports itself unfit.
    #[error("its host is not healthy")]
    Unhealthy,
    /// It needs longer promises than some of the voters and witnesses that are connected here allow, and the others of
    /// them are no quorum (R65).
    #[error(
        "some members that are connected here allow no promises long enough for it, and the others are no quorum"
    )]
    TooFewVotes,
}

/// Why a request was refused. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum RequestRefused {
    /// Only the leader can do this.
    #[error("this node does not lead; {}", Leader(*.0))]
    NotLeader(Option<NodeId>),
    /// Another handover is under way.
    #[error("a handover to {0} is under way")]
    HandingOver(NodeId),
    /// The target is not a member of this group.
    #[error("{0} is not a member of this group")]
    NotAMember(NodeId),
    /// The target is this node.
    #[error("{0} already leads")]
    AlreadyLeads(NodeId),
    /// The target cannot lead now.
    #[error("{0} cannot take over: {1}")]
    TargetUnfit(NodeId, Unfit),
    /// The target is behind, and will not have caught up by the deadline.
    #[error("{0} is behind: {1}; force it, or wait until it has caught up")]
    TargetLags(NodeId, Lag),
    /// A handover must have an end.
    #[error("a handover may take 1 ms to 1 h, not {0:?}")]
    HandoverTimeout(#[cfg_attr(feature = "wire", serde(serialize_with = "crate::millis::span"))] Duration),
    /// There is nothing to take back.
    #[error("no handover is under way, or it is done")]
    NoHandover,
    /// No member can take over now.
    #[error("no other member is connected, healthy and allowed to lead")]
    NoTarget,
    /// This node has stopped.
    #[error("this node has stopped")]
    Stopped,
    /// This node has not saved its incarnation yet.
    #[error("this node is still starting")]
    Starting,
    /// A pause must have an end.
    #[error("a pause must last between 1 ms and 24 h, not {0:?}")]
    PauseSpan(#[cfg_attr(feature = "wire", serde(serialize_with = "crate::millis::span"))] Duration),
    /// Nobody leads, so there is nothing to pause.
    #[error("nobody leads, so there is no failover to pause")]
    NoLeader,
    /// The version of a host only ever rises while it runs, and so do its bytes change.
    #[error(
        "host data of version {given} cannot follow that of version {current}: what is new has a higher version"
    )]
    HostVersion {
        /// What was given.
        given: u32,
        /// What this node tells.
        current: u32,
    },
    /// A replaced node cannot vote yet.
    #[error("this node cannot vote yet: {0}")]
    NotRebuilt(NotRebuilt),
}

struct Leader(Option<NodeId>);

impl fmt::Display for Leader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(leader) => write!(f, "ask {leader}"),
            None => f.write_str("nobody does"),
        }
    }
}

/// Why a frame counted for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Ignored {
    /// The sender is not a member.
    #[error("its sender is not a member of this group")]
    Stranger,
    /// The sender is this node itself.
    #[error("it claims to come from this node itself")]
    OwnName,
    /// Another group, cluster or member list.
    #[error("it belongs to another group, cluster or member list")]
    OtherGroup,
    /// The sender's incarnation is over or cloned.
    #[error("its incarnation {0} is over or cloned")]
    DeadIncarnation(Incarnation),
    /// An incarnation too far above the known one to be believed because of one frame.
    #[error("its incarnation {0} is too far above the one known to count because of one frame")]
    FarIncarnation(Incarnation),
    /// Two groups under one name: both say that theirs is final.
    #[error("two groups under one name: its genesis is final, and another one than this node's")]
    TwoGroups,
    /// Its sender counts as replaced, and this is not for such a one to say.
    #[error("its sender counts as replaced: its storage lacks the final genesis of this group")]
    CountsAsReplaced,
    /// One frame, or one that may have been delayed, proves nothing against a final genesis.
    #[error(
        "one of the two storages lacks the final genesis of its group, by this frame, which proves nothing yet"
    )]
    UnprovenGenesis,
    /// It shows that this node's own storage lacks the final genesis.
    #[error(
        "it shows that this node's own storage lacks the final genesis of its group, and counts as replaced"
    )]
    OwnGenesisReplaced,
    /// It says that this node's life is over, which on this transport only a handshake proves.
    #[error("it says that this node's life is over, which a frame does not prove on this transport")]
    Unproven,
    /// A newer frame of this peer was seen before.
    #[error("a newer frame of this peer was seen before")]
    Older,
    /// It claims an epoch that its sender said it would never act in again, or that this node leads.
    #[error("it claims epoch {0}, which is over for its sender")]
    Ended(Epoch),
    /// It does not echo a recent nonce, so it may have been delayed.
    #[error("it does not echo a recent frame, so it may have been delayed")]
    NotFresh,
    /// An epoch too far above this node's.
    #[error("epoch {0} is too far above this node's")]
    EpochTooFar(Epoch),
    /// A detection time of zero, or above this node's maximum.
    #[error("its detection time of {0:?} is zero or above this node's maximum")]
    Detection(#[cfg_attr(feature = "wire", serde(serialize_with = "crate::millis::span"))] Duration),
    /// An answer to an offer that is not open.
    #[error("it answers an offer of epoch {0} that is not open")]
    NoSuchOffer(Epoch),
    /// It is not for its sender to say, or not for this node to hear.
    #[error("it is not for this sender to say, or not for this node to hear")]
    NotItsPlace,
    /// It asks for a pause before one that has been taken or ended since.
    #[error("a later pause or resume has overtaken it")]
    OldRequest,
    /// This node has stopped.
    #[error("this node has stopped")]
    Stopped,
    /// This node has not saved its incarnation yet.
    #[error("this node has not saved its incarnation yet")]
    Starting,
}
