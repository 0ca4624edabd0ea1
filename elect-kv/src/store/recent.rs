//! Values of the applied state that were written or read lately, in memory.
//!
//! What is here is what the engine holds at that moment. A batch forgets its keys before the engine shows it, so that
//! whoever asks meanwhile looks there, and remembers them after it: a batch is seen as a whole, from here or from there.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::shard::{Known, Shard};

/// All of it takes about this much memory at most.
const BYTES_MAX: usize = 20 << 20;
/// Parts with a lock of their own.
const SHARDS: usize = 16;

#[derive(Debug)]
pub(super) struct Recent {
    shards: [Mutex<Shard>; SHARDS],
    hash: RandomState,
    /// How often a change began or ended: odd while one is under way.
    changes: AtomicU64,
}

/// A moment at which nothing was being changed. What was read since is remembered if that is still so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unchanged(u64);

impl Recent {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(Shard::new(BYTES_MAX / SHARDS))),
            hash: RandomState::new(),
            changes: AtomicU64::new(0),
        }
    }

    /// What is known of a key.
    pub(super) fn value(&self, key: &[u8]) -> Known<Bytes> {
        let (hash, mut shard) = self.shard(key);
        shard.get(hash, key).map(Bytes::copy_from_slice)
    }

    /// Whether a key has a value, if that is known.
    pub(super) fn has_value(&self, key: &[u8]) -> Option<bool> {
        let (hash, mut shard) = self.shard(key);
        match shard.get(hash, key) {
            Known::Nothing => None,
            known => Some(known != Known::NoValue),
        }
    }

    /// This moment, for [`remember_read`](Self::remember_read); `None` while a change is under way.
    pub(super) fn unchanged(&self) -> Option<Unchanged> {
        let changes = self.changes.load(Ordering::SeqCst);
        changes.is_multiple_of(2).then_some(Unchanged(changes))
    }

    /// Remembers what the engine held after `since`.
    pub(super) fn remember_read(&self, since: Unchanged, key: &[u8], value: Option<&[u8]>) {
        let (hash, mut shard) = self.shard(key);
        // A change that begins after this look forgets the key after it, too.
        if self.changes.load(Ordering::SeqCst) == since.0 {
            shard.put(hash, key, value);
        }
    }

    /// A change of these keys begins. One thread changes.
    pub(super) fn begin_change<'a>(&self, keys: impl Iterator<Item = &'a Bytes>) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        for key in keys {
            let (hash, mut shard) = self.shard(key);
            shard.forget(hash, key);
        }
    }

    /// The engine shows the change: these are the values of its keys.
    pub(super) fn end_change<'a>(&self, values: impl Iterator<Item = (&'a Bytes, &'a Option<Bytes>)>) {
        for (key, value) in values {
            let (hash, mut shard) = self.shard(key);
            shard.put(hash, key, value.as_deref());
        }
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Another state takes the place of this one; `replace` does that.
    pub(super) fn replace<T>(&self, replace: impl FnOnce() -> T) -> T {
        self.changes.fetch_add(1, Ordering::SeqCst);
        let replaced = replace();
        for shard in &self.shards {
            *lock(shard) = Shard::new(BYTES_MAX / SHARDS);
        }
        self.changes.fetch_add(1, Ordering::SeqCst);
        replaced
    }

    fn shard(&self, key: &[u8]) -> (u64, MutexGuard<'_, Shard>) {
        let hash = self.hash.hash_one(key);
        let shard = usize::try_from(hash >> 32).unwrap_or_default() % SHARDS;
        (hash, lock(&self.shards[shard]))
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(recent: &Recent, key: &str) -> Known<Bytes> {
        recent.value(key.as_bytes())
    }

    fn value(text: &'static str) -> Known<Bytes> {
        Known::Value(text.into())
    }

    fn change(recent: &Recent, key: &'static str, value: Option<&'static str>) {
        let (key, value) = (Bytes::from(key), value.map(Bytes::from));
        recent.begin_change([&key].into_iter());
        recent.end_change([(&key, &value)].into_iter());
    }

    #[test]
    fn what_was_written_is_known_and_what_is_being_written_is_not() {
        let recent = Recent::new();
        assert_eq!(known(&recent, "a"), Known::Nothing);
        change(&recent, "a", Some("1"));
        change(&recent, "b", None);
        assert_eq!((known(&recent, "a"), known(&recent, "b")), (value("1"), Known::NoValue));
        let key = Bytes::from("a");
        recent.begin_change([&key].into_iter());
        assert_eq!((known(&recent, "a"), known(&recent, "b")), (Known::Nothing, Known::NoValue));
        assert!(recent.unchanged().is_none());
    }

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let recent = Recent::new();
        let (before, old) = (recent.unchanged().unwrap(), Bytes::from("old"));
        recent.remember_read(before, b"a", Some(&old[..]));
        assert_eq!(known(&recent, "a"), value("old"));
        change(&recent, "a", Some("new"));
        recent.remember_read(before, b"a", Some(&old[..]));
        recent.remember_read(before, b"b", None);
        assert_eq!((known(&recent, "a"), known(&recent, "b")), (value("new"), Known::Nothing));
        recent.replace(|| ());
        assert_eq!(known(&recent, "a"), Known::Nothing);
    }
}
