//! What waits for the disk.

use crate::epoch::Epoch;
use crate::follower::{Accepting, Claim};

/// What waits for the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Speaking at all, in a new incarnation.
    Speak,
    /// Leading: the own vote.
    Stand(Epoch),
    /// Sending an accept.
    Accept(Accepting),
    /// Following a leader.
    Follow(Claim),
    /// Counting the own vote for a re-offer.
    ReOffer(Epoch),
    /// Leading the re-offered epoch: the old one's stamps stop passing the own fence.
    Raise(Epoch),
    /// Voting again with replaced storage.
    Rebuild,
}
