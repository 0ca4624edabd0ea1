//! What kind of thing happened.

use std::fmt;

use serde::Serialize;
use tracing::Level;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The node runs.
    Started,
    /// It voted for a candidate.
    Accepted,
    /// It campaigns.
    CampaignStarted,
    /// Its campaign ended without office.
    CampaignLost,
    /// It won an election.
    Elected,
    /// It must catch up with a voter before it may serve.
    CatchingUp,
    /// It holds everything that was acknowledged before.
    CaughtUp,
    /// The voter to catch up with is lost.
    SourceLost,
    /// It serves clients as the primary.
    InOffice,
    /// It raised its own epoch and goes on.
    EpochRaised,
    /// Its leadership is over.
    SteppedDown,
    /// It follows a leader.
    Following,
    /// It follows nobody any more.
    LeaderLost,
    /// A handover began.
    HandoverBegan,
    /// A handover is off.
    HandoverAborted,
    /// Failover is paused.
    Paused,
    /// Failover works again.
    Resumed,
    /// The storage counts as replaced: it is not the one that the group has held.
    Replaced,
    /// A replaced storage has caught up.
    Rebuilt,
    /// The genesis that tells this group from another of its name was saved, or is final.
    Genesis,
    /// No quorum confirms writes any more: those that waited were given up.
    Standstill,
    /// Nobody serves as the primary, as far as this node knows; told again every ten seconds, with the reason.
    NoPrimary,
    /// The applied state is sent to a node whose log ends before this one begins, or is received from such a node.
    State,
    /// A connection to another node came up.
    #[serde(rename = "link")]
    LinkUp,
    /// A connection to another node does not stand, for a new reason.
    #[serde(rename = "link")]
    LinkDown,
    /// Something an operator should look at.
    Warning,
    /// Events before this one were dropped: the file took them too slowly, or not at all.
    Dropped,
    /// A failure stopped the node.
    Failed,
    /// The node ends in good order.
    Stopped,
}

impl Kind {
    /// Whether what this node is has changed.
    pub(super) fn changes_role(self) -> bool {
        matches!(
            self,
            Self::Started
                | Self::Elected
                | Self::InOffice
                | Self::SteppedDown
                | Self::Following
                | Self::LeaderLost
                | Self::Failed
        )
    }

    /// Whether it belongs into the short history that a node tells of itself.
    pub(super) fn is_transition(self) -> bool {
        let others = matches!(
            self,
            Self::EpochRaised
                | Self::CaughtUp
                | Self::HandoverBegan
                | Self::HandoverAborted
                | Self::Paused
                | Self::Resumed
                | Self::Replaced
                | Self::Rebuilt
                | Self::Standstill
        );
        others || self.changes_role()
    }

    /// How much it matters.
    pub(super) fn level(self) -> Level {
        match self {
            Self::Failed => Level::ERROR,
            Self::Dropped
            | Self::HandoverAborted
            | Self::LeaderLost
            | Self::LinkDown
            | Self::NoPrimary
            | Self::Replaced
            | Self::SourceLost
            | Self::Standstill
            | Self::SteppedDown
            | Self::Warning => Level::WARN,
            Self::Accepted => Level::DEBUG,
            _ => Level::INFO,
        }
    }
}

/// The same name as in a file of events.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
