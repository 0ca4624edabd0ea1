//! A disk and a log in memory.

use std::cell::RefCell;
use std::rc::Rc;

use elect_core::{Config, Log, Position, Record, SavedGenesis, ToldGenesis, VoteStore};

/// A vote store in memory that may fail, and remembers every record it was given.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    /// What is durable.
    pub record: Record,
    /// Whether saves fail, from now on.
    pub fails: bool,
    /// Every record that was saved, in order.
    pub history: Vec<Record>,
}

impl MemoryStore {
    /// A disk that holds `record`.
    pub fn new(record: Record) -> Self {
        Self { record, fails: false, history: Vec::new() }
    }

    /// The disk of a node that boots for the first time.
    pub fn first_boot(config: &Config) -> Self {
        Self::new(Record::first_boot(config))
    }
}

/// What a node that holds `record` tells of its genesis.
pub fn told_genesis(record: &Record) -> Option<ToldGenesis> {
    record.genesis.map(|SavedGenesis { genesis, is_final, .. }| ToldGenesis { genesis, is_final })
}

/// A save failed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the disk is full")]
pub struct DiskFull;

impl VoteStore for MemoryStore {
    type Error = DiskFull;

    fn save(&mut self, record: &Record) -> Result<(), DiskFull> {
        if self.fails {
            return Err(DiskFull);
        }
        self.record = *record;
        self.history.push(*record);
        Ok(())
    }
}

/// A host's log: only its end matters here.
#[derive(Clone, Debug, Default)]
pub struct Tail(pub Rc<RefCell<Option<Position>>>);

impl Log for Tail {
    fn last_durable(&self) -> Option<Position> {
        *self.0.borrow()
    }
}
