//! What an elector does, and what waits for its disk.

use core::time::Duration;

use crate::describe::{StateSink, describe_incarnation, describe_node, describe_position, option, words};
use crate::durable::DurableState;
use crate::elector::{Elector, Role};
use crate::follower::{LeaderClaim, OfferInHand};
use crate::record::Storage;
use crate::saving::Purpose;
use crate::time::nanos;

impl Elector {
    pub(super) fn describe_role(&self, sink: &mut impl StateSink, role: &Role) {
        let own = self.me.get();
        match role {
            Role::Follower(follower) => {
                assert!(
                    self.state.durable.record().storage == Storage::Intact,
                    "the storage was not replaced"
                );
                sink.word(0);
                follower.describe(sink);
            }
            Role::Candidate(candidate) => {
                sink.word(1);
                candidate.describe(sink, own, self.config.members().indices());
            }
            Role::Leader(leader) => {
                sink.word(2);
                leader.describe(sink, own, &self.config);
            }
        }
    }

    /// Since when a save is under way only `explain` asks, and how long saves take only where the rank step was not set
    /// by hand. A gate's number is only compared with that of the gate under way.
    pub(super) fn describe_durable(&self, sink: &mut impl StateSink, durable: &DurableState) {
        option(sink, durable.saving().as_ref(), |sink, (record, exempt_epoch, purpose)| {
            option(sink, *record, |sink, record| self.describe_record(sink, record));
            option(sink, exempt_epoch.as_ref(), |sink, exempt| sink.word(exempt.number()));
            sink.word(u64::from(durable.is_stalled()));
            self.describe_purpose(sink, purpose);
        });
        option(sink, durable.next(), |sink, next| {
            let (purpose, record, floor, exempt_epoch) = next;
            self.describe_purpose(sink, purpose);
            option(sink, record.as_ref(), |sink, record| self.describe_record(sink, record));
            sink.word(floor.number());
            option(sink, exempt_epoch.as_ref(), |sink, exempt| sink.word(exempt.number()));
        });
        option(sink, durable.deferred(), |sink, deferred| {
            self.describe_accepting(sink, deferred, deferred.detection);
        });
        option(sink, durable.accepted_candidacy(), |sink, candidacy| {
            sink.word(candidacy.candidate.get() as u64);
            describe_incarnation(sink, candidacy.incarnation);
            sink.word(candidacy.epoch.number());
        });
        describe_position(sink, durable.fenced_position());
        option(sink, durable.exempt_epoch().as_ref(), |sink, exempt| sink.word(exempt.number()));
    }

    fn describe_purpose(&self, sink: &mut impl StateSink, purpose: &Purpose) {
        match purpose {
            Purpose::Speak => sink.word(0),
            Purpose::Stand(epoch) => words(sink, [1, epoch.number()]),
            Purpose::Accept(accepting) => {
                sink.word(2);
                self.describe_accepting(sink, accepting, self.config.promise_span(accepting.detection));
            }
            Purpose::Follow(claim) => {
                sink.word(3);
                self.describe_claim(sink, claim);
            }
            Purpose::ReOffer(epoch) => words(sink, [4, epoch.number()]),
            Purpose::Raise(epoch) => words(sink, [5, epoch.number()]),
            Purpose::Rebuild => sink.word(6),
            // What is saved is in the record.
            Purpose::Genesis(_) => sink.word(7),
            Purpose::CountAsReplaced { told_by, genesis } => {
                words(sink, [8, genesis.to_bits()]);
                describe_node(sink, self.config.members(), *told_by);
            }
        }
    }

    pub(super) fn describe_accepting(
        &self,
        sink: &mut impl StateSink,
        accepting: &OfferInHand,
        horizon: Duration,
    ) {
        let OfferInHand { candidate, epoch, nonce, received, detection } = *accepting;
        sink.word(epoch.number());
        sink.word(candidate.get() as u64);
        sink.nonce(candidate.get(), self.me.get(), nonce);
        sink.since(received, horizon);
        sink.word(nanos(detection));
    }

    pub(super) fn describe_claim(&self, sink: &mut impl StateSink, claim: &LeaderClaim) {
        // What it echoes proves for how long its leader led, to a replaced node alone.
        let LeaderClaim { leader, epoch, nonce, echoed: _, received, detection, binds_for } = *claim;
        words(sink, [leader.get() as u64, epoch.number()]);
        sink.nonce(leader.get(), self.me.get(), nonce);
        sink.since(received, binds_for);
        sink.word(nanos(detection));
    }
}
