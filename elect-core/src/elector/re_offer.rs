//! A leader's re-offer: it raises its own epoch without a leaderless gap.

use alloc::boxed::Box;
use core::time::Duration;

use crate::duty::{Duty, Raised};
use crate::elector::{Elector, Role};
use crate::epoch::{Epoch, Stamp};
use crate::event::StepDown;
use crate::frame::Body;
use crate::leader::Leader;
use crate::members::MemberIndex;
use crate::office::Elected;
use crate::re_offer::ReOffer;
use crate::record::{Holder, Word};
use crate::saving::Purpose;
use crate::time::Time;
use crate::timers::Timer;

impl Elector {
    /// R27: a voter above me makes me re-offer myself above it, at most once per heartbeat interval.
    pub(super) fn note_voter_above(&mut self, peer: MemberIndex) {
        let above = self.peers.view(peer).told().epoch();
        let votes = self.config.members().get(peer).kind.votes();
        if let Role::Leader(leader) = &mut self.role
            && votes
            && above > leader.re_offer.map_or(leader.epoch, |re_offer| re_offer.epoch)
        {
            leader.wants_epoch = true;
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
        let Role::Leader(leader) = &self.role else { return };
        let wanted = leader.wants_epoch || (leader.wants_positions && leader.re_offer.is_none());
        if wanted && !self.durable.is_saving() {
            self.begin_re_offer();
        }
        self.repeat_re_offer();
    }

    /// R28: the own fence moves to the offered epoch; stamps of the epoch led pass until it is led.
    fn begin_re_offer(&mut self) {
        let Some(epoch) = self.next_epoch_of_re_offer() else { return };
        let first = self.renew_nonce();
        self.clear_ballots();
        let Role::Leader(leader) = &mut self.role else { return };
        self.this_life.note_offered(epoch);
        leader.wants_epoch = false;
        leader.wants_positions = false;
        leader.re_offer = Some(ReOffer { epoch, first, saved: false });
        let kept = Some(leader.epoch);
        let holder = Holder { node: self.config.node(), word: Word::Vote };
        self.save(Purpose::ReOffer(epoch), Some(self.next_record(epoch, holder)), epoch, kept);
    }

    fn repeat_re_offer(&mut self) {
        let Role::Leader(leader) = &self.role else { return };
        let Some(re_offer) = leader.re_offer else { return };
        let body = Body::Offer { epoch: re_offer.epoch, detection: leader.detection.current() };
        for peer in self.other_members() {
            let votes = self.config.members().get(peer).kind.votes();
            if votes {
                self.send(peer, body.clone());
            }
        }
    }

    pub(super) fn on_re_offer_saved(&mut self, epoch: Epoch) {
        if let Role::Leader(leader) = &mut self.role
            && let Some(re_offer) = &mut leader.re_offer
            && re_offer.epoch == epoch
        {
            re_offer.saved = true;
            self.count_re_offer();
        }
    }

    /// R21 for the offered epoch: when its ballots make a lease, the own fence stops letting the old epoch pass.
    pub(super) fn count_re_offer(&mut self) {
        let Role::Leader(leader) = &self.role else { return };
        let Some(ReOffer { epoch, saved: true, .. }) = leader.re_offer else { return };
        let detection = leader.detection.current();
        if !self.durable.is_saving() && self.ballot_lease_end(detection) > self.now {
            self.save(Purpose::Raise(epoch), None, epoch, None);
        }
    }

    /// The own fence is closed to the old epoch: the new one is led if its lease still lies ahead.
    pub(super) fn on_floor_raised(&mut self, epoch: Epoch) {
        let Role::Leader(leader) = &self.role else { return };
        let Some(re_offer) = leader.re_offer.filter(|re_offer| re_offer.epoch == epoch) else { return };
        let lease_end = self.ballot_lease_end(leader.detection.current());
        if lease_end > self.now {
            self.lead_raised(re_offer, lease_end);
        }
    }

    fn lead_raised(&mut self, re_offer: ReOffer, lease_end: Time) {
        let Role::Leader(leader) = &self.role else { return };
        let (from, in_office, detection) = (leader.epoch, leader.is_in_office(), leader.detection.current());
        let source = self.catch_up_source();
        // R27: an entry of an epoch above the one led means that somebody else led: catching up comes first.
        if in_office && source.is_some_and(|source| source.position.epoch > from) {
            self.lose_office_for(StepDown::EntryFromAbove, re_offer, detection, lease_end);
            return;
        }
        self.turn_ballots_into_grants();
        let Role::Leader(leader) = &mut self.role else { return };
        let source = source.filter(|_| !in_office);
        let handover = leader.handover.is_some();
        **leader = Leader {
            epoch: re_offer.epoch,
            first: re_offer.first,
            lease_end,
            source,
            re_offer: None,
            // The raise has brought fresh positions.
            wants_positions: false,
            ..(**leader).clone()
        };
        self.timers.set(Timer::Lease, lease_end);
        let raised = if in_office {
            // The office of today follows: nobody else led in between.
            self.authority.raise(re_offer.epoch, lease_end);
            Raised::InOffice(Stamp::received(re_offer.epoch))
        } else {
            self.authority.grant(re_offer.epoch, lease_end);
            self.authority.set_draining(handover);
            Raised::OnTheWay(Elected::new(self.authority.clone(), re_offer.epoch, source))
        };
        // R62: a freeze keeps whoever led last in office.
        self.freeze.note_leader(self.me, re_offer.epoch);
        self.out.act(Duty::EpochRaised { from, raised });
        self.announce();
        self.note_voters_above();
    }

    /// Loses the old epoch and leads the new one, with its own way into office.
    fn lose_office_for(&mut self, reason: StepDown, re_offer: ReOffer, detection: Duration, lease_end: Time) {
        let ballots: Box<[_]> = self.peers.iter().map(|peer| peer.view.ballot).collect();
        self.lose_office(reason);
        for (peer, ballot) in self.peers.iter_mut().zip(ballots) {
            peer.view.ballot = ballot;
        }
        self.become_leader(re_offer.epoch, re_offer.first, detection, lease_end);
    }
}
