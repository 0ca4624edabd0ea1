//! What all threads of the demo report to, and what the script waits on.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::trace::{Acknowledged, Action, ActionKind, NodeEvent};

/// Shared by the script, the client and the readers of events.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    state: Mutex<State>,
    changed: Condvar,
}

/// Everything that was reported so far.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// In the order of arrival, which between nodes is not quite that of time.
    pub(crate) events: Vec<NodeEvent>,
    pub(crate) actions: Vec<Action>,
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// Why the demo cannot go on.
    stop: Option<Stop>,
}

/// Why waiting was no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// The user asked for it.
    #[error("interrupted by {0}")]
    Interrupted(&'static str),
    /// It did not come in time.
    #[error("after {} s still waiting for {what}", within.as_secs())]
    TimedOut { what: &'static str, within: Duration },
    /// Something broke meanwhile.
    #[error("{0}")]
    Failed(String),
}

impl Recorder {
    /// Reports something that happened at a node.
    pub(crate) fn record_event(&self, event: NodeEvent) {
        self.change(|state| state.events.push(event));
    }

    /// Notes something that the demo does.
    pub(crate) fn record_action(&self, at: Duration, kind: ActionKind) {
        self.change(|state| state.actions.push(Action { at, kind }));
    }

    /// Reports an acknowledged write.
    pub(crate) fn record_write(&self, write: Acknowledged) {
        self.change(|state| state.acknowledged.push(write));
    }

    /// Ends every wait, now and later. The first reason stays.
    pub(crate) fn stop(&self, reason: Stop) {
        self.change(|state| {
            state.stop.get_or_insert(reason);
        });
    }

    /// Reads everything reported so far.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.lock())
    }

    /// Waits until `find` finds something, `within` is over, or the demo is stopped.
    pub(crate) fn wait<T>(
        &self,
        what: &'static str,
        within: Duration,
        mut find: impl FnMut(&State) -> Option<T>,
    ) -> Result<T, Stop> {
        let deadline = Instant::now() + within;
        let mut state = self.lock();
        loop {
            if let Some(reason) = &state.stop {
                return Err(reason.clone());
            }
            if let Some(found) = find(&state) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Stop::TimedOut { what, within });
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for as long as it takes until the demo is stopped.
    pub(crate) fn wait_for_stop(&self) -> Stop {
        let mut state = self.lock();
        loop {
            if let Some(reason) = &state.stop {
                return reason.clone();
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::tests::{ms, node};

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn waiting_ends_with_what_was_waited_for() {
        let recorder = Recorder::default();
        std::thread::scope(|scope| {
            scope.spawn(|| recorder.record_write(Acknowledged { at: ms(3), by: node("n1") }));
            let at = recorder.wait("a write", LONG, |state| state.acknowledged.first().map(|write| write.at));
            assert_eq!(at, Ok(ms(3)));
        });
    }

    #[test]
    fn waiting_in_vain_says_for_what() {
        let waited = Recorder::default().wait("a write", ms(1), |_| None::<()>);
        assert_eq!(waited, Err(Stop::TimedOut { what: "a write", within: ms(1) }));
    }

    #[test]
    fn interruption_ends_waits_and_the_first_reason_stays() {
        let recorder = Recorder::default();
        std::thread::scope(|scope| {
            scope.spawn(|| recorder.stop(Stop::Interrupted("SIGINT")));
            assert_eq!(recorder.wait("ever", LONG, |_| None::<()>), Err(Stop::Interrupted("SIGINT")));
        });
        recorder.stop(Stop::Failed("n1 has ended".into()));
        assert_eq!(recorder.wait_for_stop(), Stop::Interrupted("SIGINT"));
        assert_eq!(recorder.wait("ever", LONG, |_| None::<()>), Err(Stop::Interrupted("SIGINT")));
    }
}
