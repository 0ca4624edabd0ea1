//! A follower's view of its leader.

use elect_core::{Epoch, NodeId, Stamp};

/// Whom this node follows, and what it owes.
#[derive(Debug)]
pub(super) struct FollowerState {
    leader: NodeId,
    /// The stamp under which acknowledgements are given.
    epoch: Epoch,
    /// Appends that answer another question are dropped.
    attempt: u64,
    /// The own log equals the leader's up to here.
    matched: u64,
    /// `matched` or `epoch` moved since the last acknowledgement.
    owes_ack: bool,
    /// An append was dropped because its epoch is not adopted yet: asks again after the adoption.
    missed: bool,
}

impl FollowerState {
    pub(super) fn new(leader: NodeId, epoch: Epoch) -> Self {
        Self { leader, epoch, attempt: 0, matched: 0, owes_ack: false, missed: false }
    }

    pub(super) fn leader(&self) -> NodeId {
        self.leader
    }

    /// The stamp under which acknowledgements are given.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp::received(self.epoch)
    }

    /// Whether nothing need be asked when the elector says that `leader` is followed in `epoch`.
    pub(super) fn is_up_to_date(&self, leader: NodeId, epoch: Epoch) -> bool {
        self.leader == leader && self.epoch == epoch && !self.missed
    }

    /// The own log equals the leader's up to here.
    pub(super) fn matched(&self) -> u64 {
        self.matched
    }

    /// From now on only answers to this question count.
    pub(super) fn ask(&mut self, attempt: u64) {
        self.attempt = attempt;
        self.missed = false;
    }

    /// Whether an append of `from` under `stamp` answers the last question.
    pub(super) fn expects(&self, from: NodeId, stamp: Stamp, attempt: u64) -> bool {
        self.leader == from && self.epoch <= stamp.epoch() && self.attempt == attempt
    }

    /// An append under `stamp` was written, up to `matched`.
    pub(super) fn on_written(&mut self, stamp: Stamp, matched: u64) {
        self.epoch = stamp.epoch();
        self.matched = self.matched.max(matched);
        self.owes_ack = true;
    }

    /// An append was dropped, because its epoch is not adopted yet.
    pub(super) fn on_missed(&mut self) {
        self.missed = true;
    }

    /// What is to be acknowledged, once.
    pub(super) fn take_owed_ack(&mut self) -> Option<u64> {
        std::mem::take(&mut self.owes_ack).then_some(self.matched)
    }
}
