//! When this node campaigns, and what it waits for before.

use core::time::Duration;

use crate::blocker::CampaignAt;
#[cfg(feature = "explore")]
use crate::describe::{StateSink, describe_position, option};
use crate::epoch::{Epoch, Position};
use crate::favour::Favour;
use crate::handover::HeadStart;
use crate::members::MemberIndex;
use crate::time::Time;
#[cfg(feature = "explore")]
use crate::time::nanos;

/// What elections of the past and of the moment leave behind for this node's next one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Campaign {
    /// When this node campaigns, while nothing but its rank keeps it from that.
    turn: Option<CampaignAt>,
    /// Not before this point may this node campaign.
    wait_until: Time,
    /// Rounds lost in a row.
    campaigns_lost: u32,
    /// Whom this node leaves to campaign alone for a while.
    head_start: Option<HeadStart>,
    /// The last released epoch that gave a head start: each gives one.
    released: Epoch,
    /// This node is the target of a handover and campaigns without delay.
    favour: Favour,
    /// The position with which this node failed to enter office: it campaigns behind the others until that moves.
    failed_at: Option<FailedAt>,
    /// Somebody has led since this life began, this node or another.
    had_leader: bool,
}

/// The position with which a way into office failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FailedAt(Option<Position>);

impl Campaign {
    /// This node campaigns.
    pub(crate) fn begun(&mut self) {
        self.turn = None;
        self.favour.end();
    }

    /// This node leads.
    pub(crate) fn won(&mut self) {
        self.campaigns_lost = 0;
        self.had_leader = true;
        self.head_start = None;
    }

    /// A campaign was lost: the next one takes longer, and comes after a longer wait.
    pub(crate) fn lost(&mut self) {
        self.campaigns_lost = self.campaigns_lost.saturating_add(1);
    }

    /// Another node leads, and this one follows it: whatever it waited for is over.
    pub(crate) fn leader_found(&mut self) {
        self.head_start = None;
        self.favour.end();
        self.wait_until = Time::ZERO;
        self.campaigns_lost = 0;
        self.had_leader = true;
    }

    /// This node gave its vote to another, or is unfit: it does not campaign by a handover any more.
    pub(crate) fn end_favour(&mut self) {
        self.favour.end();
    }

    /// This node does not campaign before that.
    pub(crate) fn wait_until(&mut self, until: Time) {
        self.wait_until = until;
    }

    /// R39: this node has released `epoch` to `target`, and leaves it alone until then.
    pub(crate) fn release(&mut self, epoch: Epoch, target: MemberIndex, until: Time) {
        self.released = epoch;
        self.head_start = Some(HeadStart { target, until, released: Some(epoch) });
    }

    /// R39: whether a release of this epoch gives a head start: each gives one.
    pub(crate) fn is_new_release(&self, epoch: Epoch) -> bool {
        epoch > self.released
    }

    /// A release was heard, whoever is its target.
    pub(crate) fn note_release(&mut self, epoch: Epoch) {
        self.released = epoch;
    }

    /// The last epoch that was released, as far as this node knows.
    pub(crate) const fn released(&self) -> Epoch {
        self.released
    }

    /// R39: another node is the target of a handover.
    pub(crate) fn leave_alone(&mut self, target: MemberIndex, until: Time) {
        self.head_start = Some(HeadStart { target, until, released: None });
    }

    /// R39: this node is the target of a handover. It `may_use` that unless it campaigns already, has given its vote,
    /// or is unfit: else it would outlive the election that it is for.
    pub(crate) fn become_target(&mut self, until: Time, may_use: bool) {
        if may_use {
            self.favour.give(until);
        }
        self.wait_until = Time::ZERO;
        self.head_start = None;
    }

    pub(crate) fn end_head_start(&mut self) {
        self.head_start = None;
    }

    /// The head start that was given last, over or not.
    pub(crate) const fn head_start(&self) -> Option<HeadStart> {
        self.head_start
    }

    /// R31: a way into office failed with this position.
    pub(crate) fn note_failed_way(&mut self, position: Option<Position>) {
        self.failed_at = Some(FailedAt(position));
    }

    /// This node has entered office.
    pub(crate) fn note_office(&mut self) {
        self.failed_at = None;
    }

    pub(crate) fn failed_at(&self, position: Option<Position>) -> bool {
        self.failed_at == Some(FailedAt(position))
    }

    pub(crate) const fn favour(&self) -> Favour {
        self.favour
    }

    /// Until when it waits, if that lies ahead.
    pub(crate) fn waits_until(&self, now: Time) -> Option<Time> {
        (self.wait_until > now).then_some(self.wait_until)
    }

    pub(crate) const fn campaigns_lost(&self) -> u32 {
        self.campaigns_lost
    }

    pub(crate) const fn had_leader(&self) -> bool {
        self.had_leader
    }

    pub(crate) const fn turn(&self) -> Option<CampaignAt> {
        self.turn
    }

    /// Something else than its rank keeps this node from campaigning.
    pub(crate) fn end_turn(&mut self) {
        self.turn = None;
    }

    /// Only its rank, with this delay, keeps this node from campaigning at `at`.
    pub(crate) fn await_turn(&mut self, at: Time, delay: Duration, now: Time) {
        let since = self.turn.map_or(now, |turn| turn.since);
        self.turn = Some(CampaignAt { since, at, delay });
    }

    /// R32: when a node of this delay campaigns. When a better one disappears, all behind it move up together, and none
    /// may catch up with the next: the delay left starts anew, and never ends later than before. When one appears, it
    /// is longer, and never ends later than if it had been there from the beginning.
    pub(crate) fn turn_after(&self, delay: Duration, now: Time) -> Time {
        let Some(turn) = self.turn else { return now + delay };
        match delay.checked_sub(turn.delay) {
            Some(longer) => (turn.at + longer).min(turn.at.max(turn.since + delay)),
            None => turn.at.min(now + delay),
        }
    }
}

#[cfg(feature = "explore")]
impl Campaign {
    /// No turn is looked back at for longer than `longest`.
    pub(crate) fn describe(&self, sink: &mut impl StateSink, longest: Duration) {
        let Self { turn, wait_until, campaigns_lost, head_start, released, favour, failed_at, had_leader } =
            self;
        option(sink, head_start.as_ref(), |sink, head_start| {
            sink.word(head_start.target.get() as u64);
            sink.until(head_start.until);
            option(sink, head_start.released.as_ref(), |sink, released| sink.word(released.number()));
        });
        sink.word(released.number());
        option(sink, favour.until().as_ref(), |sink, until| sink.until(*until));
        // More make no difference to waits and campaigns.
        sink.word(u64::from((*campaigns_lost).min(4)));
        sink.until(*wait_until);
        sink.word(u64::from(*had_leader));
        option(sink, turn.as_ref(), |sink, turn| {
            sink.since(turn.since, longest);
            sink.until(turn.at);
            sink.word(nanos(turn.delay));
        });
        option(sink, failed_at.as_ref(), |sink, failed| describe_position(sink, failed.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_lookup_table() {
        // (the turn: since, at, delay; the new delay, now, when it is due): one step is 10.
        let table = [
            // Nothing is awaited.
            (None, 20, 100, 120),
            // The same rank.
            (Some((100, 120, 20)), 20, 105, 120),
            // A better one disappears: what is left begins anew, and ends no later than before.
            (Some((100, 120, 20)), 10, 105, 115),
            (Some((100, 120, 20)), 10, 115, 120),
            // One appears: it is later by that one, as if it had been there from the beginning.
            (Some((100, 120, 20)), 30, 105, 130),
            // It moved up before: no later than if all had been there from the beginning, and no earlier than it was.
            (Some((100, 104, 10)), 30, 103, 124),
            (Some((100, 125, 10)), 20, 103, 125),
        ];
        let (time, span) = (Time::from_nanos, Duration::from_nanos);
        for (turn, delay, now, due) in table {
            let turn = turn.map(|(since, at, delay)| CampaignAt {
                since: time(since),
                at: time(at),
                delay: span(delay),
            });
            let campaign = Campaign { turn, ..Campaign::default() };
            assert_eq!(campaign.turn_after(span(delay), time(now)), time(due), "{turn:?}, {delay} at {now}");
        }
    }
}
