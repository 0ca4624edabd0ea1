//! Counting: election and lease are one computation.

use alloc::vec::Vec;
use core::time::Duration;

use crate::config::Config;
use crate::offer::Offer;
use crate::time::Time;

/// Scratch space for one count, so that counting allocates nothing.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    grants: Vec<Time>,
}

impl Tally {
    pub(crate) fn new(members: usize) -> Self {
        Self { grants: Vec::with_capacity(members) }
    }

    /// End of the lease that the ballots of an offer make, if this node's own vote counts from `now`.
    pub(crate) fn offer_lease_end(
        &mut self,
        config: &Config,
        offer: &Offer,
        detection: Duration,
        now: Time,
    ) -> Time {
        let own = now + config.lease_span(detection);
        let grants = config.voting_peers().map(|peer| offer.grant(peer));
        self.lease_end(config.members().quorum(), own, grants)
    }

    /// R21: end of the lease: the `quorum`-th largest grant, where `own` is the largest.
    ///
    /// `others` holds one grant per other voting member, [`Time::ZERO`] for none: a set keyed by member, so
    /// that a duplicate counts once.
    pub(crate) fn lease_end(&mut self, quorum: usize, own: Time, others: impl Iterator<Item = Time>) -> Time {
        let Some(needed) = quorum.checked_sub(2) else { return own };
        self.grants.clear();
        self.grants.extend(others);
        if needed >= self.grants.len() {
            return Time::ZERO;
        }
        let (_, end, _) = self.grants.select_nth_unstable_by(needed, |left, right| right.cmp(left));
        (*end).min(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_end_lookup_table() {
        let table: [(usize, u64, &[u64], u64); 9] = [
            (1, 100, &[], 100),
            (2, 100, &[40], 40),
            (2, 100, &[0, 70], 70),
            (2, 100, &[0, 0], 0),
            (3, 100, &[70, 0, 0, 60], 60),
            (3, 100, &[70, 80, 90, 60], 80),
            (3, 100, &[0, 0, 0, 60], 0),
            (3, 100, &[60], 0),
            (2, 50, &[70], 50),
        ];
        for (quorum, own, others, expected) in table {
            let end = Tally::new(8).lease_end(
                quorum,
                Time::from_nanos(own),
                others.iter().copied().map(Time::from_nanos),
            );
            assert_eq!(end, Time::from_nanos(expected), "quorum {quorum} of {others:?}");
        }
    }
}
