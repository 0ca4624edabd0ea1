//! Filling in a status.

use alloc::vec::Vec;

use crate::address::Address;
use crate::elector::{Elector, Lifecycle, Role};
use crate::genesis::PeerHistory;
use crate::members::MemberIndex;
use crate::status::{GenesisStatus, KnownLeader, PauseStatus, PeerStatus, RoleName, Status};
use crate::time::Time;
use crate::timers::Timer;

impl Elector {
    /// A snapshot for machines, as of `now`. Allocates; not for the hot path.
    pub fn status(&self, now: Time) -> Status {
        let now = self.state.now.max(now);
        let leader = self.leader();
        let (lease_end, in_office, handing_over) = match &self.state.role {
            Role::Leader(leader) => {
                (Some(leader.lease_end()), leader.is_in_office(), leader.handover().is_some())
            }
            _ => (None, false, false),
        };
        Status {
            cluster: self.config.cluster(),
            node: self.config.node(),
            pause: self.pause_status(now),
            kind: self.kind,
            role: self.role_name(),
            incarnation: self.state.durable.incarnation(),
            epoch: self.state.durable.epoch(),
            leader: leader.map(|(leader, _)| leader),
            leader_epoch: leader.map(|(_, epoch)| epoch),
            leader_address: self.leader_address(),
            lease_remaining: lease_end.map(|end| end.since(now)),
            has_quorum: self.has_quorum(now),
            in_office,
            handing_over,
            detection: self.detection_in_use(),
            health: self.state.health,
            healthy_for: Some(self.state.timers.get(Timer::Health))
                .filter(|&end| end != Time::NEVER)
                .map(|end| end.since(now)),
            position: self.state.position,
            application: self.state.profile.version,
            host_data: self.state.profile.data,
            address: self.state.profile.address.clone(),
            genesis: self.genesis_status(),
            peers: self.peer_statuses(now),
        }
    }

    /// Whether this node and those whom it is connected with both ways, as of `now`, are a quorum of voters and
    /// witnesses.
    ///
    /// Without one nobody here is elected, and whoever leads here loses its lease. That there is one is no lease: see
    /// [`Authority`](crate::Authority).
    pub fn has_quorum(&self, now: Time) -> bool {
        let now = self.state.now.max(now);
        let connected = self.voting_peers().filter(|&peer| self.is_connected_at(peer, now)).count();
        connected + usize::from(self.kind.votes()) >= self.config.members().quorum()
    }

    /// Who leads, and at which address, as far as this node knows: itself, or whom it follows.
    pub fn known_leader(&self) -> Option<KnownLeader> {
        let (node, epoch) = self.leader()?;
        Some(KnownLeader { node, epoch, address: self.leader_address() })
    }

    pub(super) fn genesis_status(&self) -> GenesisStatus {
        GenesisStatus {
            genesis: self.state.durable.genesis().map(|own| own.genesis),
            is_final: self.state.durable.genesis().is_some_and(|own| own.is_final),
            waits_for: self.genesis_waits_for(),
        }
    }

    pub(super) fn pause_status(&self, now: Time) -> Option<PauseStatus> {
        let (number, until) = (self.state.pause.number()?, self.state.pause.until()?);
        let id = |member: MemberIndex| self.config.members().id(member);
        Some(PauseStatus {
            number,
            until,
            remaining: until.since(now),
            taken_by: self.state.pause.taken_by().map(id),
            asked_by: self.state.pause.asked_by().map(id),
            reserved_for: self.reserved_for().map(id),
        })
    }

    fn role_name(&self) -> RoleName {
        match (&self.state.lifecycle, &self.state.role) {
            (Lifecycle::Starting, _) => RoleName::Starting,
            (Lifecycle::Stopped(_), _) => RoleName::Stopped,
            (Lifecycle::Running, Role::Follower(_)) => RoleName::Follower,
            (Lifecycle::Running, Role::Candidate(_)) => RoleName::Candidate,
            (Lifecycle::Running, Role::Leader(_)) => RoleName::Leader,
        }
    }

    fn leader_address(&self) -> Address {
        match (&self.state.role, self.followed()) {
            (Role::Leader(_), _) => self.state.profile.address.clone(),
            (_, Some(followed)) => self.state.peers.view(followed.leader).address().clone(),
            _ => Address::default(),
        }
    }

    fn peer_statuses(&self, now: Time) -> Vec<PeerStatus> {
        let status = |peer| {
            let member = self.config.members().get(peer);
            PeerStatus {
                node: member.id,
                kind: member.kind,
                connected: self.is_connected_at(peer, now),
                connected_for: self.connected_since(peer, now).map(|since| now.since(since)),
                heard_ago: self.state.peers.pair(peer).heard_at().map(|at| now.since(at)),
                epoch: self.state.peers.view(peer).told().epoch(),
                position: self.state.peers.view(peer).position(),
                fit: self.unfit(peer).is_none(),
                application: self.state.peers.view(peer).application(),
                host_data: self.state.peers.view(peer).host_data(),
                address: self.state.peers.view(peer).address().clone(),
                detection: self.detection_terms(peer),
                counts_as_replaced: self.state.genesis.history_of(peer) == PeerHistory::Replaced,
                other_group: match self.state.genesis.history_of(peer) {
                    PeerHistory::Other(genesis) => Some(genesis),
                    _ => None,
                },
            }
        };
        self.other_members().map(status).collect()
    }
}
