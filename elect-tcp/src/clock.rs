//! The clock of a node: `CLOCK_BOOTTIME` on Linux, which goes on while the machine is suspended, so that a
//! suspended leader wakes up without a lease.

use std::hash::{BuildHasher, Hasher, RandomState};

use elect_core::Time;

/// The present on the clock that every node of this process uses.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn now() -> Time {
    use rustix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    Time::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// The present on the clock that every node of this process uses.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn now() -> Time {
    use std::sync::OnceLock;
    use std::time::{Duration, Instant};

    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    // A second's head start keeps the first reading apart from `Time::ZERO`.
    Time::ZERO + Duration::from_secs(1) + ORIGIN.get_or_init(Instant::now).elapsed()
}

/// A seed for [`elect_core::ConfigBuilder::seed`], drawn from the operating system's randomness.
pub fn random_seed() -> u64 {
    // std keys every `RandomState` from the operating system; the hash of nothing under a fresh key is
    // unpredictable and needs no further dependency.
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_runs_backwards() {
        let mut last = now();
        for _ in 0..10_000 {
            let next = now();
            assert!(next >= last);
            last = next;
        }
        assert!(last > Time::ZERO);
    }

    #[test]
    fn seeds_differ() {
        let mut seeds: Vec<_> = (0..100).map(|_| random_seed()).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 100);
    }
}
