//! What an elector does, and what waits for its disk.

use core::time::Duration;

use crate::describe::{StateSink, describe_incarnation, describe_node, describe_position, option, words};
use crate::durable::DurableState;
use crate::elector::{Elector, Role};
use crate::follower::{Accepting, Claim};
use crate::leader::Leader;
use crate::record::Storage;
use crate::saving::Purpose;
use crate::time::nanos;

impl Elector {
    pub(super) fn describe_role(&self, sink: &mut impl StateSink, role: &Role) {
        let own = self.me.get();
        match role {
            Role::Follower(follower) => {
                sink.word(0);
                option(sink, follower.followed.as_ref(), |sink, followed| {
                    // Since when, and how surely, only a replaced node asks.
                    assert!(self.durable.record().storage == Storage::Intact, "the storage was not replaced");
                    words(sink, [followed.leader.get() as u64, followed.epoch.number()]);
                    sink.word(nanos(followed.detection));
                });
            }
            Role::Candidate(candidate) => {
                sink.word(1);
                sink.word(candidate.epoch.number());
                sink.floor(own, candidate.first);
                sink.word(nanos(candidate.detection));
                sink.word(u64::from(candidate.saved));
                for member in self.config.members().indices() {
                    sink.word(u64::from(candidate.refusals.holds(member)));
                }
            }
            Role::Leader(leader) => {
                sink.word(2);
                self.describe_leader(sink, leader);
            }
        }
    }

    pub(super) fn describe_leader(&self, sink: &mut impl StateSink, leader: &Leader) {
        let Leader {
            epoch,
            first,
            lease_end,
            // Both follow a detection time that changes.
            detection: _,
            detector: _,
            way,
            source,
            re_offer,
            wants_epoch,
            wants_positions,
            handover,
            positions,
        } = leader;
        let own = self.me.get();
        sink.word(epoch.number());
        sink.floor(own, *first);
        sink.until(*lease_end);
        sink.word(*way as u64);
        option(sink, source.as_ref(), |sink, source| {
            describe_node(sink, self.config.members(), source.peer);
            describe_position(sink, Some(source.position));
        });
        option(sink, re_offer.as_ref(), |sink, re_offer| {
            sink.word(re_offer.epoch.number());
            sink.floor(own, re_offer.first);
            sink.word(u64::from(re_offer.saved));
        });
        sink.word(u64::from(*wants_epoch));
        sink.word(u64::from(*wants_positions));
        option(sink, handover.as_ref(), |sink, handover| {
            sink.word(handover.target.get() as u64);
            words(sink, [u64::from(handover.drained), handover.cause as u64]);
        });
        for position in positions {
            describe_position(sink, *position);
        }
    }

    /// Since when a save is under way only `explain` asks, and how long saves take only where the rank step was not set by
    /// hand. A gate's number is only compared with that of the gate under way.
    pub(super) fn describe_durable(&self, sink: &mut impl StateSink, durable: &DurableState) {
        option(sink, durable.saving().as_ref(), |sink, (record, exempt_epoch, purpose)| {
            option(sink, *record, |sink, record| self.describe_record(sink, record));
            option(sink, exempt_epoch.as_ref(), |sink, exempt| sink.word(exempt.number()));
            sink.word(u64::from(durable.is_stalled()));
            self.describe_purpose(sink, purpose);
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
        }
    }

    pub(super) fn describe_accepting(
        &self,
        sink: &mut impl StateSink,
        accepting: &Accepting,
        horizon: Duration,
    ) {
        let Accepting { candidate, epoch, nonce, received, detection } = *accepting;
        sink.word(epoch.number());
        sink.word(candidate.get() as u64);
        sink.nonce(candidate.get(), self.me.get(), nonce);
        sink.since(received, horizon);
        sink.word(nanos(detection));
    }

    pub(super) fn describe_claim(&self, sink: &mut impl StateSink, claim: &Claim) {
        // What it echoes proves for how long its leader led, to a replaced node alone.
        let Claim { leader, epoch, nonce, echoed: _, received, detection, binds_for } = *claim;
        words(sink, [leader.get() as u64, epoch.number()]);
        sink.nonce(leader.get(), self.me.get(), nonce);
        sink.since(received, binds_for);
        sink.word(nanos(detection));
    }
}
