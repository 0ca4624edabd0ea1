//! Hosts are called, and asked.

use elect_core::Position;

use super::World;
use crate::host::{Call, Host, Hosted, Machine};
use crate::ids::NodeIndex;
use crate::input::Input;
use crate::queue::What;
use crate::store::Store;

impl World {
    /// Calls a host. While it is being called it is away from its place: what comes meanwhile reaches it afterwards.
    pub(crate) fn call(&mut self, node: NodeIndex, call: Call) {
        let Some((mut hosted, call)) = self.node_mut(node).seat_mut().leave(call) else { return };
        let mut next = Some(call);
        while let Some(call) = next {
            call.reach(hosted.as_host_mut(), &mut Machine { world: self, node });
            next = self.node_mut(node).seat_mut().after_call(hosted.as_host_mut());
        }
        self.node_mut(node).seat_mut().put(hosted);
    }

    /// Tells the elector how far the log is durable: it only ranks by this.
    pub(crate) fn report(&mut self, node: NodeIndex, position: Option<Position>) {
        let now = self.local(node);
        self.elector(node, now, |elector| elector.set_position(position, now).into());
    }

    /// A client asks every node that was in office when it last worked: a deposed one must refuse, also one
    /// that does not know it yet. What is asked of a stopped process waits for it.
    pub(crate) fn clients(&mut self) {
        let asked = if self.clients_rest { 0 } else { self.nodes.len() };
        for node in NodeIndex::all(asked) {
            let asked = self.node(node);
            if asked.is_down() {
                continue;
            }
            // The built-in store's clients think of when they asked.
            if asked.seat().store().is_some() {
                self.call(node, Call::Client);
            } else {
                self.input(node, Input::Client);
            }
        }
        let wait = self.chance.waiting(self.options.client_every);
        self.queue.push(self.clocks.now() + wait.max(1), What::Clients);
    }

    pub(crate) fn hosted(&self, node: NodeIndex) -> Option<&dyn Host> {
        self.node(node).seat().host()
    }

    /// The built-in store of a node that runs.
    pub(crate) fn store(&self, node: NodeIndex) -> Option<&Store> {
        self.node(node).process()?;
        self.node(node).seat().store()
    }

    /// Who is in office, for reports.
    pub(crate) fn in_office(&self) -> Option<NodeIndex> {
        NodeIndex::all(self.nodes.len()).find(|&node| {
            let office = self.hosted(node).and_then(Host::office);
            self.node(node).has_process()
                && office.is_some_and(|office| office.check(self.local(node)).is_ok())
        })
    }

    /// Puts a host of the embedder's on each machine, in place of the built-in store.
    pub(crate) fn install_hosts(&mut self, mut make: impl FnMut(NodeIndex) -> Box<dyn Host>) {
        for index in NodeIndex::all(self.nodes.len()) {
            self.node_mut(index).seat_mut().put(Hosted::Own(make(index)));
        }
    }

    /// The member under whose name a machine runs, by name.
    pub(crate) fn describe(&self, node: NodeIndex) -> String {
        let name = node;
        match self.node(node).process() {
            None => format!("{name}: no process"),
            Some(process) => format!("{name}: {:?}", process.explain(self.local(node))),
        }
    }
}
