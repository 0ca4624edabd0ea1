//! The log and the applied state, crash-consistent in one embedded engine.
//!
//! Four key spaces share one journal, so a crash leaves a prefix of what was written:
//! `log` (offset → epoch, command), `epochs` (first offset → epoch), `data` (key → value) and `meta` (what was
//! applied). A log entry is written at once and becomes durable with [`Store::sync`]; the state holds
//! committed entries only.

mod command;
mod log;
mod view;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use elect_core::{Epoch, Position};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

pub use command::{Command, CommandResult, NotACommand, SetCondition, SetReply};
pub use log::{FencedLog, ReplicaLog};
pub use view::View;

use crate::replication::{Entry, History};

/// The longest key that a client may use, in bytes.
pub const KEY_BYTES_MAX: usize = 32 << 10;

/// Files that the engine keeps open, so that it needs few descriptors whatever it holds.
const FILES_CACHED: usize = 128;

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
    path: PathBuf,
    database: Database,
    log: Keyspace,
    epochs: Keyspace,
    data: Keyspace,
    meta: Keyspace,
    applied: AtomicU64,
    keys: AtomicU64,
}

const APPLIED: &str = "applied";

impl Store {
    /// Makes an empty store where there is none.
    pub fn create(path: &Path) -> Result<(), StoreError> {
        if path.exists() {
            return Err(StoreError::Presence { path: path.into(), rule: "a store exists here already" });
        }
        Self::open_engine(path)?.sync()
    }

    /// Opens a store that [`create`](Self::create) has made.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            let rule = "there is no store here: `elect-kv init` makes one at the first boot of a node; if it was lost, \
                        `elect-kv replace-lost` says so";
            return Err(StoreError::Presence { path: path.into(), rule });
        }
        Self::open_engine(path)
    }

    fn open_engine(path: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::Engine { path: path.into(), error };
        let builder =
            Database::builder(path).manual_journal_persist(true).max_cached_files(Some(FILES_CACHED));
        let database = builder.open().map_err(failed)?;
        let space = |name| database.keyspace(name, KeyspaceCreateOptions::default).map_err(failed);
        let (log, epochs, data, meta) = (space("log")?, space("epochs")?, space("data")?, space("meta")?);
        let known = meta.get(APPLIED).map_err(failed)?;
        let damaged = || StoreError::Damaged { path: path.into(), what: "`applied` is not 16 bytes".into() };
        let (applied, keys) = counts(known.as_deref()).ok_or_else(damaged)?;
        let store = Self {
            path: path.into(),
            database,
            log,
            epochs,
            data,
            meta,
            applied: AtomicU64::new(applied),
            keys: AtomicU64::new(keys),
        };
        let last = store.history()?.last().offset;
        if applied > last {
            return Err(store.damaged(format!("applied up to {applied}, but the log ends at {last}")));
        }
        Ok(store)
    }

    /// Which epoch wrote which part of the log.
    pub fn history(&self) -> Result<History, StoreError> {
        let last = match self.log.last_key_value() {
            None => 0,
            Some(guard) => {
                let key = guard.key().map_err(|error| self.failed(error))?;
                number(&key).ok_or_else(|| self.damaged("an offset is not 8 bytes"))?
            }
        };
        let mut spans = Vec::new();
        for guard in self.epochs.iter() {
            let (first, epoch) = guard.into_inner().map_err(|error| self.failed(error))?;
            match (number(&first), number(&epoch)) {
                (Some(first), Some(epoch)) => spans.push((first, Epoch::new(epoch))),
                _ => return Err(self.damaged("an epoch's span is not 16 bytes")),
            }
        }
        History::restore(spans, last)
            .ok_or_else(|| self.damaged("the spans of the epochs do not cover the log"))
    }

    /// Whether anything was ever written: then the node has run.
    pub fn holds_entries(&self) -> Result<bool, StoreError> {
        Ok(self.history()?.last() != Position::EMPTY || self.applied() > 0)
    }

    /// Cuts everything after `keep` and appends `entries`: both or neither, not yet durable.
    fn write(&self, keep: Position, last: u64, entries: &[Entry]) -> Result<(), StoreError> {
        let mut batch = self.database.batch();
        for offset in keep.offset + 1..=last {
            batch.remove(&self.log, offset.to_be_bytes());
        }
        for guard in self.epochs.range((keep.offset + 1).to_be_bytes()..) {
            let first = guard.key().map_err(|error| self.failed(error))?;
            batch.remove(&self.epochs, first);
        }
        let mut epoch = keep.epoch;
        for (entry, offset) in entries.iter().zip(keep.offset + 1..) {
            if entry.epoch > epoch || offset == 1 {
                epoch = entry.epoch;
                batch.insert(&self.epochs, offset.to_be_bytes(), epoch.number().to_be_bytes());
            }
            let mut value = Vec::with_capacity(8 + entry.command.len());
            value.extend_from_slice(&entry.epoch.number().to_be_bytes());
            value.extend_from_slice(&entry.command);
            batch.insert(&self.log, offset.to_be_bytes(), value);
        }
        batch.commit().map_err(|error| self.failed(error))
    }

    /// Makes everything written so far durable.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.database.persist(PersistMode::SyncData).map_err(|error| self.failed(error))
    }

    /// The entries after `after` up to `through`, as many as fit into `bytes_max` but at least one.
    pub fn read(&self, after: u64, through: u64, bytes_max: usize) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        for guard in self.log.range((after + 1).to_be_bytes()..=through.to_be_bytes()) {
            let value = guard.value().map_err(|error| self.failed(error))?;
            bytes += value.len();
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            let parts = value.split_first_chunk::<8>();
            let (epoch, command) = parts.ok_or_else(|| self.damaged("an entry has no epoch"))?;
            let epoch = Epoch::new(u64::from_be_bytes(*epoch));
            entries.push(Entry { epoch, command: Bytes::copy_from_slice(command) });
        }
        Ok(entries)
    }

    /// Applies the committed entries up to `through` and hands each offset's result to `report`. An entry that is a
    /// leader's own has none.
    pub fn apply(&self, through: u64, mut report: impl FnMut(u64, CommandResult)) -> Result<(), StoreError> {
        while self.applied() < through {
            let after = self.applied();
            let entries = self.read(after, through, 1 << 20)?;
            if entries.is_empty() {
                return Err(self.damaged(format!("entry {} is missing", after + 1)));
            }
            let mut change = Change { store: self, values: HashMap::new(), keys: self.keys() };
            let mut results = Vec::new();
            for (entry, offset) in entries.iter().zip(after + 1..) {
                if !entry.command.is_empty() {
                    let command = Command::decode(entry.command.clone())
                        .map_err(|error| self.damaged(error.to_string()))?;
                    results.push((offset, change.apply(command)?));
                }
            }
            let reached = after + entries.len() as u64;
            change.commit(reached)?;
            for (offset, result) in results {
                report(offset, result);
            }
        }
        Ok(())
    }

    /// Everything up to here is applied.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::SeqCst)
    }

    /// How many keys there are.
    pub fn keys(&self) -> u64 {
        self.keys.load(Ordering::SeqCst)
    }

    /// The newest value of a key, for the thread that writes: others would see it before its batch is complete.
    fn value(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.data.get(data_key(key)).map_err(|error| self.failed(error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn failed(&self, error: fjall::Error) -> StoreError {
        StoreError::Engine { path: self.path.clone(), error }
    }

    fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), what: what.into() }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .field("applied", &self.applied())
            .finish_non_exhaustive()
    }
}

/// What a run of entries changes, before it is written as one batch.
struct Change<'a> {
    store: &'a Store,
    values: HashMap<Bytes, Option<Bytes>>,
    keys: u64,
}

impl Change<'_> {
    fn value(&self, key: &Bytes) -> Result<Option<Bytes>, StoreError> {
        match self.values.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.store.value(key),
        }
    }

    fn put(&mut self, key: Bytes, old: Option<&Bytes>, new: Option<Bytes>) {
        self.keys = self.keys + u64::from(new.is_some()) - u64::from(old.is_some());
        self.values.insert(key, new);
    }

    fn apply(&mut self, command: Command) -> Result<CommandResult, StoreError> {
        match command {
            Command::Set { key, value, condition, reply } => {
                let old = self.value(&key)?;
                let happens = match condition {
                    SetCondition::Always => true,
                    SetCondition::Absent => old.is_none(),
                    SetCondition::Present => old.is_some(),
                };
                if happens {
                    self.put(key, old.as_ref(), Some(value));
                }
                Ok(match (reply, happens) {
                    (SetReply::Old, _) => old.map_or(CommandResult::Nothing, CommandResult::Value),
                    (SetReply::Number, _) => CommandResult::Number(i64::from(happens)),
                    (SetReply::Done, true) => CommandResult::Done,
                    (SetReply::Done, false) => CommandResult::Nothing,
                })
            }
            Command::SetMany { pairs } => {
                for (key, value) in pairs {
                    let old = self.value(&key)?;
                    self.put(key, old.as_ref(), Some(value));
                }
                Ok(CommandResult::Done)
            }
            Command::Delete { keys } => {
                let mut deleted = 0;
                for key in keys {
                    let old = self.value(&key)?;
                    if old.is_some() {
                        deleted += 1;
                        self.put(key, old.as_ref(), None);
                    }
                }
                Ok(CommandResult::Number(deleted))
            }
            Command::Add { key, amount } => {
                let old = self.value(&key)?;
                let number = old.as_ref().map_or(Some(0), |value| decimal(value));
                let Some(sum) = number.and_then(|number| number.checked_add(amount)) else {
                    return Ok(CommandResult::NotANumber);
                };
                self.put(key, old.as_ref(), Some(Bytes::from(sum.to_string())));
                Ok(CommandResult::Number(sum))
            }
            Command::Transaction { commands } => {
                let results: Result<_, _> = commands.into_iter().map(|command| self.apply(command)).collect();
                Ok(CommandResult::All(results?))
            }
        }
    }

    fn commit(self, applied: u64) -> Result<(), StoreError> {
        let store = self.store;
        let mut batch = store.database.batch();
        for (key, value) in self.values {
            match value {
                Some(value) => batch.insert(&store.data, data_key(&key), &value[..]),
                None => batch.remove(&store.data, data_key(&key)),
            }
        }
        batch.insert(&store.meta, APPLIED, [applied.to_be_bytes(), self.keys.to_be_bytes()].concat());
        batch.commit().map_err(|error| store.failed(error))?;
        store.applied.store(applied, Ordering::SeqCst);
        store.keys.store(self.keys, Ordering::SeqCst);
        Ok(())
    }
}

/// The engine knows no empty keys, clients do.
fn data_key(key: &[u8]) -> Vec<u8> {
    [b"k", key].concat()
}

/// How much is applied, and how many keys there are then. `None` if that is damaged.
fn counts(applied: Option<&[u8]>) -> Option<(u64, u64)> {
    let Some(bytes) = applied else { return Some((0, 0)) };
    let (applied, keys) = bytes.split_at_checked(8)?;
    Some((number(applied)?, number(keys)?))
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

/// A number as it would be written back: no sign of plus, no leading zeros, no spaces.
fn decimal(bytes: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == bytes).then_some(number)
}

#[cfg(test)]
pub(crate) mod tests;
