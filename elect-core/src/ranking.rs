//! Who should campaign first: a hint that spreads offers in time. Votes are the safety.

use core::cmp::{Ordering, Reverse};

use crate::epoch::Position;
use crate::name::NodeId;

/// What a member's start delay depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Merit {
    pub(crate) id: NodeId,
    pub(crate) priority: u8,
    pub(crate) position: Option<Position>,
    /// It campaigns already: an offer against its own would split the votes.
    pub(crate) campaigns: bool,
}

/// R32: how many of `others` should campaign before `own`: who campaigns already, then by (within the lag tolerance of
/// the best, priority, position, name).
pub(crate) fn rank(own: Merit, others: impl Iterator<Item = Merit> + Clone, lag_tolerance: u64) -> usize {
    let best = others.clone().map(|merit| merit.position).fold(own.position, Option::max);
    let key = |merit: &Merit| {
        let fresh = lag(merit.position, best).is_some_and(|lag| lag <= lag_tolerance);
        (Reverse(merit.campaigns), Reverse(fresh), Reverse(merit.priority), Reverse(merit.position), merit.id)
    };
    others.filter(|other| key(other).cmp(&key(&own)) == Ordering::Less).count()
}

/// How far `position` is behind `best`; `None` if the entries between them are of another epoch, so that
/// offsets cannot be compared.
pub(crate) fn lag(position: Option<Position>, best: Option<Position>) -> Option<u64> {
    match (position, best) {
        (position, best) if position >= best => Some(0),
        (Some(position), Some(best)) if position.epoch == best.epoch => Some(best.offset - position.offset),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::Epoch;
    use alloc::vec;

    fn merit(id: &str, priority: u8, position: Option<(u64, u64)>) -> Merit {
        let position = position.map(|(epoch, offset)| Position::new(Epoch::new(epoch), offset));
        Merit { id: NodeId::new(id).unwrap(), priority, position, campaigns: false }
    }

    #[test]
    fn rank_lookup_table() {
        let at = |epoch, offset| Some((epoch, offset));
        let campaigns = |merit| Merit { campaigns: true, ..merit };
        let table = [
            // (own, others, tolerance, rank)
            (merit("a", 1, at(1, 9)), vec![], 0, 0),
            (merit("b", 1, at(1, 9)), vec![merit("a", 1, at(1, 9))], 0, 1),
            (merit("a", 1, at(1, 8)), vec![merit("b", 1, at(1, 9))], 0, 1),
            (merit("a", 1, at(1, 8)), vec![merit("b", 1, at(1, 9))], 1, 1),
            (merit("a", 2, at(1, 8)), vec![merit("b", 1, at(1, 9))], 1, 0),
            (merit("a", 9, at(1, 900)), vec![merit("b", 1, at(2, 1))], 1000, 1),
            (merit("a", 9, None), vec![merit("b", 1, at(0, 0))], 1000, 1),
            (merit("a", 1, None), vec![merit("b", 2, None), merit("c", 0, None)], 0, 1),
            (merit("a", 9, at(1, 9)), vec![campaigns(merit("b", 1, at(1, 8)))], 0, 1),
        ];
        for (own, others, tolerance, expected) in table {
            assert_eq!(rank(own, others.iter().copied(), tolerance), expected, "{own:?} among {others:?}");
        }
    }
}
