//! The applied state as it was at one moment.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fjall::{Keyspace, Readable, Snapshot};

use super::layout::{APPLIED, counts, data_after, data_key};
use super::reads::Reads;
use super::{Store, StoreError, engine_failed};

/// The applied state at one moment: a batch of entries is in it as a whole, or not at all. Read and drop it: what it
/// shows is kept on disk for as long as it lives.
pub struct View {
    path: Arc<Path>,
    space: Keyspace,
    snapshot: Snapshot,
    reads: Arc<Reads>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Store {
    /// For how long the read that has waited longest for the disk has waited: a thread that waits for as long as a disk
    /// should never take has a disk that hangs.
    pub(crate) fn longest_read(&self) -> Duration {
        self.reads.longest()
    }

    /// The applied state at this moment.
    pub fn view(&self) -> View {
        let space = self.space.read().unwrap_or_else(PoisonError::into_inner);
        View {
            path: self.path.clone(),
            space: space.clone(),
            snapshot: self.database.snapshot(),
            reads: self.reads.clone(),
        }
    }
}

impl View {
    /// The value of a key.
    pub fn value(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let _reading = self.reads.begin();
        let value = self.snapshot.get(&self.space, data_key(key)).map_err(|error| self.failed(error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// Whether there is such a key.
    pub fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        let _reading = self.reads.begin();
        self.snapshot.contains_key(&self.space, data_key(key)).map_err(|error| self.failed(error))
    }

    /// How long the value of a key is, in bytes.
    pub fn length(&self, key: &[u8]) -> Result<Option<u32>, StoreError> {
        let _reading = self.reads.begin();
        self.snapshot.size_of(&self.space, data_key(key)).map_err(|error| self.failed(error))
    }

    /// How many keys there are.
    pub fn keys(&self) -> Result<u64, StoreError> {
        let _reading = self.reads.begin();
        let applied = self.snapshot.get(&self.space, APPLIED).map_err(|error| self.failed(error))?;
        let counts = applied.as_deref().and_then(counts);
        counts.map(|(_, keys)| keys).ok_or_else(|| StoreError::Damaged {
            path: self.path.to_path_buf(),
            what: "`applied` is not 16 bytes".into(),
        })
    }

    /// Up to `count` keys after `after`, in order.
    pub fn keys_after(&self, after: Option<&[u8]>, count: usize) -> Result<Vec<Bytes>, StoreError> {
        let _reading = self.reads.begin();
        let after = after.map(data_key).unwrap_or_default();
        let keys = self.snapshot.range(&self.space, data_after(&after)).take(count).map(|guard| {
            let key = guard.key().map_err(|error| self.failed(error))?;
            Ok(Bytes::copy_from_slice(&key[1..]))
        });
        keys.collect()
    }

    /// What follows `after`, the key that the part before ended with, or nothing: as much as fits into `bytes_max`, but at
    /// least one pair; and whether that is all.
    pub(super) fn part(
        &self,
        after: &[u8],
        bytes_max: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool), StoreError> {
        let (mut pairs, mut bytes) = (Vec::new(), 0);
        for guard in self.snapshot.range(&self.space, data_after(after)) {
            let (key, value) = guard.into_inner().map_err(|error| self.failed(error))?;
            bytes += key.len() + value.len();
            if bytes > bytes_max && !pairs.is_empty() {
                return Ok((pairs, false));
            }
            pairs.push((Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value)));
        }
        Ok((pairs, true))
    }

    fn failed(&self, error: fjall::Error) -> StoreError {
        engine_failed(&self.path, error)
    }
}
