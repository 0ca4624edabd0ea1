//! What a node tells its host.

use crossbeam_channel::{Receiver, Sender, unbounded};
use elect_core::{Duty, Notice, SteppedDown};

use crate::link::{Link, RefusedDialler};

/// Beyond this many waiting events diagnostics are left out, so that a host that never reads costs bounded memory.
const DIAGNOSTICS_MAX: usize = 4096;

/// What happened to this node, in order. Match every variant by its name: the first three must be acted on.
#[derive(Debug)]
pub enum HostEvent {
    /// Authority ended: demote at once. The lease cell has already fallen.
    Lost(SteppedDown),
    /// Act on it. Gains ([`Duty::Elected`], [`Duty::EpochRaised`]) move through here to the host.
    Act(Duty),
    /// The node has ended; nothing follows. Whoever leads now, it is not this node.
    Ended(Ended),
    /// Worth knowing: to be logged, counted or shown.
    Happened(NodeNotice),
}

/// What is worth knowing of a node.
#[derive(Debug)]
#[non_exhaustive]
pub enum NodeNotice {
    /// The elector reports.
    Elector(Notice),
    /// One of the two streams between this node and a peer came up, went down, or cannot be brought up for a new reason.
    LinkChanged(Box<Link>),
    /// Somebody dialled this node and was not let in. Told once a minute for the same host, name and reason, and once a
    /// second in all after the first 32; `NodeHandle::refused_diallers` has the rest.
    DiallerRefused(Box<RefusedDialler>),
    /// Copies in the vote file had to be restored when it was opened: a save was cut off by a crash, or the
    /// disk rots.
    VoteFileRepaired {
        /// How many of four.
        copies: usize,
    },
    /// How many notices were left out because nobody read the stream; nothing else ever is.
    Skipped(u64),
}

/// Why a node ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The host asked for it, or dropped its last handle.
    Shutdown,
    /// A thread of the node panicked, in this library or in the host's [`Floor`](elect_core::Floor): the node stopped
    /// rather than go on with a part missing.
    Panicked {
        /// The thread.
        thread: String,
    },
}

/// The one stream of a node's events. Losses and duties are never left out, however long nobody reads.
///
/// A host that is slow to read it, or whose reader panics, stalls nothing else: once authority is over its stamps are
/// refused and its reads do not finish, whatever it has heard.
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<HostEvent>,
}

impl Events {
    /// The channel, for a `select` over several sources. It disconnects after [`HostEvent::Ended`].
    pub const fn receiver(&self) -> &Receiver<HostEvent> {
        &self.receiver
    }
}

/// The orchestrator's end of the stream.
#[derive(Debug)]
pub(crate) struct Announcer {
    sender: Sender<HostEvent>,
    skipped: u64,
}

pub(crate) fn stream() -> (Announcer, Events) {
    let (sender, receiver) = unbounded();
    (Announcer { sender, skipped: 0 }, Events { receiver })
}

impl Announcer {
    /// Tells the host. Never blocks; a host that has dropped the stream is not an error.
    pub(crate) fn tell(&mut self, event: HostEvent) {
        if is_diagnostic(&event) && self.sender.len() >= DIAGNOSTICS_MAX {
            self.skipped += 1;
            return;
        }
        if self.skipped > 0 {
            let _ =
                self.sender.send(HostEvent::Happened(NodeNotice::Skipped(std::mem::take(&mut self.skipped))));
        }
        let _ = self.sender.send(event);
    }
}

/// Whether an event is only there to be logged, and may come as often as somebody else sends nonsense.
const fn is_diagnostic(event: &HostEvent) -> bool {
    matches!(
        event,
        HostEvent::Happened(
            NodeNotice::LinkChanged(_)
                | NodeNotice::DiallerRefused(_)
                | NodeNotice::Elector(
                    Notice::Ignored { .. } | Notice::RefusedOffer { .. } | Notice::OfferRefused { .. }
                )
        )
    )
}

#[cfg(test)]
mod tests {
    use elect_core::{Epoch, Ignored, NodeId, StepDown};

    use super::*;

    #[test]
    fn diagnostics_are_bounded_and_counted_and_losses_never_left_out() {
        let (mut announcer, events) = stream();
        let from = NodeId::new("b").unwrap();
        let ignored = || {
            let notice = Notice::Ignored { from, reason: Ignored::Stranger };
            HostEvent::Happened(NodeNotice::Elector(notice))
        };
        for _ in 0..DIAGNOSTICS_MAX + 10 {
            announcer.tell(ignored());
        }
        let loss = SteppedDown { epoch: Epoch::new(3), reason: StepDown::LeaseOver };
        announcer.tell(HostEvent::Lost(loss));
        assert_eq!(events.receiver().len(), DIAGNOSTICS_MAX + 2);
        let rest: Vec<_> = events.receiver().try_iter().skip(DIAGNOSTICS_MAX).collect();
        assert!(
            matches!(rest[..], [HostEvent::Happened(NodeNotice::Skipped(10)), HostEvent::Lost(told)] if told == loss)
        );
    }
}
