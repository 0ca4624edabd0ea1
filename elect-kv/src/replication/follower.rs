//! What a follower does: it asks, writes through the fence, and acknowledges what is durable.

use elect_core::{Fenced, NodeId, Position, Stamp};

use super::journal::{Journal, WriteRefused};
use super::message::{Entry, Message, are_lawful};
use super::output::Output;
use super::replica::{Replica, Role};

impl Replica {
    /// Asks the leader to go on after `last`. What answers an earlier question is dropped from now on.
    pub(super) fn ask(&mut self, last: Position) {
        let Role::Follower(follower) = &mut self.role else { return };
        self.fetch = None;
        self.attempts += 1;
        follower.ask(self.attempts);
        let (leader, stamp) = (follower.leader(), follower.stamp());
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
        if !follower.expects(from, stamp, attempt) || !are_lawful(prev, entries, stamp) {
            return;
        }
        if !self.history.holds(prev) {
            let matched = follower.matched();
            match self.history.shared_at_most(prev) {
                Some(shared) => self.ask(shared),
                // What was dropped here is committed, so that a leader's log holds it: this one goes on before it only in
                // a message that was overtaken.
                None if matched < self.history.begin().offset => {
                    self.put(Output::Diverged { shared: prev, commit: self.commit });
                }
                None => {}
            }
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
                follower.on_written(stamp, matched);
                self.commit = self.commit.max(commit.min(matched));
                self.forget_received(journal);
            }
            Err(WriteRefused::Fenced(Fenced::Ahead { .. })) => follower.on_missed(),
            Err(_) => {}
        }
    }

    /// Acknowledges what is durable: the fence is passed again, as the last act (S7).
    pub(super) fn acknowledge(&mut self, journal: &impl Journal) {
        let Role::Follower(follower) = &mut self.role else { return };
        let Some(matched) = follower.take_owed_ack() else { return };
        let (leader, stamp) = (follower.leader(), follower.stamp());
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
            match self.history.shared_at_most(after) {
                Some(shared) => Message::PullMissed { stamp, shared },
                None => Message::Behind { stamp, attempt: 0 },
            }
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
        let of_leader = follower.leader() == from && follower.stamp() == stamp;
        if of_leader && !self.config.intact && self.durable >= entry.offset && self.history.holds(entry) {
            self.put(Output::Rebuilt(entry));
        }
    }
}
