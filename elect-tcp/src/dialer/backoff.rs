//! How long a dialer waits between attempts.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

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

/// A stream that lasted this long was sound: after it the waits begin anew.
const SOUND_AFTER: Duration = Duration::from_secs(1);

/// The waits of one dialer.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    /// How many waits there were since the last sound stream.
    attempt: usize,
    /// The attempt under way was made without a wait, because a stream had just closed.
    is_at_once: bool,
}

impl Backoff {
    /// No stream came about.
    pub(crate) fn after_failure(&mut self) -> Duration {
        self.is_at_once = false;
        self.next()
    }

    /// A stream that lasted so long has closed. The peer may be dead, and the next attempt is what proves it: that waits
    /// for nothing, however young the stream was. A peer that takes each stream and closes it again gets one such attempt
    /// for each wait.
    pub(crate) fn after_close(&mut self, lasted: Duration) -> Duration {
        if lasted >= SOUND_AFTER {
            *self = Self::default();
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

    const YOUNG: Duration = Duration::from_millis(100);

    /// A link younger than a second inherited the waits of the attempts before it: its peer was killed, and the dial that
    /// proves it came 502 ms later.
    #[test]
    fn the_first_dial_after_a_close_never_waits() {
        let mut backoff = Backoff::default();
        for _ in 0..20 {
            backoff.after_failure();
        }
        assert_eq!(backoff.after_close(YOUNG), Duration::ZERO);
        assert!(backoff.after_failure() >= Duration::from_millis(250), "the waits go on where they were");
        assert_eq!(backoff.after_close(YOUNG), Duration::ZERO);
    }

    #[test]
    fn a_peer_that_takes_streams_and_closes_them_is_dialled_twice_for_each_wait() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..40).map(|_| backoff.after_close(YOUNG)).collect();
        let late = &waits[20..];
        assert_eq!(late.iter().filter(|wait| wait.is_zero()).count(), 10);
        assert!(
            late.iter().filter(|wait| !wait.is_zero()).all(|&wait| wait >= Duration::from_millis(250)),
            "{late:?}"
        );
    }

    #[test]
    fn waits_begin_anew_after_a_sound_stream() {
        let mut backoff = Backoff::default();
        for _ in 0..20 {
            backoff.after_failure();
        }
        assert_eq!(backoff.after_close(SOUND_AFTER), Duration::ZERO);
        assert_eq!(backoff.after_failure(), Duration::ZERO);
        assert!(backoff.after_failure() <= Duration::from_millis(1));
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
