//! A leader's re-offer: it raises its own epoch without a leaderless gap.

use crate::duty::{Duty, Raised};
use crate::elector::{Elector, Role};
use crate::epoch::{Epoch, Stamp};
use crate::event::StepDown;
use crate::members::MemberIndex;
use crate::offer::Offer;
use crate::office::Elected;
use crate::record::{Holder, PromiseKind};
use crate::saving::Purpose;
use crate::time::Time;
use crate::timers::Timer;

impl Elector {
    /// R27: a voter above me makes me re-offer myself above it, at most once per heartbeat interval.
    pub(super) fn note_voter_above(&mut self, peer: MemberIndex) {
        let above = self.state.peers.view(peer).told().epoch();
        let votes = self.config.members().get(peer).kind.votes();
        if let Role::Leader(leader) = &mut self.state.role
            && votes
        {
            leader.note_voter_at(above);
        }
    }

    /// A voter may have been above before the election was won.
    pub(super) fn note_voters_above(&mut self) {
        for peer in self.other_members() {
            self.note_voter_above(peer);
        }
    }

    /// At a heartbeat: begins a wanted re-offer, or repeats the open one.
    pub(super) fn re_offer_if_wanted(&mut self) {
        let Role::Leader(leader) = &self.state.role else { return };
        if leader.wants_re_offer() && !self.state.durable.is_saving() {
            self.begin_re_offer();
        }
        self.repeat_re_offer();
    }

    /// R28: the own fence moves to the offered epoch; stamps of the epoch led pass until it is led.
    fn begin_re_offer(&mut self) {
        let Some(epoch) = self.next_epoch_of_re_offer() else { return };
        let first = self.renew_nonce();
        let Role::Leader(leader) = &mut self.state.role else { return };
        self.state.this_life.note_offered(epoch);
        leader.begin_re_offer(Offer::new(epoch, first, self.state.peers.len()));
        let exempt_epoch = Some(leader.epoch());
        let holder = Holder { node: self.config.node(), how: PromiseKind::Voted };
        self.save(Purpose::ReOffer(epoch), Some(self.next_record(epoch, holder)), epoch, exempt_epoch);
    }

    fn repeat_re_offer(&mut self) {
        for peer in self.other_members() {
            self.repeat_re_offer_to(peer);
        }
    }

    /// R65: also at once, with less, to a voter that allows less.
    pub(super) fn repeat_re_offer_to(&mut self, peer: MemberIndex) {
        let Role::Leader(leader) = &self.state.role else { return };
        let votes = self.config.members().get(peer).kind.votes();
        if let Some(offer) = leader.re_offer().filter(|_| votes) {
            let offer = self.offer_to(peer, offer.epoch());
            self.send(peer, offer);
        }
    }

    pub(super) fn on_re_offer_saved(&mut self, epoch: Epoch) {
        if let Role::Leader(leader) = &mut self.state.role
            && leader.re_offer_mut().is_some_and(|offer| offer.note_saved(epoch))
        {
            self.count_re_offer();
        }
    }

    /// R21 for the offered epoch: when its ballots make a lease, the own fence stops letting the old epoch pass.
    pub(super) fn count_re_offer(&mut self) {
        let Role::Leader(leader) = &self.state.role else { return };
        let Some(offer) = leader.re_offer() else { return };
        let (epoch, detection) = (offer.epoch(), leader.detection());
        let lease_end = self.tally.offer_lease_end(&self.config, offer, detection, self.state.now);
        // R8: as long as the own vote is not durable it is being saved.
        if !self.state.durable.is_saving() && lease_end > self.state.now {
            self.save(Purpose::Raise(epoch), None, epoch, None);
        }
    }

    /// The own fence is closed to the old epoch: the new one is led if its lease still lies ahead.
    pub(super) fn on_floor_raised(&mut self, epoch: Epoch) {
        let Role::Leader(leader) = &mut self.state.role else { return };
        // No other one begins while this is saved.
        let Some(offer) = leader.re_offer().filter(|offer| offer.epoch() == epoch) else { return };
        let lease_end = self.tally.offer_lease_end(&self.config, offer, leader.detection(), self.state.now);
        if lease_end > self.state.now
            && let Some(won) = leader.take_re_offer()
        {
            self.lead_raised(&won, lease_end);
        }
    }

    fn lead_raised(&mut self, won: &Offer, lease_end: Time) {
        let Role::Leader(leader) = &self.state.role else { return };
        let (from, in_office, detection) = (leader.epoch(), leader.is_in_office(), leader.detection());
        let source = self.catch_up_source(won);
        // R27: an entry of an epoch above the one led means that somebody else led: catching up comes first.
        if in_office && source.is_some_and(|source| source.position.epoch > from) {
            // It loses the old epoch and leads the new one, with its own way into office.
            self.lose_office(StepDown::EntryFromAbove);
            self.become_leader(won, detection, lease_end);
            return;
        }
        self.choose_genesis(won);
        let Role::Leader(leader) = &mut self.state.role else { return };
        let handover = leader.handover().is_some();
        leader.raise(won, lease_end);
        self.state.timers.set(Timer::Lease, lease_end);
        let raised = if in_office {
            // The office of today follows: nobody else led in between.
            self.authority.raise(won.epoch(), lease_end);
            Raised::InOffice(Stamp::received(won.epoch()))
        } else {
            self.authority.grant(won.epoch(), lease_end);
            self.authority.set_draining(handover);
            Raised::OnTheWay(Elected::new(self.authority.clone(), won.epoch(), source))
        };
        // R62: a pause keeps whoever led last in office.
        self.state.pause.note_leader(self.me, won.epoch());
        self.out.act(Duty::EpochRaised { from, raised });
        self.announce();
    }
}
