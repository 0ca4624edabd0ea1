//! When things happened: exact times for measurements, from what leaves the electors.

use elect_core::{Duty, Notice};

use crate::clock::Real;
use crate::ids::{NODES_MAX, NodeIndex};
use crate::input::Told;

/// What happened since a measurement began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopwatches {
    /// The first election: who, when.
    elected: Option<(NodeIndex, Real)>,
    /// The first candidacy: who, with which rank, when.
    stood: Option<(NodeIndex, u32, Real)>,
    /// How many candidacies there were.
    rounds: u32,
    /// The first step-down: who, when.
    lost: Option<(NodeIndex, Real)>,
    /// When each node first ceased to follow.
    freed: [Option<Real>; NODES_MAX],
    /// When each node first began to follow, and whom.
    followed: [Option<(NodeIndex, Real)>; NODES_MAX],
    /// When each node first saved a record.
    saved: [Option<Real>; NODES_MAX],
    /// When each node was last told that its link to each peer is up.
    linked: [[Option<Real>; NODES_MAX]; NODES_MAX],
}

impl Stopwatches {
    pub(crate) fn happened(&mut self, at: Real, node: NodeIndex, told: &Told) {
        match told {
            Told::Duty(Duty::Elected(_)) => self.elected = self.elected.or(Some((node, at))),
            Told::Notice(Notice::CampaignStarted { rank, .. }) => {
                self.rounds += 1;
                self.stood = self.stood.or(Some((node, u32::try_from(*rank).unwrap_or(u32::MAX), at)));
            }
            Told::Notice(Notice::LeaderLost { .. }) => self.freed[node] = self.freed[node].or(Some(at)),
            Told::Notice(Notice::Following { leader, .. }) => {
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

    /// The first election: who, when.
    pub(crate) fn elected(&self) -> Option<(NodeIndex, Real)> {
        self.elected
    }

    /// The first candidacy: who, with which rank, when.
    pub(crate) fn stood(&self) -> Option<(NodeIndex, u32, Real)> {
        self.stood
    }

    /// How many candidacies there were.
    pub(crate) fn rounds(&self) -> u32 {
        self.rounds
    }

    /// The first step-down: who, when.
    pub(crate) fn first_loss(&self) -> Option<(NodeIndex, Real)> {
        self.lost
    }

    /// When a node first ceased to follow.
    pub(crate) fn freed(&self, node: NodeIndex) -> Option<Real> {
        self.freed[node]
    }

    /// Whom a node first followed, and when.
    pub(crate) fn followed(&self, node: NodeIndex) -> Option<(NodeIndex, Real)> {
        self.followed[node]
    }

    /// When a node first saved a record.
    pub(crate) fn first_save(&self, node: NodeIndex) -> Option<Real> {
        self.saved[node]
    }

    /// When a node was last told that its link to a peer is up.
    pub(crate) fn link_up(&self, node: NodeIndex, peer: NodeIndex) -> Option<Real> {
        self.linked[node][peer]
    }
}
