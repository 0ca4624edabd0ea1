//! What a scenario does to single frames and messages of the store: lose them, hold them up, bring them again later.

use elect_core::{Body, Frame};

use crate::network::{Arrivals, Fate};
use crate::queue::NodeIndex;
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
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "any" => Self::Any,
            "heartbeat" => Self::Heartbeat,
            "offer" => Self::Offer,
            "accept" => Self::Accept,
            "refuse" => Self::Refuse,
            "announce" => Self::Announce,
            "release" => Self::Release,
            "pause" => Self::Pause,
            "reject" => Self::Reject,
            "store" => Self::Store,
            _ => return None,
        })
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
            Self::Reject => matches!(body, Body::Reject { .. }),
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
