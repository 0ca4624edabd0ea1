//! Office needs work: a node whose storage hangs, or whose writes no quorum confirms, is unfit for it.

use std::time::{Duration, Instant};

/// A primary whose writes wait for this many detection times, while none is committed, gives them up.
pub(crate) const STANDSTILL_DETECTIONS: u32 = 4;
/// A node that lost office for a standstill stays out of it for this many detection times, unless its log moves before.
const OUT_DETECTIONS: u32 = 20;
/// One declaration says that the node is healthy for at least this long.
const HEALTHY_FOR: Duration = Duration::from_secs(2);

/// What the host knows of the node's fitness.
#[derive(Debug)]
pub(super) struct Fitness {
    /// The detection time.
    detection: Duration,
    /// When to look again.
    due: Instant,
    /// When the elector is to hear again that the node is well.
    renewal: Instant,
    /// Why the node is unfit, as the elector was told.
    told: Option<Unfit>,
    /// Until when a standstill keeps the node out of office, and how far its log was committed then.
    out: Option<(Instant, u64)>,
}

/// Why a node is unfit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// The storage has been busy with one piece of work for longer than the detection time.
    Hangs,
    /// No quorum confirms its writes, and others could do better.
    Stands,
}

/// What the elector is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The node is unfit from now on.
    Unfit(Unfit),
    /// It is healthy for this span.
    Healthy(Duration),
}

impl Fitness {
    pub(super) fn new(detection: Duration, now: Instant) -> Self {
        Self { detection, due: now, renewal: now, told: None, out: None }
    }

    /// When to look again.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Whether it is time to look; if so, the next time is set.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.due = now + self.detection / 2;
        }
        is_due
    }

    /// How long writes may wait while none is committed.
    pub(super) fn standstill(&self) -> Duration {
        self.detection * STANDSTILL_DETECTIONS
    }

    /// Nothing is committed here, and others could do better; the log is committed up to `commit`.
    pub(super) fn stand_aside(&mut self, commit: u64, now: Instant) {
        self.out.get_or_insert((now + self.detection * OUT_DETECTIONS, commit));
    }

    /// Judges by how long the storage has been busy with one piece of work, and how far the log is committed.
    pub(super) fn judge(&mut self, busy: Duration, commit: u64, now: Instant) -> Option<Verdict> {
        self.out = self.out.filter(|(until, stood_at)| now < *until && commit <= *stood_at);
        let hangs = (busy > self.detection).then_some(Unfit::Hangs);
        let unfit = hangs.or_else(|| self.out.map(|_| Unfit::Stands));
        let before = std::mem::replace(&mut self.told, unfit);
        match unfit {
            Some(unfit) => (before != Some(unfit)).then_some(Verdict::Unfit(unfit)),
            None if before.is_none() && now < self.renewal => None,
            None => {
                let span = HEALTHY_FOR.max(self.detection * 2);
                self.renewal = now + span / 4;
                Some(Verdict::Healthy(span))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: Duration = Duration::from_secs(2);

    #[test]
    fn a_storage_that_hangs_makes_unfit_until_it_answers() {
        let start = Instant::now();
        let mut fitness = Fitness::new(D, start);
        assert!(fitness.is_due(start) && !fitness.is_due(start));
        assert_eq!(fitness.due(), start + D / 2);
        let healthy = Some(Verdict::Healthy(2 * D));
        assert_eq!(fitness.judge(Duration::ZERO, 0, start), healthy);
        assert_eq!(fitness.judge(D, 0, start), None, "not due, and not longer than D");
        let hangs = Some(Verdict::Unfit(Unfit::Hangs));
        let longer = D + Duration::from_millis(1);
        assert_eq!(fitness.judge(longer, 0, start), hangs);
        assert_eq!(fitness.judge(longer, 0, start + D), None, "told once");
        assert_eq!(fitness.judge(Duration::ZERO, 0, start + D), healthy, "at once");
        assert_eq!(fitness.judge(Duration::ZERO, 0, start + D + D / 4), None);
        assert_eq!(fitness.judge(Duration::ZERO, 0, start + D + D / 2), healthy, "four times in its span");
    }

    #[test]
    fn a_standstill_keeps_out_of_office_until_the_log_moves_or_for_a_while() {
        let start = Instant::now();
        let stands = Some(Verdict::Unfit(Unfit::Stands));
        for (commit, after, over) in [(7, D, false), (8, D, true), (7, D * OUT_DETECTIONS, true)] {
            let mut fitness = Fitness::new(D, start);
            fitness.stand_aside(7, start);
            assert_eq!(fitness.judge(Duration::ZERO, 7, start), stands);
            fitness.stand_aside(7, start + D / 2);
            let later = fitness.judge(Duration::ZERO, commit, start + after);
            assert_eq!(later, over.then_some(Verdict::Healthy(2 * D)), "{commit} {after:?}");
        }
        assert_eq!(Fitness::new(D, start).standstill(), 4 * D);
    }
}
