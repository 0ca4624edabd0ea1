//! What one node is set to differently from the rest of its group.

use elect_core::{ConfigBuilder, Member, MemberKind, NodeId};

use crate::options::Options;
use crate::queue::NodeIndex;
use crate::world::index_of;

/// Settings of one node that are not its group's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// ρ as configured on this node.
    pub drift_ppm: Option<u32>,
    /// Its member list, as an operator wrote it.
    pub members: Option<Vec<String>>,
}

impl Options {
    /// The settings of one node, to be changed.
    pub fn own_mut(&mut self, node: usize) -> &mut Own {
        if self.own.len() <= node {
            self.own.resize(node + 1, Own::default());
        }
        &mut self.own[node]
    }

    pub(crate) fn own(&self, node: NodeIndex) -> Option<&Own> {
        self.own.get(usize::from(node))
    }

    /// ρ as configured on this node.
    pub(crate) fn drift_of(&self, node: NodeIndex) -> u32 {
        self.own(node).and_then(|own| own.drift_ppm).unwrap_or(self.drift_ppm)
    }

    /// The member list of this node, added to its configuration; why it is none, where it is none.
    pub(crate) fn with_members(
        &self,
        node: NodeIndex,
        builder: ConfigBuilder,
    ) -> Result<ConfigBuilder, String> {
        let kind_of = |id| index_of(id).and_then(|index| self.kinds.get(usize::from(index)).copied());
        let member = |id| Member { id, kind: kind_of(id).unwrap_or(MemberKind::Voter) };
        let Some(written) = self.own(node).and_then(|own| own.members.as_ref()) else {
            let all = (0..).take(self.kinds.len()).map(crate::world::id_of);
            return Ok(builder.members(all.map(member)));
        };
        let ids = written.iter().map(|word| NodeId::new(word).map_err(|why| format!("member {word}: {why}")));
        Ok(builder.members(ids.collect::<Result<Vec<_>, _>>()?.into_iter().map(member)))
    }
}
