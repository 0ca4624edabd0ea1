//! A node: its machine, its process, its host, and what reaches it.

mod commit;
mod process;
mod seat;

use std::collections::VecDeque;

use elect_core::{Elector, Gate, MemberKind, NodeId, Position, Record, Storage, Time};

use crate::clock::Real;
use crate::disk::{Disk, DiskState};
use crate::ids::{Life, NODES_MAX, NodeIndex};
use crate::input::{Input, Interrupt};
use crate::store::Store;

pub(crate) use process::{Process, Stopped};
pub(crate) use seat::{Hosted, Seat};

/// Whether a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No process.
    Down,
    /// A process that works.
    Running,
    /// A process that is stopped between two instructions; what arrives waits.
    Paused,
}

/// Whether a host gets into office at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    /// As it should.
    Works,
    /// Something that it needs is missing: it never enters office.
    Fails,
}

/// What becomes of a sync that a host asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    /// It ends after so long.
    EndsIn(u64),
    /// It ends when the disk is mended.
    Hangs,
    /// There is one already, or nobody who could ask.
    UnderWay,
}

/// One machine and what runs on it.
#[derive(Debug)]
pub(crate) struct Node {
    id: NodeId,
    kind: MemberKind,
    disk: Disk,
    seat: Seat,
    process: Option<Process>,
    life: Life,
    state: State,
    /// Number of the last pause: an older end of a pause means nothing.
    pause: u32,
    /// What waits for a stopped process.
    inbox: VecDeque<Input>,
    /// How many outputs from now an interrupt strikes.
    interrupt: Option<(u32, Interrupt)>,
    /// Whether connections to peers stand.
    connected: [bool; NODES_MAX],
    /// Why its last start was refused.
    refusal: Option<String>,
    setup: Setup,
    /// What an operator put aside.
    backup: Option<Backup>,
    /// Whether the machine has no power: then it does not even refuse connections.
    dark: bool,
    /// Stays down from now on.
    retired: bool,
}

/// A copy of what is durable on one machine.
#[derive(Clone, Debug)]
pub(crate) struct Backup {
    pub(crate) record: Record,
    /// What the host had on its disk.
    pub(crate) data: Vec<u8>,
    /// The last durable entry, if a process ran that knew it.
    pub(crate) position: Option<Position>,
}

/// What a process that died leaves to the world.
#[derive(Debug)]
pub(crate) struct Remains {
    /// The record of the save under way, if that took effect nevertheless.
    pub(crate) saved: Option<Record>,
    /// What nobody handles any more.
    pub(crate) inputs: Vec<Input>,
}

impl Node {
    pub(crate) fn new(id: NodeId, kind: MemberKind, disk: Disk) -> Self {
        Self {
            id,
            kind,
            disk,
            seat: Seat::new(Hosted::Store(Box::new(Store::new(0)))),
            process: None,
            life: 0,
            state: State::Down,
            pause: 0,
            inbox: VecDeque::new(),
            interrupt: None,
            connected: [false; NODES_MAX],
            refusal: None,
            setup: Setup::Works,
            backup: None,
            dark: false,
            retired: false,
        }
    }

    /// Under whose name it runs.
    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    pub(crate) fn kind(&self) -> MemberKind {
        self.kind
    }

    /// Which life of its process this is, or was the last.
    pub(crate) fn life(&self) -> Life {
        self.life
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn is_down(&self) -> bool {
        self.state == State::Down
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// Whether this life of its process goes on, be it stopped.
    pub(crate) fn lives(&self, life: Life) -> bool {
        self.life == life && !self.is_down()
    }

    pub(crate) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    pub(crate) fn process_mut(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    pub(crate) fn has_process(&self) -> bool {
        self.process.is_some()
    }

    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }

    pub(crate) fn seat_mut(&mut self) -> &mut Seat {
        &mut self.seat
    }

    // Its disk.

    /// What is durable.
    pub(crate) fn record(&self) -> Option<&Record> {
        self.disk.record()
    }

    pub(crate) fn disk_mut(&mut self) -> &mut Disk {
        &mut self.disk
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Whether its process runs and its record was not replaced.
    pub(crate) fn is_intact(&self) -> bool {
        self.has_process() && self.record().is_some_and(|record| record.storage == Storage::Intact)
    }

    /// The disk is well again: whether a save, and whether a sync, hung and ends now.
    pub(crate) fn mend_disk(&mut self) -> (bool, bool) {
        self.disk.set_state(DiskState::Well);
        self.process.as_mut().map_or((false, false), Process::mended)
    }

    /// Its process hands out a gate; how long its save takes, unless the disk hangs. One that needs no disk takes
    /// `without_disk`.
    pub(crate) fn begin_save(&mut self, gate: Gate, without_disk: impl FnOnce() -> u64) -> Option<u64> {
        let duration = if gate.record().is_some() { self.disk.duration() } else { Some(without_disk()) };
        self.process.as_mut()?.begin_save(gate, duration.is_none());
        duration
    }

    /// A sync of its host begins, if none is under way.
    pub(crate) fn begin_sync(&mut self) -> Sync {
        let Some(process) = self.process.as_mut().filter(|process| !process.is_syncing()) else {
            return Sync::UnderWay;
        };
        let duration = self.disk.duration();
        process.begin_sync(duration.is_none());
        duration.map_or(Sync::Hangs, Sync::EndsIn)
    }

    /// Puts a copy of what is durable aside.
    pub(crate) fn back_up(&mut self) {
        let (data, position) = (self.seat.hosted().disk(), self.seat.hosted().position());
        self.backup = self.record().map(|&record| Backup { record, data, position });
    }

    /// What was put aside.
    pub(crate) fn backup(&self) -> Option<&Backup> {
        self.backup.as_ref()
    }

    /// No process runs, and this is what is durable now.
    pub(crate) fn put_disk(&mut self, record: Record, data: &[u8]) {
        self.disk.install(record);
        self.seat.hosted_mut().put_disk(data);
    }

    // Its life.

    /// Whether a process may start.
    pub(crate) fn may_start(&self) -> bool {
        !self.has_process() && !self.retired
    }

    /// A start fails.
    pub(crate) fn refuse_start(&mut self, why: String) {
        self.refusal = Some(why);
    }

    /// Why its last start was refused.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// A process starts.
    pub(crate) fn start(&mut self, life: Life, elector: Elector) {
        self.life = life;
        self.dark = false;
        self.refusal = None;
        self.state = State::Running;
        self.connected = Default::default();
        self.process = Some(Process::new(elector));
    }

    /// Its process is gone, all that it had in memory included.
    pub(crate) fn end_process(&mut self) -> Option<Process> {
        self.process.take()
    }

    /// What dies with a process, and what chance spares.
    pub(crate) fn die(&mut self, process: Process) -> Remains {
        let saved = process.record_under_way().copied().filter(|record| {
            self.disk.crash_during(record);
            self.disk.record() == Some(record)
        });
        let landed = process.is_syncing() && self.disk.survives();
        self.seat.crashed(landed);
        self.state = State::Down;
        self.interrupt = None;
        let inputs = std::mem::take(&mut self.inbox).into_iter().chain(process.into_held()).collect();
        Remains { saved, inputs }
    }

    /// Its process stops between two instructions: the number of this pause.
    pub(crate) fn pause(&mut self) -> u32 {
        self.state = State::Paused;
        self.pause += 1;
        self.pause
    }

    /// The number of its last pause.
    pub(crate) fn last_pause(&self) -> u32 {
        self.pause
    }

    /// Whether it is still in this very pause.
    pub(crate) fn is_in_pause(&self, life: Life, pause: u32) -> bool {
        (self.life, self.pause, self.state) == (life, pause, State::Paused)
    }

    /// Its process goes on, with what it stopped in.
    pub(crate) fn go_on(&mut self) -> Option<Stopped> {
        self.state = State::Running;
        self.process.as_mut().map(Process::take_stopped)
    }

    pub(crate) fn retire(&mut self) {
        self.retired = true;
    }

    pub(crate) fn lose_power(&mut self) {
        self.dark = true;
    }

    pub(crate) fn is_dark(&self) -> bool {
        self.dark
    }

    pub(crate) fn set_setup(&mut self, setup: Setup) {
        self.setup = setup;
    }

    pub(crate) fn setup_fails(&self) -> bool {
        self.setup == Setup::Fails
    }

    // What reaches its process.

    /// Something waits for a stopped process.
    pub(crate) fn wait(&mut self, input: Input) {
        self.inbox.push_back(input);
    }

    /// The next of what waits.
    pub(crate) fn next_waiting(&mut self) -> Option<Input> {
        self.inbox.pop_front()
    }

    /// What its host waits for comes before what its elector waits for.
    pub(crate) fn let_host_go_first(&mut self) {
        self.inbox.make_contiguous().sort_by_key(|input| !input.is_for_the_host());
    }

    // Interrupts.

    /// So many outputs from now, this happens.
    pub(crate) fn interrupt_after(&mut self, after: u32, interrupt: Interrupt) {
        self.interrupt = Some((after, interrupt));
    }

    pub(crate) fn forget_interrupt(&mut self) {
        self.interrupt = None;
    }

    /// An input comes: for how long its process stops once it has read the clock, if it does.
    pub(crate) fn stops_after_clock(&mut self) -> Option<u64> {
        match self.interrupt {
            Some((0, Interrupt::PauseAfterClock(span))) => {
                self.interrupt = None;
                Some(span)
            }
            Some((left, interrupt @ Interrupt::PauseAfterClock(_))) => {
                self.interrupt = Some((left - 1, interrupt));
                None
            }
            _ => None,
        }
    }

    /// An output comes: what strikes before it, if something does.
    pub(crate) fn strikes_now(&mut self) -> Option<Interrupt> {
        match self.interrupt {
            None | Some((_, Interrupt::PauseAfterClock(_))) => None,
            Some((left @ 1.., interrupt)) => {
                self.interrupt = Some((left - 1, interrupt));
                None
            }
            Some((0, interrupt)) => {
                self.interrupt = None;
                Some(interrupt)
            }
        }
    }

    // Connections.

    pub(crate) fn is_connected(&self, peer: NodeIndex) -> bool {
        self.connected[peer]
    }

    pub(crate) fn set_connected(&mut self, peer: NodeIndex, connected: bool) {
        self.connected[peer] = connected;
    }

    pub(crate) fn disconnect(&mut self) {
        self.connected = Default::default();
    }

    // Ticks.

    /// When a tick must go on the agenda, if another one than is there.
    pub(crate) fn next_tick(&mut self, now: Real, reaches: impl Fn(Time) -> Option<Real>) -> Option<Real> {
        self.process.as_mut()?.next_tick(now, reaches)
    }
}
