//! One real elector, its disk and its fence; every peer is played by the test.

mod hear;
mod look;

use std::collections::BTreeMap;
use std::time::Duration;

use elect_core::{
    Birth, Config, ConfigBuilder, Duty, Elected, Elector, Fence, Frame, Gate, Incarnation, LinkState, NodeId,
    Nonce, Notice, Position, Profile, Record, RequestRefused, Requested, Step, SteppedDown, Time,
    ToldGenesis,
};

use crate::collected::{Collected, Told};
use crate::{MS, MemoryStore, Tail, builder, id};

pub use crate::frames::{
    D, ELECTION_TIMEOUT, FIVE, INTERVAL, LEASE, NEEDED, OPEN, PROMISE, RANK_STEP, accept, asked_by, at, beat,
    beat_at, beat_with, completed, epoch, follows, given, heartbeat, lead, lead_with, leading, offer, resume,
    stamp, stands,
};

/// One real elector among peers that the test plays.
#[derive(Debug)]
pub struct Solo {
    /// The elector.
    pub elector: Elector,
    /// Its clock.
    pub now: Time,
    /// Its vote store.
    pub disk: MemoryStore,
    /// The end of its log.
    pub tail: Tail,
    /// The floor of its log.
    pub fence: Fence<Tail>,
    /// The save under way.
    pub gate: Option<Gate>,
    /// What left, with the addressees.
    pub frames: Vec<(NodeId, Frame)>,
    /// What the host must act on.
    pub duties: Vec<Duty>,
    /// What the host may want to know.
    pub notices: Vec<Notice>,
    /// What it lost.
    pub losses: Vec<SteppedDown>,
    /// The kinds of outputs, in the order of [`Step::resolve`].
    pub order: Vec<&'static str>,
    /// The newest nonce that each peer got.
    received: BTreeMap<NodeId, Nonce>,
    /// The life that each peer speaks from.
    pub lives: BTreeMap<NodeId, Incarnation>,
    /// The longest detection time that each peer's configuration allows, where it is not this node's.
    pub maxima: BTreeMap<NodeId, Duration>,
    /// The detection time that the newest frame to each peer carried.
    asked: BTreeMap<NodeId, Duration>,
    /// What the lives of those peers began with that tell it.
    pub births: BTreeMap<NodeId, Birth>,
    /// What the hosts of those peers say of themselves that tell it.
    pub profiles: BTreeMap<NodeId, Profile>,
    peers_clock: Time,
    /// What each peer says of its genesis.
    pub geneses: BTreeMap<NodeId, ToldGenesis>,
    /// Saves of a genesis wait for [`commit`](Self::commit) too.
    pub holds_geneses: bool,
}

impl Default for Solo {
    fn default() -> Self {
        Self::new()
    }
}

impl Solo {
    /// Voter `a` of `a`, `b` and `c` after its first boot: its incarnation is saved, nobody was heard.
    pub fn new() -> Self {
        Self::with(builder("a", &["a", "b", "c"]))
    }

    /// It has this configuration.
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
            disk: MemoryStore::new(record),
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
            profiles: BTreeMap::new(),
            maxima: BTreeMap::new(),
            asked: BTreeMap::new(),
            peers_clock: now,
            geneses: BTreeMap::new(),
            holds_geneses: false,
        }
    }

    /// A power cut and a restart with the record that is on the disk.
    pub fn restarted(self) -> Self {
        let mut next = Self::from_record(self.elector.config().clone(), self.disk.record);
        next.lives = self.lives;
        next
    }

    /// One input.
    pub fn step(&mut self, input: impl FnOnce(&mut Elector, Time) -> Step<'_>) -> &mut Self {
        let mut collected = Collected::default();
        input(&mut self.elector, self.now).resolve(&mut collected);
        self.note(collected);
        self
    }

    /// A request; its refusal, if any.
    pub fn request(
        &mut self,
        input: impl FnOnce(&mut Elector, Time) -> Requested<'_>,
    ) -> Result<(), RequestRefused> {
        let mut collected = Collected::default();
        let result = input(&mut self.elector, self.now).resolve(&mut collected);
        self.note(collected);
        result
    }

    fn note(&mut self, collected: Collected) {
        for (to, frame) in &collected.frames {
            self.received.insert(*to, frame.header.nonce);
            if let Some(detection) = asked_by(frame) {
                self.asked.insert(*to, detection);
            }
        }
        if let Some(gate) = collected.gate {
            assert!(self.gate.replace(gate).is_none(), "one gate at a time");
        }
        self.losses.extend(collected.losses);
        self.frames.extend(collected.frames);
        for told in collected.told {
            match told {
                Told::Duty(duty) => self.duties.push(duty),
                Told::Notice(notice) => self.notices.push(notice),
            }
        }
        self.order.extend(collected.order);
        if self.saves_a_genesis() && !self.holds_geneses {
            self.commit();
        }
    }

    /// Whether the gate under way saves nothing but a genesis.
    pub fn saves_a_genesis(&self) -> bool {
        let record = self.gate.as_ref().and_then(Gate::record);
        record.is_some_and(|record| {
            record.genesis != self.disk.record.genesis
                && Record { genesis: self.disk.record.genesis, ..*record } == self.disk.record
        })
    }

    /// Whatever is due.
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

    /// What the transport tells of its link to `peer`.
    pub fn link(&mut self, peer: &str, state: LinkState) -> &mut Self {
        let peer = id(peer);
        self.step(|elector, now| elector.on_link(peer, state, now))
    }

    /// Its log ends here, and its host says so.
    pub fn set_position(&mut self, position: Option<Position>) -> &mut Self {
        *self.tail.0.borrow_mut() = position;
        self.step(|elector, now| elector.set_position(position, now))
    }

    /// The host serves without a log.
    pub fn enter_office(&mut self) -> &mut Self {
        let office = self.take_elected().serve_without_log_forgetting_earlier_writes();
        self.step(|elector, now| elector.on_office(&office, now))
    }

    /// The election that its host was told of.
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
}

/// A span short of a point by the smallest step.
pub fn just_before(span: Duration) -> Duration {
    span.checked_sub(Duration::from_nanos(1)).unwrap()
}
