//! The log and the applied state, crash-consistent in one embedded engine.
//!
//! Everything of one *generation* lies in one key space, behind one journal, so that a crash leaves a prefix of what was
//! written: the log (offset → epoch, command), the spans of its epochs, the state (key → value), and how much of the log is
//! applied to it. A log entry is written at once and becomes durable with [`Store::sync`]; the state holds committed
//! entries only, and is the snapshot of those that the log no longer holds (`drop_old`).
//!
//! A state that comes from another node is received into a generation of its own, beside the one that is in use until the
//! new one is whole (`receive`, `install`).

mod apply;
mod command;
mod entries;
mod layout;
mod log;
mod reads;
mod received;
mod recent;
mod shard;
mod view;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use elect_core::Position;
use fjall::{Database, Keyspace, PersistMode};

pub use command::{Command, CommandResult, NotACommand, SetCondition, SetReply};
pub use log::{FencedLog, ReplicaLog};
pub(crate) use shard::Known;
pub use view::View;

use layout::{APPLIED, BEGIN, Begin, counts};
use reads::Reads;
use received::Received;
use recent::Recent;

/// The longest key that a client may use, in bytes.
pub const KEY_BYTES_MAX: usize = 32 << 10;

/// Files that the engine keeps open, so that it needs few descriptors whatever it holds.
const FILES_CACHED: usize = 128;
/// Blocks that the engine keeps in memory.
const CACHE_BYTES: u64 = 8 << 20;
/// The engine's journals beyond the one in use.
const JOURNAL_BYTES: u64 = 64 << 20;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine failed.
    #[error("the store {} failed: {error}", path.display())]
    Engine {
        /// Its directory.
        path: PathBuf,
        /// Why.
        error: fjall::Error,
    },
    /// There is no store, or there is one already.
    #[error("{}: {rule}", path.display())]
    Presence {
        /// Its directory.
        path: PathBuf,
        /// What was expected.
        rule: &'static str,
    },
    /// The store contradicts itself.
    #[error("the store {} is damaged: {what}", path.display())]
    Damaged {
        /// Its directory.
        path: PathBuf,
        /// How.
        what: String,
    },
}

/// The log and the applied state of one node. One thread writes, any thread reads.
pub struct Store {
    path: Arc<Path>,
    database: Database,
    /// The generation in use.
    space: RwLock<Keyspace>,
    begin: Mutex<Begin>,
    /// The entry that was written last, and what all entries up to there took.
    end: Mutex<Option<(u64, u64)>>,
    /// The number of the newest generation, in use or not.
    generation: AtomicU64,
    received: Mutex<Option<Received>>,
    applied: AtomicU64,
    keys: AtomicU64,
    reads: Arc<Reads>,
    recent: Recent,
}

impl Store {
    /// Makes an empty store where there is none.
    pub fn create(path: &Path) -> Result<(), StoreError> {
        if path.exists() {
            return Err(StoreError::Presence { path: path.into(), rule: "a store exists here already" });
        }
        let failed = |error| engine_failed(path, error);
        let database = open_engine(path).map_err(failed)?;
        received::create_first(&database).map_err(failed)
    }

    /// Opens a store that [`create`](Self::create) has made. What a node was receiving when it ended is dropped.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            let rule = "there is no store here: `elect-kv init` makes one at the first boot of a node; if it was lost, \
                        `elect-kv replace-lost` says so";
            return Err(StoreError::Presence { path: path.into(), rule });
        }
        let failed = |error| engine_failed(path, error);
        let damaged = |what: &str| StoreError::Damaged { path: path.into(), what: what.into() };
        let database = open_engine(path).map_err(failed)?;
        let (space, generation) = received::newest_whole(&database)
            .map_err(failed)?
            .ok_or_else(|| damaged("no generation is whole"))?;
        let record = |key| space.get(key).map_err(failed);
        let (applied, keys) = record(APPLIED)?
            .and_then(|bytes| counts(&bytes))
            .ok_or_else(|| damaged("`applied` is not 16 bytes"))?;
        let begin = record(BEGIN)?
            .and_then(|bytes| Begin::decode(&bytes))
            .ok_or_else(|| damaged("`begin` is not 24 bytes"))?;
        let store = Self {
            path: path.into(),
            database,
            space: RwLock::new(space),
            begin: Mutex::new(begin),
            end: Mutex::default(),
            generation: AtomicU64::new(generation),
            received: Mutex::default(),
            applied: AtomicU64::new(applied),
            keys: AtomicU64::new(keys),
            reads: Arc::new(Reads::new()),
            recent: Recent::new(),
        };
        let (first, last) = (begin.position.offset, store.history()?.last().offset);
        if !(first..=last).contains(&applied) {
            return Err(
                store.damaged(format!("applied up to {applied}, but the log goes from {first} to {last}"))
            );
        }
        Ok(store)
    }

    /// Whether anything was ever written: then the node has run.
    pub fn holds_entries(&self) -> Result<bool, StoreError> {
        Ok(self.history()?.last() != Position::EMPTY || self.applied() > 0)
    }

    /// Makes everything written so far durable.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.database.persist(PersistMode::SyncData).map_err(|error| self.failed(error))
    }

    /// Everything up to here is applied.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::SeqCst)
    }

    /// How many keys there are.
    pub fn keys(&self) -> u64 {
        self.keys.load(Ordering::SeqCst)
    }

    /// What is known in memory of the newest value of a key.
    pub(crate) fn value_at_hand(&self, key: &[u8]) -> Known<Bytes> {
        self.recent.value(key)
    }

    /// The newest value of a key: of acknowledged state, as it is at this moment.
    pub fn value(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match self.value_at_hand(key) {
            Known::Value(value) => return Ok(Some(value)),
            Known::NoValue => return Ok(None),
            Known::Nothing => {}
        }
        let since = self.recent.unchanged();
        let value = self.view().value(key)?;
        if let Some(since) = since {
            self.recent.remember_read(since, key, value.as_deref());
        }
        Ok(value)
    }

    fn space(&self) -> Keyspace {
        self.space.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn begin(&self) -> Begin {
        *self.begin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_begin(&self, begin: Begin) {
        *self.begin.lock().unwrap_or_else(PoisonError::into_inner) = begin;
    }

    fn end(&self) -> Option<(u64, u64)> {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_end(&self, end: Option<(u64, u64)>) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    fn failed(&self, error: fjall::Error) -> StoreError {
        engine_failed(&self.path, error)
    }

    fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: self.path.to_path_buf(), what: what.into() }
    }
}

fn open_engine(path: &Path) -> Result<Database, fjall::Error> {
    let builder = Database::builder(path).manual_journal_persist(true).max_cached_files(Some(FILES_CACHED));
    builder.cache_size(CACHE_BYTES).max_journaling_size(JOURNAL_BYTES).open()
}

fn engine_failed(path: &Path, error: fjall::Error) -> StoreError {
    StoreError::Engine { path: path.into(), error }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .field("applied", &self.applied())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
