//! A request for a part of another node's state.

use elect_core::{NodeId, Stamp};

/// What was asked for last: nothing else is an answer.
#[derive(Debug)]
pub(super) struct Fetch {
    from: NodeId,
    stamp: Stamp,
    attempt: u64,
}

impl Fetch {
    pub(super) fn new(from: NodeId, stamp: Stamp, attempt: u64) -> Self {
        Self { from, stamp, attempt }
    }

    pub(super) fn is_from(&self, peer: NodeId) -> bool {
        self.from == peer
    }

    pub(super) fn is_answered_by(&self, from: NodeId, stamp: Stamp, attempt: u64) -> bool {
        (self.from, self.stamp, self.attempt) == (from, stamp, attempt)
    }
}
