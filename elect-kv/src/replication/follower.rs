//! What a follower does: it asks, writes through the fence, and acknowledges what is durable.

use elect_core::{Epoch, Fenced, NodeId, Position, Stamp};

use super::message::{Entry, Message};
use super::replica::{Journal, Output, Replica, Role, WriteRefused, are_lawful};

/// A follower's view of its leader.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) leader: NodeId,
    /// The stamp under which acknowledgements are given.
    epoch: Epoch,
    /// Appends that answer another question are dropped.
    attempt: u64,
    /// The own log equals the leader's up to here.
    matched: u64,
    /// `matched` or `epoch` moved since the last acknowledgement.
    owes_ack: bool,
    /// An append was dropped because its epoch is not adopted yet: asks again after the adoption.
    missed: bool,
}

impl Follower {
    pub(super) fn new(leader: NodeId, epoch: Epoch) -> Self {
        Self { leader, epoch, attempt: 0, matched: 0, owes_ack: false, missed: false }
    }

    /// Whether nothing need be asked when the elector says that `leader` is followed in `epoch`.
    pub(super) fn is_up_to_date(&self, leader: NodeId, epoch: Epoch) -> bool {
        self.leader == leader && self.epoch == epoch && !self.missed
    }
}

impl Replica {
    /// Asks the leader to go on after `last`. What answers an earlier question is dropped from now on.
    pub(super) fn ask(&mut self, last: Position) {
        let Role::Follower(follower) = &mut self.role else { return };
        self.attempts += 1;
        follower.attempt = self.attempts;
        follower.missed = false;
        let (leader, stamp) = (follower.leader, Stamp::received(follower.epoch));
        let message = Message::Follow { stamp, attempt: self.attempts, last, intact: self.config.intact };
        self.send(leader, message);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    pub(super) fn on_append(
        &mut self,
        from: NodeId,
        stamp: Stamp,
        attempt: u64,
        prev: Position,
        entries: &[Entry],
        commit: u64,
        journal: &mut impl Journal,
    ) {
        let Role::Follower(follower) = &self.role else { return };
        let expected =
            follower.leader == from && follower.epoch <= stamp.epoch() && follower.attempt == attempt;
        if !expected || !are_lawful(prev, entries, stamp) {
            return;
        }
        if !self.history.holds(prev) {
            self.ask(self.history.shared_at_most(prev));
            return;
        }
        // An append without new entries still carries a commit: the fence is asked all the same.
        let written = journal
            .ack(stamp)
            .map_err(WriteRefused::Fenced)
            .and_then(|()| self.merge(stamp, prev, entries, journal));
        let Role::Follower(follower) = &mut self.role else { return };
        match written {
            Ok(()) => {
                let matched = prev.offset + entries.len() as u64;
                follower.epoch = stamp.epoch();
                follower.matched = follower.matched.max(matched);
                follower.owes_ack = true;
                self.commit = self.commit.max(commit.min(matched));
            }
            Err(WriteRefused::Fenced(Fenced::Ahead { .. })) => follower.missed = true,
            Err(_) => {}
        }
    }

    /// Acknowledges what is durable: the fence is passed again, as the last act (S7).
    pub(super) fn acknowledge(&mut self, journal: &impl Journal) {
        let Role::Follower(follower) = &mut self.role else { return };
        if !std::mem::take(&mut follower.owes_ack) {
            return;
        }
        let stamp = Stamp::received(follower.epoch);
        let (leader, matched) = (follower.leader, follower.matched);
        if journal.ack(stamp).is_ok() {
            self.send(leader, Message::Ack { stamp, matched });
        }
    }

    /// A winner pulls: the answer comes from durable entries, and only while what it wants is still here.
    pub(super) fn on_pull(
        &mut self,
        from: NodeId,
        stamp: Stamp,
        want: Position,
        after: Position,
        journal: &mut impl Journal,
    ) {
        let message = if self.durable < want.offset || !self.history.holds(want) {
            Message::PullLost { stamp }
        } else if !self.history.holds(after) {
            Message::PullMissed { stamp, shared: self.history.shared_at_most(after) }
        } else {
            let entries = journal.read(after.offset, want.offset, self.config.message_bytes);
            if entries.is_empty() {
                return;
            }
            Message::Pulled { stamp, after, entries }
        };
        self.send(from, message);
    }

    pub(super) fn on_rebuilt(&mut self, from: NodeId, stamp: Stamp, entry: Position) {
        let Role::Follower(follower) = &self.role else { return };
        let of_leader = follower.leader == from && follower.epoch == stamp.epoch();
        if of_leader && !self.config.intact && self.durable >= entry.offset && self.history.holds(entry) {
            self.put(Output::Rebuilt(entry));
        }
    }
}
