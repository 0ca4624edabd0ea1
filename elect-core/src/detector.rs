//! Adaptive detection time: phi accrual over the arrival of acknowledgements.

use core::time::Duration;

use crate::config::Detection;
use crate::time::{Time, nanos};

/// How many standard deviations make phi: z such that a normal variable exceeds it once in 10^phi, × 1000.
const Z_PER_PHI: [u64; 13] = [0, 1282, 2326, 3090, 3719, 4265, 4753, 5199, 5612, 5998, 6361, 6706, 7034];

/// Estimates how long a healthy group may be silent (Hayashibara et al., "The φ accrual failure detector").
///
/// Mean and deviation of the gaps between acknowledgements are exponentially weighted, in whole
/// nanoseconds, so that equal inputs give equal outputs.
#[derive(Clone, Debug)]
pub(crate) struct Detector {
    mean: u64,
    variance: u128,
    samples: u32,
}

impl Detector {
    /// Gaps this many before the estimate is used.
    const WARM_UP: u32 = 64;
    /// Each gap moves the estimate by one part in this many.
    const WEIGHT: u64 = 64;

    pub(crate) const fn new() -> Self {
        Self { mean: 0, variance: 0, samples: 0 }
    }

    /// An acknowledgement came `gap` after the previous one of the same peer.
    pub(crate) fn note(&mut self, gap: Duration) {
        let gap = nanos(gap);
        let difference = u128::from(gap.abs_diff(self.mean));
        let weight = (u64::from(self.samples) + 1).min(Self::WEIGHT);
        let step = gap.abs_diff(self.mean) / weight;
        self.mean = if gap > self.mean { self.mean + step } else { self.mean - step };
        if self.samples > 0 {
            let squared = difference * difference;
            let weight = u128::from(weight);
            self.variance = (self.variance * (weight - 1) + squared) / weight;
        }
        self.samples = self.samples.saturating_add(1);
    }

    /// An acknowledgement came at `now`, the previous one of the same peer at `last`. A gap above `ceiling` says
    /// that the peer was away, not that the network is slow.
    pub(crate) fn note_arrival(&mut self, last: &mut Option<Time>, now: Time, ceiling: Duration) {
        if let Some(last) = last.replace(now) {
            let gap = now.since(last);
            if gap <= ceiling {
                self.note(gap);
            }
        }
    }

    /// R41: the detection time that suits the gaps seen, between floor and ceiling, in whole microseconds.
    pub(crate) fn detection(&self, configured: Detection, heartbeat_interval: Duration) -> Duration {
        let Detection::Adaptive { floor, ceiling, phi } = configured else { return configured.ceiling() };
        if self.samples < Self::WARM_UP {
            return ceiling;
        }
        let deviation = u64::try_from(self.variance.isqrt()).unwrap_or(u64::MAX);
        // A clock-like network must not drive the estimate below what one lost heartbeat costs.
        let deviation = deviation.max(nanos(heartbeat_interval) / 4);
        let margin = deviation.saturating_mul(Z_PER_PHI[usize::from(phi).min(12)]) / 1000;
        let wanted = self.mean.saturating_add(nanos(heartbeat_interval)).saturating_add(margin);
        Duration::from_micros(wanted.div_ceil(1000)).clamp(floor, ceiling)
    }
}

/// The detection times that frames still under way may carry: the current one and the one before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DetectionHistory {
    current: Duration,
    since: Time,
    previous: Duration,
}

impl DetectionHistory {
    pub(crate) const fn new(current: Duration, since: Time) -> Self {
        Self { current, since, previous: current }
    }

    pub(crate) const fn current(&self) -> Duration {
        self.current
    }

    /// Whether every frame with the previous detection time has expired at `now`, so that a third one may come.
    pub(crate) fn may_change(&self, now: Time, ceiling: Duration) -> bool {
        now.since(self.since) > ceiling * 2
    }

    /// Frames that leave at `since` or later carry `next`.
    pub(crate) fn change(&mut self, next: Duration, since: Time) {
        *self = Self { current: next, since, previous: self.current };
    }

    /// R21: the detection time of *that very frame*: a larger one of today lengthens no lease of yesterday.
    pub(crate) fn of_frame(&self, sent: Time) -> Duration {
        if sent >= self.since { self.current } else { self.previous }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURED: Detection =
        Detection::Adaptive { floor: Duration::from_millis(150), ceiling: Duration::from_secs(2), phi: 8 };
    const INTERVAL: Duration = Duration::from_millis(50);

    fn after(gaps: impl Iterator<Item = u64>) -> Duration {
        let mut detector = Detector::new();
        gaps.for_each(|gap| detector.note(Duration::from_millis(gap)));
        detector.detection(CONFIGURED, INTERVAL)
    }

    #[test]
    fn a_calm_network_is_watched_more_closely_than_a_jittery_one() {
        assert_eq!(after([50].into_iter().cycle().take(10)), Duration::from_secs(2), "not warm yet");
        let calm = after([50].into_iter().cycle().take(500));
        let jittery = after([10, 20, 200, 40, 30].into_iter().cycle().take(500));
        assert!(calm < Duration::from_millis(200), "{calm:?}");
        assert!(jittery > Duration::from_millis(400), "{jittery:?}");
        assert_eq!(after([1, 9000].into_iter().cycle().take(500)), Duration::from_secs(2));
    }

    #[test]
    fn a_detector_outlives_its_counter() {
        let mut detector = Detector { mean: 1, variance: 1, samples: u32::MAX };
        detector.note(Duration::from_millis(50));
        assert_eq!(detector.samples, u32::MAX);
    }

    #[test]
    fn a_frame_keeps_the_detection_time_it_left_with() {
        let at = Time::from_nanos;
        let (short, long) = (Duration::from_millis(200), Duration::from_millis(800));
        let mut history = DetectionHistory::new(short, at(0));
        history.change(long, at(100));
        assert_eq!(history.of_frame(at(99)), short);
        assert_eq!(history.of_frame(at(100)), long);
        assert!(!history.may_change(at(101), long));
    }
}
