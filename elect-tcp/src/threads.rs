//! The threads of a node: named, counted, joined within a bound.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The threads of one node. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Threads(Arc<Registry>);

#[derive(Debug, Default)]
struct Registry {
    entries: Mutex<Entries>,
    exited: Condvar,
}

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    running: HashMap<u64, Entry>,
    exited: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    handle: JoinHandle<()>,
}

impl Threads {
    /// Starts a thread. `panicked` runs on it, with its name, if `body` panics.
    pub(crate) fn spawn(
        &self,
        name: impl Into<String>,
        panicked: impl FnOnce(String) + Send + 'static,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let (threads, name) = (self.clone(), name.into());
        let mut entries = self.lock();
        let number = entries.next;
        entries.next += 1;
        let own_name = name.clone();
        // Under the lock, so that the thread cannot end before it is listed.
        let handle = thread::Builder::new().name(name.clone()).spawn(move || {
            let guard = ExitGuard { threads, number, panicked: Some((panicked, own_name)) };
            body();
            drop(guard);
        })?;
        entries.running.insert(number, Entry { name, handle });
        let exited = std::mem::take(&mut entries.exited);
        drop(entries);
        join(exited);
        Ok(())
    }

    /// How many threads run.
    pub(crate) fn count(&self) -> usize {
        self.lock().running.len()
    }

    /// Waits until every thread has ended and joins it; the names of those that have not ended after `bound`.
    pub(crate) fn join_all(&self, bound: Duration) -> Result<(), Vec<String>> {
        // None: never.
        let deadline = Instant::now().checked_add(bound);
        let mut entries = self.lock();
        while !entries.running.is_empty() {
            let left = deadline.map_or(bound, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                let mut names: Vec<_> = entries.running.values().map(|entry| entry.name.clone()).collect();
                names.sort();
                return Err(names);
            }
            let waited = self.0.exited.wait_timeout(entries, left);
            entries = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let exited = std::mem::take(&mut entries.exited);
        drop(entries);
        join(exited);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Joins threads that have run their last line.
fn join(exited: Vec<Entry>) {
    for entry in exited {
        // A panic has been reported by the thread itself.
        let _ = entry.handle.join();
    }
}

/// Takes a thread off the list when it ends, however it ends.
struct ExitGuard<P: FnOnce(String)> {
    threads: Threads,
    number: u64,
    panicked: Option<(P, String)>,
}

impl<P: FnOnce(String)> Drop for ExitGuard<P> {
    fn drop(&mut self) {
        let panicked = self.panicked.take();
        let mut entries = self.threads.lock();
        let own = entries.running.remove(&self.number);
        entries.exited.extend(own);
        drop(entries);
        self.threads.0.exited.notify_all();
        // Only now: what the closure holds may stand for the thread's place. Whoever joins the thread waits for this.
        match panicked {
            Some((panicked, name)) if thread::panicking() => panicked(name),
            not_called => drop(not_called),
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;

    const BOUND: Duration = Duration::from_secs(20);

    #[test]
    fn threads_that_do_not_end_are_named_after_the_bound() {
        let threads = Threads::default();
        let (release, held) = bounded::<()>(0);
        threads.spawn("quick", |_| (), || ()).unwrap();
        threads
            .spawn(
                "stuck",
                |_| (),
                move || {
                    let _ = held.recv();
                },
            )
            .unwrap();
        assert_eq!(threads.join_all(Duration::from_millis(50)), Err(vec!["stuck".into()]));
        drop(release);
        assert_eq!(threads.join_all(BOUND), Ok(()));
        assert_eq!(threads.count(), 0);
    }

    #[test]
    fn a_panic_is_reported_with_the_threads_name() {
        let threads = Threads::default();
        let (report, reported) = bounded(1);
        threads.spawn("clumsy", move |name| report.send(name).unwrap(), || panic!("on purpose")).unwrap();
        assert_eq!(reported.recv_timeout(BOUND), Ok("clumsy".into()));
        assert_eq!(threads.join_all(BOUND), Ok(()));
    }

    /// Says at its end how many threads are on the list.
    struct Place(Threads, crossbeam_channel::Sender<usize>);

    impl Drop for Place {
        fn drop(&mut self) {
            self.1.send(self.0.count()).unwrap();
        }
    }

    #[test]
    fn a_place_is_free_once_its_thread_is_off_the_list() {
        let threads = Threads::default();
        let (freeing, freed) = bounded(1);
        let place = Place(threads.clone(), freeing);
        threads.spawn("guest", move |_| drop(place), || ()).unwrap();
        assert_eq!(freed.recv_timeout(BOUND), Ok(0));
        assert_eq!(threads.join_all(BOUND), Ok(()));
    }

    #[test]
    fn finished_threads_do_not_pile_up() {
        let threads = Threads::default();
        for _ in 0..200 {
            threads.spawn("short", |_| (), || ()).unwrap();
        }
        threads.join_all(BOUND).unwrap();
        assert_eq!(threads.lock().exited.len(), 0);
    }
}
