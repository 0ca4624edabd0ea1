//! What nodes tell each other.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use crate::address::Address;
use crate::birth::Birth;
use crate::epoch::{Epoch, Position};
use crate::genesis::told::ToldGenesis;
use crate::members::Digest;
use crate::name::NodeId;
use crate::nonce::{Incarnation, Nonce};
use crate::peer_state::PeerState;
use crate::profile::Profile;

/// One message, without the names of sender and addressee: those the transport has authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What every frame carries.
    pub header: Header,
    /// What the sender's life began with, as long as the addressee has not echoed a frame that told it.
    pub birth: Option<Arc<Birth>>,
    /// What the sender's host says of itself, as long as the addressee has not echoed a frame that told it.
    pub profile: Option<Arc<Profile>>,
    /// What this frame asserts or asks.
    pub body: Body,
}

/// What every frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The group within the node pair; zero until a node runs many.
    pub group: u32,
    /// Digest of the sender's cluster and member list.
    pub members: Digest,
    /// The sender's durable epoch.
    pub epoch: Epoch,
    /// The state of the sender.
    pub state: PeerState,
    /// The sender's incarnation and the time at which the frame left.
    pub nonce: Nonce,
    /// The nonce of the addressee that this frame answers.
    pub echo: Option<Nonce>,
    /// Which history of the group the sender's storage belongs to, once that is durable.
    pub genesis: Option<ToldGenesis>,
}

/// What a frame asserts or asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// I am here, and this is how I am.
    Heartbeat(Heartbeat),
    /// Accept me as the leader of `epoch`.
    Offer {
        /// The epoch offered.
        epoch: Epoch,
        /// How long an accept binds, in real time: never longer than the addressee allows, as far as that is known.
        detection: Duration,
        /// The longest detection time that the sender's configuration allows.
        detection_max: Duration,
    },
    /// You have my promise in `epoch`: I accept nobody else for the offer's detection time from its receipt.
    Accept {
        /// The epoch accepted.
        epoch: Epoch,
        /// How long the promise runs: the detection time of the offer that this echoes.
        detection: Duration,
        /// The last durable entry, pulled after the fence was raised.
        position: Option<Position>,
        /// The newest pause or resume that the voter knows of; none if it knows of none.
        pause: Option<PauseStamp>,
        /// The epoch under which the voter's genesis was saved; zero where the header tells none.
        genesis_epoch: Epoch,
    },
    /// I do not accept your offer for `epoch`.
    Refuse {
        /// The epoch offered.
        epoch: Epoch,
        /// Why.
        refusal: Refusal,
        /// The longest detection time that the sender's configuration allows.
        detection_max: Duration,
    },
    /// I lead: a leader's heartbeat with its address.
    Announce {
        /// The heartbeat.
        heartbeat: Heartbeat,
        /// Where clients reach the leader.
        address: Address,
    },
    /// I led `epoch`, I never will again, and `target` should be the next leader.
    Release {
        /// The epoch led until now.
        epoch: Epoch,
        /// Who gets a head start.
        target: NodeId,
    },
    /// Pause failover for this long: asked of the leader.
    Pause {
        /// The newest pause or resume that the asking node knows of: one that is newer is the answer already.
        after: PauseNumber,
        /// How long from now.
        remaining: Duration,
    },
    /// Your frame is of an incarnation that this node knows to be over or cloned.
    Reject {
        /// The incarnation of the rejected frame.
        rejected: Incarnation,
        /// The incarnation that this node knows.
        known: Incarnation,
    },
    /// Your life began below what its storage held before (R60): it was set back.
    WentBack {
        /// The incarnation of the rejected frame.
        rejected: Incarnation,
        /// The durable epoch that an earlier life told.
        epoch: Epoch,
        /// The offset of the last durable entry that it told, if that was of this epoch.
        offset: Option<u64>,
    },
}

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The last durable entry as far as the host has reported it: only ranks.
    pub position: Option<Position>,
    /// Whether the sender may lead at all: by its kind, its configuration and its storage.
    pub eligible: bool,
    /// Whether the sender's host reports itself fit for office.
    pub healthy: bool,
    /// A higher priority is preferred.
    pub priority: u8,
    /// The host's version number, as its profile has it.
    pub application: u32,
    /// The longest detection time that the sender's configuration allows.
    pub detection_max: Duration,
    /// From a leader; and from its follower, to it, that of the frame echoed, unless it is the follower's maximum.
    pub lead: Option<Lead>,
    /// The newest pause or resume that the sender knows of; none if it knows of none.
    pub pause: Option<PauseStamp>,
}

/// What a leader's heartbeat carries, and what its follower says again with the echo of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// How long the promise to the leader runs from receipt, in real time: between these two members.
    pub detection: Duration,
}

/// Which pause or resume of failover: the newest one counts, everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct PauseNumber {
    /// The epoch of the leader that took the pause.
    pub epoch: Epoch,
    /// Each further pause or resume counts one up.
    pub count: u32,
}

/// A pause or resume of failover, as one node knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PauseStamp {
    /// Which one.
    pub number: PauseNumber,
    /// How long failover stays paused; zero if it is resumed. Of two with one number the shorter counts.
    pub remaining: Duration,
}

impl fmt::Display for PauseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.count)
    }
}

/// Why an offer was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Refusal {
    /// The voter's vote is promised to another node.
    Promised,
    /// The voter's durable epoch is above the offered one.
    EpochTooLow,
    /// The voter's vote in the offered epoch is spent.
    VoteSpent,
    /// The voter leads or campaigns itself.
    OwnOffice,
    /// Failover is paused.
    Paused,
    /// The voter's storage was replaced.
    Replaced,
    /// The offer asks for a longer promise than the voter's configuration allows.
    DetectionTooLong,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Promised => "its vote is promised to another node",
            Self::EpochTooLow => "its own epoch is above the offered one",
            Self::VoteSpent => "its vote in that epoch is spent",
            Self::OwnOffice => "it leads or campaigns itself",
            Self::Paused => "failover is paused",
            Self::Replaced => "its storage was replaced, so it does not vote yet",
            Self::DetectionTooLong => "the offer asks for a longer promise than its configuration allows",
        })
    }
}

impl Header {
    /// The highest epoch up to which the sender never acts again (R5).
    ///
    /// The lowest epoch that it leads or campaigns in, less one, and never above its durable epoch; for a
    /// sender that does neither, its durable epoch. What one that has stopped offered last is beside this: it says so
    /// for its life only.
    pub(crate) fn ended(&self) -> Epoch {
        match self.state {
            PeerState::Leader(epoch) | PeerState::Candidate(epoch) => epoch.before().min(self.epoch),
            _ => self.epoch,
        }
    }
}
