//! Replaced storage: how a node that lost its record earns its vote back (S13).

use core::time::Duration;

use crate::elector::Elector;
use crate::event::{RebuiltTo, RequestRefused};
use crate::members::MemberKind;
use crate::rebuild::NotRebuilt;
use crate::step::{Requested, Step};
use crate::time::Time;

impl Elector {
    /// The host claims that its replaced storage holds everything up to an entry written after its return (S13).
    ///
    /// R45: the claim counts once this node has followed one leader, by frames that echo nonces of this
    /// incarnation, without interruption and for longer than the largest detection time; the vote comes back
    /// when that is durable ([`Duty::Rebuilt`](crate::Duty::Rebuilt)).
    pub fn on_rebuilt(&mut self, to: RebuiltTo, now: Time) -> Requested<'_> {
        self.begin_input(now);
        let checked =
            self.is_running().and_then(|()| self.check_rebuilt(to).map_err(RequestRefused::NotRebuilt));
        if checked.is_ok() {
            self.save_rebuilt();
        }
        self.end_input();
        Requested::new(Step::new(&mut self.out), checked)
    }

    fn check_rebuilt(&self, to: RebuiltTo) -> Result<(), NotRebuilt> {
        if !self.is_replaced() {
            return Err(NotRebuilt::NotReplaced);
        }
        // R59: with its vote back a node without the final genesis would count as replaced again.
        if self.state.durable.is_saving() || self.wanted_genesis().is_some() {
            return Err(NotRebuilt::Saving);
        }
        let followed = self.followed().ok_or(NotRebuilt::NoLeader)?;
        // R45: silence proves nothing. What counts is how long the leader led, as echoes of own nonces show.
        if followed.proven.since(followed.since) <= self.config.promise_span(self.longest_promise()) {
            return Err(NotRebuilt::TooEarly);
        }
        let leader_keeps_no_log = self.state.peers.view(followed.leader).position().is_none();
        let holds_nothing =
            self.kind == MemberKind::Witness || (leader_keeps_no_log && self.state.position.is_none());
        match to.entry {
            None if holds_nothing => Ok(()),
            Some(entry) if entry.epoch == followed.epoch => Ok(()),
            _ => Err(NotRebuilt::NotOfTheLeader),
        }
    }

    /// R45: the longest promise that the lost life may have given: by its own configuration, which this record keeps
    /// the maximum of, the present one's included; or to a member of another configuration, as it was heard. No leader
    /// uses a longer one than it allows.
    fn longest_promise(&self) -> Duration {
        self.state.durable.record().detection_max.max(self.state.this_life.detection_heard())
    }

    /// A witness holds no data: time alone rebuilds it.
    pub(super) fn rebuild_witness(&mut self) {
        if self.kind == MemberKind::Witness && self.check_rebuilt(RebuiltTo { entry: None }).is_ok() {
            self.save_rebuilt();
        }
    }
}
