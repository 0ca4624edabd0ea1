//! Whether a history is linearizable: whether each operation can have taken effect at one moment between its request and its
//! answer, so that every answer is the one that an object gives that does one thing after another.
//!
//! The history is read once, from left to right. What is known at each moment is a set of possibilities: a state of the keys,
//! with those operations under way that have taken effect in it. When an operation returns, only those possibilities stay in
//! which it has, with this answer. An open operation never returns: it may take effect at any time, or never. So a moment at
//! which nothing is under way leaves states and unused open operations behind and nothing else, however long the history is.
//!
//! Three things keep the set small, and lose nothing:
//! - A read that can take effect now does: it changes nothing, and has to at some time.
//! - Of two possibilities that differ only in which open operations are used, the one that has used fewer can do all that the
//!   other can.
//! - Before an operation returns only those take effect that share a key with it, directly or by way of others: the rest may
//!   as well come later.

use std::collections::{HashMap, VecDeque};

use super::history::Entry;
use super::operation::{Answer, KEYS, Operation, State};

/// More possibilities than this are not looked at.
const POSSIBILITIES_MAX: usize = 200_000;
/// Operations under way or open at one moment: bits of a word.
const SLOTS: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Linearizable,
    /// No order explains this answer.
    Violation(Violation),
    /// Too many operations are open at once.
    Undecided,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The operation that returned what it cannot have.
    pub(crate) entry: usize,
    /// What the keys can have held before.
    pub(crate) states: Vec<State>,
}

/// Judges the operations of one group, in any order.
pub(crate) fn check(entries: &[Entry]) -> Verdict {
    let mut search = Search::new(entries);
    for (_, moment, index) in moments(entries) {
        let went = match moment {
            Moment::Invoked => search.on_invoked(index),
            Moment::Returned => search.on_returned(index),
        };
        if let Err(verdict) = went {
            return verdict;
        }
    }
    Verdict::Linearizable
}

/// At the same time requests come first: then both orders are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Invoked,
    Returned,
}

fn moments(entries: &[Entry]) -> Vec<(u64, Moment, usize)> {
    let mut moments = Vec::with_capacity(2 * entries.len());
    for (index, entry) in entries.iter().enumerate() {
        match &entry.answered {
            Some((at, _)) => moments.push((*at, Moment::Returned, index)),
            // A read that has no answer says nothing.
            None if entry.operation.is_read() => continue,
            None => {}
        }
        moments.push((entry.invoked, Moment::Invoked, index));
    }
    moments.sort_unstable();
    moments
}

/// One way in which things can have gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Possibility {
    state: State,
    /// The slots of those operations that have taken effect.
    done: u64,
}

struct Search<'a> {
    entries: &'a [Entry],
    slots: [Option<usize>; SLOTS],
    /// The slots of operations that never return.
    open: u64,
    possible: Vec<Possibility>,
}

impl<'a> Search<'a> {
    fn new(entries: &'a [Entry]) -> Self {
        let start = Possibility { state: [None; KEYS], done: 0 };
        Self { entries, slots: [None; SLOTS], open: 0, possible: vec![start] }
    }

    fn on_invoked(&mut self, index: usize) -> Result<(), Verdict> {
        let slot = self.slots.iter().position(Option::is_none).ok_or(Verdict::Undecided)?;
        self.slots[slot] = Some(index);
        if self.entries[index].answered.is_none() {
            self.open |= 1 << slot;
        }
        for possibility in &mut self.possible {
            read(possibility, self.entries, &self.slots);
        }
        Ok(())
    }

    fn on_returned(&mut self, index: usize) -> Result<(), Verdict> {
        let slot = self.slots.iter().position(|held| *held == Some(index)).ok_or(Verdict::Undecided)?;
        let relevant = self.relevant(index);
        let (mut found, mut seen) = (Set::new(self.open), Set::new(self.open));
        let mut next: VecDeque<_> = self.possible.iter().copied().collect();
        let mut looked_at = 0;
        while let Some(possibility) = next.pop_front() {
            looked_at += 1;
            if looked_at > POSSIBILITIES_MAX {
                return Err(Verdict::Undecided);
            }
            if possibility.done & 1 << slot != 0 {
                found.insert(Possibility { done: possibility.done & !(1 << slot), ..possibility });
                continue;
            }
            for other in relevant.iter().filter(|other| possibility.done & 1 << **other == 0) {
                if let Some(after) = self.after(possibility, *other)
                    && seen.insert(after)
                {
                    next.push_back(after);
                }
            }
        }
        if found.is_empty() {
            let mut states: Vec<_> = self.possible.iter().map(|possibility| possibility.state).collect();
            states.sort_unstable();
            states.dedup();
            return Err(Verdict::Violation(Violation { entry: index, states }));
        }
        self.slots[slot] = None;
        self.possible = found.into_all();
        Ok(())
    }

    /// The slots of those that may have to take effect before this one returns.
    fn relevant(&self, index: usize) -> Vec<usize> {
        let keys_of = |slot: usize| self.slots[slot].map_or(0, |held| self.entries[held].operation.keys());
        let mut keys = self.entries[index].operation.keys();
        loop {
            let shared = (0..SLOTS).map(keys_of).filter(|other| other & keys != 0);
            let all = shared.fold(keys, |all, other| all | other);
            if all == keys {
                return (0..SLOTS).filter(|slot| keys_of(*slot) & keys != 0).collect();
            }
            keys = all;
        }
    }

    /// What becomes of a possibility when one more operation takes effect; `None` if its answer would be another.
    fn after(&self, before: Possibility, slot: usize) -> Option<Possibility> {
        let entry = &self.entries[self.slots[slot]?];
        let mut state = before.state;
        let answer = entry.operation.apply(&mut state);
        if entry.answered.as_ref().is_some_and(|(_, told)| *told != answer) {
            return None;
        }
        let mut after = Possibility { state, done: before.done | 1 << slot };
        read(&mut after, self.entries, &self.slots);
        Some(after)
    }
}

/// Lets every read under way take effect that can.
fn read(possibility: &mut Possibility, entries: &[Entry], slots: &[Option<usize>; SLOTS]) {
    for (slot, held) in slots.iter().enumerate() {
        let Some(entry) = held.map(|index| &entries[index]) else { continue };
        if entry.operation.is_read() && answers(&entry.operation, possibility.state, entry) {
            possibility.done |= 1 << slot;
        }
    }
}

fn answers(operation: &Operation, mut state: State, entry: &Entry) -> bool {
    let told: Option<&Answer> = entry.answered.as_ref().map(|(_, answer)| answer);
    told == Some(&operation.apply(&mut state))
}

/// Possibilities, without those that another one covers.
struct Set {
    open: u64,
    /// By state and by which operations are done that return: which open ones are used.
    used: HashMap<(State, u64), Vec<u64>>,
}

impl Set {
    fn new(open: u64) -> Self {
        Self { open, used: HashMap::new() }
    }

    fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    /// Whether it is new and nothing covers it.
    fn insert(&mut self, new: Possibility) -> bool {
        let used = new.done & self.open;
        let known = self.used.entry((new.state, new.done & !self.open)).or_default();
        if known.iter().any(|known| known & used == *known) {
            return false;
        }
        known.retain(|known| known & used != used);
        known.push(used);
        true
    }

    fn into_all(self) -> Vec<Possibility> {
        let all = self.used.into_iter().flat_map(|((state, done), used)| {
            used.into_iter().map(move |used| Possibility { state, done: done | used })
        });
        all.collect()
    }
}

#[cfg(test)]
mod tests;
