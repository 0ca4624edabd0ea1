//! What a leader does: it catches up, appends its own entry, sends, and counts acknowledgements.

use bytes::Bytes;
use elect_core::{NodeId, Position, Source, Stamp};

use super::journal::{Journal, WriteRefused};
use super::leader_state::Progress;
use super::message::{Entry, Message, are_lawful};
use super::output::Output;
use super::replica::{Follow, Replica, Role};

impl Replica {
    pub(super) fn append(
        &mut self,
        stamp: Stamp,
        commands: Vec<Bytes>,
        journal: &mut impl Journal,
    ) -> Result<u64, WriteRefused> {
        match &self.role {
            Role::Leader(leader) if leader.epoch() == stamp.epoch() && leader.is_replicating() => {}
            _ => return Err(WriteRefused::NotLeading),
        }
        let epoch = stamp.epoch();
        let entries: Vec<_> = commands.into_iter().map(|command| Entry { epoch, command }).collect();
        let last = self.history.last();
        journal.write(stamp, last, &entries)?;
        for _ in &entries {
            self.history.append(epoch);
        }
        Ok(last.offset + 1)
    }

    /// An entry of the own epoch: without it nothing that earlier leaders wrote may be counted as committed
    /// (Raft's figure 8).
    pub(super) fn append_own_entry(&mut self, journal: &mut impl Journal) {
        let Role::Leader(leader) = &self.role else { return };
        let stamp = leader.stamp();
        // A refusal means that the elector has moved on: its event follows.
        let Ok(own) = self.append(stamp, vec![Bytes::new()], journal) else { return };
        let Role::Leader(leader) = &mut self.role else { return };
        leader.on_own_entry(own);
        for (peer, follow) in std::mem::take(&mut self.early) {
            self.on_follow(peer, follow, journal);
        }
        self.pump_all(journal);
    }

    pub(super) fn on_follow(&mut self, from: NodeId, follow: Follow, journal: &mut impl Journal) {
        let Role::Leader(leader) = &self.role else {
            self.early.insert(from, follow);
            return;
        };
        if follow.epoch > leader.epoch() || !leader.is_replicating() {
            self.early.insert(from, follow);
            return;
        }
        if follow.epoch < leader.epoch() {
            return;
        }
        let stamp = leader.stamp();
        let Some(prev) = self.history.shared_at_most(follow.last) else {
            return self.leave_behind(from, follow.attempt);
        };
        journal.sent(from);
        let rebuilds_with = if follow.intact {
            None
        } else {
            // The proof of a rebuilt storage is an entry that is appended after its return.
            self.append(stamp, vec![Bytes::new()], journal).ok()
        };
        let voter = self.config.peers.iter().any(|peer| peer.id == from && peer.counts);
        let counts = voter && follow.intact;
        let progress = Progress::new(follow.attempt, prev.offset + 1, counts, rebuilds_with);
        let Role::Leader(leader) = &mut self.role else { return };
        leader.add_follower(from, progress);
        self.send_next(from, journal);
        if rebuilds_with.is_some() {
            self.pump_all(journal);
        }
    }

    /// What follows this follower's log was dropped: it asks again once it has taken the state.
    fn leave_behind(&mut self, peer: NodeId, attempt: u64) {
        let Role::Leader(leader) = &mut self.role else { return };
        leader.forget(peer);
        let stamp = leader.stamp();
        self.send(peer, Message::Behind { stamp, attempt });
    }

    pub(super) fn on_ack(&mut self, from: NodeId, stamp: Stamp, matched: u64, journal: &mut impl Journal) {
        let last = self.history.last().offset;
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.epoch() != stamp.epoch() || matched > last {
            return;
        }
        let Some(progress) = leader.follower_mut(from) else { return };
        progress.on_ack(matched);
        let before = self.commit;
        self.count();
        if self.commit > before {
            // A newer commit for everybody, not only for the one whose acknowledgement completed the quorum.
            self.pump_all(journal);
        } else {
            self.pump(from, journal);
            self.tell_rebuilt(from);
        }
    }

    fn tell_rebuilt(&mut self, peer: NodeId) {
        let commit = self.commit;
        let Role::Leader(leader) = &mut self.role else { return };
        let stamp = leader.stamp();
        let history = &self.history;
        let proof = leader.follower_mut(peer).and_then(|progress| {
            // Any later one that both hold will do: the one that was written for it may have been dropped.
            history.position(progress.rebuilt(commit)?).inspect(|_| progress.on_rebuilt())
        });
        if let Some(entry) = proof {
            self.send(peer, Message::Rebuilt { stamp, entry });
        }
    }

    /// The primary's own acknowledgement passes the fence like everybody's (S7).
    pub(super) fn count_own(&mut self, journal: &mut impl Journal) {
        let durable = self.durable;
        let Role::Leader(leader) = &mut self.role else { return };
        if !leader.owes_own_ack(durable) {
            return;
        }
        if journal.ack(leader.stamp()).is_ok() {
            leader.on_own_ack(durable);
            self.count();
            self.pump_all(journal);
        }
    }

    /// Commits what a write quorum holds, once that includes an entry of the own epoch.
    fn count(&mut self) {
        let Role::Leader(leader) = &self.role else { return };
        if let Some(held) = leader.committed(self.config.write_quorum, self.config.counts) {
            self.commit = self.commit.max(held);
        }
    }

    pub(super) fn pump_all(&mut self, journal: &mut impl Journal) {
        let Role::Leader(leader) = &self.role else { return };
        for peer in leader.followers() {
            self.pump(peer, journal);
            self.tell_rebuilt(peer);
        }
    }

    /// Sends what fits into the window: new entries, or a newer commit when nothing is under way.
    fn pump(&mut self, peer: NodeId, journal: &mut impl Journal) {
        loop {
            let (last, commit, window) = (self.history.last().offset, self.commit, self.config.window);
            let Role::Leader(leader) = &self.role else { return };
            let Some(progress) = leader.follower(peer) else { return };
            if !progress.wants_append(last, commit, window) || !self.send_next(peer, journal) {
                return;
            }
        }
    }

    /// Sends one append, with entries if there are any. Whether it could.
    fn send_next(&mut self, peer: NodeId, journal: &mut impl Journal) -> bool {
        let (last, commit, bytes_max) = (self.history.last().offset, self.commit, self.config.message_bytes);
        let Role::Leader(leader) = &mut self.role else { return false };
        let stamp = leader.stamp();
        let Some(progress) = leader.follower_mut(peer) else { return false };
        let next = progress.next();
        let Some(prev) = self.history.position(next - 1) else {
            let attempt = progress.attempt();
            self.leave_behind(peer, attempt);
            return false;
        };
        let entries = if next <= last { journal.read(prev.offset, last, bytes_max) } else { Vec::new() };
        if next <= last && entries.is_empty() {
            return false; // The storage failed: the host is about to stop.
        }
        progress.on_sent(entries.len() as u64, commit);
        let attempt = progress.attempt();
        self.send(peer, Message::Append { stamp, attempt, prev, entries, commit });
        true
    }

    /// Asks the source for what follows the last entry that both may share.
    pub(super) fn pull_from_shared(&mut self, other: Position) {
        match self.history.shared_at_most(other) {
            Some(shared) => self.pull(shared),
            // What was dropped here is committed: the source holds it, or has lost it.
            None => self.put(Output::Diverged { shared: other, commit: self.commit }),
        }
    }

    /// Asks the source for what follows `after`.
    pub(super) fn pull(&mut self, after: Position) {
        let Role::Leader(leader) = &self.role else { return };
        if let Some(source) = leader.source() {
            let stamp = leader.stamp();
            self.send(source.peer, Message::Pull { stamp, want: source.position, after });
        }
    }

    /// The source of this pull, if `from` and `stamp` answer it.
    pub(super) fn source_of(&self, from: NodeId, stamp: Stamp) -> Option<Source> {
        let Role::Leader(leader) = &self.role else { return None };
        leader.source().filter(|source| source.peer == from && leader.stamp() == stamp)
    }

    pub(super) fn on_pulled(
        &mut self,
        from: NodeId,
        stamp: Stamp,
        after: Position,
        mut entries: Vec<Entry>,
        journal: &mut impl Journal,
    ) {
        let Some(source) = self.source_of(from, stamp) else { return };
        entries.truncate(
            usize::try_from(source.position.offset.saturating_sub(after.offset)).unwrap_or(usize::MAX),
        );
        if !self.history.holds(after) || entries.is_empty() || !are_lawful(after, &entries, stamp) {
            return;
        }
        let merged = self.merge(stamp, after, &entries, journal).is_ok();
        self.forget_received(journal);
        if merged && !self.history.holds(source.position) {
            let reached = after.offset + entries.len() as u64;
            self.pull(self.history.position(reached).expect("just merged"));
        }
    }

    pub(super) fn on_pull_missed(&mut self, from: NodeId, stamp: Stamp, shared: Position) {
        if self.source_of(from, stamp).is_some() {
            self.pull_from_shared(shared);
        }
    }

    pub(super) fn on_pull_lost(&mut self, from: NodeId, stamp: Stamp) {
        if self.source_of(from, stamp).is_some() {
            self.put(Output::SourceLost { epoch: stamp.epoch() });
        }
    }

    /// Caught up means: the very position that the source's accept reported is durable here.
    pub(super) fn check_caught_up(&mut self) {
        let durable = self.durable;
        let Role::Leader(leader) = &mut self.role else { return };
        if let Some(source) = leader.source()
            && source.position.offset <= durable
            && self.history.holds(source.position)
        {
            leader.on_caught_up();
            let epoch = leader.epoch();
            self.put(Output::CaughtUp { epoch, held: source.position });
        }
    }
}
