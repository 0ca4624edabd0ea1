//! The record on its way to the disk, and what waits for it.

use crate::epoch::Epoch;
use crate::follower::{Accepting, Claim};
use crate::gate::Ticket;
use crate::record::Record;
use crate::time::Time;

/// A gate that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Saving {
    pub(crate) ticket: Ticket,
    pub(crate) record: Option<Record>,
    pub(crate) kept: Option<Epoch>,
    pub(crate) purpose: Purpose,
    pub(crate) since: Time,
    /// It takes longer than D (R43).
    pub(crate) stalled: bool,
}

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

/// An offer that waits until the save under way is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeferredOffer(pub(crate) Accepting);
