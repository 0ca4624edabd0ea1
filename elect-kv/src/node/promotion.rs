//! The steps from an election won into office.

use elect_core::{CaughtUp, Elected, Epoch, Stamp};

/// How far this node is on its way into office.
#[derive(Debug)]
pub(super) enum Promotion {
    NotElected,
    Elected(Elected),
    CaughtUp(CaughtUp),
    /// It serves under this stamp, until the elector tells of a raised epoch.
    InOffice(Stamp),
}

impl Promotion {
    /// The epoch that this node leads, in office or on its way.
    pub(super) fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::NotElected => None,
            Self::Elected(elected) => Some(elected.epoch()),
            Self::CaughtUp(caught_up) => Some(caught_up.stamp().epoch()),
            Self::InOffice(stamp) => Some(stamp.epoch()),
        }
    }
}
