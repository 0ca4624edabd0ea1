//! How long a dialer waits between attempts, and for each.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

/// Waits between attempts: short at first, because a process that dies closes its streams before its listener.
pub(super) const WAITS: [Duration; 7] = [
    Duration::ZERO,
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
];

/// The short waits begin anew after a close, but in the long run not more often than this: a peer that takes each stream and
/// closes it again is dialled about ten times a second.
const ANEW_AFTER: Duration = Duration::from_secs(1);
/// After a stream that lived for this long they always do: its peer was there, and may have died as soon as it was back.
const LIVED: Duration = Duration::from_millis(100);

/// What a peer may bring about so many times in a row, and once more after each span.
#[derive(Debug)]
pub(super) struct Budget {
    left: u32,
    every: Duration,
    since: Option<Instant>,
}

/// See [`Budget`].
const IN_A_ROW: u32 = 4;

impl Budget {
    /// How often a peer that dials in may end a wait. Two nodes that take each other's greetings and close the streams would
    /// otherwise wake each other without end.
    pub(super) const fn of_wakes() -> Self {
        Self::of(Duration::from_millis(500))
    }

    /// How often a stream that closes soon may make the waits begin anew. A peer that takes each stream and closes it again
    /// would otherwise be dialled without end, and one that dies again as soon as it is back must be seen dead as soon.
    const fn of_closes() -> Self {
        Self::of(ANEW_AFTER)
    }

    const fn of(every: Duration) -> Self {
        Self { left: IN_A_ROW, every, since: None }
    }

    /// Whether it may once more.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let earned = now.saturating_duration_since(since).as_millis() / self.every.as_millis();
        if earned > 0 {
            self.left = IN_A_ROW.min(self.left.saturating_add(u32::try_from(earned).unwrap_or(IN_A_ROW)));
            self.since = Some(now);
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

/// A dial after a close is given at least this long: a machine that is busy with the end of a process answers late.
const SOONEST: Duration = Duration::from_millis(10);
/// A dial after a close is given so many times what the last one took.
const MARGIN: u32 = 4;

/// How long a dial may take.
///
/// A listener that is just being closed drops what reaches it, without a word, and TCP says it again after a second. A
/// dial that lasts is therefore given up early after a close, when a refusal is worth most, and made again; each that was
/// given up doubles what the next one gets, up to what is configured.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// What the last dial took that made a stream.
    took: Option<Duration>,
    /// What the next one is given, if that is less than what is configured.
    hasty: Option<Duration>,
}

impl Patience {
    /// What the next dial is given of `configured`.
    pub(super) fn bound(&self, configured: Duration) -> Duration {
        self.hasty.map_or(configured, |hasty| hasty.min(configured))
    }

    /// A stream has closed. Where it is not known what a dial takes, none is hurried.
    pub(super) fn after_close(&mut self) {
        self.hasty = self.took.map(|took| took.saturating_mul(MARGIN).max(SOONEST));
    }

    /// The peer took a dial after that time.
    pub(super) fn answered(&mut self, took: Duration) {
        self.took = Some(took);
    }

    /// A dial was not answered in its time.
    pub(super) fn unanswered(&mut self) {
        self.hasty = self.hasty.map(|hasty| hasty.saturating_mul(2));
    }
}

/// The waits of one dialer.
#[derive(Debug)]
pub(crate) struct Backoff {
    /// How many waits there were since they began anew.
    attempt: usize,
    /// How often they may do so.
    closes: Budget,
    /// The attempt under way was made without a wait, because a stream had just closed.
    is_at_once: bool,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { attempt: 0, closes: Budget::of_closes(), is_at_once: false }
    }
}

impl Backoff {
    /// No stream came about.
    pub(crate) fn after_failure(&mut self) -> Duration {
        self.is_at_once = false;
        self.next()
    }

    /// A stream has closed. The peer may be dead, and a refused dial is what proves it: the next attempt waits for
    /// nothing, however young the stream was, and those after it wait for little, because a process that dies closes its
    /// streams before its listener. `lived` is for how long the stream had stood.
    pub(crate) fn after_close(&mut self, lived: Duration, now: Instant) -> Duration {
        if lived >= LIVED || self.closes.take(now) {
            (self.attempt, self.is_at_once) = (0, false);
        }
        if self.is_at_once {
            return self.after_failure();
        }
        self.is_at_once = true;
        Duration::ZERO
    }

    /// The next wait, cut by up to half: two nodes that lost each other do not dial in step.
    fn next(&mut self) -> Duration {
        let wait = WAITS[self.attempt.min(WAITS.len() - 1)];
        self.attempt += 1;
        let random = RandomState::new().build_hasher().finish() % 1024;
        let cut = wait / 2 * u32::try_from(random).unwrap_or(0) / 1024;
        wait.saturating_sub(cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURED: Duration = Duration::from_millis(500);

    #[test]
    fn a_dial_after_a_close_is_given_little_time_and_each_that_fails_the_next_one_more() {
        let mut patience = Patience::default();
        patience.after_close();
        assert_eq!(patience.bound(CONFIGURED), CONFIGURED, "nobody knows what a dial takes");
        patience.answered(Duration::from_micros(30));
        assert_eq!(patience.bound(CONFIGURED), CONFIGURED, "nothing has closed");
        patience.after_close();
        let bounds: Vec<_> = (0..8)
            .map(|_| {
                let bound = patience.bound(CONFIGURED);
                patience.unanswered();
                bound.as_millis()
            })
            .collect();
        assert_eq!(bounds, [10, 20, 40, 80, 160, 320, 500, 500]);
    }

    #[test]
    fn a_far_peer_is_not_hurried() {
        let mut patience = Patience::default();
        patience.answered(Duration::from_millis(100));
        patience.after_close();
        assert_eq!(patience.bound(CONFIGURED), Duration::from_millis(400));
        patience.answered(Duration::from_millis(200));
        patience.after_close();
        assert_eq!(patience.bound(CONFIGURED), CONFIGURED);
    }

    /// Too short a life to prove anything.
    const SHORT: Duration = Duration::from_millis(99);

    /// After this many failures the waits are long.
    fn tired() -> Backoff {
        let mut backoff = Backoff::default();
        for _ in 0..20 {
            backoff.after_failure();
        }
        backoff
    }

    /// A link younger than a second inherited the waits of the attempts before it: its peer was killed, and the dial that
    /// proves it came 502 ms later, or was taken by the listener of the dying process and repeated that late.
    #[test]
    fn after_a_close_the_first_dial_never_waits_and_the_next_ones_little() {
        let (mut backoff, now) = (tired(), Instant::now());
        assert_eq!(backoff.after_close(SHORT, now), Duration::ZERO);
        let waits: Vec<_> = (0..4).map(|_| backoff.after_failure()).collect();
        assert!(waits.iter().sum::<Duration>() <= Duration::from_millis(26), "{waits:?}");
    }

    /// The waits began anew after the first of these only: a primary that died 80 ms after it was back, and whose listener took
    /// the first dial as it died, was not seen dead for the whole detection time.
    #[test]
    fn a_few_closes_in_a_row_make_the_waits_begin_anew_and_each_later_one_makes_one_dial_at_once() {
        let (mut backoff, now) = (tired(), Instant::now());
        for close in 0..IN_A_ROW {
            assert_eq!(backoff.after_close(SHORT, now + SHORT * close), Duration::ZERO);
            let waits: Vec<_> = (0..4).map(|_| backoff.after_failure()).collect();
            assert!(waits.iter().sum::<Duration>() <= Duration::from_millis(26), "{waits:?}");
            for _ in 0..20 {
                backoff.after_failure();
            }
        }
        let now = now + SHORT * IN_A_ROW;
        assert_eq!(backoff.after_close(SHORT, now), Duration::ZERO);
        assert!(backoff.after_failure() >= Duration::from_millis(250), "the waits go on where they were");
        backoff.after_close(SHORT, now + ANEW_AFTER);
        assert_eq!(backoff.after_failure(), Duration::ZERO, "they begin anew");
    }

    /// The waits began anew once a second only: of a peer that died twice within it, the listener of the dying process took
    /// the first dial, and the next one came 435 ms later.
    #[test]
    fn a_peer_that_dies_again_as_soon_as_it_is_back_is_seen_dead_as_soon() {
        let begin = Instant::now();
        let mut backoff = tired();
        for death in 0..20 {
            let now = begin + LIVED * death;
            assert_eq!(backoff.after_close(LIVED, now), Duration::ZERO);
            let waits: Vec<_> = (0..4).map(|_| backoff.after_failure()).collect();
            assert!(waits.iter().sum::<Duration>() <= Duration::from_millis(26), "{waits:?}");
            for _ in 0..20 {
                backoff.after_failure();
            }
        }
    }

    #[test]
    fn a_peer_that_closes_each_stream_after_a_while_is_dialled_once_for_each() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        for close in 0..20 {
            assert_eq!(
                backoff.after_close(LIVED, now + LIVED * close),
                Duration::ZERO,
                "at most ten times a second"
            );
        }
    }

    #[test]
    fn a_peer_that_takes_streams_and_closes_them_is_not_dialled_without_end() {
        let (mut backoff, begin) = (Backoff::default(), Instant::now());
        let (mut now, mut dials) = (begin, 0);
        while now < begin + ANEW_AFTER * 60 {
            now += backoff.after_close(SHORT, now);
            dials += 1;
        }
        assert!(dials <= 60 * 20, "{dials} in a minute");
    }

    #[test]
    fn a_peer_that_dials_in_again_and_again_ends_few_waits() {
        let begin = Instant::now();
        let mut wakes = Budget::of_wakes();
        let ended = (0..60_000).filter(|&at| wakes.take(begin + Duration::from_millis(at))).count();
        assert!((100..=60 * 2 + IN_A_ROW as usize).contains(&ended), "{ended} in a minute");
        let later = begin + Duration::from_mins(2);
        let in_a_row = (0..20).filter(|_| wakes.take(later)).count();
        assert_eq!(in_a_row, IN_A_ROW as usize, "a peer that comes back is dialled at once, and then some");
    }

    #[test]
    fn waits_differ_by_chance_and_are_never_longer_than_the_table() {
        let longest = || {
            let mut backoff = Backoff { attempt: WAITS.len(), ..Backoff::default() };
            backoff.after_failure()
        };
        let waits: Vec<_> = (0..64).map(|_| longest()).collect();
        let bounds = Duration::from_millis(250)..=Duration::from_millis(500);
        assert!(waits.iter().all(|wait| bounds.contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    }
}
