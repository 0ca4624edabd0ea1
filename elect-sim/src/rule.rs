//! What a scenario does to single frames and messages of the store: lose them, hold them up, bring them again later.

use std::fmt;

use elect_core::Body;
use strum::{EnumString, IntoStaticStr};

use crate::clock::span;
use crate::ids::NodeIndex;

/// A kind of frame, or what hosts tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Kind {
    /// Any frame.
    Any,
    Heartbeat,
    Offer,
    Accept,
    Refuse,
    Announce,
    Release,
    Pause,
    Reject,
    /// Any message of the model store.
    Store,
}

impl Kind {
    /// Its promise in scenarios.
    pub(crate) fn name(self) -> &'static str {
        self.into()
    }

    /// What a frame is.
    pub(crate) fn of(body: &Body) -> Self {
        match body {
            Body::Heartbeat(_) => Self::Heartbeat,
            Body::Offer { .. } => Self::Offer,
            Body::Accept { .. } => Self::Accept,
            Body::Refuse { .. } => Self::Refuse,
            Body::Announce { .. } => Self::Announce,
            Body::Release { .. } => Self::Release,
            Body::Pause { .. } => Self::Pause,
            Body::Reject { .. } | Body::WentBack { .. } => Self::Reject,
        }
    }

    pub(crate) fn matches(self, body: &Body) -> bool {
        self == Self::Any || self == Self::of(body)
    }
}

/// What happens to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It is lost.
    Lose,
    /// It arrives so much later.
    Late(u64),
    /// It arrives, and again so much later.
    Again(u64),
}

/// Applies to the next `left` frames of a kind on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) from: NodeIndex,
    pub(crate) to: NodeIndex,
    pub(crate) kind: Kind,
    pub(crate) left: u32,
    pub(crate) treatment: Treatment,
}

impl fmt::Display for Rule {
    /// The line of a scenario that sets it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, kind, left, treatment } = *self;
        let what = format!("{}>{} {} {left}", from, to, kind.name());
        match treatment {
            Treatment::Lose => write!(f, "lose {what}"),
            Treatment::Late(by) => write!(f, "late {what} by {}", span(by)),
            Treatment::Again(by) => write!(f, "again {what} by {}", span(by)),
        }
    }
}
