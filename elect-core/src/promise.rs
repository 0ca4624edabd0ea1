//! A voter's word: whom it has promised to accept nobody else for, and until when.

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
    /// The promise after `renewal` is added. R13: a promise to the same node is never shortened, neither in
    /// time nor in epoch; one to another node is replaced only by its caller's own right (R14).
    pub(crate) fn renewed(current: Option<Self>, renewal: Self) -> Self {
        match current {
            Some(current) if current.to == renewal.to => Self {
                to: renewal.to,
                epoch: current.epoch.max(renewal.epoch),
                life: renewal.life,
                until: current.until.max(renewal.until),
                renewed_at: current.renewed_at.max(renewal.renewed_at),
            },
            _ => renewal,
        }
    }
}
