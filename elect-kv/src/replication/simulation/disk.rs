//! A log behind a fence and the state that is applied, in memory, forgetting what was not synced.

use std::collections::BTreeMap;

use bytes::Bytes;
use elect_core::{Epoch, Fenced, NodeId, Position, Stamp};

use super::Mutant;
use crate::replication::{Cursor, Entry, Journal, Part, WriteRefused};

/// Keys of the state: an entry writes one of them, so that a state is not just a part of the log.
const KEYS: u64 = 9;

/// What entries leave behind: the last one that wrote each key, and its offset.
pub(super) type State = BTreeMap<Bytes, (u64, Entry)>;

pub(super) fn apply(state: &mut State, at: u64, entry: &Entry) {
    let key = Bytes::from(vec![b'k', (at % KEYS) as u8]);
    state.insert(key, (at, entry.clone()));
}

/// What a crash leaves whole.
#[derive(Clone, Default)]
pub(super) struct Content {
    /// The last entry that was dropped.
    pub(super) begin: Position,
    /// What follows it.
    pub(super) log: Vec<Entry>,
    pub(super) state: State,
    pub(super) applied: u64,
}

/// One write to the disk.
enum Change {
    Write(u64, Vec<Entry>),
    Apply(u64),
    Drop(Position),
}

pub(super) struct Disk {
    pub(super) floor: Epoch,
    pub(super) kept: Option<Epoch>,
    pub(super) content: Content,
    /// The last durable entry that is still in the log.
    pub(super) durable: Position,
    /// The content at the last sync, and what was written since.
    synced: Content,
    since: Vec<Change>,
    /// Another node's state, as far as it came.
    pub(super) received: State,
    sending: BTreeMap<NodeId, (Position, State)>,
    pub(super) installed: usize,
    pub(super) mutant: Mutant,
}

impl Content {
    pub(super) fn entry(&self, at: u64) -> Option<&Entry> {
        self.log.get(usize::try_from(at.checked_sub(self.begin.offset + 1)?).unwrap())
    }

    pub(super) fn last(&self) -> u64 {
        self.begin.offset + self.log.len() as u64
    }

    pub(super) fn position(&self, at: u64) -> Position {
        self.entry(at).map_or(self.begin, |entry| Position::new(entry.epoch, at))
    }

    fn make(&mut self, change: &Change) {
        match change {
            Change::Write(keep, entries) => {
                self.log.truncate(usize::try_from(keep - self.begin.offset).unwrap());
                self.log.extend_from_slice(entries);
            }
            Change::Apply(through) => {
                for at in self.applied + 1..=*through {
                    let entry = self.entry(at).expect("what is applied is in the log").clone();
                    apply(&mut self.state, at, &entry);
                }
                self.applied = *through;
            }
            Change::Drop(begin) => {
                self.log.drain(..usize::try_from(begin.offset - self.begin.offset).unwrap());
                self.begin = *begin;
            }
        }
    }
}

impl Disk {
    pub(super) fn new(mutant: Mutant) -> Self {
        Self {
            floor: Epoch::ZERO,
            kept: None,
            content: Content::default(),
            durable: Position::EMPTY,
            synced: Content::default(),
            since: Vec::new(),
            received: State::new(),
            sending: BTreeMap::new(),
            installed: 0,
            mutant,
        }
    }

    pub(super) fn admit(&self, stamp: Stamp) -> Result<(), Fenced> {
        let (epoch, floor) = (stamp.epoch(), self.floor);
        match epoch.cmp(&floor) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less if self.kept == Some(epoch) => Ok(()),
            std::cmp::Ordering::Less => Err(Fenced::Stale { stamp: epoch, floor }),
            std::cmp::Ordering::Greater => Err(Fenced::Ahead { stamp: epoch, floor }),
        }
    }

    fn change(&mut self, change: Change) {
        self.content.make(&change);
        self.since.push(change);
    }

    pub(super) fn apply(&mut self, through: u64) {
        self.change(Change::Apply(through));
    }

    /// Drops up to `count` entries that are applied. After which entry the log begins now.
    pub(super) fn drop_old(&mut self, count: u64) -> Option<Position> {
        let limit =
            if self.mutant == Mutant::DropsUnapplied { self.content.last() } else { self.content.applied };
        let begin = self.content.position((self.content.begin.offset + count).min(limit));
        if begin == self.content.begin {
            return None;
        }
        self.change(Change::Drop(begin));
        Some(begin)
    }

    pub(super) fn sync(&mut self) {
        self.synced.clone_from(&self.content);
        self.since.clear();
        self.durable = self.content.position(self.content.last());
    }

    /// A crash: of what was written since the last sync, only the first `survives` writes are left.
    pub(super) fn crash(&mut self, survives: usize) {
        self.content = std::mem::take(&mut self.synced);
        for change in self.since.drain(..).take(survives) {
            self.content.make(&change);
        }
        self.kept = None;
        self.received.clear();
        self.sending.clear();
        self.sync();
    }
}

impl Journal for Disk {
    fn write(&mut self, stamp: Stamp, keep: Position, entries: &[Entry]) -> Result<(), WriteRefused> {
        self.admit(stamp)?;
        assert_eq!(self.content.position(keep.offset), keep, "the log holds what is kept");
        self.change(Change::Write(keep.offset, entries.to_vec()));
        if self.durable.offset > keep.offset {
            self.durable = keep;
        }
        Ok(())
    }

    fn read(&mut self, after: u64, through: u64, bytes_max: usize) -> Vec<Entry> {
        let entries =
            (after + 1..=through).map(|at| self.content.entry(at).expect("it is in the log").clone());
        entries.take(bytes_max).collect()
    }

    fn ack(&self, stamp: Stamp) -> Result<(), Fenced> {
        if self.mutant == Mutant::AcksPassUnfenced { Ok(()) } else { self.admit(stamp) }
    }

    fn part(&mut self, to: NodeId, now: Position, from: &Cursor, bytes_max: usize) -> Option<Part> {
        let goes_on = self.sending.get(&to).is_some_and(|(state, _)| *state == from.state);
        if !goes_on {
            let (mut state, mut at) = (self.content.state.clone(), now);
            if self.mutant == Mutant::SendsUncommitted {
                for offset in self.content.applied + 1..=self.content.last() {
                    apply(&mut state, offset, self.content.entry(offset).expect("it is in the log"));
                }
                at = self.content.position(self.content.last());
            }
            self.sending.insert(to, (at, state));
        }
        let (state, pairs) = &self.sending[&to];
        let mixes = self.mutant == Mutant::MixesStates && !from.after.is_empty();
        let from =
            if goes_on || mixes { from.clone() } else { Cursor { state: *state, after: Bytes::new() } };
        let rest = pairs.iter().filter(|(key, _)| **key > from.after);
        let part: Vec<_> = rest
            .clone()
            .take(bytes_max)
            .map(|(key, (at, entry))| (key.clone(), encode(*at, entry)))
            .collect();
        let is_last = part.len() == rest.count() || self.mutant == Mutant::SendsHalf;
        let keys = if self.mutant == Mutant::SendsHalf { part.len() } else { pairs.len() };
        Some(Part { from, pairs: part, keys: keys as u64, is_last })
    }

    fn sent(&mut self, to: NodeId) {
        self.sending.remove(&to);
    }

    fn receive(&mut self, anew: bool, pairs: &[(Bytes, Bytes)]) -> Option<u64> {
        if anew {
            self.received.clear();
            if self.mutant == Mutant::MakesRoom {
                (self.content, self.durable) = (Content::default(), Position::EMPTY);
                self.sync();
            }
        }
        self.received.extend(pairs.iter().map(|(key, value)| (key.clone(), decode(value))));
        Some(self.received.len() as u64)
    }

    fn install(&mut self, stamp: Stamp, state: Position) -> Result<(), WriteRefused> {
        self.admit(stamp)?;
        let received = std::mem::take(&mut self.received);
        self.content = Content { begin: state, log: Vec::new(), state: received, applied: state.offset };
        self.sending.clear();
        self.installed += 1;
        self.sync();
        Ok(())
    }

    fn forget_received(&mut self) {
        self.received.clear();
    }
}

fn encode(at: u64, entry: &Entry) -> Bytes {
    [&at.to_be_bytes(), &entry.epoch.number().to_be_bytes(), &entry.command[..]].concat().into()
}

fn decode(value: &Bytes) -> (u64, Entry) {
    let number = |range: std::ops::Range<usize>| u64::from_be_bytes(value[range].try_into().unwrap());
    (number(0..8), Entry { epoch: Epoch::new(number(8..16)), command: value.slice(16..) })
}
