//! The gate: one record at a time on its way to the disk, and what waits for it.

use crate::birth::{Birth, Telling};
use crate::duty::Duty;
use crate::elector::{Elector, Life};
use crate::epoch::Epoch;
use crate::event::{RoundLost, StepDown, Stopped};
use crate::gate::{Gate, Gated, Raise, StorageFailed, Ticket};
use crate::members::MemberIndex;
use crate::nonce::Incarnation;
use crate::record::{Holder, Record, Storage};
use crate::saving::{DeferredOffer, Purpose, Saving};
use crate::step::Step;
use crate::time::Time;
use crate::timers::Timer;

impl Elector {
    /// The gate that an earlier step handed out was committed, or its save failed.
    ///
    /// # Panics
    /// If `result` comes from another elector's gate.
    pub fn on_gated(&mut self, result: Result<Gated, StorageFailed>, now: Time) -> Step<'_> {
        self.begin(now);
        match result {
            Ok(gated) => self.finish_save(&gated),
            Err(failed) => self.fail_save(&failed),
        }
        self.settle();
        Step::new(&mut self.out)
    }

    /// R48: a new incarnation is durable before its first frame; S6: the fence starts at the durable epoch.
    pub(super) fn save_incarnation(&mut self, above: Option<u32>) {
        let Some(counter) = self.record.incarnation.counter.max(above.unwrap_or(0)).checked_add(1) else {
            self.stop(Self::storage_error(&"the incarnation counter is exhausted"));
            return;
        };
        let mut record = self.record;
        self.lives_taken += 1;
        record.incarnation = Incarnation { counter, random: self.draw_incarnation() };
        // A replacement that begins above the lost counter has had no life before that counts.
        if record.first_life == 0 || above.is_some() {
            record.first_life = counter;
        }
        record.detection_max = record.detection_max.max(self.config.detection().ceiling());
        self.save(Purpose::Speak, Some(record), record.epoch, self.kept);
    }

    #[expect(clippy::cast_possible_truncation, reason = "any 32 bits of a random number will do")]
    fn draw_incarnation(&mut self) -> u32 {
        self.random.next() as u32
    }

    /// The record after an adoption. R15: the longest promise it speaks for never falls while the word stays
    /// with the same node, since a promise given under an older configuration may still run. R45: while the storage
    /// is marked as replaced it never falls at all.
    pub(super) fn next_record(&self, epoch: Epoch, holder: Holder) -> Record {
        let ceiling = self.config.detection().ceiling();
        let same_holder = self.record.holder.is_some_and(|old| old.node == holder.node);
        let keeps_word = same_holder || epoch == self.record.epoch || self.is_replaced();
        let detection_max = if keeps_word { self.record.detection_max.max(ceiling) } else { ceiling };
        Record { epoch, holder: Some(holder), detection_max, ..self.record }
    }

    /// R8: hands out a gate; what `purpose` names waits for it. One gate at a time.
    pub(super) fn save(
        &mut self,
        purpose: Purpose,
        record: Option<Record>,
        floor: Epoch,
        kept: Option<Epoch>,
    ) {
        assert!(self.saving.is_none(), "one gate at a time");
        assert!(floor >= self.record.epoch, "S3: the durable epoch never falls");
        self.gates += 1;
        let ticket = Ticket { elector: self.authority.clone(), number: self.gates };
        self.out.hand_out_gate(Gate { ticket: ticket.clone(), record, raise: Raise::new(floor, kept) });
        self.saving = Some(Saving { ticket, record, kept, purpose, since: self.now, stalled: false });
        self.timers.set(Timer::Save, self.now + self.config.promise_span(self.detection_in_use()));
    }

    /// Whether a claim or an offer of this leader is being saved.
    pub(super) fn is_saving_for(&self, leader: MemberIndex) -> bool {
        self.saving.as_ref().is_some_and(|saving| match saving.purpose {
            Purpose::Follow(claim) => claim.leader == leader,
            Purpose::Accept(accepting) => accepting.candidate == leader,
            _ => false,
        })
    }

    pub(super) fn saving_is(&self, gate: Option<&Gate>) -> bool {
        match (gate, &self.saving) {
            (Some(gate), Some(saving)) => gate.ticket == saving.ticket,
            (None, _) => true,
            (Some(_), None) => false,
        }
    }

    /// R43: a save that takes longer than D counts as stalled: office is lost, a round is given up.
    pub(super) fn on_save_stalled(&mut self) {
        if let Some(saving) = &mut self.saving {
            saving.stalled = true;
            self.withdraw_round(RoundLost::SaveStalled);
            // R64: in a freeze it is only told, and costs office when that ends.
            if self.freeze.is_active() {
                self.broadcast();
            } else {
                self.lose_office_to_successor(StepDown::SaveStalled);
            }
        }
    }

    fn take_saving(&mut self, ticket: &Ticket) -> Option<Saving> {
        assert!(
            ticket.elector == self.authority,
            "a gate of another elector was handed to {}",
            self.config.node()
        );
        if self.saving.as_ref()?.ticket != *ticket {
            return None;
        }
        self.timers.clear(Timer::Save);
        self.saving.take()
    }

    /// R44: nobody knows what the disk holds now.
    fn fail_save(&mut self, failed: &StorageFailed) {
        if self.take_saving(&failed.ticket).is_some() {
            self.stop(Self::storage_error(failed));
        }
    }

    fn finish_save(&mut self, gated: &Gated) {
        let Some(saving) = self.take_saving(&gated.ticket) else { return };
        self.save_time.note(self.now.since(saving.since));
        if let Some(record) = saving.record {
            self.record = record;
        }
        self.kept = saving.kept;
        self.pulled = gated.position;
        self.answered = None;
        // What the host has reported is newer than what was pulled at the commit.
        self.note_position(self.position.or(self.reported_position()));
        self.carry_out(saving.purpose);
        if self.saving.is_none()
            && let Some(DeferredOffer(accepting)) = self.deferred.take()
            && accepting.epoch > self.peers[accepting.candidate.get()].pair.ended()
            && self.now <= accepting.received + accepting.detection
        {
            self.consider_offer(accepting);
        }
    }

    fn carry_out(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Speak => self.speak(),
            Purpose::Stand(epoch) => self.on_own_vote_saved(epoch),
            Purpose::Accept(accepting) => self.accept(accepting),
            Purpose::Follow(claim) => self.become_following(claim),
            Purpose::ReOffer(epoch) => self.on_re_offer_saved(epoch),
            Purpose::Raise(epoch) => self.on_floor_raised(epoch),
            Purpose::Rebuild => self.out.act(Duty::Rebuilt),
        }
    }

    /// R60: the life begins with what its disk says now: the fence has let nothing pass before.
    fn speak(&mut self) {
        let (position, epoch) = (self.reported_position(), self.record.epoch);
        if let Some(position) = position.filter(|position| position.epoch > epoch && !self.is_replaced()) {
            return self.stop(Stopped::EntriesAhead { position, epoch });
        }
        let (first_life, log) = (self.record.first_life, self.config.log_sync());
        self.this_life.begin(Birth { first_life, epoch, position, log });
        for peer in &mut self.peers {
            peer.pair.telling = Telling::default();
        }
        if self.life == Life::Starting {
            self.life = Life::Running;
        }
        self.broadcast();
    }

    /// R45: a replaced node gets its vote back.
    pub(super) fn save_rebuilt(&mut self) {
        let record = Record { storage: Storage::Intact, ..self.record };
        self.save(Purpose::Rebuild, Some(record), self.record.epoch, self.kept);
    }
}
