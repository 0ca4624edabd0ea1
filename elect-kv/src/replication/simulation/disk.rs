//! A log behind a fence, in memory, that forgets what was not synced.

use elect_core::{Epoch, Fenced, Position, Stamp};

use super::Mutant;
use crate::replication::{Entry, Journal, WriteRefused};

pub(super) struct Disk {
    pub(super) floor: Epoch,
    pub(super) kept: Option<Epoch>,
    pub(super) log: Vec<Entry>,
    /// Offset of the last durable entry that is still in the log.
    pub(super) durable: usize,
    /// The log at the last sync, and what was written since.
    pub(super) synced: Vec<Entry>,
    pub(super) since: Vec<(usize, Vec<Entry>)>,
    pub(super) mutant: Mutant,
}

impl Disk {
    pub(super) fn new(mutant: Mutant) -> Self {
        Self {
            floor: Epoch::ZERO,
            kept: None,
            log: Vec::new(),
            durable: 0,
            synced: Vec::new(),
            since: Vec::new(),
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

    pub(super) fn position(&self, length: usize) -> Position {
        self.log[..length].last().map_or(Position::EMPTY, |entry| Position::new(entry.epoch, length as u64))
    }

    pub(super) fn sync(&mut self) {
        self.synced.clone_from(&self.log);
        self.since.clear();
        self.durable = self.log.len();
    }

    /// A crash: of what was written since the last sync, only the first `survives` writes are left.
    pub(super) fn crash(&mut self, survives: usize) {
        self.log = std::mem::take(&mut self.synced);
        for (keep, entries) in self.since.drain(..).take(survives) {
            self.log.truncate(keep);
            self.log.extend(entries);
        }
        self.kept = None;
        self.sync();
    }
}

impl Journal for Disk {
    fn write(&mut self, stamp: Stamp, keep: Position, entries: &[Entry]) -> Result<(), WriteRefused> {
        self.admit(stamp)?;
        let length = usize::try_from(keep.offset).unwrap();
        assert_eq!(self.position(length), keep, "the log holds what is kept");
        self.log.truncate(length);
        self.log.extend_from_slice(entries);
        self.durable = self.durable.min(length);
        self.since.push((length, entries.to_vec()));
        Ok(())
    }

    fn read(&mut self, after: u64, through: u64, bytes_max: usize) -> Vec<Entry> {
        let (after, through) = (usize::try_from(after).unwrap(), usize::try_from(through).unwrap());
        self.log[after..through].iter().take(bytes_max).cloned().collect()
    }

    fn ack(&self, stamp: Stamp) -> Result<(), Fenced> {
        if self.mutant == Mutant::AcksPassUnfenced { Ok(()) } else { self.admit(stamp) }
    }
}
