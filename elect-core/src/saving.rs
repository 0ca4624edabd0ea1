//! What waits for the disk.

use crate::epoch::Epoch;
use crate::follower::{LeaderClaim, OfferInHand};
use crate::genesis::told::{Genesis, SavedGenesis};
use crate::name::NodeId;

/// What waits for the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Speaking at all, in a new incarnation.
    Speak,
    /// Leading: the own vote.
    Stand(Epoch),
    /// Sending an accept.
    Accept(OfferInHand),
    /// Following a leader.
    Follow(LeaderClaim),
    /// Counting the own vote for a re-offer.
    ReOffer(Epoch),
    /// Leading the re-offered epoch: the old one's stamps stop passing the own fence.
    Raise(Epoch),
    /// Voting again with replaced storage.
    Rebuild,
    /// Nothing: which history of the group this is.
    Genesis(SavedGenesis),
    /// Beginning anew: this storage lacks the final genesis, as this member told.
    CountAsReplaced { told_by: NodeId, genesis: Genesis },
}
