//! What a leader keeps: its lease, its detector, its way into office.

use crate::detector::{DetectionHistory, Detector};
use crate::epoch::{Epoch, Position};
use crate::handover::Handover;
use crate::office::Source;
use crate::re_offer::ReOffer;
use crate::time::Time;

/// Leads an epoch.
#[derive(Clone, Debug)]
pub(crate) struct Leader {
    pub(crate) epoch: Epoch,
    /// The first nonce of this epoch's offer: an acknowledgement that echoes an earlier one is of an earlier
    /// leadership.
    pub(crate) first: Time,
    pub(crate) lease_end: Time,
    pub(crate) detection: DetectionHistory,
    pub(crate) detector: Detector,
    pub(crate) way: WayIntoOffice,
    pub(crate) source: Option<Source>,
    pub(crate) re_offer: Option<ReOffer>,
    /// A voter is above: a re-offer is due at the next heartbeat.
    pub(crate) wants_epoch: bool,
    /// The catch-up source is lost: likewise, unless one is open already.
    pub(crate) wants_positions: bool,
    pub(crate) handover: Option<Handover>,
    /// The host's position at the last two heartbeats, the newer first: what a peer that keeps up has by now.
    pub(crate) positions: [Option<Position>; 2],
}

/// How far a leader's host has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WayIntoOffice {
    /// It finds its way into office.
    Begun,
    /// It did not serve by the deadline, in a freeze (R64).
    Overdue,
    /// It serves.
    Done,
}

impl Leader {
    pub(crate) fn is_in_office(&self) -> bool {
        self.way == WayIntoOffice::Done
    }

    pub(crate) fn is_overdue(&self) -> bool {
        self.way == WayIntoOffice::Overdue
    }

    pub(crate) fn is_re_offering(&self, epoch: Epoch, sent: Time) -> bool {
        self.re_offer.as_ref().is_some_and(|re_offer| re_offer.epoch == epoch && sent >= re_offer.first)
    }
}
