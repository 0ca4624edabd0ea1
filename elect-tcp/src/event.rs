//! What a node tells its host.

use crossbeam_channel::Receiver;
use elect_core::{Event, Loss};

/// What happened to this node, in order.
#[derive(Debug)]
pub enum HostEvent {
    /// Authority ended: demote at once. The lease cell has already fallen.
    Lost(Loss),
    /// The elector reports. Gains ([`Event::Elected`], [`Event::EpochRaised`]) move through here to the host.
    Happened(Event),
    /// So many diagnostic events were left out because nobody read the stream; gains and losses never are.
    Skipped(u64),
    /// The node has ended; nothing follows. Whoever leads now, it is not this node.
    Ended(Ended),
}

/// Why a node ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The host asked for it, or dropped its last handle.
    Shutdown,
    /// A thread of the node panicked: a bug. The node stopped rather than go on with a part missing.
    Panicked {
        /// The thread.
        thread: String,
    },
}

/// The one stream of a node's events. Unbounded for gains and losses, which are never left out.
///
/// A host that is slow to read it, or whose reader panics, stalls nothing else: its stamps are refused and its reads do not
/// finish once authority is over.
#[derive(Debug)]
pub struct Events {
    pub(crate) receiver: Receiver<HostEvent>,
}

impl Events {
    /// The channel, for a `select` over several sources.
    pub const fn receiver(&self) -> &Receiver<HostEvent> {
        &self.receiver
    }
}
