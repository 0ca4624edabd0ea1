//! A stream of events, which a thread or a task reads.
//!
//! Bounded by what is still true. A reader that falls [`EVENTS_MAX`] events behind loses what is only worth knowing, and
//! what a later event has made moot: gains and handovers of a leadership that is over, all but the newest loss. So a
//! step-down is never lost, a reader that comes back does not act on what is past, and one that never reads costs
//! bounded memory.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::event::HostEvent;

/// With so many events waiting, the next one thins them out.
pub(crate) const EVENTS_MAX: usize = 4096;
/// So many notices survive a thinning, the newest ones.
const NOTICES_KEPT: usize = EVENTS_MAX / 2;

/// What an event is about: a later event of the same subject may make it moot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Only there to be logged, and as frequent as somebody else's nonsense.
    Diagnostic,
    /// Worth knowing.
    Notice,
    /// Authority was won, or its way into office begins anew.
    Gain,
    /// An office goes on in another epoch.
    Raise,
    /// Authority ended.
    Loss,
    /// A handover began, or is off.
    Handover,
    /// The storage counts as replaced, or as rebuilt.
    Storage,
    /// Comes once.
    Once,
    /// Stands for so many events that were left out.
    Missed(u64),
}

/// What can wait in a queue.
pub(crate) trait Queued {
    fn subject(&self) -> Subject;
    fn missed(count: u64) -> Self;
}

/// Why there is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEvent {
    /// None has come yet.
    #[error("no event has come yet")]
    NotYet,
    /// The node has ended, and every event has been read.
    #[error("the node has ended")]
    Ended,
}

/// A stream of a node's events: [`Node::start`](crate::Node::start) returns the one that duties move through, and
/// [`NodeHandle::subscribe`](crate::NodeHandle::subscribe) further ones that only tell.
///
/// A thread reads it as an iterator that blocks, or with a deadline; a task as a `Stream` (feature `async`) on any
/// runtime; and a loop that waits for other things too has [`poll_recv`](Self::poll_recv) wake it. It ends after
/// [`HostEvent::Ended`].
///
/// A host that is slow to read, or whose reader panics, stalls nothing else: once authority is over its stamps are
/// refused and its reads do not finish, whatever it has heard. A reader that falls 4,096 events behind loses, oldest
/// first, what is only worth knowing, and what is moot: each loss ends every leadership before it, so of several the
/// newest stays, and what belonged to those leaderships goes with them. How many events that were is the next that it
/// reads: [`NodeNotice::Missed`](crate::NodeNotice::Missed).
pub struct Events<E = HostEvent> {
    queue: Arc<Queue<E>>,
}

/// The sending end, of which there is one.
pub(crate) struct EventSender<E> {
    queue: Arc<Queue<E>>,
}

struct Queue<E> {
    state: Mutex<State<E>>,
    arrived: Condvar,
}

struct State<E> {
    events: VecDeque<E>,
    /// Nothing follows.
    has_ended: bool,
    /// Nobody reads any more.
    is_abandoned: bool,
    /// How many threads are blocked.
    sleepers: usize,
    waker: Option<Waker>,
}

pub(crate) fn events<E>() -> (EventSender<E>, Events<E>) {
    let state =
        State { events: VecDeque::new(), has_ended: false, is_abandoned: false, sleepers: 0, waker: None };
    let queue = Arc::new(Queue { state: Mutex::new(state), arrived: Condvar::new() });
    (EventSender { queue: Arc::clone(&queue) }, Events { queue })
}

impl<E> Events<E> {
    /// An iterator that blocks for each event, as the stream itself does.
    pub const fn iter(&self) -> Iter<'_, E> {
        Iter(self)
    }

    /// The next event; blocks until there is one. `None`: the node has ended.
    pub fn recv(&self) -> Option<E> {
        self.block(None).ok()
    }

    /// The next event, if it comes before `deadline`.
    pub fn recv_deadline(&self, deadline: Instant) -> Result<E, NoEvent> {
        self.block(Some(deadline))
    }

    /// The next event, if it comes within `timeout`.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<E, NoEvent> {
        self.block(Instant::now().checked_add(timeout))
    }

    /// The next event, if it has come already.
    pub fn try_recv(&self) -> Result<E, NoEvent> {
        self.queue.lock().next()
    }

    /// What has come already.
    pub fn try_iter(&self) -> impl Iterator<Item = E> + '_ {
        std::iter::from_fn(|| self.try_recv().ok())
    }

    /// The next event, for a task on any runtime. `None`: the node has ended. A future that is dropped loses no event.
    pub async fn recv_async(&self) -> Option<E> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// The next event; without one `context`'s waker is woken when the next has come, or the stream ends. `Ready(None)`:
    /// the node has ended.
    ///
    /// The waker of the last call counts. It runs on the node's own thread: it must not block.
    pub fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Option<E>> {
        let mut state = self.queue.lock();
        match state.next() {
            Ok(event) => Poll::Ready(Some(event)),
            Err(NoEvent::Ended) => Poll::Ready(None),
            Err(NoEvent::NotYet) => {
                if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                    let earlier = state.waker.replace(context.waker().clone());
                    // What a waker owns may want this lock as it goes.
                    drop(state);
                    drop(earlier);
                }
                Poll::Pending
            }
        }
    }

    fn block(&self, deadline: Option<Instant>) -> Result<E, NoEvent> {
        let mut state = self.queue.lock();
        loop {
            match state.next() {
                Err(NoEvent::NotYet) => {}
                other => return other,
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(NoEvent::NotYet);
            }
            state.sleepers += 1;
            state = match left {
                None => self.queue.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.queue.arrived.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.sleepers -= 1;
        }
    }
}

impl<E> Iterator for Events<E> {
    type Item = E;

    fn next(&mut self) -> Option<E> {
        self.recv()
    }
}

/// Blocks for each event, as the stream itself does.
#[derive(Debug)]
pub struct Iter<'a, E>(&'a Events<E>);

impl<E> Iterator for Iter<'_, E> {
    type Item = E;

    fn next(&mut self) -> Option<E> {
        self.0.recv()
    }
}

impl<'a, E> IntoIterator for &'a Events<E> {
    type Item = E;
    type IntoIter = Iter<'a, E>;

    fn into_iter(self) -> Iter<'a, E> {
        self.iter()
    }
}

#[cfg(feature = "async")]
impl<E> futures_core::Stream for Events<E> {
    type Item = E;

    fn poll_next(self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<E>> {
        self.poll_recv(context)
    }
}

impl<E> Drop for Events<E> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.is_abandoned = true;
        let events = std::mem::take(&mut state.events);
        drop(state);
        drop(events);
    }
}

impl<E> fmt::Debug for Events<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.queue.lock();
        f.debug_struct("Events")
            .field("waiting", &state.events.len())
            .field("has_ended", &state.has_ended)
            .finish_non_exhaustive()
    }
}

impl<E: Queued> EventSender<E> {
    /// Whether somebody may still read.
    pub(crate) fn is_read(&self) -> bool {
        !self.queue.lock().is_abandoned
    }

    /// Adds an event. Never waits for a reader. `false`: nobody reads any more.
    pub(crate) fn send(&self, event: E) -> bool {
        let mut state = self.queue.lock();
        if state.is_abandoned {
            return false;
        }
        if state.events.len() >= EVENTS_MAX {
            thin_out(&mut state.events);
        }
        state.events.push_back(event);
        self.queue.wake(state);
        true
    }
}

impl<E> Drop for EventSender<E> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.has_ended = true;
        self.queue.wake(state);
    }
}

impl<E> fmt::Debug for EventSender<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSender").finish_non_exhaustive()
    }
}

impl<E> Queue<E> {
    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits: one thread for one event, all of them for the end.
    fn wake(&self, mut state: MutexGuard<'_, State<E>>) {
        let (waker, sleepers, has_ended) = (state.waker.take(), state.sleepers, state.has_ended);
        drop(state);
        if has_ended {
            self.arrived.notify_all();
        } else if sleepers > 0 {
            self.arrived.notify_one();
        }
        if let Some(waker) = waker {
            // The host's code: its panic is not the node's.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }
}

impl<E> State<E> {
    fn next(&mut self) -> Result<E, NoEvent> {
        self.events.pop_front().ok_or(if self.has_ended { NoEvent::Ended } else { NoEvent::NotYet })
    }
}

/// Leaves out every diagnostic, older notices, and what is moot, and says at the front how many events that were.
fn thin_out<E: Queued>(events: &mut VecDeque<E>) {
    let (mut later, mut missed, mut kept) = (Later::default(), 0, VecDeque::new());
    while let Some(event) = events.pop_back() {
        match event.subject() {
            Subject::Missed(count) => missed += count,
            subject if later.keeps(subject) => kept.push_front(event),
            _ => missed += 1,
        }
    }
    kept.push_front(E::missed(missed));
    *events = kept;
}

/// What a thinning, which goes from the newest event to the oldest, has met so far.
#[derive(Default)]
struct Later {
    notices: usize,
    subjects: Vec<Subject>,
}

impl Later {
    fn keeps(&mut self, subject: Subject) -> bool {
        let moot_after: &[Subject] = match subject {
            Subject::Diagnostic | Subject::Missed(_) => return false,
            Subject::Once => return true,
            Subject::Notice => {
                self.notices += 1;
                return self.notices <= NOTICES_KEPT;
            }
            Subject::Loss | Subject::Storage => &[],
            Subject::Gain | Subject::Handover => &[Subject::Loss],
            Subject::Raise => &[Subject::Loss, Subject::Gain],
        };
        let is_moot =
            self.subjects.contains(&subject) || self.subjects.iter().any(|later| moot_after.contains(later));
        self.subjects.extend((!is_moot).then_some(subject));
        !is_moot
    }
}

#[cfg(test)]
mod tests;
