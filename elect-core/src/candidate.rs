//! What a candidate keeps of its one round.

use core::time::Duration;

use crate::epoch::Epoch;
use crate::refusals::FinalRefusals;
use crate::time::Time;

/// Stands for election in one epoch.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) epoch: Epoch,
    /// The first nonce of this round: an accept that echoes an earlier one answers something else.
    pub(crate) first: Time,
    /// The detection time offered.
    pub(crate) detection: Duration,
    /// The own vote is durable.
    pub(crate) saved: bool,
    pub(crate) refusals: FinalRefusals,
}
