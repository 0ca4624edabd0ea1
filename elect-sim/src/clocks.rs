//! How clocks are drawn.

use crate::clock::{Clock, Real, SECOND};
use crate::ids::NodeIndex;
use crate::options::{Options, Sabotage};
use crate::random::Random;

/// A clock within ρ (or, if wild, far outside it) that was started at some other time.
pub(crate) fn draw_clock(options: &Options, node: NodeIndex, random: &mut Random, now: Real) -> Clock {
    let origin = random.between(SECOND, 1_000_000 * SECOND);
    Clock::new(now, origin, draw_rate(options, node, random), options.reading)
}

pub(crate) fn draw_rate(options: &Options, node: NodeIndex, random: &mut Random) -> i64 {
    let secret = options.sabotage == Some(Sabotage::SecretDrift);
    let bound = if options.wild_clocks || secret { 500_000 } else { i64::from(options.drift_of(node)) };
    match random.below(4) {
        0 => bound,
        1 => -bound,
        _ => random.between(0, bound.unsigned_abs() * 2).cast_signed() - bound,
    }
}
