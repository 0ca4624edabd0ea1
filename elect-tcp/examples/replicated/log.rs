//! What an embedder has already: a log, here of lines in memory.

use elect_core::{Epoch, Log, Position};
use serde::{Deserialize, Serialize};

pub(crate) const LINE_BYTES_MAX: usize = 1024;
/// How much of a log is sent at once.
pub(crate) const ENTRIES_MAX: usize = 256;

/// A line with the epoch that wrote it. Its offset is its place, from one.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Entry(Epoch, String);

#[derive(Default)]
pub(crate) struct Entries(Vec<Entry>);

impl Log for Entries {
    /// What is in memory is durable for as long as its process lives: its end is the loss of this disk.
    fn last_durable(&self) -> Option<Position> {
        Some(self.last())
    }
}

impl Entries {
    pub(crate) fn last(&self) -> Position {
        self.position(self.0.len() as u64)
    }

    pub(crate) fn position(&self, offset: u64) -> Position {
        let entry = offset.checked_sub(1).and_then(|index| self.0.get(index as usize));
        entry.map_or(Position::EMPTY, |entry| Position::new(entry.0, offset))
    }

    /// Whether that very entry is here, and so everything before it.
    pub(crate) fn holds(&self, position: Position) -> bool {
        self.position(position.offset) == position
    }

    /// The lines up to there, without those that a leader wrote to enter office.
    pub(crate) fn lines(&self, through: u64) -> String {
        let lines = self.0.iter().take(through as usize).map(|entry| entry.1.as_str());
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn append(&mut self, epoch: Epoch, line: &str) -> Position {
        self.0.push(Entry(epoch, line.into()));
        self.last()
    }

    /// What follows `held`, or everything where this log does not hold that.
    pub(crate) fn after(&self, held: Position) -> (Position, Vec<Entry>) {
        let after = if self.holds(held) { held } else { Position::EMPTY };
        (after, self.0.iter().skip(after.offset as usize).take(ENTRIES_MAX).cloned().collect())
    }

    /// Takes over what follows `after`, if it holds that, and says how far it went. Cuts where the epochs differ, and
    /// only there: what is here already stays, however often it comes.
    pub(crate) fn merge(&mut self, after: Position, entries: Vec<Entry>) -> Position {
        if !self.holds(after) {
            return self.last();
        }
        let end = after.offset + entries.len() as u64;
        for (index, entry) in (after.offset as usize..).zip(entries) {
            if self.0.get(index).is_none_or(|own| own.0 != entry.0) {
                self.0.truncate(index);
                self.0.push(entry);
            }
        }
        self.position(end)
    }
}
