//! What a test sees of a group.

use std::fmt::Write;
use std::time::Duration;

use elect_core::NodeId;

use super::{Group, Seen};

impl Group {
    /// Everybody with a valid lease.
    pub fn lease_holders(&self) -> Vec<NodeId> {
        self.nodes.values().filter(|node| node.leads(self.now)).map(|node| node.id).collect()
    }

    /// The node with a valid lease.
    pub fn leader(&self) -> Option<NodeId> {
        self.lease_holders().first().copied()
    }

    /// Runs until somebody leads.
    pub fn run_to_leader(&mut self, bound: Duration) -> NodeId {
        self.run_until(bound, |group| group.leader().is_some())
            .unwrap_or_else(|| panic!("no leader\n{}", self.story()));
        self.leader().unwrap()
    }

    /// What everybody was seen to do and how everybody explains the present, for failed assertions.
    pub fn story(&self) -> String {
        let mut seen: Vec<_> =
            self.nodes.values().flat_map(|n| n.seen.iter().map(move |(at, s)| (*at, n.id, s))).collect();
        seen.sort_by_key(|(at, id, _)| (*at, *id));
        let mut text = String::new();
        for (at, id, seen) in &seen {
            writeln!(text, "{at:?} {id} {seen:?}").unwrap();
        }
        for node in self.nodes.values() {
            if let Some(elector) = &node.elector {
                writeln!(text, "{}: {}", node.id, elector.explain(self.now)).unwrap();
            }
        }
        text
    }

    /// How often `name` was seen to do what `what` matches.
    pub fn count(&self, name: &str, what: impl Fn(&Seen) -> bool) -> usize {
        self.node(name).seen.iter().filter(|(_, seen)| what(seen)).count()
    }
}
