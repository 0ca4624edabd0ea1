//! The applied state as it was at one moment.

use bytes::Bytes;
use fjall::{Readable, Snapshot};

use super::{APPLIED, Store, StoreError, counts, data_key};

/// The applied state at one moment: a batch of entries is in it as a whole, or not at all. Read and drop it: what it
/// shows is kept on disk for as long as it lives.
pub struct View<'a> {
    store: &'a Store,
    snapshot: Snapshot,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("store", self.store).finish_non_exhaustive()
    }
}

impl Store {
    /// The applied state at this moment.
    pub fn view(&self) -> View<'_> {
        View { store: self, snapshot: self.database.snapshot() }
    }
}

impl View<'_> {
    /// The value of a key.
    pub fn value(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.snapshot.get(&self.store.data, data_key(key));
        let value = value.map_err(|error| self.store.failed(error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// Whether there is such a key.
    pub fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        let found = self.snapshot.contains_key(&self.store.data, data_key(key));
        found.map_err(|error| self.store.failed(error))
    }

    /// How long the value of a key is, in bytes.
    pub fn length(&self, key: &[u8]) -> Result<Option<u32>, StoreError> {
        let length = self.snapshot.size_of(&self.store.data, data_key(key));
        length.map_err(|error| self.store.failed(error))
    }

    /// How many keys there are.
    pub fn keys(&self) -> Result<u64, StoreError> {
        let applied = self.snapshot.get(&self.store.meta, APPLIED);
        let applied = applied.map_err(|error| self.store.failed(error))?;
        counts(applied.as_deref())
            .map(|(_, keys)| keys)
            .ok_or_else(|| self.store.damaged("`applied` is not 16 bytes"))
    }

    /// Up to `count` keys after `after`, in order.
    pub fn keys_after(&self, after: Option<&[u8]>, count: usize) -> Result<Vec<Bytes>, StoreError> {
        // The key that follows immediately has one more zero byte.
        let start = after.map_or_else(|| data_key(&[]), |key| [&data_key(key)[..], &[0]].concat());
        let keys = self.snapshot.range(&self.store.data, start..).take(count).map(|guard| {
            let key = guard.key().map_err(|error| self.store.failed(error))?;
            Ok(Bytes::copy_from_slice(&key[1..]))
        });
        keys.collect()
    }
}
