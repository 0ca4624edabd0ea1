//! What reaches a process, and what its elector asks for in return.

use elect_core::{Duty, Frame, Gate, LinkState, NodeId, Notice, SteppedDown};

use crate::ids::NodeIndex;

/// What a machine does when its process gets to a particular instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// The process stops for this long.
    Pause(u64),
    /// The process stops for this long between reading the clock and using what it read.
    PauseAfterClock(u64),
    /// The process dies, and starts again so much later.
    Crash(u64),
}

/// Something that a process must deal with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input {
    Frame {
        from: NodeIndex,
        slot: u32,
    },
    Message {
        from: NodeIndex,
        slot: u32,
    },
    Tick,
    SaveDone,
    Gated,
    SyncDone,
    Link {
        peer: NodeIndex,
        state: LinkState,
    },
    /// A host gets what it asked for by this ticket.
    Host(u64),
    Client,
    /// The host's position is reported late.
    Report,
    /// An operator repairs a node that has stopped.
    Repair,
    Request(Request),
}

impl Input {
    /// Whether a thread of the host waits for it, and not the elector's.
    pub(crate) fn is_for_the_host(&self) -> bool {
        matches!(self, Self::Host(_) | Self::Client | Self::Report | Self::Repair | Self::Message { .. })
    }
}

/// Something that an operator or a host asks of an elector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Resign,
    Handover(Option<NodeId>),
    Freeze(std::time::Duration),
    /// The host says for the last time that it is well, for so long.
    Vouch(std::time::Duration),
    Thaw,
    /// Clients reach it elsewhere.
    Move(u32),
    /// Its host runs this version.
    Upgrade(u32),
    Health(elect_core::Health),
}

/// What a host is told, in its order.
#[derive(Debug)]
pub(crate) enum Told {
    Duty(Duty),
    Notice(Notice),
}

/// One thing that a step asks for.
#[derive(Debug)]
pub(crate) enum Output {
    Lost(SteppedDown),
    Send(NodeIndex, Frame),
    Save(Gate),
    Told(Told),
    /// Carried out.
    Done,
}
