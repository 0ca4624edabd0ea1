//! What a step tells the host, duties aside.

mod input;
mod refused;
mod text;

use alloc::string::String;
use core::fmt;
use core::time::Duration;

pub use input::{Health, LinkState, RebuiltTo};
pub use refused::{Ignored, RequestRefused, Unfit};

use crate::address::Address;
use crate::birth::Durable;
use crate::epoch::{Epoch, Position};
use crate::frame::Refusal;
use crate::genesis::told::Genesis;
use crate::name::NodeId;
use crate::nonce::Incarnation;
use crate::pace::SlowRoundTrip;
use crate::profile::HostData;
use crate::start::LogAhead;
use crate::time::Time;

/// Authority that ended. Exactly one for every leadership, before any later event (S8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct SteppedDown {
    /// The epoch that this node led until now.
    pub epoch: Epoch,
    /// Why it leads no longer.
    pub reason: StepDown,
}

/// Why a leader stepped down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum StepDown {
    /// No quorum acknowledged it in time.
    LeaseOver,
    /// Another node leads a higher epoch.
    Superseded {
        /// That epoch.
        epoch: Epoch,
        /// Who leads it.
        leader: NodeId,
    },
    /// Handed over to this node.
    HandedOver(NodeId),
    /// The host asked for it.
    Resigned,
    /// The host reported itself unfit, or did not renew its health in time.
    Unhealthy,
    /// A save takes longer than the detection time.
    SaveStalled,
    /// A save failed: the node has stopped.
    StorageFailed,
    /// A peer proved that this disk is a clone or a restored backup: the node has stopped.
    Cloned,
    /// The host did not enter office by the deadline.
    NeverServed,
    /// Its storage lacks the genesis that the group agreed upon: it counts as replaced.
    Replaced,
    /// A voter holds an entry of an epoch above the one led: somebody else led, so catching up comes first.
    EntryFromAbove,
    /// What drives the elector failed. The elector itself never says so: a driver does, in its place.
    DriverFailed,
}

impl fmt::Display for StepDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeaseOver => f.write_str("no quorum acknowledged it in time"),
            Self::Superseded { epoch, leader } => write!(f, "{leader} leads epoch {epoch}"),
            Self::HandedOver(target) => write!(f, "it handed over to {target}"),
            Self::Resigned => f.write_str("it was asked to resign"),
            Self::Unhealthy => f.write_str("its host is unfit, or has not said for too long that it is well"),
            Self::SaveStalled => f.write_str("a save takes longer than the detection time"),
            Self::StorageFailed => f.write_str("a save failed, and the node has stopped"),
            Self::Cloned => f.write_str("its disk is a clone or an old backup, and the node has stopped"),
            Self::Replaced => {
                f.write_str("its storage is not the one that this group has held: it counts as replaced")
            }
            Self::NeverServed => f.write_str("its host did not enter office by the deadline"),
            Self::EntryFromAbove => {
                f.write_str("a voter holds an entry of a higher epoch, to be caught up with first")
            }
            Self::DriverFailed => f.write_str("a thread of the node failed, and the node has ended"),
        }
    }
}

/// What is worth knowing: to be logged, counted or shown, and to tell clients who leads. Nothing goes wrong in a host
/// that hears none of it; what it must act on is a [`Duty`](crate::Duty).
#[derive(Clone, Debug)]
#[non_exhaustive]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Notice {
    /// This node follows a leader.
    Following {
        /// The leader.
        leader: NodeId,
        /// The epoch it leads.
        epoch: Epoch,
        /// Where clients reach it; empty until it has told.
        address: Address,
    },
    /// The leader told its address, or another one.
    LeaderAddress {
        /// The leader.
        leader: NodeId,
        /// Where clients reach it.
        address: Address,
    },
    /// This node follows nobody any more.
    LeaderLost {
        /// Who led.
        leader: NodeId,
        /// The epoch it led.
        epoch: Epoch,
        /// Why it is not followed any more.
        reason: LeaderLost,
    },
    /// This node campaigns.
    CampaignStarted {
        /// The epoch it offers.
        epoch: Epoch,
        /// Its rank among those who could campaign: zero is the best.
        rank: usize,
    },
    /// This node's campaign ended without office.
    CampaignLost {
        /// The epoch it offered.
        epoch: Epoch,
        /// Why.
        reason: CampaignLost,
    },
    /// This node promised its vote.
    Accepted {
        /// To whom.
        candidate: NodeId,
        /// In which epoch.
        epoch: Epoch,
    },
    /// This node refused an offer.
    RefusedOffer {
        /// Whose.
        candidate: NodeId,
        /// Of which epoch.
        epoch: Epoch,
        /// Why.
        refusal: Refusal,
    },
    /// A voter refused this node's offer.
    OfferRefused {
        /// By whom.
        voter: NodeId,
        /// Of which epoch.
        epoch: Epoch,
        /// Why.
        refusal: Refusal,
    },
    /// A round trip takes longer than the configuration allows for: elections are slower. Once for each peer, until it
    /// is fast again.
    SlowerThanConfigured(SlowRoundTrip),
    /// A voter allows no promise that is long enough for a leader's lease, so its promise does not carry one (R65).
    /// Told on both, once for each life of the other.
    PromiseTooShort {
        /// The voter.
        voter: NodeId,
        /// The longest promise that its configuration allows.
        #[cfg_attr(feature = "wire", serde(rename = "allowed_ms", serialize_with = "crate::millis::span"))]
        allowed: Duration,
        /// Who could not lead with that.
        leader: NodeId,
        /// What that one needs: its lease must outlast two heartbeats, a round trip and a save.
        #[cfg_attr(feature = "wire", serde(rename = "needed_ms", serialize_with = "crate::millis::span"))]
        needed: Duration,
    },
    /// This node handed over by preference, and office came back by a handover: two preferences contradict each other.
    /// This node's acts no more towards the peer, until either restarts.
    PreferencesContradict {
        /// To whom this node had handed over.
        peer: NodeId,
    },
    /// A peer runs a newer version of the host. Once for each version, and not before its address is known.
    NewerApplication {
        /// The peer.
        peer: NodeId,
        /// Its version.
        version: u32,
        /// The bytes that belong to this version, in hexadecimal for machines.
        data: HostData,
        /// Where clients reach it.
        address: Address,
    },
    /// Failover is paused until then.
    Paused {
        /// When it resumes by itself.
        #[cfg_attr(feature = "wire", serde(rename = "until_ms"))]
        until: Time,
    },
    /// Failover works again.
    Resumed,
    /// A frame counted for nothing.
    Ignored {
        /// Its authenticated sender.
        from: NodeId,
        /// Why.
        reason: Ignored,
    },
    /// This node's record holds another genesis, or knows it to be final.
    GenesisSaved {
        /// Which one.
        genesis: Genesis,
        /// The epoch that this node led or followed when it took it.
        epoch: Epoch,
        /// Whether every voter and witness is known to have held it: from then on a disk that lacks it counts as
        /// replaced.
        is_final: bool,
    },
    /// A peer's storage lacks the final genesis: it was lost, and given a first boot in place of `replace-lost`. It
    /// counts as replaced. Once, until it says something else.
    CountsAsReplaced {
        /// The peer.
        node: NodeId,
        /// What it lacks.
        lacks: Genesis,
        /// What its storage belongs to, if to anything.
        told: Option<Genesis>,
    },
    /// A peer belongs to another group of the same name and list: nothing that it says counts. Once, until it says
    /// something else.
    TwoGroups {
        /// The peer.
        node: NodeId,
        /// What this node's storage belongs to.
        own: Genesis,
        /// What the peer's belongs to.
        other: Genesis,
    },
    /// A node has restarted with fewer entries than it had told, and its host does not sync the log at once: a warning.
    EntriesLost {
        /// The node.
        node: NodeId,
        /// What its life before told last.
        known: Durable,
        /// What its present life began with.
        began: Durable,
    },
}

/// Why a follower follows nobody any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum LeaderLost {
    /// It was not heard for the whole promise.
    Silent,
    /// It said that it no longer leads, or a later life of it was heard.
    Ended,
    /// Its process is dead: its connection closed and its address refuses a new one.
    Dead,
    /// This node promised its vote to another candidate or leader.
    Superseded,
    /// This node counts as replaced from now on.
    Replaced,
    /// This node has stopped.
    Stopped,
}

impl fmt::Display for LeaderLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => "it was not heard for the whole promise",
            Self::Ended => "it no longer leads",
            Self::Dead => "its process is dead",
            Self::Superseded => "another node took over",
            Self::Replaced => "this node counts as replaced",
            Self::Stopped => "this node has stopped",
        })
    }
}

/// Why a campaign ended without office.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum CampaignLost {
    /// No quorum accepted in time.
    NoQuorum {
        /// How long this node waits before it may campaign again.
        #[cfg_attr(feature = "wire", serde(rename = "wait_ms", serialize_with = "crate::millis::span"))]
        wait: Duration,
    },
    /// A higher offer came.
    HigherOffer {
        /// Whose.
        candidate: NodeId,
        /// Its epoch.
        epoch: Epoch,
    },
    /// Another node leads an epoch at or above this one's.
    LeaderAppeared {
        /// Who.
        leader: NodeId,
        /// Its epoch.
        epoch: Epoch,
    },
    /// The own vote took too long to save.
    SaveStalled,
    /// The host reported itself unfit or resigned.
    Withdrawn,
    /// Failover is paused, and not for this node.
    Paused,
    /// Its storage lacks the genesis that the group agreed upon, or one frame said so.
    Replaced,
    /// The node has stopped.
    Stopped,
}

/// Why a handover is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum HandoverAborted {
    /// The deadline came before the target was ready.
    DeadlinePassed,
    /// The target can no longer lead.
    TargetUnfit(Unfit),
    /// It was taken back.
    Cancelled,
    /// Failover is paused: preference waits until it is resumed.
    Paused,
}

/// Why a node has stopped for good.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Stopped {
    /// A save failed.
    StorageFailed(String),
    /// A peer knows a later or another life of this node: the disk is a clone or an old backup.
    Cloned {
        /// The peer.
        peer: NodeId,
        /// What it knows.
        known: Incarnation,
        /// What this node is.
        own: Incarnation,
    },
    /// A peer knows that this storage held more than this life began with: it was set back.
    WentBack {
        /// The peer.
        peer: NodeId,
        /// What an earlier life told it.
        known: Durable,
        /// What this life began with.
        began: Durable,
    },
    /// The log holds entries of an epoch above the durable one: they do not belong together.
    EntriesAhead {
        /// The last durable entry.
        position: Position,
        /// The durable epoch.
        epoch: Epoch,
    },
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StorageFailed(error) => {
                write!(f, "a save failed ({error}): repair or replace the storage, then start again")
            }
            Self::Cloned { peer, known, own } => write!(
                f,
                "{peer} knows incarnation {known} of this node, this is {own}: the disk is a clone or an old backup; \
                 start it as a replacement instead"
            ),
            Self::WentBack { peer, known, began } => write!(
                f,
                "{peer} knows that this storage held {known}, this life began with {began}: the disk went back to an \
                 older state, an old backup or snapshot; start it as a replacement instead (replace-lost)"
            ),
            &Self::EntriesAhead { position, epoch } => LogAhead::new(position, epoch).fmt(f),
        }
    }
}
