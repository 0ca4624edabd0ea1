//! What a node knows, at one moment: for machines.

use alloc::vec::Vec;
use core::time::Duration;

use crate::elector::{Elector, Life, Role};
use crate::epoch::{Epoch, Position};
use crate::event::Health;
use crate::frame::{Address, FreezeNumber};
use crate::members::{MemberIndex, MemberKind};
use crate::name::{ClusterId, NodeId};
use crate::nonce::Incarnation;
use crate::time::Time;
use crate::timers::Timer;

/// A node's view of its group. Spans are relative to the moment it was taken.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct Status {
    /// The cluster.
    pub cluster: ClusterId,
    /// This node.
    pub node: NodeId,
    /// The freeze of failover that is in force: it comes first in whatever an operator wonders about.
    pub freeze: Option<FreezeStatus>,
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
    /// Where clients reach the leader; empty until announced.
    pub leader_address: Address,
    /// On a leader: how long its lease still runs.
    pub lease_remaining: Option<Duration>,
    /// On a leader: whether its host serves.
    pub in_office: bool,
    /// Whether a handover is draining.
    pub handing_over: bool,
    /// The detection time in use.
    pub detection: Duration,
    /// Its host's health.
    pub health: Health,
    /// How long its host still counts as healthy without saying so again; none if that has no end.
    pub healthy_for: Option<Duration>,
    /// Its host's last durable entry.
    pub position: Option<Position>,
    /// The other members, sorted by name.
    pub peers: Vec<PeerStatus>,
}

/// A freeze of failover that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct FreezeStatus {
    /// Which one.
    pub number: FreezeNumber,
    /// When it ends, on this node's clock.
    pub until: Time,
    /// How long it still runs.
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
    pub heard_ago: Option<Duration>,
    /// Its durable epoch, as it last said.
    pub epoch: Epoch,
    /// Its host's last durable entry, as it last said.
    pub position: Option<Position>,
    /// Whether it may lead and is fit to.
    pub fit: bool,
    /// Its host's version number.
    pub application: u32,
}

impl Elector {
    /// A snapshot for machines, as of `now`. Allocates; not for the hot path.
    pub fn status(&self, now: Time) -> Status {
        let now = self.now.max(now);
        let leader = self.leader();
        let (lease_end, in_office, handing_over) = match &self.role {
            Role::Leader(leader) => {
                (Some(leader.lease_end), leader.is_in_office(), leader.handover.is_some())
            }
            _ => (None, false, false),
        };
        Status {
            cluster: self.config.cluster(),
            node: self.config.node(),
            freeze: self.freeze_status(now),
            kind: self.kind,
            role: self.role_name(),
            incarnation: self.record.incarnation,
            epoch: self.record.epoch,
            leader: leader.map(|(leader, _)| leader),
            leader_epoch: leader.map(|(_, epoch)| epoch),
            leader_address: self.leader_address(),
            lease_remaining: lease_end.map(|end| end.since(now)),
            in_office,
            handing_over,
            detection: self.detection_in_use(),
            health: self.health,
            healthy_for: Some(self.timers.get(Timer::Health))
                .filter(|&end| end != Time::NEVER)
                .map(|end| end.since(now)),
            position: self.position,
            peers: self.peer_statuses(now),
        }
    }

    pub(super) fn freeze_status(&self, now: Time) -> Option<FreezeStatus> {
        let (number, until) = (self.freeze.number()?, self.freeze.until()?);
        let id = |member: MemberIndex| self.config.members().id(member);
        Some(FreezeStatus {
            number,
            until,
            remaining: until.since(now),
            taken_by: self.freeze.taken_by().map(id),
            asked_by: self.freeze.asked_by().map(id),
            reserved_for: self.reserved_for().map(id),
        })
    }

    fn role_name(&self) -> RoleName {
        match (&self.life, &self.role) {
            (Life::Starting, _) => RoleName::Starting,
            (Life::Stopped(_), _) => RoleName::Stopped,
            (Life::Running, Role::Follower(_)) => RoleName::Follower,
            (Life::Running, Role::Candidate(_)) => RoleName::Candidate,
            (Life::Running, Role::Leader(_)) => RoleName::Leader,
        }
    }

    fn leader_address(&self) -> Address {
        match (&self.role, self.followed()) {
            (Role::Leader(_), _) => self.config.address().clone(),
            (_, Some(followed)) => self.peers[followed.leader.get()].view.address.clone(),
            _ => Address::default(),
        }
    }

    fn peer_statuses(&self, now: Time) -> Vec<PeerStatus> {
        let status = |peer| {
            let member = self.config.members().get(peer);
            let known = &self.peers[peer.get()];
            PeerStatus {
                node: member.id,
                kind: member.kind,
                connected: self.is_connected(peer),
                heard_ago: known.pair.heard_at.map(|at| now.since(at)),
                epoch: known.view.told.epoch(),
                position: known.view.position,
                fit: self.unfit(peer).is_none(),
                application: known.view.application,
            }
        };
        self.other_members().map(status).collect()
    }
}
