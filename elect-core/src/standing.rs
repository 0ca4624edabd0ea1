//! Where a node stands, in one word.

use crate::epoch::Epoch;
use crate::members::MemberIndex;

/// [`Standing`] with an index for the name: small enough to be compared at every input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stance {
    Leading(Epoch),
    Standing(Epoch),
    Following(MemberIndex, Epoch),
    Bound,
    Free,
    Replaced,
    Stopped(Epoch),
    Reserved(MemberIndex),
}
