//! The world: nodes, clocks, links and the agenda, and how one event leads to the next.

use elect_core::{
    ClusterId, Config, Driver, Elector, Event, Fence, Floor, Frame, Gate, LinkState, Loss, MemberKind,
    NodeId, Position, Raise, Raised, Record, Step, Storage, Time,
};

use crate::checkers::{Checker, Checkers, LeaseRule, Sent, Violation, node_name};
use crate::clock::{Clock, MICRO, MILLI, Real, SECOND};
use crate::disk::{Disk, Mood, Outcome};
use crate::host::Message;
use crate::log::{Entries, ModelLog};
use crate::network::{Fate, Held, Network};
use crate::options::{Options, Sabotage};
use crate::process::{Action, Host, Input, Interrupt, Node, Process, Request, State};
use crate::queue::{Life, Mend, NodeIndex, Queue, Task, What};
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
    actions: Vec<Action>,
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

/// Collects what a step asks for, in its order.
struct Collector<'a>(&'a mut Vec<Action>);

impl Driver for Collector<'_> {
    fn lost(&mut self, loss: Loss) {
        self.0.push(Action::Lost(loss));
    }

    fn send(&mut self, to: NodeId, frame: &Frame) {
        // A frame for somebody outside the group has nowhere to go.
        if let Some(to) = index_of(to) {
            self.0.push(Action::Send(to, frame.clone()));
        }
    }

    fn save(&mut self, gate: Gate) {
        self.0.push(Action::Save(gate));
    }

    fn happened(&mut self, event: Event) {
        self.0.push(Action::Happened(event));
    }
}

/// The real fence, or none on a witness, and what a gate raised it to.
struct WatchedFloor<'a> {
    fence: Option<&'a Fence<ModelLog>>,
    raised: std::cell::Cell<Option<(elect_core::Epoch, Option<elect_core::Epoch>)>>,
}

impl Floor for WatchedFloor<'_> {
    fn raise(&self, raise: Raise) -> Option<Position> {
        self.raised.set(Some((raise.floor(), raise.kept())));
        self.fence.and_then(|fence| fence.raise(raise))
    }
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

    // Inputs.

    fn input_of(&mut self, node: NodeIndex, life: Life, input: Input) {
        if self.node(node).life == life && self.node(node).state != State::Down {
            self.input(node, input);
        }
    }

    /// A process gets something to deal with: at once, or when it goes on.
    pub(crate) fn input(&mut self, node: NodeIndex, input: Input) {
        match self.node(node).state {
            State::Down => self.drop_input(input),
            State::Paused => self.node_mut(node).inbox.push_back(input),
            State::Running => {
                let now = self.local(node);
                if self.pauses_after_clock(node) {
                    if let Some(process) = &mut self.node_mut(node).process {
                        process.held = Some((input, now));
                    }
                } else {
                    self.handle(node, input, now);
                }
            }
        }
    }

    fn pauses_after_clock(&mut self, node: NodeIndex) -> bool {
        match self.node(node).interrupt {
            Some((0, Interrupt::PauseAfterClock(span))) => {
                self.node_mut(node).interrupt = None;
                self.pause(node, span);
                true
            }
            Some((left, interrupt @ Interrupt::PauseAfterClock(_))) => {
                self.node_mut(node).interrupt = Some((left - 1, interrupt));
                false
            }
            _ => false,
        }
    }

    fn drop_input(&mut self, input: Input) {
        match input {
            Input::Frame { slot, .. } => self.frames.free(slot),
            Input::Message { slot, .. } => self.messages.free(slot),
            _ => {}
        }
    }

    fn handle(&mut self, node: NodeIndex, input: Input, now: Time) {
        match input {
            Input::Frame { from, slot } => self.on_frame(node, from, slot, now),
            Input::Message { from, slot } => {
                let message = *self.messages.get(slot);
                self.messages.free(slot);
                self.on_host_message(node, from, message);
            }
            Input::Tick => {
                self.elector(node, now, |elector| Ok(elector.tick(now)));
                if let Some(process) = &self.node(node).process {
                    let deadline = process.elector.deadline();
                    self.checks.ticked(self.now, node, now, deadline);
                }
            }
            Input::SaveDone => self.commit(node),
            Input::Gated => {
                let gated = self.node_mut(node).process.as_mut().and_then(|process| process.gated.take());
                if let Some(gated) = gated {
                    self.elector(node, now, |elector| Ok(elector.on_gated(gated, now)));
                }
            }
            Input::SyncDone => self.on_sync_done(node),
            Input::Link { peer, state } => {
                let peer = self.node(peer).id;
                self.elector(node, now, |elector| Ok(elector.on_link(peer, state, now)));
            }
            Input::Host(task) => self.on_task(node, task),
            Input::Request(request) => self.on_request(node, request, now),
        }
    }

    fn on_frame(&mut self, node: NodeIndex, from: NodeIndex, slot: u32, now: Time) {
        if self.is_sabotaged(Sabotage::GarbledBytes) && self.chaos.below(50) == 0 {
            self.frames.get_mut(slot).garble();
        }
        let decoded = self.frames.get(slot).decode();
        self.frames.free(slot);
        let peer = self.node(from).id;
        match decoded {
            Ok(frame) => self.elector(node, now, |elector| Ok(elector.on_message(peer, &frame, now))),
            Err(error) => self.checks.fail(Checker::WireRoundTrip, self.now, node, || {
                format!("a frame of {peer} does not decode: {error}")
            }),
        }
    }

    fn on_request(&mut self, node: NodeIndex, request: Request, now: Time) {
        self.note(Some(node), || format!("request {request:?}"));
        self.elector(node, now, |elector| match request {
            Request::Resign => elector.resign(now),
            Request::Handover(to) => elector.request_handover(to, None, now),
            Request::Freeze(span) => elector.pause(span, now),
            Request::Thaw => elector.resume(now),
            Request::Health(health) => Ok(elector.set_health(health, now)),
        });
    }

    /// One input of the elector, and everything that follows from it.
    pub(crate) fn elector(
        &mut self,
        node: NodeIndex,
        now: Time,
        input: impl FnOnce(&mut Elector) -> Result<Step<'_>, elect_core::RequestRefused>,
    ) {
        let mut actions = std::mem::take(&mut self.actions);
        if let Some(process) = self.nodes[usize::from(node)].process.as_mut() {
            match input(&mut process.elector) {
                Ok(step) => step.resolve(&mut Collector(&mut actions)),
                Err(refused) => self.note(Some(node), || format!("refused: {refused}")),
            }
        }
        self.check(node, &actions, now);
        actions = self.carry_out(node, actions);
        self.actions = actions;
        self.schedule_tick(node);
    }

    /// Shows the checkers what an elector let go, before anything of it takes effect.
    fn check(&mut self, node: NodeIndex, actions: &[Action], now: Time) {
        for action in actions {
            match action {
                Action::Lost(loss) => self.checks.lost(self.now, node, *loss),
                Action::Happened(Event::Elected(elected)) => {
                    self.checks.elected(self.now, node, elected.epoch());
                }
                Action::Happened(Event::EpochRaised { from, raised }) => {
                    let to = match raised {
                        Raised::InOffice(office) => office.epoch(),
                        Raised::OnTheWay(elected) => elected.epoch(),
                    };
                    self.checks.raised(self.now, node, *from, to);
                }
                _ => {}
            }
        }
        let Some(process) = &self.nodes[usize::from(node)].process else { return };
        // A process that stopped between reading the clock and this step is silent as of what it read.
        let lease_runs = process.authority.lease(now).is_some();
        let lease = process.authority.lease(self.clocks[usize::from(node)].read(self.now));
        if let Some(lease) = lease {
            self.mark_lease(node, lease);
            let mut others = [(0, lease.epoch); 4];
            let mut count = 0;
            for other in self.leases(Some(node)).take(others.len()) {
                others[count] = other;
                count += 1;
            }
            self.checks.lease(self.now, node, lease.epoch, others[..count].iter().copied());
        }
        for action in actions {
            match action {
                Action::Send(to, frame) => self.checks.sent(&Sent {
                    at: self.now,
                    node,
                    to: *to,
                    frame,
                    lease_runs,
                    clocks: &self.clocks,
                }),
                Action::Save(gate) => {
                    if let Some(record) = gate.record() {
                        self.checks.saving(self.now, node, record);
                    }
                }
                Action::Happened(Event::Stopped { .. }) => self.checks.stopped(node),
                _ => {}
            }
        }
    }

    /// Carries out actions one by one; an interrupt may strike between any two. Returns the emptied list.
    fn carry_out(&mut self, node: NodeIndex, mut actions: Vec<Action>) -> Vec<Action> {
        let mut rest = Vec::new();
        for action in actions.drain(..) {
            if !rest.is_empty() || self.is_interrupted(node) {
                rest.push(action);
                continue;
            }
            match action {
                Action::Lost(loss) => self.on_lost(node, loss),
                Action::Send(to, frame) => self.send(node, to, &frame),
                Action::Save(gate) => self.on_save(node, gate),
                Action::Happened(event) => self.on_event(node, event),
            }
        }
        if !rest.is_empty()
            && let Some(process) = &mut self.node_mut(node).process
        {
            process.rest = rest;
        }
        actions
    }

    fn is_interrupted(&mut self, node: NodeIndex) -> bool {
        match self.node(node).interrupt {
            None | Some((_, Interrupt::PauseAfterClock(_))) => return false,
            Some((left @ 1.., interrupt)) => {
                self.node_mut(node).interrupt = Some((left - 1, interrupt));
                return false;
            }
            Some((0, Interrupt::Pause(span))) => self.pause(node, span),
            Some((0, Interrupt::Crash)) => {
                let wait = self.chaos.waiting(SECOND);
                self.crash(node, Some(wait));
            }
        }
        self.node_mut(node).interrupt = None;
        true
    }

    // Ticks.

    /// A clock changed: the deadline lies elsewhere in real time.
    pub(crate) fn wake(&mut self, node: NodeIndex) {
        if let Some(process) = &mut self.node_mut(node).process {
            process.tick_at = 0;
        }
        self.schedule_tick(node);
    }

    fn schedule_tick(&mut self, node: NodeIndex) {
        let life = self.node(node).life;
        let Some(process) = &self.nodes[usize::from(node)].process else { return };
        let Some(at) = self.clocks[usize::from(node)].reaches(process.elector.deadline()) else { return };
        let at = at.max(self.now);
        if at < process.tick_at || process.tick_at <= self.now {
            self.queue.push(at, What::Tick { node, life });
            if let Some(process) = &mut self.node_mut(node).process {
                process.tick_at = at;
            }
        }
    }

    fn tick_due(&mut self, node: NodeIndex, life: Life) {
        if self.node(node).life != life {
            return;
        }
        let now = self.local(node);
        let Some(process) = &self.node(node).process else { return };
        if process.tick_at > self.now {
            return;
        }
        if now >= process.elector.deadline() {
            self.input(node, Input::Tick);
        } else {
            self.schedule_tick(node);
        }
    }

    // Saves.

    fn on_save(&mut self, node: NodeIndex, gate: Gate) {
        let needs_disk = gate.record().is_some();
        let life = self.node(node).life;
        let duration = if needs_disk {
            self.node_mut(node).disk.duration()
        } else {
            Some(self.chance.below(10 * MICRO))
        };
        let now = self.now;
        let Some(process) = &mut self.node_mut(node).process else { return };
        assert!(process.saving.is_none() && process.gated.is_none(), "one gate at a time");
        process.saving = Some(gate);
        match duration {
            Some(duration) => self.queue.push(now + duration, What::SaveDone { node, life }),
            None => process.hung_save = true,
        }
    }

    fn commit(&mut self, node: NodeIndex) {
        let now = self.now;
        if self.is_sabotaged(Sabotage::LyingDisk) && self.chaos.below(5) == 0 {
            self.node_mut(node).disk.next_save = Outcome::Lies;
        }
        let watched = &mut self.nodes[usize::from(node)];
        let Some(process) = &mut watched.process else { return };
        let Some(gate) = process.saving.take() else { return };
        let before = watched.disk.record().copied();
        let floor = WatchedFloor { fence: process.fence.as_ref(), raised: std::cell::Cell::new(None) };
        let result = gate.commit(&mut watched.disk, &floor);
        if watched.disk.record() != before.as_ref()
            && let Some(record) = watched.disk.record()
        {
            self.checks.saved(now, node, record);
        }
        if let Some((raised, kept)) = floor.raised.get() {
            self.checks.fence_raised(node, raised, kept);
        }
        if result.is_ok() {
            self.checks.committed(now, node);
        }
        process.gated = Some(result);
        let life = watched.life;
        let wait = self.chance.below(50 * MICRO);
        self.queue.push(now + wait, What::Gated { node, life });
    }

    // Life of a process.

    fn start(&mut self, node: NodeIndex) {
        if self.node(node).process.is_some() || self.node(node).retired {
            return;
        }
        let life = self.node(node).life + 1;
        self.node_mut(node).life = life;
        self.node_mut(node).dark = false;
        let config = self.config(node, life);
        let record = if let Some(record) = self.node(node).disk.record() {
            *record
        } else {
            let record = Record::replacement(&config);
            self.node_mut(node).disk.install(record);
            record
        };
        let now = self.local(node);
        self.counts.starts += 1;
        self.note(Some(node), || {
            format!("starts, record {:?} {:?} {:?}", record.epoch, record.holder, record.storage)
        });
        self.checks.started(node, life, record);
        let elector = Elector::new(config, record, now).expect("the record belongs to this node");
        let fence = (self.node(node).kind != MemberKind::Witness)
            .then(|| Fence::new(ModelLog::load(&self.entries, self.node(node).log)));
        let node_mut = self.node_mut(node);
        node_mut.state = State::Running;
        node_mut.connected = Default::default();
        node_mut.process = Some(Process {
            authority: elector.authority(),
            elector,
            fence,
            host: Host::new(record.storage == Storage::Replaced),
            saving: None,
            gated: None,
            rest: Vec::new(),
            held: None,
            tick_at: 0,
            hung_save: false,
            hung_sync: false,
        });
        for peer in (0..index_from(self.nodes.len())).filter(|&peer| peer != node) {
            // Without a spread all processes start at the same moment, and the first attempt finds them there.
            let at = self.now + self.chance.below(MILLI.min(self.options.boot_spread)) + 1;
            self.queue.push(at, What::Dial { from: node, to: peer, life });
        }
        self.mark(node, Marked::Starts);
        self.input(node, Input::Tick);
        self.host_task(node, 0, Task::Report);
    }

    /// The process dies. With `wait` it starts again so much later.
    pub(crate) fn crash(&mut self, node: NodeIndex, wait: Option<u64>) {
        let now = self.now;
        let Some(process) = self.node_mut(node).process.take() else { return };
        self.note(Some(node), || "dies".into());
        self.mark(node, Marked::Dies);
        if let Some(record) = process.saving.as_ref().and_then(Gate::record) {
            self.node_mut(node).disk.crash_during(record);
            if self.node(node).disk.record() == Some(record) {
                self.checks.saved(now, node, record);
            }
        }
        if let Some((tip, _)) = process.host.syncing
            && self.node_mut(node).disk.survives()
        {
            self.node_mut(node).log = tip;
        }
        let dead = self.node_mut(node);
        dead.state = State::Down;
        dead.interrupt = None;
        let inbox = std::mem::take(&mut dead.inbox);
        inbox
            .into_iter()
            .chain(process.held.map(|(input, _)| input))
            .for_each(|input| self.drop_input(input));
        self.checks.died(node);
        self.break_connections(node);
        if let Some(wait) = wait {
            self.queue.push(now + wait, What::Start { node });
        }
    }

    /// The machine loses power: nothing tells its peers.
    pub(crate) fn power_off(&mut self, node: NodeIndex, wait: u64) {
        self.node_mut(node).dark = true;
        self.crash(node, Some(wait));
        let origin = self.chaos.below(10 * SECOND);
        let now = self.now;
        self.clocks[usize::from(node)].reboot(now, origin);
    }

    pub(crate) fn pause(&mut self, node: NodeIndex, span: u64) {
        if self.node(node).state != State::Running {
            return;
        }
        self.note(Some(node), || format!("stops for {:?}", std::time::Duration::from_nanos(span)));
        self.mark(node, Marked::Pauses);
        let paused = self.node_mut(node);
        paused.state = State::Paused;
        paused.pause += 1;
        let (life, pause) = (paused.life, paused.pause);
        self.queue.push(self.now + span, What::Continue { node, life, pause });
    }

    fn go_on(&mut self, node: NodeIndex, life: Life, pause: u32) {
        let stopped = self.node(node);
        if (stopped.life, stopped.pause, stopped.state) != (life, pause, State::Paused) {
            return;
        }
        self.note(Some(node), || "goes on".into());
        self.mark(node, Marked::GoesOn);
        self.node_mut(node).state = State::Running;
        let Some(process) = &mut self.node_mut(node).process else { return };
        let rest = std::mem::take(&mut process.rest);
        let held = process.held.take();
        self.carry_out(node, rest);
        if let Some((input, now)) = held {
            self.handle(node, input, now);
        }
        // A host's threads wake up in any order: half of the time what they wait for comes before the elector's.
        if self.chaos.below(2) == 0 {
            let inbox = &mut self.node_mut(node).inbox;
            inbox
                .make_contiguous()
                .sort_by_key(|input| !matches!(input, Input::Host(_) | Input::Message { .. }));
        }
        while self.node(node).state == State::Running {
            let Some(input) = self.node_mut(node).inbox.pop_front() else { break };
            self.input(node, input);
        }
        self.schedule_tick(node);
    }

    // Connections.

    fn dial(&mut self, from: NodeIndex, to: NodeIndex, life: Life) {
        let dialler = self.node(from);
        if dialler.life != life || dialler.state == State::Down || dialler.connected[usize::from(to)] {
            return;
        }
        let retry = self.now + 50 * MILLI + self.chance.below(50 * MILLI);
        self.queue.push(retry, What::Dial { from, to, life });
        if self.node(from).state == State::Running && !self.network.is_cut(from, to) {
            let at = self.now + self.network.delay();
            self.queue.push(at, What::DialArrives { from, to, life, began: self.now });
        }
    }

    fn dial_arrives(&mut self, from: NodeIndex, to: NodeIndex, life: Life, began: Real) {
        let target = self.node(to);
        if target.dark || self.network.is_cut(to, from) {
            return;
        }
        // A stopped process does not refuse: its kernel accepts for it.
        let accepted = target.state != State::Down;
        let at = self.now + self.network.delay();
        self.queue.push(at, What::DialAnswered { from, to, life, began, accepted });
    }

    fn dial_answered(&mut self, from: NodeIndex, to: NodeIndex, life: Life, began: Real, accepted: bool) {
        let dialler = self.node(from);
        if dialler.life != life || dialler.state == State::Down || dialler.connected[usize::from(to)] {
            return;
        }
        if accepted && self.node(to).state == State::Down {
            return; // It died meanwhile; the next attempt tells.
        }
        let state = if accepted {
            LinkState::Up
        } else {
            LinkState::Refused { attempt_began: self.clocks[usize::from(from)].read(began) }
        };
        self.node_mut(from).connected[usize::from(to)] = accepted;
        self.note(Some(from), || {
            format!("link to {} {}", node_name(to), if accepted { "up" } else { "refused" })
        });
        self.input(from, Input::Link { peer: to, state });
    }

    /// Peers notice that the connections of a dead process are closed, unless nothing can tell them.
    fn break_connections(&mut self, node: NodeIndex) {
        self.node_mut(node).connected = Default::default();
        for peer in (0..index_from(self.nodes.len())).filter(|&peer| peer != node) {
            let life = self.node(peer).life;
            let silent = self.node(node).dark || self.network.is_cut(node, peer);
            let wait = if silent { 2 * SECOND } else { self.network.delay() };
            self.queue.push(self.now + wait, What::Closed { node: peer, peer: node, life });
        }
    }

    pub(crate) fn closed(&mut self, node: NodeIndex, peer: NodeIndex, life: Life) {
        let noticing = self.node(node);
        if noticing.life != life || noticing.state == State::Down || !noticing.connected[usize::from(peer)] {
            return;
        }
        self.node_mut(node).connected[usize::from(peer)] = false;
        self.note(Some(node), || format!("link to {} closed", node_name(peer)));
        self.input(node, Input::Link { peer, state: LinkState::Closed });
        self.queue.push(self.now + self.chance.below(MILLI), What::Dial { from: node, to: peer, life });
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

    fn mark_lease(&mut self, node: NodeIndex, lease: elect_core::Lease) {
        if self.trace.wants(Detail::Events) {
            let end = self.clocks[usize::from(node)].reaches(lease.end).unwrap_or(self.now);
            let what = Marked::Lease(lease.epoch.number(), end);
            self.trace.mark(self.now, Some(node), what, String::new());
        }
    }

    fn mark_message(&mut self, from: NodeIndex, to: NodeIndex, frame: &Frame, fate: Fate) {
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
