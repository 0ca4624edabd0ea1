//! What one node is set to differently from the rest of its group.

use elect_core::{ConfigBuilder, Member, MemberKind, NodeId};

use crate::ids::NodeIndex;
use crate::options::Options;

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
    pub fn own_mut(&mut self, node: NodeIndex) -> &mut Own {
        if self.own.len() <= node.place() {
            self.own.resize(node.place() + 1, Own::default());
        }
        &mut self.own[node]
    }

    pub(crate) fn own(&self, node: NodeIndex) -> Option<&Own> {
        self.own.get(node.place())
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
        let kind_of = |id| NodeIndex::of(id).and_then(|index| self.kinds.get(index.place()).copied());
        let member = |id| Member { id, kind: kind_of(id).unwrap_or(MemberKind::Voter) };
        let Some(written) = self.own(node).and_then(|own| own.members.as_ref()) else {
            let all = NodeIndex::all(self.kinds.len()).map(NodeIndex::id);
            return Ok(builder.members(all.map(member)));
        };
        let ids = written.iter().map(|word| NodeId::new(word).map_err(|why| format!("member {word}: {why}")));
        Ok(builder.members(ids.collect::<Result<Vec<_>, _>>()?.into_iter().map(member)))
    }
}
