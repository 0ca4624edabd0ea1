//! Histories in which one thing is wrong: whoever judges them must notice.

use super::history::Entry;
use super::operation::{Answer, STRIDE};
use super::random::Random;

/// What is done to a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bend {
    /// An acknowledged write whose value was read is taken out.
    LostWrite,
    /// A read, of one key or of several, gets a value that had been overwritten before it began.
    StaleRead,
    /// Two reads of one key change places.
    SwappedReads,
}

pub(crate) const BENDS: [Bend; 3] = [Bend::LostWrite, Bend::StaleRead, Bend::SwappedReads];

/// A value that was read, and the only write that can have given it.
#[derive(Clone, Copy)]
struct Seen {
    read: usize,
    /// Which of its values.
    place: usize,
    key: usize,
    value: i64,
    write: usize,
}

impl Bend {
    /// A copy that is bent at a place that is drawn; `None` where there is no such place.
    pub(crate) fn of(self, entries: &[Entry], random: &mut Random) -> Option<Vec<Entry>> {
        let seen = seen(entries);
        if seen.is_empty() {
            return None;
        }
        let first = random.below(seen.len());
        let places = seen[first..].iter().chain(&seen[..first]);
        let mut bent = entries.to_vec();
        match self {
            Self::LostWrite => {
                bent.remove(seen[first].write);
            }
            Self::StaleRead => {
                let (seen, older) = places.clone().find_map(|now| {
                    let older = seen.iter().find(|older| is_overwritten(entries, older, now));
                    older.map(|older| (now, older))
                })?;
                replace(&mut bent[seen.read], seen.place, older.value);
            }
            Self::SwappedReads => {
                let (early, late) = places.clone().find_map(|early| {
                    let late = seen.iter().find(|late| is_later(entries, early, late));
                    late.map(|late| (early, late))
                })?;
                replace(&mut bent[early.read], early.place, late.value);
                replace(&mut bent[late.read], late.place, early.value);
            }
        }
        Some(bent)
    }
}

/// Every value that was read as it had been written.
fn seen(entries: &[Entry]) -> Vec<Seen> {
    let mut found = Vec::new();
    for (read, entry) in entries.iter().enumerate() {
        let Some((_, Answer::Values(values))) = &entry.answered else { continue };
        for (place, (key, value)) in entry.operation.read_keys().iter().zip(values).enumerate() {
            let Some(value) = value.filter(|value| value % STRIDE == 0) else { continue };
            let gives = |entry: &Entry| {
                let mut writes = entry.operation.writes().iter();
                writes.any(|write| write.value_for(*key) == Some(value))
            };
            if let Some(write) = entries.iter().position(gives) {
                found.push(Seen { read, place, key: *key, value, write });
            }
        }
    }
    found
}

/// Whether the write of `older` was over before that of `now` began, and that one before `now` was read.
fn is_overwritten(entries: &[Entry], older: &Seen, now: &Seen) -> bool {
    older.key == now.key
        && returned(&entries[older.write]).is_some_and(|at| at < entries[now.write].invoked)
        && returned(&entries[now.write]).is_some_and(|at| at < entries[now.read].invoked)
}

/// Whether `early` was read before the value of `late` was asked for.
fn is_later(entries: &[Entry], early: &Seen, late: &Seen) -> bool {
    early.key == late.key && returned(&entries[early.read]).is_some_and(|at| at < entries[late.write].invoked)
}

fn returned(entry: &Entry) -> Option<u64> {
    entry.answered.as_ref().map(|(at, _)| *at)
}

fn replace(entry: &mut Entry, place: usize, value: i64) {
    if let Some((_, Answer::Values(values))) = &mut entry.answered {
        values[place] = Some(value);
    }
}

#[cfg(test)]
mod tests;
