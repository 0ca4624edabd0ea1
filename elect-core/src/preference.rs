//! What a node remembers of the handovers that its preference brought about.

use core::time::Duration;

use crate::time::Time;

/// Whether a peer, in its present life, gives back what it is handed by preference.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Preference {
    handed_at: Option<Time>,
    contradicts: bool,
}

impl Preference {
    /// It was handed over to, because it is preferred.
    pub(crate) fn note_handed(&mut self, now: Time) {
        self.handed_at = Some(now);
    }

    /// What happens next says nothing of its preference.
    pub(crate) fn forget_handed(&mut self) {
        self.handed_at = None;
    }

    /// Office comes back by a handover. Whether that contradicts, within `window` of the handover there.
    pub(crate) fn note_returned(&mut self, now: Time, window: Duration) -> bool {
        let returns = self.handed_at.take().is_some_and(|at| now.since(at) <= window);
        let is_news = returns && !self.contradicts;
        self.contradicts |= returns;
        is_news
    }

    /// Its preference and this node's contradict each other: this node's acts no more towards it.
    pub(crate) const fn contradicts(&self) -> bool {
        self.contradicts
    }

    #[cfg(feature = "explore")]
    pub(crate) const fn handed_at(&self) -> Option<Time> {
        self.handed_at
    }
}
