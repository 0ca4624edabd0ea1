//! The threads that commit the gates of all groups: few, and one more for each save that hangs.
//!
//! A thread for each vote file would be a thread for each group. So [`SAVERS`] threads take what waits, in order. One whose
//! save has taken [`HANGS_AFTER`] no longer counts, and another takes its place; so a store that hangs costs the other
//! groups at most that long, and a thread for as long as it hangs. They also close the stores of groups that have ended, which
//! may hang or panic as a save may.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use elect_core::{Floor, Gate, Gated, StorageFailed, VoteStore};

use super::tenancy::Tenancy;
use crate::counters::Counters;
use crate::threads::Threads;

/// So many saves at a time.
pub(super) const SAVERS: usize = 4;
/// A save that takes longer no longer keeps a thread from the others.
pub(super) const HANGS_AFTER: Duration = Duration::from_millis(500);

/// The vote store and the fence of one group. They are with its orchestrator, or with the thread that saves.
pub(super) struct Vault<S, F> {
    pub(super) store: S,
    pub(super) floor: Arc<F>,
    pub(super) counters: Arc<Counters>,
    /// Dropped last: the vote file is free by then.
    pub(super) _tenancy: Arc<Tenancy>,
}

/// What commits a gate.
pub(super) trait Commit: Send {
    fn commit(&mut self, gate: Gate) -> Result<Gated, StorageFailed>;
}

impl<S: VoteStore + Send, F: Floor + Send + Sync> Commit for Vault<S, F> {
    fn commit(&mut self, gate: Gate) -> Result<Gated, StorageFailed> {
        let began = Instant::now();
        let result = gate.commit(&mut self.store, &*self.floor);
        self.counters.measures.on_save(began.elapsed(), result.is_err());
        self.counters.gates_committed.add(1);
        result
    }
}

/// Which life of which group: a number may be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupKey {
    pub(super) number: u32,
    pub(super) serial: u64,
}

/// What a thread does with the store and the fence of a group.
pub(super) struct Job {
    pub(super) vault: Box<dyn Commit>,
    /// What is to be saved. `None`: the group has ended, and its store is closed.
    pub(super) save: Option<(GroupKey, Gate)>,
}

/// A save that has ended.
pub(super) struct Saved {
    pub(super) of: GroupKey,
    pub(super) vault: Box<dyn Commit>,
    /// `None`: the store, or the host's fence, has panicked.
    pub(super) result: Option<Result<Gated, StorageFailed>>,
}

/// The threads. Cheap to clone.
#[derive(Clone)]
pub(super) struct Savers {
    pool: Arc<Pool>,
    threads: Threads,
    saved: Sender<Saved>,
}

#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Since when each thread that saves has done so.
    busy: BTreeMap<u64, Instant>,
    threads: usize,
    next: u64,
    is_ending: bool,
}

impl State {
    /// Threads that save and do not hang, or wait for something to save.
    fn working(&self, now: Instant) -> usize {
        self.threads - self.busy.values().filter(|began| now - **began >= HANGS_AFTER).count()
    }
}

impl Savers {
    pub(super) fn new(threads: Threads, saved: Sender<Saved>) -> Self {
        Self { pool: Arc::default(), threads, saved }
    }

    /// Has a gate committed, or a store closed.
    pub(super) fn submit(&self, job: Job) {
        let mut state = self.pool.lock();
        state.waiting.push_back(job);
        self.pool.changed.notify_one();
        self.help(state, Instant::now());
    }

    /// Puts a thread in the place of each that hangs, if something waits. When to look again, if ever.
    pub(super) fn relieve(&self) -> Option<Instant> {
        let now = Instant::now();
        self.help(self.pool.lock(), now);
        let state = self.pool.lock();
        if state.waiting.is_empty() {
            return None;
        }
        let hangs = state.busy.values().map(|began| *began + HANGS_AFTER);
        hangs.filter(|at| *at > now).min()
    }

    fn help(&self, mut state: MutexGuard<'_, State>, now: Instant) {
        let idle = state.threads - state.busy.len();
        if idle < state.waiting.len() && state.working(now) < SAVERS {
            state.threads += 1;
            drop(state);
            self.start();
        }
    }

    /// Without a thread the job waits until another is done, or until one can be started.
    fn start(&self) {
        let (pool, saved) = (Arc::clone(&self.pool), self.saved.clone());
        let spawned = self.threads.spawn("elect-save", drop, move || pool.work(&saved));
        if spawned.is_err() {
            self.pool.lock().threads -= 1;
        }
    }

    /// Nothing more comes: the threads end when nothing waits.
    pub(super) fn end(&self) {
        self.pool.lock().is_ending = true;
        self.pool.changed.notify_all();
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread.
    fn work(&self, saved: &Sender<Saved>) {
        while let Some((number, job)) = self.take() {
            let Job { mut vault, save } = job;
            let Some((of, gate)) = save else {
                close(vault);
                self.lock().busy.remove(&number);
                continue;
            };
            let result = panic::catch_unwind(AssertUnwindSafe(|| vault.commit(gate))).ok();
            self.lock().busy.remove(&number);
            // Without an orchestrator the store is closed here.
            if let Err(unheard) = saved.send(Saved { of, vault, result }) {
                close(unheard.0.vault);
            }
        }
    }

    /// The next job; `None` if this thread is one too many, or nothing more comes.
    fn take(&self) -> Option<(u64, Job)> {
        let mut state = self.lock();
        loop {
            if state.working(Instant::now()) > SAVERS {
                break;
            }
            if let Some(job) = state.waiting.pop_front() {
                let number = state.next;
                state.next += 1;
                state.busy.insert(number, Instant::now());
                return Some((number, job));
            }
            if state.is_ending {
                break;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.threads -= 1;
        None
    }
}

/// Both are the host's: that they panic at their end is its own affair.
fn close(vault: Box<dyn Commit>) {
    let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(vault)));
}
