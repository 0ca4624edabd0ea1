//! What a leader knows: how far it is on its way, and how far each follower is.

use std::collections::{BTreeMap, VecDeque};

use elect_core::{Epoch, NodeId, Source, Stamp};

/// A leader, in office or on its way.
#[derive(Debug)]
pub(super) struct LeaderState {
    epoch: Epoch,
    stage: Stage,
    /// The entry of the own epoch, zero before it is written: nothing is committed below it.
    own: u64,
    own_told: bool,
    /// What this node has acknowledged to itself under the current epoch.
    own_acked: u64,
    progress: BTreeMap<NodeId, Progress>,
}

/// How far a leader is on its way into office.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Pulls from this source. Sends no data.
    Pulling(Source),
    /// Holds everything, or there was nothing to pull. Sends no data.
    CaughtUp,
    /// Sends, and counts.
    Replicating,
}

/// What a leader knows of one follower, since its last question.
#[derive(Debug)]
pub(super) struct Progress {
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

impl Progress {
    /// A follower that asked `attempt` and is sent everything from `next` on.
    pub(super) fn new(attempt: u64, next: u64, counts: bool, rebuilds_with: Option<u64>) -> Self {
        let under_way = VecDeque::new();
        Self { attempt, next, acked: 0, under_way, agreed: false, told: 0, counts, rebuilds_with }
    }

    /// The question that appends answer.
    pub(super) fn attempt(&self) -> u64 {
        self.attempt
    }

    /// The next offset to send.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Whether an append may leave now: new entries that fit into the window, or a newer commit when nothing is under
    /// way.
    pub(super) fn wants_append(&self, last: u64, commit: u64, window: usize) -> bool {
        let window = if self.agreed { window } else { 1 };
        let has_entries = self.next <= last && self.under_way.len() < window;
        let has_commit = self.agreed && self.told < commit && self.under_way.is_empty();
        has_entries || has_commit
    }

    /// An append with `count` entries and this commit leaves.
    pub(super) fn on_sent(&mut self, count: u64, commit: u64) {
        self.next += count;
        self.told = commit;
        self.under_way.push_back(self.next - 1);
    }

    /// The follower holds everything up to `matched`.
    pub(super) fn on_ack(&mut self, matched: u64) {
        self.agreed = true;
        self.acked = self.acked.max(matched);
        while self.under_way.front().is_some_and(|end| *end <= matched) {
            self.under_way.pop_front();
        }
    }

    /// The last entry that proves the follower's storage rebuilt: committed, held there, and not before the one that was
    /// written for it.
    pub(super) fn rebuilt(&self, commit: u64) -> Option<u64> {
        let held = commit.min(self.acked);
        self.rebuilds_with.filter(|entry| *entry <= held).map(|_| held)
    }

    /// It is told so, once.
    pub(super) fn on_rebuilt(&mut self) {
        self.rebuilds_with = None;
    }
}

impl LeaderState {
    pub(super) fn new(epoch: Epoch, source: Option<Source>) -> Self {
        let stage = source.map_or(Stage::CaughtUp, Stage::Pulling);
        Self { epoch, stage, own: 0, own_told: false, own_acked: 0, progress: BTreeMap::new() }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) fn stamp(&self) -> Stamp {
        Stamp::received(self.epoch)
    }

    /// Whether it sends, and counts.
    pub(super) fn is_replicating(&self) -> bool {
        self.stage == Stage::Replicating
    }

    /// The source that it pulls from.
    pub(super) fn source(&self) -> Option<Source> {
        match self.stage {
            Stage::Pulling(source) => Some(source),
            Stage::CaughtUp | Stage::Replicating => None,
        }
    }

    /// It holds what its source reported.
    pub(super) fn on_caught_up(&mut self) {
        self.stage = Stage::CaughtUp;
    }

    /// It sends and counts from now on.
    pub(super) fn begin(&mut self) {
        self.stage = Stage::Replicating;
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

    /// The entry of the own epoch is written. It also proves the replaced storages rebuilt that still wait for a proof.
    pub(super) fn on_own_entry(&mut self, own: u64) {
        self.own = own;
        self.own_told = false;
        for progress in self.progress.values_mut() {
            progress.rebuilds_with = progress.rebuilds_with.map(|_| own);
        }
    }

    /// The own entry, once, when `applicable` reaches it.
    pub(super) fn own_entry_reached(&mut self, applicable: u64) -> Option<u64> {
        let reached = self.own > 0 && applicable >= self.own && !self.own_told;
        self.own_told |= reached;
        reached.then_some(self.own)
    }

    /// Whether this node may acknowledge to itself that it holds everything up to `durable`.
    pub(super) fn owes_own_ack(&self, durable: u64) -> bool {
        self.is_replicating() && self.own_acked != durable
    }

    pub(super) fn on_own_ack(&mut self, durable: u64) {
        self.own_acked = durable;
    }

    pub(super) fn followers(&self) -> Vec<NodeId> {
        self.progress.keys().copied().collect()
    }

    pub(super) fn follower(&self, peer: NodeId) -> Option<&Progress> {
        self.progress.get(&peer)
    }

    pub(super) fn follower_mut(&mut self, peer: NodeId) -> Option<&mut Progress> {
        self.progress.get_mut(&peer)
    }

    pub(super) fn add_follower(&mut self, peer: NodeId, progress: Progress) {
        self.progress.insert(peer, progress);
    }

    /// Forgets a peer whose connection closed; whether it was the source.
    pub(super) fn forget(&mut self, peer: NodeId) -> bool {
        self.progress.remove(&peer);
        self.source().is_some_and(|source| source.peer == peer)
    }

    /// What each follower has acknowledged under the current epoch.
    pub(super) fn acknowledged(&self) -> Vec<(NodeId, u64)> {
        self.progress.iter().map(|(id, progress)| (*id, progress.acked)).collect()
    }

    /// What a write quorum holds under the current epoch, once that includes the entry of the own epoch.
    pub(super) fn committed(&self, quorum: usize, own_counts: bool) -> Option<u64> {
        let peers = self.progress.values().filter(|progress| progress.counts).map(|progress| progress.acked);
        let mut acked: Vec<u64> = peers.chain(own_counts.then_some(self.own_acked)).collect();
        acked.sort_unstable_by(|a, b| b.cmp(a));
        let held = acked.get(quorum - 1).copied().unwrap_or(0);
        (self.own > 0 && held >= self.own).then_some(held)
    }
}
