//! When things happened: exact times for measurements, from what leaves the electors.

use elect_core::{Duty, Notice};

use crate::clock::Real;
use crate::ids::{NODES_MAX, NodeIndex};
use crate::input::Event;

/// What happened since a measurement began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moments {
    /// The first election: who, when.
    pub(crate) elected: Option<(NodeIndex, Real)>,
    /// The first candidacy: who, with which rank, when.
    pub(crate) stood: Option<(NodeIndex, u32, Real)>,
    /// How many candidacies there were.
    pub(crate) rounds: u32,
    /// The first step-down: who, when.
    pub(crate) lost: Option<(NodeIndex, Real)>,
    /// When each node first ceased to follow.
    pub(crate) freed: [Option<Real>; NODES_MAX],
    /// When each node first began to follow, and whom.
    pub(crate) followed: [Option<(NodeIndex, Real)>; NODES_MAX],
    /// When each node first saved a record.
    pub(crate) saved: [Option<Real>; NODES_MAX],
    /// When each node was last told that its link to each peer is up.
    pub(crate) linked: [[Option<Real>; NODES_MAX]; NODES_MAX],
}

impl Moments {
    pub(crate) fn happened(&mut self, at: Real, node: NodeIndex, event: &Event) {
        match event {
            Event::Duty(Duty::Elected(_)) => self.elected = self.elected.or(Some((node, at))),
            Event::Notice(Notice::Stood { rank, .. }) => {
                self.rounds += 1;
                self.stood = self.stood.or(Some((node, u32::try_from(*rank).unwrap_or(u32::MAX), at)));
            }
            Event::Notice(Notice::LeaderLost { .. }) => self.freed[node] = self.freed[node].or(Some(at)),
            Event::Notice(Notice::Following { leader, .. }) => {
                let followed = NodeIndex::of(*leader).map(|leader| (leader, at));
                self.followed[node] = self.followed[node].or(followed);
            }
            _ => {}
        }
    }

    pub(crate) fn lost(&mut self, at: Real, node: NodeIndex) {
        self.lost = self.lost.or(Some((node, at)));
    }

    pub(crate) fn saved(&mut self, at: Real, node: NodeIndex) {
        let saved = &mut self.saved[node];
        *saved = saved.or(Some(at));
    }

    pub(crate) fn linked(&mut self, at: Real, node: NodeIndex, peer: NodeIndex) {
        self.linked[node][peer] = Some(at);
    }

    /// From when on two nodes could talk, as far as links that were made since are concerned.
    pub(crate) fn talking(&self, one: NodeIndex, other: NodeIndex) -> Real {
        self.linked[one][other].max(self.linked[other][one]).unwrap_or(0)
    }
}
