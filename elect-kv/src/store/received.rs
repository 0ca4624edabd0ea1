//! Generations: a state that comes from another node is received beside the one in use, and takes its place when it is whole.
//!
//! What is in use is never touched before: whoever is asked meanwhile, or after a crash, for what this node holds is told
//! what it held before. A generation is whole once it says how much is applied to it, which is written last. The newest
//! whole one is in use, and no other is kept.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use elect_core::Position;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::layout::{APPLIED, BEGIN, Begin, is_data};
use super::{Store, StoreError};

/// The engine keeps this much in memory before it writes it out: a start reads it back from the journal.
const MEMTABLE_BYTES: u64 = 24 << 20;
const PREFIX: &str = "generation-";

/// A state that is not whole yet.
pub(super) struct Received {
    space: Keyspace,
    keys: u64,
}

fn open(database: &Database, generation: u64) -> Result<Keyspace, fjall::Error> {
    let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
    database.keyspace(&format!("{PREFIX}{generation}"), options)
}

/// Makes a generation whole, with nothing in its log: the state is the one after `at`.
fn complete(database: &Database, space: &Keyspace, at: Position, keys: u64) -> Result<(), fjall::Error> {
    let mut batch = database.batch();
    batch.insert(space, BEGIN, Begin { position: at, weight: 0 }.encode());
    batch.insert(space, APPLIED, [at.offset.to_be_bytes(), keys.to_be_bytes()].concat());
    batch.commit()?;
    database.persist(PersistMode::SyncAll)
}

/// The first generation, which is empty.
pub(super) fn create_first(database: &Database) -> Result<(), fjall::Error> {
    complete(database, &open(database, 1)?, Position::EMPTY, 0)
}

/// The generation in use. Those that are not whole, or were replaced, are deleted.
pub(super) fn newest_whole(database: &Database) -> Result<Option<(Keyspace, u64)>, fjall::Error> {
    let names = database.list_keyspace_names();
    let mut numbers: Vec<u64> =
        names.iter().filter_map(|name| name.strip_prefix(PREFIX)?.parse().ok()).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    let (mut newest, mut others) = (None, Vec::new());
    for number in numbers {
        let space = open(database, number)?;
        if newest.is_none() && space.contains_key(APPLIED)? {
            newest = Some((space, number));
        } else {
            others.push(space);
        }
    }
    if newest.is_some() {
        others.into_iter().try_for_each(|space| database.delete_keyspace(space))?;
    }
    Ok(newest)
}

impl Store {
    /// Takes a part of a state: keys in order, as [`View::part`](super::View::part) reads them. `anew`: it is the first
    /// one, and what came before is dropped. Answers how many keys have come.
    pub(super) fn receive(&self, anew: bool, pairs: &[(Bytes, Bytes)]) -> Result<u64, StoreError> {
        let failed = |error| self.failed(error);
        if anew {
            self.forget_received()?;
            let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
            let space = open(&self.database, generation).map_err(failed)?;
            *self.received() = Some(Received { space, keys: 0 });
        }
        let mut received = self.received();
        let received = received.as_mut().ok_or_else(|| self.damaged("nothing is being received"))?;
        let mut batch = self.database.batch();
        for (key, value) in pairs {
            if !is_data(key) {
                return Err(self.damaged("what was received is no data"));
            }
            batch.insert(&received.space, &key[..], &value[..]);
        }
        batch.commit().map_err(failed)?;
        received.keys += pairs.len() as u64;
        Ok(received.keys)
    }

    /// The state that was received is whole, and is the one after `at`: it takes the place of log and state, durably.
    pub(super) fn install(&self, at: Position) -> Result<(), StoreError> {
        let failed = |error| self.failed(error);
        let received = self.received().take().ok_or_else(|| self.damaged("nothing was received"))?;
        let Received { space, keys } = received;
        complete(&self.database, &space, at, keys).map_err(failed)?;
        self.set_begin(Begin { position: at, weight: 0 });
        self.set_end(None);
        self.applied.store(at.offset, Ordering::SeqCst);
        self.keys.store(keys, Ordering::SeqCst);
        let before = self.recent.replace(|| {
            std::mem::replace(&mut *self.space.write().unwrap_or_else(PoisonError::into_inner), space)
        });
        self.database.delete_keyspace(before).map_err(failed)
    }

    /// What was received so far is not needed any more.
    pub(super) fn forget_received(&self) -> Result<(), StoreError> {
        match self.received().take() {
            None => Ok(()),
            Some(received) => {
                self.database.delete_keyspace(received.space).map_err(|error| self.failed(error))
            }
        }
    }

    fn received(&self) -> std::sync::MutexGuard<'_, Option<Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
