//! What comes out of an input, in the only order in which it may take effect.

use crate::duty::Duty;
use crate::event::{Notice, RequestRefused, SteppedDown};
use crate::frame::Frame;
use crate::gate::Gate;
use crate::name::NodeId;
use crate::outbox::{Outbox, Told};

/// Everything that one input brought about, in the order in which it takes effect.
///
/// A step borrows the elector, so the next input waits until this one is resolved. What is not resolved
/// is not lost: it comes with the next step.
///
/// ```compile_fail
/// # use elect_core::{Elector, Time};
/// fn two_at_once(elector: &mut Elector, now: Time) {
///     let first = elector.tick(now);
///     let second = elector.tick(now); // the first step still borrows the elector
///     drop(first);
/// }
/// ```
#[derive(Debug)]
#[must_use = "a step that is not resolved leaves its frames and losses waiting in the elector"]
pub struct Step<'a> {
    out: &'a mut Outbox,
}

/// What carries out a step. [`Step::resolve`] calls it in the only safe order.
pub trait Driver {
    /// Authority ended: demote at once. The lease cell has already fallen.
    fn lost(&mut self, loss: SteppedDown);

    /// Send `frame` to `to`, soon and unreliably: a newer frame may replace one that still waits.
    fn send(&mut self, to: NodeId, frame: &Frame);

    /// Commit the gate, off this thread if a save may block, and hand the result to
    /// [`Elector::on_gated`](crate::Elector::on_gated).
    fn save(&mut self, gate: Gate);

    /// The host must act on this.
    fn act(&mut self, duty: Duty);

    /// Something happened that is worth knowing.
    fn happened(&mut self, notice: Notice);
}

impl<'a> Step<'a> {
    pub(crate) fn new(out: &'a mut Outbox) -> Self {
        Self { out }
    }

    /// R25: hands everything to `driver`: losses, then frames, then the gate, then duties and notices.
    #[inline]
    pub fn resolve(self, driver: &mut impl Driver) {
        if !self.out.is_empty() {
            self.hand_out(driver);
        }
    }

    fn hand_out(self, driver: &mut impl Driver) {
        let out = self.out;
        out.take_losses().for_each(|loss| driver.lost(loss));
        for (to, frame) in out.frames() {
            driver.send(*to, frame);
        }
        out.clear_frames();
        if let Some(gate) = out.take_gate() {
            driver.save(gate);
        }
        for told in out.take_told() {
            match told {
                Told::Duty(duty) => driver.act(duty),
                Told::Notice(notice) => driver.happened(notice),
            }
        }
    }

    /// Whether there is nothing to resolve.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }
}

/// What a request brought about, and whether it was refused.
///
/// A request that is refused has a step all the same: its clock may have ended a lease or a promise. So the two come
/// together, and the answer cannot be had without the step:
///
/// ```compile_fail
/// # use elect_core::{Elector, Time};
/// fn only_if_granted(elector: &mut Elector, now: Time) {
///     if let Ok(step) = elector.resign(now) { // no `Result`: a loss that was due would be left behind
///         drop(step);
///     }
/// }
/// ```
#[derive(Debug)]
#[must_use = "a refused request has a step too: resolve it"]
pub struct Requested<'a> {
    step: Step<'a>,
    outcome: Result<(), RequestRefused>,
}

impl<'a> Requested<'a> {
    pub(crate) fn new(step: Step<'a>, outcome: Result<(), RequestRefused>) -> Self {
        Self { step, outcome }
    }

    /// R25: hands everything to `driver`, as [`Step::resolve`] does, and then says whether the request was granted.
    #[must_use = "it may have been refused"]
    pub fn resolve(self, driver: &mut impl Driver) -> Result<(), RequestRefused> {
        self.step.resolve(driver);
        self.outcome
    }
}

impl<'a> From<Step<'a>> for Requested<'a> {
    /// An input that nobody can refuse.
    fn from(step: Step<'a>) -> Self {
        Self { step, outcome: Ok(()) }
    }
}
