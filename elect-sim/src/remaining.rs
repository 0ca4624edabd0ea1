//! What remains broken when the faults of a run end.

use crate::ids::{Link, NodeIndex};
use crate::random::Random;

/// What remains broken after healing.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// Directed links that stay cut.
    pub cuts: Vec<Link>,
    /// Nodes that stay down.
    pub retired: Vec<NodeIndex>,
}

impl Topology {
    /// Whether nothing remains broken.
    pub(crate) fn is_whole(&self) -> bool {
        self.cuts.is_empty() && self.retired.is_empty()
    }

    /// Half of the time everything works; else some links stay cut and some nodes down.
    pub(crate) fn draw(random: &mut Random, nodes: usize) -> Self {
        let mut topology = Self::default();
        if random.below(2) == 0 {
            return topology;
        }
        let share = [50_000, 200_000, 400_000][random.index(3)];
        topology.cuts = Link::all(nodes).filter(|_| random.chance(share)).collect();
        topology.retired = NodeIndex::all(nodes).filter(|_| random.chance(100_000)).collect();
        topology
    }
}
