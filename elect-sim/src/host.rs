//! The host's side of a node: an embedder's state machine, and the machine that it runs on.

mod site;
mod store_side;

use std::fmt;

use elect_core::{
    Duty, Epoch, Floor, Health, MemberKind, NodeId, Notice, Office, Position, SteppedDown, Storage, Time,
};

use crate::checkers::Checker;
use crate::clock::Real;
use crate::ids::NodeIndex;
use crate::input::{Request, Told};
use crate::packet::Packet;
use crate::random::Random;

pub(crate) use site::{Asked, Site};

/// A state machine that embeds an elector: one for each machine, for as long as the world exists.
///
/// It holds what is in memory and what is durable. [`crashed`](Self::crashed) is where the first is forgotten; what
/// was not synced is lost with it. Calls come one at a time. What a host asks of its elector by its [`Machine`] is
/// done at once; what that brings about for the host itself reaches it when it has returned.
pub trait Host: fmt::Debug {
    /// A process starts: what is durable is read, and the fence is a new one.
    fn started(&mut self, machine: &mut Machine<'_>, storage: Storage);

    /// Authority ended.
    fn lost(&mut self, machine: &mut Machine<'_>, loss: SteppedDown);

    /// It must act on this.
    fn act(&mut self, machine: &mut Machine<'_>, duty: Duty);

    /// Something happened that is worth knowing.
    fn happened(&mut self, machine: &mut Machine<'_>, notice: Notice) {
        let _ = (machine, notice);
    }

    /// What another node's host sent has arrived. `from` is the index of a member.
    fn message(&mut self, machine: &mut Machine<'_>, from: NodeIndex, bytes: &[u8]);

    /// What [`Machine::wake_in`] asked for.
    fn tick(&mut self, machine: &mut Machine<'_>, ticket: u64);

    /// The sync that [`Machine::sync`] began has ended: what was written before it is durable.
    fn synced(&mut self, machine: &mut Machine<'_>);

    /// A client asks for something, about as often as [`Options::client_every`](crate::Options::client_every) says,
    /// at every node that runs.
    fn client(&mut self, machine: &mut Machine<'_>) {
        let _ = machine;
    }

    /// The process died. If a sync was under way, `landed` says whether it took effect nevertheless.
    fn crashed(&mut self, landed: bool);

    /// A copy of what is durable.
    fn disk(&self) -> Vec<u8>;

    /// While no process runs: the disk holds this copy now, or nothing, if it is empty.
    fn put_disk(&mut self, copy: &[u8]);

    /// What a gate raises; `None` for a host that keeps no log.
    fn fence(&self) -> Option<&dyn Floor>;

    /// Epoch and offset of the last durable entry, to be reported to the elector.
    fn position(&self) -> Option<Position>;

    /// The office that it holds now.
    fn office(&self) -> Option<&Office>;
}

/// What a host sees of its machine, of the network and of its elector.
#[derive(Debug)]
pub struct Machine<'a> {
    site: &'a mut dyn Site,
    node: NodeIndex,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(site: &'a mut dyn Site, node: NodeIndex) -> Self {
        Self { site, node }
    }
}

impl Machine<'_> {
    /// Which machine of the world this is: members come first.
    pub fn index(&self) -> NodeIndex {
        self.node
    }

    /// The member under whose name it runs.
    pub fn id(&self) -> NodeId {
        self.member().id()
    }

    /// How many members the group has.
    pub fn member_count(&self) -> usize {
        self.kinds().len()
    }

    /// The members of the group.
    pub fn members(&self) -> impl DoubleEndedIterator<Item = NodeIndex> + Clone + use<> {
        self.site.options().members()
    }

    /// What a member is.
    pub fn kind(&self, member: NodeIndex) -> Option<MemberKind> {
        self.kinds().get(member.place()).copied()
    }

    /// The index of a member by its name.
    pub fn index_of(&self, id: NodeId) -> Option<NodeIndex> {
        NodeIndex::of(id).filter(|&member| self.site.options().is_member(member))
    }

    /// Whom this node follows, and in which epoch.
    pub fn leader(&self) -> Option<(NodeIndex, Epoch)> {
        self.site.following(self.node)
    }

    /// This machine's clock.
    pub fn now(&self) -> Time {
        self.site.local(self.node)
    }

    /// Simulated time in nanoseconds: for what a test compares, no host knows it.
    pub fn real(&self) -> Real {
        self.site.now()
    }

    /// Chance of the run.
    pub fn random(&mut self) -> &mut Random {
        self.site.random()
    }

    /// A message leaves for a member, over the same links as the electors' frames: it may be lost, doubled, late.
    pub fn send(&mut self, to: NodeIndex, bytes: &[u8]) {
        if self.site.options().is_member(to) {
            self.site.send(self.node, to, &Packet::new(bytes));
        }
    }

    /// [`Host::tick`] is called with this ticket in so many nanoseconds, if the process still runs.
    pub fn wake_in(&mut self, span: u64, ticket: u64) {
        self.site.wake_in(self.node, span, ticket);
    }

    /// Makes durable what has been written so far; [`Host::synced`] tells when it is. One at a time: `false` if a
    /// sync is under way.
    pub fn sync(&mut self) -> bool {
        self.site.sync(self.node)
    }

    /// A line of the trace.
    pub fn note(&mut self, text: impl FnOnce() -> String) {
        let (now, node) = (self.site.now(), self.node);
        self.site.book_mut().note(now, Some(node), text);
    }

    /// Something that the host promises does not hold: the run fails by [`Checker::HostHolds`].
    pub fn fail(&mut self, detail: impl FnOnce() -> String) {
        let (now, node) = (self.site.now(), self.node);
        self.site.book_mut().checks_mut().fail(Checker::HostHolds, now, node, detail);
    }

    // The elector.

    /// Reports [`Host::position`]: at once, or as late as [`Options::reports`](crate::Options::reports) says.
    pub fn report(&mut self, position: Option<Position>) {
        self.site.ask(self.node, Asked::Reports(position));
    }

    /// The host is in office.
    pub fn entered_office(&mut self, office: &Office) {
        self.site.ask(self.node, Asked::EnteredOffice(office));
    }

    /// What a handover waited for is done.
    pub fn drained(&mut self) {
        self.site.ask(self.node, Asked::Drained);
    }

    /// The source of a catch-up does not have what it reported, or cannot be reached.
    pub fn source_lost(&mut self) {
        self.site.ask(self.node, Asked::SourceLost);
    }

    /// Replaced storage holds everything up to this entry.
    pub fn rebuilt(&mut self, entry: Option<Position>) {
        self.site.ask(self.node, Asked::Rebuilt(entry));
    }

    /// How fit for office the host is.
    pub fn set_health(&mut self, health: Health) {
        self.site.ask(self.node, Asked::Request(Request::Health(health)));
    }

    /// Resigns, if this node leads.
    pub fn resign(&mut self) {
        self.site.ask(self.node, Asked::Request(Request::Resign));
    }

    /// Hands over to `target`, or to the best, if this node leads.
    pub fn hand_over(&mut self, target: Option<NodeId>) {
        self.site.ask(self.node, Asked::Request(Request::Handover(target)));
    }
}

/// What a host is called with.
#[derive(Debug)]
pub(crate) enum Call {
    Started(Storage),
    Lost(SteppedDown),
    Told(Told),
    Message(NodeIndex, Packet),
    Tick(u64),
    Synced,
    Client,
}

impl Call {
    pub(crate) fn reach(self, host: &mut dyn Host, machine: &mut Machine<'_>) {
        match self {
            Self::Started(storage) => host.started(machine, storage),
            Self::Lost(loss) => host.lost(machine, loss),
            Self::Told(Told::Duty(duty)) => host.act(machine, duty),
            Self::Told(Told::Notice(notice)) => host.happened(machine, notice),
            Self::Message(from, packet) => host.message(machine, from, packet.as_slice()),
            Self::Tick(ticket) => host.tick(machine, ticket),
            Self::Synced => host.synced(machine),
            Self::Client => host.client(machine),
        }
    }
}
