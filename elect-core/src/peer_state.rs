//! The state of a member, as it tells it: whether its vote is free, and if not, why.

use core::fmt;

use crate::epoch::Epoch;
use crate::name::NodeId;

/// Whether a member's vote is free, and if not, why: in every frame, and in what a node explains of its peers.
///
/// Other members are called by their names; within an elector by their indices, small enough to be compared at every
/// input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum PeerState<Id = NodeId> {
    /// Leads this epoch.
    Leader(Epoch),
    /// Campaigns for this epoch.
    Candidate(Epoch),
    /// Follows this leader in this epoch.
    Follower(Id, Epoch),
    /// Accepts nobody now: its vote is promised or being given, it has none, or failover is paused and it does not know
    /// for whom.
    Promised,
    /// Failover is paused: it would accept an offer of this member now, the last leader, and of nobody else.
    Reserved(Id),
    /// Would accept an offer now.
    Free,
    /// Its storage was lost and replaced: it counts for nothing (S13).
    Replaced,
    /// Stopped for good after a storage error (S11) or as a clone (S13). It names the highest epoch that it offered,
    /// or its durable one: neither will it act in.
    Stopped(Epoch),
}

impl<Id> PeerState<Id> {
    /// Whether it has a vote at all, to give now or later.
    pub(crate) const fn may_vote(&self) -> bool {
        !matches!(self, Self::Replaced | Self::Stopped(_))
    }

    /// The same with another kind of name for whom it names.
    #[inline]
    pub(crate) fn map<Other>(self, name: impl FnOnce(Id) -> Other) -> PeerState<Other> {
        match self {
            Self::Leader(epoch) => PeerState::Leader(epoch),
            Self::Candidate(epoch) => PeerState::Candidate(epoch),
            Self::Follower(leader, epoch) => PeerState::Follower(name(leader), epoch),
            Self::Promised => PeerState::Promised,
            Self::Reserved(leader) => PeerState::Reserved(name(leader)),
            Self::Free => PeerState::Free,
            Self::Replaced => PeerState::Replaced,
            Self::Stopped(epoch) => PeerState::Stopped(epoch),
        }
    }
}

impl<Id: fmt::Display> fmt::Display for PeerState<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leader(epoch) => write!(f, "leads epoch {epoch}"),
            Self::Candidate(epoch) => write!(f, "campaigns for epoch {epoch}"),
            Self::Follower(leader, epoch) => write!(f, "follows {leader} in epoch {epoch}"),
            Self::Promised => f.write_str("has promised its vote"),
            Self::Reserved(leader) => write!(f, "would vote for {leader} alone"),
            Self::Free => f.write_str("is free to vote"),
            Self::Replaced => f.write_str("does not vote since its storage was replaced"),
            Self::Stopped(_) => f.write_str("has stopped"),
        }
    }
}
