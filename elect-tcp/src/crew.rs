//! The threads of a node: named, counted, joined within a bound.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The threads of one node. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crew(Arc<Roster>);

#[derive(Debug, Default)]
struct Roster {
    threads: Mutex<Threads>,
    exited: Condvar,
}

#[derive(Debug, Default)]
struct Threads {
    next: u64,
    running: HashMap<u64, Member>,
    exited: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    name: String,
    handle: JoinHandle<()>,
}

impl Crew {
    /// Starts a thread. `panicked` runs on it, with its name, if `body` panics.
    pub(crate) fn spawn(
        &self,
        name: impl Into<String>,
        panicked: impl FnOnce(String) + Send + 'static,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let (crew, name) = (self.clone(), name.into());
        let mut threads = self.lock();
        let number = threads.next;
        threads.next += 1;
        let own_name = name.clone();
        // Under the lock, so that the thread cannot leave before it is listed.
        let handle = thread::Builder::new().name(name.clone()).spawn(move || {
            let watch = Watchman { crew, number, panicked: Some((panicked, own_name)) };
            body();
            drop(watch);
        })?;
        threads.running.insert(number, Member { name, handle });
        let exited = std::mem::take(&mut threads.exited);
        drop(threads);
        join(exited);
        Ok(())
    }

    /// How many threads run.
    pub(crate) fn count(&self) -> usize {
        self.lock().running.len()
    }

    /// Waits until every thread has ended and joins it; the names of those that have not ended after `bound`.
    pub(crate) fn join_all(&self, bound: Duration) -> Result<(), Vec<String>> {
        let deadline = Instant::now() + bound;
        let mut threads = self.lock();
        while !threads.running.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let mut names: Vec<_> = threads.running.values().map(|member| member.name.clone()).collect();
                names.sort();
                return Err(names);
            }
            let waited = self.0.exited.wait_timeout(threads, left);
            threads = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let exited = std::mem::take(&mut threads.exited);
        drop(threads);
        join(exited);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Threads> {
        self.0.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Joins threads that have run their last line.
fn join(exited: Vec<Member>) {
    for member in exited {
        // A panic has been reported by the thread itself.
        let _ = member.handle.join();
    }
}

/// Strikes a thread off the list when it ends, however it ends.
struct Watchman<P: FnOnce(String)> {
    crew: Crew,
    number: u64,
    panicked: Option<(P, String)>,
}

impl<P: FnOnce(String)> Drop for Watchman<P> {
    fn drop(&mut self) {
        if let Some((panicked, name)) = self.panicked.take().filter(|_| thread::panicking()) {
            panicked(name);
        }
        let mut threads = self.crew.lock();
        let own = threads.running.remove(&self.number);
        threads.exited.extend(own);
        drop(threads);
        self.crew.0.exited.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;

    const BOUND: Duration = Duration::from_secs(20);

    #[test]
    fn threads_that_do_not_end_are_named_after_the_bound() {
        let crew = Crew::default();
        let (release, held) = bounded::<()>(0);
        crew.spawn("quick", |_| (), || ()).unwrap();
        crew.spawn(
            "stuck",
            |_| (),
            move || {
                let _ = held.recv();
            },
        )
        .unwrap();
        assert_eq!(crew.join_all(Duration::from_millis(50)), Err(vec!["stuck".into()]));
        drop(release);
        assert_eq!(crew.join_all(BOUND), Ok(()));
        assert_eq!(crew.count(), 0);
    }

    #[test]
    fn a_panic_is_reported_with_the_threads_name() {
        let crew = Crew::default();
        let (report, reported) = bounded(1);
        crew.spawn("clumsy", move |name| report.send(name).unwrap(), || panic!("on purpose")).unwrap();
        assert_eq!(reported.recv_timeout(BOUND), Ok("clumsy".into()));
        assert_eq!(crew.join_all(BOUND), Ok(()));
    }

    #[test]
    fn finished_threads_do_not_pile_up() {
        let crew = Crew::default();
        for _ in 0..200 {
            crew.spawn("short", |_| (), || ()).unwrap();
        }
        crew.join_all(BOUND).unwrap();
        assert_eq!(crew.lock().exited.len(), 0);
    }
}
