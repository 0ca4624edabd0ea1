//! Tells what happens: to the host, and to whoever else listens.

use std::sync::Arc;

use elect_core::{Duty, NodeId, Notice, Raised};

use crate::counters::Counters;
use crate::event::{HostEvent, NodeNotice};
use crate::observed::{DutySummary, Observed};
use crate::stream::{EventSender, Events, Queued, Subject, events};
#[cfg(feature = "tracing")]
use crate::trace::Log;

/// The orchestrator's end of the streams: one that gives, and any number that tell.
#[derive(Debug)]
pub(crate) struct Announcer {
    #[cfg(feature = "tracing")]
    log: Log,
    counters: Arc<Counters>,
    host: EventSender<HostEvent>,
    observers: Vec<EventSender<Observed>>,
}

/// The streams of a node.
pub(crate) fn stream(node: NodeId, counters: Arc<Counters>) -> (Announcer, Events) {
    let (host, stream) = events();
    let announcer = Announcer {
        #[cfg(feature = "tracing")]
        log: Log::start(node),
        counters,
        host,
        observers: Vec::new(),
    };
    #[cfg(not(feature = "tracing"))]
    let _ = node;
    (announcer, stream)
}

impl Announcer {
    /// Tells the host, and before it whoever else listens: they cannot take anything away from it. Never waits for a
    /// reader; a stream that nobody reads any more is not an error.
    pub(crate) fn tell(&mut self, event: HostEvent) {
        self.counters.measures.on_event(&event);
        #[cfg(feature = "tracing")]
        self.log.tell(&event);
        if !self.observers.is_empty() {
            let observed = Observed::from(&event);
            self.observers.retain(|observer| observer.send(observed.clone()));
        }
        let _ = self.host.send(event);
    }

    /// Whether the host may still act on what it is told.
    pub(crate) fn has_host(&self) -> bool {
        self.host.is_read()
    }

    /// One more stream that tells, from the next event on.
    pub(crate) fn subscribe(&mut self) -> Events<Observed> {
        // A quiet node has no event that would find out who has gone.
        self.observers.retain(EventSender::is_read);
        let (observer, stream) = events();
        self.observers.push(observer);
        stream
    }

    /// Nothing follows: ends the streams, and lets the last lines be written.
    pub(crate) fn end(self) {
        drop((self.host, self.observers));
        #[cfg(feature = "tracing")]
        self.log.end();
    }
}

impl Queued for HostEvent {
    fn subject(&self) -> Subject {
        match self {
            Self::Lost(_) => Subject::Loss,
            Self::Ended(_) => Subject::Once,
            Self::Happened(notice) => subject(notice),
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

impl Queued for Observed {
    fn subject(&self) -> Subject {
        match self {
            Self::Lost(_) => Subject::Loss,
            Self::Ended(_) => Subject::Once,
            Self::Happened(notice) => subject(notice),
            Self::Duty(duty) => match duty {
                DutySummary::Elected { .. } | DutySummary::EpochRaised { in_office: false, .. } => {
                    Subject::Gain
                }
                DutySummary::EpochRaised { in_office: true, .. } => Subject::Raise,
                DutySummary::HandoverBegan { .. } | DutySummary::HandoverAborted { .. } => Subject::Handover,
                DutySummary::Rebuilt | DutySummary::Replaced { .. } => Subject::Storage,
                DutySummary::Stopped { .. } => Subject::Once,
            },
        }
    }

    fn missed(count: u64) -> Self {
        Self::Happened(NodeNotice::Missed { count })
    }
}

/// What a notice is about.
const fn subject(notice: &NodeNotice) -> Subject {
    match notice {
        NodeNotice::Missed { count } => Subject::Missed(*count),
        NodeNotice::VoteFileRepaired { .. } | NodeNotice::VoteFileMoved { .. } | NodeNotice::Transport(_) => {
            Subject::Once
        }
        NodeNotice::LinkChanged(_)
        | NodeNotice::DiallerRefused(_)
        | NodeNotice::Elector(
            Notice::Ignored { .. } | Notice::RefusedOffer { .. } | Notice::OfferRefused { .. },
        ) => Subject::Diagnostic,
        NodeNotice::Elector(_) => Subject::Notice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_gone_is_forgotten_without_an_event() {
        let (mut announcer, _host) = stream(NodeId::new("a").unwrap(), Arc::default());
        for _ in 0..100 {
            drop(announcer.subscribe());
        }
        let _observer = announcer.subscribe();
        assert_eq!(announcer.observers.len(), 1);
    }
}
