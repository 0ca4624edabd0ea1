//! Everything that is done to a world: what was, and what ends it.

use crate::clock::Real;
use crate::deed::Deed;

/// What was done so far, and what is to be done when a fault ends.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    done: Vec<(Real, Deed)>,
    /// What ends each fault that has an end, by its number.
    ends: Vec<Vec<Deed>>,
}

impl Deeds {
    /// Everything that was done so far, and when.
    pub(crate) fn done(&self) -> &[(Real, Deed)] {
        &self.done
    }

    pub(crate) fn note(&mut self, at: Real, deed: Deed) {
        self.done.push((at, deed));
    }

    /// These are to be done later: under which number.
    pub(crate) fn put_off(&mut self, deeds: Vec<Deed>) -> u32 {
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.ends.push(deeds);
        number
    }

    /// What was put off under this number: now.
    pub(crate) fn take(&mut self, number: u32) -> Vec<Deed> {
        std::mem::take(&mut self.ends[number as usize])
    }

    /// Nothing of what was put off is to be done any more.
    pub(crate) fn cancel(&mut self) {
        self.ends.iter_mut().for_each(Vec::clear);
    }
}
