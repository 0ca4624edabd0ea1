//! Adaptive detection time: phi accrual over the age of acknowledgements.

use core::time::Duration;

use crate::config::{Config, Detection};
use crate::time::{Time, nanos};

/// How many standard deviations make phi: z such that a normal variable exceeds it once in 10^phi, × 1000.
const Z_PER_PHI: [u64; 13] = [0, 1282, 2326, 3090, 3719, 4265, 4753, 5199, 5612, 5998, 6361, 6706, 7034];

/// Estimates how old a healthy group lets a grant become (Hayashibara et al., "The φ accrual failure detector").
///
/// A grant is as old as the frame whose acknowledgement it is, and oldest just before the next one comes: a gap and a
/// round trip. Mean and deviation of these ages are exponentially weighted, in whole nanoseconds, so that equal inputs
/// give equal outputs.
#[derive(Clone, Debug)]
pub(crate) struct Detector {
    mean: u64,
    variance: u128,
    samples: u32,
}

impl Detector {
    /// Ages this many before the estimate is used.
    const WARM_UP: u32 = 64;
    /// Each age moves the estimate by one part in this many.
    const WEIGHT: u64 = 64;

    pub(crate) const fn new() -> Self {
        Self { mean: 0, variance: 0, samples: 0 }
    }

    /// A grant became as old as `age` before the next one of the same peer came.
    pub(crate) fn note(&mut self, age: Duration) {
        let age = nanos(age);
        let difference = u128::from(age.abs_diff(self.mean));
        let weight = (u64::from(self.samples) + 1).min(Self::WEIGHT);
        let step = age.abs_diff(self.mean) / weight;
        self.mean = if age > self.mean { self.mean + step } else { self.mean - step };
        if self.samples > 0 {
            let squared = difference * difference;
            let weight = u128::from(weight);
            self.variance = (self.variance * (weight - 1) + squared) / weight;
        }
        self.samples = self.samples.saturating_add(1);
    }

    /// At `now` a peer acknowledged the frame that left at `sent`; of those that it had acknowledged before, `last`
    /// left last. An age above `ceiling` says that the peer was away, not that the network is slow.
    pub(crate) fn note_acknowledgement(
        &mut self,
        last: &mut Option<Time>,
        sent: Time,
        now: Time,
        ceiling: Duration,
    ) {
        if last.is_some_and(|last| sent <= last) {
            return; // it says what is known
        }
        if let Some(last) = last.replace(sent) {
            let age = now.since(last);
            if age <= ceiling {
                self.note(age);
            }
        }
    }

    /// R41: the detection time that suits the ages seen, between floor and ceiling, in whole microseconds.
    pub(crate) fn detection(&self, config: &Config) -> Duration {
        let Detection::Adaptive { floor, ceiling, phi } = config.detection() else {
            return config.detection().ceiling();
        };
        let heartbeat_interval = config.heartbeat_interval();
        if self.samples < Self::WARM_UP {
            return ceiling;
        }
        let deviation = u64::try_from(self.variance.isqrt()).unwrap_or(u64::MAX);
        // A clock-like network must not drive the estimate below what one lost heartbeat costs.
        let deviation = deviation.max(nanos(heartbeat_interval) / 4);
        let margin = deviation.saturating_mul(Z_PER_PHI[usize::from(phi).min(12)]) / 1000;
        let lease = self.mean.saturating_add(nanos(heartbeat_interval)).saturating_add(margin);
        config.detection_for(Duration::from_nanos(lease)).clamp(floor, ceiling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{ClusterId, NodeId};

    fn config() -> Config {
        let (cluster, node) = (ClusterId::new("c").unwrap(), NodeId::new("a").unwrap());
        let (floor, ceiling) = (Duration::from_millis(150), Duration::from_secs(2));
        let builder = Config::builder(cluster, node).voters([node]);
        builder.detection(Detection::Adaptive { floor, ceiling, phi: 8 }).build().unwrap()
    }

    fn after(ages: impl Iterator<Item = u64>) -> Duration {
        let mut detector = Detector::new();
        ages.for_each(|age| detector.note(Duration::from_millis(age)));
        detector.detection(&config())
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
    fn a_lease_outlasts_an_age_a_heartbeat_and_the_margin_of_phi() {
        let ms = Duration::from_millis;
        // 10^-phi: so many deviations of at least a quarter of a heartbeat, 12.5 ms.
        for (phi, margin) in [(4, 46_487), (8, 70_150), (12, 87_925)] {
            let (cluster, node) = (ClusterId::new("c").unwrap(), NodeId::new("a").unwrap());
            let builder = Config::builder(cluster, node).voters([node]);
            let adaptive = Detection::Adaptive { floor: ms(150), ceiling: ms(2_000), phi };
            let config = builder.detection(adaptive).build().unwrap();
            assert_eq!(config.heartbeat_interval(), ms(50));
            let detector = Detector { mean: nanos(ms(90)), variance: 0, samples: Detector::WARM_UP };
            let lease = ms(90) + ms(50) + Duration::from_micros(margin);
            let wanted = config.detection_for(lease);
            let found = detector.detection(&config);
            assert!(found.abs_diff(wanted) <= Duration::from_micros(1), "{phi}: {found:?}, {wanted:?}");
        }
    }

    #[test]
    fn a_detector_outlives_its_counter() {
        let mut detector = Detector { mean: 1, variance: 1, samples: u32::MAX };
        detector.note(Duration::from_millis(50));
        assert_eq!(detector.samples, u32::MAX);
    }

    #[test]
    fn an_estimate_is_a_mean_first_and_follows_slowly_later() {
        let ms = |millis| Duration::from_millis(millis);
        let mut detector = Detector::new();
        detector.note(ms(40));
        assert_eq!((detector.mean, detector.variance), (nanos(ms(40)), 0), "one age says nothing of others");
        detector.note(ms(60));
        assert_eq!(detector.mean, nanos(ms(50)));
        detector.note(ms(20));
        assert_eq!(detector.mean, nanos(ms(40)));
        let mut detector = Detector { samples: 1_000, ..Detector::new() };
        detector.note(ms(64));
        assert_eq!(detector.mean, nanos(ms(1)));
        let squared = u128::from(nanos(ms(64))).pow(2);
        assert_eq!(detector.variance, squared / 64);
        detector.note(ms(1));
        assert_eq!(detector.variance, squared / 64 * 63 / 64);
    }

    #[test]
    fn only_what_is_new_and_no_absence_is_an_age() {
        let (at, ceiling) = (Time::from_nanos, Duration::from_nanos(100));
        let mut detector = Detector::new();
        let mut last = None;
        for (sent, now, samples) in
            [(10, 20, 0), (30, 40, 1), (30, 50, 1), (20, 50, 1), (60, 130, 2), (70, 161, 2)]
        {
            detector.note_acknowledgement(&mut last, at(sent), at(now), ceiling);
            assert_eq!(detector.samples, samples, "what left at {sent}");
        }
        assert_eq!(last, Some(at(70)));
    }

    #[test]
    fn it_is_used_once_it_is_warm_and_never_below_a_quarter_of_a_heartbeat() {
        let detect = |samples, variance| {
            Detector { mean: nanos(Duration::from_millis(50)), variance, samples }.detection(&config())
        };
        assert_eq!(detect(Detector::WARM_UP - 1, 0), Duration::from_secs(2));
        let calm = detect(Detector::WARM_UP, 0);
        assert!(calm < Duration::from_secs(2));
        let quarter = nanos(config().heartbeat_interval() / 4);
        assert_eq!(detect(Detector::WARM_UP, u128::from(quarter).pow(2)), calm);
        assert!(detect(Detector::WARM_UP, u128::from(quarter * 2).pow(2)) > calm);
    }
}
