//! Nobody serves as the primary: a line every ten seconds, which says why.

use std::time::{Duration, Instant};

/// How long nobody serves before it is told, and told again.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Since when nobody serves, as far as this node knows.
#[derive(Debug)]
pub(super) struct Absence {
    since: Instant,
    told: Instant,
}

impl Absence {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, told: now }
    }

    /// For how long nobody has served, each time that it is to be told.
    pub(super) fn look(&mut self, is_served: bool, now: Instant) -> Option<Duration> {
        if is_served {
            *self = Self::new(now);
        }
        let is_due = now - self.told >= TOLD_EVERY;
        is_due.then(|| {
            self.told = now;
            now - self.since
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_every_ten_seconds_for_as_long_as_nobody_serves() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut absence = Absence::new(start);
        let told = |absence: &mut Absence, range: std::ops::RangeInclusive<u64>, is_served| {
            let looks = range.filter_map(|second| absence.look(is_served, at(second)));
            looks.map(|span| span.as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(told(&mut absence, 0..=25, false), [10, 20]);
        assert!(told(&mut absence, 26..=60, true).is_empty());
        assert_eq!(told(&mut absence, 61..=80, false), [10, 20], "counted from the last moment of service");
    }
}
