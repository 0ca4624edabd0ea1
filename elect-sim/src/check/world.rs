//! A model: three real electors, their disks, and what is under way between them.

use std::sync::Arc;

use elect_core::{Body, Elector, Frame, Gate, Gated, PeerState, StorageFailed, Time};

use super::action::Action;
use super::bounds::{Model, NODES, Planted, STEP, name, node_id};
use super::flight::{Flight, Kind, slot};
use super::history::History;
use super::node::{Node, Output};
use crate::checkers::{Checker, Violation};

/// One state. Copies share what did not change.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) nodes: [Arc<Node>; NODES],
    /// By link and kind.
    pub(super) flights: [Option<Arc<Flight>>; NODES * NODES * Kind::COUNT],
    /// Frames that went astray.
    pub(super) strays: Vec<Arc<Flight>>,
    /// How many frames went astray, or were copied, and saves were slow.
    pub(super) strayed: u8,
    pub(super) cuts: u8,
    /// Which links are broken, as bits.
    pub(super) cut: u16,
    pub(super) sleeps: u8,
    /// Which processes stand still, as bits.
    pub(super) asleep: u8,
    turn: u64,
    pub(super) moment: u64,
    pub(super) history: History,
}

/// What an action leads to.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most are worlds, and a box for each costs more")]
pub(super) enum Next {
    World(World),
    /// It leads beyond the highest epoch.
    Beyond,
    Violated(Violation),
}

/// What is next in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Deadline(usize),
    /// The place of a flight.
    Frame(usize),
    Save(usize),
}

const fn link(from: usize, to: usize) -> u16 {
    1 << (from * NODES + to)
}

impl World {
    /// Every node has started for the first time and said so; nobody has heard anything yet.
    pub(super) fn first(model: &Model) -> Self {
        let node = |node: usize| Node::first(model.configs[node].clone(), model.clock(node, 0));
        let mut world = Self {
            nodes: std::array::from_fn(|index| Arc::new(node(index))),
            flights: std::array::from_fn(|_| None),
            strays: Vec::new(),
            strayed: 0,
            cuts: 0,
            cut: 0,
            sleeps: 0,
            asleep: 0,
            turn: 0,
            moment: 0,
            history: History::default(),
        };
        // Each starts, and each learns that its incarnation is durable.
        for _ in 0..NODES * 2 {
            world = match world.next(Action::Proceed, model) {
                Next::World(world) => world,
                other => unreachable!("a first start is quiet, not {other:?}"),
            };
        }
        world
    }

    pub(super) fn clock(&self, node: usize, model: &Model) -> Time {
        model.clock(node, self.moment)
    }

    /// What is next in turn: deadlines first, then frames and saves in the order in which they began.
    pub(super) fn turn(&self, model: &Model) -> Option<Turn> {
        let is_due = |&index: &usize| {
            let elector = self.nodes[index].elector.as_ref();
            elector.is_some_and(|elector| elector.deadline() <= self.clock(index, model))
        };
        if let Some(index) = (0..NODES).filter(|&index| !self.is_asleep(index)).find(is_due) {
            return Some(Turn::Deadline(index));
        }
        let frames = self.flights.iter().enumerate().filter_map(|(place, flight)| {
            let flight = flight.as_ref().filter(|flight| !self.is_asleep(flight.to))?;
            Some((flight.turn, Turn::Frame(place)))
        });
        let saves = (0..NODES).filter(|&index| !self.is_asleep(index)).filter_map(|index| {
            let node = &self.nodes[index];
            (node.gate.is_some() && !node.slow).then_some((node.turn, Turn::Save(index)))
        });
        frames.chain(saves).min_by_key(|(turn, _)| *turn).map(|(_, turn)| turn)
    }

    /// Whether `action` can happen now, `turn` being what is next.
    pub(super) fn allows(&self, action: Action, turn: Option<Turn>, model: &Model) -> bool {
        let node = |node: u8| &*self.nodes[usize::from(node)];
        let bounds = &model.bounds;
        let may_crash = |crashed: u8| {
            let together: u8 = self.nodes.iter().map(|node| node.crashes).sum();
            node(crashed).crashes < bounds.crashes && together < bounds.crashes_together
        };
        let may_stray = self.strayed < bounds.strays;
        // Links, starts and sleep change when everything else is done.
        let quiet = turn.is_none();
        match action {
            Action::Proceed => turn.is_some(),
            Action::Wait => quiet && (bounds.moments == 0 || self.moment < u64::from(bounds.moments)),
            Action::Stray | Action::Copy => may_stray && matches!(turn, Some(Turn::Frame(_))),
            Action::Delay => may_stray && matches!(turn, Some(Turn::Save(_))),
            Action::Arrive(stray) => {
                let flight = self.strays.get(usize::from(stray));
                flight.is_some_and(|flight| {
                    self.nodes[flight.to].elector.is_some() && !self.is_asleep(flight.to)
                })
            }
            Action::Save(index) => node(index).gate.is_some() && node(index).slow,
            Action::Crash(index) => node(index).elector.is_some() && may_crash(index),
            Action::CrashAfterSave(index) => {
                let saves = |gate: &Gate| gate.record().is_some();
                node(index).gate.as_ref().is_some_and(saves) && may_crash(index)
            }
            Action::Start(index) => quiet && node(index).elector.is_none(),
            Action::Sleep(index) => {
                quiet
                    && self.sleeps < bounds.sleeps
                    && node(index).elector.is_some()
                    && !self.is_asleep(index.into())
            }
            Action::Wake(index) => quiet && self.is_asleep(index.into()),
            Action::Cut(from, to) => {
                quiet && from != to && self.cuts < bounds.cuts && !self.is_cut(from.into(), to.into())
            }
            Action::Heal(from, to) => quiet && self.is_cut(from.into(), to.into()),
        }
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut & link(from, to) != 0
    }

    fn is_asleep(&self, index: usize) -> bool {
        self.asleep >> index & 1 == 1
    }

    /// What comes of an action that the world allows.
    pub(super) fn next(&self, action: Action, model: &Model) -> Next {
        let mut world = self.clone();
        let outcome = world.act(action, model);
        match outcome.and_then(|within| world.check_leases(model).map(|()| within)) {
            Ok(true) => Next::World(world),
            Ok(false) => Next::Beyond,
            Err(violation) => Next::Violated(violation),
        }
    }

    /// Whether it stays within the epochs.
    fn act(&mut self, action: Action, model: &Model) -> Result<bool, Violation> {
        match action {
            Action::Proceed => return self.proceed(model),
            Action::Wait => self.moment += 1,
            Action::Stray | Action::Copy => {
                let Some(Turn::Frame(place)) = self.turn(model) else { return Ok(true) };
                self.strayed += 1;
                self.strays.extend(self.flights[place].clone());
                if action == Action::Copy {
                    return self.proceed(model);
                }
                self.flights[place] = None;
            }
            Action::Delay => {
                let Some(Turn::Save(index)) = self.turn(model) else { return Ok(true) };
                self.strayed += 1;
                self.change(index, |node| node.slow = true);
            }
            Action::Arrive(stray) => {
                let flight = self.strays.remove(stray.into());
                return self.deliver(&flight, model);
            }
            Action::Save(index) => return self.save(index.into(), model),
            Action::Crash(index) => self.crash(index.into()),
            Action::CrashAfterSave(index) => {
                self.commit(index.into(), model)?;
                self.crash(index.into());
            }
            Action::Start(index) => {
                let (index, clock) = (usize::from(index), self.clock(index.into(), model));
                self.change(index, |node| node.start(model.configs[index].clone(), clock));
            }
            Action::Sleep(index) => {
                self.sleeps += 1;
                self.asleep |= 1 << index;
            }
            Action::Wake(index) => self.asleep &= !(1 << index),
            Action::Cut(from, to) => {
                self.cuts += 1;
                self.cut |= link(from.into(), to.into());
                self.lose(|flight| flight.from == usize::from(from) && flight.to == usize::from(to));
            }
            Action::Heal(from, to) => self.cut &= !link(from.into(), to.into()),
        }
        Ok(true)
    }

    fn proceed(&mut self, model: &Model) -> Result<bool, Violation> {
        match self.turn(model) {
            Some(Turn::Deadline(index)) => self.tick(index, model),
            Some(Turn::Frame(place)) => match self.flights[place].take() {
                Some(flight) => self.deliver(&flight, model),
                None => Ok(true),
            },
            Some(Turn::Save(index)) => self.save(index, model),
            None => Ok(true),
        }
    }

    fn lose(&mut self, is_lost: impl Fn(&Flight) -> bool) {
        for flight in &mut self.flights {
            if flight.as_ref().is_some_and(|flight| is_lost(flight)) {
                *flight = None;
            }
        }
    }

    fn change(&mut self, index: usize, change: impl FnOnce(&mut Node)) {
        let mut node = self.nodes[index].fork();
        change(&mut node);
        self.nodes[index] = Arc::new(node);
    }

    /// The process dies, and what is on its way to it is lost. What it has sent is under way all the same.
    fn crash(&mut self, index: usize) {
        self.change(index, Node::crash);
        self.asleep &= !(1 << index);
        self.lose(|flight| flight.to == index);
    }

    fn tick(&mut self, index: usize, model: &Model) -> Result<bool, Violation> {
        let now = self.clock(index, model);
        let within = self.input(index, model, |elector, output| elector.tick(now).resolve(output))?;
        let deadline = self.nodes[index].elector.as_ref().map(Elector::deadline);
        if within && deadline.is_some_and(|deadline| deadline <= now) {
            let detail = format!("a tick at {now:?} leaves the next one due at {deadline:?}");
            return Err(self.violation(Checker::DeadlineMoves, index, detail));
        }
        Ok(within)
    }

    fn deliver(&mut self, flight: &Flight, model: &Model) -> Result<bool, Violation> {
        let Flight { from, to, frame, .. } = flight;
        if model.bounds.sabotage == Some(Planted::NetworkForgesAccepts) {
            self.forge_accept(*from, *to, frame);
        }
        let now = self.clock(*to, model);
        self.input(*to, model, |elector, output| {
            elector.on_message(node_id(*from), frame, now).resolve(output);
        })
    }

    fn save(&mut self, index: usize, model: &Model) -> Result<bool, Violation> {
        let now = self.clock(index, model);
        let Some(result) = self.commit(index, model)? else { return Ok(true) };
        self.input(index, model, |elector, output| elector.on_gated(result, now).resolve(output))
    }

    /// Disk and fence first: what they must not do is noticed here.
    fn commit(&mut self, index: usize, model: &Model) -> Result<Option<CommitResult>, Violation> {
        let before = self.nodes[index].disk;
        let mut saved = None;
        self.change(index, |node| saved = node.commit(model.bounds.sabotage));
        let Some(saved) = saved else { return Ok(None) };
        self.check_save(index, &before, saved.floor)?;
        self.set_node(index, |node| node.floor = saved.floor);
        Ok(Some(saved.result))
    }

    /// One input of one elector, and everything that must hold of what comes out. Whether it stays within the epochs.
    fn input(
        &mut self,
        index: usize,
        model: &Model,
        input: impl FnOnce(&mut Elector, &mut Output),
    ) -> Result<bool, Violation> {
        let now = self.clock(index, model);
        let mut output = Output::default();
        let turn = self.next_turn();
        self.set_node(index, |node| {
            let Some(elector) = &mut node.elector else { return };
            input(elector, &mut output);
            if let Some(office) = output.office.take() {
                elector.on_office(&office, now).resolve(&mut output);
            }
            if let Some(gate) = output.gate.take() {
                (node.gate, node.slow, node.turn) = (Some(gate), false, turn);
            }
        });
        let record = self.nodes[index].gate.as_ref().and_then(Gate::record);
        let within = record.is_none_or(|record| record.epoch.number() <= model.bounds.epochs);
        self.check_output(index, &output, model)?;
        for (to, frame) in output.frames {
            self.send(index, to, frame);
        }
        Ok(within)
    }

    /// A frame that finds nobody there is lost at once.
    fn send(&mut self, from: usize, to: usize, frame: Frame) {
        if !self.is_cut(from, to) && self.nodes[to].elector.is_some() {
            let (place, turn) = (slot(from, to, Kind::of(&frame)), self.next_turn());
            self.flights[place] = Some(Arc::new(Flight { from, to, frame, turn }));
        }
    }

    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    /// Changes a node in place where this world has it for itself: a gate that was committed belongs to that very
    /// elector, not to a fork of it.
    pub(super) fn set_node(&mut self, index: usize, change: impl FnOnce(&mut Node)) {
        match Arc::get_mut(&mut self.nodes[index]) {
            Some(node) => change(node),
            None => self.change(index, change),
        }
    }

    pub(super) fn violation(&self, checker: Checker, index: usize, detail: String) -> Violation {
        let at = self.moment * STEP;
        Violation { checker, at, node: name(index), detail }
    }

    /// An accept of the offer that `to` is about to hear, in its name.
    fn forge_accept(&mut self, from: usize, to: usize, offer: &Frame) {
        let Body::Offer { epoch, detection, .. } = offer.body else { return };
        let mut header = offer.header;
        let incarnation = self.nodes[to].disk.incarnation;
        header.nonce = elect_core::Nonce { incarnation, ..header.nonce };
        header.echo = Some(offer.header.nonce);
        header.state = PeerState::Promised;
        self.send(
            to,
            from,
            Frame {
                header,
                birth: None,
                profile: None,
                body: Body::Accept {
                    epoch,
                    detection,
                    position: None,
                    pause: None,
                    genesis_epoch: elect_core::Epoch::ZERO,
                },
            },
        );
    }
}

/// What the disk answers, for the elector whose gate it was.
type CommitResult = Result<Gated, StorageFailed>;
