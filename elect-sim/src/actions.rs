//! Everything that is done to a world: what was, and what ends it.

use crate::action::Action;
use crate::clock::Real;

/// What was done so far, and what is to be done when a fault ends.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    done: Vec<(Real, Action)>,
    /// What ends each fault that has an end, by its number.
    ends: Vec<Vec<Action>>,
}

impl Actions {
    /// Everything that was done so far, and when.
    pub(crate) fn done(&self) -> &[(Real, Action)] {
        &self.done
    }

    pub(crate) fn note(&mut self, at: Real, action: Action) {
        self.done.push((at, action));
    }

    /// These are to be done later: under which number.
    pub(crate) fn put_off(&mut self, actions: Vec<Action>) -> u32 {
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.ends.push(actions);
        number
    }

    /// What was put off under this number: now.
    pub(crate) fn take(&mut self, number: u32) -> Vec<Action> {
        std::mem::take(&mut self.ends[number as usize])
    }

    /// Nothing of what was put off is to be done any more.
    pub(crate) fn cancel(&mut self) {
        self.ends.iter_mut().for_each(Vec::clear);
    }
}
