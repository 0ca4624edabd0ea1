//! What a node knows of pauses of failover: the newest one, whom it keeps in office, and what was asked for here.

use core::time::Duration;

#[cfg(feature = "explore")]
use crate::describe::{StateSink, option, words};
use crate::epoch::Epoch;
use crate::frame::{PauseNumber, PauseStamp};
use crate::members::MemberIndex;
use crate::time::Time;

/// The longest pause.
pub(crate) const PAUSE_MAX: Duration = Duration::from_hours(24);
/// One frame counts at most this far: no broken frame uses the counts of an epoch up.
const COUNT_DISTANCE_MAX: u32 = 1 << 20;

/// The newest pause or resume, the last leader, and the own operator's request.
///
/// Invariants: failover is paused only by a known number · a request is for a pause that is not known yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pause {
    number: Option<PauseNumber>,
    /// Until when failover is paused; `None` if it is not.
    until: Option<Time>,
    taken_by: Option<MemberIndex>,
    /// Only the leader that took it knows.
    asked_by: Option<MemberIndex>,
    last_leader: Option<LastLeader>,
    /// The last leader handed over to this very node, which may campaign in its place until then.
    favoured_until: Option<Time>,
    request: Option<PauseRequest>,
}

/// Who led last, as far as this node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastLeader {
    pub(crate) leader: MemberIndex,
    pub(crate) epoch: Epoch,
}

/// What this node's operator asked for and the group does not show yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PauseRequest {
    /// The leader is asked to pause failover: this is a newer pause than `after`, and ends then.
    Pause { after: PauseNumber, until: Time, asks_until: Time },
    /// The first pause that is heard of is over.
    Resume { asks_until: Time },
}

/// What a stamp changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    Nothing,
    Paused { until: Time, is_new: bool },
    Resumed { was_paused: bool },
}

impl Pause {
    /// Until when failover is paused, if it is.
    #[inline]
    pub(crate) const fn until(&self) -> Option<Time> {
        self.until
    }

    #[inline]
    pub(crate) const fn is_active(&self) -> bool {
        self.until.is_some()
    }

    pub(crate) const fn number(&self) -> Option<PauseNumber> {
        self.number
    }

    pub(crate) const fn taken_by(&self) -> Option<MemberIndex> {
        self.taken_by
    }

    pub(crate) const fn asked_by(&self) -> Option<MemberIndex> {
        self.asked_by
    }

    pub(crate) const fn request(&self) -> Option<PauseRequest> {
        self.request
    }

    #[cfg(feature = "explore")]
    pub(crate) const fn last_leader(&self) -> Option<LastLeader> {
        self.last_leader
    }

    #[cfg(feature = "explore")]
    pub(crate) const fn favoured_until(&self) -> Option<Time> {
        self.favoured_until
    }

    /// R63: what each heartbeat and accept says.
    #[inline]
    pub(crate) fn stamp(&self, now: Time) -> Option<PauseStamp> {
        let remaining = self.until.map_or(Duration::ZERO, |until| until.since(now));
        self.number.map(|number| PauseStamp { number, remaining })
    }

    /// The number of a pause or resume that is newer than every known one and `than`, and that a leader of `epoch`
    /// takes.
    pub(crate) fn next_number(&self, epoch: Epoch, than: PauseNumber) -> PauseNumber {
        let newest = self.number.unwrap_or_default().max(than);
        if newest.epoch < epoch {
            return PauseNumber { epoch, count: 1 };
        }
        PauseNumber { count: newest.count.saturating_add(1), ..newest }
    }

    /// R63: the newest counts, of equals the shorter, and so the resume.
    pub(crate) fn note(&mut self, stamp: PauseStamp, now: Time) -> Noted {
        let PauseStamp { number, remaining } = stamp;
        let is_new = self.number.is_none_or(|known| number > known);
        let until = (!remaining.is_zero()).then(|| now + remaining.min(PAUSE_MAX));
        // Nothing is paused for as short as not at all.
        let shortens = self.number == Some(number)
            && self.until.is_some_and(|known| until.is_none_or(|until| until < known));
        if !(is_new || shortens) || !self.is_within_reach(number) {
            return Noted::Nothing;
        }
        if is_new {
            self.number = Some(number);
            self.asked_by = None;
            self.taken_by =
                self.last_leader.filter(|last| last.epoch == number.epoch).map(|last| last.leader);
            self.request = None;
        }
        let was_paused = core::mem::replace(&mut self.until, until).is_some();
        match until {
            Some(until) => Noted::Paused { until, is_new },
            None => Noted::Resumed { was_paused },
        }
    }

    fn is_within_reach(&self, number: PauseNumber) -> bool {
        let known = self.number.filter(|known| known.epoch == number.epoch);
        number.count <= known.map_or(0, |known| known.count).saturating_add(COUNT_DISTANCE_MAX)
    }

    /// Whether `stamp` would pause failover anew.
    pub(crate) fn would_pause(&self, stamp: PauseStamp) -> bool {
        !stamp.remaining.is_zero() && self.number.is_none_or(|known| stamp.number > known)
    }

    /// Its end has come: a resume of the same number, which is told to everybody.
    pub(crate) fn expire(&mut self) -> Noted {
        Noted::Resumed { was_paused: self.until.take().is_some() }
    }

    pub(crate) fn note_asker(&mut self, asker: MemberIndex) {
        self.asked_by = Some(asker);
    }

    /// R62: `leader` has led `epoch`: this node followed it, or was it, or hears from a follower of it.
    #[inline]
    pub(crate) fn note_leader(&mut self, leader: MemberIndex, epoch: Epoch) {
        if self.last_leader.is_none_or(|last| epoch >= last.epoch) {
            self.last_leader = Some(LastLeader { leader, epoch });
        }
        if self.taken_by.is_none() && self.number.is_some_and(|number| number.epoch == epoch) {
            self.taken_by = Some(leader);
        }
    }

    /// R62: whom the newest pause keeps in office; `None` if this node does not know: whom it followed before the
    /// leader that took the pause, or in an earlier life, says nothing.
    pub(crate) fn reservation(&self) -> Option<LastLeader> {
        let number = self.number?;
        self.last_leader.filter(|last| last.epoch >= number.epoch)
    }

    /// R62: who does not know for whom failover is paused believes those who do.
    pub(crate) fn learn_reservation(&mut self, leader: MemberIndex) {
        if self.reservation().is_none()
            && let Some(number) = self.number
        {
            self.last_leader = Some(LastLeader { leader, epoch: number.epoch });
        }
    }

    /// The last leader handed over to this node.
    pub(crate) fn favour(&mut self, until: Time) {
        self.favoured_until = Some(until);
    }

    /// Somebody leads, or the campaign of a favoured node is over.
    pub(crate) fn end_favour(&mut self) {
        self.favoured_until = None;
    }

    pub(crate) fn is_favoured(&self, now: Time) -> bool {
        self.favoured_until.is_some_and(|until| now < until)
    }

    pub(crate) fn ask(&mut self, request: PauseRequest) {
        self.request = Some(request);
    }

    pub(crate) fn withdraw_request(&mut self) {
        self.request = None;
    }

    /// R42: a request that nobody answers in time is given up.
    pub(crate) fn limit_request(&mut self, now: Time) {
        let Some(PauseRequest::Pause { asks_until, .. } | PauseRequest::Resume { asks_until }) = self.request
        else {
            return;
        };
        if now >= asks_until {
            self.request = None;
        }
    }
}

#[cfg(feature = "explore")]
impl Pause {
    /// Who took a pause, and who asked for it, only `explain` and the status say.
    pub(crate) fn describe(&self, sink: &mut impl StateSink) {
        option(sink, self.number().as_ref(), |sink, number| {
            words(sink, [number.epoch.number(), u64::from(number.count)]);
        });
        option(sink, self.last_leader().as_ref(), |sink, last| {
            words(sink, [last.leader.get() as u64, last.epoch.number()]);
        });
        for point in [self.until(), self.favoured_until()] {
            option(sink, point.as_ref(), |sink, until| sink.until(*until));
        }
        option(sink, self.request().as_ref(), |sink, request| match *request {
            PauseRequest::Pause { after, until, asks_until } => {
                words(sink, [0, after.epoch.number(), u64::from(after.count)]);
                sink.until(until);
                sink.until(asks_until);
            }
            PauseRequest::Resume { asks_until } => {
                sink.word(1);
                sink.until(asks_until);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(epoch: u64, count: u32, millis: u64) -> PauseStamp {
        let number = PauseNumber { epoch: Epoch::new(epoch), count };
        PauseStamp { number, remaining: Duration::from_millis(millis) }
    }

    fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn r63_the_newest_stamp_counts_lookup_table() {
        // (known, heard 10 ms later, until when it is paused then)
        let table = [
            (stamp(1, 1, 100), stamp(1, 1, 100), Some(100)),
            (stamp(1, 1, 100), stamp(1, 1, 80), Some(90)),
            (stamp(1, 1, 100), stamp(1, 1, 0), None),
            (stamp(1, 1, 0), stamp(1, 1, 100), None),
            (stamp(1, 1, 100), stamp(1, 2, 500), Some(510)),
            (stamp(1, 2, 0), stamp(1, 1, 100), None),
            (stamp(1, 9, 100), stamp(2, 1, 0), None),
            (stamp(2, 1, 0), stamp(1, 9, 100), None),
            (stamp(1, 2, 100), stamp(1, 1, 0), Some(100)),
            (stamp(1, 1, 100), stamp(1, 2 + (1 << 20), 0), Some(100)),
        ];
        for (known, heard, until) in table {
            let mut pause = Pause::default();
            pause.note(known, at(0));
            pause.note(heard, at(10));
            assert_eq!(pause.until(), until.map(at), "{heard:?} after {known:?}");
        }
    }

    #[test]
    fn r63_an_expired_pause_is_a_resume_of_its_number() {
        let mut pause = Pause::default();
        pause.note(stamp(1, 1, 100), at(0));
        assert_eq!(pause.expire(), Noted::Resumed { was_paused: true });
        assert_eq!(pause.stamp(at(100)), Some(stamp(1, 1, 0)));
        assert_eq!(pause.note(stamp(1, 1, 20), at(110)), Noted::Nothing, "another clock is slower");
    }

    #[test]
    fn r62_whom_a_pause_keeps_in_office() {
        let [a, b, c] = [0, 1, 2].map(MemberIndex::at);
        let mut pause = Pause::default();
        pause.note_leader(a, Epoch::new(3));
        assert_eq!(pause.reservation(), None, "there is no pause");
        pause.note(stamp(4, 1, 100), at(0));
        assert_eq!(pause.reservation(), None, "somebody has led since");
        pause.learn_reservation(b);
        pause.learn_reservation(c);
        assert_eq!(pause.reservation().map(|last| last.leader), Some(b));
        pause.note_leader(a, Epoch::new(3));
        assert_eq!(pause.reservation().map(|last| last.leader), Some(b));
        pause.note_leader(c, Epoch::new(5));
        assert_eq!(pause.reservation(), Some(LastLeader { leader: c, epoch: Epoch::new(5) }));
    }

    fn number(epoch: u64, count: u32) -> PauseNumber {
        PauseNumber { epoch: Epoch::new(epoch), count }
    }

    fn knowing(known: PauseStamp) -> Pause {
        let mut pause = Pause::default();
        pause.note(known, at(0));
        pause
    }

    #[test]
    fn r63_a_leader_takes_a_number_above_every_known_one_and_that_of_whoever_asks() {
        let pause = knowing(stamp(2, 3, 100));
        assert_eq!(pause.next_number(Epoch::new(1), number(1, 9)), number(2, 4));
        assert_eq!(pause.next_number(Epoch::new(2), number(0, 0)), number(2, 4));
        assert_eq!(pause.next_number(Epoch::new(4), number(3, 9)), number(4, 1));
        assert_eq!(pause.next_number(Epoch::new(4), number(5, 3)), number(5, 4));
    }

    #[test]
    fn r63_no_stamp_counts_further_than_one_frame_may() {
        let distance = COUNT_DISTANCE_MAX;
        for (known, count, is_noted) in [
            (stamp(1, 1, 0), distance + 1, true),
            (stamp(1, 1, 0), distance + 2, false),
            (stamp(1, distance, 0), distance * 2, true),
            (stamp(1, distance, 0), distance * 2 + 1, false),
        ] {
            assert_eq!(knowing(known).note(stamp(1, count, 5), at(0)) != Noted::Nothing, is_noted, "{count}");
        }
        // What is known of another epoch is no help.
        assert_eq!(knowing(stamp(1, distance, 0)).note(stamp(2, distance + 1, 5), at(0)), Noted::Nothing);
    }

    #[test]
    fn r63_a_pause_lasts_a_day_at_most_and_a_copy_of_its_stamp_changes_nothing() {
        let mut pause = Pause::default();
        let long = PauseStamp { remaining: PAUSE_MAX * 2, ..stamp(1, 1, 0) };
        let until = at(0) + PAUSE_MAX;
        assert_eq!(pause.note(long, at(0)), Noted::Paused { until, is_new: true });
        assert_eq!(pause.note(long, at(0)), Noted::Nothing);
        assert!(!pause.would_pause(long) && !pause.would_pause(stamp(1, 2, 0)));
        assert!(pause.would_pause(stamp(1, 2, 1)) && !pause.would_pause(stamp(0, 9, 1)));
        assert!(Pause::default().would_pause(stamp(1, 1, 1)));
    }

    #[test]
    fn r42_a_new_pause_answers_a_request_and_a_shorter_end_does_not() {
        let [a, b] = [0, 1].map(MemberIndex::at);
        let request = PauseRequest::Resume { asks_until: at(50) };
        let mut pause = Pause::default();
        pause.note_leader(a, Epoch::new(1));
        pause.note(stamp(1, 1, 100), at(0));
        assert_eq!(pause.taken_by(), Some(a));
        pause.note_asker(b);
        pause.ask(request);
        pause.note(stamp(1, 1, 50), at(0));
        assert_eq!(
            (pause.asked_by(), pause.request(), pause.until()),
            (Some(b), Some(request), Some(at(50)))
        );
        pause.note(stamp(2, 1, 100), at(0));
        assert_eq!(
            (pause.asked_by(), pause.request(), pause.taken_by()),
            (None, None, None),
            "by somebody else"
        );
        pause.ask(request);
        pause.limit_request(at(49));
        assert_eq!(pause.request(), Some(request));
        pause.limit_request(at(50));
        assert_eq!(pause.request(), None);
        pause.ask(request);
        pause.withdraw_request();
        assert_eq!(pause.request(), None);
    }

    #[test]
    fn r62_who_took_a_pause_is_whoever_led_its_epoch_as_soon_as_that_is_known() {
        let [a, b, c] = [0, 1, 2].map(MemberIndex::at);
        let mut pause = Pause::default();
        pause.note_leader(a, Epoch::new(1));
        pause.note(stamp(2, 1, 100), at(0));
        pause.note_leader(b, Epoch::new(3));
        assert_eq!(pause.taken_by(), None);
        pause.note_leader(c, Epoch::new(2));
        assert_eq!((pause.taken_by(), pause.reservation().map(|last| last.leader)), (Some(c), Some(b)));
        pause.note_leader(b, Epoch::new(2));
        assert_eq!(pause.taken_by(), Some(c), "one leader took it");
        // Of one epoch the last that is heard of counts.
        pause.note_leader(c, Epoch::new(3));
        assert_eq!(pause.reservation().map(|last| last.leader), Some(c));
    }

    #[test]
    fn r62_a_favour_ends_with_its_time_or_before() {
        let mut pause = Pause::default();
        pause.favour(at(5));
        assert!(pause.is_favoured(at(4)) && !pause.is_favoured(at(5)));
        pause.end_favour();
        assert!(!pause.is_favoured(at(4)));
    }
}
