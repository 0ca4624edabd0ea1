//! How fast the links and the own disk really are, and what follows from that for steps, campaigns and waits.

use core::fmt;
use core::time::Duration;

use crate::name::NodeId;
use crate::nonce::Nonce;
use crate::time::{Readable, Time, nanos};

/// What rank steps, campaigns and waits go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pacing {
    /// The round trips and saves that are measured.
    Measured,
    /// The step that the operator set.
    ByHand,
}

/// What one echo says of a round trip: it took at least and at most so long, in nanoseconds.
///
/// An echo comes with the next frame that its sender has for this node. How long it lay there is unknown, but not
/// longer than since the frame before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EchoAge {
    least: u64,
    most: u64,
}

impl EchoAge {
    /// Of a frame that bears `nonce`, comes at `now` after one that bore `newest`, and echoes what left at `sent`.
    #[inline]
    pub(crate) fn new(nonce: Nonce, newest: Option<Nonce>, sent: Time, now: Time) -> Self {
        let most = nanos(now.since(sent));
        let held = newest.map_or(u64::MAX, |newest| nanos(nonce.sent.since(newest.sent)));
        // The peer's clock may be slower.
        let held = held.saturating_add(held / 16);
        Self { least: most.saturating_sub(held), most }
    }

    /// Whether it took at most `span` for certain.
    #[inline]
    pub(crate) fn is_within(self, span: Duration) -> bool {
        self.most <= nanos(span)
    }
}

/// The round trip to one peer: a smoothed maximum of what echoes prove. In nanoseconds, so that equal inputs give equal
/// outputs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoundTrip {
    /// What it takes, once an echo has spoken against what is configured.
    estimate: Option<u64>,
    /// How many echoes there were, up to as many as it takes to be believed.
    seen: u8,
    /// How many echoes in a row took longer than the estimate: one alone is a pause of a process.
    longer: u8,
    /// It has been reported as slower than configured.
    is_reported: bool,
}

impl RoundTrip {
    /// So many echoes make it known.
    const KNOWN_AFTER: u8 = 8;
    /// So many in a row make it longer.
    const LONGER_AFTER: u8 = 4;

    /// Whether an echo changes anything.
    #[inline]
    pub(crate) fn is_news(&self, age: EchoAge, configured: Duration) -> bool {
        let estimate = self.estimate.unwrap_or(nanos(configured));
        let agrees = self.longer == 0 && age.least <= estimate && estimate <= age.most;
        self.seen < Self::KNOWN_AFTER || !agrees
    }

    /// Takes an echo in. Falls slowly while it is within what is configured, and fast from above that.
    pub(crate) fn note(&mut self, age: EchoAge, configured: Duration) {
        let configured = nanos(configured);
        let estimate = self.estimate.unwrap_or(configured);
        self.seen = (self.seen + 1).min(Self::KNOWN_AFTER);
        if age.most < estimate {
            let share = if estimate > configured { 2 } else { 8 };
            self.estimate = Some(estimate - (estimate - age.most).div_ceil(share));
            self.longer = 0;
        } else if age.least > estimate {
            self.longer = (self.longer + 1).min(Self::LONGER_AFTER);
            if self.longer == Self::LONGER_AFTER {
                self.estimate = Some(estimate + (age.least - estimate).div_ceil(2));
            }
        } else {
            self.longer = 0;
        }
    }

    /// What it takes, as far as that is known.
    pub(crate) fn taken(&self, configured: Duration) -> Duration {
        let estimate = self.estimate.map_or(configured, Duration::from_nanos);
        if self.is_known() { estimate } else { estimate.max(configured) }
    }

    pub(crate) fn is_known(&self) -> bool {
        self.seen == Self::KNOWN_AFTER
    }

    /// Whether it has become slower than configured, by a quarter or more, since that was reported last.
    pub(crate) fn becomes_slow(&mut self, configured: Duration) -> bool {
        let estimate = self.estimate.map_or(configured, Duration::from_nanos);
        let is_slow = if self.is_reported { estimate > configured } else { estimate > configured * 5 / 4 };
        let was = core::mem::replace(&mut self.is_reported, is_slow);
        is_slow && !was
    }
}

/// The longest save of this node of late.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SaveTime(Option<Duration>);

impl SaveTime {
    pub(crate) fn note(&mut self, took: Duration) {
        let kept = self.0.map_or(Duration::ZERO, |longest| longest.saturating_sub(longest / 8));
        self.0 = Some(took.max(kept));
    }

    /// At most the configured one: that a disk is slower lengthens campaigns by their number (R33).
    pub(crate) fn taken(self, configured: Duration) -> Duration {
        self.0.map_or(configured, |taken| taken.min(configured))
    }
}

/// A round trip takes longer than the configuration allows for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct SlowRoundTrip {
    /// To whom.
    pub peer: NodeId,
    /// What it takes.
    #[cfg_attr(feature = "wire", serde(rename = "measured_ms", serialize_with = "crate::millis::span"))]
    pub measured: Duration,
    /// What is configured.
    #[cfg_attr(feature = "wire", serde(rename = "configured_ms", serialize_with = "crate::millis::span"))]
    pub configured: Duration,
}

impl fmt::Display for SlowRoundTrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a round trip to {} takes {}, {} are configured: elections take longer",
            self.peer,
            Readable(self.measured),
            Readable(self.configured)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURED: Duration = Duration::from_millis(20);

    fn after(ages: &[(u64, u64)], times: usize) -> Duration {
        let mut round_trip = RoundTrip::default();
        for &(least, most) in ages.iter().cycle().take(ages.len() * times) {
            round_trip.note(EchoAge { least: least * 1_000_000, most: most * 1_000_000 }, CONFIGURED);
        }
        round_trip.taken(CONFIGURED)
    }

    #[test]
    fn a_round_trip_goes_where_echoes_prove_it_to_be() {
        let ms = Duration::from_millis;
        assert_eq!(after(&[(0, 1)], 4), CONFIGURED, "not known yet");
        assert!(after(&[(0, 1)], 60) < ms(2));
        assert_eq!(after(&[(0, 50)], 100), CONFIGURED, "it lay there, perhaps");
        assert!(after(&[(150, 250), (190, 210)], 8) > ms(150));
        assert_eq!(
            after(&[(300, 310), (0, 60), (0, 60)], 10),
            CONFIGURED,
            "one pause in three is no round trip"
        );
        assert!(after(&[(0, 30), (180, 190), (185, 190), (180, 200), (180, 190), (180, 185)], 9) > ms(100));
    }

    #[test]
    fn an_echo_is_as_old_as_the_frame_before_allows() {
        let nonce = |sent| Nonce { sent: Time::from_nanos(sent), ..Nonce::default() };
        let at = Time::from_nanos;
        assert_eq!(EchoAge::new(nonce(9_000), None, at(100), at(300)), EchoAge { least: 0, most: 200 });
        let age = EchoAge::new(nonce(9_160), Some(nonce(9_000)), at(100), at(300));
        assert_eq!(
            age,
            EchoAge { least: 30, most: 200 },
            "it lay there for 160, and as much longer as a clock may be off"
        );
    }

    #[test]
    fn slowness_is_reported_once_until_it_is_over() {
        let mut round_trip = RoundTrip::default();
        let mut reports = |age: u64, times| {
            let age = EchoAge { least: age, most: age };
            (0..times)
                .filter(|_| {
                    round_trip.note(age, CONFIGURED);
                    round_trip.becomes_slow(CONFIGURED)
                })
                .count()
        };
        let slow = nanos(CONFIGURED) * 3;
        assert_eq!((reports(slow, 50), reports(1, 50), reports(slow, 50)), (1, 0, 1));
    }

    #[test]
    fn the_longest_save_of_late_counts() {
        let ms = Duration::from_millis;
        let mut saves = SaveTime::default();
        assert_eq!(saves.taken(ms(20)), ms(20));
        saves.note(ms(8));
        saves.note(ms(1));
        assert_eq!(saves.taken(ms(20)), ms(7));
        saves.note(ms(90));
        assert_eq!(saves.taken(ms(20)), ms(20));
    }

    #[test]
    fn an_echo_is_news_until_the_round_trip_is_known_and_where_it_disagrees() {
        let ms = |millis: u64| millis * 1_000_000;
        let age = |least, most| EchoAge { least: ms(least), most: ms(most) };
        let mut round_trip = RoundTrip::default();
        for _ in 0..RoundTrip::KNOWN_AFTER {
            assert!(round_trip.is_news(age(20, 20), CONFIGURED) && !round_trip.is_known());
            round_trip.note(age(20, 20), CONFIGURED);
        }
        assert!(round_trip.is_known() && !round_trip.is_news(age(20, 20), CONFIGURED), "it agrees exactly");
        assert!(round_trip.is_news(age(21, 30), CONFIGURED) && round_trip.is_news(age(0, 19), CONFIGURED));
        // One that was longer is forgotten at the next that is not: that is news too.
        round_trip.note(age(30, 40), CONFIGURED);
        assert!(round_trip.is_news(age(20, 20), CONFIGURED));
        round_trip.note(age(20, 20), CONFIGURED);
        assert!(!round_trip.is_news(age(20, 20), CONFIGURED));
        assert!(age(0, 20).is_within(CONFIGURED) && !age(0, 21).is_within(CONFIGURED));
    }

    #[test]
    fn an_estimate_moves_by_shares_of_what_is_proven() {
        let ms = Duration::from_millis;
        let note = |round_trip: &mut RoundTrip, least: u64, most: u64, times: usize| {
            for _ in 0..times {
                let age = EchoAge { least: least * 1_000_000, most: most * 1_000_000 };
                round_trip.note(age, CONFIGURED);
            }
            round_trip.estimate.map(Duration::from_nanos)
        };
        let mut round_trip = RoundTrip::default();
        assert_eq!(note(&mut round_trip, 0, 12, 1), Some(ms(19)), "an eighth of the way down");
        assert_eq!(note(&mut round_trip, 59, 70, 3), Some(ms(19)));
        assert_eq!(note(&mut round_trip, 59, 70, 1), Some(ms(39)), "half the way up, after four in a row");
        assert_eq!(
            note(&mut round_trip, 0, 19, 1),
            Some(ms(29)),
            "half the way down from above what is configured"
        );
        // Those in a row begin anew.
        assert_eq!(note(&mut round_trip, 59, 70, 3), Some(ms(29)));
        assert_eq!(note(&mut round_trip, 29, 29, 1), Some(ms(29)), "one that agrees");
        assert_eq!(note(&mut round_trip, 59, 70, 3), Some(ms(29)));
        let mut fresh = RoundTrip::default();
        note(&mut fresh, 0, 12, 1);
        assert_eq!(fresh.taken(CONFIGURED), CONFIGURED, "not known yet");
        note(&mut fresh, 0, 12, 7);
        assert!(fresh.taken(CONFIGURED) < CONFIGURED);
        let mut slow = RoundTrip::default();
        note(&mut slow, 60, 70, 4);
        assert_eq!(slow.taken(CONFIGURED), ms(40), "what is proven to be longer counts before it is known");
    }

    #[test]
    fn slowness_begins_a_quarter_above_what_is_configured_and_ends_there() {
        let estimated = |micros: u64, is_reported| RoundTrip {
            estimate: Some(micros * 1_000),
            is_reported,
            ..RoundTrip::default()
        };
        assert!(!estimated(25_000, false).becomes_slow(CONFIGURED));
        assert!(estimated(25_001, false).becomes_slow(CONFIGURED));
        let mut told = estimated(20_001, true);
        assert!(!told.becomes_slow(CONFIGURED) && told.is_reported, "it still is");
        let mut over = estimated(20_000, true);
        assert!(!over.becomes_slow(CONFIGURED) && !over.is_reported);
    }
}
