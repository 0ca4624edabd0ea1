//! The configuration of each life of a node, from the options of a run.

use std::time::Duration;

use elect_core::{ClusterId, Config, ConfigBuilder, Detection, Member, MemberKind, NodeId};

use crate::ids::{Life, NodeIndex};
use crate::node_overrides::NodeOverrides;
use crate::options::Options;
use crate::profile::address_of;
use crate::random::mix;
use crate::sabotage::Sabotage;

impl Options {
    /// The settings of one node, to be changed.
    pub fn overrides_mut(&mut self, node: NodeIndex) -> &mut NodeOverrides {
        if self.overrides.len() <= node.place() {
            self.overrides.resize(node.place() + 1, NodeOverrides::default());
        }
        &mut self.overrides[node]
    }

    pub(crate) fn overrides(&self, node: NodeIndex) -> Option<&NodeOverrides> {
        self.overrides.get(node.place())
    }

    /// ρ as configured on this node.
    pub(crate) fn drift_of(&self, node: NodeIndex) -> u32 {
        self.overrides(node).and_then(|overrides| overrides.drift_ppm).unwrap_or(self.drift_ppm)
    }

    /// The detection time that this node is configured with.
    pub(crate) fn detection_of(&self, node: NodeIndex) -> Detection {
        self.overrides(node).and_then(|overrides| overrides.detection).unwrap_or(self.detection)
    }

    /// The heartbeat interval that this node is configured with.
    pub(crate) fn heartbeat_of(&self, node: NodeIndex) -> Duration {
        self.overrides(node).and_then(|overrides| overrides.heartbeat).unwrap_or(self.heartbeat)
    }

    /// The longest detection time that any node is configured with.
    pub(crate) fn longest_detection(&self) -> Duration {
        self.members().map(|node| self.detection_of(node).ceiling()).max().unwrap_or_default()
    }

    /// The longest heartbeat interval likewise.
    pub(crate) fn longest_heartbeat(&self) -> Duration {
        self.members().map(|node| self.heartbeat_of(node)).max().unwrap_or_default()
    }

    /// The member list of this node, added to its configuration; why it is none, where it is none.
    pub(crate) fn with_members(
        &self,
        node: NodeIndex,
        builder: ConfigBuilder,
    ) -> Result<ConfigBuilder, String> {
        let kind_of = |id| NodeIndex::of(id).and_then(|index| self.kinds.get(index.place()).copied());
        let member = |id| Member { id, kind: kind_of(id).unwrap_or(MemberKind::Voter) };
        let Some(written) = self.overrides(node).and_then(|overrides| overrides.members.as_ref()) else {
            let all = NodeIndex::all(self.kinds.len()).map(NodeIndex::id);
            return Ok(builder.members(all.map(member)));
        };
        let ids = written.iter().map(|word| NodeId::new(word).map_err(|why| format!("member {word}: {why}")));
        Ok(builder.members(ids.collect::<Result<Vec<_>, _>>()?.into_iter().map(member)))
    }

    /// The configuration of one life of a node, or what is wrong with it.
    pub(crate) fn config(&self, node: NodeIndex, life: Life) -> Result<Config, String> {
        let cluster = ClusterId::new("sim").expect("a valid name");
        let builder = Config::builder(cluster, self.member_of(node).id());
        let own = self.overrides(node).and_then(|overrides| overrides.preferred);
        let builder = match own.or(self.preferred) {
            Some(node) if self.sabotage != Some(Sabotage::ForgetsPreference) => {
                builder.preferred_leader(node.id())
            }
            _ => builder,
        };
        let builder = self.with_members(node, builder)?;
        builder
            .heartbeat_interval(self.heartbeat_of(node))
            .detection(self.detection_of(node))
            .drift_ppm(self.drift_of(node))
            .clock_granularity(self.granularity)
            .round_trip(self.round_trip)
            .save(self.save)
            .crash_evidence(self.crash_evidence)
            .fail_back_cooldown(self.cooldown)
            .office_timeout(self.office_timeout)
            .address(address_of(self.member_of(node), life))
            .seed(mix(self.seed ^ mix(u64::from(node.number()) << 32 | u64::from(life))))
            .build()
            .map_err(|why| why.to_string())
    }

    /// Machines of the members: further ones are twins.
    pub(crate) fn members(&self) -> impl DoubleEndedIterator<Item = NodeIndex> + Clone + use<> {
        NodeIndex::all(self.kinds.len())
    }

    pub(crate) fn is_member(&self, node: NodeIndex) -> bool {
        node.place() < self.kinds.len()
    }

    /// Whether a machine keeps a log: witnesses do not.
    pub(crate) fn keeps_log(&self, node: NodeIndex) -> bool {
        self.kinds[self.member_of(node)] != MemberKind::Witness
    }

    /// Under whose name this machine runs.
    pub(crate) fn member_of(&self, node: NodeIndex) -> NodeIndex {
        let twin = node.place().checked_sub(self.kinds.len());
        twin.and_then(|twin| self.twins.get(twin)).copied().unwrap_or(node)
    }
}
