//! What keeps this node from campaigning, and when it campaigns.

use core::time::Duration;

use crate::blocker::CampaignBlocker;
use crate::config::BeyondLagLimit;
use crate::elector::{Elector, Lifecycle, Role};
use crate::epoch::{Epoch, Position};
use crate::event::Health;
use crate::members::{MemberIndex, MemberKind};
use crate::name::NodeId;
use crate::peer_state::PeerState;
use crate::ranking::{Merit, rank};
use crate::time::Time;
use crate::timers::Timer;

impl Elector {
    /// R18: campaigns when nothing blocks it any more, after the delay of its rank.
    #[inline]
    pub(super) fn consider_state(&mut self) {
        // What bars most inputs of most nodes, before anything else is looked at: a short way to the same blocker.
        if !matches!(self.state.role, Role::Follower(_)) || self.promise().is_some() {
            self.state.campaign.end_turn();
            return;
        }
        let Some(blocker) = self.firm_blocker() else { return self.await_turn() };
        self.state.campaign.end_turn();
        let until = match blocker {
            CampaignBlocker::Waits(until) | CampaignBlocker::InDoubt(until) => until,
            // Its target may disconnect before: look again after one step.
            CampaignBlocker::HeadStart(_, until) => until.min(self.state.now + self.rank_step()),
            _ => Time::NEVER,
        };
        self.state.timers.set(Timer::Campaign, until);
    }

    fn await_turn(&mut self) {
        let (rank, delay) = self.rank_delay();
        let at = self.state.campaign.turn_after(delay, self.state.now);
        if at <= self.state.now {
            return self.become_candidate(rank);
        }
        self.state.campaign.await_turn(at, delay, self.state.now);
        // A better one may disappear before: look again after one step.
        self.state.timers.set(Timer::Campaign, at.min(self.state.now + self.rank_step()));
    }

    /// The first rule that keeps this node from campaigning; `Rank` when only the delay of its rank is left, `None`
    /// never.
    pub(super) fn blocker(&self) -> Option<CampaignBlocker> {
        self.firm_blocker().or_else(|| {
            let (rank, delay) = self.rank_delay();
            Some(CampaignBlocker::Rank { rank, at: self.state.campaign.turn_after(delay, self.state.now) })
        })
    }

    /// The first rule that keeps this node from campaigning, its rank apart.
    fn firm_blocker(&self) -> Option<CampaignBlocker> {
        self.own_blocker().or_else(|| self.quorum_blocker()).or_else(|| self.lag_blocker())
    }

    /// What this node itself is or has promised.
    fn own_blocker(&self) -> Option<CampaignBlocker> {
        let config = &self.config;
        let followed = self.followed();
        let blockers = [
            matches!(self.state.lifecycle, Lifecycle::Stopped(_)).then_some(CampaignBlocker::Stopped),
            (self.state.lifecycle == Lifecycle::Starting).then_some(CampaignBlocker::Starting),
            matches!(self.state.role, Role::Leader(_)).then_some(CampaignBlocker::Leads),
            matches!(self.state.role, Role::Candidate(_)).then_some(CampaignBlocker::Campaigns),
            (self.kind != MemberKind::Voter).then_some(CampaignBlocker::NotAVoter), // R50
            config.never_leader().then_some(CampaignBlocker::NeverLeader),
            self.is_replaced().then_some(CampaignBlocker::Replaced), // R45
            // R43. R64: in a pause the last leader leads on, unfit or not.
            (self.state.health == Health::Unfit && !self.state.pause.is_active())
                .then_some(CampaignBlocker::Unhealthy),
            followed.map(|followed| {
                CampaignBlocker::Follows(config.members().id(followed.leader), followed.epoch)
            }),
            // R10: a promise binds its giver too.
            self.promise().map(|promise| {
                CampaignBlocker::Promised(config.members().id(promise.to), promise.epoch, promise.until)
            }),
            self.state.durable.saving_since().map(CampaignBlocker::Saving), // R8
            self.state.genesis.doubt_until(self.state.now).map(CampaignBlocker::InDoubt), // R59
            self.state.campaign.waits_until(self.state.now).map(CampaignBlocker::Waits), // R33
            self.active_head_start().map(|head_start| {
                CampaignBlocker::HeadStart(config.members().id(head_start.target), head_start.until)
            }), // R39
            // R42. R62: only as the last leader.
            self.state.pause.until().filter(|_| !self.is_reserved_for(self.me)).map(CampaignBlocker::Paused),
            (!self.has_next_epoch()).then_some(CampaignBlocker::EpochsExhausted),
        ];
        blockers.into_iter().flatten().next()
    }

    /// R18: a quorum, this node included, must be connected and free: by its last heartbeat, or because it last
    /// followed somebody who is known to have ended that epoch.
    fn quorum_blocker(&self) -> Option<CampaignBlocker> {
        let needed = self.config.members().quorum();
        // R65: a voter whose promise cannot carry this node's lease is none that could elect it.
        let counts = |&peer: &MemberIndex| self.is_connected(peer) && self.is_counted(peer);
        let connected = 1 + self.voting_peers().filter(counts).count();
        if connected < needed {
            return Some(CampaignBlocker::NotConnected { connected, needed });
        }
        let is_free = |&peer: &MemberIndex| self.counts_as_free(peer);
        let free = 1 + self.voting_peers().filter(counts).filter(is_free).count();
        (free < needed).then_some(CampaignBlocker::NotFree { free, needed })
    }

    fn counts_as_free(&self, peer: MemberIndex) -> bool {
        match self.state.peers.view(peer).state() {
            PeerState::Free => true,
            // R62: reserved is free for that node, and for nobody else.
            PeerState::Reserved(leader) => leader == self.config.node(),
            PeerState::Follower(leader, epoch) => self.is_known_to_have_ended(leader, epoch),
            _ => false,
        }
    }

    fn is_known_to_have_ended(&self, leader: NodeId, epoch: Epoch) -> bool {
        match self.config.members().index(leader) {
            Some(index) if index == self.me => epoch <= self.state.durable.epoch(),
            Some(index) => epoch <= self.state.peers.pair(index).ended(),
            None => false,
        }
    }

    /// R46: the lag limit is measured against connected voters, and bars only where the operator says so.
    fn lag_blocker(&self) -> Option<CampaignBlocker> {
        let limit = self.config.lag_limit()?;
        let (own, best) = (self.state.position, self.best_connected_position());
        (limit.beyond == BeyondLagLimit::Bars && limit.is_exceeded(own, best))
            .then_some(CampaignBlocker::Lags { own, best })
    }

    fn best_connected_position(&self) -> Option<Position> {
        let connected = self.voting_peers().filter(|&peer| self.is_connected(peer));
        connected.map(|peer| self.state.peers.view(peer).position()).fold(self.state.position, Option::max)
    }

    /// R32: the delay of this node's rank. R39, R62: the target of a handover has none, nor has whom a pause keeps in
    /// office: nobody else campaigns. R31 and R46: whoever failed to
    /// enter office at this position, or lags beyond the limit, campaigns one election timeout behind the others.
    fn rank_delay(&self) -> (usize, Duration) {
        let reserved = self.state.pause.is_active() && self.is_reserved_for(self.me);
        if self.state.campaign.favour().holds(self.state.now) || reserved {
            return (0, Duration::ZERO);
        }
        let others = self.voting_peers().filter(|&peer| self.is_connected(peer) && self.may_stand(peer));
        let others = others.map(|peer| self.rival(peer));
        let (id, priority) = (self.config.node(), self.config.priority());
        let own = Merit { id, priority, position: self.ranked_position(), campaigns: false };
        let rank = rank(own, others, self.config.lag_tolerance());
        let steps = u32::try_from(rank).unwrap_or(u32::MAX);
        let mut delay = self.rank_step().saturating_mul(steps);
        let failed = self.state.campaign.failed_at(self.state.position);
        let lags = self
            .config
            .lag_limit()
            .is_some_and(|limit| limit.is_exceeded(self.state.position, self.best_connected_position()));
        if failed || lags {
            delay += self.election_timeout();
        }
        (rank, delay)
    }

    /// Its merit. What it told of its position before it became free is older than its own: it gets the benefit of the
    /// doubt.
    fn rival(&self, peer: MemberIndex) -> Merit {
        let merit = self.merit(peer);
        match self.state.peers.view(peer).state() {
            PeerState::Candidate(_) => Merit { campaigns: true, ..merit },
            PeerState::Follower(..) | PeerState::Promised => {
                Merit { position: merit.position.max(self.ranked_position()), ..merit }
            }
            _ => merit,
        }
    }

    /// Whether `peer` campaigns, or is an eligible voter that is free or may be so at about the same time as this node:
    /// one that still follows, or after a restart of all one that is still bound by its record.
    fn may_stand(&self, peer: MemberIndex) -> bool {
        let view = self.state.peers.view(peer);
        let fit = view.eligible() && view.healthy();
        match view.state() {
            PeerState::Candidate(_) => true,
            PeerState::Free | PeerState::Follower(..) => fit,
            PeerState::Promised => fit && !self.state.campaign.had_leader(),
            _ => false,
        }
    }
}
