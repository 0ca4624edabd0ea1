//! Tells whoever waits, threads and tasks, that something changed.

use std::collections::HashMap;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// Counts changes, and wakes those who wait for the next one. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Signal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    version: u64,
    /// Nothing changes any more.
    has_ended: bool,
    next_listener: u64,
    wakers: HashMap<u64, Waker>,
}

impl Signal {
    /// Something changed.
    pub(crate) fn raise(&self) {
        let mut state = self.lock();
        state.version += 1;
        self.wake(state);
    }

    /// Something changed for the last time.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.has_ended, true) {
            state.version += 1;
            self.wake(state);
        }
    }

    /// Waits from now on.
    pub(crate) fn listen(&self) -> Listener {
        let mut state = self.lock();
        let number = state.next_listener;
        state.next_listener += 1;
        Listener { seen: state.version, number, signal: self.clone() }
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let wakers: Vec<_> = state.wakers.drain().collect();
        drop(state);
        self.0.changed.notify_all();
        for (_, waker) in wakers {
            // The host's code: its panic is not the node's.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("version", &self.lock().version).finish_non_exhaustive()
    }
}

/// One who waits, and the change that it has seen last.
#[derive(Debug)]
pub(crate) struct Listener {
    seen: u64,
    number: u64,
    signal: Signal,
}

/// What a wait came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Changed,
    DeadlinePassed,
    Ended,
}

impl Listener {
    /// Blocks until something has changed since the last call that said so. `None`: without a deadline.
    pub(crate) fn wait(&mut self, deadline: Option<Instant>) -> Waited {
        let signal = self.signal.clone();
        let mut state = signal.lock();
        loop {
            if let Some(waited) = self.look(&state) {
                return waited;
            }
            let Some(deadline) = deadline else {
                state = signal.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Waited::DeadlinePassed;
            }
            let waited = signal.0.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The same for a task: without a change its waker is woken at the next one.
    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<Waited> {
        let signal = self.signal.clone();
        let mut state = signal.lock();
        if let Some(waited) = self.look(&state) {
            return Poll::Ready(waited);
        }
        let earlier = state.wakers.insert(self.number, context.waker().clone());
        // What a waker owns may want this lock as it goes.
        drop(state);
        drop(earlier);
        Poll::Pending
    }

    fn look(&mut self, state: &State) -> Option<Waited> {
        if std::mem::replace(&mut self.seen, state.version) != state.version {
            return Some(Waited::Changed);
        }
        state.has_ended.then_some(Waited::Ended)
    }
}

impl Clone for Listener {
    fn clone(&self) -> Self {
        let mut listener = self.signal.listen();
        listener.seen = self.seen;
        listener
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let waker = self.signal.lock().wakers.remove(&self.number);
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::thread;

    use super::*;

    /// Owns a listener, as the task of a future that waits does.
    struct Owning {
        _listener: Mutex<Listener>,
    }

    impl Wake for Owning {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_waker_that_owns_a_listener_goes_without_waiting_for_itself() {
        let signal = Signal::default();
        let mut listener = signal.listen();
        let owning = Waker::from(Arc::new(Owning { _listener: Mutex::new(signal.listen()) }));
        assert!(listener.poll(&Context::from_waker(&owning)).is_pending());
        drop(owning);
        assert!(listener.poll(&Context::from_waker(Waker::noop())).is_pending());
    }

    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn each_listener_sees_each_change_once_and_the_end_for_ever() {
        let signal = Signal::default();
        let (mut first, mut second) = (signal.listen(), signal.listen());
        let past = Some(Instant::now());
        assert_eq!(first.wait(past), Waited::DeadlinePassed);
        signal.raise();
        signal.raise();
        let mut cloned = first.clone();
        for listener in [&mut first, &mut second, &mut cloned] {
            assert_eq!(listener.wait(past), Waited::Changed);
            assert_eq!(listener.wait(past), Waited::DeadlinePassed);
        }
        assert_eq!(signal.listen().wait(past), Waited::DeadlinePassed, "what was before is no news");
        signal.end();
        signal.end();
        assert_eq!(
            [first.wait(None), first.wait(None), first.wait(None)],
            [Waited::Changed, Waited::Ended, Waited::Ended]
        );
    }

    #[test]
    fn threads_and_tasks_are_woken() {
        let signal = Signal::default();
        let mut listener = signal.listen();
        let (told, hears) = crossbeam_channel::bounded(0);
        let waiting = thread::spawn(move || {
            told.send(()).unwrap();
            listener.wait(None)
        });
        let counting = Arc::new(Counting(AtomicUsize::new(0)));
        let (waker, woken) = (Waker::from(Arc::clone(&counting)), || counting.0.load(Ordering::SeqCst));
        let context = Context::from_waker(&waker);
        let (mut task, mut dropped) = (signal.listen(), signal.listen());
        for _ in 0..3 {
            assert!(task.poll(&context).is_pending());
            assert!(dropped.poll(&context).is_pending());
        }
        drop(dropped);
        hears.recv().unwrap();
        signal.raise();
        assert_eq!(waiting.join().unwrap(), Waited::Changed);
        assert_eq!(woken(), 1, "one task waited");
        assert_eq!(task.poll(&context), Poll::Ready(Waited::Changed));
        signal.raise();
        assert_eq!(woken(), 1, "nobody waited");
    }
}
