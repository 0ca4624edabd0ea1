//! What the log's thread is doing, for those who must not wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use elect_core::Time;

/// Since when the log's thread is busy with one piece of work, and when a peer last spoke to it.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// Zero while it waits for work.
    busy_since: AtomicU64,
    heard: AtomicU64,
}

impl Pulse {
    /// The next piece of work begins: an input, a write, a sync.
    pub(super) fn begin(&self, now: Time) {
        self.busy_since.store(now.as_nanos().max(1), Ordering::Relaxed);
    }

    /// There is no work.
    pub(super) fn rest(&self) {
        self.busy_since.store(0, Ordering::Relaxed);
    }

    /// For how long the storage has been busy with one piece of work.
    pub(crate) fn busy_for(&self, now: Time) -> Duration {
        match self.busy_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => now.since(Time::from_nanos(since)),
        }
    }

    /// A peer spoke.
    pub(super) fn hear(&self, now: Time) {
        self.heard.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// When a peer last spoke; zero if none did.
    pub(super) fn heard(&self) -> Time {
        Time::from_nanos(self.heard.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_of_work_counts_alone_and_rest_is_none() {
        let pulse = Pulse::default();
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        assert_eq!(pulse.busy_for(at(9)), Duration::ZERO);
        pulse.begin(at(10));
        assert_eq!(pulse.busy_for(at(13)), Duration::from_secs(3));
        pulse.begin(at(13));
        assert_eq!(pulse.busy_for(at(14)), Duration::from_secs(1));
        pulse.rest();
        assert_eq!(pulse.busy_for(at(99)), Duration::ZERO);
    }
}
