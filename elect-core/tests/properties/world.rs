//! The world: members, the network between them, and the checks after every input.

use std::collections::BTreeMap;
use std::time::Duration;

use elect_core::wire::{self, FRAME_BYTES_MAX};
use elect_core::{
    Authority, ClusterId, Config, Detection, Driver, Duty, Elector, Epoch, Fence, Frame, Gate, MemberKind,
    NodeId, Notice, PeerState, Position, Raised, Record, Requested, Step, SteppedDown, Storage, Time,
};

use crate::books::Books;
use crate::member::{Clock, Disk, Member, Store, Tail};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const DETECTION: Duration = Duration::from_millis(60);

/// Whether members only say what their electors say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frames {
    Honest,
    /// Likewise, but copies of their last frames arrive with another genesis.
    Geneses,
    Forged,
}

/// A kind of group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) voters: usize,
    pub(crate) witnesses: usize,
    pub(crate) observers: usize,
    pub(crate) crash_evidence: bool,
    pub(crate) adaptive: bool,
    /// The members are configured with different detection times.
    pub(crate) differing: bool,
}

/// How the network treats the frames sent from now on. Chances are of 256.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    pub(crate) loss: u8,
    pub(crate) duplication: u8,
    /// The longest delay.
    pub(crate) delay_max: u64,
}

pub(crate) const CALM: Network = Network { loss: 0, duplication: 0, delay_max: MS / 2 };

struct Flight {
    from: usize,
    to: usize,
    frame: Frame,
}

pub(crate) struct World {
    pub(crate) shape: Shape,
    pub(crate) frames: Frames,
    /// Real time.
    pub(crate) now: u64,
    pub(crate) members: Vec<Member>,
    pub(crate) network: Network,
    /// `cut[from][to]`
    pub(crate) cut: Vec<Vec<bool>>,
    flights: BTreeMap<(u64, u64), Flight>,
    flown: u64,
    pub(crate) books: Books,
    voting: u32,
    chance: u64,
    /// Losing a disk loses data: liveness is not owed then.
    pub(crate) wiped: bool,
    output: Output,
    buffer: Box<[u8; FRAME_BYTES_MAX]>,
    /// Elected hosts that have not been heard of yet.
    to_serve: Vec<usize>,
    /// Also compare what events say, not only which they are.
    verbose: bool,
}

/// What one step gave, in the order in which it must come.
#[derive(Default)]
struct Output {
    losses: Vec<SteppedDown>,
    frames: Vec<(NodeId, Frame)>,
    gate: Option<Gate>,
    duties: Vec<Duty>,
    notices: Vec<Notice>,
}

impl Driver for Output {
    fn lost(&mut self, loss: SteppedDown) {
        assert!(
            self.frames.is_empty() && self.gate.is_none() && self.nothing_told(),
            "S8: a loss comes first"
        );
        self.losses.push(loss);
    }

    fn send(&mut self, to: NodeId, frame: &Frame) {
        assert!(self.nothing_told() && self.gate.is_none());
        self.frames.push((to, frame.clone()));
    }

    fn save(&mut self, gate: Gate) {
        assert!(self.gate.replace(gate).is_none(), "one gate at a time");
    }

    fn act(&mut self, duty: Duty) {
        self.duties.push(duty);
    }

    fn happened(&mut self, notice: Notice) {
        self.notices.push(notice);
    }
}

impl Output {
    fn nothing_told(&self) -> bool {
        self.duties.is_empty() && self.notices.is_empty()
    }
}

fn name(index: usize) -> NodeId {
    NodeId::new(&format!("n{index}")).unwrap()
}

impl Shape {
    pub(crate) const fn count(self) -> usize {
        self.voters + self.witnesses + self.observers
    }

    fn config(self, index: usize, seed: u64) -> Config {
        let ids = (0..self.count()).map(name);
        // Some too short for the longest: whoever needs 44 ms to lead leaves nobody out, but hardly so.
        let quarters = if self.differing { [4, 3, 8, 4, 6][index % 5] } else { 4 };
        let floor = DETECTION / 4 * quarters;
        let detection = if self.adaptive {
            Detection::Adaptive { floor, ceiling: floor * 2, phi: 8 }
        } else {
            Detection::Fixed(floor)
        };
        Config::builder(ClusterId::new("chaos").unwrap(), name(index))
            .voters(ids.clone().take(self.voters))
            .witnesses(ids.clone().skip(self.voters).take(self.witnesses))
            .observers(ids.skip(self.voters + self.witnesses))
            .heartbeat_interval(Duration::from_millis(20))
            .detection(detection)
            .round_trip(Duration::from_millis(1))
            .save(Duration::from_millis(1))
            .clock_granularity(Duration::from_micros(10))
            .handover_timeout(Duration::from_millis(80))
            .office_timeout(Duration::from_millis(100))
            .fail_back_cooldown(Duration::from_millis(150))
            .priority(if index == 1 { 101 } else { 100 })
            .crash_evidence(self.crash_evidence)
            .seed(seed)
            .build()
            .unwrap()
    }
}

impl World {
    pub(crate) fn new(shape: Shape, frames: Frames, seed: u64) -> Self {
        let count = shape.count();
        let mut world = Self {
            shape,
            frames,
            now: 10_000 * MS,
            members: Vec::new(),
            network: CALM,
            cut: vec![vec![false; count]; count],
            flights: BTreeMap::new(),
            flown: 0,
            books: Books::new(frames != Frames::Forged),
            voting: (1 << (shape.voters + shape.witnesses)) - 1,
            chance: seed | 1,
            wiped: false,
            output: Output::default(),
            buffer: Box::new([0; FRAME_BYTES_MAX]),
            to_serve: Vec::new(),
            verbose: seed.is_multiple_of(8),
        };
        for index in 0..count {
            let config = shape.config(index, seed);
            let clock = Clock { offset: world.draw(1_000_000_000), rate: 990_000 + world.draw(20_001) };
            let tail = Tail::default();
            world.members.push(Member {
                id: config.node(),
                store: Store { record: Record::first_boot(&config), fails: None },
                config,
                elector: None,
                authority: None,
                clock,
                gate: None,
                gate_due: 0,
                disk: Disk::Works,
                fence: Fence::new(tail.clone()),
                tail,
                elected: None,
                led: None,
                stopped: false,
                paused_until: 0,
                lazy: false,
                starts: 0,
                said: vec![None; count],
                copies: vec![None; count],
            });
            world.start(index);
        }
        world
    }

    /// Uniform enough in `0..below`.
    pub(crate) fn draw(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) % below.max(1)
    }

    pub(crate) fn local(&self, index: usize) -> Time {
        self.members[index].clock.read(self.now)
    }

    pub(crate) fn start(&mut self, index: usize) {
        let now = self.local(index);
        let shape = self.shape;
        let member = &mut self.members[index];
        if member.elector.is_some() {
            return;
        }
        self.books.started(index);
        member.starts += 1;
        member.config = shape.config(index, member.starts);
        member.fence = Fence::new(member.tail.clone());
        let elector = Elector::new(member.config.clone(), member.store.record, now).unwrap();
        member.authority = Some(elector.authority());
        member.elector = Some(elector);
    }

    /// One input to one node that runs, and the checks after it.
    pub(crate) fn input(&mut self, index: usize, input: impl FnOnce(&mut Elector, Time) -> Step<'_>) {
        self.request(index, |elector, now| input(elector, now).into());
    }

    /// The same for an input that may be refused: what it brought about comes all the same.
    pub(crate) fn request(
        &mut self,
        index: usize,
        request: impl FnOnce(&mut Elector, Time) -> Requested<'_>,
    ) {
        let now = self.local(index);
        let Some(elector) = &mut self.members[index].elector else { return };
        let _ = request(elector, now).resolve(&mut self.output);
        self.absorb(index);
        while let Some(elected) = self.to_serve.pop() {
            self.serve(elected);
        }
    }

    fn absorb(&mut self, index: usize) {
        let mut output = std::mem::take(&mut self.output);
        let was_stopped = self.members[index].stopped;
        self.note_losses(index, &output.losses);
        self.note_gains(index, &output.duties);
        let stopped = self.members[index].stopped;
        if was_stopped {
            assert!(
                output.losses.is_empty() && output.frames.is_empty() && output.gate.is_none(),
                "S11: it spoke"
            );
        }
        for (to, frame) in output.frames.drain(..) {
            assert!(!stopped || matches!(frame.header.state, PeerState::Stopped(_)), "S11: {frame:?}");
            self.post(index, to, frame);
        }
        if let Some(gate) = output.gate.take() {
            assert!(!stopped, "S11: it saves");
            self.begin_save(index, gate);
        }
        for duty in output.duties.drain(..) {
            self.note(index, duty);
        }
        for notice in output.notices.drain(..) {
            self.books.digest.add(1);
            if self.verbose {
                self.books.digest.add_bytes(format!("{notice:?}").as_bytes());
            }
        }
        output.losses.clear();
        self.output = output;
        self.check_leases(index);
    }

    fn note_losses(&mut self, index: usize, losses: &[SteppedDown]) {
        for loss in losses {
            let member = &mut self.members[index];
            let led = member.led.take();
            assert_eq!(led, Some(loss.epoch), "S8: {} lost what it did not lead", member.id);
            member.elected = None;
            self.books.digest.add(loss.epoch.number());
            if self.verbose {
                self.books.digest.add_bytes(format!("{loss:?}").as_bytes());
            }
        }
    }

    /// What follows from the duties for the frames of the same step.
    fn note_gains(&mut self, index: usize, duties: &[Duty]) {
        for duty in duties {
            let epoch = match duty {
                Duty::Elected(elected) => {
                    assert_eq!(
                        self.members[index].led, None,
                        "S8: elected without losing the epoch led before"
                    );
                    elected.epoch()
                }
                Duty::EpochRaised { from, raised } => {
                    assert_eq!(self.members[index].led, Some(*from), "S8: raised what it did not lead");
                    raised.epoch()
                }
                Duty::Stopped { .. } => {
                    assert_eq!(self.members[index].led, None, "S11: stopped without stepping down");
                    self.members[index].stopped = true;
                    continue;
                }
                _ => continue,
            };
            let member = &mut self.members[index];
            member.led = Some(epoch);
            let quorum = member.config.members().quorum();
            self.books.leads(index, epoch, &member.store.record, self.voting, quorum);
        }
    }

    /// Whether the log of this member may lawfully end there: no higher than its durable epoch, or its storage is
    /// replaced.
    pub(crate) fn may_hold(&self, index: usize, position: Option<Position>) -> bool {
        let record = &self.members[index].store.record;
        record.storage == Storage::Replaced || position.is_none_or(|position| position.epoch <= record.epoch)
    }

    fn note(&mut self, index: usize, duty: Duty) {
        if self.verbose {
            self.books.digest.add_bytes(format!("{duty:?}").as_bytes());
        }
        let member = &mut self.members[index];
        match duty {
            Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. } => {
                member.elected = Some(elected);
                if !member.lazy {
                    self.to_serve.push(index);
                }
            }
            Duty::Stopped { reason } => {
                let owed = self.frames == Frames::Forged || self.wiped;
                let storage = matches!(reason, elect_core::Stopped::StorageFailed(_));
                assert!(storage || owed, "S13: {reason} in a group without clones");
            }
            _ => self.books.digest.add(1),
        }
    }

    /// S5 and S8: the cell shows what the events said, and nobody else's does.
    fn check_leases(&self, index: usize) {
        let holds = |member: &Member, authority: &Authority| authority.lease(member.clock.read(self.now));
        let member = &self.members[index];
        if let Some(lease) = member.authority.as_ref().and_then(|authority| holds(member, authority)) {
            assert_eq!(member.led, Some(lease.epoch), "S8: the cell of {} shows another epoch", member.id);
        }
        if self.frames == Frames::Forged {
            return;
        }
        let valid = |m: &&Member| m.authority.as_ref().is_some_and(|a| holds(m, a).is_some());
        assert!(self.members.iter().filter(valid).count() <= 1, "S5: two leases at once");
    }

    pub(crate) fn post(&mut self, from: usize, to: NodeId, frame: Frame) {
        let to = self.index(to);
        self.books.sent(from, to, &frame, &self.members[from].store.record);
        let length = wire::encode(&frame, &mut self.buffer);
        self.books.digest.add_bytes(&self.buffer[..length]);
        self.members[from].said[to] = Some(frame.header.nonce);
        if self.frames == Frames::Geneses {
            self.members[from].copies[to] = Some(frame.clone());
        }
        if self.cut[from][to] || self.draw(256) < u64::from(self.network.loss) {
            return;
        }
        if self.draw(256) < u64::from(self.network.duplication) {
            self.fly(from, to, frame.clone());
        }
        self.fly(from, to, frame);
    }

    fn fly(&mut self, from: usize, to: usize, frame: Frame) {
        let due = self.now + MS / 10 + self.draw(self.network.delay_max);
        self.flown += 1;
        self.flights.insert((due, self.flown), Flight { from, to, frame });
    }

    pub(crate) fn index(&self, id: NodeId) -> usize {
        self.members.iter().position(|member| member.id == id).unwrap()
    }

    fn begin_save(&mut self, index: usize, gate: Gate) {
        let took = match self.members[index].disk {
            Disk::Hangs => u64::MAX / 2,
            Disk::Slow => MS * 70,
            _ => MS / 5,
        };
        self.members[index].gate_due = self.now + took;
        self.members[index].gate = Some(gate);
    }

    /// The save under way ends, well or not.
    fn finish_save(&mut self, index: usize) {
        let Some(gate) = self.members[index].gate.take() else { return };
        let members = &mut self.members;
        let old = members[index].store.record;
        let member = &mut members[index];
        member.store.fails =
            Some(member.disk).filter(|disk| matches!(disk, Disk::FailsWithOld | Disk::FailsWithNew));
        let floor = gate.record().map_or(old.epoch, |record| record.epoch);
        let result = gate.commit(&mut member.store, &member.fence);
        if result.is_ok() {
            assert_eq!(member.fence.floor(), floor, "S6: the floor is the adopted epoch");
        }
        self.note_record(index, &old);
        let failed = result.is_err();
        self.input(index, |elector, now| elector.on_gated(result, now));
        assert!(!failed || self.members[index].stopped, "S11: it goes on after a failed save");
    }

    fn note_record(&mut self, index: usize, old: &Record) {
        let new = self.members[index].store.record;
        let ids: Vec<_> = self.members.iter().map(|member| member.id).collect();
        let candidate =
            |record: &Record| ids.iter().position(|id| *id == record.holder.unwrap().node).unwrap();
        self.books.saved(index, old, &new, candidate);
    }

    /// The process dies; a save under way may or may not have reached the disk.
    pub(crate) fn crash(&mut self, index: usize, saved: bool) {
        if let Some(gate) = self.members[index].gate.take()
            && saved
        {
            let old = self.members[index].store.record;
            let member = &mut self.members[index];
            member.store.fails = None;
            let _ = gate.commit(&mut member.store, &member.fence);
            self.note_record(index, &old);
        }
        self.members[index].kill();
    }

    /// The host of an elected node finds into office.
    pub(crate) fn serve(&mut self, index: usize) {
        let member = &mut self.members[index];
        let Some(elected) = member.elected.take() else { return };
        let (epoch, source) = (elected.epoch(), elected.catch_up_from());
        let held = source.map_or(member.tail.0.get(), |source| Some(source.position));
        let caught_up = elected.caught_up(held).unwrap();
        let own = Position::new(epoch, held.map_or(1, |held| held.offset.saturating_add(1)));
        member.tail.0.set(Some(own));
        let office = caught_up.own_entry_committed(own).unwrap();
        self.input(index, |elector, now| elector.set_position(Some(own), now));
        self.input(index, |elector, now| elector.on_office(&office, now));
    }

    /// Real time passes, and everything happens that is due.
    pub(crate) fn run(&mut self, span: u64) {
        let end = self.now + span;
        while self.step_until(end) {}
        self.now = end;
    }

    /// The next thing that happens before `end`.
    pub(crate) fn step_until(&mut self, end: u64) -> bool {
        let own =
            self.members.iter().enumerate().map(|(index, member)| (member.next_due(), index)).min().unwrap();
        let flight = self.flights.first_key_value().map_or((u64::MAX, 0), |(key, _)| *key);
        if own.0.min(flight.0) > end {
            return false;
        }
        if flight.0 <= own.0 {
            let Flight { from, to, frame } = self.flights.remove(&flight).unwrap();
            self.now = self.now.max(flight.0);
            self.arrive(from, to, frame);
        } else {
            self.now = self.now.max(own.0);
            let member = &self.members[own.1];
            if member.gate.is_some() && member.gate_due <= self.now {
                self.finish_save(own.1);
            } else {
                self.input(own.1, Elector::tick);
            }
        }
        true
    }

    fn arrive(&mut self, from: usize, to: usize, frame: Frame) {
        let resumes = self.members[to].paused_until;
        if resumes > self.now {
            // It waits in the socket's buffer.
            self.flown += 1;
            self.flights.insert((resumes, self.flown), Flight { from, to, frame });
            return;
        }
        self.deliver(from, to, &frame);
    }

    pub(crate) fn deliver(&mut self, from: usize, to: usize, frame: &Frame) {
        self.books.arrives(from, to, frame);
        let from = self.members[from].id;
        self.input(to, |elector, now| elector.on_message(from, frame, now));
    }

    /// The epoch of the one valid lease.
    pub(crate) fn leader(&self) -> Option<(usize, Epoch)> {
        self.members.iter().enumerate().find_map(|(index, member)| {
            let lease = member.authority.as_ref()?.lease(member.clock.read(self.now))?;
            Some((index, lease.epoch))
        })
    }

    pub(crate) fn is_voter(&self, index: usize) -> bool {
        self.members[index].config.kind() == MemberKind::Voter
    }
}
