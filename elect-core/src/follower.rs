//! What a follower keeps: whom it follows, and what it promised or is promising its vote to.

use core::time::Duration;

#[cfg(feature = "explore")]
use crate::describe::{StateSink, option, words};
use crate::epoch::Epoch;
use crate::members::MemberIndex;
use crate::nonce::{Incarnation, Nonce};
use crate::promise::Promise;
use crate::time::Time;
#[cfg(feature = "explore")]
use crate::time::nanos;

/// Neither leads nor campaigns. A promise exists here alone, and whoever is followed has it.
#[derive(Clone, Debug, Default)]
pub(crate) enum Follower {
    /// It is bound to nobody.
    #[default]
    Free,
    /// It accepts nobody but one node, which it does not follow, or does not follow any more.
    Promised(Promise),
    /// It follows a leader, to whom it has promised.
    Following(Followed, Promise),
}

/// Whom this node follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Followed {
    pub(crate) leader: MemberIndex,
    pub(crate) epoch: Epoch,
    /// Since when this leader has been followed without interruption, whatever its epochs were.
    pub(crate) since: Time,
    /// The newest own nonce that this leader's claims have echoed: it led later than that.
    pub(crate) proven: Time,
    /// The detection time that its newest claim carried.
    pub(crate) detection: Duration,
}

impl Follower {
    #[inline]
    pub(crate) const fn followed(&self) -> Option<&Followed> {
        match self {
            Self::Following(followed, _) => Some(followed),
            _ => None,
        }
    }

    #[inline]
    pub(crate) const fn promise(&self) -> Option<&Promise> {
        match self {
            Self::Promised(promise) | Self::Following(_, promise) => Some(promise),
            Self::Free => None,
        }
    }

    /// R13: promises, or promises on; returns until when.
    #[inline]
    pub(crate) fn give(&mut self, renewal: Promise) -> Time {
        let promise = match self {
            Self::Free => {
                *self = Self::Promised(renewal);
                return renewal.until;
            }
            Self::Promised(promise) | Self::Following(_, promise) => promise,
        };
        promise.renew(renewal);
        let promise = *promise;
        // R14: a promise to another node is nothing that one follows by.
        if self.followed().is_some_and(|followed| followed.leader != promise.to) {
            *self = Self::Promised(promise);
        }
        promise.until
    }

    /// R26: follows `claim`'s leader, to whom it promises. R14: any promise to another node is over.
    pub(crate) fn follow(&mut self, claim: &LeaderClaim) {
        let since = match self.followed() {
            Some(followed) if followed.leader == claim.leader => followed.since,
            _ => claim.received,
        };
        let mut promise = self.promise().copied().unwrap_or(claim.promise());
        promise.renew(claim.promise());
        let followed = Followed {
            leader: claim.leader,
            epoch: claim.epoch,
            since,
            proven: since.max(claim.echoed),
            detection: claim.detection,
        };
        *self = Self::Following(followed, promise);
    }

    /// The leader that this node follows led later than the own nonce that its claim echoes, and says which detection
    /// time is in use.
    #[inline]
    pub(crate) fn note_use(&mut self, claim: &LeaderClaim) {
        if let Self::Following(followed, _) = self {
            followed.proven = followed.proven.max(claim.echoed);
            followed.detection = claim.detection;
        }
    }

    /// Follows on whom it follows already: R13. Until when it promises then. What the claim proves only replaced storage
    /// asks, which takes no short way.
    #[inline]
    pub(crate) fn follow_on(&mut self, claim: &LeaderClaim) -> Option<Time> {
        let Self::Following(_, promise) = self else { return None };
        promise.renew(claim.promise());
        Some(promise.until)
    }

    /// Promises nobody anything any more, and so follows nobody.
    pub(crate) fn end_promise(&mut self) {
        *self = Self::Free;
    }

    /// Follows nobody any more; the promise goes on.
    pub(crate) fn unfollow(&mut self) -> Option<Followed> {
        let Self::Following(followed, promise) = *self else { return None };
        *self = Self::Promised(promise);
        Some(followed)
    }

    #[cfg(feature = "explore")]
    pub(crate) fn describe(&self, sink: &mut impl StateSink) {
        option(sink, self.followed(), |sink, followed| {
            // Since when, and how surely, only a replaced node asks.
            let Followed { leader, epoch, since: _, proven: _, detection } = followed;
            words(sink, [leader.get() as u64, epoch.number()]);
            sink.word(nanos(*detection));
        });
        option(sink, self.promise(), |sink, promise| promise.describe(sink));
    }
}

/// A leader's claim that has passed every check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaderClaim {
    pub(crate) leader: MemberIndex,
    pub(crate) epoch: Epoch,
    pub(crate) nonce: Nonce,
    /// Send time of the own nonce that it echoes.
    pub(crate) echoed: Time,
    pub(crate) received: Time,
    pub(crate) detection: Duration,
    /// How long it binds on this node's clock: D(1 + ρ).
    pub(crate) binds_for: Duration,
}

impl LeaderClaim {
    /// R12: what following promises, from receipt of the claim.
    #[inline]
    pub(crate) fn promise(&self) -> Promise {
        Promise {
            to: self.leader,
            epoch: self.epoch,
            life: Some(self.nonce.incarnation),
            until: self.received + self.binds_for,
            renewed_at: self.received,
        }
    }
}

/// An offer that this node is about to accept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfferInHand {
    pub(crate) candidate: MemberIndex,
    pub(crate) epoch: Epoch,
    pub(crate) nonce: Nonce,
    pub(crate) received: Time,
    pub(crate) detection: Duration,
}

impl OfferInHand {
    /// Whose offer it is, in which life, of which epoch.
    pub(crate) const fn candidacy(&self) -> Candidacy {
        Candidacy { candidate: self.candidate, incarnation: self.nonce.incarnation, epoch: self.epoch }
    }
}

/// One campaign of one life of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidacy {
    pub(crate) candidate: MemberIndex,
    pub(crate) incarnation: Incarnation,
    pub(crate) epoch: Epoch,
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: MemberIndex = MemberIndex::at(1);
    const C: MemberIndex = MemberIndex::at(2);

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn claim(leader: MemberIndex, epoch: u64, echoed: u64, received: u64, detection: u64) -> LeaderClaim {
        LeaderClaim {
            leader,
            epoch: Epoch::new(epoch),
            nonce: Nonce { incarnation: Incarnation { counter: 1, random: 1 }, sent: at(received) },
            echoed: at(echoed),
            received: at(received),
            detection: Duration::from_millis(detection),
            binds_for: Duration::from_millis(detection),
        }
    }

    fn following() -> Follower {
        let mut follower = Follower::Free;
        follower.follow(&claim(B, 1, 5, 10, 500));
        follower
    }

    #[test]
    fn a_promise_to_another_node_is_nothing_that_one_follows_by() {
        let mut follower = following();
        follower.give(claim(B, 2, 15, 20, 500).promise());
        assert!(follower.followed().is_some());
        assert_eq!(follower.give(claim(C, 3, 25, 30, 500).promise()), at(530));
        assert_eq!((follower.followed(), follower.promise().map(|promise| promise.to)), (None, Some(C)));
    }

    #[test]
    fn following_on_keeps_since_when_and_proves_by_the_newest_echo() {
        let mut follower = following();
        let found =
            |follower: &Follower| follower.followed().map(|found| (found.since, found.proven)).unwrap();
        assert_eq!(found(&follower), (at(10), at(10)), "what it echoed first was older");
        follower.follow(&claim(B, 2, 40, 50, 500));
        assert_eq!(found(&follower), (at(10), at(40)));
        assert_eq!(follower.promise().map(|promise| promise.until), Some(at(550)));
        follower.follow(&claim(C, 3, 55, 60, 500));
        assert_eq!(found(&follower), (at(60), at(60)), "another leader");
    }

    #[test]
    fn the_newest_claim_says_what_is_in_use() {
        let mut follower = following();
        follower.note_use(&claim(B, 1, 30, 40, 200));
        let found = *follower.followed().unwrap();
        assert_eq!((found.detection, found.proven), (Duration::from_millis(200), at(30)));
        follower.note_use(&claim(B, 1, 20, 50, 300));
        assert_eq!(follower.followed().unwrap().proven, at(30), "an earlier echo takes nothing away");
    }
}
