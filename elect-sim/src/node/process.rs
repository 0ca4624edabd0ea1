//! A process: a running elector, what it waits for, and when it acts by itself.

use elect_core::{
    Authority, Elector, Epoch, Explanation, Gate, Gated, Incarnation, Lease, Record, StorageFailed, Time,
};

use crate::clock::Real;
use crate::ids::NodeIndex;
use crate::input::{Input, Output};

/// A running elector.
#[derive(Debug)]
pub(crate) struct Process {
    elector: Elector,
    authority: Authority,
    /// The life that its disk named when it started.
    found: Incarnation,
    /// Whom the elector follows.
    following: Option<(NodeIndex, Epoch)>,
    /// The gate whose save is under way.
    saving: Option<Gate>,
    /// What came of a commit, on its way to the elector.
    gated: Option<Result<Gated, StorageFailed>>,
    /// What an interrupt cut short.
    rest: Vec<Output>,
    /// An input that a stopped process holds together with the time it read before.
    held: Option<(Input, Time)>,
    /// When a tick is on the agenda.
    tick_at: Real,
    /// The deadline that this was last derived from.
    tick_for: Time,
    /// Whether a sync of the host's disk is under way.
    syncing: bool,
    /// Operations that a hung disk does not end.
    hung_save: bool,
    hung_sync: bool,
}

/// What a process was stopped in.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// Actions that it had not carried out.
    pub(crate) rest: Vec<Output>,
    /// An input that it had not handled, and the time that it had read for it.
    pub(crate) held: Option<(Input, Time)>,
}

impl Process {
    /// The life that it took, if it came to that. That which its disk named before may go on elsewhere, where the disk is a
    /// copy.
    pub(crate) fn life_taken(&self) -> Option<Incarnation> {
        Some(incarnation(&self.elector)).filter(|incarnation| *incarnation != self.found)
    }

    pub(super) fn new(elector: Elector) -> Self {
        Self {
            authority: elector.authority(),
            found: incarnation(&elector),
            elector,
            following: None,
            saving: None,
            gated: None,
            rest: Vec::new(),
            held: None,
            tick_at: 0,
            tick_for: Time::ZERO,
            syncing: false,
            hung_save: false,
            hung_sync: false,
        }
    }

    pub(crate) fn elector(&self) -> &Elector {
        &self.elector
    }

    pub(crate) fn elector_mut(&mut self) -> &mut Elector {
        &mut self.elector
    }

    /// What its elector says of itself.
    pub(crate) fn explain(&self, now: Time) -> Explanation {
        self.elector.explain(now)
    }

    #[inline]
    pub(crate) fn lease(&self, now: Time) -> Option<Lease> {
        self.authority.lease(now)
    }

    /// Whom it follows, and in which epoch.
    pub(crate) fn following(&self) -> Option<(NodeIndex, Epoch)> {
        self.following
    }

    pub(crate) fn set_following(&mut self, following: Option<(NodeIndex, Epoch)>) {
        self.following = following;
    }

    // What it stopped in.

    /// An interrupt cut these outputs short.
    pub(crate) fn keep_rest(&mut self, rest: Vec<Output>) {
        self.rest = rest;
    }

    /// It stops between reading the clock and using what it read.
    pub(crate) fn hold(&mut self, input: Input, read: Time) {
        self.held = Some((input, read));
    }

    /// What it goes on with.
    pub(super) fn take_stopped(&mut self) -> Stopped {
        Stopped { rest: std::mem::take(&mut self.rest), held: self.held.take() }
    }

    /// The input that it held when it died.
    pub(super) fn into_held(self) -> Option<Input> {
        self.held.map(|(input, _)| input)
    }

    // Saves and syncs.

    /// A save begins, which ends by itself unless its disk hangs.
    pub(crate) fn begin_save(&mut self, gate: Gate, hangs: bool) {
        assert!(self.is_at_rest(), "one gate at a time");
        self.saving = Some(gate);
        self.hung_save |= hangs;
    }

    /// The record of the save under way.
    pub(super) fn record_under_way(&self) -> Option<&Record> {
        self.saving.as_ref().and_then(Gate::record)
    }

    /// The gate of a save that has ended.
    pub(super) fn take_saving(&mut self) -> Option<Gate> {
        self.saving.take()
    }

    pub(super) fn set_gated(&mut self, result: Result<Gated, StorageFailed>) {
        self.gated = Some(result);
    }

    /// What came of a commit, for the elector.
    pub(crate) fn take_gated(&mut self) -> Option<Result<Gated, StorageFailed>> {
        self.gated.take()
    }

    /// Whether no gate is under way.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.saving.is_none() && self.gated.is_none()
    }

    /// A sync of the host's disk begins, which ends by itself unless the disk hangs.
    pub(super) fn begin_sync(&mut self, hangs: bool) {
        self.syncing = true;
        self.hung_sync |= hangs;
    }

    /// The sync has ended.
    pub(crate) fn end_sync(&mut self) {
        self.syncing = false;
    }

    pub(super) fn is_syncing(&self) -> bool {
        self.syncing
    }

    /// The disk is well again: whether a save, and whether a sync, hung and ends now.
    pub(super) fn mended(&mut self) -> (bool, bool) {
        (std::mem::take(&mut self.hung_save), std::mem::take(&mut self.hung_sync))
    }

    // Ticks.

    /// Its clock changed: the deadline lies elsewhere in real time.
    pub(crate) fn forget_tick(&mut self) {
        self.tick_at = 0;
    }

    /// When a tick must go on the agenda, if another one than is there. `reaches` says when its clock shows a time.
    pub(crate) fn next_tick(&mut self, now: Real, reaches: impl Fn(Time) -> Option<Real>) -> Option<Real> {
        let deadline = self.elector.deadline();
        if deadline == self.tick_for && self.tick_at > now {
            return None;
        }
        let at = reaches(deadline)?.max(now);
        self.tick_for = deadline;
        if at < self.tick_at || self.tick_at <= now {
            self.tick_at = at;
            return Some(at);
        }
        None
    }

    /// Whether the tick that comes now is the newest one.
    pub(crate) fn is_tick_due(&self, now: Real) -> bool {
        self.tick_at <= now
    }
}

fn incarnation(elector: &Elector) -> Incarnation {
    elector.status(Time::ZERO).incarnation
}
