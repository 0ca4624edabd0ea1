//! The state of this node, and whom it tells.

use crate::elector::{Elector, Lifecycle, Role};
use crate::epoch::Epoch;
use crate::event::{Health, Notice};
use crate::follower::Followed;
use crate::frame::{Body, Heartbeat};
use crate::members::{MemberIndex, MemberKind};
use crate::nonce::Nonce;
use crate::peer_state::PeerState;
use crate::time::Time;
use crate::timers::Timer;

impl Elector {
    /// The state of this node, with indices for names.
    #[inline]
    pub(super) fn own_state(&self) -> PeerState<MemberIndex> {
        if matches!(self.state.lifecycle, Lifecycle::Stopped(_)) {
            return PeerState::Stopped(self.state.this_life.offered().max(self.state.durable.epoch()));
        }
        if self.is_replaced() {
            return PeerState::Replaced;
        }
        match &self.state.role {
            Role::Leader(leader) => PeerState::Leader(leader.epoch()),
            Role::Candidate(candidate) => PeerState::Candidate(candidate.epoch()),
            Role::Follower(_) => match self.followed() {
                Some(followed) => PeerState::Follower(followed.leader, followed.epoch),
                None => self.unpromised_state(),
            },
        }
    }

    /// Whom it would accept an offer of now. R62: in a pause that of the last leader alone.
    fn unpromised_state(&self) -> PeerState<MemberIndex> {
        if !self.kind.votes() || self.promise().is_some() || self.state.durable.is_saving() {
            return PeerState::Promised;
        }
        // R59: it does not know whether it has a vote.
        if self.state.genesis.doubt_until(self.state.now).is_some() {
            return PeerState::Promised;
        }
        if !self.state.pause.is_active() {
            return PeerState::Free;
        }
        self.reserved_for().map_or(PeerState::Promised, PeerState::Reserved)
    }

    /// The same, as frames say it.
    #[inline]
    pub(super) fn told_state(&self) -> PeerState {
        self.own_state().map(|leader| self.config.members().id(leader))
    }

    /// R23: to its leader a node echoes only what its promise covers; to others the newest frame received.
    #[inline]
    pub(super) fn echo(&self, to: MemberIndex) -> Option<Nonce> {
        let pair = self.state.peers.pair(to);
        match self.followed() {
            Some(followed) if followed.leader == to => pair.covered(),
            _ => pair.newest(),
        }
    }

    /// Sends a body whose echo is given, not the usual one.
    pub(super) fn send_echoing(&mut self, to: MemberIndex, echo: Option<Nonce>, body: Body) {
        self.send(to, body);
        if let Some((_, frame)) = self.out.last_frame_mut() {
            frame.header.echo = echo;
        }
    }

    #[inline]
    pub(super) fn send_heartbeat(&mut self, to: MemberIndex) {
        let heartbeat = self.heartbeat(to);
        if matches!(&self.state.role, Role::Leader(leader) if !leader.is_announced(to)) {
            let address = self.state.profile.address.clone();
            self.send(to, Body::Announce { heartbeat, address });
        } else {
            self.next_frame(to).body = Body::Heartbeat(heartbeat);
        }
    }

    #[inline]
    fn heartbeat(&self, to: MemberIndex) -> Heartbeat {
        Heartbeat {
            position: self.heartbeat_position(),
            eligible: self.is_eligible(),
            // R43: a stalled save makes a node unfit too.
            healthy: self.state.health == Health::Healthy
                && !self.state.durable.is_stalled()
                && !matches!(&self.state.role, Role::Leader(leader) if leader.is_overdue()),
            priority: self.config.priority(),
            application: self.state.profile.version,
            detection_max: self.config.detection().ceiling(),
            lead: self.lead_towards(to),
            // R63: in every heartbeat, whoever sends it.
            pause: self.state.pause.stamp(self.state.now),
        }
    }

    fn is_eligible(&self) -> bool {
        self.kind == MemberKind::Voter && !self.config.never_leader() && !self.is_replaced()
    }

    /// A heartbeat to everybody, now. It never puts off the next one, with which offers, requests and leases are
    /// renewed (R27, R34, R38, R42): whatever makes this node speak up might come again and again.
    pub(super) fn broadcast(&mut self) {
        self.state.told_position.renew(self.state.position); // R32
        for peer in self.other_members() {
            self.send_heartbeat(peer);
        }
        self.state.notices.note_broadcast(self.own_state(), self.state.durable.epoch());
        let next = self.next_heartbeat().min(self.state.timers.get(Timer::Heartbeat));
        self.state.timers.set(Timer::Heartbeat, next);
    }

    /// A role or a state begins, or a heartbeat was due: the next one is a period away.
    pub(super) fn reset_heartbeat(&mut self) {
        self.state.timers.set(Timer::Heartbeat, self.next_heartbeat());
    }

    fn next_heartbeat(&self) -> Time {
        let period = match &self.state.role {
            Role::Follower(_) => self.follower_period(),
            Role::Candidate(_) | Role::Leader(_) => self.config.heartbeat_interval(),
        };
        self.state.now + period
    }

    /// R36: a change of state is sent to everybody at once.
    #[inline]
    pub(super) fn tell_everybody(&mut self) {
        if !self.state.notices.is_broadcast(self.own_state(), self.state.durable.epoch()) {
            self.broadcast();
            // R32: soon after it, another position would come to the rivals of a campaign in the midst of their ranking.
            self.reset_heartbeat();
        }
    }

    /// R57: tells the host whom this node follows, once per change.
    #[inline]
    pub(super) fn tell_host(&mut self) {
        let current = self.followed().map(|followed| (followed.leader, followed.epoch));
        if current != self.state.notices.reported() {
            self.tell_host_of(current);
        } else if self.state.notices.has_moved() {
            self.tell_host_where();
        }
    }

    /// The leader that the host knows is reached elsewhere now.
    fn tell_host_where(&mut self) {
        self.state.notices.note_told_where();
        if let Some(Followed { leader, .. }) = self.followed() {
            let address = self.state.peers.view(*leader).address().clone();
            let leader = self.config.members().id(*leader);
            self.out.happened(Notice::LeaderAddress { leader, address });
        }
    }

    fn tell_host_of(&mut self, current: Option<(MemberIndex, Epoch)>) {
        if let Some((leader, epoch)) = self.state.notices.report(current)
            && current.map(|(leader, _)| leader) != Some(leader)
        {
            let leader = self.config.members().id(leader);
            self.out.happened(Notice::LeaderLost { leader, epoch, reason: self.state.notices.leader_lost() });
        }
        if let Some(followed) = self.followed() {
            let address = self.state.peers.view(followed.leader).address().clone();
            let leader = self.config.members().id(followed.leader);
            self.out.happened(Notice::Following { leader, epoch: followed.epoch, address });
        }
    }
}
