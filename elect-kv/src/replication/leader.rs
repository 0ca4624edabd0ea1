//! What a leader does: it catches up, appends its own entry, sends, and counts acknowledgements.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use elect_core::{Epoch, NodeId, Position, Source, Stamp};

use super::message::{Entry, Message};
use super::replica::{Follow, Journal, Output, Replica, Role, WriteRefused, are_lawful};

/// A leader, in office or on its way.
#[derive(Debug)]
pub(super) struct Leader {
    pub(super) epoch: Epoch,
    pub(super) stage: Stage,
    /// The entry of the own epoch, zero before it is written: nothing is committed below it.
    own: u64,
    own_told: bool,
    /// What this node has acknowledged to itself under the current epoch.
    own_acked: u64,
    progress: BTreeMap<NodeId, Progress>,
}

/// How far a leader is on its way into office.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Pulls from this source. Sends no data.
    Pulling(Source),
    /// Holds everything, or there was nothing to pull. Sends no data.
    CaughtUp,
    /// Sends, and counts.
    Replicating,
}

/// What a leader knows of one follower, since its last question.
#[derive(Debug)]
struct Progress {
    attempt: u64,
    /// The next offset to send.
    next: u64,
    /// Acknowledged under the current epoch.
    acked: u64,
    /// Last offsets of the appends that are under way.
    under_way: VecDeque<u64>,
    /// Whether the follower agreed to where the leader began. Until then one append is under way at most.
    agreed: bool,
    /// The commit it was last told.
    told: u64,
    /// Whether it counts: a voter whose storage is intact.
    counts: bool,
    /// For a replaced storage: the entry that proves it rebuilt.
    rebuilds_with: Option<u64>,
}

impl Leader {
    pub(super) fn new(epoch: Epoch, source: Option<Source>) -> Self {
        let stage = source.map_or(Stage::CaughtUp, Stage::Pulling);
        Self { epoch, stage, own: 0, own_told: false, own_acked: 0, progress: BTreeMap::new() }
    }

    pub(super) fn acknowledged(&self) -> Vec<(NodeId, u64)> {
        self.progress.iter().map(|(id, progress)| (*id, progress.acked)).collect()
    }

    /// Only acknowledgements under the new epoch count from now on, the own ones too.
    pub(super) fn raise(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.own_acked = 0;
        for progress in self.progress.values_mut() {
            progress.acked = 0;
            // Acknowledgements of these would come under the old epoch: they must not hold the window shut.
            progress.under_way.clear();
        }
    }

    /// Forgets a peer whose connection closed; whether it was the source.
    pub(super) fn forget(&mut self, peer: NodeId) -> bool {
        self.progress.remove(&peer);
        matches!(self.stage, Stage::Pulling(source) if source.peer == peer)
    }

    /// The own entry, once, when `applicable` reaches it.
    pub(super) fn own_entry_reached(&mut self, applicable: u64) -> Option<u64> {
        let reached = self.own > 0 && applicable >= self.own && !self.own_told;
        self.own_told |= reached;
        reached.then_some(self.own)
    }

    /// The highest offset that a write quorum holds under the current epoch.
    fn held_by(&self, quorum: usize, own_counts: bool) -> u64 {
        let peers = self.progress.values().filter(|progress| progress.counts).map(|progress| progress.acked);
        let mut acked: Vec<u64> = peers.chain(own_counts.then_some(self.own_acked)).collect();
        acked.sort_unstable_by(|a, b| b.cmp(a));
        acked.get(quorum - 1).copied().unwrap_or(0)
    }
}

impl Replica {
    pub(super) fn append(
        &mut self,
        stamp: Stamp,
        commands: Vec<Bytes>,
        journal: &mut impl Journal,
    ) -> Result<u64, WriteRefused> {
        match &self.role {
            Role::Leader(leader) if leader.epoch == stamp.epoch() && leader.stage == Stage::Replicating => {}
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
        let epoch = leader.epoch;
        // A refusal means that the elector has moved on: its event follows.
        let Ok(own) = self.append(Stamp::received(epoch), vec![Bytes::new()], journal) else { return };
        let Role::Leader(leader) = &mut self.role else { return };
        leader.own = own;
        leader.own_told = false;
        for progress in leader.progress.values_mut() {
            progress.rebuilds_with = progress.rebuilds_with.map(|_| own);
        }
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
        if follow.epoch > leader.epoch || leader.stage != Stage::Replicating {
            self.early.insert(from, follow);
            return;
        }
        if follow.epoch < leader.epoch {
            return;
        }
        let stamp = Stamp::received(leader.epoch);
        let rebuilds_with = if follow.intact {
            None
        } else {
            // The proof of a rebuilt storage is an entry that is appended after its return.
            self.append(stamp, vec![Bytes::new()], journal).ok()
        };
        let voter = self.config.peers.iter().any(|peer| peer.id == from && peer.counts);
        let prev = self.history.shared_at_most(follow.last);
        let progress = Progress {
            attempt: follow.attempt,
            next: prev.offset + 1,
            acked: 0,
            under_way: VecDeque::new(),
            agreed: false,
            told: 0,
            counts: voter && follow.intact,
            rebuilds_with,
        };
        let Role::Leader(leader) = &mut self.role else { return };
        leader.progress.insert(from, progress);
        self.send_next(from, journal);
        if rebuilds_with.is_some() {
            self.pump_all(journal);
        }
    }

    pub(super) fn on_ack(&mut self, from: NodeId, stamp: Stamp, matched: u64, journal: &mut impl Journal) {
        let last = self.history.last().offset;
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.epoch != stamp.epoch() || matched > last {
            return;
        }
        let Some(progress) = leader.progress.get_mut(&from) else { return };
        progress.agreed = true;
        progress.acked = progress.acked.max(matched);
        while progress.under_way.front().is_some_and(|end| *end <= matched) {
            progress.under_way.pop_front();
        }
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
        let Some(progress) = leader.progress.get_mut(&peer) else { return };
        if let Some(entry) = progress.rebuilds_with
            && entry <= commit
            && entry <= progress.acked
        {
            progress.rebuilds_with = None;
            let stamp = Stamp::received(leader.epoch);
            let entry = self.history.position(entry).expect("committed entries are in the log");
            self.send(peer, Message::Rebuilt { stamp, entry });
        }
    }

    /// The primary's own acknowledgement passes the fence like everybody's (S7).
    pub(super) fn count_own(&mut self, journal: &mut impl Journal) {
        let durable = self.durable;
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.stage != Stage::Replicating || leader.own_acked == durable {
            return;
        }
        if journal.ack(Stamp::received(leader.epoch)).is_ok() {
            leader.own_acked = durable;
            self.count();
            self.pump_all(journal);
        }
    }

    /// Commits what a write quorum holds, once that includes an entry of the own epoch.
    fn count(&mut self) {
        let Role::Leader(leader) = &self.role else { return };
        let held = leader.held_by(self.config.write_quorum, self.config.counts);
        if leader.own > 0 && held >= leader.own {
            self.commit = self.commit.max(held);
        }
    }

    pub(super) fn pump_all(&mut self, journal: &mut impl Journal) {
        let Role::Leader(leader) = &self.role else { return };
        let peers: Vec<_> = leader.progress.keys().copied().collect();
        for peer in peers {
            self.pump(peer, journal);
            self.tell_rebuilt(peer);
        }
    }

    /// Sends what fits into the window: new entries, or a newer commit when nothing is under way.
    fn pump(&mut self, peer: NodeId, journal: &mut impl Journal) {
        loop {
            let (last, commit, window) = (self.history.last().offset, self.commit, self.config.window);
            let Role::Leader(leader) = &self.role else { return };
            let Some(progress) = leader.progress.get(&peer) else { return };
            let window = if progress.agreed { window } else { 1 };
            let has_entries = progress.next <= last && progress.under_way.len() < window;
            let has_commit = progress.agreed && progress.told < commit && progress.under_way.is_empty();
            if !(has_entries || has_commit) || !self.send_next(peer, journal) {
                return;
            }
        }
    }

    /// Sends one append, with entries if there are any. Whether it could.
    fn send_next(&mut self, peer: NodeId, journal: &mut impl Journal) -> bool {
        let (last, commit, bytes_max) = (self.history.last().offset, self.commit, self.config.message_bytes);
        let Role::Leader(leader) = &mut self.role else { return false };
        let Some(progress) = leader.progress.get_mut(&peer) else { return false };
        let prev = self.history.position(progress.next - 1).expect("sent from the own log");
        let entries =
            if progress.next <= last { journal.read(prev.offset, last, bytes_max) } else { Vec::new() };
        if progress.next <= last && entries.is_empty() {
            return false; // The storage failed: the host is about to stop.
        }
        progress.next += entries.len() as u64;
        progress.told = commit;
        progress.under_way.push_back(progress.next - 1);
        let (stamp, attempt) = (Stamp::received(leader.epoch), progress.attempt);
        self.send(peer, Message::Append { stamp, attempt, prev, entries, commit });
        true
    }

    /// Asks the source for what follows `after`.
    pub(super) fn pull(&mut self, after: Position) {
        let Role::Leader(leader) = &self.role else { return };
        if let Stage::Pulling(source) = leader.stage {
            let stamp = Stamp::received(leader.epoch);
            self.send(source.peer, Message::Pull { stamp, want: source.position, after });
        }
    }

    /// The source of this pull, if `from` and `stamp` answer it.
    fn source_of(&self, from: NodeId, stamp: Stamp) -> Option<Source> {
        match &self.role {
            Role::Leader(Leader { epoch, stage: Stage::Pulling(source), .. })
                if source.peer == from && *epoch == stamp.epoch() =>
            {
                Some(*source)
            }
            _ => None,
        }
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
        if self.merge(stamp, after, &entries, journal).is_ok() && !self.history.holds(source.position) {
            let reached = after.offset + entries.len() as u64;
            self.pull(self.history.position(reached).expect("just merged"));
        }
    }

    pub(super) fn on_pull_missed(&mut self, from: NodeId, stamp: Stamp, shared: Position) {
        if self.source_of(from, stamp).is_some() {
            self.pull(self.history.shared_at_most(shared));
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
        if let Stage::Pulling(source) = leader.stage
            && source.position.offset <= durable
            && self.history.holds(source.position)
        {
            leader.stage = Stage::CaughtUp;
            let epoch = leader.epoch;
            self.put(Output::CaughtUp { epoch, held: source.position });
        }
    }
}
