//! The book of a run: what is checked, counted, timed and noted down of what happens.

use elect_core::{Duty, Record, SteppedDown};

use crate::checkers::{Checkers, Violation};
use crate::clock::Real;
use crate::counts::{Counted, Counts};
use crate::ids::{Link, NodeIndex};
use crate::input::Told;
use crate::network::Trouble;
use crate::stopwatches::Stopwatches;
use crate::trace::{Detail, Marked, Trace};

/// Everything that watches a world and changes nothing in it.
#[derive(Debug)]
pub(crate) struct Book {
    checks: Checkers,
    trace: Trace,
    /// Counts for reports.
    counts: Counts,
    /// When what happened since the last measurement began.
    stopwatches: Stopwatches,
    /// Whether checkers and the hash see what happens.
    is_checked: bool,
}

impl Book {
    pub(crate) fn new(checks: Checkers, detail: Detail) -> Self {
        Self {
            checks,
            trace: Trace::new(detail),
            counts: Counts::default(),
            stopwatches: Stopwatches::default(),
            is_checked: true,
        }
    }

    /// From now on checkers and the hash see nothing.
    pub(crate) fn close_eyes(&mut self) {
        self.is_checked = false;
    }

    pub(crate) fn is_checked(&self) -> bool {
        self.is_checked
    }

    pub(crate) fn violation(&self) -> Option<&Violation> {
        self.checks.violation()
    }

    pub(crate) fn checks(&self) -> &Checkers {
        &self.checks
    }

    pub(crate) fn checks_mut(&mut self) -> &mut Checkers {
        &mut self.checks
    }

    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn count(&mut self, what: Counted) {
        self.counts.count(what);
    }

    pub(crate) fn stopwatches(&self) -> &Stopwatches {
        &self.stopwatches
    }

    /// A measurement begins.
    pub(crate) fn restart_stopwatches(&mut self) {
        self.stopwatches = Stopwatches::default();
    }

    // What several of them want to know.

    /// Authority is lost.
    pub(crate) fn lost(&mut self, at: Real, node: NodeIndex, loss: SteppedDown) {
        self.stopwatches.lost(at, node);
        self.checks.lost(at, node, loss);
    }

    /// A host is about to be told this.
    pub(crate) fn told(&mut self, at: Real, node: NodeIndex, told: &Told, quorum: usize) {
        self.stopwatches.happened(at, node, told);
        match told {
            Told::Duty(Duty::Elected(elected)) => {
                self.checks.elected(at, node, elected.epoch());
                self.checks.won(at, node, elected.epoch(), quorum);
            }
            Told::Duty(Duty::EpochRaised { from, raised }) => {
                self.checks.raised(at, node, *from, raised.epoch());
                self.checks.won(at, node, raised.epoch(), quorum);
            }
            _ => {}
        }
    }

    /// A save of a process changed what is on its disk.
    pub(crate) fn saved(&mut self, at: Real, node: NodeIndex, record: &Record) {
        self.checks.saved(at, node, record);
        self.stopwatches.saved(at, node);
    }

    /// A node was told that its link to a peer is up.
    pub(crate) fn linked(&mut self, at: Real, node: NodeIndex, peer: NodeIndex) {
        self.stopwatches.linked(at, node, peer);
    }

    // The trace.

    /// Something happens: a part of the hash.
    pub(crate) fn absorb(&mut self, at: Real) {
        if self.is_checked {
            self.trace.absorb(at);
        }
    }

    /// A frame arrives: a part of the hash.
    pub(crate) fn absorb_frame(&mut self, from: NodeIndex, to: NodeIndex, bytes: &[u8]) {
        if self.is_checked {
            self.trace.absorb(u64::from(from.number()) << 8 | u64::from(to.number()));
            self.trace.absorb_bytes(bytes);
        }
    }

    pub(crate) fn wants(&self, detail: Detail) -> bool {
        self.trace.wants(detail)
    }

    pub(crate) fn note(&mut self, at: Real, node: Option<NodeIndex>, text: impl FnOnce() -> String) {
        self.trace.note(at, node, text);
    }

    pub(crate) fn mark(&mut self, at: Real, node: Option<NodeIndex>, what: Marked, why: String) {
        self.trace.mark(at, node, what, why);
    }

    pub(crate) fn mark_link(&mut self, at: Real, link: Link, trouble: Option<Trouble>) {
        self.trace.mark_link(at, link, trouble);
    }
}
