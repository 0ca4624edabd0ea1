//! An offer that is open: a candidate's, or a leader's re-offer.

use alloc::boxed::Box;
use alloc::vec;

#[cfg(feature = "explore")]
use crate::describe::{StateSink, describe_position, option, words};
use crate::epoch::{Epoch, Position};
use crate::genesis::told::Genesis;
use crate::members::MemberIndex;
use crate::time::Time;

/// Asks for the votes of one epoch, and counts them.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    epoch: Epoch,
    /// Its first nonce: an accept that echoes an earlier one answers something else.
    first: Time,
    /// The own vote is durable.
    is_saved: bool,
    /// One slot a member, so that a duplicate counts once.
    ballots: Box<[Option<Ballot>]>,
}

/// An accept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ballot {
    /// Until when it would carry a lease.
    pub(crate) grant: Time,
    pub(crate) position: Option<Position>,
    /// The voter's genesis, after the epoch under which that was saved.
    pub(crate) genesis: Option<(Epoch, Genesis)>,
}

impl Offer {
    /// Of `epoch`, to a group of so many members; its frames bear nonces from `first` on.
    pub(crate) fn new(epoch: Epoch, first: Time, members: usize) -> Self {
        Self { epoch, first, is_saved: false, ballots: vec![None; members].into_boxed_slice() }
    }

    #[inline]
    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    #[inline]
    pub(crate) const fn first(&self) -> Time {
        self.first
    }

    /// R20: whether an accept of `epoch` that echoes the nonce of `sent` answers this very offer.
    pub(crate) fn is_answered_by(&self, epoch: Epoch, sent: Time) -> bool {
        epoch == self.epoch && sent >= self.first
    }

    /// The own vote of `epoch` is durable: whether that is this offer's.
    pub(crate) fn note_saved(&mut self, epoch: Epoch) -> bool {
        let is_own = epoch == self.epoch;
        self.is_saved |= is_own;
        is_own
    }

    /// R8: whether the own vote is durable, so that the offer may be won.
    pub(crate) const fn is_saved(&self) -> bool {
        self.is_saved
    }

    /// Nothing, where the voter is left out (R65). A voter's later accept of the same offer renews its grant; its
    /// position stays the first one's, which was pulled when its fence was raised.
    pub(crate) fn note_ballot(&mut self, voter: MemberIndex, ballot: Option<Ballot>) {
        let Some(ballot) = ballot else { return };
        let slot = &mut self.ballots[voter.get()];
        *slot = Some(match *slot {
            Some(earlier) => Ballot {
                grant: earlier.grant.max(ballot.grant),
                position: earlier.position.max(ballot.position),
                genesis: earlier.genesis.max(ballot.genesis),
            },
            None => ballot,
        });
    }

    pub(crate) fn ballot(&self, voter: MemberIndex) -> Option<Ballot> {
        self.ballots[voter.get()]
    }

    /// The geneses of the voters that accepted, each after the epoch under which it was saved.
    pub(crate) fn geneses(&self) -> impl Iterator<Item = (Epoch, Genesis)> + '_ {
        self.ballots.iter().filter_map(|ballot| ballot.as_ref()?.genesis)
    }

    /// What a member's accept grants; zero without one.
    pub(crate) fn grant(&self, voter: MemberIndex) -> Time {
        self.ballot(voter).map_or(Time::ZERO, |ballot| ballot.grant)
    }

    /// The same of all members, in their order.
    pub(crate) fn grants(&self) -> impl Iterator<Item = Time> + '_ {
        self.ballots.iter().map(|ballot| ballot.map_or(Time::ZERO, |ballot| ballot.grant))
    }
}

#[cfg(feature = "explore")]
impl Offer {
    /// Of member `own`.
    pub(crate) fn describe(&self, sink: &mut impl StateSink, own: usize) {
        let Self { epoch, first, is_saved, ballots } = self;
        sink.word(epoch.number());
        sink.floor(own, *first);
        sink.word(u64::from(*is_saved));
        for ballot in ballots {
            option(sink, ballot.as_ref(), |sink, ballot| {
                sink.until(ballot.grant);
                describe_position(sink, ballot.position);
                option(sink, ballot.genesis.as_ref(), |sink, (epoch, genesis)| {
                    words(sink, [epoch.number(), genesis.to_bits()]);
                });
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_accepts_of_one_voter_the_best_of_each_counts() {
        let (voter, epoch, at) = (MemberIndex::at(1), Epoch::new, Time::from_nanos);
        let ballot = |grant, offset, saved, bits| Ballot {
            grant: at(grant),
            position: Some(Position::new(epoch(3), offset)),
            genesis: Some((epoch(saved), Genesis::from_bits(bits))),
        };
        for turned in [false, true] {
            let mut offer = Offer::new(epoch(4), at(1), 3);
            let mut accepts = [ballot(9, 2, 3, 7), ballot(5, 8, 1, 9)];
            if turned {
                accepts.reverse();
            }
            for accept in accepts {
                offer.note_ballot(voter, Some(accept));
            }
            offer.note_ballot(voter, None);
            let best = offer.ballot(voter).unwrap();
            assert_eq!((best.grant, best.position), (at(9), Some(Position::new(epoch(3), 8))));
            assert_eq!(best.genesis, Some((epoch(3), Genesis::from_bits(7))));
        }
    }
}
