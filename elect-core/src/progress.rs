//! How fast the log of a peer grows, as its leader sees it.

use core::time::Duration;

use crate::epoch::Position;
use crate::time::{Time, nanos};

/// Where a peer's log ended at two heartbeats of its leader, some heartbeats apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    older: Option<Mark>,
    newer: Option<Mark>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Time,
    position: Position,
}

impl Progress {
    /// How many heartbeats lie between two marks.
    const BEATS: u32 = 4;

    /// The peer was last heard to be at `position`; the leader's heartbeats are `interval` apart.
    pub(crate) fn note(&mut self, position: Option<Position>, now: Time, interval: Duration) {
        let Some(position) = position else {
            *self = Self::default();
            return;
        };
        let mark = Mark { at: now, position };
        match self.newer {
            Some(newer) if newer.position.epoch != position.epoch || newer.position > position => {
                *self = Self { older: None, newer: Some(mark) };
            }
            Some(newer) if now.since(newer.at) < interval * Self::BEATS => {}
            newer => *self = Self { older: newer, newer: Some(mark) },
        }
    }

    /// R38: entries per second, up to `position` at `now`; `None` if it has not been watched for long enough.
    pub(crate) fn rate(&self, position: Position, now: Time) -> Option<u64> {
        let mark = self.older.filter(|mark| mark.position.epoch == position.epoch)?;
        let gained = u128::from(position.offset.checked_sub(mark.position.offset)?);
        let rate = (gained * 1_000_000_000).checked_div(u128::from(nanos(now.since(mark.at))))?;
        Some(u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// The times and the positions of both marks.
    #[cfg(feature = "explore")]
    pub(crate) fn marks(&self) -> [Option<(Time, Position)>; 2] {
        [self.older, self.newer].map(|mark| mark.map(|mark| (mark.at, mark.position)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::Epoch;

    #[test]
    fn a_rate_is_that_of_late_and_of_one_epoch() {
        let at = |ms: u64| Time::from_nanos(ms * 1_000_000);
        let entry = |epoch, offset| Position::new(Epoch::new(epoch), offset);
        let interval = Duration::from_millis(50);
        let mut progress = Progress::default();
        for beat in 0..8 {
            progress.note(Some(entry(1, beat * 10)), at(beat * 50), interval);
        }
        assert_eq!(progress.rate(entry(1, 80), at(400)), Some(200));
        for beat in 8..20 {
            progress.note(Some(entry(1, 80)), at(beat * 50), interval);
        }
        assert_eq!(progress.rate(entry(1, 80), at(1_000)), Some(0), "what it gained earlier is forgotten");
        progress.note(Some(entry(2, 81)), at(1_050), interval);
        assert_eq!(progress.rate(entry(2, 81), at(1_100)), None, "another epoch");
        progress.note(None, at(1_100), interval);
        assert_eq!(progress.rate(entry(2, 81), at(1_100)), None);
    }

    #[test]
    fn what_falls_back_or_goes_on_in_another_epoch_is_watched_anew() {
        let at = |ms: u64| Time::from_nanos(ms * 1_000_000);
        let entry = |epoch, offset| Position::new(Epoch::new(epoch), offset);
        let interval = Duration::from_millis(50);
        let watched = || {
            let mut progress = Progress::default();
            progress.note(Some(entry(1, 0)), at(0), interval);
            progress.note(Some(entry(1, 40)), at(199), interval);
            assert_eq!(progress.rate(entry(1, 40), at(199)), None, "not long enough");
            progress.note(Some(entry(1, 40)), at(200), interval);
            assert_eq!(progress.rate(entry(1, 40), at(200)), Some(200));
            progress
        };
        let mut back = watched();
        back.note(Some(entry(1, 39)), at(250), interval);
        assert_eq!(back.rate(entry(1, 60), at(300)), None);
        let mut later = watched();
        assert_eq!(later.rate(entry(2, 60), at(250)), None, "offsets of two epochs are not compared");
        later.note(Some(entry(2, 60)), at(250), interval);
        later.note(Some(entry(2, 70)), at(450), interval);
        assert_eq!(later.rate(entry(2, 80), at(650)), Some(50), "from its first entry of that epoch on");
        let mut silent = watched();
        silent.note(None, at(250), interval);
        silent.note(Some(entry(1, 50)), at(450), interval);
        assert_eq!(silent.rate(entry(1, 50), at(450)), None);
    }
}
