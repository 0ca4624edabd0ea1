//! What a scenario does to single frames and messages of the store: lose them, hold them up, bring them again later.

use std::fmt;

use elect_core::Body;

use crate::clock::span;
use crate::ids::NodeIndex;

/// A kind of frame, or what hosts tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// All of them, with their words in scenarios.
    const ALL: [(Self, &str); 10] = [
        (Self::Any, "any"),
        (Self::Heartbeat, "heartbeat"),
        (Self::Offer, "offer"),
        (Self::Accept, "accept"),
        (Self::Refuse, "refuse"),
        (Self::Announce, "announce"),
        (Self::Release, "release"),
        (Self::Pause, "pause"),
        (Self::Reject, "reject"),
        (Self::Store, "store"),
    ];

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|&(kind, _)| kind)
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |&(_, name)| name)
    }

    pub(crate) fn matches(self, body: &Body) -> bool {
        match self {
            Self::Any => true,
            Self::Heartbeat => matches!(body, Body::Heartbeat(_)),
            Self::Offer => matches!(body, Body::Offer { .. }),
            Self::Accept => matches!(body, Body::Accept { .. }),
            Self::Refuse => matches!(body, Body::Refuse { .. }),
            Self::Announce => matches!(body, Body::Announce { .. }),
            Self::Release => matches!(body, Body::Release { .. }),
            Self::Pause => matches!(body, Body::Pause { .. }),
            Self::Reject => matches!(body, Body::Reject { .. } | Body::WentBack { .. }),
            Self::Store => false,
        }
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
