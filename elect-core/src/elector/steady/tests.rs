//! Each node has a twin that gets the same inputs and never takes the short way: nothing may tell them apart.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::address::Address;
use crate::config::{Config, Detection};
use crate::duty::Duty;
use crate::elector::Elector;
use crate::epoch::{Epoch, Position};
use crate::event::{Health, LinkState, Notice, SteppedDown};
use crate::frame::Frame;
use crate::gate::{Gate, NoLog, VoteStore};
use crate::members::Digest;
use crate::name::{ClusterId, NodeId};
use crate::peer_state::PeerState;
use crate::profile::HostData;
use crate::random::Random;
use crate::record::Record;
use crate::step::{Driver, Requested, Step};
use crate::time::Time;

const NAMES: [&str; 4] = ["a", "b", "c", "o"];

struct Memory(Record);

impl VoteStore for Memory {
    type Error = core::convert::Infallible;

    fn save(&mut self, record: &Record) -> Result<(), Self::Error> {
        self.0 = *record;
        Ok(())
    }
}

#[derive(Default)]
struct Seen {
    frames: Vec<(NodeId, Frame)>,
    gate: Option<Gate>,
    told: Vec<String>,
}

impl Driver for Seen {
    fn lost(&mut self, loss: SteppedDown) {
        self.told.push(format!("{loss:?}"));
    }

    fn send(&mut self, to: NodeId, frame: &Frame) {
        self.frames.push((to, frame.clone()));
    }

    fn save(&mut self, gate: Gate) {
        self.told.push(format!("{gate:?}"));
        self.gate = Some(gate);
    }

    fn act(&mut self, duty: Duty) {
        self.told.push(format!("{duty:?}"));
    }

    fn happened(&mut self, notice: Notice) {
        self.told.push(format!("{notice:?}"));
    }
}

struct Node {
    store: Memory,
    elector: Elector,
    twin: Elector,
    /// The gates that both wait for.
    saving: Option<(Gate, Gate)>,
}

struct World {
    now: Time,
    random: Random,
    ids: Vec<NodeId>,
    nodes: Vec<Node>,
    mail: BTreeMap<(Time, u64), (usize, usize, Frame)>,
    cut: Vec<(usize, usize)>,
    order: u64,
    short: usize,
}

/// Half of the worlds have nodes that differ.
fn detection(name: NodeId, seed: u64) -> Detection {
    let millis = match name.as_str() {
        _ if seed.is_multiple_of(2) => 500,
        "a" => 2_000,
        "b" => 300,
        _ => 500,
    };
    Detection::Fixed(Duration::from_millis(millis))
}

fn config(name: NodeId, ids: &[NodeId], seed: u64) -> Config {
    Config::builder(ClusterId::new("twins").unwrap(), name)
        .voters(ids[..3].iter().copied())
        .observers(ids[3..].iter().copied())
        .heartbeat_interval(Duration::from_millis(50))
        .detection(detection(name, seed))
        .seed(seed)
        .build()
        .unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let ids: Vec<_> = NAMES.iter().map(|name| NodeId::new(name).unwrap()).collect();
        let now = Time::from_nanos(1 << 40);
        let nodes = ids.iter().map(|&id| {
            let config = config(id, &ids, seed);
            let record = Record::first_boot(&config);
            let elector = || Elector::new(config.clone(), record, now).unwrap();
            Node { store: Memory(record), elector: elector(), twin: elector(), saving: None }
        });
        Self {
            now,
            random: Random::new(seed, ids[0], 1),
            nodes: nodes.collect(),
            ids,
            mail: BTreeMap::new(),
            cut: Vec::new(),
            order: 0,
            short: 0,
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random.next() % below
    }

    fn pick(&mut self, below: u64) -> usize {
        usize::try_from(self.draw(below)).unwrap()
    }

    /// The same input for both, and for both the timers that it made due.
    fn input(&mut self, at: usize, input: impl Fn(&mut Elector, Time) -> Step<'_>) {
        self.one_input(at, input);
        while self.nodes[at].elector.deadline() <= self.now {
            self.one_input(at, Elector::tick);
        }
    }

    fn one_input(&mut self, at: usize, input: impl Fn(&mut Elector, Time) -> Step<'_>) {
        let resolved = self.draw(30) != 0;
        let Node { elector, twin, saving, .. } = &mut self.nodes[at];
        let (mut seen, mut by_twin) = (Seen::default(), Seen::default());
        let was_steady = elector.state.is_steady;
        if !resolved {
            // What is not resolved comes with the next step.
            let _ = input(elector, self.now);
            twin.state.is_steady = false;
            let _ = input(twin, self.now);
            return;
        }
        input(elector, self.now).resolve(&mut seen);
        self.short += usize::from(was_steady && elector.state.is_steady && seen.frames.len() == 1);
        twin.state.is_steady = false;
        input(twin, self.now).resolve(&mut by_twin);
        assert_eq!(seen.frames, by_twin.frames, "{} at {:?}", self.ids[at], self.now);
        assert_eq!(seen.told, by_twin.told, "{} at {:?}", self.ids[at], self.now);
        assert_eq!(elector.deadline(), twin.deadline());
        assert_eq!(elector.status(self.now), twin.status(self.now));
        assert_eq!(elector.explain(self.now), twin.explain(self.now));
        if let (Some(gate), Some(by_twin)) = (seen.gate, by_twin.gate) {
            *saving = Some((gate, by_twin));
        }
        for (to, frame) in seen.frames {
            self.post(at, to, &frame);
        }
    }

    /// Loses some frames, repeats some, and lets some overtake others.
    fn post(&mut self, from: usize, to: NodeId, frame: &Frame) {
        let to = self.ids.iter().position(|&id| id == to).unwrap();
        if self.cut.contains(&(from, to)) || self.draw(50) == 0 {
            return;
        }
        for _ in 0..=usize::from(self.draw(20) == 0) {
            let late = if self.draw(10) == 0 { 60_000_000 } else { 900_000 };
            let due = self.now + Duration::from_nanos(100_000 + self.draw(late));
            self.order += 1;
            let frame = self.forge(frame.clone());
            self.mail.insert((due, self.order), (from, to, frame));
        }
    }

    /// Some frames say something else in one place.
    fn forge(&mut self, mut frame: Frame) -> Frame {
        let header = &mut frame.header;
        match self.random.next() % 200 {
            0 => header.epoch = header.epoch.above(1),
            1 => header.state = PeerState::Leader(header.epoch.above(1)),
            2 => header.state = PeerState::Leader(header.epoch),
            3 => header.nonce.incarnation.random ^= 1,
            4 => header.group = 1,
            5 => header.members = Digest::from_bits(7),
            6..20 => frame.birth = None,
            _ => {}
        }
        frame
    }

    /// Whatever comes next: a frame, a deadline, or a while in which only disks work.
    fn advance(&mut self) {
        let frame = self.mail.first_key_value().map(|(&(due, _), _)| due);
        let deadline = self.nodes.iter().map(|node| node.elector.deadline()).min().unwrap();
        let next = deadline.min(frame.unwrap_or(Time::NEVER)).min(self.now + Duration::from_millis(20));
        // Now and then the process sleeps, so that frames come after the deadlines.
        let asleep = if self.draw(60) == 0 { self.draw(700_000_000) } else { 0 };
        self.now = self.now.max(next + Duration::from_nanos(asleep));
        while let Some(entry) = self.mail.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let (from, to, frame) = entry.remove();
            let from = self.ids[from];
            self.input(to, |elector, now| elector.on_message(from, &frame, now));
        }
        for at in 0..self.nodes.len() {
            if self.nodes[at].elector.deadline() <= self.now {
                self.input(at, Elector::tick);
            }
        }
    }

    fn finish_save(&mut self, at: usize) {
        let Node { store, saving, .. } = &mut self.nodes[at];
        let Some((gate, by_twin)) = saving.take() else { return };
        let gated = core::cell::Cell::new(Some(gate.commit(store, &NoLog)));
        let by_twin = core::cell::Cell::new(Some(by_twin.commit(store, &NoLog)));
        let first = core::cell::Cell::new(true);
        self.input(at, move |elector, now| {
            let gated = if first.replace(false) { gated.take() } else { by_twin.take() };
            elector.on_gated(gated.unwrap(), now)
        });
    }

    /// What hosts, operators and machines do.
    fn disturb(&mut self) {
        let (at, other) = (self.pick(4), self.pick(4));
        let peer = self.ids[other];
        match self.draw(11) {
            0 => {
                let position = Position { epoch: Epoch::ZERO, offset: self.draw(100) };
                self.input(at, |elector, now| elector.set_position(Some(position), now));
            }
            1 => self.cut.push((at, other)),
            2 => self.cut.clear(),
            3 => {
                let state = [LinkState::Closed, LinkState::Up][self.pick(2)];
                self.input(at, |elector, now| elector.on_link(peer, state, now));
            }
            4 => {
                let attempt_began = self.now;
                self.input(at, |elector, now| {
                    elector.on_link(peer, LinkState::Refused { attempt_began }, now)
                });
            }
            5 => {
                let health = [Health::Unfit, Health::Healthy, Health::Healthy][self.pick(3)];
                self.input(at, |elector, now| elector.set_health(health, now));
            }
            6 => self.restart(at),
            7 => self.request(at, |elector, now| elector.pause(Duration::from_millis(300), now)),
            8 => {
                let address = Address::new(NAMES[self.pick(4)]).unwrap();
                self.request(at, |elector, now| elector.set_address(address.clone(), now));
            }
            9 => {
                let version = u32::try_from(self.now.as_nanos() >> 30).unwrap();
                let data = HostData::new(NAMES[self.pick(4)].as_bytes()).unwrap();
                self.request(at, |elector, now| elector.set_host_data(version, data, now));
            }
            _ => self.request(at, Elector::resign),
        }
    }

    fn request(&mut self, at: usize, request: impl Fn(&mut Elector, Time) -> Requested<'_>) {
        let mut seen = [Seen::default(), Seen::default()];
        let Node { elector, twin, .. } = &mut self.nodes[at];
        twin.state.is_steady = false;
        for (elector, seen) in [elector, twin].into_iter().zip(&mut seen) {
            let _ = request(elector, self.now).resolve(seen);
        }
        let [seen, by_twin] = seen;
        assert_eq!((&seen.frames, &seen.told), (&by_twin.frames, &by_twin.told));
        self.input(at, Elector::tick);
        for (to, frame) in seen.frames {
            self.post(at, to, &frame);
        }
    }

    fn restart(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let elector = || Elector::new(node.elector.config().clone(), node.store.0, self.now).unwrap();
        (node.elector, node.twin, node.saving) = (elector(), elector(), None);
        self.input(at, Elector::tick);
    }
}

#[test]
fn the_short_way_leads_to_the_same_place() {
    let mut short = 0;
    for seed in 0..60 {
        let mut world = World::new(seed);
        for _ in 0..3_000 {
            world.advance();
            for at in 0..NAMES.len() {
                if world.draw(4) == 0 {
                    world.finish_save(at);
                }
            }
            if world.draw(60) == 0 {
                world.disturb();
            }
        }
        short += world.short;
    }
    assert!(short > 5_000, "the short way was taken only {short} times");
}
