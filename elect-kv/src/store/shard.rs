//! A bounded table of keys and what they stand for. What was asked for since its last turn stays when room is needed.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

/// Larger values are not kept: a few of them would take the place of all others.
const VALUE_BYTES_MAX: usize = 16 << 10;
/// What an entry takes besides key and value.
const OVERHEAD_BYTES: usize = 80;

#[derive(Debug)]
pub(super) struct Shard {
    /// By the hash of the key. Of two keys with one hash, the later one is here.
    entries: HashMap<u64, Entry, BuildHasherDefault<Hashed>>,
    /// Whose turn it is to make room.
    turns: VecDeque<u64>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Entry {
    /// The key, then the value.
    record: Box<[u8]>,
    key_bytes: u32,
    known: Known<()>,
    /// Whether it was asked for since its last turn.
    was_asked_for: bool,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known<T> {
    Nothing,
    /// That it has none.
    NoValue,
    Value(T),
}

impl<T> Known<T> {
    pub(super) fn of(value: Option<T>) -> Self {
        value.map_or(Self::NoValue, Self::Value)
    }

    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Nothing => Known::Nothing,
            Self::NoValue => Known::NoValue,
            Self::Value(value) => Known::Value(change(value)),
        }
    }
}

/// For numbers that are hashes already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_empty(), "only numbers are hashed");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Entry {
    fn new(key: &[u8], value: Option<&[u8]>) -> Option<Self> {
        let record = [key, value.unwrap_or_default()].concat().into_boxed_slice();
        let known = Known::of(value.map(drop));
        Some(Self { record, key_bytes: u32::try_from(key.len()).ok()?, known, was_asked_for: false })
    }

    fn key(&self) -> &[u8] {
        &self.record[..self.key_bytes as usize]
    }

    fn value(&self) -> &[u8] {
        &self.record[self.key_bytes as usize..]
    }

    fn bytes(&self) -> usize {
        self.record.len() + OVERHEAD_BYTES
    }
}

impl Shard {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { entries: HashMap::default(), turns: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// What is known of a key.
    pub(super) fn get(&mut self, hash: u64, key: &[u8]) -> Known<&[u8]> {
        let entry = self.entries.get_mut(&hash).filter(|entry| entry.key() == key);
        let Some(entry) = entry else { return Known::Nothing };
        entry.was_asked_for = true;
        entry.known.map(|()| entry.value())
    }

    /// Nothing is known of a key from now on. Its place is kept: what is forgotten is about to be known again.
    pub(super) fn forget(&mut self, hash: u64, key: &[u8]) {
        if let Some(entry) = self.entries.get_mut(&hash).filter(|entry| entry.key() == key) {
            entry.known = Known::Nothing;
        }
    }

    pub(super) fn put(&mut self, hash: u64, key: &[u8], value: Option<&[u8]>) {
        if value.is_some_and(|value| value.len() > VALUE_BYTES_MAX) {
            return self.forget(hash, key);
        }
        let value_bytes = value.map_or(0, <[u8]>::len);
        match self.entries.get_mut(&hash) {
            Some(entry) if entry.key() == key && entry.value().len() == value_bytes => {
                let start = entry.record.len() - value_bytes;
                entry.record[start..].copy_from_slice(value.unwrap_or_default());
                entry.known = Known::of(value.map(drop));
            }
            known => {
                let Some(entry) = Entry::new(key, value) else { return };
                self.bytes += entry.bytes();
                if let Some(place) = known {
                    self.bytes -= std::mem::replace(place, entry).bytes();
                } else {
                    self.entries.insert(hash, entry);
                    self.turns.push_back(hash);
                }
                self.make_room();
            }
        }
    }

    fn make_room(&mut self) {
        while self.bytes > self.bytes_max
            && let Some(hash) = self.turns.pop_front()
        {
            match self.entries.get_mut(&hash) {
                Some(entry) if entry.was_asked_for => {
                    entry.was_asked_for = false;
                    self.turns.push_back(hash);
                }
                _ => self.bytes -= self.entries.remove(&hash).map_or(0, |entry| entry.bytes()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: u64 = 7;

    #[test]
    fn a_key_is_what_was_put_last_until_it_is_forgotten() {
        let mut shard = Shard::new(10_000);
        assert_eq!(shard.get(HASH, b"a"), Known::Nothing);
        for value in [Some(&b"1"[..]), Some(b"2"), Some(b"longer"), Some(b""), None, Some(b"3")] {
            shard.put(HASH, b"a", value);
            assert_eq!(shard.get(HASH, b"a"), Known::of(value));
        }
        shard.forget(HASH, b"a");
        assert_eq!(shard.get(HASH, b"a"), Known::Nothing);
        assert_eq!((shard.turns.len(), shard.bytes), (1, 2 + OVERHEAD_BYTES));
    }

    #[test]
    fn keys_with_one_hash_are_not_taken_for_each_other() {
        let mut shard = Shard::new(10_000);
        shard.put(HASH, b"a", Some(b"1"));
        assert_eq!(shard.get(HASH, b"b"), Known::Nothing);
        shard.forget(HASH, b"b");
        assert_eq!(shard.get(HASH, b"a"), Known::Value(&b"1"[..]));
        shard.put(HASH, b"b", Some(b"2"));
        assert_eq!(shard.get(HASH, b"a"), Known::Nothing);
        assert_eq!(shard.get(HASH, b"b"), Known::Value(&b"2"[..]));
        assert_eq!((shard.turns.len(), shard.bytes), (1, 2 + OVERHEAD_BYTES));
    }

    #[test]
    fn what_it_takes_is_bounded_and_what_is_asked_for_stays() {
        let mut shard = Shard::new(100_000);
        shard.put(HASH, b"asked for", Some(b"1"));
        for hash in 1_000..9_000 {
            shard.put(hash, &hash.to_be_bytes(), Some(&[0; 1000]));
            assert!(shard.bytes <= shard.bytes_max && shard.turns.len() == shard.entries.len());
            assert_eq!(shard.get(HASH, b"asked for"), Known::Value(&b"1"[..]), "{hash}");
        }
        assert!(shard.entries.len() > 80);
        shard.put(HASH, b"asked for", Some(&vec![0; VALUE_BYTES_MAX + 1]));
        assert_eq!(shard.get(HASH, b"asked for"), Known::Nothing);
        for hash in 1_000..2_000 {
            shard.put(hash, &hash.to_be_bytes(), Some(&[0; 1000]));
        }
        assert!(!shard.entries.contains_key(&HASH), "nobody asked any more");
    }
}
