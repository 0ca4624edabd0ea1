//! One real elector, its disk and its fence; every peer is played by the test.
#![allow(unreachable_pub, reason = "a module of one test binary")]

use std::collections::BTreeMap;
use std::time::Duration;

use elect_core::{
    Birth, Blocker, Body, Config, ConfigBuilder, Driver, Duty, Elected, Elector, Epoch, Fence, Frame, Gate,
    Header, Heartbeat, Ignored, Incarnation, Lead, LinkState, Loss, NodeId, Nonce, Notice, Position, Record,
    RequestRefused, Requested, Standing, Step, Time,
};

use crate::harness::{Disk, MS, Tail, builder, id};

/// The detection time of every configuration here, unless a test says otherwise.
pub const D: Duration = Duration::from_millis(500);
/// D(1 + ρ): how long a promise runs on the voter's clock.
pub const PROMISE: Duration = Duration::from_millis(505);
/// D(1 - ρ) - σ: how long a lease runs on the leader's clock.
pub const LEASE: Duration = Duration::from_millis(494);
/// The heartbeat interval.
pub const INTERVAL: Duration = Duration::from_millis(50);
/// The delay per rank.
pub const RANK_STEP: Duration = Duration::from_millis(80);
/// The election timeout of three voters.
pub const ELECTION_TIMEOUT: Duration = Duration::from_millis(745);

pub fn epoch(number: u64) -> Epoch {
    Epoch::new(number)
}

#[expect(clippy::unnecessary_wraps, reason = "a position may be missing wherever one is expected")]
pub fn at(epoch_of_entry: u64, offset: u64) -> Option<Position> {
    Some(Position::new(epoch(epoch_of_entry), offset))
}

pub fn leading(number: u64) -> Standing {
    Standing::Leading(epoch(number))
}

pub fn stands(number: u64) -> Standing {
    Standing::Standing(epoch(number))
}

pub fn follows(leader: &str, number: u64) -> Standing {
    Standing::Following(id(leader), epoch(number))
}

/// A healthy voter's heartbeat.
pub fn heartbeat() -> Heartbeat {
    Heartbeat {
        position: None,
        eligible: true,
        healthy: true,
        priority: 100,
        application: 0,
        lead: None,
        freeze: None,
    }
}

pub fn beat() -> Body {
    Body::Heartbeat(heartbeat())
}

pub fn beat_at(position: Option<Position>) -> Body {
    Body::Heartbeat(Heartbeat { position, ..heartbeat() })
}

/// A leader's heartbeat.
pub fn lead(detection: Duration) -> Body {
    let lead = Some(Lead { detection });
    Body::Heartbeat(Heartbeat { lead, ..heartbeat() })
}

pub fn offer(number: u64) -> Body {
    Body::Offer { epoch: epoch(number), detection: D }
}

pub fn accept(number: u64) -> Body {
    Body::Accept { epoch: epoch(number), position: None, freeze: None }
}

/// What one elector did, in the order in which it was told.
#[derive(Default)]
struct Told {
    losses: Vec<Loss>,
    frames: Vec<(NodeId, Frame)>,
    gate: Option<Gate>,
    duties: Vec<Duty>,
    notices: Vec<Notice>,
    order: Vec<&'static str>,
}

impl Driver for Told {
    fn lost(&mut self, loss: Loss) {
        self.losses.push(loss);
        self.order.push("lost");
    }

    fn send(&mut self, to: NodeId, frame: &Frame) {
        self.frames.push((to, frame.clone()));
        self.order.push("sent");
    }

    fn save(&mut self, gate: Gate) {
        assert!(self.gate.replace(gate).is_none(), "one gate at a time");
        self.order.push("save");
    }

    fn act(&mut self, duty: Duty) {
        self.duties.push(duty);
        self.order.push("act");
    }

    fn happened(&mut self, notice: Notice) {
        self.notices.push(notice);
        self.order.push("happened");
    }
}

pub struct Solo {
    pub elector: Elector,
    pub now: Time,
    pub disk: Disk,
    pub tail: Tail,
    pub fence: Fence<Tail>,
    pub gate: Option<Gate>,
    pub frames: Vec<(NodeId, Frame)>,
    pub duties: Vec<Duty>,
    pub notices: Vec<Notice>,
    pub losses: Vec<Loss>,
    /// The kinds of outputs, in the order of [`Step::resolve`].
    pub order: Vec<&'static str>,
    /// The newest nonce that each peer got.
    received: BTreeMap<NodeId, Nonce>,
    /// The life that each peer speaks from.
    pub lives: BTreeMap<NodeId, Incarnation>,
    /// What the lives of those peers began with that tell it.
    pub births: BTreeMap<NodeId, Birth>,
    peers_clock: Time,
}

impl Solo {
    /// Voter `a` of `a`, `b` and `c` after its first boot: its incarnation is saved, nobody was heard.
    pub fn new() -> Self {
        Self::with(builder("a", &["a", "b", "c"]))
    }

    pub fn with(builder: ConfigBuilder) -> Self {
        let config = builder.build().unwrap();
        let record = Record::first_boot(&config);
        Self::from_record(config, record)
    }

    /// Starts from `record` and saves the new incarnation.
    pub fn from_record(config: Config, record: Record) -> Self {
        let mut solo = Self::starting(config, record);
        solo.tick().commit();
        solo
    }

    /// A start with nothing saved yet.
    pub fn starting(config: Config, record: Record) -> Self {
        let now = Time::from_nanos(1_000 * MS);
        let tail = Tail::default();
        Self {
            elector: Elector::new(config, record, now).unwrap(),
            now,
            disk: Disk { record, fails: false, history: Vec::new() },
            fence: Fence::new(tail.clone()),
            tail,
            gate: None,
            frames: Vec::new(),
            duties: Vec::new(),
            notices: Vec::new(),
            losses: Vec::new(),
            order: Vec::new(),
            received: BTreeMap::new(),
            lives: BTreeMap::new(),
            births: BTreeMap::new(),
            peers_clock: now,
        }
    }

    /// A power cut and a restart with the record that is on the disk.
    pub fn restarted(self) -> Self {
        let mut next = Self::from_record(self.elector.config().clone(), self.disk.record);
        next.lives = self.lives;
        next
    }

    pub fn step(&mut self, input: impl FnOnce(&mut Elector, Time) -> Step<'_>) -> &mut Self {
        let mut told = Told::default();
        input(&mut self.elector, self.now).resolve(&mut told);
        self.note(told);
        self
    }

    /// A request; its refusal, if any.
    pub fn request(
        &mut self,
        input: impl FnOnce(&mut Elector, Time) -> Requested<'_>,
    ) -> Result<(), RequestRefused> {
        let mut told = Told::default();
        let result = input(&mut self.elector, self.now).resolve(&mut told);
        self.note(told);
        result
    }

    fn note(&mut self, told: Told) {
        for (to, frame) in &told.frames {
            self.received.insert(*to, frame.header.nonce);
        }
        if let Some(gate) = told.gate {
            assert!(self.gate.replace(gate).is_none(), "one gate at a time");
        }
        self.losses.extend(told.losses);
        self.frames.extend(told.frames);
        self.duties.extend(told.duties);
        self.notices.extend(told.notices);
        self.order.extend(told.order);
    }

    pub fn tick(&mut self) -> &mut Self {
        self.step(Elector::tick)
    }

    /// The disk finishes the gate that is under way.
    pub fn commit(&mut self) -> &mut Self {
        let gate = self.gate.take().expect("nothing is being saved");
        let result = gate.commit(&mut self.disk, &self.fence);
        self.step(|elector, now| elector.on_gated(result, now))
    }

    /// Time passes, with every tick that falls due.
    pub fn pass(&mut self, span: Duration) -> &mut Self {
        let end = self.now + span;
        while self.elector.deadline() <= end {
            self.now = self.now.max(self.elector.deadline());
            self.tick();
        }
        self.now = end;
        self
    }

    /// A frame of `from` that echoes the newest frame it got.
    pub fn frame(&mut self, from: &str, durable: u64, standing: Standing, body: Body) -> Frame {
        let from = id(from);
        self.peers_clock = self.now.max(Time::from_nanos(self.peers_clock.as_nanos() + 1));
        let life = self.lives.get(&from).copied().unwrap_or(Incarnation { counter: 1, random: 1 });
        let header = Header {
            group: 0,
            members: self.elector.config().digest(),
            epoch: epoch(durable),
            standing,
            nonce: Nonce { incarnation: life, sent: self.peers_clock },
            echo: self.received.get(&from).copied(),
            birth: self.births.get(&from).copied(),
        };
        Frame { header, body }
    }

    /// The frame arrives. Why it counted for nothing, if it did.
    pub fn deliver(&mut self, from: &str, frame: &Frame) -> Option<Ignored> {
        let from = id(from);
        let before = self.notices.len();
        self.step(|elector, now| elector.on_message(from, frame, now));
        self.notices[before..].iter().find_map(|notice| match notice {
            Notice::Ignored { reason, .. } => Some(*reason),
            _ => None,
        })
    }

    /// A fresh frame of `from` arrives.
    pub fn hear(&mut self, from: &str, durable: u64, standing: Standing, body: Body) -> Option<Ignored> {
        let frame = self.frame(from, durable, standing, body);
        self.deliver(from, &frame)
    }

    /// `from` is connected and free.
    pub fn hear_free(&mut self, from: &str, durable: u64) -> Option<Ignored> {
        self.hear(from, durable, Standing::Free, beat())
    }

    /// `from` says that it leads.
    pub fn hear_leader(&mut self, from: &str, number: u64) -> Option<Ignored> {
        self.hear(from, number, leading(number), lead(D))
    }

    /// `from` offers itself.
    pub fn hear_offer(&mut self, from: &str, number: u64) -> Option<Ignored> {
        self.hear(from, number - 1, stands(number), offer(number))
    }

    /// `from` accepts the open offer.
    pub fn hear_accept(&mut self, from: &str, number: u64) -> Option<Ignored> {
        self.hear(from, number, Standing::Bound, accept(number))
    }

    /// `from` acknowledges this node as the leader of `number`.
    pub fn hear_acknowledgement(&mut self, from: &str, number: u64) -> Option<Ignored> {
        self.hear(from, number, follows("a", number), beat())
    }

    pub fn link(&mut self, peer: &str, state: LinkState) -> &mut Self {
        let peer = id(peer);
        self.step(|elector, now| elector.on_link(peer, state, now))
    }

    pub fn set_position(&mut self, position: Option<Position>) -> &mut Self {
        *self.tail.0.borrow_mut() = position;
        self.step(|elector, now| elector.set_position(position, now))
    }

    /// This node follows `leader` in epoch `number`.
    pub fn follow(&mut self, leader: &str, number: u64) -> &mut Self {
        assert_eq!(self.hear_leader(leader, number), None);
        self.commit();
        assert_eq!(self.leader(), Some((id(leader), epoch(number))));
        self
    }

    /// This node has accepted `candidate` in epoch `number`.
    pub fn give_word(&mut self, candidate: &str, number: u64) -> &mut Self {
        assert_eq!(self.hear_offer(candidate, number), None);
        self.commit();
        self
    }

    /// This node stands: `b` is free and connected.
    pub fn stand(&mut self) -> u64 {
        self.hear_free("b", 0);
        self.offered().expect("it stands")
    }

    /// This node leads epoch 1 by the accept of `b`, and its host serves.
    pub fn lead(&mut self) -> &mut Self {
        let number = self.stand();
        // A moment later, so that the lease is bounded by the grant and not by the own clock.
        self.pass(Duration::from_millis(1)).commit();
        assert_eq!(self.hear_accept("b", number), None);
        self.enter_office();
        assert_eq!(self.leader(), Some((id("a"), epoch(number))));
        self.clear()
    }

    /// The host serves without a log.
    pub fn enter_office(&mut self) -> &mut Self {
        let office = self.take_elected().serve_without_log_forgetting_earlier_writes();
        self.step(|elector, now| elector.on_office(&office, now))
    }

    pub fn take_elected(&mut self) -> Elected {
        let found = self.duties.iter().position(|duty| matches!(duty, Duty::Elected(_)));
        match self.duties.remove(found.expect("it is elected")) {
            Duty::Elected(elected) => elected,
            _ => unreachable!("the position of an election"),
        }
    }

    /// Forgets what was seen so far.
    pub fn clear(&mut self) -> &mut Self {
        self.frames.clear();
        self.duties.clear();
        self.notices.clear();
        self.losses.clear();
        self.order.clear();
        self
    }

    pub fn leader(&self) -> Option<(NodeId, Epoch)> {
        self.elector.explain(self.now).leader
    }

    /// Whom this node has promised, in which epoch, until when.
    pub fn bound_to(&self) -> Option<(NodeId, Epoch, Time)> {
        self.elector.explain(self.now).bound_to
    }

    pub fn blocker(&self) -> Option<Blocker> {
        self.elector.explain(self.now).blocker
    }

    pub fn holds_lease(&self) -> bool {
        self.elector.authority().lease(self.now).is_some()
    }

    pub fn lease_end(&self) -> Time {
        self.elector.authority().lease(self.now).expect("it holds a lease").end
    }

    /// The epoch of the newest offer that left.
    pub fn offered(&self) -> Option<u64> {
        self.frames.iter().rev().find_map(|(_, frame)| match frame.body {
            Body::Offer { epoch, .. } => Some(epoch.number()),
            _ => None,
        })
    }

    /// The frames to `peer` that left since the last [`clear`](Self::clear).
    pub fn sent_to(&self, peer: &str) -> impl DoubleEndedIterator<Item = &Frame> {
        let peer = id(peer);
        self.frames.iter().filter(move |(to, _)| *to == peer).map(|(_, frame)| frame)
    }

    /// The newest frame to `peer`.
    pub fn last_to(&self, peer: &str) -> &Frame {
        self.sent_to(peer).next_back().unwrap_or_else(|| panic!("nothing was sent to {peer}"))
    }

    pub fn saw(&self, what: impl Fn(&Notice) -> bool) -> bool {
        self.notices.iter().any(what)
    }

    /// Whether the host was told to act so.
    pub fn must(&self, what: impl Fn(&Duty) -> bool) -> bool {
        self.duties.iter().any(what)
    }
}

/// A span short of a point by the smallest step.
pub fn just_before(span: Duration) -> Duration {
    span.checked_sub(Duration::from_nanos(1)).unwrap()
}
