//! The gate: one record at a time on its way to the disk, and what waits for it.

use crate::birth::Birth;
use crate::duty::Duty;
use crate::elector::{Elector, Lifecycle};
use crate::epoch::Epoch;
use crate::event::{CampaignLost, StepDown, Stopped};
use crate::gate::{Gate, Gated, Raise, StorageFailed, Ticket};
use crate::genesis::told::SavedGenesis;
use crate::nonce::Incarnation;
use crate::record::{Holder, Record, Storage};
use crate::saving::Purpose;
use crate::start::StartRefused;
use crate::step::Step;
use crate::time::Time;
use crate::timers::Timer;

impl Elector {
    /// The gate that an earlier step handed out was committed, or its save failed.
    ///
    /// # Panics
    /// If `result` comes from another elector's gate.
    pub fn on_gated(&mut self, result: Result<Gated, StorageFailed>, now: Time) -> Step<'_> {
        self.begin_input(now);
        match result {
            Ok(gated) => self.finish_save(&gated),
            Err(failed) => self.fail_save(&failed),
        }
        self.end_input();
        Step::new(&mut self.out)
    }

    /// R48: a new incarnation is durable before its first frame; S6: the fence starts at the durable epoch.
    pub(super) fn save_incarnation(&mut self, above: Option<u32>) {
        let Some(counter) = self.state.durable.incarnation().counter.max(above.unwrap_or(0)).checked_add(1)
        else {
            self.stop(Self::storage_error(&"the incarnation counter is exhausted"));
            return;
        };
        let mut record = *self.state.durable.record();
        self.state.lives_taken += 1;
        record.incarnation = Incarnation { counter, random: self.draw_incarnation() };
        // A replacement that begins above the lost counter has had no life before that counts.
        if record.first_life == 0 || above.is_some() {
            record.first_life = counter;
        }
        record.detection_max = record.detection_max.max(self.config.detection().ceiling());
        self.save(Purpose::Speak, Some(record), record.epoch, self.state.durable.exempt_epoch());
    }

    #[expect(clippy::cast_possible_truncation, reason = "any 32 bits of a random number will do")]
    fn draw_incarnation(&mut self) -> u32 {
        self.state.random.next() as u32
    }

    /// The record after an adoption. R15: the longest promise it speaks for never falls while the promise stays
    /// with the same node, since a promise given under an older configuration may still run. R45: while the storage
    /// is marked as replaced it never falls at all.
    pub(super) fn next_record(&self, epoch: Epoch, holder: Holder) -> Record {
        let ceiling = self.config.detection().ceiling();
        let same_holder = self.state.durable.record().holder.is_some_and(|old| old.node == holder.node);
        let keeps_word = same_holder || epoch == self.state.durable.epoch() || self.is_replaced();
        // What a life began by saving is no shorter than its own maximum.
        let detection_max = if keeps_word { self.state.durable.record().detection_max } else { ceiling };
        Record { epoch, holder: Some(holder), detection_max, ..*self.state.durable.record() }
    }

    /// R8: hands out a gate; what `purpose` names waits for it. One gate at a time.
    pub(super) fn save(
        &mut self,
        purpose: Purpose,
        record: Option<Record>,
        floor: Epoch,
        exempt_epoch: Option<Epoch>,
    ) {
        assert!(floor >= self.state.durable.epoch(), "S3: the durable epoch never falls");
        // R59: whatever is saved goes on as if no genesis were, and reaches the disk right behind it.
        let save = (purpose, record, floor, exempt_epoch);
        let Some(number) = self.state.durable.begin(&save, self.state.now) else { return };
        let ticket = Ticket { elector: self.authority.clone(), number };
        self.out.hand_out_gate(Gate { ticket, record, raise: Raise::new(floor, exempt_epoch) });
        self.state
            .timers
            .set(Timer::Save, self.state.now + self.config.promise_span(self.detection_in_use()));
    }

    /// R43: a save that takes longer than D counts as stalled: office is lost, a campaign is given up.
    pub(super) fn on_save_stalled(&mut self) {
        if self.state.durable.stall() {
            self.withdraw_campaign(CampaignLost::SaveStalled);
            // R64: in a pause it is only told, and costs office when that ends.
            if self.state.pause.is_active() {
                self.broadcast();
            } else {
                self.lose_office_to_successor(StepDown::SaveStalled);
            }
        }
    }

    fn check_ticket(&self, ticket: &Ticket) {
        assert!(
            ticket.elector == self.authority,
            "a gate of another elector was handed to {}",
            self.config.node()
        );
    }

    /// R44: nobody knows what the disk holds now.
    fn fail_save(&mut self, failed: &StorageFailed) {
        self.check_ticket(&failed.ticket);
        if self.state.durable.fail(failed.ticket.number) {
            self.stop(Self::storage_error(failed));
        }
    }

    fn finish_save(&mut self, gated: &Gated) {
        self.check_ticket(&gated.ticket);
        let finished = self.state.durable.finish(gated.ticket.number, gated.position, self.state.now);
        let Some(purpose) = finished else { return };
        self.state.timers.clear(Timer::Save);
        if let Purpose::Genesis(genesis) = purpose {
            return self.finish_genesis(genesis);
        }
        // What the host has reported is newer than what was pulled at the commit.
        self.note_position(self.state.position.or(self.reported_position()));
        self.carry_out(purpose);
        if let Some(accepting) = self.state.durable.take_deferred()
            && accepting.epoch > self.state.peers.pair(accepting.candidate).ended()
            && self.state.now <= accepting.received + accepting.detection
        {
            self.consider_offer(accepting);
        }
    }

    fn finish_genesis(&mut self, genesis: SavedGenesis) {
        self.on_genesis_saved(genesis);
        if let Some((purpose, record, floor, exempt_epoch)) = self.state.durable.take_next() {
            self.save(purpose, record, floor, exempt_epoch);
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
            // It has been carried out already.
            Purpose::Genesis(_) => {}
            Purpose::CountAsReplaced { told_by, genesis } => self.on_counted_as_replaced(told_by, genesis),
        }
    }

    /// R60: the life begins with what its disk says now: the fence has let nothing pass before.
    fn speak(&mut self) {
        let (position, epoch) = (self.reported_position(), self.state.durable.epoch());
        if let Err(StartRefused::LogAhead { position, epoch }) =
            self.state.durable.record().check_log(position)
        {
            return self.stop(Stopped::EntriesAhead { position, epoch });
        }
        let (first_life, log) = (self.state.durable.record().first_life, self.config.log_sync());
        let detection_min = self.config.detection_min();
        self.state.this_life.begin(Birth { first_life, epoch, position, log, detection_min });
        self.state.peers.tell_again(Time::ZERO);
        self.state.lifecycle = Lifecycle::Running;
        self.broadcast();
    }

    /// R45: a replaced node gets its vote back.
    pub(super) fn save_rebuilt(&mut self) {
        let record = Record { storage: Storage::Intact, ..*self.state.durable.record() };
        self.save(
            Purpose::Rebuild,
            Some(record),
            self.state.durable.epoch(),
            self.state.durable.exempt_epoch(),
        );
    }
}
