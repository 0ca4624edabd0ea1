//! What the demo saw, on one clock, and what follows from it.
//!
//! All times are counted from the demo's start.

use std::time::Duration;

use elect_core::{Epoch, NodeId};

/// Everything that the demo saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    /// The nodes, in the order of their lanes.
    pub(crate) nodes: Vec<NodeId>,
    /// What happened at the nodes, by time.
    pub(crate) events: Vec<NodeEvent>,
    /// What the demo did to them, by time.
    pub(crate) actions: Vec<Action>,
    /// The acknowledged writes, by time.
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// When the demo stopped looking.
    pub(crate) end: Duration,
}

/// Something that happened at a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeEvent {
    pub(crate) at: Duration,
    pub(crate) node: NodeId,
    pub(crate) kind: EventKind,
    /// A sentence, in the node's own words where it said something.
    pub(crate) text: String,
}

/// What happened at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// Its process was started.
    Started,
    /// Its process is gone.
    Gone,
    /// It campaigns.
    CampaignStarted { epoch: Epoch },
    /// Its campaign ended without office.
    CampaignLost,
    /// It won an election; it serves once it is in office.
    Elected { epoch: Epoch },
    /// It serves.
    InOffice { epoch: Epoch },
    /// It raised its own epoch while leading.
    EpochRaised { epoch: Epoch },
    /// It led and leads no longer.
    SteppedDown,
    /// It follows a leader.
    Following { leader: NodeId, epoch: Epoch },
    /// It follows nobody any more.
    LeaderLost,
    /// It leads and admits no writes any more: it hands over.
    Draining,
    /// It admits writes again: the handover is off.
    HandoverOff,
}

/// Something that the demo did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) at: Duration,
    pub(crate) kind: ActionKind,
}

/// What the demo did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActionKind {
    /// kill −9.
    Kill { node: NodeId },
    /// Started the killed node again.
    Restart { node: NodeId },
    /// Asked the primary to hand over.
    Handover { from: NodeId, to: NodeId },
}

/// A write that a node acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) at: Duration,
    pub(crate) by: NodeId,
}

/// How long clients could not write when one primary followed another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The last write that was acknowledged before.
    pub(crate) last: Acknowledged,
    /// The first write that another node acknowledged.
    pub(crate) first: Acknowledged,
}

impl Gap {
    pub(crate) const fn length(&self) -> Duration {
        self.first.at.saturating_sub(self.last.at)
    }
}

/// An election that a node won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Election {
    pub(crate) at: Duration,
    pub(crate) node: NodeId,
    pub(crate) epoch: Epoch,
}

/// What a node was, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) state: State,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No process.
    Down,
    /// Running, following nobody.
    Leaderless,
    /// Campaigns.
    Candidate(Epoch),
    /// Elected, on its way into office.
    Elected(Epoch),
    /// In office: it serves.
    Leading(Epoch),
    /// Following a leader.
    Following(NodeId, Epoch),
}

impl Trace {
    /// Every epoch that a node came to lead, by time: won, or raised to while leading.
    pub(crate) fn elections(&self) -> Vec<Election> {
        self.events
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::Elected { epoch } | EventKind::EpochRaised { epoch } => {
                    Some(Election { at: event.at, node: event.node, epoch })
                }
                _ => None,
            })
            .collect()
    }

    /// The first election that a node other than `old` won after `after`.
    pub(crate) fn election_after(&self, after: Duration, old: NodeId) -> Option<Election> {
        self.elections().into_iter().find(|election| election.at >= after && election.node != old)
    }

    /// How long clients could not write around `after`, when a node other than `old` took over.
    pub(crate) fn gap_after(&self, after: Duration, old: NodeId) -> Option<Gap> {
        let first = self.acknowledged.iter().position(|write| write.at >= after && write.by != old)?;
        let last = first.checked_sub(1)?;
        Some(Gap { last: self.acknowledged[last], first: self.acknowledged[first] })
    }

    /// How often `node` had been started by then.
    pub(crate) fn starts_until(&self, node: NodeId, at: Duration) -> u32 {
        let start =
            |event: &&NodeEvent| event.node == node && event.at <= at && event.kind == EventKind::Started;
        u32::try_from(self.events.iter().filter(start).count()).unwrap_or(u32::MAX)
    }

    /// What `node` was, from the start to the end without a hole.
    pub(crate) fn spans(&self, node: NodeId) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut since = Duration::ZERO;
        let mut state = State::Down;
        for event in self.events.iter().filter(|event| event.node == node) {
            let next = state.after(event.kind);
            if next == state {
                continue;
            }
            let at = event.at.clamp(since, self.end);
            if at > since {
                spans.push(Span { from: since, to: at, state });
            }
            (since, state) = (at, next);
        }
        if self.end > since {
            spans.push(Span { from: since, to: self.end, state });
        }
        spans
    }
}

impl State {
    fn after(self, kind: EventKind) -> Self {
        match kind {
            EventKind::Gone => Self::Down,
            EventKind::CampaignStarted { epoch } => Self::Candidate(epoch),
            EventKind::InOffice { epoch } => Self::Leading(epoch),
            EventKind::Following { leader, epoch } => Self::Following(leader, epoch),
            EventKind::EpochRaised { epoch } if matches!(self, Self::Leading(_)) => Self::Leading(epoch),
            EventKind::Elected { epoch } | EventKind::EpochRaised { epoch } => Self::Elected(epoch),
            EventKind::Draining | EventKind::HandoverOff => self,
            // A candidate that loses sight of an old leader still stands.
            EventKind::LeaderLost if !matches!(self, Self::Following(..)) => self,
            EventKind::Started | EventKind::CampaignLost | EventKind::SteppedDown | EventKind::LeaderLost => {
                Self::Leaderless
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    pub(crate) fn node(name: &str) -> NodeId {
        NodeId::new(name).expect("a valid name")
    }

    pub(crate) fn event(at: u64, name: &str, kind: EventKind) -> NodeEvent {
        NodeEvent { at: ms(at), node: node(name), kind, text: format!("{name}: {kind:?}") }
    }

    fn follows(at: u64, name: &str, leader: &str, epoch: u64) -> NodeEvent {
        event(at, name, EventKind::Following { leader: node(leader), epoch: Epoch::new(epoch) })
    }

    fn takes_office(at: u64, name: &str, epoch: u64) -> [NodeEvent; 3] {
        let epoch = Epoch::new(epoch);
        [
            event(at - 2, name, EventKind::CampaignStarted { epoch }),
            event(at, name, EventKind::Elected { epoch }),
            event(at + 3, name, EventKind::InOffice { epoch }),
        ]
    }

    /// A run as it should be: n1 leads epoch 1, dies at 1,000 ms; n2 leads epoch 2 from 1,500 ms; n1 is back
    /// at 2,000 ms and takes over at 3,000 ms. A write is acknowledged every 5 ms.
    pub(crate) fn good_run() -> Trace {
        let (n1, n2, n3) = (node("n1"), node("n2"), node("n3"));
        let mut all = vec![
            event(5, "n1", EventKind::Started),
            event(7, "n2", EventKind::Started),
            event(9, "n3", EventKind::Started),
            follows(102, "n2", "n1", 1),
            follows(102, "n3", "n1", 1),
            event(1000, "n1", EventKind::Gone),
            event(1497, "n2", EventKind::LeaderLost),
            event(1499, "n3", EventKind::LeaderLost),
            follows(1502, "n3", "n2", 2),
            event(2000, "n1", EventKind::Started),
            follows(2040, "n1", "n2", 2),
            event(2996, "n2", EventKind::Draining),
            event(2998, "n2", EventKind::SteppedDown),
            follows(3002, "n2", "n1", 3),
            follows(3002, "n3", "n1", 3),
        ];
        all.extend(takes_office(100, "n1", 1));
        all.extend(takes_office(1500, "n2", 2));
        all.extend(takes_office(3001, "n1", 3));
        all.sort_by_key(|event| event.at);
        let acknowledged =
            |from: u64, to: u64, by| (from..to).step_by(5).map(move |at| Acknowledged { at: ms(at), by });
        Trace {
            nodes: vec![n1, n2, n3],
            events: all,
            actions: vec![
                Action { at: ms(1000), kind: ActionKind::Kill { node: n1 } },
                Action { at: ms(2000), kind: ActionKind::Restart { node: n1 } },
                Action { at: ms(2995), kind: ActionKind::Handover { from: n2, to: n1 } },
            ],
            acknowledged: acknowledged(105, 1000, n1)
                .chain(acknowledged(1506, 2997, n2))
                .chain(acknowledged(3006, 3600, n1))
                .collect(),
            end: ms(3600),
        }
    }

    #[test]
    fn spans_cover_the_whole_run_and_follow_the_events() {
        let trace = good_run();
        for &node in &trace.nodes {
            let spans = trace.spans(node);
            assert_eq!(spans[0].from, Duration::ZERO);
            assert_eq!(spans[spans.len() - 1].to, trace.end);
            assert!(
                spans.windows(2).all(|pair| pair[0].to == pair[1].from && pair[0].state != pair[1].state)
            );
        }
        let states: Vec<State> = trace.spans(node("n1")).into_iter().map(|span| span.state).collect();
        let (one, two, three) = (Epoch::new(1), Epoch::new(2), Epoch::new(3));
        assert_eq!(
            states,
            [
                State::Down,
                State::Leaderless,
                State::Candidate(one),
                State::Elected(one),
                State::Leading(one),
                State::Down,
                State::Leaderless,
                State::Following(node("n2"), two),
                State::Candidate(three),
                State::Elected(three),
                State::Leading(three),
            ]
        );
    }

    #[test]
    fn gap_runs_from_the_last_old_to_the_first_new_acknowledgement() {
        let trace = good_run();
        let gap = trace.gap_after(ms(1000), node("n1")).expect("n2 took over");
        assert_eq!((gap.last.at, gap.first.at, gap.length()), (ms(995), ms(1506), ms(511)));
        assert_eq!(gap.first.by, node("n2"));
        assert_eq!(trace.gap_after(ms(3100), node("n1")), None, "nobody took over after that");
    }

    #[test]
    fn acknowledgement_of_the_dead_read_late_does_not_end_the_gap() {
        let mut trace = good_run();
        let late = trace.acknowledged.iter().position(|write| write.at > ms(1000)).expect("later writes");
        trace.acknowledged.insert(late, Acknowledged { at: ms(1001), by: node("n1") });
        let gap = trace.gap_after(ms(1000), node("n1")).expect("n2 took over");
        assert_eq!(gap.length(), ms(505));
    }

    #[test]
    fn elections_include_raised_epochs() {
        let mut trace = good_run();
        let raised = EventKind::EpochRaised { epoch: Epoch::new(7) };
        trace.events.push(event(3500, "n1", raised));
        let epochs: Vec<u64> = trace.elections().iter().map(|election| election.epoch.number()).collect();
        assert_eq!(epochs, [1, 2, 3, 7]);
        assert_eq!(
            trace.spans(node("n1")).last().map(|span| span.state),
            Some(State::Leading(Epoch::new(7)))
        );
        assert_eq!(trace.election_after(ms(1000), node("n1")).map(|election| election.at), Some(ms(1500)));
    }
}
