//! Which epoch wrote which part of a log.

use elect_core::{Epoch, Position};

/// The epochs of a log, as spans: enough to find where two logs diverge without reading an entry.
///
/// Offsets begin at 1; position [`Position::EMPTY`] lies before the first entry and is part of every log.
/// Epochs never fall along a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
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

    /// The history of a stored log: the first offset of each epoch, in order, and the last offset. `None` if they
    /// cannot belong to one log.
    pub fn restore(spans: impl IntoIterator<Item = (u64, Epoch)>, last: u64) -> Option<Self> {
        let spans: Vec<_> = spans.into_iter().map(|(first, epoch)| Span { epoch, first }).collect();
        let rises = spans.is_sorted_by(|a, b| a.first < b.first && a.epoch < b.epoch);
        let begins = spans.first().map_or(last == 0, |span| span.first == 1);
        let ends = spans.last().is_none_or(|span| span.first <= last);
        (rises && begins && ends).then_some(Self { spans, last })
    }

    /// The last entry.
    pub fn last(&self) -> Position {
        self.position(self.last).unwrap_or(Position::EMPTY)
    }

    /// The position at `offset`, `None` beyond the end.
    pub fn position(&self, offset: u64) -> Option<Position> {
        if offset == 0 {
            return Some(Position::EMPTY);
        }
        if offset > self.last {
            return None;
        }
        let after = self.spans.partition_point(|span| span.first <= offset);
        Some(Position::new(self.spans[after - 1].epoch, offset))
    }

    /// Whether this log holds that very entry, and so everything before it.
    pub fn holds(&self, position: Position) -> bool {
        self.position(position.offset) == Some(position)
    }

    /// The last entry here that another log may share, if that log holds `other`: its epoch and offset are
    /// at most those of `other`. Exactly `other` if it is here.
    ///
    /// Two logs that ask each other in turn reach their common point: each answer lowers epoch or offset.
    pub fn shared_at_most(&self, other: Position) -> Position {
        let spans = self.spans.partition_point(|span| span.epoch <= other.epoch);
        let end = self.spans.get(spans).map_or(self.last, |above| above.first - 1);
        self.position(end.min(other.offset)).unwrap_or(Position::EMPTY)
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
        assert_eq!(leader.shared_at_most(deposed.last()), at(1, 2));
        assert_eq!(deposed.shared_at_most(leader.last()), at(2, 3));
        assert_eq!(leader.shared_at_most(at(2, 3)), at(1, 2));
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
        #[test]
        fn two_logs_find_their_common_point_by_asking_in_turn((left, right) in logs()) {
            let common = left.iter().zip(&right).take_while(|(a, b)| a == b).count() as u64;
            let (left, right) = (history(&left), history(&right));
            let mut asked = left.last();
            let mut turns = 0;
            let found = loop {
                let answer = right.shared_at_most(asked);
                if left.holds(answer) {
                    break answer;
                }
                let next = left.shared_at_most(answer);
                prop_assert!(next < asked, "each turn lowers the question");
                asked = next;
                turns += 1;
            };
            prop_assert!(turns <= 26);
            prop_assert!(found.offset <= common);
            // Never further back than the epochs force: the entry found is the last one of its span that is shared.
            prop_assert!(left.holds(found) && right.holds(found));
        }
    }
}
