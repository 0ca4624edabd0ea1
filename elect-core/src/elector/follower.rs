//! Following a leader, and promising one's vote.

use core::time::Duration;

use crate::address::Address;
use crate::elector::{Elector, Role};
use crate::epoch::{Epoch, Position};
use crate::event::{CampaignLost, Ignored, LeaderLost, Notice, StepDown};
use crate::follower::{Followed, LeaderClaim, OfferInHand};
use crate::frame::{Body, Header, Heartbeat, Refusal};
use crate::members::{MemberIndex, MemberKind};
use crate::nonce::Nonce;
use crate::promise::Promise;
use crate::record::{Holder, PromiseKind};
use crate::saving::Purpose;
use crate::timers::Timer;

impl Elector {
    #[inline]
    pub(super) fn followed(&self) -> Option<&Followed> {
        match &self.state.role {
            Role::Follower(follower) => follower.followed(),
            _ => None,
        }
    }

    /// A leader's heartbeat.
    #[inline]
    pub(super) fn on_leader(
        &mut self,
        peer: MemberIndex,
        header: &Header,
        epoch: Epoch,
        heartbeat: &Heartbeat,
    ) -> Result<(), Ignored> {
        let lead = heartbeat.lead.ok_or(Ignored::NotItsPlace)?;
        self.check_claim(peer, header, epoch)?;
        let echoed = self.check_claimed(peer, header, lead.detection)?;
        let claim = LeaderClaim {
            leader: peer,
            epoch,
            nonce: header.nonce,
            echoed,
            received: self.state.now,
            detection: lead.detection,
            binds_for: self.config.promise_span(lead.detection),
        };
        if self.followed().is_some_and(|followed| followed.leader == peer && followed.epoch == epoch) {
            self.renew(&claim);
            return Ok(());
        }
        if epoch < self.state.durable.epoch() {
            // R27: it learns this node's epoch from the answer, and re-offers itself above it.
            self.answer(peer);
            return Ok(());
        }
        if self.is_covered(peer, header.nonce) {
            return Err(Ignored::Older); // its promise has run out, and mostly its echo before that (R6)
        }
        if !self.state.durable.is_saving() {
            self.adopt_leader(claim);
        }
        Ok(())
    }

    /// R5: a claim at or below what its sender has ended is ignored; so is one above its own durable epoch
    /// (S3), or of the epoch that this node leads (S1).
    #[inline]
    fn check_claim(&self, peer: MemberIndex, header: &Header, epoch: Epoch) -> Result<(), Ignored> {
        let led_here = matches!(&self.state.role, Role::Leader(leader) if leader.epoch() == epoch);
        if epoch > header.epoch || epoch <= self.state.peers.pair(peer).ended() || led_here {
            return Err(Ignored::Ended(epoch));
        }
        Ok(())
    }

    /// R26: follows a leader at or above the durable epoch; a leader whom the record does not name in that
    /// epoch only after its name is saved. R25: candidacy and leadership end before the save.
    fn adopt_leader(&mut self, claim: LeaderClaim) {
        let LeaderClaim { leader, epoch, .. } = claim;
        let node = self.config.members().id(leader);
        self.state.pause.note_leader(leader, epoch);
        self.lose_office(StepDown::Superseded { epoch, leader: node });
        self.give_up_campaign(CampaignLost::LeaderAppeared { leader: node, epoch });
        let named = epoch == self.state.durable.epoch()
            && self.state.durable.record().holder.is_some_and(|holder| holder.node == node);
        if named && self.state.durable.exempt_epoch().is_none() {
            self.become_following(claim);
            return;
        }
        if self.followed().is_some_and(|followed| followed.leader != leader) {
            self.unfollow(LeaderLost::Superseded);
        }
        let record = (!named).then(|| {
            let holder = Holder { node, how: PromiseKind::Followed };
            self.next_record(epoch, holder)
        });
        self.save(Purpose::Follow(claim), record, epoch, None);
    }

    /// The claim's epoch and holder are durable. R14: following replaces any promise to another node, because
    /// such a leader proves older leases over. R12: the new one runs from receipt of the claim.
    pub(super) fn become_following(&mut self, claim: LeaderClaim) {
        if !self.is_alive(claim.leader, claim.nonce) {
            return;
        }
        let Role::Follower(follower) = &mut self.state.role else { return };
        follower.follow(&claim);
        self.cover(&claim);
        self.state.campaign.leader_found();
        self.state.pause.end_favour();
        self.answer_leader(claim.leader);
        // What ended while the record was being saved is over all the same.
        self.end_what_is_over(claim.leader);
    }

    /// The leader that this node follows was heard: R12, R13, and the answer that renews its lease.
    #[inline]
    fn renew(&mut self, claim: &LeaderClaim) {
        self.renew_promise(claim);
        self.answer_leader(claim.leader);
    }

    #[inline]
    fn answer_leader(&mut self, leader: MemberIndex) {
        self.rebuild_witness();
        self.send_heartbeat(leader);
    }

    #[inline]
    fn renew_promise(&mut self, claim: &LeaderClaim) {
        self.note_use(claim);
        // R12: a frame's promise runs from its first receipt; a copy of it proves nothing new (R6).
        if !self.is_covered(claim.leader, claim.nonce) {
            self.cover(claim);
        }
    }

    /// The leader that this node follows led later than the own nonce that its claim echoes, and says which detection
    /// time is in use.
    #[inline]
    fn note_use(&mut self, claim: &LeaderClaim) {
        if let Role::Follower(follower) = &mut self.state.role {
            follower.note_use(claim);
        }
    }

    /// Promises on for a claim that was not covered before. R23: only what is covered is ever echoed to the leader.
    #[inline]
    pub(super) fn cover(&mut self, claim: &LeaderClaim) {
        self.give_promise(claim.promise());
        self.state.peers.pair_mut(claim.leader).cover(claim.nonce, claim.detection);
    }

    fn is_covered(&self, leader: MemberIndex, nonce: Nonce) -> bool {
        self.state.peers.pair(leader).covered() == Some(nonce)
    }

    /// R16: whether the life that sent `nonce` may still go on, as far as is known: what it asked for while a
    /// record was being saved is void if it died meanwhile.
    fn is_alive(&self, peer: MemberIndex, nonce: Nonce) -> bool {
        self.state.peers.pair(peer).is_alive(nonce)
    }

    #[inline]
    pub(super) fn give_promise(&mut self, renewal: Promise) {
        if let Role::Follower(follower) = &mut self.state.role {
            let until = follower.give(renewal);
            self.state.timers.set(Timer::Promise, until);
        }
    }

    #[inline]
    pub(super) fn promise(&self) -> Option<&Promise> {
        match &self.state.role {
            Role::Follower(follower) => follower.promise(),
            _ => None,
        }
    }

    pub(super) fn end_promise(&mut self, reason: LeaderLost) {
        self.unfollow(reason);
        if let Role::Follower(follower) = &mut self.state.role {
            follower.end_promise();
            self.state.timers.clear(Timer::Promise);
        }
    }

    pub(super) fn on_promise_over(&mut self) {
        self.end_promise(LeaderLost::Silent);
    }

    /// The promise, if there is one, goes on: not being followed any more does not free a voter.
    pub(super) fn unfollow(&mut self, reason: LeaderLost) {
        if let Role::Follower(follower) = &mut self.state.role
            && let Some(followed) = follower.unfollow()
        {
            if reason != LeaderLost::Ended {
                self.forget_handed(followed.leader);
            }
            self.state.notices.note_leader_lost(reason);
        }
    }

    /// An offer: R6, R7 and R47 first, then whether this node's promise is free.
    pub(super) fn on_offer(
        &mut self,
        peer: MemberIndex,
        header: &Header,
        epoch: Epoch,
        detection: Duration,
    ) -> Result<(), Ignored> {
        if !self.kind.votes() {
            return Err(Ignored::NotItsPlace);
        }
        if detection > self.config.detection().ceiling() {
            return self.refuse_longer(peer, epoch, detection);
        }
        self.check_claimed(peer, header, detection)?;
        self.check_distance(epoch)?;
        if epoch <= self.state.peers.pair(peer).ended() {
            return Err(Ignored::Ended(epoch)); // R5
        }
        let accepting =
            OfferInHand { candidate: peer, epoch, nonce: header.nonce, received: self.state.now, detection };
        self.consider_offer(accepting);
        Ok(())
    }

    pub(super) fn consider_offer(&mut self, accepting: OfferInHand) {
        let OfferInHand { candidate, epoch, .. } = accepting;
        if self.state.durable.is_saving() {
            self.state.durable.defer(accepting);
        } else if let Some(refusal) = self.refusal_of(candidate, epoch) {
            self.refuse(candidate, epoch, refusal);
        } else if self.state.durable.has_accepted(accepting.candidacy()) {
            // R9: a repeated offer of the same candidacy gets the same answer with the new echo.
            self.accept(accepting);
        } else if self.has_vote(candidate, epoch) {
            // R29: the vote is the same, but another life asks, or this node's own is new: what was acknowledged
            // since the last raise must be in the position.
            self.save(Purpose::Accept(accepting), None, epoch, None);
        } else {
            self.adopt_candidate(accepting);
        }
    }

    /// Whether the record says that `candidate` has this node's vote in `epoch`.
    fn has_vote(&self, candidate: MemberIndex, epoch: Epoch) -> bool {
        let node = self.config.members().id(candidate);
        epoch == self.state.durable.epoch()
            && self.state.durable.record().holder == Some(Holder { node, how: PromiseKind::Voted })
    }

    /// Why this node does not accept `candidate` in `epoch`; `None` if it does.
    fn refusal_of(&self, candidate: MemberIndex, epoch: Epoch) -> Option<Refusal> {
        if self.is_replaced() || self.state.genesis.doubt_until(self.state.now).is_some() {
            return Some(Refusal::Replaced); // R45, R59
        }
        match &self.state.role {
            // R11: a leader never gives way to an offer; a candidate does to a higher one.
            Role::Leader(_) => return Some(Refusal::OwnOffice),
            Role::Candidate(own) if epoch <= own.epoch() => return Some(Refusal::OwnOffice),
            _ => {}
        }
        if self.promise().is_some_and(|promise| promise.to != candidate) {
            return Some(Refusal::Promised); // R10
        }
        if self.is_barred(candidate) {
            return Some(Refusal::Paused); // R42, R62
        }
        // R9: one vote per epoch, ever.
        if epoch < self.state.durable.epoch() {
            return Some(Refusal::EpochTooLow);
        }
        (epoch == self.state.durable.epoch() && !self.has_vote(candidate, epoch))
            .then_some(Refusal::VoteSpent)
    }

    /// R65: an offer that asks for a longer promise than this node may give is refused with what it may, so that the
    /// next one asks for less; as often as any frame is answered that cannot count (R35).
    fn refuse_longer(
        &mut self,
        candidate: MemberIndex,
        epoch: Epoch,
        detection: Duration,
    ) -> Result<(), Ignored> {
        if !self.may_answer(candidate) {
            return Err(Ignored::Detection(detection));
        }
        self.refuse(candidate, epoch, Refusal::DetectionTooLong);
        Ok(())
    }

    fn refuse(&mut self, candidate: MemberIndex, epoch: Epoch, refusal: Refusal) {
        let event = Notice::RefusedOffer { candidate: self.config.members().id(candidate), epoch, refusal };
        self.out.happened(event);
        let detection_max = self.config.detection().ceiling();
        self.send(candidate, Body::Refuse { epoch, refusal, detection_max });
    }

    /// R8: the vote is durable before the accept leaves. R28: stamps of the leadership that this node goes on
    /// following pass the raised floor.
    fn adopt_candidate(&mut self, accepting: OfferInHand) {
        let OfferInHand { candidate, epoch, .. } = accepting;
        let node = self.config.members().id(candidate);
        self.give_up_campaign(CampaignLost::HigherOffer { candidate: node, epoch });
        // Whom it follows it has promised, and that is nobody else here (R10).
        let exempt_epoch = self.followed().map(|followed| followed.epoch);
        let record = self.next_record(epoch, Holder { node, how: PromiseKind::Voted });
        self.save(Purpose::Accept(accepting), Some(record), epoch, exempt_epoch);
    }

    /// The vote is durable. R12: an accept is a promise for D from receipt of the offer; it echoes that offer,
    /// never a later frame (R23). R29: the position was pulled after the raise.
    pub(super) fn accept(&mut self, accepting: OfferInHand) {
        let OfferInHand { candidate, epoch, nonce, received, detection } = accepting;
        if !self.is_alive(candidate, nonce) {
            return;
        }
        // R62: a pause may have come while the vote was being saved.
        if self.is_barred(candidate) {
            return self.refuse(candidate, epoch, Refusal::Paused);
        }
        // R59: so may a frame that lets this node doubt whether it has a vote.
        if self.state.genesis.doubt_until(self.state.now).is_some() {
            return self.refuse(candidate, epoch, Refusal::Replaced);
        }
        self.state.campaign.end_favour();
        self.state.durable.note_accepted(accepting.candidacy());
        self.give_promise(Promise {
            to: candidate,
            epoch,
            life: Some(nonce.incarnation),
            until: received + self.config.promise_span(detection),
            renewed_at: received,
        });
        self.end_promise_if_over(candidate);
        if self.promise().is_none() {
            return;
        }
        let node = self.config.members().id(candidate);
        self.out.happened(Notice::Accepted { candidate: node, epoch });
        let (position, pause) = (self.reported_position(), self.state.pause.stamp(self.state.now));
        let genesis_epoch = self.state.durable.genesis().map_or(Epoch::ZERO, |saved| saved.epoch);
        let body = Body::Accept { epoch, detection, position, pause, genesis_epoch };
        // R21: the promise that goes with this echo is that of this offer.
        self.send_echoing(candidate, Some(nonce), body);
    }

    /// R50: a witness sends no position, not zero.
    pub(super) fn reported_position(&self) -> Option<Position> {
        self.state.durable.fenced_position().filter(|_| self.kind != MemberKind::Witness)
    }

    /// R57: where clients reach a peer; of the leader that is followed, for the host's redirects.
    pub(super) fn note_address(&mut self, peer: MemberIndex, address: &Address) {
        if !self.state.peers.view_mut(peer).note_address(address) {
            return;
        }
        // Told at the end of the input, if this peer is followed then: a promise that has run out in this input may be
        // renewed in it.
        if self.state.notices.reported().is_some_and(|(reported, _)| reported == peer) {
            self.state.notices.note_moved();
        }
    }

    /// R56: followers need a heartbeat from each other only every D/3; the leader gets its answers at once.
    pub(super) fn on_follower_heartbeat_due(&mut self) {
        let leader = self.followed().map(|followed| followed.leader);
        if !self.repeat_release() {
            self.state.told_position.renew(self.state.position); // R32: a frame to the leader does not count
            for peer in self.other_members().filter(|&peer| Some(peer) != leader) {
                self.send_heartbeat(peer);
            }
        }
        self.repeat_pause_request();
        self.reset_heartbeat();
    }
}
