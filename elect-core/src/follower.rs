//! What a follower keeps: whom it follows, and what it gave or is giving its word to.

use core::time::Duration;

use crate::epoch::Epoch;
use crate::members::MemberIndex;
use crate::nonce::{Incarnation, Nonce};
use crate::time::Time;

/// Follows a leader, or nobody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Follower {
    pub(crate) followed: Option<Followed>,
}

/// Whom this node follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Followed {
    pub(crate) leader: MemberIndex,
    pub(crate) epoch: Epoch,
    /// Since when this leader has been followed without interruption, whatever its epochs were.
    pub(crate) since: Time,
    /// The newest own nonce that this leader's claims have echoed: it led later than that.
    pub(crate) proven: Time,
    /// The detection time that its newest claim carried.
    pub(crate) detection: Duration,
}

/// A leader's claim that has passed every check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) leader: MemberIndex,
    pub(crate) epoch: Epoch,
    pub(crate) nonce: Nonce,
    /// Send time of the own nonce that it echoes.
    pub(crate) echoed: Time,
    pub(crate) received: Time,
    pub(crate) detection: Duration,
    /// How long it binds on this node's clock: D(1 + ρ).
    pub(crate) binds_for: Duration,
}

/// An offer that this node is about to accept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepting {
    pub(crate) candidate: MemberIndex,
    pub(crate) epoch: Epoch,
    pub(crate) nonce: Nonce,
    pub(crate) received: Time,
    pub(crate) detection: Duration,
}

impl Accepting {
    /// Whose offer it is, in which life, of which epoch.
    pub(crate) const fn candidacy(&self) -> Candidacy {
        Candidacy { candidate: self.candidate, incarnation: self.nonce.incarnation, epoch: self.epoch }
    }
}

/// One round of one life of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidacy {
    pub(crate) candidate: MemberIndex,
    pub(crate) incarnation: Incarnation,
    pub(crate) epoch: Epoch,
}
