//! Where this node stands, whom it tells, and what keeps it from standing for election.

use core::time::Duration;

use crate::config::{BeyondLagLimit, LagLimit};
use crate::elector::{Elector, FailedAt, Life, Role};
use crate::epoch::{Epoch, Position};
use crate::event::{Event, Health};
use crate::frame::{Body, Heartbeat, Lead, Standing};
use crate::members::{MemberIndex, MemberKind};
use crate::name::NodeId;
use crate::nonce::Nonce;
use crate::ranking::{Merit, lag, rank};
use crate::time::Time;
use crate::timers::Timer;

/// The first rule that keeps a node from standing for election now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Blocker {
    /// It has stopped for good.
    Stopped,
    /// Its incarnation is being saved.
    Starting,
    /// It leads already.
    Leads,
    /// It stands already.
    Stands,
    /// It is a witness or an observer.
    NotAVoter,
    /// Its configuration says so.
    NeverLeader,
    /// Its storage was replaced and has not caught up.
    Replaced,
    /// Its host reported itself unfit.
    Unhealthy,
    /// Failover is frozen until then.
    Paused(Time),
    /// It follows a leader.
    Follows(NodeId, Epoch),
    /// Its word is given to this node in this epoch, until then.
    Bound(NodeId, Epoch, Time),
    /// A record is being saved since then.
    Saving(Time),
    /// It waits until then after a lost round or a resignation.
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
    /// Only its rank: it stands at this point.
    Rank {
        /// How many others should stand first.
        rank: usize,
        /// When it stands.
        at: Time,
    },
}

/// When a node stands that nothing but its rank keeps from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) at: Time,
    /// The delay of the rank that this follows from.
    pub(crate) delay: Duration,
}

/// [`Standing`] with an index for the name: small enough to be compared at every input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stance {
    Leading(Epoch),
    Standing(Epoch),
    Following(MemberIndex, Epoch),
    Bound,
    Free,
    Replaced,
    Stopped,
}

impl Elector {
    /// Where this node stands.
    #[inline]
    pub(crate) fn stance(&self) -> Stance {
        if matches!(self.life, Life::Stopped(_)) {
            return Stance::Stopped;
        }
        if self.is_replaced() {
            return Stance::Replaced;
        }
        match &self.role {
            Role::Leader(leader) => Stance::Leading(leader.epoch),
            Role::Candidate(candidate) => Stance::Standing(candidate.epoch),
            Role::Follower(_) => match self.followed() {
                Some(followed) => Stance::Following(followed.leader, followed.epoch),
                None if self.is_free() => Stance::Free,
                None => Stance::Bound,
            },
        }
    }

    /// The same, as frames say it.
    #[inline]
    pub(crate) fn standing(&self) -> Standing {
        match self.stance() {
            Stance::Leading(epoch) => Standing::Leading(epoch),
            Stance::Standing(epoch) => Standing::Standing(epoch),
            Stance::Following(leader, epoch) => Standing::Following(self.config.members.id(leader), epoch),
            Stance::Bound => Standing::Bound,
            Stance::Free => Standing::Free,
            Stance::Replaced => Standing::Replaced,
            Stance::Stopped => Standing::Stopped,
        }
    }

    /// Whether this node would accept an offer now.
    fn is_free(&self) -> bool {
        self.kind.votes() && self.promise.is_none() && self.saving.is_none() && self.paused_until.is_none()
    }

    /// R23: to its leader a node echoes only what its promise covers; to others the newest frame received.
    #[inline]
    pub(crate) fn echo(&self, to: MemberIndex) -> Option<Nonce> {
        let pair = &self.peers[to.get()].pair;
        match self.followed() {
            Some(followed) if followed.leader == to => pair.covered,
            _ => pair.newest,
        }
    }

    /// Sends a body whose echo is given, not the usual one.
    pub(crate) fn send_echoing(&mut self, to: MemberIndex, echo: Option<Nonce>, body: Body) {
        self.send(to, body);
        if let Some((_, frame)) = self.out.frames.last_mut() {
            frame.header.echo = echo;
        }
    }

    #[inline]
    pub(crate) fn send_heartbeat(&mut self, to: MemberIndex) {
        let heartbeat = self.heartbeat();
        if heartbeat.lead.is_some() && !self.peers[to.get()].view.announced {
            let address = self.config.address.clone();
            self.send(to, Body::Announce { heartbeat, address });
        } else {
            self.next_frame(to).body = Body::Heartbeat(heartbeat);
        }
    }

    #[inline]
    fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            position: self.position,
            eligible: self.is_eligible(),
            // R43: a stalled save makes a node unfit too.
            healthy: self.health == Health::Healthy
                && !self.saving.as_ref().is_some_and(|saving| saving.stalled),
            priority: self.config.priority,
            application: self.config.application,
            lead: self.lead(),
        }
    }

    fn is_eligible(&self) -> bool {
        self.kind == MemberKind::Voter && !self.config.never_leader && !self.is_replaced()
    }

    #[inline]
    fn lead(&self) -> Option<Lead> {
        match &self.role {
            Role::Leader(leader) => Some(Lead {
                detection: leader.detection.current(),
                paused_for: self.paused_until.map_or(Duration::ZERO, |until| until.since(self.now)),
            }),
            _ => None,
        }
    }

    /// A heartbeat to everybody, now; the next one a period later.
    pub(crate) fn broadcast(&mut self) {
        for peer in self.other_members() {
            self.send_heartbeat(peer);
        }
        self.said = Some((self.stance(), self.record.epoch));
        self.reset_heartbeat();
    }

    pub(crate) fn reset_heartbeat(&mut self) {
        let period = match &self.role {
            // The shortest D that anybody may use: nodes that disagree about D still count each other as connected.
            Role::Follower(_) => self.detection.min(self.config.detection.floor()) / 3,
            Role::Candidate(_) | Role::Leader(_) => self.config.heartbeat_interval,
        };
        self.timers.set(Timer::Heartbeat, self.now + period);
    }

    /// R36: a change of standing is sent to everybody at once.
    #[inline]
    pub(crate) fn tell_everybody(&mut self) {
        if self.said != Some((self.stance(), self.record.epoch)) {
            self.broadcast();
        }
    }

    /// R57: tells the host whom this node follows, once per change.
    #[inline]
    pub(crate) fn tell_host(&mut self) {
        let current = self.followed().map(|followed| (followed.leader, followed.epoch));
        if current != self.told {
            self.tell_host_of(current);
        }
    }

    fn tell_host_of(&mut self, current: Option<(MemberIndex, Epoch)>) {
        let told = core::mem::replace(&mut self.told, current);
        if let Some((leader, epoch)) = told
            && current.map(|(leader, _)| leader) != Some(leader)
        {
            let leader = self.config.members.id(leader);
            self.out.happened(Event::LeaderLost { leader, epoch, reason: self.leader_lost });
        }
        if let Some(followed) = self.followed() {
            let address = self.peers[followed.leader.get()].view.address.clone();
            let leader = self.config.members.id(followed.leader);
            self.out.happened(Event::Following { leader, epoch: followed.epoch, address });
        }
    }

    /// R18: stands when nothing blocks it any more, after the delay of its rank.
    #[inline]
    pub(crate) fn consider_standing(&mut self) {
        if !matches!(self.role, Role::Follower(_)) || self.promise.is_some() {
            self.turn = None;
            return;
        }
        let Some(blocker) = self.firm_blocker() else { return self.await_turn() };
        self.turn = None;
        let until = match blocker {
            Blocker::Waits(until) => until,
            // Its target may disconnect before: look again after one step.
            Blocker::HeadStart(_, until) => until.min(self.now + self.config.rank_step),
            _ => Time::NEVER,
        };
        self.timers.set(Timer::Stand, until);
    }

    fn await_turn(&mut self) {
        let (rank, delay) = self.rank_delay();
        let at = self.turn_after(delay);
        if at <= self.now {
            return self.become_candidate(rank);
        }
        self.turn = Some(Turn { at, delay });
        // A better one may disappear before: look again after one step.
        self.timers.set(Timer::Stand, at.min(self.now + self.config.rank_step));
    }

    /// R32: when a node of this delay stands. When a better one disappears, all behind it move up together, and none
    /// may catch up with the next: the delay left starts anew, and never ends later than before.
    fn turn_after(&self, delay: Duration) -> Time {
        let Some(turn) = self.turn else { return self.now + delay };
        match delay.checked_sub(turn.delay) {
            Some(longer) => turn.at + longer,
            None => turn.at.min(self.now + delay),
        }
    }

    /// The first rule that keeps this node from standing; `Rank` when only the delay of its rank is left, `None`
    /// never.
    pub(crate) fn blocker(&self) -> Option<Blocker> {
        self.firm_blocker().or_else(|| {
            let (rank, delay) = self.rank_delay();
            Some(Blocker::Rank { rank, at: self.turn_after(delay) })
        })
    }

    /// The first rule that keeps this node from standing, its rank apart.
    fn firm_blocker(&self) -> Option<Blocker> {
        self.own_blocker().or_else(|| self.quorum_blocker()).or_else(|| self.lag_blocker())
    }

    /// What this node itself is or has promised.
    fn own_blocker(&self) -> Option<Blocker> {
        let config = &self.config;
        let followed = self.followed();
        let blockers = [
            matches!(self.life, Life::Stopped(_)).then_some(Blocker::Stopped),
            (self.life == Life::Starting).then_some(Blocker::Starting),
            matches!(self.role, Role::Leader(_)).then_some(Blocker::Leads),
            matches!(self.role, Role::Candidate(_)).then_some(Blocker::Stands),
            (self.kind != MemberKind::Voter).then_some(Blocker::NotAVoter), // R50
            config.never_leader.then_some(Blocker::NeverLeader),
            self.is_replaced().then_some(Blocker::Replaced), // R45
            (self.health == Health::Unfit).then_some(Blocker::Unhealthy), // R43
            followed.map(|followed| Blocker::Follows(config.members.id(followed.leader), followed.epoch)),
            // R10: a promise binds its giver too.
            self.promise
                .map(|promise| Blocker::Bound(config.members.id(promise.to), promise.epoch, promise.until)),
            self.paused_until.map(Blocker::Paused), // R42
            self.saving.as_ref().map(|saving| Blocker::Saving(saving.since)), // R8
            (self.wait_until > self.now).then_some(Blocker::Waits(self.wait_until)), // R33
            self.active_head_start()
                .map(|head_start| Blocker::HeadStart(config.members.id(head_start.target), head_start.until)), // R39
            self.next_epoch().is_none().then_some(Blocker::EpochsExhausted),
        ];
        blockers.into_iter().flatten().next()
    }

    /// R18: a quorum, this node included, must be connected and free: by its last heartbeat, or because it last
    /// followed somebody who is known to have ended that epoch.
    fn quorum_blocker(&self) -> Option<Blocker> {
        let needed = self.config.members.quorum();
        let connected = 1 + self.voting_peers().filter(|&peer| self.is_connected(peer)).count();
        if connected < needed {
            return Some(Blocker::NotConnected { connected, needed });
        }
        let is_free = |&peer: &MemberIndex| self.is_connected(peer) && self.counts_as_free(peer);
        let free = 1 + self.voting_peers().filter(is_free).count();
        (free < needed).then_some(Blocker::NotFree { free, needed })
    }

    fn counts_as_free(&self, peer: MemberIndex) -> bool {
        match self.peers[peer.get()].view.standing {
            Standing::Free => true,
            Standing::Following(leader, epoch) => self.is_known_to_have_ended(leader, epoch),
            _ => false,
        }
    }

    fn is_known_to_have_ended(&self, leader: NodeId, epoch: Epoch) -> bool {
        match self.config.members.index(leader) {
            Some(index) if index == self.me => epoch <= self.record.epoch,
            Some(index) => epoch <= self.peers[index.get()].pair.ended,
            None => false,
        }
    }

    /// R46: the lag limit is measured against connected voters, and bars only where the operator says so.
    fn lag_blocker(&self) -> Option<Blocker> {
        let limit = self.config.lag_limit?;
        let (own, best) = (self.position, self.best_connected_position());
        (limit.beyond == BeyondLagLimit::Bars && exceeds(limit, own, best))
            .then_some(Blocker::Lags { own, best })
    }

    fn best_connected_position(&self) -> Option<Position> {
        let connected = self.voting_peers().filter(|&peer| self.is_connected(peer));
        connected.map(|peer| self.peers[peer.get()].view.position).fold(self.position, Option::max)
    }

    /// R32: the delay of this node's rank. R39: the target of a handover has none. R31 and R46: whoever failed to
    /// enter office at this position, or lags beyond the limit, stands one election timeout behind the others.
    fn rank_delay(&self) -> (usize, Duration) {
        if self.favoured.is_some() {
            return (0, Duration::ZERO);
        }
        let others = self.voting_peers().filter(|&peer| self.is_connected(peer) && self.may_stand(peer));
        let others = others.map(|peer| self.rival(peer));
        let (id, priority) = (self.config.node, self.config.priority);
        let own = Merit { id, priority, position: self.position, stands: false };
        let rank = rank(own, others, self.config.lag_tolerance);
        let steps = u32::try_from(rank).unwrap_or(u32::MAX);
        let mut delay = self.config.rank_step.saturating_mul(steps);
        let failed = self.failed_at == Some(FailedAt(self.position));
        let lags = self
            .config
            .lag_limit
            .is_some_and(|limit| exceeds(limit, self.position, self.best_connected_position()));
        if failed || lags {
            delay += self.election_timeout();
        }
        (rank, delay)
    }

    /// Its merit. What a follower has told of its position is older than its own: it gets the benefit of the doubt.
    fn rival(&self, peer: MemberIndex) -> Merit {
        let merit = self.merit(peer);
        match self.peers[peer.get()].view.standing {
            Standing::Following(..) | Standing::Bound => {
                Merit { position: merit.position.max(self.position), ..merit }
            }
            _ => merit,
        }
    }

    /// Whether `peer` stands, or is an eligible voter that is free or still follows.
    fn may_stand(&self, peer: MemberIndex) -> bool {
        let view = &self.peers[peer.get()].view;
        match view.standing {
            Standing::Standing(_) => true,
            Standing::Free | Standing::Following(..) | Standing::Bound => view.eligible && view.healthy,
            _ => false,
        }
    }
}

fn exceeds(limit: LagLimit, own: Option<Position>, best: Option<Position>) -> bool {
    lag(own, best).is_none_or(|lag| lag > limit.offset)
}
