//! A small group of real electors on virtual time, so that tests read as short stories.
//!
//! Every frame takes `delay`, every save takes `save`; links are directed. Nothing sleeps.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::large_enum_variant,
    reason = "each test binary uses its part of the harness"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use elect_core::{
    ClusterId, Config, ConfigBuilder, Driver, Duty, Elected, Elector, Epoch, Fence, Frame, Gate, Gated,
    LinkState, Log, Loss, NodeId, Notice, Office, Position, Raised, Record, RequestRefused, Requested, Step,
    StepDown, StorageFailed, Time, VoteStore,
};

pub const MS: u64 = 1_000_000;

pub fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

pub fn cluster() -> ClusterId {
    ClusterId::new("test").unwrap()
}

/// What a node was seen to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Lost(Epoch, StepDown),
    Elected(Epoch),
    Raised(Epoch, Epoch),
    Other(String),
}

/// A disk that may fail, and remembers every record it was given.
#[derive(Debug)]
pub struct Disk {
    pub record: Record,
    pub fails: bool,
    pub history: Vec<Record>,
}

#[derive(Debug, thiserror::Error)]
#[error("the disk is full")]
pub struct DiskFull;

impl VoteStore for Disk {
    type Error = DiskFull;

    fn save(&mut self, record: &Record) -> Result<(), DiskFull> {
        if self.fails {
            return Err(DiskFull);
        }
        self.record = *record;
        self.history.push(*record);
        Ok(())
    }
}

/// A host's log: only its end matters here.
#[derive(Clone, Debug, Default)]
pub struct Tail(pub Rc<RefCell<Option<Position>>>);

impl Log for Tail {
    fn last_durable(&self) -> Option<Position> {
        *self.0.borrow()
    }
}

impl Node {
    /// Whether a save is under way.
    pub fn is_saving(&self) -> bool {
        self.gate.is_some()
    }

    /// Takes the gate of a save that hangs, for a test that commits it by itself.
    pub fn take_gate(&mut self) -> Option<Gate> {
        self.gate.take()
    }
}

pub struct Node {
    pub id: NodeId,
    pub config: Config,
    pub elector: Option<Elector>,
    pub disk: Disk,
    pub tail: Tail,
    pub fence: Rc<Fence<Tail>>,
    pub office: Option<Office>,
    pub elected: Option<Elected>,
    pub seen: Vec<(Time, Seen)>,
    /// A gate that the disk is busy with.
    gate: Option<Gate>,
    /// Saves hang while this is set.
    pub hangs: bool,
    /// The host enters office by itself as soon as it is elected.
    pub serves: bool,
    /// The process does not run: inputs wait.
    pub paused: bool,
}

enum Due {
    Frame { from: NodeId, to: NodeId, frame: Frame },
    Save { node: NodeId, life: u32 },
}

pub struct Group {
    pub now: Time,
    pub nodes: BTreeMap<NodeId, Node>,
    pub delay: Duration,
    pub save: Duration,
    cut: BTreeSet<(NodeId, NodeId)>,
    queue: BTreeMap<(Time, u64), Due>,
    order: u64,
    lives: BTreeMap<NodeId, u32>,
    /// Every frame sent, for tests that look at the traffic.
    pub sent: Vec<(Time, NodeId, NodeId, Frame)>,
    pub record_traffic: bool,
    /// Frames are forged: what only holds among members that do not lie is not checked.
    pub members_lie: bool,
    /// Everyone who ever led an epoch, with the incarnation's number.
    pub leaders: BTreeMap<Epoch, NodeId>,
}

/// Collects what a step did; frames and gate are carried out afterwards.
#[derive(Default)]
struct Collected {
    losses: Vec<Loss>,
    frames: Vec<(NodeId, Frame)>,
    gate: Option<Gate>,
    events: Vec<Event>,
}

/// What a host is told, in its order.
#[derive(Debug)]
pub enum Event {
    Duty(Duty),
    Notice(Notice),
}

impl Driver for Collected {
    fn lost(&mut self, loss: Loss) {
        assert!(self.events.is_empty(), "S8: a loss comes before any event");
        self.losses.push(loss);
    }

    fn send(&mut self, to: NodeId, frame: &Frame) {
        self.frames.push((to, frame.clone()));
    }

    fn save(&mut self, gate: Gate) {
        assert!(self.gate.replace(gate).is_none(), "one gate at a time");
    }

    fn act(&mut self, duty: Duty) {
        self.events.push(Event::Duty(duty));
    }

    fn happened(&mut self, notice: Notice) {
        self.events.push(Event::Notice(notice));
    }
}

pub fn builder(name: &str, names: &[&str]) -> ConfigBuilder {
    Config::builder(cluster(), id(name)).voters(names.iter().map(|name| id(name))).seed(7)
}

impl Group {
    /// Voters of these names, on first boot, with a delay of 1 ms and saves of 1 ms.
    pub fn voters(names: &[&str]) -> Self {
        Self::with(names.iter().map(|name| builder(name, names)))
    }

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
        let tail = Tail::default();
        let id = config.node();
        let node = Node {
            id,
            config,
            elector: None,
            disk: Disk { record, fails: false, history: Vec::new() },
            fence: Rc::new(Fence::new(tail.clone())),
            tail,
            office: None,
            elected: None,
            seen: Vec::new(),
            gate: None,
            hangs: false,
            serves: true,
            paused: false,
        };
        self.nodes.insert(id, node);
    }

    pub fn start_all(&mut self) -> &mut Self {
        let ids: Vec<_> = self.nodes.keys().copied().collect();
        for id in ids {
            self.start_node(id);
        }
        self
    }

    pub fn start(&mut self, name: &str) -> &mut Self {
        self.start_node(id(name));
        self
    }

    fn start_node(&mut self, id: NodeId) {
        let now = self.now;
        let node = self.nodes.get_mut(&id).unwrap();
        assert!(node.elector.is_none(), "{id} runs already");
        node.fence = Rc::new(Fence::new(node.tail.clone()));
        node.elector = Some(Elector::new(node.config.clone(), node.disk.record, now).unwrap());
        node.paused = false;
    }

    /// kill −9: what is not durable is gone; frames already sent stay under way.
    pub fn kill(&mut self, name: &str) -> &mut Self {
        let node = self.nodes.get_mut(&id(name)).unwrap();
        node.elector = None;
        node.office = None;
        node.elected = None;
        node.gate = None;
        *self.lives.entry(id(name)).or_default() += 1;
        self
    }

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

    pub fn cut(&mut self, left: &str, right: &str) -> &mut Self {
        self.cut_one_way(left, right).cut_one_way(right, left)
    }

    pub fn isolate(&mut self, name: &str) -> &mut Self {
        let others: Vec<_> =
            self.nodes.keys().filter(|other| **other != id(name)).map(ToString::to_string).collect();
        for other in others {
            self.cut(name, &other);
        }
        self
    }

    pub fn heal(&mut self) -> &mut Self {
        self.cut.clear();
        self
    }

    pub fn node(&self, name: &str) -> &Node {
        &self.nodes[&id(name)]
    }

    pub fn node_mut(&mut self, name: &str) -> &mut Node {
        self.nodes.get_mut(&id(name)).unwrap()
    }

    pub fn elector(&self, name: &str) -> &Elector {
        self.node(name).elector.as_ref().unwrap()
    }

    /// What the log of a node that does not run holds.
    pub fn set_tail_before_start(&mut self, name: &str, position: impl Into<Option<Position>>) -> &mut Self {
        *self.node(name).tail.0.borrow_mut() = position.into();
        self
    }

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

    pub fn link(&mut self, name: &str, peer: &str, state: LinkState) -> &mut Self {
        let peer = id(peer);
        self.input(name, |elector, now| elector.on_link(peer, state, now))
    }

    fn input_to(&mut self, id: NodeId, input: impl FnOnce(&mut Elector, Time) -> Step<'_>) {
        let now = self.now;
        let mut collected = Collected::default();
        let Some(elector) = self.nodes.get_mut(&id).and_then(|node| node.elector.as_mut()) else { return };
        input(elector, now).resolve(&mut collected);
        self.carry_out(id, collected);
    }

    fn carry_out(&mut self, from: NodeId, collected: Collected) {
        let now = self.now;
        let node = self.nodes.get_mut(&from).unwrap();
        for loss in collected.losses {
            node.office = None;
            node.elected = None;
            node.seen.push((now, Seen::Lost(loss.epoch, loss.reason)));
            // What is lost may be office alone: a leadership that is not in office yet may follow at once.
            let lease = node.elector.as_ref().unwrap().authority().lease(now);
            assert!(lease.is_none_or(|lease| lease.epoch > loss.epoch), "the lease cell falls first");
        }
        for (to, frame) in collected.frames {
            self.post(from, to, frame);
        }
        if let Some(gate) = collected.gate {
            self.begin_save(from, gate);
        }
        for event in collected.events {
            self.note(from, event);
        }
    }

    fn post(&mut self, from: NodeId, to: NodeId, frame: Frame) {
        let durable = self.nodes[&from].disk.record.epoch;
        assert!(
            frame.header.epoch <= durable,
            "S3: {from} claims {} above its durable {durable}",
            frame.header.epoch
        );
        if self.record_traffic {
            self.sent.push((self.now, from, to, frame.clone()));
        }
        if self.cut.contains(&(from, to)) {
            return;
        }
        let due = self.now + self.delay;
        self.enqueue(due, Due::Frame { from, to, frame });
    }

    fn enqueue(&mut self, at: Time, due: Due) {
        self.order += 1;
        self.queue.insert((at, self.order), due);
    }

    fn begin_save(&mut self, id: NodeId, gate: Gate) {
        let life = self.lives.get(&id).copied().unwrap_or_default();
        let node = self.nodes.get_mut(&id).unwrap();
        node.gate = Some(gate);
        if !node.hangs {
            let at = self.now + self.save;
            self.enqueue(at, Due::Save { node: id, life });
        }
    }

    /// A hanging save goes on.
    pub fn unhang(&mut self, name: &str) -> &mut Self {
        let node = self.nodes.get_mut(&id(name)).unwrap();
        node.hangs = false;
        let life = self.lives.get(&id(name)).copied().unwrap_or_default();
        let at = self.now + self.save;
        self.enqueue(at, Due::Save { node: id(name), life });
        self
    }

    fn finish_save(&mut self, id: NodeId, life: u32) {
        if self.lives.get(&id).copied().unwrap_or_default() != life {
            return;
        }
        let node = self.nodes.get_mut(&id).unwrap();
        let Some(gate) = node.gate.take() else { return };
        let result: Result<Gated, StorageFailed> = gate.commit(&mut node.disk, &*node.fence);
        self.input_to(id, |elector, now| elector.on_gated(result, now));
    }

    fn note(&mut self, id: NodeId, event: Event) {
        let now = self.now;
        match event {
            Event::Duty(Duty::Elected(elected)) => {
                self.note_leader(id, elected.epoch());
                let node = self.nodes.get_mut(&id).unwrap();
                node.seen.push((now, Seen::Elected(elected.epoch())));
                node.elected = Some(elected);
                if node.serves {
                    self.serve(id);
                }
            }
            Event::Duty(Duty::EpochRaised { from, raised }) => {
                let epoch = raised.epoch();
                self.note_leader(id, epoch);
                let node = self.nodes.get_mut(&id).unwrap();
                node.seen.push((now, Seen::Raised(from, epoch)));
                match raised {
                    Raised::InOffice(_) => assert!(node.office.is_some(), "it goes on"),
                    Raised::OnTheWay(elected) => (node.office, node.elected) = (None, Some(elected)),
                }
                if node.serves && node.office.is_none() {
                    self.serve(id);
                }
            }
            Event::Duty(other) => self.see(id, format!("{other:?}")),
            Event::Notice(notice) => self.see(id, format!("{notice:?}")),
        }
    }

    fn see(&mut self, id: NodeId, what: String) {
        let now = self.now;
        self.nodes.get_mut(&id).unwrap().seen.push((now, Seen::Other(what)));
    }

    fn note_leader(&mut self, id: NodeId, epoch: Epoch) {
        let earlier = self.leaders.insert(epoch, id);
        assert!(earlier.is_none() || self.members_lie, "S1: {id} leads {epoch}, which {earlier:?} led");
    }

    /// The host enters office: catches up, writes its own entry, reports.
    pub fn serve(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).unwrap();
        let Some(elected) = node.elected.take() else { return };
        let epoch = elected.epoch();
        if let Some(source) = elected.catch_up_from() {
            *node.tail.0.borrow_mut() = Some(source.position);
        }
        let held = *node.tail.0.borrow();
        let caught_up = elected.caught_up(held).unwrap();
        let own = Position::new(epoch, held.map_or(1, |position| position.offset.saturating_add(1)));
        *node.tail.0.borrow_mut() = Some(own);
        let office = caught_up.own_entry_committed(own).unwrap();
        node.office = Some(office.clone());
        self.input_to(id, |elector, now| elector.set_position(Some(own), now));
        self.input_to(id, |elector, now| elector.on_office(&office, now));
    }

    /// Runs until `span` has passed.
    pub fn run(&mut self, span: Duration) -> &mut Self {
        let end = self.now + span;
        while self.step_until(end) {}
        self.now = end;
        self
    }

    /// Runs until `done`, at most `bound`. Returns how long it took.
    pub fn run_until(&mut self, bound: Duration, mut done: impl FnMut(&Self) -> bool) -> Option<Duration> {
        let (start, end) = (self.now, self.now + bound);
        loop {
            if done(self) {
                return Some(self.now.since(start));
            }
            if !self.step_until(end) {
                self.now = end;
                return None;
            }
        }
    }

    fn step_until(&mut self, end: Time) -> bool {
        let timer = self
            .nodes
            .values()
            .filter(|node| !node.paused)
            .filter_map(|node| node.elector.as_ref().map(|elector| (elector.deadline(), node.id)))
            .min();
        let queued = self.queue.first_key_value().map(|(key, _)| *key);
        match (timer, queued) {
            (timer, Some(key)) if key.0 <= end && timer.is_none_or(|(at, _)| key.0 <= at) => {
                self.now = self.now.max(key.0);
                let due = self.queue.remove(&key).unwrap();
                self.deliver(due);
            }
            (Some((at, node)), _) if at <= end => {
                self.now = self.now.max(at);
                self.input_to(node, Elector::tick);
            }
            _ => return false,
        }
        self.check();
        true
    }

    fn deliver(&mut self, due: Due) {
        match due {
            Due::Frame { from, to, frame } => {
                if self.nodes[&to].paused {
                    // It waits in the socket's buffer.
                    let at = self.now + ms(1);
                    self.enqueue(at, Due::Frame { from, to, frame });
                } else {
                    self.input_to(to, |elector, now| elector.on_message(from, &frame, now));
                }
            }
            Due::Save { node, life } => self.finish_save(node, life),
        }
    }

    /// S5 on one clock: never two valid leases.
    fn check(&self) {
        let holders: Vec<_> = self.lease_holders();
        assert!(holders.len() <= 1 || self.members_lie, "two leases at {:?}: {holders:?}", self.now);
    }

    pub fn lease_holders(&self) -> Vec<NodeId> {
        let holds =
            |node: &&Node| node.elector.as_ref().is_some_and(|e| e.authority().lease(self.now).is_some());
        self.nodes.values().filter(holds).map(|node| node.id).collect()
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
