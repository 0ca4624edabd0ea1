//! What a node knows, at one moment: for machines.

use alloc::vec::Vec;
use core::time::Duration;

use crate::address::Address;
use crate::detection::DetectionTerms;
use crate::epoch::{Epoch, Position};
use crate::event::Health;
use crate::frame::PauseNumber;
use crate::genesis::told::Genesis;
use crate::members::MemberKind;
use crate::name::{ClusterId, NodeId};
use crate::nonce::Incarnation;
use crate::profile::HostData;
use crate::time::Time;

/// A node's view of its group. Spans are relative to the moment it was taken.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct Status {
    /// The cluster.
    pub cluster: ClusterId,
    /// This node.
    pub node: NodeId,
    /// The pause of failover that is in force: it comes first in whatever an operator wonders about.
    pub pause: Option<PauseStatus>,
    /// What kind of member it is.
    pub kind: MemberKind,
    /// What it does.
    pub role: RoleName,
    /// Its life.
    pub incarnation: Incarnation,
    /// Its durable epoch.
    pub epoch: Epoch,
    /// Who leads, as far as it knows.
    pub leader: Option<NodeId>,
    /// The epoch led.
    pub leader_epoch: Option<Epoch>,
    /// Where clients reach the leader; empty until it has told.
    pub leader_address: Address,
    /// On a leader: how long its lease still runs.
    #[cfg_attr(
        feature = "wire",
        serde(rename = "lease_remaining_ms", serialize_with = "crate::millis::maybe_span")
    )]
    pub lease_remaining: Option<Duration>,
    /// Whether this node and those whom it is connected with both ways are a quorum.
    pub has_quorum: bool,
    /// On a leader: whether its host serves.
    pub in_office: bool,
    /// Whether a handover is draining.
    pub handing_over: bool,
    /// The detection time in use.
    #[cfg_attr(feature = "wire", serde(rename = "detection_ms", serialize_with = "crate::millis::span"))]
    pub detection: Duration,
    /// Its host's health.
    pub health: Health,
    /// How long its host still counts as healthy without saying so again; none if that has no end.
    #[cfg_attr(
        feature = "wire",
        serde(rename = "healthy_for_ms", serialize_with = "crate::millis::maybe_span")
    )]
    pub healthy_for: Option<Duration>,
    /// Its host's last durable entry.
    pub position: Option<Position>,
    /// Its host's version number.
    pub application: u32,
    /// The bytes of its host that belong to that version, in hexadecimal for machines.
    pub host_data: HostData,
    /// Where clients reach it, leader or not.
    pub address: Address,
    /// Which history of the group its storage belongs to.
    pub genesis: GenesisStatus,
    /// The other members, sorted by name.
    pub peers: Vec<PeerStatus>,
}

/// Which history of a group a storage belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct GenesisStatus {
    /// Which one; none before the first election.
    pub genesis: Option<Genesis>,
    /// Whether it is final: a disk that lacks it counts as replaced. Before that a lost disk that is given a first boot
    /// is not noticed.
    pub is_final: bool,
    /// Who keeps it from being final: on a leader the voters and witnesses that have not said that they hold it,
    /// elsewhere those that have not told it here.
    pub waits_for: Vec<NodeId>,
}

/// A pause of failover that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct PauseStatus {
    /// Which one.
    pub number: PauseNumber,
    /// When it ends, on this node's clock.
    #[cfg_attr(feature = "wire", serde(rename = "until_ms"))]
    pub until: Time,
    /// How long it still runs.
    #[cfg_attr(feature = "wire", serde(rename = "remaining_ms", serialize_with = "crate::millis::span"))]
    pub remaining: Duration,
    /// The leader that took it, if this node knows who led that epoch.
    pub taken_by: Option<NodeId>,
    /// The node whose operator asked for it: only the leader that took it knows.
    pub asked_by: Option<NodeId>,
    /// Who alone may be elected meanwhile, if this node knows: the last leader, or whom it has just handed over to.
    pub reserved_for: Option<NodeId>,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum RoleName {
    /// Saves its incarnation.
    Starting,
    /// Follows, or waits.
    Follower,
    /// Stands for election.
    Candidate,
    /// Leads.
    Leader,
    /// Stopped for good.
    Stopped,
}

/// A node's view of one peer.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct PeerStatus {
    /// The peer.
    pub node: NodeId,
    /// What kind of member it is.
    pub kind: MemberKind,
    /// Whether it is heard *and* hears this node.
    pub connected: bool,
    /// How long ago its last frame came; none if none came since this node started.
    #[cfg_attr(
        feature = "wire",
        serde(rename = "heard_ago_ms", serialize_with = "crate::millis::maybe_span")
    )]
    pub heard_ago: Option<Duration>,
    /// For how long it has been connected without interruption; none if it is not.
    #[cfg_attr(
        feature = "wire",
        serde(rename = "connected_for_ms", serialize_with = "crate::millis::maybe_span")
    )]
    pub connected_for: Option<Duration>,
    /// Its durable epoch, as it last said.
    pub epoch: Epoch,
    /// Its host's last durable entry, as it last said.
    pub position: Option<Position>,
    /// Whether it may lead and is fit to.
    pub fit: bool,
    /// Its host's version number.
    pub application: u32,
    /// The bytes of its host that belong to that version, in hexadecimal for machines.
    pub host_data: HostData,
    /// Where clients reach it; empty until it has told.
    pub address: Address,
    /// The detection times of the two: what they are and what follows from them.
    pub detection: DetectionTerms,
    /// Its storage lacks what is final here: it counts as replaced.
    pub counts_as_replaced: bool,
    /// It belongs to another group of the same name and list, by this genesis.
    pub other_group: Option<Genesis>,
}

/// Who leads, and where: one answer, so that nobody pairs one leader's name with another's address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct KnownLeader {
    /// The leader.
    pub node: NodeId,
    /// The epoch it leads.
    pub epoch: Epoch,
    /// Where clients reach it; empty until it has told.
    pub address: Address,
}
