//! Whether a peer hears what is sent to it, as its own frames show: each echoes the newest that it has heard.
//!
//! A stream may take every byte, and each may be acknowledged on the way, and nothing arrive: behind something between the
//! two that holds the near end open when the far one is gone. Nothing about the socket shows that. The peer's frames do, or
//! that there are none where its own stream takes everything as well.

use std::time::Duration;

use elect_core::Time;

/// Nobody is suspected sooner.
const SPAN_MIN: Duration = Duration::from_secs(1);
/// Each stream that was given up in vain doubles the span before the next one is, so many times.
const DOUBLINGS_MAX: u32 = 6;
/// A peer that says nothing at all may be stopped for a while: it gets so many times that span.
const SILENCE: u32 = 2;

/// What was sent to one peer in one group, and what it echoed.
#[derive(Debug)]
pub(crate) struct Echoes {
    /// The detection time: a peer that is silent for longer shows nothing.
    detection: Duration,
    /// Whether a stream stands at all.
    stands: bool,
    /// When the first frame left on this stream of which no echo has come, nor of a later one.
    unechoed: Option<Time>,
    /// Since when the peer's frames, one after the other, should have echoed it.
    suspected: Option<Time>,
    last_frame: Time,
    /// Streams that were given up since the last echo.
    in_vain: u32,
}

impl Echoes {
    pub(crate) const fn new(detection: Duration) -> Self {
        Self { detection, stands: false, unechoed: None, suspected: None, last_frame: Time::ZERO, in_vain: 0 }
    }

    /// A new stream stands, or none.
    pub(crate) fn on_stream(&mut self, stands: bool) {
        (self.stands, self.unechoed, self.suspected) = (stands, None, None);
    }

    /// A frame of this time leaves. Whether the stream is to be given up: of a peer that says nothing at all only a dial shows
    /// whether it is there.
    #[inline]
    pub(crate) fn on_sent(&mut self, sent: Time) -> bool {
        if !self.stands {
            return false;
        }
        let silent_since = self.last_frame.max(*self.unechoed.get_or_insert(sent));
        let is_silent = sent.since(silent_since) > self.span() * SILENCE;
        if is_silent {
            self.give_up();
        }
        is_silent
    }

    /// A frame of the peer has counted, and echoes one of that time. Whether the stream to it is to be given up.
    #[inline]
    pub(crate) fn on_frame(&mut self, echoed: Option<Time>, now: Time) -> bool {
        let was_silent = now.since(std::mem::replace(&mut self.last_frame, now)) > self.detection;
        let Some(unechoed) = self.unechoed else { return false };
        if echoed.is_some_and(|echoed| echoed >= unechoed) {
            (self.unechoed, self.suspected, self.in_vain) = (None, None, 0);
            return false;
        }
        if now.since(unechoed) <= self.span() {
            return false;
        }
        // Who was silent, stopped say, has its say first.
        let since = *self.suspected.get_or_insert(now);
        if was_silent {
            self.suspected = Some(now);
            return false;
        }
        let is_deaf = now.since(since) >= self.detection;
        if is_deaf {
            self.give_up();
        }
        is_deaf
    }

    fn give_up(&mut self) {
        self.on_stream(false);
        self.in_vain = (self.in_vain + 1).min(DOUBLINGS_MAX);
    }

    /// How long an echo may take.
    fn span(&self) -> Duration {
        (self.detection * 2).max(SPAN_MIN) * 2_u32.pow(self.in_vain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: Duration = Duration::from_millis(600);
    const PERIOD: Duration = Duration::from_millis(50);

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    /// Frames every 50 ms from both sides; the time at which the stream is given up, if it is.
    fn given_up(
        echoes: &mut Echoes,
        from: Time,
        until: Time,
        echo: impl Fn(Time) -> Option<Time>,
    ) -> Option<Time> {
        let mut now = from;
        while now < until {
            echoes.on_sent(now);
            if echoes.on_frame(echo(now), now) {
                return Some(now);
            }
            now = now + PERIOD;
        }
        None
    }

    #[test]
    fn a_peer_that_is_heard_and_echoes_nothing_is_given_up_later_each_time() {
        let mut echoes = Echoes::new(D);
        let (mut from, mut spans) = (at(0), Vec::new());
        for _ in 0..9 {
            echoes.on_stream(true);
            let end = given_up(&mut echoes, from, from + Duration::from_mins(5), |_| None).unwrap();
            spans.push(end.since(from).as_millis());
            from = end + PERIOD;
        }
        // Twice the detection time, doubled, and the detection time.
        assert_eq!(spans, [1850, 3050, 5450, 10250, 19850, 39050, 77450, 77450, 77450]);
        let now = from;
        echoes.on_stream(true);
        echoes.on_sent(now);
        assert!(!echoes.on_frame(Some(now), now));
        let end = given_up(&mut echoes, now, now + Duration::from_mins(1), |_| Some(at(5))).unwrap();
        assert_eq!(
            end.since(now).as_millis(),
            1850,
            "an echo makes them short again; that one is of an earlier stream"
        );
    }

    #[test]
    fn late_echoes_are_echoes() {
        let mut echoes = Echoes::new(D);
        echoes.on_stream(true);
        let late = |now: Time| {
            (now > at(1_100)).then(|| at(u64::try_from(now.since(at(1_100)).as_millis()).unwrap()))
        };
        assert_eq!(given_up(&mut echoes, at(0), at(600_000), late), None);
    }

    #[test]
    fn a_peer_that_says_nothing_is_given_up_later_each_time() {
        let mut echoes = Echoes::new(D);
        assert!(!echoes.on_sent(at(0)) && !echoes.on_sent(at(600_000)), "nothing stands");
        echoes.on_stream(true);
        echoes.on_sent(at(0));
        echoes.on_frame(Some(at(0)), at(0));
        let (mut from, mut spans) = (0, Vec::new());
        for _ in 0..4 {
            echoes.on_stream(true);
            let end = (from..).step_by(50).find(|now| echoes.on_sent(at(*now))).unwrap();
            spans.push(end - from);
            from = end;
        }
        assert_eq!(spans, [2_450, 4_850, 9_650, 19_250]);
    }

    #[test]
    fn nobody_is_given_up_to_whom_nothing_is_sent_or_who_was_stopped_for_a_moment() {
        let mut echoes = Echoes::new(D);
        echoes.on_stream(true);
        for now in (0..600_000).step_by(50) {
            assert!(!echoes.on_frame(None, at(now)), "nothing was sent");
        }
        let mut echoes = Echoes::new(D);
        echoes.on_stream(true);
        for now in (0..=2_400).step_by(50) {
            assert!(!echoes.on_sent(at(now)));
        }
        // Stopped for that long, and back: what it says first was said before, or answers nothing yet.
        assert!(!echoes.on_frame(None, at(2_400)));
        assert!(!echoes.on_frame(None, at(2_450)));
        assert!(!echoes.on_frame(Some(at(2_400)), at(2_500)));
    }
}
