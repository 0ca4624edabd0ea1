//! What can be said of the group as a whole.

use elect_core::{Epoch, MemberKind, RoleName};

use super::World;
use crate::clock::Real;
use crate::ids::NodeIndex;

impl World {
    /// One election timeout in real time, at the slowest clock.
    pub(crate) fn election_timeout(&self) -> Real {
        let of = |node: NodeIndex| {
            let config = self.written_config(node, 0).ok()?;
            // A promise of an earlier configuration may still run.
            let recorded = self.node(node).record().map(|record| record.detection_max);
            let earlier = recorded.unwrap_or_default().saturating_sub(config.detection().ceiling());
            let counted = config.election_timeout() + earlier * 5 / 4;
            // Each counts on its own clock, which may run slow by the bound on drift.
            let million = 1_000_000;
            Some(counted * million / (million - self.options.drift_of(node).min(million / 2)))
        };
        let timeout = NodeIndex::all(self.options.kinds.len()).filter_map(of).max().unwrap_or_default();
        u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn quorum(&self) -> usize {
        self.options.kinds.iter().filter(|kind| kind.votes()).count() / 2 + 1
    }

    /// Zero where an operator wrote lists that differ: then it is each node's own.
    pub(crate) fn configured_quorum(&self) -> usize {
        let differ = self.options.overrides.iter().any(|overrides| overrides.members.is_some());
        if differ { 0 } else { self.quorum() }
    }

    /// Whether its storage counts: it was not replaced, is not about to count as replaced, and is none that peers have
    /// stopped for what it is. (Who slept through a replacement may stop it: a limit of the protocol.)
    pub(crate) fn is_intact(&self, node: NodeIndex) -> bool {
        self.node(node).is_intact() && !self.book.checks().is_stopped(node) && !self.lacks_final_genesis(node)
    }

    /// Whether another member that votes holds a final genesis, and this one none: it is about to count as replaced
    /// (R59).
    fn lacks_final_genesis(&self, node: NodeIndex) -> bool {
        let holds_final = |node: NodeIndex| {
            let genesis = self.node(node).record().and_then(|record| record.genesis);
            genesis.is_some_and(|genesis| genesis.is_final)
        };
        let holds_none = self.node(node).record().is_some_and(|record| record.genesis.is_none());
        holds_none && self.members().any(|peer| self.node(peer).kind().votes() && holds_final(peer))
    }

    /// R65: whether the promise that one node allows is long enough for another one's lease.
    fn carries(&self, voter: NodeIndex, leader: NodeIndex) -> bool {
        let config = |node| self.node(node).process().map(|process| process.elector().config());
        match (config(voter), config(leader)) {
            (Some(voter), Some(leader)) => leader.detection_min() <= voter.detection().ceiling(),
            _ => true,
        }
    }

    /// R65: whether everybody who votes allows what any voter needs to lead.
    pub(crate) fn leaves_nobody_out(&self) -> bool {
        let configs = self.members().filter(|&node| self.node(node).kind().votes());
        let configs: Vec<_> = configs.filter_map(|node| self.written_config(node, 0).ok()).collect();
        let longest_needed = configs.iter().map(elect_core::Config::detection_min).max();
        configs.iter().all(|config| Some(config.detection().ceiling()) >= longest_needed)
    }

    /// The voters that are connected in both directions with a live quorum.
    pub(crate) fn able_to_lead(&self) -> Vec<NodeIndex> {
        let count = self.nodes.len();
        let live = |node: NodeIndex| self.is_intact(node) && self.nodes[node].kind().votes();
        let reaches = |node: NodeIndex| {
            NodeIndex::all(count)
                .filter(|&peer| live(peer) && self.carries(peer, node))
                .filter(|&peer| peer == node || self.wires.links().is_open_both_ways(node, peer))
                .count()
        };
        NodeIndex::all(count)
            .filter(|&node| {
                live(node) && self.nodes[node].kind() == MemberKind::Voter && reaches(node) >= self.quorum()
            })
            .collect()
    }

    /// A node that is connected with another, and does not know what the host of that one says; and that one.
    pub(crate) fn unknown_host(&self) -> Option<(NodeIndex, NodeIndex)> {
        let status = |node: NodeIndex| {
            let process = self.node(node).process()?;
            Some(process.elector().status(self.local(node)))
        };
        let statuses: Vec<_> = self.machines().map(|node| (node, status(node))).collect();
        let pairs = statuses.iter().flat_map(|node| statuses.iter().map(move |peer| (node, peer)));
        let mut unknown = pairs.filter_map(|((node, own), (peer, said))| {
            let (own, said) = (own.as_ref()?, said.as_ref()?);
            let known = own.peers.iter().find(|known| known.node == said.node && known.connected)?;
            let is_known = (known.application, known.host_data) == (said.application, said.host_data)
                && known.address == said.address;
            (!is_known && said.role != RoleName::Stopped).then_some((*node, *peer))
        });
        unknown.next().filter(|_| self.options.twins.is_empty())
    }

    pub(crate) fn durable_epoch(&self, node: NodeIndex) -> Epoch {
        self.node(node).record().map_or(Epoch::ZERO, |record| record.epoch)
    }
}
