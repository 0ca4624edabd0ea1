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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_handover_is_returned_once_and_contradicts_for_ever() {
        let (window, at) = (Duration::from_nanos(10), Time::from_nanos);
        let mut preference = Preference::default();
        preference.note_handed(at(5));
        assert!(preference.note_returned(at(15), window) && preference.contradicts());
        assert!(!preference.note_returned(at(15), window), "nothing was handed over since");
        preference.note_handed(at(20));
        assert!(!preference.note_returned(at(21), window), "no news");
        assert!(preference.contradicts());
        let mut late = Preference::default();
        late.note_handed(at(5));
        assert!(!late.note_returned(at(16), window) && !late.contradicts());
        late.note_handed(at(20));
        late.forget_handed();
        assert!(!late.note_returned(at(21), window));
        // What came back too late says nothing of the next time either.
        late.note_handed(at(30));
        late.note_returned(at(90), window);
        assert!(!late.note_returned(at(35), window));
    }
}
