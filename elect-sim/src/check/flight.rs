//! Frames under way, and the place of each.

use elect_core::{Body, Frame};

use super::bounds::NODES;

/// A frame under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) frame: Frame,
    /// Whose turn it is: the lowest comes first.
    pub(super) turn: u64,
}

/// What kind of frame: of each, a link holds the newest, as an outbox does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Heartbeat,
    Offer,
    Accept,
    Other,
}

impl Kind {
    pub(super) const COUNT: usize = 4;

    pub(super) fn of(frame: &Frame) -> Self {
        match frame.body {
            Body::Heartbeat(_) | Body::Announce { .. } => Self::Heartbeat,
            Body::Offer { .. } => Self::Offer,
            Body::Accept { .. } => Self::Accept,
            _ => Self::Other,
        }
    }
}

/// The place of the newest frame of this kind on a link.
pub(super) fn slot(from: usize, to: usize, kind: Kind) -> usize {
    (from * NODES + to) * Kind::COUNT + kind as usize
}
