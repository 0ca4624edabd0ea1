//! What a leader keeps of a re-offer.

use crate::epoch::Epoch;
use crate::time::Time;

/// An offer made while leading a lower epoch. Repeated or replaced, never given up: what ends the leadership
/// ends it too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReOffer {
    pub(crate) epoch: Epoch,
    pub(crate) first: Time,
    pub(crate) saved: bool,
}
