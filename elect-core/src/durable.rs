//! What is on the disk, what is on its way there, and what waits for it.

use crate::epoch::{Epoch, Position};
use crate::follower::{Candidacy, OfferInHand};
use crate::genesis::told::SavedGenesis;
use crate::members::MemberIndex;
use crate::nonce::Incarnation;
use crate::pace::SaveTime;
use crate::record::Record;
use crate::saving::Purpose;
use crate::time::Time;

/// The record, the fence as the last gate left it, and the save under way.
#[derive(Clone, Debug)]
pub(crate) struct DurableState {
    /// What is durable. A save in progress is not in here yet.
    record: Record,
    saving: Option<Saving>,
    /// How many gates there were.
    gates: u64,
    /// An offer that came while an earlier record was being saved.
    deferred: Option<OfferInHand>,
    /// The candidacy that was accepted last, after the last gate.
    accepted_candidacy: Option<Candidacy>,
    /// The position that the last gate pulled after its raise.
    fenced_position: Option<Position>,
    /// The epoch below the fence's floor whose stamps still pass.
    exempt_epoch: Option<Epoch>,
    save_time: SaveTime,
    /// What is saved as soon as the genesis under way is durable: nothing waits for that but the disk (R59).
    next: Option<Save>,
}

/// What a save is for, what it saves, the floor that it raises, and whose stamps pass below that.
pub(crate) type Save = (Purpose, Option<Record>, Epoch, Option<Epoch>);

/// A gate that is under way.
#[derive(Clone, Debug)]
struct Saving {
    number: u64,
    record: Option<Record>,
    exempt_epoch: Option<Epoch>,
    purpose: Purpose,
    since: Time,
    /// It takes longer than D (R43).
    is_stalled: bool,
}

impl Saving {
    const fn is_genesis(&self) -> bool {
        matches!(self.purpose, Purpose::Genesis(_))
    }
}

impl DurableState {
    pub(crate) fn new(record: Record) -> Self {
        Self {
            record,
            saving: None,
            gates: 0,
            deferred: None,
            accepted_candidacy: None,
            fenced_position: None,
            exempt_epoch: None,
            save_time: SaveTime::default(),
            next: None,
        }
    }

    #[inline]
    pub(crate) const fn record(&self) -> &Record {
        &self.record
    }

    #[inline]
    pub(crate) const fn epoch(&self) -> Epoch {
        self.record.epoch
    }

    #[inline]
    pub(crate) const fn incarnation(&self) -> Incarnation {
        self.record.incarnation
    }

    /// Which history of the group the storage belongs to.
    #[inline]
    pub(crate) const fn genesis(&self) -> Option<SavedGenesis> {
        self.record.genesis
    }

    /// Whether a gate is under way, whatever it saves.
    #[inline]
    pub(crate) const fn is_busy(&self) -> bool {
        self.saving.is_some()
    }

    /// Whether something is on its way to the disk that others wait for: anything but a genesis (R59).
    #[inline]
    pub(crate) fn is_saving(&self) -> bool {
        self.saving.as_ref().is_some_and(|saving| self.next.is_some() || !saving.is_genesis())
    }

    pub(crate) fn saving_since(&self) -> Option<Time> {
        self.saving.as_ref().filter(|_| self.is_saving()).map(|saving| saving.since)
    }

    /// Whether a claim or an offer of this leader is being saved.
    pub(crate) fn is_saving_for(&self, leader: MemberIndex) -> bool {
        let Some(saving) = &self.saving else { return false };
        match self.next.map_or(saving.purpose, |(purpose, ..)| purpose) {
            Purpose::Follow(claim) => claim.leader == leader,
            Purpose::Accept(accepting) => accepting.candidate == leader,
            _ => false,
        }
    }

    /// R43: whether the save under way takes longer than D.
    #[inline]
    pub(crate) fn is_stalled(&self) -> bool {
        self.saving.as_ref().is_some_and(|saving| saving.is_stalled)
    }

    /// R8: a gate is handed out, one at a time; returns its number. `None` if it waits for a genesis that is under way.
    pub(crate) fn begin(&mut self, save: &Save, now: Time) -> Option<u64> {
        assert!(!self.is_saving(), "one gate at a time");
        if self.is_busy() {
            self.next = Some(*save);
            return None;
        }
        let (purpose, record, _, exempt_epoch) = *save;
        self.gates += 1;
        let number = self.gates;
        self.saving = Some(Saving { number, record, exempt_epoch, purpose, since: now, is_stalled: false });
        Some(number)
    }

    /// R59: what waited for the genesis that has become durable.
    pub(crate) fn take_next(&mut self) -> Option<Save> {
        let (purpose, mut record, floor, exempt_epoch) = self.next.take()?;
        // Storage that counts as replaced begins without.
        if !matches!(purpose, Purpose::CountAsReplaced { .. })
            && let Some(record) = &mut record
        {
            record.genesis = self.record.genesis;
        }
        Some((purpose, record, floor, exempt_epoch))
    }

    /// The save under way takes longer than D; `false` if there is none.
    pub(crate) fn stall(&mut self) -> bool {
        match &mut self.saving {
            Some(saving) => {
                saving.is_stalled = true;
                true
            }
            None => false,
        }
    }

    /// The gate of this number was committed, and pulled this position; returns what waited for it, or `None` if that
    /// gate is not the one under way.
    pub(crate) fn finish(&mut self, number: u64, position: Option<Position>, now: Time) -> Option<Purpose> {
        let saving = self.take(number)?;
        self.save_time.note(now.since(saving.since));
        if let Some(record) = saving.record {
            self.record = record;
        }
        // R59: a genesis leaves the fence where it stood, and what was pulled and answered before still holds.
        if !saving.is_genesis() {
            self.exempt_epoch = saving.exempt_epoch;
            self.fenced_position = position;
            self.accepted_candidacy = None;
        }
        Some(saving.purpose)
    }

    /// The gate of this number failed: whether it is the one under way.
    pub(crate) fn fail(&mut self, number: u64) -> bool {
        self.take(number).is_some()
    }

    fn take(&mut self, number: u64) -> Option<Saving> {
        self.saving.take_if(|saving| saving.number == number)
    }

    /// Nothing waits for the disk any more.
    pub(crate) fn stop(&mut self) {
        self.saving = None;
        self.next = None;
        self.deferred = None;
    }

    /// An offer that came while a record is being saved waits for it; of two, the higher.
    pub(crate) fn defer(&mut self, accepting: OfferInHand) {
        if self.deferred.is_none_or(|deferred| deferred.epoch <= accepting.epoch) {
            self.deferred = Some(accepting);
        }
    }

    /// The offer that waited for the save that is over.
    pub(crate) fn take_deferred(&mut self) -> Option<OfferInHand> {
        self.deferred.take()
    }

    pub(crate) const fn deferred(&self) -> Option<&OfferInHand> {
        self.deferred.as_ref()
    }

    /// R9: this candidacy was accepted, with the position that the last gate pulled.
    pub(crate) fn note_accepted(&mut self, candidacy: Candidacy) {
        self.accepted_candidacy = Some(candidacy);
    }

    pub(crate) fn has_accepted(&self, candidacy: Candidacy) -> bool {
        self.accepted_candidacy == Some(candidacy)
    }

    /// The position that the last gate pulled after its raise.
    pub(crate) const fn fenced_position(&self) -> Option<Position> {
        self.fenced_position
    }

    /// R28: the epoch below the fence's floor whose stamps still pass.
    pub(crate) const fn exempt_epoch(&self) -> Option<Epoch> {
        self.exempt_epoch
    }

    pub(crate) const fn save_time(&self) -> SaveTime {
        self.save_time
    }

    /// Whether the gate under way is the one of this number.
    pub(crate) fn is_gate(&self, number: u64) -> bool {
        self.saving.as_ref().is_some_and(|saving| saving.number == number)
    }
}

#[cfg(feature = "explore")]
impl DurableState {
    pub(crate) const fn accepted_candidacy(&self) -> Option<&Candidacy> {
        self.accepted_candidacy.as_ref()
    }

    /// The save under way: its record, whose stamps pass meanwhile, and what waits for it.
    pub(crate) fn saving(&self) -> Option<(Option<&Record>, Option<Epoch>, &Purpose)> {
        let saving = self.saving.as_ref()?;
        Some((saving.record.as_ref(), saving.exempt_epoch, &saving.purpose))
    }

    pub(crate) const fn next(&self) -> Option<&Save> {
        self.next.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::follower::LeaderClaim;
    use crate::genesis::told::Genesis;
    use crate::name::{ClusterId, NodeId};
    use crate::nonce::Nonce;

    const PEER: MemberIndex = MemberIndex::at(1);
    const OTHER: MemberIndex = MemberIndex::at(2);
    const EPOCH: Epoch = Epoch::new(4);

    fn state() -> DurableState {
        let [a, b, c] = ["a", "b", "c"].map(|name| NodeId::new(name).unwrap());
        let config = Config::builder(ClusterId::new("disk").unwrap(), a).voters([a, b, c]).build().unwrap();
        DurableState::new(Record::first_boot(&config))
    }

    fn genesis() -> SavedGenesis {
        SavedGenesis { genesis: Genesis::from_bits(7), epoch: EPOCH, is_final: false }
    }

    fn save(purpose: Purpose, record: Option<Record>) -> Save {
        (purpose, record, EPOCH, None)
    }

    fn offer_of(candidate: MemberIndex) -> OfferInHand {
        let detection = core::time::Duration::from_millis(500);
        OfferInHand { candidate, epoch: EPOCH, nonce: Nonce::default(), received: Time::ZERO, detection }
    }

    /// An offer that waited behind the save of a node that stopped was still there, without a save to wait for.
    #[test]
    fn r44_nothing_waits_for_a_disk_that_is_through() {
        let mut durable = state();
        durable.begin(&save(Purpose::Genesis(genesis()), None), Time::ZERO).unwrap();
        assert!(durable.begin(&save(Purpose::Accept(offer_of(PEER)), None), Time::ZERO).is_none());
        durable.defer(offer_of(OTHER));
        durable.stop();
        assert!(durable.deferred().is_none() && durable.take_next().is_none() && !durable.is_busy());
    }

    #[test]
    fn what_waits_behind_a_genesis_is_being_saved() {
        let mut durable = state();
        let first = durable.begin(&save(Purpose::Genesis(genesis()), None), Time::ZERO).unwrap();
        assert!(durable.is_busy() && !durable.is_saving());
        let accept = save(Purpose::Accept(offer_of(PEER)), None);
        assert_eq!(durable.begin(&accept, Time::ZERO), None, "it waits");
        assert!(durable.is_saving() && durable.is_saving_for(PEER) && !durable.is_saving_for(OTHER));
        assert!(durable.finish(first, None, Time::ZERO).is_some());
        assert!(durable.take_next().is_some() && durable.take_next().is_none());
    }

    #[test]
    fn what_is_saved_is_for_one_leader_or_for_none() {
        let nonce = Nonce::default();
        let claim = LeaderClaim {
            leader: PEER,
            epoch: EPOCH,
            nonce,
            echoed: Time::ZERO,
            received: Time::ZERO,
            detection: core::time::Duration::from_millis(500),
            binds_for: core::time::Duration::from_millis(505),
        };
        let mut durable = state();
        assert!(!durable.is_saving_for(PEER));
        durable.begin(&save(Purpose::Follow(claim), None), Time::ZERO).unwrap();
        assert!(durable.is_saving_for(PEER) && !durable.is_saving_for(OTHER));
        for purpose in [Purpose::Stand(EPOCH), Purpose::Genesis(genesis())] {
            let mut durable = state();
            durable.begin(&save(purpose, None), Time::ZERO).unwrap();
            assert!(!durable.is_saving_for(PEER), "{purpose:?}");
        }
    }

    #[test]
    fn a_gate_is_no_other_gate() {
        let mut durable = state();
        let first = durable.begin(&save(Purpose::Stand(EPOCH), None), Time::ZERO).unwrap();
        assert!(durable.finish(first, None, Time::ZERO).is_some());
        let second = durable.begin(&save(Purpose::Stand(EPOCH), None), Time::ZERO).unwrap();
        assert!(durable.finish(first, None, Time::ZERO).is_none() && !durable.fail(first));
        assert!(durable.is_gate(second) && !durable.is_gate(first));
        assert!(durable.fail(second) && !durable.is_busy());
    }

    #[test]
    fn a_genesis_leaves_the_fence_and_what_was_accepted() {
        let mut durable = state();
        let position = Some(Position::new(EPOCH, 3));
        let (purpose, candidacy) = (Purpose::Accept(offer_of(PEER)), offer_of(PEER).candidacy());
        let gate = durable.begin(&(purpose, None, EPOCH, Some(EPOCH)), Time::ZERO).unwrap();
        durable.finish(gate, position, Time::ZERO);
        durable.note_accepted(candidacy);
        let gate = durable.begin(&save(Purpose::Genesis(genesis()), None), Time::ZERO).unwrap();
        durable.finish(gate, None, Time::ZERO);
        assert!(durable.has_accepted(candidacy));
        assert_eq!((durable.fenced_position(), durable.exempt_epoch()), (position, Some(EPOCH)));
    }

    #[test]
    fn storage_that_counts_as_replaced_takes_no_genesis_along() {
        for keeps in [true, false] {
            let mut durable = state();
            let held = Record { genesis: Some(genesis()), ..*durable.record() };
            let gate = durable.begin(&save(Purpose::Genesis(genesis()), Some(held)), Time::ZERO).unwrap();
            let told_by = NodeId::new("b").unwrap();
            let replaced = Purpose::CountAsReplaced { told_by, genesis: Genesis::from_bits(9) };
            let purpose = if keeps { Purpose::Stand(EPOCH) } else { replaced };
            let record = *durable.record();
            durable.begin(&save(purpose, Some(record)), Time::ZERO);
            durable.finish(gate, None, Time::ZERO);
            let (_, record, ..) = durable.take_next().unwrap();
            assert_eq!(record.unwrap().genesis.is_some(), keeps);
        }
    }
}
