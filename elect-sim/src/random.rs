//! The one source of chance: small, pinned, the same on every machine.

/// Sebastiano Vigna's `SplitMix64`: a 64-bit counter through a mixing function.
///
/// Written out here, because a seed that found a bug must find it for ever: a library that improves its
/// distributions would quietly change every seed. Only integers, so no platform's rounding is involved.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// `SplitMix64`'s mixing function: every input bit changes half of the output bits.
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// The stream of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// An independent stream for one purpose, so that drawing more for one fault does not move another.
    pub fn stream(seed: u64, purpose: u64) -> Self {
        Self::new(mix(seed ^ mix(purpose.wrapping_mul(GOLDEN))))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A number below `bound`, zero for a bound of zero. The bias of at most `bound` / 2⁶⁴ is no matter here.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// Whether something that happens `ppm` times in a million happens now. Draws nothing for zero.
    pub fn chance(&mut self, ppm: u32) -> bool {
        ppm != 0 && self.below(1_000_000) < u64::from(ppm)
    }

    /// An index into something with `count` elements, which must not be zero.
    pub fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap_or(0)
    }

    /// A waiting time with this mean: a piecewise uniform stand-in for the exponential distribution, each
    /// further step half as likely.
    pub fn waiting(&mut self, mean: u64) -> u64 {
        let bits = self.bits();
        let steps = u64::from(bits.leading_zeros().min(12));
        let fraction = bits & 0xffff;
        ((steps << 16) + fraction).saturating_mul(mean) / (3 << 15)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_are_pinned() {
        let mut random = Random::new(0);
        let first: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(first, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn waiting_has_about_the_mean_that_was_asked_for() {
        let mut random = Random::new(1);
        let sum: u64 = (0..100_000).map(|_| random.waiting(1_000)).sum();
        assert!((980..1_020).contains(&(sum / 100_000)), "{}", sum / 100_000);
    }

    #[test]
    fn bounds_hold() {
        let mut random = Random::new(2);
        let drawn: Vec<u64> = (0..1_000).map(|_| random.between(3, 5)).collect();
        assert!(
            [3, 4, 5].iter().all(|value| drawn.contains(value)) && drawn.iter().all(|v| (3..=5).contains(v))
        );
        assert!(!random.chance(0) && random.chance(1_000_000));
    }
}
