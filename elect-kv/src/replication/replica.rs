//! One node's part in replication.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use elect_core::{Epoch, NodeId, Position, Source, Stamp};

use super::fetch::Fetch;
use super::follower_state::FollowerState;
use super::history::History;
use super::journal::{Journal, WriteRefused};
use super::leader_state::LeaderState;
use super::message::{Cursor, Entry, Message};
use super::output::Output;

/// Who takes part.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// This node.
    pub node: NodeId,
    /// The other nodes that hold data.
    pub peers: Vec<ReplicaPeer>,
    /// How many voters must hold an entry durably: a majority of voters *and* witnesses.
    pub write_quorum: usize,
    /// Whether this node's acknowledgements count: a voter, not an observer.
    pub counts: bool,
    /// Whether this node's storage has held everything it ever saved; not a replacement's.
    pub intact: bool,
    /// How many appends may be under way to one follower.
    pub window: usize,
    /// About how many bytes of commands one message carries.
    pub message_bytes: usize,
}

/// Another node that holds data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaPeer {
    /// Its name.
    pub id: NodeId,
    /// Whether its acknowledgements count: a voter, not an observer.
    pub counts: bool,
}

/// One node's part in replication: give it inputs, then carry out what [`take_output`](Self::take_output) returns.
///
/// Written entries become durable by the host's sync, which it reports with [`on_synced`](Self::on_synced) after each
/// batch of inputs; acknowledgements leave only then.
#[derive(Debug)]
pub struct Replica {
    pub(super) config: ReplicaConfig,
    pub(super) history: History,
    /// Everything up to here is synced.
    pub(super) durable: u64,
    /// Everything up to here is on a write quorum, as far as this node knows.
    pub(super) commit: u64,
    /// What the host was told to apply: the lower of both.
    pub(super) applicable: u64,
    pub(super) links: BTreeSet<NodeId>,
    pub(super) role: Role,
    /// Questions of followers that adopted an epoch before this node learned that it leads it.
    pub(super) early: BTreeMap<NodeId, Follow>,
    pub(super) attempts: u64,
    /// What is asked for of another node's state.
    pub(super) fetch: Option<Fetch>,
    /// How far it was received, for whoever is asked next.
    pub(super) received: Cursor,
    output: Vec<Output>,
}

/// The role of a replica.
#[derive(Debug)]
pub(super) enum Role {
    Idle,
    Follower(FollowerState),
    Leader(LeaderState),
}

/// A follower's question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Follow {
    pub(super) epoch: Epoch,
    pub(super) attempt: u64,
    pub(super) last: Position,
    pub(super) intact: bool,
}

impl Replica {
    /// A replica whose log, all of it durable, has this history, applied up to `applied`.
    ///
    /// # Panics
    /// If what was applied is neither in the log nor its begin.
    pub fn new(config: ReplicaConfig, history: History, applied: u64) -> Self {
        let durable = history.last().offset;
        assert!(history.position(applied).is_some(), "applied up to {applied}, which the log does not hold");
        Self {
            config,
            history,
            durable,
            commit: applied,
            applicable: applied,
            links: BTreeSet::new(),
            role: Role::Idle,
            early: BTreeMap::new(),
            attempts: 0,
            fetch: None,
            received: Cursor::default(),
            output: Vec::new(),
        }
    }

    /// What the inputs so far brought about.
    pub fn take_output(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.output)
    }

    /// The last durable entry.
    pub fn durable(&self) -> Position {
        self.history.position(self.durable).unwrap_or(self.history.begin())
    }

    /// The last written entry.
    pub fn last(&self) -> Position {
        self.history.last()
    }

    /// Everything up to here is committed, as far as this node knows.
    pub fn commit(&self) -> u64 {
        self.commit
    }

    /// What each follower has acknowledged under the current epoch, for a leader.
    pub fn acknowledged(&self) -> Vec<(NodeId, u64)> {
        match &self.role {
            Role::Leader(leader) => leader.acknowledged(),
            Role::Idle | Role::Follower(_) => Vec::new(),
        }
    }

    /// This node follows `leader` in `epoch`; its fence has moved there.
    pub fn follow(&mut self, leader: NodeId, epoch: Epoch) {
        if let Role::Follower(follower) = &self.role
            && follower.is_up_to_date(leader, epoch)
        {
            return;
        }
        self.role = Role::Follower(FollowerState::new(leader, epoch));
        self.ask(self.history.last());
    }

    /// This node neither leads nor follows.
    pub fn stand_aside(&mut self) {
        self.fetch = None;
        self.role = Role::Idle;
    }

    /// This node won `epoch`; `source` holds more than its own log.
    pub fn elected(&mut self, epoch: Epoch, source: Option<Source>) {
        self.fetch = None;
        self.role = Role::Leader(LeaderState::new(epoch, source));
        let Some(source) = source else {
            let held = self.durable();
            self.put(Output::CaughtUp { epoch, held });
            return;
        };
        self.check_caught_up();
        if !self.history.holds(source.position) {
            self.pull_from_shared(source.position);
        }
    }

    /// The winner has caught up: appends its own entry under `stamp` and begins to send.
    pub fn begin(&mut self, stamp: Stamp, journal: &mut impl Journal) {
        if let Role::Leader(leader) = &mut self.role
            && leader.epoch() == stamp.epoch()
        {
            leader.begin();
            self.append_own_entry(journal);
        }
    }

    /// The leader raised its epoch and stays in office: only acknowledgements under the new one count.
    pub fn raise(&mut self, epoch: Epoch, journal: &mut impl Journal) {
        if let Role::Leader(leader) = &mut self.role
            && epoch > leader.epoch()
            && leader.is_replicating()
        {
            leader.raise(epoch);
            self.append_own_entry(journal);
        }
    }

    /// Appends commands under `stamp` and sends them; returns the offset of the first.
    pub fn propose(
        &mut self,
        stamp: Stamp,
        commands: Vec<Bytes>,
        journal: &mut impl Journal,
    ) -> Result<u64, WriteRefused> {
        let first = self.append(stamp, commands, journal)?;
        self.pump_all(journal);
        Ok(first)
    }

    /// A connection to `peer` stands; what was sent on an earlier one may be lost.
    pub fn on_up(&mut self, peer: NodeId) {
        self.links.insert(peer);
        match &self.role {
            Role::Follower(follower) if follower.leader() == peer => self.ask(self.history.last()),
            Role::Leader(leader) => {
                if let Some(source) = leader.source()
                    && source.peer == peer
                {
                    self.pull_from_shared(source.position);
                }
            }
            Role::Follower(_) | Role::Idle => {}
        }
    }

    /// The connection to `peer` closed.
    pub fn on_down(&mut self, peer: NodeId) {
        self.links.remove(&peer);
        self.early.remove(&peer);
        self.fetch.take_if(|fetch| fetch.is_from(peer));
        if let Role::Leader(leader) = &mut self.role
            && leader.forget(peer)
        {
            let epoch = leader.epoch();
            self.put(Output::SourceLost { epoch });
        }
    }

    /// A message of `from`, whose connection is up.
    pub fn on_message(&mut self, from: NodeId, message: Message, journal: &mut impl Journal) {
        if !self.config.peers.iter().any(|peer| peer.id == from) {
            return;
        }
        match message {
            Message::Follow { stamp, attempt, last, intact } => {
                self.on_follow(from, Follow { epoch: stamp.epoch(), attempt, last, intact }, journal);
            }
            Message::Append { stamp, attempt, prev, entries, commit } => {
                self.on_append(from, stamp, attempt, prev, &entries, commit, journal);
            }
            Message::Ack { stamp, matched } => self.on_ack(from, stamp, matched, journal),
            Message::Pull { stamp, want, after } => self.on_pull(from, stamp, want, after, journal),
            Message::Pulled { stamp, after, entries } => self.on_pulled(from, stamp, after, entries, journal),
            Message::PullMissed { stamp, shared } => self.on_pull_missed(from, stamp, shared),
            Message::PullLost { stamp } => self.on_pull_lost(from, stamp),
            Message::Rebuilt { stamp, entry } => self.on_rebuilt(from, stamp, entry),
            Message::Behind { stamp, attempt } => self.on_behind(from, stamp, attempt, journal),
            Message::Fetch { stamp, attempt, from: cursor } => {
                self.on_fetch(from, stamp, attempt, &cursor, journal);
            }
            Message::Part { stamp, attempt, part } => self.on_part(from, stamp, attempt, &part, journal),
        }
        self.publish();
    }

    /// Everything written so far is durable: acknowledgements may leave, the own one too.
    pub fn on_synced(&mut self, journal: &mut impl Journal) {
        self.durable = self.history.last().offset;
        match &self.role {
            Role::Follower(_) => self.acknowledge(journal),
            Role::Leader(_) => {
                self.check_caught_up();
                self.count_own(journal);
            }
            Role::Idle => {}
        }
        self.publish();
    }

    /// The elector counts this node's storage as intact again: so does the leader from now on.
    pub fn storage_rebuilt(&mut self) {
        self.config.intact = true;
        if matches!(self.role, Role::Follower(_)) {
            self.ask(self.history.last());
        }
    }

    /// The elector counts this node's storage as replaced: so does the leader from now on.
    pub fn storage_replaced(&mut self) {
        self.config.intact = false;
        if matches!(self.role, Role::Follower(_)) {
            self.ask(self.history.last());
        }
    }

    pub(super) fn put(&mut self, output: Output) {
        self.output.push(output);
    }

    pub(super) fn send(&mut self, to: NodeId, message: Message) {
        if self.links.contains(&to) {
            self.put(Output::Send { to, message });
        }
    }

    /// Writes what of `entries` is not here yet, cutting where the epochs diverge and only there. `prev` is held.
    pub(super) fn merge(
        &mut self,
        stamp: Stamp,
        prev: Position,
        entries: &[Entry],
        journal: &mut impl Journal,
    ) -> Result<(), WriteRefused> {
        let here = entries.iter().zip(prev.offset + 1..);
        let known = here
            .take_while(|(entry, offset)| self.history.holds(Position::new(entry.epoch, *offset)))
            .count();
        let new = &entries[known..];
        if new.is_empty() {
            return Ok(());
        }
        let keep = self.history.position(prev.offset + known as u64).expect("held up to there");
        if keep.offset < self.commit {
            self.put(Output::Diverged { shared: keep, commit: self.commit });
            return Err(WriteRefused::Failed);
        }
        journal.write(stamp, keep, new)?;
        self.history.cut(keep.offset);
        self.durable = self.durable.min(keep.offset);
        for entry in new {
            self.history.append(entry.epoch);
        }
        Ok(())
    }

    /// Tells the host what it may apply now, and that the own entry is among it.
    pub(super) fn publish(&mut self) {
        let applicable = self.commit.min(self.durable);
        if applicable > self.applicable {
            self.applicable = applicable;
            self.put(Output::Committed(applicable));
        }
        if let Role::Leader(leader) = &mut self.role
            && let Some(own) = leader.own_entry_reached(applicable)
        {
            let position = self.history.position(own).expect("the own entry is in the log");
            self.put(Output::OwnEntryCommitted(position));
        }
    }
}
