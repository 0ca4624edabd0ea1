//! What a host must act on.

use core::fmt;

use crate::epoch::{Epoch, Stamp};
use crate::event::{HandoverAborted, Stopped};
use crate::genesis::told::Genesis;
use crate::handover::HandoverCause;
use crate::name::NodeId;
use crate::office::Elected;
use crate::time::Time;

/// What a host must act on. Match every variant by its name: whoever leaves one out is caught by what its text says.
///
/// There will be new ones only with a new major version; what is merely worth knowing is a [`Notice`](crate::Notice).
/// That authority ended comes by itself, and before everything else: see [`Driver::lost`](crate::Driver::lost).
#[derive(Debug)]
#[must_use = "a duty is acted on"]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Duty {
    /// This node won an election: find the way into office before its deadline, or the node resigns.
    Elected(Elected),
    /// This leader raised its own epoch. Nobody else led in between.
    EpochRaised {
        /// The epoch led until now.
        from: Epoch,
        /// How it goes on.
        raised: Raised,
    },
    /// A handover began: admit nothing new, finish what began, then call
    /// [`on_drained`](crate::Elector::on_drained). Otherwise it is aborted at the deadline, and nothing is admitted
    /// until then.
    HandoverBegan {
        /// Who shall lead.
        target: NodeId,
        /// The handover is off at this point unless it is done.
        #[cfg_attr(feature = "wire", serde(rename = "deadline_ms"))]
        deadline: Time,
        /// Who wanted it.
        cause: HandoverCause,
    },
    /// The handover is off: admit again.
    HandoverAborted {
        /// Who should have led.
        target: NodeId,
        /// Why it is off.
        reason: HandoverAborted,
    },
    /// This node's replaced storage has caught up: it votes again, and acknowledges what it holds.
    Rebuilt,
    /// This node's storage counts as replaced from now on, and its record says so: it lacks the genesis that the group
    /// agreed upon, as a disk does that was lost and given a first boot. Acknowledge nothing, and fill it from the
    /// leader as a replacement's; then call [`on_rebuilt`](crate::Elector::on_rebuilt).
    Replaced {
        /// The member that told this node.
        told_by: NodeId,
        /// What that member's storage belongs to.
        genesis: Genesis,
    },
    /// This node has stopped for good: its process must end, and an operator must look at it.
    Stopped {
        /// Why.
        reason: Stopped,
    },
}

/// How a leader goes on after it raised its own epoch.
#[derive(Debug)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Raised {
    /// Still in office, and the [`Office`](crate::Office) that the host holds stamps with the new epoch by itself.
    ///
    /// A host with a log appends an entry under this stamp, and sends again under it what a write quorum has not
    /// acknowledged yet: only acknowledgements given under the new stamp count. A host without a log has nothing to do.
    InOffice(Stamp),
    /// It was not in office yet: the way begins again, with fresh positions. What the host holds of the earlier one
    /// leads nowhere any more.
    OnTheWay(Elected),
}

impl Raised {
    /// The epoch led from now on.
    pub const fn epoch(&self) -> Epoch {
        match self {
            Self::InOffice(stamp) => stamp.epoch(),
            Self::OnTheWay(elected) => elected.epoch(),
        }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elected(elected) => elected.fmt(f),
            Self::EpochRaised { from, raised: Raised::InOffice(stamp) } => {
                write!(f, "this node leads epoch {} after epoch {from}, and stays in office", stamp.epoch())
            }
            Self::EpochRaised { from, raised: Raised::OnTheWay(elected) } => {
                write!(
                    f,
                    "this node leads epoch {} after epoch {from}: its way into office begins again",
                    elected.epoch()
                )
            }
            Self::HandoverBegan { target, deadline: _, cause } => {
                write!(f, "this node hands over to {target}, because {cause}: nothing new is admitted")
            }
            Self::HandoverAborted { target, reason } => {
                write!(f, "the handover to {target} is off: {reason}")
            }
            Self::Rebuilt => f.write_str("the replaced storage has caught up: this node votes again"),
            Self::Replaced { told_by, genesis } => write!(
                f,
                "this storage counts as replaced until it has caught up: {told_by} holds the final genesis {genesis} of this \
                 group, which it lacks; it was lost and given a first boot in place of `replace-lost`"
            ),
            Self::Stopped { reason } => write!(f, "this node has stopped for good: {reason}"),
        }
    }
}
