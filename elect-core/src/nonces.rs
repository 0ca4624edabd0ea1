//! The nonces that this node gives to its frames.

use crate::nonce::{Incarnation, Nonce};
use crate::time::Time;

/// R48: within an incarnation nonces strictly increase. All frames of one step bear the same, unless what follows
/// must differ from what came before.
#[derive(Clone, Debug)]
pub(crate) struct Nonces {
    /// The newest that was given out.
    last: Time,
    /// That of the present step, once it has sent something.
    of_step: Option<Time>,
}

impl Nonces {
    pub(crate) const fn new(now: Time) -> Self {
        Self { last: now, of_step: None }
    }

    #[inline]
    pub(crate) fn begin_step(&mut self) {
        self.of_step = None;
    }

    /// The send time that the next frame bears. A step takes longer than the nanosecond by which two nonces of one
    /// clock reading differ; the clock granularity σ covers it.
    #[inline]
    pub(crate) fn current(&mut self, now: Time) -> Time {
        match self.of_step {
            Some(sent) => sent,
            None => self.renew(now),
        }
    }

    /// What follows bears another nonce than everything before.
    #[inline]
    pub(crate) fn renew(&mut self, now: Time) -> Time {
        self.last = now.max(self.last.next());
        self.of_step = Some(self.last);
        self.last
    }

    /// The newest that was given out.
    pub(crate) const fn last(&self) -> Time {
        self.last
    }

    /// Whether `nonce` is one that `own`, this life, has sent.
    #[inline]
    pub(crate) fn has_sent(&self, own: Incarnation, nonce: &Nonce) -> bool {
        nonce.incarnation == own && nonce.sent <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_increase_even_where_the_clock_stands() {
        let now = Time::from_nanos(7);
        let mut nonces = Nonces::new(now);
        let first = nonces.current(now);
        assert_eq!(nonces.current(now), first, "one step, one nonce");
        let second = nonces.renew(now);
        assert!(second > first);
        nonces.begin_step();
        assert!(nonces.current(now) > second);
        let own = Incarnation { counter: 1, random: 2 };
        assert!(nonces.has_sent(own, &Nonce { incarnation: own, sent: first }));
        assert!(!nonces.has_sent(own, &Nonce { incarnation: own, sent: nonces.last().next() }));
        assert!(!nonces.has_sent(own, &Nonce { incarnation: Incarnation::default(), sent: first }));
    }
}
