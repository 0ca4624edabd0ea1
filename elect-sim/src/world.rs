//! The world: nodes, clocks, links and the agenda, and how one event leads to the next.

mod actions;
mod carriage;
mod connections;
mod faults;
mod group;
mod heal;
mod hosts;
mod inputs;
mod life;
mod marks;
mod messages;
mod operator;
mod set_back;
mod setup;
mod told;
mod triggers;

use elect_core::Time;

use crate::action::Action;
use crate::actions::Actions;
use crate::book::Book;
use crate::checkers::{Checker, Checkers, Violation};
use crate::clock::{Real, SECOND};
use crate::clocks::Clocks;
use crate::counts::{Counted, Counts};
use crate::ids::NodeIndex;
use crate::input::{Input, Output};
use crate::model_log::Entries;
use crate::network::Network;
use crate::node::Node;
use crate::node_overrides::NodeOverrides;
use crate::options::Options;
use crate::queue::{Event, Queue};
use crate::random::Random;
use crate::rule::Rule;
use crate::sabotage::Sabotage;
use crate::stopwatches::Stopwatches;
use crate::trace::Trace;
use crate::trigger::Triggers;
use crate::wires::Wires;

/// A simulated group of nodes.
#[derive(Debug)]
pub struct World {
    options: Options,
    queue: Queue,
    nodes: Vec<Node>,
    clocks: Clocks,
    wires: Wires,
    /// What the logs of all built-in stores are made of.
    entries: Entries,
    book: Book,
    /// Chance for clocks and faults.
    fault_rng: Random,
    /// Chance for what follows from faults: it is the same whether they are drawn or listed.
    consequence_rng: Random,
    /// Chance for hosts and clients.
    host_rng: Random,
    /// Frames sent before this and not arrived a while after it are lost.
    calm_since: Option<Real>,
    actions: Actions,
    /// What strikes when a node does something.
    triggers: Triggers,
    /// Whether clients leave the group alone.
    clients_rest: bool,
    outputs: Vec<Output>,
}

impl World {
    /// The first violation, if there was one.
    pub fn violation(&self) -> Option<&Violation> {
        self.book.violation()
    }

    /// What happened so far.
    pub fn trace(&self) -> &Trace {
        self.book.trace()
    }

    /// How often what happened so far.
    pub fn counts(&self) -> Counts {
        self.book.counts()
    }

    pub(crate) fn stopwatches(&self) -> &Stopwatches {
        self.book.stopwatches()
    }

    /// A measurement begins.
    pub(crate) fn restart_stopwatches(&mut self) {
        self.book.restart_stopwatches();
    }

    pub(crate) fn checks(&self) -> &Checkers {
        self.book.checks()
    }

    /// Something that must hold of the whole group does not.
    pub(crate) fn fail(&mut self, checker: Checker, detail: impl FnOnce() -> String) {
        let now = self.clocks.now();
        self.book.checks_mut().fail(checker, now, NodeIndex::default(), detail);
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// The settings of one node, to be changed: they count from its next start on.
    pub(crate) fn overrides_mut(&mut self, node: NodeIndex) -> &mut NodeOverrides {
        self.options.overrides_mut(node)
    }

    pub(crate) fn network(&self) -> &Network {
        self.wires.links()
    }

    pub(crate) fn network_mut(&mut self) -> &mut Network {
        self.wires.links_mut()
    }

    pub(crate) fn add_rule(&mut self, rule: Rule) {
        self.wires.add_rule(rule);
    }

    pub(crate) fn clear_rules(&mut self) {
        self.wires.clear_rules();
    }

    /// Everything that was done so far, and when.
    pub(crate) fn actions(&self) -> &[(Real, Action)] {
        self.actions.done()
    }

    /// Since when faults are over.
    pub(crate) fn calm_since(&self) -> Option<Real> {
        self.calm_since
    }

    /// Faults are over.
    fn becomes_calm(&mut self) {
        self.calm_since = Some(self.clocks.now());
    }

    /// Whether clients leave the group alone.
    pub(crate) fn do_clients_rest(&self) -> bool {
        self.clients_rest
    }

    pub(crate) fn let_clients_rest(&mut self, rest: bool) {
        self.clients_rest = rest;
    }

    /// All machines: members come first.
    pub(crate) fn machines(&self) -> impl DoubleEndedIterator<Item = NodeIndex> + Clone + use<> {
        NodeIndex::all(self.nodes.len())
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Simulated time so far, in nanoseconds.
    pub fn now(&self) -> Real {
        self.clocks.now()
    }

    /// Goes on until `until` or the first violation.
    ///
    /// # Panics
    /// If the elector does.
    pub fn run_until(&mut self, until: Real) {
        while self.book.violation().is_none() {
            let Some((at, event)) = self.queue.pop(until) else { break };
            self.clocks.go_to(at);
            self.book.count(Counted::Event);
            // A list of the same actions must lead to the same hash.
            if !matches!(event, Event::Fault | Event::End { .. }) {
                self.book.absorb(at);
            }
            assert!(at < 10 * SECOND || !self.is_sabotaged(Sabotage::Panics), "a planted panic");
            self.happen(event);
        }
        if self.book.violation().is_none() {
            self.clocks.go_to(until);
        }
    }

    /// The node whose lease runs now, and its epoch.
    pub fn leader(&self) -> Option<(NodeIndex, elect_core::Epoch)> {
        self.leases(None).next()
    }

    pub(crate) fn leases(
        &self,
        except: Option<NodeIndex>,
    ) -> impl Iterator<Item = (NodeIndex, elect_core::Epoch)> {
        let nodes = self.nodes.iter().zip(NodeIndex::all(self.nodes.len()));
        nodes.filter_map(move |(node, index)| {
            let process = node.process().filter(|_| Some(index) != except)?;
            let lease = process.lease(self.clocks.local(index))?;
            Some((index, lease.epoch))
        })
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { from, to, slot } => self.frame_arrives(from, to, slot),
            Event::Message { from, to, slot } => self.message_arrives(from, to, slot),
            Event::Tick { node, life } => self.tick_due(node, life),
            Event::SaveDone { node, life } => self.input_of(node, life, Input::SaveDone),
            Event::Gated { node, life } => self.input_of(node, life, Input::Gated),
            Event::SyncDone { node, life } => self.input_of(node, life, Input::SyncDone),
            Event::Host { node, life, ticket } => self.input_of(node, life, Input::Host(ticket)),
            Event::Report { node, life } => self.input_of(node, life, Input::Report),
            Event::Repair { node, life } => self.input_of(node, life, Input::Repair),
            Event::Start { node } => self.start(node),
            Event::Continue { node, life, pause } => self.go_on(node, life, pause),
            Event::Dial { from, to, life } => self.dial(from, to, life),
            Event::DialArrives { from, to, life, began } => self.dial_arrives(from, to, life, began),
            Event::DialAnswered { from, to, life, began, accepted } => {
                self.dial_answered(from, to, life, began, accepted);
            }
            Event::Closed { node, peer, life } => self.closed(node, peer, life),
            Event::Ended { node, peer, life, incarnation } => self.ended(node, peer, life, incarnation),
            Event::Strike { node, strike } => self.strike_at(node, strike),
            Event::Mended { from, to } => self.mended(from, to),
            Event::Clients => self.clients(),
            Event::Fault => self.fault(),
            Event::End { number } => self.end(number),
        }
    }

    // Helpers.

    pub(crate) fn is_sabotaged(&self, sabotage: Sabotage) -> bool {
        self.options.sabotage == Some(sabotage)
    }

    /// Machines of the members: further ones are twins.
    pub(crate) fn members(&self) -> impl DoubleEndedIterator<Item = NodeIndex> + Clone + use<> {
        self.options.members()
    }

    pub(crate) fn is_member(&self, node: NodeIndex) -> bool {
        self.options.is_member(node)
    }

    /// The member under whose name a machine runs.
    pub(crate) fn member(&self, node: NodeIndex) -> NodeIndex {
        self.options.member_of(node)
    }

    /// Further machines with the name of a member.
    #[inline]
    pub(crate) fn twins_of(&self, member: NodeIndex) -> Vec<NodeIndex> {
        if self.options.twins.is_empty() {
            return Vec::new();
        }
        let machines = NodeIndex::all(self.nodes.len()).skip(self.options.kinds.len());
        machines.filter(|&machine| self.member(machine) == member).collect()
    }

    pub(crate) fn local(&self, node: NodeIndex) -> Time {
        self.clocks.local(node)
    }

    /// The same for a name that no machine has.
    pub(crate) fn local_of_anybody(&self, node: NodeIndex) -> Time {
        self.clocks.local_of_anybody(node)
    }

    pub(crate) fn node(&self, node: NodeIndex) -> &Node {
        &self.nodes[node]
    }

    pub(crate) fn node_mut(&mut self, node: NodeIndex) -> &mut Node {
        &mut self.nodes[node]
    }

    pub(crate) fn mend_disk(&mut self, node: NodeIndex) {
        let now = self.clocks.now();
        let mended = self.node_mut(node);
        let (save, sync) = mended.mend_disk();
        let life = mended.life();
        if save {
            self.queue.push(now, Event::SaveDone { node, life });
        }
        if sync {
            self.queue.push(now, Event::SyncDone { node, life });
        }
    }
}
