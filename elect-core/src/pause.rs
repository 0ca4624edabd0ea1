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
mod tests;
