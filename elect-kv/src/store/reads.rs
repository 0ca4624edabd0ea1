//! Since when reads wait for the disk, for those who judge whether it answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Reads that are watched at the same time. More than there are threads that read: what finds no place is not watched.
const WATCHED_MAX: usize = 16;
const FREE: u64 = 0;

/// The reads under way, each a single look into the engine.
#[derive(Debug)]
pub(super) struct Reads {
    start: Instant,
    /// When each began, in nanoseconds after `start`.
    began: [AtomicU64; WATCHED_MAX],
}

/// One look into the engine; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Reading<'a>(Option<&'a AtomicU64>);

impl Reads {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), began: std::array::from_fn(|_| AtomicU64::new(FREE)) }
    }

    /// A look begins.
    pub(super) fn begin(&self) -> Reading<'_> {
        let now = self.now().max(FREE + 1);
        let take = |place: &&AtomicU64| {
            place.compare_exchange(FREE, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        Reading(self.began.iter().find(take))
    }

    /// For how long the one that has waited longest has waited; zero without any.
    pub(super) fn longest(&self) -> Duration {
        let began =
            self.began.iter().map(|place| place.load(Ordering::Relaxed)).filter(|began| *began != FREE);
        began.min().map_or(Duration::ZERO, |began| Duration::from_nanos(self.now().saturating_sub(began)))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.store(FREE, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_those_under_way_counts() {
        let reads = Reads::new();
        assert_eq!(reads.longest(), Duration::ZERO);
        let first = reads.begin();
        let second = reads.begin();
        while reads.longest() < Duration::from_micros(1) {}
        let before_second = reads.began[0].load(Ordering::Relaxed);
        assert!(before_second <= reads.began[1].load(Ordering::Relaxed));
        drop(first);
        assert_eq!(reads.began[0].load(Ordering::Relaxed), FREE, "its place is free again");
        assert!(reads.longest() > Duration::ZERO, "the second goes on");
        drop(second);
        assert_eq!(reads.longest(), Duration::ZERO);
        let _all: Vec<_> = (0..=WATCHED_MAX).map(|_| reads.begin()).collect();
        assert!(reads.longest() > Duration::ZERO, "one that finds no place goes on unwatched");
    }
}
