//! A log that begins after another one ends: the state takes the place of what was dropped.
//!
//! ```text
//! receiver                               sender
//!    │ ◀──────────  Behind                   │   "what follows your log is not in mine any more"
//!    │  Fetch { from }  ───────────────────▶ │
//!    │ ◀──────────  Part { from, pairs }     │   of one state, as it was after one committed entry
//!    │  beside the own log and state         │
//!    │  Fetch …, Part …                      │   until the last part: then it takes their place, at once
//! ```
//!
//! The receiver is a follower and the sender its leader, or the receiver has won and catches up from its source. It asks
//! for one part after another, so that little is under way and little in memory, and goes on where it was after a
//! connection was lost.
//!
//! What could lose an acknowledged write here, or bring a dropped one back, and why it does not:
//!
//! - *The receiver makes room first.* It was one of the two that held a write; the other one dies, and it is half empty.
//!   So the own log and state stay, count and are reported until the new ones are whole and durable, and go in one step.
//! - *Two states are mixed*, since the sender began anew, or is another one. Each part says of which state it is and what it
//!   follows; the first part of another state drops what came before, and any other part that does not fit is dropped.
//! - *A state holds what was never committed.* Only what is applied is sent, and only what is committed is applied.
//! - *A state is older than what is held*: from a delayed message, or a leader that was deposed. It is taken through the
//!   fence, as an answer to the last request, only above everything that is committed here; what is committed here shares
//!   its place with the leader's log, so that a leader that dropped what is shared has dropped all that is committed here.
//! - *A state of a later epoch makes a winner of an earlier one forget that it was passed by.* It is not taken: a winner ends
//!   where its source does, and a follower's leader has nothing of a later epoch.
//! - *A fork survives beyond the state's end*, since a deposed primary's log was longer. Nothing of the old log is kept.
//! - *What is dropped is not applied yet*, or is lost with a crash that the drop survives. Only what is applied is dropped,
//!   after it in the same journal.

use elect_core::{Fenced, NodeId, Position, Stamp};

use super::fetch::Fetch;
use super::history::History;
use super::journal::Journal;
use super::message::{Cursor, Message, Part};
use super::output::Output;
use super::replica::{Replica, Role};

impl Replica {
    /// This node needs `from`'s state.
    pub(super) fn on_behind(&mut self, from: NodeId, stamp: Stamp, attempt: u64, journal: &mut impl Journal) {
        let is_answer = match &self.role {
            Role::Follower(follower) => follower.expects(from, stamp, attempt),
            Role::Leader(_) => self.source_of(from, stamp).is_some(),
            Role::Idle => false,
        };
        if !is_answer {
            return;
        }
        match (journal.ack(stamp), &mut self.role) {
            (Ok(()), _) => self.fetch(from, stamp),
            (Err(Fenced::Ahead { .. }), Role::Follower(follower)) => follower.on_missed(),
            (Err(_), _) => {}
        }
    }

    fn fetch(&mut self, from: NodeId, stamp: Stamp) {
        self.attempts += 1;
        self.fetch = Some(Fetch::new(from, stamp, self.attempts));
        let message = Message::Fetch { stamp, attempt: self.attempts, from: self.received.clone() };
        self.send(from, message);
    }

    /// Sends a part of the applied state to whoever needs it. That is committed, whatever this node is now.
    pub(super) fn on_fetch(
        &mut self,
        to: NodeId,
        stamp: Stamp,
        attempt: u64,
        from: &Cursor,
        journal: &mut impl Journal,
    ) {
        let now =
            self.history.position(self.applicable).expect("what is applied is in the log, or its begin");
        let Some(part) = journal.part(to, now, from, self.config.message_bytes) else { return };
        if part.from.after.is_empty() {
            self.put(Output::Sends { to, state: part.from.state, keys: part.keys });
        }
        self.send(to, Message::Part { stamp, attempt, part });
    }

    pub(super) fn on_part(
        &mut self,
        from: NodeId,
        stamp: Stamp,
        attempt: u64,
        part: &Part,
        journal: &mut impl Journal,
    ) {
        let is_answer = |fetch: &Fetch| fetch.is_answered_by(from, stamp, attempt);
        let is_first = part.from.after.is_empty();
        if !self.fetch.as_ref().is_some_and(is_answer) || !(is_first || part.from == self.received) {
            return;
        }
        let state = part.from.state;
        if state.epoch > stamp.epoch() {
            // This node has won, and its source belongs to a later leader by now: what it reported is not to be had.
            self.fetch = None;
            self.on_pull_lost(from, stamp);
            return;
        }
        if state.offset <= self.commit && self.is_shared(state) && matches!(self.role, Role::Follower(_)) {
            // A question that reached its leader twice was answered by entries, too, and those were here first.
            self.forget_received(journal);
            return self.ask(self.history.last());
        }
        if state.offset <= self.commit {
            self.put(Output::Diverged { shared: state, commit: self.commit });
            return;
        }
        let Some(received) = journal.receive(is_first, &part.pairs) else { return };
        let after = part.pairs.last().map_or_else(|| part.from.after.clone(), |(key, _)| key.clone());
        self.received = Cursor { state, after };
        self.put(Output::Receives { from, state, received, keys: part.keys });
        if !part.is_last {
            self.fetch(from, stamp);
        } else if received == part.keys {
            self.install(from, stamp, state, journal);
        } else {
            // Not the state that the sender counts: from the beginning, rather than to believe either.
            self.forget_received(journal);
            self.fetch(from, stamp);
        }
    }

    /// Whether this log holds the last entry of that state, or dropped it long ago.
    fn is_shared(&self, state: Position) -> bool {
        self.history.holds(state) || state.offset < self.history.begin().offset
    }

    /// The state is whole: it takes the place of log and state.
    fn install(&mut self, from: NodeId, stamp: Stamp, state: Position, journal: &mut impl Journal) {
        self.fetch = None;
        if journal.install(stamp, state).is_err() {
            // This node has moved on, and whoever it follows next says whether the state is still of use; or it stops.
            return;
        }
        self.received = Cursor::default();
        self.history = History::after(state);
        (self.durable, self.commit, self.applicable) = (state.offset, state.offset, state.offset);
        self.put(Output::Installed { from, state });
        if matches!(self.role, Role::Follower(_)) {
            self.ask(state);
        } else if let Some(source) = self.source_of(from, stamp)
            && !self.history.holds(source.position)
        {
            self.pull(state);
        }
        // A winner that holds everything now is told so by the next sync.
    }

    /// What was received is of no use any more.
    pub(super) fn forget_received(&mut self, journal: &mut impl Journal) {
        if self.received != Cursor::default() {
            self.received = Cursor::default();
            journal.forget_received();
        }
    }

    /// The host dropped everything up to `begin`, which is applied.
    pub fn on_dropped(&mut self, begin: Position) {
        self.history.drop_through(begin);
    }
}
