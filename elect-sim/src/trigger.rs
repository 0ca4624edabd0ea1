//! Faults that an event fires: something happens to a node as soon as it does something.

use std::fmt;

use elect_core::{Duty, Notice};
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::clock::span;
use crate::disk::Outcome;
use crate::ids::NodeIndex;
use crate::input::Told;

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Moment {
    /// It campaigns.
    Stands,
    /// It accepts a candidate.
    Accepts,
    /// It hands out a gate: something must become durable.
    Saves,
    /// It is elected.
    Elected,
    /// Its host enters office.
    Office,
    /// It raises its own epoch.
    Raises,
    /// It begins to hand over.
    HandsOver,
}

impl Moment {
    /// Its promise in scenarios.
    pub(crate) fn name(self) -> &'static str {
        self.into()
    }

    pub(crate) fn of(told: &Told) -> Option<Self> {
        Some(match told {
            Told::Notice(Notice::CampaignStarted { .. }) => Self::Stands,
            Told::Notice(Notice::Accepted { .. }) => Self::Accepts,
            Told::Duty(Duty::Elected(_)) => Self::Elected,
            Told::Duty(Duty::EpochRaised { .. }) => Self::Raises,
            Told::Duty(Duty::HandoverBegan { .. }) => Self::HandsOver,
            _ => return None,
        })
    }
}

/// What happens to the node then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    /// It dies, and starts again so much later.
    Crash(u64),
    /// It stops for so long.
    Pause(u64),
    /// Its link to that node is cut for so long.
    CutTo(NodeIndex, u64),
    /// The link from that node is cut for so long.
    CutFrom(NodeIndex, u64),
    /// Its next save ends like this.
    NextSave(Outcome),
}

/// Waits for a node to do something, and strikes once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trigger {
    pub(crate) node: NodeIndex,
    pub(crate) moment: Moment,
    /// How long after the moment it strikes.
    pub(crate) after: u64,
    pub(crate) strike: Strike,
}

impl Trigger {
    /// How long what it does lasts.
    pub(crate) fn span_mut(&mut self) -> Option<&mut u64> {
        match &mut self.strike {
            Strike::Crash(span) | Strike::Pause(span) | Strike::CutTo(_, span) | Strike::CutFrom(_, span) => {
                Some(span)
            }
            Strike::NextSave(_) => None,
        }
    }

    /// The same in a group with other numbers; `None` if it is about somebody who is gone.
    pub(crate) fn renamed(self, keep: impl Fn(NodeIndex) -> Option<NodeIndex>) -> Option<Self> {
        let strike = match self.strike {
            Strike::CutTo(peer, span) => Strike::CutTo(keep(peer)?, span),
            Strike::CutFrom(peer, span) => Strike::CutFrom(keep(peer)?, span),
            other => other,
        };
        Some(Self { node: keep(self.node)?, strike, ..self })
    }
}

/// The triggers that are set.
#[derive(Debug, Default)]
pub(crate) struct Triggers(Vec<Trigger>);

impl Triggers {
    pub(crate) fn set(&mut self, trigger: Trigger) {
        self.0.push(trigger);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// A node did something: what waited for that strikes, each once and so much later.
    pub(crate) fn fire(&mut self, node: NodeIndex, moment: Moment, mut strikes: impl FnMut(u64, Strike)) {
        self.0.retain(|trigger| {
            let fires = (trigger.node, trigger.moment) == (node, moment);
            if fires {
                strikes(trigger.after, trigger.strike);
            }
            !fires
        });
    }
}

impl fmt::Display for Trigger {
    /// The line of a scenario that sets it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.node;
        write!(f, "on {} {node}", self.moment.name())?;
        if self.after > 0 {
            write!(f, " after {}", span(self.after))?;
        }
        match self.strike {
            Strike::Crash(down) => write!(f, ": crash {}", span(down)),
            Strike::Pause(time) => write!(f, ": pause {}", span(time)),
            Strike::CutTo(peer, time) => write!(f, ": cut {node}>{} {}", peer, span(time)),
            Strike::CutFrom(peer, time) => write!(f, ": cut {}>{node} {}", peer, span(time)),
            Strike::NextSave(Outcome::FailsAfter) => f.write_str(": disk fails-after"),
            Strike::NextSave(_) => f.write_str(": disk fails-before"),
        }
    }
}
