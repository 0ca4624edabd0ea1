//! What this node went through of late, for whoever asks it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use elect_core::{Epoch, NodeId};
use serde::Serialize;

use super::kind::Kind;

/// So many transitions are remembered.
const RECENT_MAX: usize = 10;

/// The last transitions, and since when this node is what it is.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    transitions: VecDeque<Transition>,
    since_unix_ms: u64,
}

/// One change of who leads, or of what this node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Of which kind.
    pub kind: Kind,
    /// In which epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Who leads then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<NodeId>,
    /// What happened and why, in one line.
    pub text: String,
}

impl Recent {
    /// Notes what happened, if it is a transition.
    pub(super) fn note(
        &self,
        kind: Kind,
        epoch: Option<Epoch>,
        leader: Option<NodeId>,
        text: &str,
        unix_ms: u64,
    ) {
        if !kind.is_transition() {
            return;
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kind.changes_role() {
            state.since_unix_ms = unix_ms;
        }
        if state.transitions.len() >= RECENT_MAX {
            state.transitions.pop_front();
        }
        let epoch = epoch.map(Epoch::number);
        state.transitions.push_back(Transition { unix_ms, kind, epoch, leader, text: text.into() });
    }

    /// The newest last.
    pub(super) fn all(&self) -> Vec<Transition> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).transitions.iter().cloned().collect()
    }

    /// Since when this node is what it is, in milliseconds since 1970.
    pub(super) fn since_unix_ms(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).since_unix_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_transitions_are_kept_and_what_is_none_does_not_push_them_out() {
        let recent = Recent::default();
        for number in 0..20 {
            recent.note(Kind::Following, Some(Epoch::new(number)), None, "follows", number);
            for _ in 0..100 {
                recent.note(Kind::LinkDown, None, None, "down", number);
            }
        }
        recent.note(Kind::Paused, None, None, "paused", 99);
        let epochs: Vec<_> = recent.all().iter().map(|transition| transition.epoch).collect();
        let kept = (11..20).map(Some).chain([None]);
        assert_eq!(epochs, kept.collect::<Vec<_>>());
        assert_eq!(recent.since_unix_ms(), 19, "a pause changes no role");
    }
}
