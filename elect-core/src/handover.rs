//! Handovers: what is asked for, and what a leader and a target keep of one.

use alloc::format;
use core::fmt;
use core::ops::RangeInclusive;
use core::time::Duration;

use crate::epoch::{Epoch, Position};
use crate::members::MemberIndex;
use crate::name::NodeId;
use crate::time::{Readable, Time};

/// How long a handover may take.
pub(crate) const HANDOVER_TIMEOUTS: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_hours(1);

/// Who wanted a handover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum HandoverCause {
    /// A request of the host or its operator.
    Requested,
    /// A node of higher priority, or the preferred leader, has been fit for the whole cooldown.
    Preference,
}

/// A handover that waits for the host to drain and for the target to be durable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handover {
    pub(crate) target: MemberIndex,
    pub(crate) cause: HandoverCause,
    is_drained: bool,
}

impl Handover {
    pub(crate) const fn new(target: MemberIndex, cause: HandoverCause) -> Self {
        Self { target, cause, is_drained: false }
    }

    /// Everything that the host admitted before is finished.
    pub(crate) fn note_drained(&mut self) {
        self.is_drained = true;
    }

    pub(crate) const fn is_drained(self) -> bool {
        self.is_drained
    }
}

/// What a handover shall be.
///
/// A name, or nothing, makes one that is not forced and keeps the configured timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandoverRequest {
    /// Who shall lead; `None` for the best member that is fit.
    pub target: Option<NodeId>,
    /// How long it may take, 1 ms to 1 h; `None` for the configured timeout.
    pub timeout: Option<Duration>,
    /// Also to a target that will not have caught up by then: writes stop meanwhile, and the handover comes to nothing.
    pub force: bool,
}

impl From<Option<NodeId>> for HandoverRequest {
    fn from(target: Option<NodeId>) -> Self {
        Self { target, ..Self::default() }
    }
}

impl From<NodeId> for HandoverRequest {
    fn from(target: NodeId) -> Self {
        Some(target).into()
    }
}

/// How far the target of a handover is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct Lag {
    /// The target's last durable entry, as it last said.
    pub target: Option<Position>,
    /// This leader's.
    pub own: Option<Position>,
    /// How many entries per second the target has gained of late; `None` where its last entry is of another epoch.
    pub rate: Option<u64>,
    /// How long the handover might have taken.
    #[cfg_attr(feature = "wire", serde(rename = "timeout_ms", serialize_with = "crate::millis::span"))]
    pub timeout: Duration,
}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry =
            |position: Option<Position>| position.map_or("none".into(), |position| format!("{position}"));
        let (target, own) = (entry(self.target), entry(self.own));
        write!(f, "its last entry is {target}, this node's {own}, ")?;
        match self.rate {
            Some(rate) => {
                write!(f, "and {rate} entries per second do not close that within {}", Readable(self.timeout))
            }
            None => f.write_str("of another epoch"),
        }
    }
}

/// R39: the target of a handover is left to campaign alone for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadStart {
    pub(crate) target: MemberIndex,
    pub(crate) until: Time,
    /// The epoch that this very node released: it repeats so.
    pub(crate) released: Option<Epoch>,
}
