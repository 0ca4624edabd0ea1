//! A small group of real electors on virtual time, so that tests read as short stories.
//!
//! Every frame takes `delay`, every save takes `save`; links are directed. Nothing sleeps.

mod host;
mod node;
mod steady;
mod story;
mod time;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use elect_core::{
    Config, ConfigBuilder, Elector, Epoch, Frame, LinkState, NodeId, Position, Record, RequestRefused,
    Requested, Step, Time,
};

use crate::collected::Collected;
use crate::{MS, builder, id, ms};

pub use node::{Node, Seen};
use time::Due;

/// Electors, their disks and hosts, and the network between them.
#[derive(Debug)]
pub struct Group {
    /// The clock of all.
    pub now: Time,
    /// All nodes, whether they run or not.
    pub nodes: BTreeMap<NodeId, Node>,
    /// How long a frame takes.
    pub delay: Duration,
    /// How long a save takes.
    pub save: Duration,
    cut: BTreeSet<(NodeId, NodeId)>,
    queue: BTreeMap<(Time, u64), Due>,
    order: u64,
    lives: BTreeMap<NodeId, u32>,
    /// Every frame sent, for tests that look at the traffic.
    pub sent: Vec<(Time, NodeId, NodeId, Frame)>,
    /// Whether `sent` is kept.
    pub record_traffic: bool,
    /// Frames are forged: what only holds among members that do not lie is not checked.
    pub members_lie: bool,
    /// Everyone who ever led an epoch.
    pub leaders: BTreeMap<Epoch, NodeId>,
}

impl Group {
    /// Voters of these names, on first boot, with a delay of 1 ms and saves of 1 ms.
    pub fn voters(names: &[&str]) -> Self {
        Self::with(names.iter().map(|name| builder(name, names)))
    }

    /// Nodes of these configurations, on first boot.
    pub fn with(builders: impl IntoIterator<Item = ConfigBuilder>) -> Self {
        let mut group = Self {
            now: Time::from_nanos(1_000 * MS),
            nodes: BTreeMap::new(),
            delay: ms(1),
            save: ms(1),
            cut: BTreeSet::new(),
            queue: BTreeMap::new(),
            order: 0,
            lives: BTreeMap::new(),
            sent: Vec::new(),
            record_traffic: false,
            members_lie: false,
            leaders: BTreeMap::new(),
        };
        for builder in builders {
            let config = builder.build().unwrap();
            let record = Record::first_boot(&config);
            group.add(config, record);
        }
        group
    }

    /// Adds a node that is not started yet.
    pub fn add(&mut self, config: Config, record: Record) {
        self.nodes.insert(config.node(), Node::new(config, record));
    }

    /// Starts every node.
    pub fn start_all(&mut self) -> &mut Self {
        let ids: Vec<_> = self.nodes.keys().copied().collect();
        for id in ids {
            self.start_node(id);
        }
        self
    }

    /// Starts one node.
    pub fn start(&mut self, name: &str) -> &mut Self {
        self.start_node(id(name));
        self
    }

    fn start_node(&mut self, id: NodeId) {
        let now = self.now;
        self.nodes.get_mut(&id).unwrap().start(now);
    }

    /// kill −9: what is not durable is gone; frames already sent stay under way.
    pub fn kill(&mut self, name: &str) -> &mut Self {
        self.node_mut(name).kill();
        *self.lives.entry(id(name)).or_default() += 1;
        self
    }

    /// Kills it if it runs, and starts it.
    pub fn restart(&mut self, name: &str) -> &mut Self {
        if self.nodes[&id(name)].elector.is_some() {
            self.kill(name);
        }
        self.start(name)
    }

    /// Frames from `from` to `to` are lost from now on.
    pub fn cut_one_way(&mut self, from: &str, to: &str) -> &mut Self {
        self.cut.insert((id(from), id(to)));
        self
    }

    /// Frames are lost in both directions.
    pub fn cut(&mut self, left: &str, right: &str) -> &mut Self {
        self.cut_one_way(left, right).cut_one_way(right, left)
    }

    /// Cuts a node off from everybody.
    pub fn isolate(&mut self, name: &str) -> &mut Self {
        let others: Vec<_> =
            self.nodes.keys().filter(|other| **other != id(name)).map(ToString::to_string).collect();
        for other in others {
            self.cut(name, &other);
        }
        self
    }

    /// All cuts end.
    pub fn heal(&mut self) -> &mut Self {
        self.cut.clear();
        self
    }

    /// One node.
    pub fn node(&self, name: &str) -> &Node {
        &self.nodes[&id(name)]
    }

    /// One node, to be changed.
    pub fn node_mut(&mut self, name: &str) -> &mut Node {
        self.nodes.get_mut(&id(name)).unwrap()
    }

    /// The elector of a node that runs.
    pub fn elector(&self, name: &str) -> &Elector {
        self.node(name).elector.as_ref().unwrap()
    }

    /// What the log of a node that does not run holds.
    pub fn set_tail_before_start(&mut self, name: &str, position: impl Into<Option<Position>>) -> &mut Self {
        *self.node(name).tail.0.borrow_mut() = position.into();
        self
    }

    /// The log of a node that runs ends here now, and its host says so.
    pub fn set_tail(&mut self, name: &str, position: Option<Position>) -> &mut Self {
        *self.node(name).tail.0.borrow_mut() = position;
        self.input(name, |elector, now| elector.set_position(position, now));
        self
    }

    /// One input to one node.
    pub fn input(&mut self, name: &str, input: impl FnOnce(&mut Elector, Time) -> Step<'_>) -> &mut Self {
        self.input_to(id(name), input);
        self
    }

    /// A request to one node: its refusal, if any.
    pub fn request(
        &mut self,
        name: &str,
        input: impl FnOnce(&mut Elector, Time) -> Requested<'_>,
    ) -> Result<(), RequestRefused> {
        let now = self.now;
        let mut collected = Collected::default();
        let elector = self.nodes.get_mut(&id(name)).and_then(|node| node.elector.as_mut()).expect("it runs");
        let result = input(elector, now).resolve(&mut collected);
        self.carry_out(id(name), collected);
        result
    }

    /// Delivers a made-up frame.
    pub fn inject(&mut self, from: &str, to: &str, frame: &Frame) -> &mut Self {
        let from = id(from);
        self.input(to, |elector, now| elector.on_message(from, frame, now))
    }

    /// What the transport of `name` tells of its link to `peer`.
    pub fn link(&mut self, name: &str, peer: &str, state: LinkState) -> &mut Self {
        let peer = id(peer);
        self.input(name, |elector, now| elector.on_link(peer, state, now))
    }
}
