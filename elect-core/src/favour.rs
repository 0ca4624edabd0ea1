//! What the target of a handover may do that others may not.

use crate::time::Time;

/// R39: this node is the target of a handover and campaigns without delay, for as long as the others leave it alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Favour(Option<Time>);

impl Favour {
    /// A handover to this node was heard of; the head start that it gets ends at `until`.
    pub(crate) fn give(&mut self, until: Time) {
        self.0 = Some(until);
    }

    /// It was used, or somebody else leads or has this node's promise.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }

    pub(crate) fn holds(self, now: Time) -> bool {
        self.0.is_some_and(|until| now < until)
    }

    pub(crate) const fn until(self) -> Option<Time> {
        self.0
    }
}
