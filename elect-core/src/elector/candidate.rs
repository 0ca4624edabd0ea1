//! A campaign: the offer, the accepts, and how it ends.

use alloc::vec::Vec;
use core::time::Duration;

use crate::candidate::Candidate;
use crate::elector::transition::Transition;
use crate::elector::{Elector, Role};
use crate::epoch::{Epoch, FLOOR_DISTANCE_MAX};
use crate::event::{CampaignLost, Ignored, Notice};
use crate::frame::{Body, Header, Refusal};
use crate::members::{MemberIndex, MemberKind};
use crate::offer::{Ballot, Offer};
use crate::peer_state::PeerState;
use crate::record::{Holder, PromiseKind};
use crate::saving::Purpose;
use crate::time::nanos;
use crate::timers::Timer;

impl Elector {
    /// R19: offers an epoch above every epoch heard of. The offer may leave while the own vote is being saved;
    /// leading waits for it (R8).
    pub(super) fn become_candidate(&mut self, rank: usize) {
        let Some(epoch) = self.next_epoch() else { return };
        let first = self.renew_nonce();
        let offer = Offer::new(epoch, first, self.state.peers.len());
        let until = self.state.now + self.campaign_timeout();
        self.apply(Transition::Campaign(Candidate::new(offer), until));
        self.state.this_life.note_offered(epoch);
        self.state.campaign.begun();
        let holder = Holder { node: self.config.node(), how: PromiseKind::Voted };
        self.save(Purpose::Stand(epoch), Some(self.next_record(epoch, holder)), epoch, None);
        self.out.happened(Notice::CampaignStarted { epoch, rank });
        self.state.notices.note_broadcast(PeerState::Candidate(epoch), self.state.durable.epoch());
        self.offer_to_everybody();
    }

    fn next_epoch(&self) -> Option<Epoch> {
        self.state.epoch_hint.max(self.state.durable.epoch()).max(self.needed_epoch()).next()
    }

    /// Whether there is an epoch left to offer.
    pub(super) fn has_next_epoch(&self) -> bool {
        self.state.epoch_hint.max(self.state.durable.epoch()).next().is_some()
    }

    /// R19: the lowest epoch above which a quorum can be had: of the connected voting members, by their own durable
    /// epochs, so many as a quorum needs. No hint is this (R3): without them nobody is elected at all.
    fn needed_epoch(&self) -> Epoch {
        let Some(needed) = self.config.members().quorum().checked_sub(2) else { return Epoch::ZERO };
        let votes = |&peer: &MemberIndex| {
            let may_vote =
                !matches!(self.state.peers.view(peer).state(), PeerState::Replaced | PeerState::Stopped(_));
            may_vote && self.is_connected(peer) && self.is_counted(peer)
        };
        let mut epochs: Vec<_> = self
            .voting_peers()
            .filter(votes)
            .map(|peer| self.state.peers.view(peer).told().epoch())
            .collect();
        epochs.sort_unstable();
        let lowest = epochs.get(needed).copied().unwrap_or(Epoch::ZERO);
        lowest.min(self.state.durable.epoch().above(FLOOR_DISTANCE_MAX)).min(Epoch::new(u64::MAX).before())
    }

    /// The epoch of a re-offer: also above a connected voter that has said twice how far it is. A leader has its quorum
    /// without it, but would otherwise take a step of the hint's limit at each heartbeat until it gets there.
    pub(super) fn next_epoch_of_re_offer(&self) -> Option<Epoch> {
        let connected = self.voting_peers().filter(|&peer| self.is_connected(peer));
        let told = connected.map(|peer| self.state.peers.view(peer).told().twice()).max();
        let told = told.unwrap_or(Epoch::ZERO).min(self.state.durable.epoch().above(FLOOR_DISTANCE_MAX));
        Some(self.next_epoch()?.max(told.next()?))
    }

    fn offer_to_everybody(&mut self) {
        for peer in self.other_members() {
            if self.config.members().get(peer).kind.votes() {
                self.send_offer(peer);
            } else {
                self.send_heartbeat(peer);
            }
        }
        self.state.timers.set(Timer::Heartbeat, self.state.now + self.config.heartbeat_interval());
    }

    fn send_offer(&mut self, peer: MemberIndex) {
        if let Role::Candidate(candidate) = &self.state.role {
            let offer = self.offer_to(peer, candidate.epoch());
            self.send(peer, offer);
        }
    }

    /// R65: it asks each voter for a promise that is no longer than that voter allows.
    pub(super) fn offer_to(&self, peer: MemberIndex, epoch: Epoch) -> Body {
        let (detection, detection_max) = (self.detection_towards(peer), self.config.detection().ceiling());
        Body::Offer { epoch, detection, detection_max }
    }

    /// R34: to a voter that became free while the campaign lasts.
    pub(super) fn repeat_offer(&mut self, peer: MemberIndex) {
        if let Role::Candidate(candidate) = &self.state.role
            && self.config.members().get(peer).kind.votes()
            && candidate.offer().ballot(peer).is_none()
        {
            self.send_offer(peer);
        }
    }

    pub(super) fn on_candidate_heartbeat_due(&mut self) {
        self.offer_to_everybody();
    }

    /// The own vote is durable: it counts from now on. A campaign that is over meanwhile stays over.
    pub(super) fn on_own_vote_saved(&mut self, epoch: Epoch) {
        if let Role::Candidate(candidate) = &mut self.state.role
            && candidate.offer_mut().note_saved(epoch)
        {
            self.count_ballots();
        }
    }

    /// R20: an accept counts only from a voting member (R50), for the offer that is open, echoing a nonce of it.
    pub(super) fn on_accept(
        &mut self,
        peer: MemberIndex,
        header: &Header,
        accept: &Body,
    ) -> Result<(), Ignored> {
        let &Body::Accept { epoch, detection, position, pause, genesis_epoch } = accept else {
            return Err(Ignored::NotItsPlace);
        };
        let echo = header.echo.filter(|nonce| self.is_own(nonce)).ok_or(Ignored::NotFresh)?;
        let position = position.filter(|_| self.config.members().get(peer).kind == MemberKind::Voter);
        let genesis = header.genesis.map(|told| (genesis_epoch, told.genesis));
        // R21: until the promise is over that the voter says it gave with that very offer.
        let detection = detection.min(self.config.detection().ceiling());
        let grant = echo.sent + self.config.lease_span(detection);
        // R65: the promise of a voter that is left out makes no ballot.
        let ballot = self.is_counted(peer).then_some(Ballot { grant, position, genesis });
        match &mut self.state.role {
            Role::Candidate(candidate) if candidate.offer().is_answered_by(epoch, echo.sent) => {
                candidate.offer_mut().note_ballot(peer, ballot);
                self.note_voters_pause(pause);
                self.count_ballots();
            }
            Role::Leader(leader) if leader.is_answered_by(epoch, echo.sent) => {
                self.grant(peer, echo.sent, detection);
            }
            Role::Leader(leader) => {
                let open = leader.re_offer_mut().filter(|offer| offer.is_answered_by(epoch, echo.sent));
                open.ok_or(Ignored::NoSuchOffer(epoch))?.note_ballot(peer, ballot);
                self.count_re_offer();
            }
            _ => return Err(Ignored::NoSuchOffer(epoch)),
        }
        Ok(())
    }

    /// R21: leads when the own vote is durable and the lease that the ballots make lies ahead.
    fn count_ballots(&mut self) {
        let Role::Candidate(candidate) = &self.state.role else { return };
        if !candidate.offer().is_saved() {
            return;
        }
        // A leader begins with the longest detection time it may use, and adapts it in office (R41).
        let (offer, detection) = (candidate.offer(), self.own_detection());
        let lease_end = self.tally.offer_lease_end(&self.config, offer, detection, self.state.now);
        if lease_end > self.state.now {
            let won = offer.clone();
            self.become_leader(&won, detection, lease_end);
        }
    }

    /// A refusal says why, for `explain` and the log; its header has already told the voter's epoch.
    pub(super) fn on_refuse(
        &mut self,
        peer: MemberIndex,
        header: &Header,
        epoch: Epoch,
        refusal: Refusal,
    ) -> Result<(), Ignored> {
        let open = match &self.state.role {
            Role::Candidate(candidate) => candidate.epoch() == epoch,
            Role::Leader(leader) => leader.re_offer().is_some_and(|offer| offer.epoch() == epoch),
            Role::Follower(_) => false,
        };
        if !open {
            return Err(Ignored::NoSuchOffer(epoch));
        }
        let voter = self.config.members().id(peer);
        self.out.happened(Notice::OfferRefused { voter, epoch, refusal });
        self.note_refusal(peer, header, refusal);
        Ok(())
    }

    /// R33: a campaign without a quorum in time, or without hope of one, is given up, which frees those who accepted;
    /// then a wait at random.
    pub(super) fn on_campaign_over(&mut self) {
        let wait = self.draw_wait();
        self.lose_campaign(wait, CampaignLost::NoQuorum { wait });
    }

    /// Gives a campaign up and waits. From then on only an echo of that campaign or later makes a peer connected (L4).
    pub(super) fn lose_campaign(&mut self, wait: Duration, reason: CampaignLost) {
        let Role::Candidate(candidate) = &self.state.role else { return };
        self.state.connected_floor = candidate.offer().first();
        self.state.campaign.wait_until(self.state.now + wait);
        self.give_up_campaign(reason);
    }

    /// Uniform up to the longest wait.
    fn draw_wait(&mut self) -> Duration {
        let longest = nanos(self.longest_wait());
        self.state.campaign.lost();
        Duration::from_nanos(self.state.random.up_to(longest))
    }

    /// R33: a campaign that its own node withdraws is a lost one too: a host that wavers spends no epoch each time.
    pub(super) fn withdraw_campaign(&mut self, reason: CampaignLost) {
        if matches!(self.state.role, Role::Candidate(_)) {
            let wait = self.draw_wait();
            self.lose_campaign(wait, reason);
        }
    }

    /// Stands no more. The own vote stays spent, and `ended` follows from the state and the durable epoch.
    pub(super) fn give_up_campaign(&mut self, reason: CampaignLost) {
        let Role::Candidate(candidate) = &self.state.role else { return };
        let epoch = candidate.epoch();
        self.state.pause.end_favour();
        self.apply(Transition::StepDown);
        self.silence(|state| matches!(state, PeerState::Candidate(_)));
        self.out.happened(Notice::CampaignLost { epoch, reason });
    }
}
