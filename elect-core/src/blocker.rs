//! What may keep a node from campaigning.

use core::time::Duration;

use crate::epoch::{Epoch, Position};
use crate::name::NodeId;
use crate::time::Time;

/// The first rule that keeps a node from campaigning now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum CampaignBlocker {
    /// It has stopped for good.
    Stopped,
    /// Its incarnation is being saved.
    Starting,
    /// It leads already.
    Leads,
    /// It campaigns already.
    Campaigns,
    /// It is a witness or an observer.
    NotAVoter,
    /// Its configuration says so.
    NeverLeader,
    /// Its storage was replaced and has not caught up.
    Replaced,
    /// Its host reported itself unfit.
    Unhealthy,
    /// Failover is paused until then, and not for this node.
    Paused(Time),
    /// It follows a leader.
    Follows(NodeId, Epoch),
    /// Its vote is promised to this node in this epoch, until then.
    Promised(NodeId, Epoch, Time),
    /// A record is being saved since then.
    Saving(Time),
    /// One frame said that its storage lacks what the group has held: until then it does not know whether it has a
    /// vote.
    InDoubt(Time),
    /// It waits until then after a lost campaign or a resignation.
    Waits(Time),
    /// It leaves this node a head start until then.
    HeadStart(NodeId, Time),
    /// The epochs are used up.
    EpochsExhausted,
    /// Too few members are connected.
    NotConnected {
        /// How many are, this node included.
        connected: usize,
        /// How many must be.
        needed: usize,
    },
    /// Too few of the connected members are free.
    NotFree {
        /// How many are, this node included.
        free: usize,
        /// How many must be.
        needed: usize,
    },
    /// Its log lags too far behind, and the operator chose data over availability.
    Lags {
        /// Its own last durable entry.
        own: Option<Position>,
        /// The best connected voter's.
        best: Option<Position>,
    },
    /// Only its rank: it campaigns at this point.
    Rank {
        /// How many others should campaign first.
        rank: usize,
        /// When it campaigns.
        at: Time,
    },
}

/// When a node campaigns that nothing but its rank keeps from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CampaignAt {
    pub(crate) since: Time,
    pub(crate) at: Time,
    /// The delay of the rank that this follows from.
    pub(crate) delay: Duration,
}
