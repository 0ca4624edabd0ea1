//! Hosts are called, and asked.

use elect_core::{Epoch, Office, Position, RebuiltTo, Time};

use super::World;
use crate::book::Book;
use crate::clock::Real;
use crate::counts::Counted;
use crate::host::{Asked, Call, Host, Machine, Site};
use crate::ids::{Life, NodeIndex};
use crate::input::Input;
use crate::model_log::Entries;
use crate::node::{Hosted, Sync};
use crate::options::Options;
use crate::packet::Packet;
use crate::queue::Event;
use crate::random::Random;
use crate::store::Store;
use crate::trace::Marked;
use crate::trigger::Moment;

impl Site for World {
    fn options(&self) -> &Options {
        &self.options
    }

    fn now(&self) -> Real {
        self.clocks.now()
    }

    fn local(&self, node: NodeIndex) -> Time {
        self.clocks.local(node)
    }

    fn following(&self, node: NodeIndex) -> Option<(NodeIndex, Epoch)> {
        self.node(node).process()?.following()
    }

    fn life(&self, node: NodeIndex) -> Life {
        self.node(node).life()
    }

    fn is_running(&self, node: NodeIndex) -> bool {
        self.node(node).is_running()
    }

    fn setup_fails(&self, node: NodeIndex) -> bool {
        self.node(node).setup_fails()
    }

    fn random(&mut self) -> &mut Random {
        &mut self.host_rng
    }

    fn entries(&self) -> &Entries {
        &self.entries
    }

    fn book(&self) -> &Book {
        &self.book
    }

    fn book_mut(&mut self) -> &mut Book {
        &mut self.book
    }

    fn entries_and_book(&mut self) -> (&mut Entries, &mut Book) {
        (&mut self.entries, &mut self.book)
    }

    fn send(&mut self, from: NodeIndex, to: NodeIndex, packet: &Packet) {
        self.tell(from, to, packet);
    }

    fn wake_in(&mut self, node: NodeIndex, span: u64, ticket: u64) {
        let life = self.node(node).life();
        self.queue.push(self.clocks.now().saturating_add(span), Event::Host { node, life, ticket });
    }

    fn sync(&mut self, node: NodeIndex) -> bool {
        let life = self.node(node).life();
        let sync = self.node_mut(node).begin_sync();
        if let Sync::EndsIn(duration) = sync {
            self.queue.push(self.clocks.now() + duration, Event::SyncDone { node, life });
        }
        sync != Sync::UnderWay
    }

    fn ask(&mut self, node: NodeIndex, what: Asked<'_>) {
        let now = self.clocks.local(node);
        match what {
            Asked::EnteredOffice(office) => self.entered_office(node, office, now),
            Asked::Drained => self.elector(node, now, |elector| elector.on_drained(now).into()),
            Asked::SourceLost => self.elector(node, now, |elector| elector.on_source_lost(now).into()),
            Asked::Rebuilt(entry) => {
                self.elector(node, now, |elector| elector.on_rebuilt(RebuiltTo { entry }, now));
            }
            Asked::Reached(position) => self.report(node, position),
            Asked::Reports(position) if self.options.reports == 0 => self.report(node, position),
            Asked::Reports(_) => {
                let life = self.node(node).life();
                self.queue.push(self.clocks.now() + self.options.reports, Event::Report { node, life });
            }
            Asked::Request(request) => self.on_request(node, request, now),
        }
    }
}

impl World {
    fn entered_office(&mut self, node: NodeIndex, office: &Office, now: Time) {
        let epoch = office.began_in();
        self.book.count(Counted::Office);
        self.note(Some(node), || format!("IN OFFICE, epoch {epoch}"));
        self.mark(node, Marked::Serves(epoch.number()));
        self.fire(node, Moment::Office);
        self.elector(node, now, |elector| elector.on_office(office, now).into());
    }

    /// Calls a host. While it is being called it is away from its place: what comes meanwhile reaches it afterwards.
    pub(crate) fn call(&mut self, node: NodeIndex, call: Call) {
        let Some((mut hosted, call)) = self.node_mut(node).seat_mut().leave(call) else { return };
        let mut next = Some(call);
        while let Some(call) = next {
            call.reach(hosted.as_host_mut(), &mut Machine::new(self, node));
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
        let wait = self.host_rng.waiting(self.options.client_every);
        self.queue.push(self.clocks.now() + wait.max(1), Event::Clients);
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
        self.machines().find(|&node| {
            let office = self.hosted(node).and_then(Host::office);
            self.node(node).has_process()
                && office.is_some_and(|office| office.check(self.local(node)).is_ok())
        })
    }

    /// Puts a host of the embedder's on each machine, in place of the built-in store.
    pub(crate) fn install_hosts(&mut self, mut make: impl FnMut(NodeIndex) -> Box<dyn Host>) {
        for index in self.machines() {
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
