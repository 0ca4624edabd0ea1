//! A voter's promise: whom it has promised to accept nobody else for, and until when.

#[cfg(feature = "explore")]
use crate::describe::{StateSink, describe_incarnation, option, words};
use crate::epoch::Epoch;
use crate::members::MemberIndex;
use crate::nonce::Incarnation;
use crate::time::Time;

/// Until it ends this node accepts nobody but `to`, not even itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) to: MemberIndex,
    pub(crate) epoch: Epoch,
    /// The life of `to` that was promised; unknown for the promise of a restart.
    pub(crate) life: Option<Incarnation>,
    /// On this node's clock, drift included.
    pub(crate) until: Time,
    /// Receipt of the frame that renewed it last.
    pub(crate) renewed_at: Time,
}

impl Promise {
    /// Adds `renewal`. R13: a promise to the same node is never shortened, neither in time nor in epoch; one to
    /// another node is replaced only by its caller's own right (R14).
    #[inline]
    pub(crate) fn renew(&mut self, renewal: Self) {
        if self.to != renewal.to {
            *self = renewal;
        }
        self.epoch = self.epoch.max(renewal.epoch);
        self.life = renewal.life;
        self.until = self.until.max(renewal.until);
        self.renewed_at = self.renewed_at.max(renewal.renewed_at);
    }

    #[cfg(feature = "explore")]
    pub(crate) fn describe(&self, sink: &mut impl StateSink) {
        // When it was renewed last only crash evidence asks.
        let Self { to, epoch, life, until, renewed_at: _ } = self;
        words(sink, [to.get() as u64, epoch.number()]);
        option(sink, life.as_ref(), |sink, life| describe_incarnation(sink, *life));
        sink.until(*until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r13_a_renewal_moves_everything_forwards_only() {
        let promise = |to, number, until, renewed_at| Promise {
            to: MemberIndex::at(to),
            epoch: Epoch::new(number),
            life: None,
            until: Time::from_nanos(until),
            renewed_at: Time::from_nanos(renewed_at),
        };
        let mut given = promise(1, 5, 50, 10);
        given.renew(promise(1, 4, 40, 9));
        assert_eq!(given, promise(1, 5, 50, 10));
        given.renew(promise(1, 6, 60, 11));
        assert_eq!(given, promise(1, 6, 60, 11));
        given.renew(promise(2, 3, 30, 5));
        assert_eq!(given, promise(2, 3, 30, 5), "to another one");
    }
}
