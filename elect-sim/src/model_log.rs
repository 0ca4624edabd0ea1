//! The log of the model store.
//!
//! Entries of all nodes form one tree; a log is the path from the root to its tip. So an append message only
//! names a tip, and "where two logs diverge" is where their paths part.

use elect_core::{Epoch, Log, Position};

/// Index of an entry in the tree of all entries. Zero is the root, which every log begins with.
pub(crate) type EntryId = u32;

#[derive(Clone, Copy, Debug)]
struct Entry {
    epoch: Epoch,
    parent: EntryId,
    offset: u64,
}

/// All entries that any node ever appended.
#[derive(Clone, Debug)]
pub(crate) struct Entries {
    list: Vec<Entry>,
}

impl Entries {
    pub(crate) fn new() -> Self {
        Self { list: vec![Entry { epoch: Epoch::ZERO, parent: 0, offset: 0 }] }
    }

    pub(crate) fn append(&mut self, parent: EntryId, epoch: Epoch) -> EntryId {
        let offset = self.get(parent).offset + 1;
        self.list.push(Entry { epoch, parent, offset });
        EntryId::try_from(self.list.len() - 1).expect("a run appends fewer than 2³² entries")
    }

    pub(crate) fn position(&self, id: EntryId) -> Position {
        let entry = self.get(id);
        Position::new(entry.epoch, entry.offset)
    }

    pub(crate) fn offset(&self, id: EntryId) -> u64 {
        self.get(id).offset
    }

    /// The entry at `offset` on the path to `tip`, if the path is that long.
    pub(crate) fn on_path(&self, tip: EntryId, offset: u64) -> Option<EntryId> {
        let mut id = tip;
        while self.get(id).offset > offset {
            id = self.get(id).parent;
        }
        (self.get(id).offset == offset).then_some(id)
    }

    fn get(&self, id: EntryId) -> Entry {
        self.list[id as usize]
    }

    fn parent(&self, id: EntryId) -> EntryId {
        self.get(id).parent
    }
}

/// One node's log: what is in memory, and how much of it is durable.
#[derive(Clone, Debug)]
pub(crate) struct ModelLog {
    /// The entry at each offset.
    path: Vec<EntryId>,
    durable: EntryId,
    durable_position: Position,
}

impl ModelLog {
    /// The log that a crash left: it ends with its durable tip.
    pub(crate) fn load(entries: &Entries, durable: EntryId) -> Self {
        let mut log = Self { path: vec![0], durable: 0, durable_position: Position::EMPTY };
        log.extend_to(entries, durable);
        log.synced(entries, durable);
        log
    }

    pub(crate) fn tip(&self) -> EntryId {
        *self.path.last().expect("every log begins with the root")
    }

    pub(crate) fn len(&self) -> u64 {
        self.path.len() as u64 - 1
    }

    pub(crate) fn durable(&self) -> EntryId {
        self.durable
    }

    pub(crate) fn at(&self, offset: u64) -> Option<EntryId> {
        self.path.get(usize::try_from(offset).ok()?).copied()
    }

    pub(crate) fn holds(&self, entries: &Entries, id: EntryId) -> bool {
        self.at(entries.offset(id)) == Some(id)
    }

    pub(crate) fn push(&mut self, id: EntryId) {
        self.path.push(id);
    }

    /// Makes the log hold `tip`: what lies beyond the point where they diverge is cut, an old message that
    /// names an entry held already cuts nothing.
    pub(crate) fn extend_to(&mut self, entries: &Entries, tip: EntryId) {
        if self.holds(entries, tip) {
            return;
        }
        let mut id = tip;
        while !self.holds(entries, id) {
            id = entries.parent(id);
        }
        let common = index_after(entries, id);
        self.path.truncate(common);
        let grown = self.path.len();
        let mut id = tip;
        while entries.offset(id) >= grown as u64 {
            self.path.push(id);
            id = entries.parent(id);
        }
        self.path[grown..].reverse();
    }

    /// The log ends exactly with `tip`: what a winner does that caught up.
    pub(crate) fn end_with(&mut self, entries: &Entries, tip: EntryId) {
        self.extend_to(entries, tip);
        let keep = index_after(entries, tip);
        self.path.truncate(keep);
    }

    /// A sync that began when the tip was `tip` has ended.
    pub(crate) fn synced(&mut self, entries: &Entries, tip: EntryId) {
        self.durable = tip;
        self.durable_position = entries.position(tip);
    }
}

/// How long a path is that ends with `id`.
fn index_after(entries: &Entries, id: EntryId) -> usize {
    usize::try_from(entries.offset(id)).unwrap_or(usize::MAX - 1) + 1
}

impl Log for ModelLog {
    fn last_durable(&self) -> Option<Position> {
        Some(self.durable_position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_cut_where_they_diverge_and_not_by_length() {
        let mut entries = Entries::new();
        let first = entries.append(0, Epoch::new(1));
        let fork: Vec<_> =
            std::iter::successors(Some(entries.append(first, Epoch::new(1))), |_| None).collect();
        let longer = entries.append(fork[0], Epoch::new(1));
        let other = entries.append(first, Epoch::new(2));
        let mut log = ModelLog::load(&entries, longer);
        assert_eq!((log.len(), log.last_durable()), (3, Some(Position::new(Epoch::new(1), 3))));
        log.extend_to(&entries, first);
        assert_eq!(log.len(), 3, "an old message cuts nothing");
        log.extend_to(&entries, other);
        assert_eq!((log.len(), log.tip()), (2, other));
        assert_eq!(log.durable(), longer, "durable is what was synced");
        log.synced(&entries, other);
        assert_eq!(log.last_durable(), Some(Position::new(Epoch::new(2), 2)));
        log.end_with(&entries, first);
        assert_eq!(log.tip(), first);
        assert_eq!(entries.on_path(longer, 2), Some(fork[0]));
        assert_eq!(entries.on_path(first, 2), None);
    }
}
