//! The world: nodes, clocks, links and the agenda, and how one event leads to the next.

use elect_core::{ClusterId, Config, Frame, MemberKind, NodeId, Record, Time};

use crate::checkers::{Checkers, LeaseRule, Violation, node_name};
use crate::clock::{Clock, Real, SECOND};
use crate::disk::{Disk, Mood};
use crate::host::Message;
use crate::log::Entries;
use crate::network::{Fate, Held, Network};
use crate::options::{Options, Sabotage};
use crate::process::{Action, Input, Node, Request, State};
use crate::queue::{Life, Mend, NodeIndex, Queue, What};
use crate::random::{Random, mix};
use crate::rule::Rule;
use crate::slab::{Bytes, Slab};
use crate::trace::{Detail, Marked, Trace};

/// A simulated group of nodes.
#[derive(Debug)]
pub struct World {
    pub(crate) now: Real,
    pub(crate) options: Options,
    pub(crate) queue: Queue,
    pub(crate) nodes: Vec<Node>,
    pub(crate) clocks: Vec<Clock>,
    pub(crate) network: Network,
    pub(crate) frames: Slab<Bytes>,
    pub(crate) messages: Slab<Message>,
    pub(crate) entries: Entries,
    pub(crate) checks: Checkers,
    pub(crate) trace: Trace,
    /// Chance for faults.
    pub(crate) chaos: Random,
    /// Chance for hosts and clients.
    pub(crate) chance: Random,
    /// Frames sent before this and not arrived a while after it are lost.
    pub(crate) calm_since: Option<Real>,
    /// Links cut by each episode.
    pub(crate) episodes: Vec<Vec<(NodeIndex, NodeIndex)>>,
    /// What a scenario does to single frames.
    pub(crate) rules: Vec<Rule>,
    /// Counts for reports.
    pub(crate) counts: Counts,
    pub(crate) actions: Vec<Action>,
}

/// What happened how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Events of any kind.
    pub events: u64,
    /// Frames that left an elector.
    pub frames: u64,
    /// Elections won.
    pub elections: u64,
    /// Elections won by a node that was behind a voter.
    pub behind: u64,
    /// Epochs raised by a leader in office.
    pub raises: u64,
    /// Authority lost.
    pub losses: u64,
    /// Faults injected.
    pub faults: u64,
    /// Starts of a process.
    pub starts: u64,
    /// Times a host entered office.
    pub offices: u64,
    /// Writes acknowledged.
    pub acknowledged: u64,
    /// Reads served.
    pub reads: u64,
    /// Replaced disks that earned their vote back.
    pub rebuilt: u64,
}

impl Counts {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.frames += other.frames;
        self.elections += other.elections;
        self.behind += other.behind;
        self.raises += other.raises;
        self.losses += other.losses;
        self.faults += other.faults;
        self.starts += other.starts;
        self.offices += other.offices;
        self.acknowledged += other.acknowledged;
        self.reads += other.reads;
        self.rebuilt += other.rebuilt;
    }
}

/// Index of a node by its name: `a` is the first.
pub(crate) fn index_of(id: NodeId) -> Option<NodeIndex> {
    match id.as_str().as_bytes() {
        [letter @ b'a'..=b'z'] => Some(letter - b'a'),
        _ => None,
    }
}

/// The name of a node as members call it.
pub(crate) fn id_of(node: NodeIndex) -> NodeId {
    NodeId::new(&node_name(node)).expect("a letter is a name")
}

impl World {
    /// A world as `options` say, with every node about to boot for the first time.
    ///
    /// # Panics
    /// If `options` make no valid configuration.
    pub fn new(options: Options, detail: Detail) -> Self {
        let seed = options.seed;
        let count = options.kinds.len();
        let mut chaos = Random::stream(seed, 2);
        let rule = LeaseRule { drift_ppm: options.drift_ppm, granularity: options.granularity };
        let mut world = Self {
            now: 0,
            queue: Queue::default(),
            nodes: Vec::with_capacity(count),
            clocks: (0..count).map(|_| draw_clock(&options, &mut chaos, 0)).collect(),
            network: Network::new(count, options.stormy, Random::stream(seed, 3)),
            frames: Slab::default(),
            messages: Slab::default(),
            entries: Entries::new(),
            checks: Checkers::new(count, rule),
            trace: Trace::new(detail),
            chance: Random::stream(seed, 4),
            calm_since: None,
            episodes: Vec::new(),
            rules: Vec::new(),
            counts: Counts::default(),
            actions: Vec::new(),
            chaos,
            options,
        };
        world.checks.clocks_are_sound = !world.options.wild_clocks;
        let save = u64::try_from(world.options.save.as_nanos()).unwrap_or(u64::MAX);
        for (index, &kind) in world.options.kinds.iter().enumerate() {
            let id = NodeId::new(&node_name(index_from(index))).expect("a letter is a name");
            let disk = Disk::new(save / 40, save / 2, Random::stream(seed, 100 + index as u64));
            world.nodes.push(Node::new(id, kind, disk));
        }
        world.boot();
        world
    }

    fn boot(&mut self) {
        for node in 0..index_from(self.nodes.len()) {
            let record = Record::first_boot(&self.config(node, 0));
            self.nodes[usize::from(node)].disk.install(record);
            let at = self.chance.below(self.options.boot_spread);
            self.queue.push(at, What::Start { node });
        }
        if !self.options.faults.is_empty() {
            let wait = self.chaos.waiting(self.options.fault_every);
            self.queue.push(wait, What::Fault);
        }
        self.queue.push(self.options.client_every, What::Clients);
    }

    /// The configuration of one life of a node.
    pub(crate) fn config(&self, node: NodeIndex, life: Life) -> Config {
        let options = &self.options;
        let ids = |wanted: MemberKind| {
            let chosen = self.options.kinds.iter().enumerate().filter(move |&(_, &kind)| kind == wanted);
            chosen.map(|(index, _)| NodeId::new(&node_name(index_from(index))).expect("a letter is a name"))
        };
        let cluster = ClusterId::new("sim").expect("a valid name");
        let id = NodeId::new(&node_name(node)).expect("a letter is a name");
        let builder = Config::builder(cluster, id);
        let builder = match options.preferred {
            Some(node) => builder.preferred_leader(id_of(index_from(node))),
            None => builder,
        };
        builder
            .voters(ids(MemberKind::Voter))
            .witnesses(ids(MemberKind::Witness))
            .observers(ids(MemberKind::Observer))
            .heartbeat_interval(options.heartbeat)
            .detection(options.detection)
            .drift_ppm(options.drift_ppm)
            .clock_granularity(options.granularity)
            .round_trip(options.round_trip)
            .save(options.save)
            .crash_evidence(options.crash_evidence)
            .fail_back_cooldown(options.cooldown)
            .office_timeout(options.office_timeout)
            .seed(mix(options.seed ^ mix(u64::from(node) << 32 | u64::from(life))))
            .build()
            .expect("drawn options make a valid configuration")
    }

    /// The first violation, if there was one.
    pub fn violation(&self) -> Option<&Violation> {
        self.checks.violation()
    }

    /// What happened so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// How often what happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Simulated time so far, in nanoseconds.
    pub fn now(&self) -> Real {
        self.now
    }

    /// Goes on until `until` or the first violation.
    ///
    /// # Panics
    /// If the elector does.
    pub fn run_until(&mut self, until: Real) {
        while self.checks.violation().is_none() {
            let Some((at, what)) = self.queue.pop(until) else { break };
            self.now = at;
            self.counts.events += 1;
            self.trace.absorb(at);
            assert!(at < 10 * SECOND || !self.is_sabotaged(Sabotage::Panics), "a planted panic");
            self.happen(what);
        }
        if self.checks.violation().is_none() {
            self.now = until;
        }
    }

    /// The node whose lease runs now, and its epoch.
    pub fn leader(&self) -> Option<(usize, elect_core::Epoch)> {
        self.leases(None).next().map(|(node, epoch)| (usize::from(node), epoch))
    }

    pub(crate) fn leases(
        &self,
        except: Option<NodeIndex>,
    ) -> impl Iterator<Item = (NodeIndex, elect_core::Epoch)> {
        let nodes = self.nodes.iter().zip(&self.clocks).zip(0..);
        nodes.filter_map(move |((node, clock), index)| {
            let process = node.process.as_ref().filter(|_| Some(index) != except)?;
            let lease = process.authority.lease(clock.read(self.now))?;
            Some((index, lease.epoch))
        })
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Deliver { from, to, slot } => self.frame_arrives(from, to, slot),
            What::Message { from, to, slot } => self.message_arrives(from, to, slot),
            What::Tick { node, life } => self.tick_due(node, life),
            What::SaveDone { node, life } => self.input_of(node, life, Input::SaveDone),
            What::Gated { node, life } => self.input_of(node, life, Input::Gated),
            What::SyncDone { node, life } => self.input_of(node, life, Input::SyncDone),
            What::Host { node, life, task } => self.input_of(node, life, Input::Host(task)),
            What::Start { node } => self.start(node),
            What::Continue { node, life, pause } => self.go_on(node, life, pause),
            What::Dial { from, to, life } => self.dial(from, to, life),
            What::DialArrives { from, to, life, began } => self.dial_arrives(from, to, life, began),
            What::DialAnswered { from, to, life, began, accepted } => {
                self.dial_answered(from, to, life, began, accepted);
            }
            What::Closed { node, peer, life } => self.closed(node, peer, life),
            What::Clients => self.clients(),
            What::Fault => self.fault(),
            What::Mend { mend } => self.mend(mend),
        }
    }

    // Frames.

    fn frame_arrives(&mut self, from: NodeIndex, to: NodeIndex, slot: u32) {
        let is_ghost = self.calm_since.is_some_and(|since| {
            self.frames.get(slot).sent < since && self.now > since + self.network.quality.delay_max
        });
        if is_ghost || self.node(to).state == State::Down {
            self.frames.free(slot);
            return;
        }
        let word = u64::from(from) << 8 | u64::from(to);
        self.trace.absorb(word);
        self.trace.absorb_bytes(self.frames.get(slot).as_slice());
        self.input(to, Input::Frame { from, slot });
    }

    pub(crate) fn send(&mut self, from: NodeIndex, to: NodeIndex, frame: &Frame) {
        self.counts.frames += 1;
        let fate = match self.apply_rules(from, to, frame) {
            Some(fate) => fate,
            None => self.network.carry(from, to, self.now),
        };
        if self.trace.wants(Detail::Frames) {
            let text = format!("→ {} {:?} {:?}", node_name(to), frame.header, frame.body);
            let lost =
                if matches!(fate, Fate::Arrives(arrivals) if arrivals.count == 0) { " LOST" } else { "" };
            self.note(Some(from), || format!("{text}{lost}"));
        }
        if self.trace.wants(Detail::Events) {
            self.mark_message(from, to, frame, fate);
        }
        match fate {
            Fate::Arrives(arrivals) => {
                for &at in &arrivals.at[..arrivals.count] {
                    let slot = self.frames.take();
                    self.frames.get_mut(slot).encode(frame, self.now);
                    self.queue.push(at, What::Deliver { from, to, slot });
                }
            }
            Fate::Waits => {
                let slot = self.frames.take();
                self.frames.get_mut(slot).encode(frame, self.now);
                self.network.hold(from, to, Held::Frame(slot));
            }
        }
    }

    // Helpers.

    pub(crate) fn is_sabotaged(&self, sabotage: Sabotage) -> bool {
        self.options.sabotage == Some(sabotage)
    }

    pub(crate) fn local(&self, node: NodeIndex) -> Time {
        self.clocks[usize::from(node)].read(self.now)
    }

    pub(crate) fn node(&self, node: NodeIndex) -> &Node {
        &self.nodes[usize::from(node)]
    }

    pub(crate) fn node_mut(&mut self, node: NodeIndex) -> &mut Node {
        &mut self.nodes[usize::from(node)]
    }

    /// A change of the network, to be read and drawn.
    pub(crate) fn note_network(&mut self, text: &str) {
        self.note(None, || text.to_owned());
        if self.trace.wants(Detail::Events) {
            self.trace.mark(self.now, None, Marked::Network(text.to_owned()), String::new());
        }
    }

    /// Something to draw, with what the node says of itself.
    pub(crate) fn mark(&mut self, node: NodeIndex, what: Marked) {
        if self.trace.wants(Detail::Events) {
            let why = match &self.node(node).process {
                Some(process) => process.elector.explain(self.local(node)).to_string(),
                None => String::new(),
            };
            self.trace.mark(self.now, Some(node), what, why);
        }
    }

    pub(crate) fn mark_lease(&mut self, node: NodeIndex, lease: elect_core::Lease) {
        if self.trace.wants(Detail::Events) {
            let end = self.clocks[usize::from(node)].reaches(lease.end).unwrap_or(self.now);
            let what = Marked::Lease(lease.epoch.number(), end);
            self.trace.mark(self.now, Some(node), what, String::new());
        }
    }

    pub(crate) fn mark_message(&mut self, from: NodeIndex, to: NodeIndex, frame: &Frame, fate: Fate) {
        use elect_core::Body;
        let kind = match frame.body {
            Body::Heartbeat(_) => return,
            Body::Offer { .. } => "offer",
            Body::Accept { .. } => "accept",
            Body::Refuse { .. } => "refuse",
            Body::Announce { .. } => "announce",
            Body::Release { .. } => "release",
            Body::Pause { .. } => "pause",
            Body::Reject { .. } => "reject",
        };
        let arrives = match fate {
            Fate::Arrives(arrivals) if arrivals.count > 0 => Some(arrivals.at[0]),
            _ => None,
        };
        self.trace.mark(self.now, Some(from), Marked::Message { to, kind, arrives }, String::new());
    }

    pub(crate) fn note(&mut self, node: Option<NodeIndex>, text: impl FnOnce() -> String) {
        self.trace.note(self.now, node, text);
    }

    pub(crate) fn mend(&mut self, mend: Mend) {
        match mend {
            Mend::Cuts { episode } => {
                for (from, to) in std::mem::take(&mut self.episodes[episode as usize]) {
                    self.network.heal(from, to);
                }
                self.note_network("cuts heal");
            }
            Mend::Clog { from, to } => self.unclog(from, to),
            Mend::Disk { node } => self.mend_disk(node),
            Mend::Health { node } => {
                self.input(node, Input::Request(Request::Health(elect_core::Health::Healthy)));
            }
        }
    }

    pub(crate) fn unclog(&mut self, from: NodeIndex, to: NodeIndex) {
        for held in self.network.unclog(from, to) {
            let at = self.now + self.network.delay();
            match held {
                Held::Frame(slot) => self.queue.push(at, What::Deliver { from, to, slot }),
                Held::Message(slot) => self.queue.push(at, What::Message { from, to, slot }),
            }
        }
    }

    pub(crate) fn mend_disk(&mut self, node: NodeIndex) {
        let now = self.now;
        let mended = self.node_mut(node);
        mended.disk.mood = Mood::Well;
        let life = mended.life;
        let Some(process) = &mut mended.process else { return };
        let save = std::mem::take(&mut process.hung_save);
        let sync = std::mem::take(&mut process.hung_sync);
        if save {
            self.queue.push(now, What::SaveDone { node, life });
        }
        if sync {
            self.queue.push(now, What::SyncDone { node, life });
        }
    }
}

pub(crate) fn index_from(index: usize) -> NodeIndex {
    NodeIndex::try_from(index).unwrap_or(NodeIndex::MAX)
}

/// A clock within ρ (or, if wild, far outside it) that was started at some other time.
pub(crate) fn draw_clock(options: &Options, random: &mut Random, now: Real) -> Clock {
    let origin = random.between(SECOND, 1_000_000 * SECOND);
    Clock::new(now, origin, draw_rate(options, random), options.reading)
}

pub(crate) fn draw_rate(options: &Options, random: &mut Random) -> i64 {
    let secret = options.sabotage == Some(Sabotage::SecretDrift);
    let bound = if options.wild_clocks || secret { 500_000 } else { i64::from(options.drift_ppm) };
    match random.below(4) {
        0 => bound,
        1 => -bound,
        _ => random.between(0, bound.unsigned_abs() * 2).cast_signed() - bound,
    }
}
