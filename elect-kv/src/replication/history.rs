//! Which epoch wrote which part of a log.

use elect_core::{Epoch, Position};

/// The epochs of a log, as spans: enough to find where two logs diverge without reading an entry.
///
/// Offsets begin at 1; position [`Position::EMPTY`] lies before the first entry and is part of every log.
/// Epochs never fall along a log. What is applied may be dropped from its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The last entry that was dropped: the log held it, and everything before it.
    begin: Position,
    /// The first one begins with the first entry after `begin`.
    spans: Vec<Span>,
    last: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    epoch: Epoch,
    first: u64,
}

impl History {
    /// The history of an empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// The history of a log from which everything up to `begin` was dropped, and nothing follows.
    pub fn after(begin: Position) -> Self {
        Self { begin, spans: Vec::new(), last: begin.offset }
    }

    /// The history of a stored log: the last entry that was dropped, the first offset of each epoch after it, in order,
    /// and the last offset. `None` if they cannot belong to one log.
    pub fn restore(
        begin: Position,
        spans: impl IntoIterator<Item = (u64, Epoch)>,
        last: u64,
    ) -> Option<Self> {
        let spans: Vec<_> = spans.into_iter().map(|(first, epoch)| Span { epoch, first }).collect();
        let rises = spans.is_sorted_by(|a, b| a.first < b.first && a.epoch < b.epoch);
        let follows = |span: &Span| span.first == begin.offset + 1 && span.epoch >= begin.epoch;
        let begins = spans.first().map_or(last == begin.offset, follows);
        let ends = spans.last().is_none_or(|span| span.first <= last);
        (rises && begins && ends).then_some(Self { begin, spans, last })
    }

    /// The last entry that was dropped.
    pub fn begin(&self) -> Position {
        self.begin
    }

    /// The last entry.
    pub fn last(&self) -> Position {
        self.position(self.last).unwrap_or(self.begin)
    }

    /// The position at `offset`, `None` before the begin and beyond the end.
    pub fn position(&self, offset: u64) -> Option<Position> {
        if offset == self.begin.offset {
            return Some(self.begin);
        }
        if !(self.begin.offset..=self.last).contains(&offset) {
            return None;
        }
        let after = self.spans.partition_point(|span| span.first <= offset);
        Some(Position::new(self.spans[after - 1].epoch, offset))
    }

    /// Whether this log holds that very entry, or dropped it as its last one, and so holds everything before it or did.
    pub fn holds(&self, position: Position) -> bool {
        self.position(position.offset) == Some(position)
    }

    /// The last entry here that another log may share, if that log holds `other`: its epoch and offset are
    /// at most those of `other`. Exactly `other` if it is here; `None` if whatever both share was dropped.
    ///
    /// Two logs that ask each other in turn reach their common point: each answer lowers epoch or offset. No answer is
    /// below it, so that `None` means that it lies before the begin, too.
    pub fn shared_at_most(&self, other: Position) -> Option<Position> {
        if other.epoch < self.begin.epoch {
            return None;
        }
        let spans = self.spans.partition_point(|span| span.epoch <= other.epoch);
        let end = self.spans.get(spans).map_or(self.last, |above| above.first - 1);
        self.position(end.min(other.offset))
    }

    /// Appends one entry.
    ///
    /// # Panics
    /// If `epoch` is below the last entry's.
    pub fn append(&mut self, epoch: Epoch) {
        let last = self.last().epoch;
        assert!(epoch >= last, "epochs never fall along a log: {epoch} after {last}");
        self.last += 1;
        if epoch > last || self.spans.is_empty() {
            self.spans.push(Span { epoch, first: self.last });
        }
    }

    /// Drops everything up to `begin`, an entry of this log.
    pub fn drop_through(&mut self, begin: Position) {
        let next = self.position(begin.offset + 1);
        self.spans.retain(|span| span.first > begin.offset + 1);
        self.spans.splice(0..0, next.map(|next| Span { epoch: next.epoch, first: next.offset }));
        self.begin = begin;
    }

    /// Cuts everything after `keep`.
    pub fn cut(&mut self, keep: u64) {
        self.last = self.last.min(keep);
        let spans = self.spans.partition_point(|span| span.first <= self.last);
        self.spans.truncate(spans);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn history(epochs: &[u64]) -> History {
        let mut history = History::new();
        for &epoch in epochs {
            history.append(Epoch::new(epoch));
        }
        history
    }

    fn at(epoch: u64, offset: u64) -> Position {
        Position::new(Epoch::new(epoch), offset)
    }

    #[test]
    fn positions_are_found_in_spans() {
        let log = history(&[1, 1, 4, 4, 4, 7]);
        assert_eq!(log.last(), at(7, 6));
        assert_eq!(log.position(2), Some(at(1, 2)));
        assert_eq!(log.position(3), Some(at(4, 3)));
        assert_eq!(log.position(7), None);
        assert!(log.holds(Position::EMPTY) && !log.holds(at(1, 3)));
    }

    #[test]
    fn a_cut_falls_inside_or_between_spans() {
        for (keep, left) in (0..).zip([0, 1, 2, 3, 4, 5, 6, 6]) {
            let mut log = history(&[1, 1, 4, 4, 4, 7]);
            log.cut(keep);
            assert_eq!(log, history(&[1, 1, 4, 4, 4, 7][..left]));
        }
    }

    #[test]
    fn a_longer_fork_shares_only_what_lies_before_it() {
        let deposed = history(&[1, 1, 2, 2, 2, 2, 2, 2]);
        let leader = history(&[1, 1, 3]);
        assert_eq!(leader.shared_at_most(deposed.last()), Some(at(1, 2)));
        assert_eq!(deposed.shared_at_most(leader.last()), Some(at(2, 3)));
        assert_eq!(leader.shared_at_most(at(2, 3)), Some(at(1, 2)));
    }

    fn logs() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
        // A shared beginning, then epochs that only one of the two logs has.
        let steps = || proptest::collection::vec(0_u64..3, 0..12);
        (steps(), steps(), steps()).prop_map(|(shared, left, right)| {
            let rising = |start: u64, steps: Vec<u64>, parity: u64| {
                steps
                    .into_iter()
                    .scan(start, |epoch, step| {
                        *epoch += step * 2;
                        Some(*epoch + parity)
                    })
                    .collect::<Vec<_>>()
            };
            let shared = rising(2, shared, 0);
            let start = shared.last().copied().unwrap_or(2) + 2;
            let left = [shared.clone(), rising(start, left, 0)].concat();
            let right = [shared, rising(start, right, 1)].concat();
            (left, right)
        })
    }

    proptest! {
        /// The left one asks, and has dropped a part of what both share; the right one has dropped any part.
        #[test]
        fn two_logs_find_their_common_point_by_asking_in_turn(
            (left, right) in logs(),
            (dropped_left, dropped_right) in (0_u64..40, 0_u64..40),
        ) {
            let common = left.iter().zip(&right).take_while(|(a, b)| a == b).count() as u64;
            let (mut left, mut right) = (history(&left), history(&right));
            left.drop_through(left.position(dropped_left.min(common)).unwrap());
            right.drop_through(right.position(dropped_right.min(right.last)).unwrap());
            let mut asked = left.last();
            let mut turns = 0;
            let found = loop {
                let Some(answer) = right.shared_at_most(asked) else { break None };
                if left.holds(answer) {
                    break Some(answer);
                }
                let next = left.shared_at_most(answer).expect("the left one has dropped what is shared only");
                prop_assert!(next < asked, "each turn lowers the question");
                asked = next;
                turns += 1;
            };
            prop_assert!(turns <= 26);
            match found {
                None => prop_assert!(common < right.begin().offset, "the common point is dropped"),
                Some(found) => {
                    prop_assert!(found.offset <= common);
                    // Never further back than the epochs force: the entry found is the last one of its span that is shared.
                    prop_assert!(left.holds(found) && right.holds(found));
                }
            }
        }

        #[test]
        fn what_is_dropped_is_forgotten_and_the_rest_is_not((log, _) in logs(), dropped in 0_u64..40) {
            let whole = history(&log);
            let mut rest = whole.clone();
            let begin = whole.position(dropped.min(whole.last)).unwrap();
            rest.drop_through(begin);
            prop_assert_eq!(rest.begin(), begin);
            for at in 0..=whole.last + 1 {
                prop_assert_eq!(rest.position(at), whole.position(at).filter(|_| at >= begin.offset));
            }
            let spans = rest.spans.iter().map(|span| (span.first, span.epoch));
            prop_assert_eq!(History::restore(begin, spans, rest.last), Some(rest.clone()));
            rest.cut(begin.offset);
            prop_assert_eq!(&rest, &History::after(begin));
            rest.append(Epoch::new(99));
            prop_assert_eq!(rest.last(), at(99, begin.offset + 1));
        }
    }
}
