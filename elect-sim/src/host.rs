//! The host's side of a node: an embedder's state machine, and the machine that it runs on.

use std::fmt;

use elect_core::{
    Duty, Epoch, Floor, Health, Loss, MemberKind, NodeId, Notice, Office, Position, RebuiltTo, Stamp,
    Storage, Time,
};

use crate::checkers::Checker;
use crate::clock::Real;
use crate::counts::Counted;
use crate::ids::{Life, NodeIndex};
use crate::input::{Event, Request};
use crate::model_log::{Entries, EntryId, ModelLog};
use crate::node::Sync;
use crate::options::Sabotage;
use crate::packet::Packet;
use crate::queue::What;
use crate::random::Random;
use crate::store::Store;
use crate::trace::Marked;
use crate::trigger::Moment;
use crate::world::World;

/// A state machine that embeds an elector: one for each machine, for as long as the world exists.
///
/// It holds what is in memory and what is durable. [`crashed`](Self::crashed) is where the first is forgotten; what
/// was not synced is lost with it. Calls come one at a time. What a host asks of its elector by its [`Machine`] is
/// done at once; what that brings about for the host itself reaches it when it has returned.
pub trait Host: fmt::Debug {
    /// A process starts: what is durable is read, and the fence is a new one.
    fn started(&mut self, machine: &mut Machine<'_>, storage: Storage);

    /// Authority ended.
    fn lost(&mut self, machine: &mut Machine<'_>, loss: Loss);

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
    pub(crate) world: &'a mut World,
    pub(crate) node: NodeIndex,
}

impl Machine<'_> {
    /// Which machine of the world this is: members come first.
    pub fn index(&self) -> NodeIndex {
        self.node
    }

    /// The member under whose name it runs.
    pub fn id(&self) -> NodeId {
        self.world.node(self.node).id()
    }

    /// How many members the group has.
    pub fn member_count(&self) -> usize {
        self.world.options.kinds.len()
    }

    /// The members of the group.
    pub fn members(&self) -> impl DoubleEndedIterator<Item = NodeIndex> + Clone + use<> {
        self.world.members()
    }

    /// What a member is.
    pub fn kind(&self, member: NodeIndex) -> Option<MemberKind> {
        self.world.options.kinds.get(member.place()).copied()
    }

    /// The index of a member by its name.
    pub fn index_of(&self, id: NodeId) -> Option<NodeIndex> {
        NodeIndex::of(id).filter(|&member| self.world.is_member(member))
    }

    /// Whom this node follows, and in which epoch.
    pub fn leader(&self) -> Option<(NodeIndex, Epoch)> {
        self.world.node(self.node).process()?.following()
    }

    /// This machine's clock.
    pub fn now(&self) -> Time {
        self.world.local(self.node)
    }

    /// Simulated time in nanoseconds: for what a test compares, no host knows it.
    pub fn real(&self) -> Real {
        self.world.now()
    }

    /// Chance of the run.
    pub fn random(&mut self) -> &mut Random {
        &mut self.world.chance
    }

    /// A message leaves for a member, over the same links as the electors' frames: it may be lost, doubled, late.
    pub fn send(&mut self, to: NodeIndex, bytes: &[u8]) {
        if self.world.is_member(to) {
            self.world.tell(self.node, to, &Packet::new(bytes));
        }
    }

    /// [`Host::tick`] is called with this ticket in so many nanoseconds, if the process still runs.
    pub fn wake_in(&mut self, span: u64, ticket: u64) {
        let life = self.world.node(self.node).life();
        self.world
            .queue
            .push(self.world.now().saturating_add(span), What::Host { node: self.node, life, ticket });
    }

    /// Makes durable what has been written so far; [`Host::synced`] tells when it is. One at a time: `false` if a
    /// sync is under way.
    pub fn sync(&mut self) -> bool {
        let (node, now) = (self.node, self.world.now());
        let owner = self.world.node_mut(node);
        let life = owner.life();
        let sync = owner.begin_sync();
        if let Sync::EndsIn(duration) = sync {
            self.world.queue.push(now + duration, What::SyncDone { node, life });
        }
        sync != Sync::UnderWay
    }

    /// A line of the trace.
    pub fn note(&mut self, text: impl FnOnce() -> String) {
        self.world.note(Some(self.node), text);
    }

    /// Something that the host promises does not hold: the run fails by [`Checker::HostHolds`].
    pub fn fail(&mut self, detail: impl FnOnce() -> String) {
        let (now, node) = (self.world.now(), self.node);
        self.world.book.checks_mut().fail(Checker::HostHolds, now, node, detail);
    }

    // The elector.

    /// Reports [`Host::position`]: at once, or as late as [`Options::reports`](crate::Options::reports) says.
    pub fn report(&mut self, position: Option<Position>) {
        let (node, world) = (self.node, &mut *self.world);
        match world.options.reports {
            0 => world.report(node, position),
            late => {
                let life = world.node(node).life();
                world.queue.push(world.now() + late, What::Report { node, life });
            }
        }
    }

    /// The host is in office.
    pub fn entered_office(&mut self, office: &Office) {
        let (node, now, epoch) = (self.node, self.now(), office.began_in());
        self.world.book.count(Counted::Office);
        self.note(|| format!("IN OFFICE, epoch {epoch}"));
        self.world.mark(node, Marked::Serves(epoch.number()));
        self.world.fire(node, Moment::Office);
        self.world.elector(node, now, |elector| elector.on_office(office, now).into());
    }

    /// What a handover waited for is done.
    pub fn drained(&mut self) {
        let now = self.now();
        self.world.elector(self.node, now, |elector| elector.on_drained(now).into());
    }

    /// The source of a catch-up does not have what it reported, or cannot be reached.
    pub fn source_lost(&mut self) {
        let now = self.now();
        self.world.elector(self.node, now, |elector| elector.on_source_lost(now).into());
    }

    /// Replaced storage holds everything up to this entry.
    pub fn rebuilt(&mut self, entry: Option<Position>) {
        let now = self.now();
        self.world.elector(self.node, now, |elector| elector.on_rebuilt(RebuiltTo { entry }, now));
    }

    /// How fit for office the host is.
    pub fn set_health(&mut self, health: Health) {
        let now = self.now();
        self.world.on_request(self.node, Request::Health(health), now);
    }

    /// Resigns, if this node leads.
    pub fn resign(&mut self) {
        let now = self.now();
        self.world.on_request(self.node, Request::Resign, now);
    }

    /// Hands over to `target`, or to the best, if this node leads.
    pub fn hand_over(&mut self, target: Option<NodeId>) {
        let now = self.now();
        self.world.on_request(self.node, Request::Handover(target), now);
    }
}

/// What the built-in store is told, and tells the checkers.
impl Machine<'_> {
    /// The member under whose name this machine runs.
    pub(crate) fn member(&self) -> NodeIndex {
        self.world.member(self.node)
    }

    /// The member under whose name another machine runs.
    pub(crate) fn member_of(&self, machine: NodeIndex) -> NodeIndex {
        self.world.member(machine)
    }

    /// What the members are.
    pub(crate) fn kinds(&self) -> &[MemberKind] {
        &self.world.options.kinds
    }

    pub(crate) fn keeps_log(&self) -> bool {
        self.world.keeps_log(self.node)
    }

    /// Which life of its process this is.
    pub(crate) fn life(&self) -> Life {
        self.world.node(self.node).life()
    }

    /// Whether its process runs on, and is not stopped.
    pub(crate) fn runs(&self) -> bool {
        self.world.node(self.node).is_running()
    }

    /// Whether something that it needs to serve is missing.
    pub(crate) fn setup_fails(&self) -> bool {
        self.world.node(self.node).setup_fails()
    }

    pub(crate) fn is_sabotaged(&self, sabotage: Sabotage) -> bool {
        self.world.is_sabotaged(sabotage)
    }

    /// What the logs of all built-in stores are made of.
    pub(crate) fn entries(&self) -> &Entries {
        &self.world.entries
    }

    pub(crate) fn entries_mut(&mut self) -> &mut Entries {
        &mut self.world.entries
    }

    /// Reports a position at once, however late other reports are.
    pub(crate) fn report_at_once(&mut self, position: Option<Position>) {
        self.world.report(self.node, position);
    }

    /// Its fence has let this stamp pass.
    pub(crate) fn admitted(&mut self, stamp: Stamp) {
        let now = self.world.now();
        self.world.book.checks_mut().admitted(now, self.node, stamp);
    }

    /// It has acknowledged everything up to this entry.
    pub(crate) fn acknowledged(&mut self, stamp: Stamp, entry: EntryId) {
        let (now, world) = (self.world.now(), &mut *self.world);
        world.book.checks_mut().acknowledged(now, self.node, stamp, entry, &world.entries);
        let total = world.book.checks().acknowledged_length();
        world.book.count(Counted::Acknowledged(total));
    }

    /// How much anybody has acknowledged.
    pub(crate) fn acknowledged_length(&self) -> u64 {
        self.world.book.checks().acknowledged_length()
    }

    /// It serves, with this log.
    pub(crate) fn serves(&mut self, epoch: Epoch, log: &ModelLog) {
        let now = self.world.now();
        self.world.book.checks_mut().serves(now, self.node, epoch, log);
    }

    /// It has answered a read that began when `since` was acknowledged, if clocks prove anything.
    pub(crate) fn read(&mut self, since: u64, value: u64) {
        let now = self.world.now();
        if self.world.book.checks().clocks_are_sound() {
            self.world.book.count(Counted::Read);
            self.world.book.checks_mut().read(now, self.node, since, value);
        }
    }
}

/// The host of one machine.
#[derive(Debug)]
pub(crate) enum Hosted {
    /// The store that the checkers know.
    Store(Box<Store>),
    /// An embedder's own state machine.
    Own(Box<dyn Host>),
}

impl Hosted {
    pub(crate) fn as_host(&self) -> &dyn Host {
        match self {
            Self::Store(store) => store.as_ref(),
            Self::Own(own) => own.as_ref(),
        }
    }

    pub(crate) fn as_host_mut(&mut self) -> &mut dyn Host {
        match self {
            Self::Store(store) => store.as_mut(),
            Self::Own(own) => own.as_mut(),
        }
    }

    pub(crate) fn as_store(&self) -> Option<&Store> {
        match self {
            Self::Store(store) => Some(store),
            Self::Own(_) => None,
        }
    }
}

/// What a host is called with.
#[derive(Debug)]
pub(crate) enum Call {
    Started(Storage),
    Lost(Loss),
    Told(Event),
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
            Self::Told(Event::Duty(duty)) => host.act(machine, duty),
            Self::Told(Event::Notice(notice)) => host.happened(machine, notice),
            Self::Message(from, packet) => host.message(machine, from, packet.as_slice()),
            Self::Tick(ticket) => host.tick(machine, ticket),
            Self::Synced => host.synced(machine),
            Self::Client => host.client(machine),
        }
    }
}
