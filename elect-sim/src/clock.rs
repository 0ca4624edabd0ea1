//! A node's clock: off in rate, coarse in its reading, unrelated to everybody else's.

use elect_core::{Detection, Time};
use std::time::Duration;

/// Real time of the simulation, in nanoseconds since its start.
pub type Real = u64;

/// One microsecond, in nanoseconds.
pub const MICRO: u64 = 1_000;
/// One millisecond, in nanoseconds.
pub const MILLI: u64 = 1_000_000;
/// One second, in nanoseconds.
pub const SECOND: u64 = 1_000_000_000;

/// Translates between real time and what one node reads.
#[derive(Clone, Debug)]
pub struct Clock {
    real_origin: Real,
    local_origin: u64,
    rate_ppm: i64,
    granularity: u64,
}

impl Clock {
    /// A clock that shows `local_origin` now and runs fast by `rate_ppm` (slow if negative). It is read in
    /// multiples of `granularity` nanoseconds.
    pub fn new(now: Real, local_origin: u64, rate_ppm: i64, granularity: u64) -> Self {
        Self { real_origin: now, local_origin, rate_ppm, granularity: granularity.max(1) }
    }

    /// What the clock shows at `real`.
    pub fn read(&self, real: Real) -> Time {
        let exact = self.exact(real);
        Time::from_nanos(if self.granularity == 1 { exact } else { exact - exact % self.granularity })
    }

    /// The first real time at which the clock shows `local` or more; `None` if that is out of reach.
    pub fn reaches(&self, local: Time) -> Option<Real> {
        let wanted = local.as_nanos().checked_next_multiple_of(self.granularity)?;
        let ahead = wanted.saturating_sub(self.local_origin);
        i64::try_from(ahead).ok()?;
        let rate = u64::try_from(1_000_000 + self.rate_ppm).ok()?;
        // `ahead` × 10⁶ / `rate`, in steps that stay within 64 bits.
        let scaled = (ahead / rate).checked_mul(1_000_000)? + ahead % rate * 1_000_000 / rate;
        let mut real = self.real_origin.checked_add(scaled)?;
        while self.exact(real) < wanted {
            real += 1;
        }
        Some(real)
    }

    /// From `now` on the clock runs at another rate. Its reading does not jump.
    pub fn set_rate(&mut self, now: Real, rate_ppm: i64) {
        self.local_origin = self.exact(now);
        self.real_origin = now;
        self.rate_ppm = rate_ppm;
    }

    /// The machine boots: the clock starts again near zero.
    pub fn reboot(&mut self, now: Real, local_origin: u64) {
        self.local_origin = local_origin;
        self.real_origin = now;
    }

    fn exact(&self, real: Real) -> u64 {
        let elapsed = real.saturating_sub(self.real_origin).cast_signed();
        // Exact up to 128 hours at a rate of ± 2 %; a run lasts minutes.
        let drift = elapsed.saturating_mul(self.rate_ppm) / 1_000_000;
        self.local_origin.saturating_add_signed(elapsed + drift)
    }
}

/// A detection time as scenarios write it.
pub(crate) fn setting(detection: Detection) -> String {
    match detection {
        Detection::Fixed(span) => format!("detection {}", duration(span)),
        Detection::Adaptive { floor, ceiling, phi } => {
            format!("detection {} to {} phi {phi}", duration(floor), duration(ceiling))
        }
    }
}

/// A span as scenarios write it, in the largest unit that is exact.
pub(crate) fn span(nanos: u64) -> String {
    match nanos {
        0 => "0s".to_owned(),
        _ if nanos.is_multiple_of(SECOND) => format!("{}s", nanos / SECOND),
        _ if nanos.is_multiple_of(MILLI) => format!("{}ms", nanos / MILLI),
        _ if nanos.is_multiple_of(MICRO) => format!("{}us", nanos / MICRO),
        _ => format!("{nanos}ns"),
    }
}

/// Likewise.
pub(crate) fn duration(span_of: Duration) -> String {
    span(u64::try_from(span_of.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_reached_when_it_is_shown_and_not_before() {
        for (rate, granularity) in [(0, 1), (20_000, 1), (-20_000, 1), (-7_919, 1_000), (13, 1_000_000)] {
            let clock = Clock::new(5 * SECOND, 77, rate, granularity);
            for local in [78, 1_000_003, SECOND, 61 * SECOND + 1] {
                let at = clock.reaches(Time::from_nanos(local)).unwrap();
                assert!(clock.read(at).as_nanos() >= local, "{rate} {granularity} {local}");
                assert!(clock.read(at - 1).as_nanos() < local, "{rate} {granularity} {local}");
            }
        }
    }

    #[test]
    fn a_change_of_rate_does_not_jump() {
        let mut clock = Clock::new(0, 0, 20_000, 1);
        let before = clock.read(SECOND);
        clock.set_rate(SECOND, -20_000);
        assert_eq!((before, clock.read(SECOND)), (Time::from_nanos(1_020 * MILLI), before));
        assert_eq!(clock.read(2 * SECOND), Time::from_nanos(2 * SECOND));
    }

    #[test]
    fn never_is_out_of_reach() {
        for rate in [0, 20_000, -20_000, 500_000, -500_000] {
            assert_eq!(Clock::new(SECOND, 5, rate, 1).reaches(Time::NEVER), None, "{rate}");
            assert_eq!(Clock::new(SECOND, 5, rate, MILLI).reaches(Time::NEVER), None, "{rate}");
        }
    }
}
