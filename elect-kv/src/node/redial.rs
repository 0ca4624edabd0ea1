//! When to dial a peer again.

use std::time::Duration;

const PAUSE_MIN: Duration = Duration::from_millis(10);

/// The pauses between attempts: each twice as long as the one before, and none so long that a failover waits for it.
#[derive(Debug)]
pub(super) struct Redial {
    pause: Duration,
    longest: Duration,
}

impl Redial {
    /// Half the detection time is the longest pause, within 100 ms to 1 s.
    pub(super) fn new(detection: Duration) -> Self {
        let longest = (detection / 2).clamp(Duration::from_millis(100), Duration::from_secs(1));
        Self { pause: PAUSE_MIN, longest }
    }

    /// How long to wait now. `lasted`: how long the connection was of use, if there was one. One that ends at once is no
    /// better than none: whatever ends it will do so again.
    pub(super) fn pause_after(&mut self, lasted: Option<Duration>) -> Duration {
        if lasted.is_some_and(|lasted| lasted >= self.longest) {
            self.pause = PAUSE_MIN;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(self.longest);
        pause
    }

    /// There is news of the peer: what was true of earlier attempts may not be any more.
    pub(super) fn begin_again(&mut self) {
        self.pause = PAUSE_MIN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn connections_that_end_at_once_are_not_dialled_more_often_than_those_that_fail() {
        for lasted in [None, Some(ms(0)), Some(ms(249))] {
            let mut redial = Redial::new(ms(500));
            let pauses: Vec<_> = (0..8).map(|_| redial.pause_after(lasted)).collect();
            assert_eq!(pauses, [10, 20, 40, 80, 160, 250, 250, 250].map(ms));
        }
        let mut redial = Redial::new(ms(500));
        assert_eq!([Some(ms(250)); 3].map(|lasted| redial.pause_after(lasted)), [ms(10); 3]);
    }

    #[test]
    fn the_longest_pause_belongs_to_the_detection_time() {
        for (detection, longest) in [(10, 100), (600, 300), (60_000, 1_000)] {
            let mut redial = Redial::new(ms(detection));
            let last = (0..12).map(|_| redial.pause_after(None)).last();
            assert_eq!(last, Some(ms(longest)));
            redial.begin_again();
            assert_eq!(redial.pause_after(None), PAUSE_MIN);
        }
    }
}
