//! What further subscribers of a node's events hear: the same, told and not given.

use elect_core::{
    Duty, Epoch, Genesis, HandoverAborted, HandoverCause, NodeId, Raised, Source, SteppedDown, Stopped, Time,
};

use crate::event::{Ended, HostEvent, NodeNotice};

/// What happened to a node, as [`NodeHandle::subscribe`](crate::NodeHandle::subscribe) tells it: in the same order as
/// [`HostEvent`], and with the same words, but nothing in it can be acted on.
#[derive(Clone, Debug)]
pub enum Observed {
    /// Authority ended. The lease cell has already fallen.
    Lost(SteppedDown),
    /// The host was given a duty.
    Duty(DutySummary),
    /// The node has ended; nothing follows.
    Ended(Ended),
    /// Worth knowing.
    Happened(NodeNotice),
}

/// A [`Duty`] in words: what it says, without the right that it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DutySummary {
    /// This node won an election, and its host looks for the way into office.
    Elected {
        /// The epoch.
        epoch: Epoch,
        /// Whom its host must catch up from first.
        catch_up_from: Option<Source>,
    },
    /// This leader raised its own epoch.
    EpochRaised {
        /// The epoch led until now.
        from: Epoch,
        /// The epoch led from now on.
        to: Epoch,
        /// Whether its office goes on; otherwise the way into it begins again.
        in_office: bool,
    },
    /// A handover began.
    HandoverBegan {
        /// Who shall lead.
        target: NodeId,
        /// The handover is off at this point unless it is done.
        deadline: Time,
        /// Who wanted it.
        cause: HandoverCause,
    },
    /// The handover is off.
    HandoverAborted {
        /// Who should have led.
        target: NodeId,
        /// Why it is off.
        reason: HandoverAborted,
    },
    /// The replaced storage has caught up.
    Rebuilt,
    /// The storage counts as replaced from now on.
    Replaced {
        /// The member that told this node.
        told_by: NodeId,
        /// What that member's storage belongs to.
        genesis: Genesis,
    },
    /// The node has stopped for good.
    Stopped {
        /// Why.
        reason: Stopped,
    },
}

impl From<&Duty> for DutySummary {
    fn from(duty: &Duty) -> Self {
        match duty {
            Duty::Elected(elected) => {
                Self::Elected { epoch: elected.epoch(), catch_up_from: elected.catch_up_from() }
            }
            Duty::EpochRaised { from, raised } => Self::EpochRaised {
                from: *from,
                to: raised.epoch(),
                in_office: matches!(raised, Raised::InOffice(_)),
            },
            &Duty::HandoverBegan { target, deadline, cause } => {
                Self::HandoverBegan { target, deadline, cause }
            }
            &Duty::HandoverAborted { target, reason } => Self::HandoverAborted { target, reason },
            Duty::Rebuilt => Self::Rebuilt,
            &Duty::Replaced { told_by, genesis } => Self::Replaced { told_by, genesis },
            Duty::Stopped { reason } => Self::Stopped { reason: reason.clone() },
        }
    }
}

impl From<&HostEvent> for Observed {
    fn from(event: &HostEvent) -> Self {
        match event {
            HostEvent::Lost(loss) => Self::Lost(*loss),
            HostEvent::Act(duty) => Self::Duty(duty.into()),
            HostEvent::Ended(ended) => Self::Ended(ended.clone()),
            HostEvent::Happened(notice) => Self::Happened(notice.clone()),
        }
    }
}
