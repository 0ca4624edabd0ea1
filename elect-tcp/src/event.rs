//! What a node tells its host.

use elect_core::{Address, Duty, Incarnation, NodeId, Notice, Raised, SteppedDown, Time};

use crate::observed::Observed;
use crate::stream::{EventSender, Events, Queued, Subject, events};

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
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NodeNotice {
    /// The elector reports.
    Elector(Notice),
    /// The link to a peer came up, went down, or cannot be brought up for a new reason.
    LinkChanged(Link),
    /// Copies in the vote file had to be restored when it was opened: a save was cut off by a crash, or the
    /// disk rots.
    VoteFileRepaired {
        /// How many of four.
        copies: usize,
    },
    /// The reader was so far behind that events were left out: what was only worth knowing, and what is moot by now.
    /// See [`Events`].
    Missed {
        /// How many.
        count: u64,
    },
}

/// The link over which this node sends to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The peer.
    pub peer: NodeId,
    /// Whether a stream stands.
    pub is_up: bool,
    /// Since when it is up, or down.
    pub since: Time,
    /// Why it is down, as far as that is known.
    pub reason: Option<String>,
    /// The incarnation in which the peer last dialled this node.
    pub incarnation: Option<Incarnation>,
    /// Where clients reach the peer, as it said when it dialled.
    pub address: Option<Address>,
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

/// The orchestrator's end of the streams: one that gives, and any number that tell.
#[derive(Debug)]
pub(crate) struct Announcer {
    host: EventSender<HostEvent>,
    observers: Vec<EventSender<Observed>>,
}

pub(crate) fn stream() -> (Announcer, Events) {
    let (host, stream) = events();
    (Announcer { host, observers: Vec::new() }, stream)
}

impl Announcer {
    /// Tells the host, and before it whoever else listens: they cannot take anything away from it. Never waits for a
    /// reader; a stream that nobody reads any more is not an error.
    pub(crate) fn tell(&mut self, event: HostEvent) {
        if !self.observers.is_empty() {
            let observed = Observed::from(&event);
            self.observers.retain(|observer| observer.send(observed.clone()));
        }
        let _ = self.host.send(event);
    }

    /// One more stream that tells, from the next event on.
    pub(crate) fn subscribe(&mut self) -> Events<Observed> {
        let (observer, stream) = events();
        self.observers.push(observer);
        stream
    }
}

impl Queued for HostEvent {
    fn subject(&self) -> Subject {
        match self {
            Self::Lost(_) => Subject::Loss,
            Self::Ended(_) => Subject::Once,
            Self::Happened(notice) => notice.subject(),
            Self::Act(duty) => match duty {
                Duty::Elected(_) | Duty::EpochRaised { raised: Raised::OnTheWay(_), .. } => Subject::Gain,
                Duty::EpochRaised { raised: Raised::InOffice(_), .. } => Subject::Raise,
                Duty::HandoverBegan { .. } | Duty::HandoverAborted { .. } => Subject::Handover,
                Duty::Rebuilt | Duty::Replaced { .. } => Subject::Storage,
                Duty::Stopped { .. } => Subject::Once,
            },
        }
    }

    fn missed(count: u64) -> Self {
        Self::Happened(NodeNotice::Missed { count })
    }
}

impl NodeNotice {
    pub(crate) const fn subject(&self) -> Subject {
        match self {
            Self::Missed { count } => Subject::Missed(*count),
            Self::VoteFileRepaired { .. } => Subject::Once,
            Self::LinkChanged(_)
            | Self::Elector(
                Notice::Ignored { .. } | Notice::RefusedOffer { .. } | Notice::OfferRefused { .. },
            ) => Subject::Diagnostic,
            Self::Elector(_) => Subject::Notice,
        }
    }
}
