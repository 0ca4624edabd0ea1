//! What a scenario does to single frames and messages of the store: lose them, hold them up, bring them again later.

use std::fmt;

use elect_core::{Body, Frame};

use crate::deed::span;
use crate::ids::NodeIndex;
use crate::network::{Arrivals, Fate};
use crate::world::World;

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

    fn matches(self, body: &Body) -> bool {
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

impl World {
    /// The fate of a frame to which a rule applies.
    pub(crate) fn apply_rules(&mut self, from: NodeIndex, to: NodeIndex, frame: &Frame) -> Option<Fate> {
        self.apply_rule(from, to, |kind| kind.matches(&frame.body))
    }

    /// The fate of a message of the store to which a rule applies.
    pub(crate) fn apply_store_rules(&mut self, from: NodeIndex, to: NodeIndex) -> Option<Fate> {
        self.apply_rule(from, to, |kind| kind == Kind::Store)
    }

    fn apply_rule(&mut self, from: NodeIndex, to: NodeIndex, matches: impl Fn(Kind) -> bool) -> Option<Fate> {
        let index =
            self.rules.iter().position(|rule| (rule.from, rule.to) == (from, to) && matches(rule.kind))?;
        let rule = &mut self.rules[index];
        rule.left -= 1;
        let treatment = rule.treatment;
        if rule.left == 0 {
            self.rules.remove(index);
        }
        let usual = self.now + self.network.delay();
        let mut arrivals = Arrivals::default();
        match treatment {
            Treatment::Lose => {}
            Treatment::Late(by) => arrivals.add(usual + by),
            Treatment::Again(by) => {
                arrivals.add(usual);
                arrivals.add(usual + by);
            }
        }
        Some(Fate::Arrives(arrivals))
    }
}
