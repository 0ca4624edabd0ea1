//! What the benchmarks share: a group of electors in its steady state.

use std::time::Duration;

use elect_core::{
    ClusterId, Config, Driver, Duty, Elector, Frame, Gate, Loss, NoLog, NodeId, Nonce, Notice, Record, Time,
    VoteStore,
};

/// Heartbeats of the benchmarked group.
pub const INTERVAL: Duration = Duration::from_millis(50);

/// A store that keeps the last record in memory: the steady state saves nothing.
#[derive(Debug)]
pub struct Memory(pub Record);

impl VoteStore for Memory {
    type Error = std::convert::Infallible;

    fn save(&mut self, record: &Record) -> Result<(), Self::Error> {
        self.0 = *record;
        Ok(())
    }
}

/// Keeps what a step hands out, in buffers that are reused.
#[derive(Debug, Default)]
pub struct Sink {
    /// Frames to send.
    pub frames: Vec<(NodeId, Frame)>,
    /// The gate, if the step handed one out.
    pub gate: Option<Gate>,
}

impl Driver for Sink {
    fn lost(&mut self, _: Loss) {}

    fn send(&mut self, to: NodeId, frame: &Frame) {
        self.frames.push((to, frame.clone()));
    }

    fn save(&mut self, gate: Gate) {
        self.gate = Some(gate);
    }

    fn act(&mut self, _: Duty) {}

    fn happened(&mut self, _: Notice) {}
}

/// Counts the frames that a step hands out, and keeps no more than the last one's nonce.
#[derive(Debug, Default)]
pub struct Count {
    /// How many there were.
    pub frames: usize,
    /// The last one's nonce, to be echoed.
    pub nonce: Option<Nonce>,
}

impl Driver for Count {
    fn lost(&mut self, _: Loss) {}

    fn send(&mut self, _: NodeId, frame: &Frame) {
        self.frames += 1;
        self.nonce = Some(frame.header.nonce);
    }

    fn save(&mut self, _: Gate) {}

    fn act(&mut self, _: Duty) {}

    fn happened(&mut self, _: Notice) {}
}

/// `count` electors on one clock, with instant delivery and instant saves.
#[derive(Debug)]
pub struct Group {
    /// Their clock.
    pub now: Time,
    /// Names of eight bytes, sorted.
    pub names: Vec<NodeId>,
    electors: Vec<Elector>,
    stores: Vec<Memory>,
}

impl Group {
    /// Runs a group until it has had a leader for a while.
    ///
    /// # Panics
    /// If the group does not elect.
    pub fn steady(count: usize) -> Self {
        let now = Time::from_nanos(1_000_000_000);
        let names: Vec<_> =
            (0..count).map(|n| NodeId::new(&format!("node-{n:03}")).expect("valid")).collect();
        let configs = names.iter().map(|&name| {
            let cluster = ClusterId::new("bench").expect("valid");
            Config::builder(cluster, name).voters(names.iter().copied()).heartbeat_interval(INTERVAL).build()
        });
        let configs: Vec<_> = configs.map(|config| config.expect("valid")).collect();
        let stores: Vec<_> = configs.iter().map(|config| Memory(Record::first_boot(config))).collect();
        let electors = configs.into_iter().zip(&stores).map(|(config, store)| {
            Elector::new(config, store.0, now).expect("the record was made for this configuration")
        });
        let mut group = Self { now, electors: electors.collect(), names, stores };
        while group.now < Time::from_nanos(4_000_000_000) {
            group.advance();
        }
        assert_eq!(group.electors.iter().filter(|e| e.authority().lease(group.now).is_some()).count(), 1);
        group
    }

    /// Runs everything that is due at the next deadline, and its consequences.
    ///
    /// # Panics
    /// If the group is empty.
    pub fn advance(&mut self) {
        let due = self.electors.iter().map(Elector::deadline).min().expect("a group has members");
        self.now = self.now.max(due);
        let mut inbox: Vec<(usize, NodeId, Frame)> = Vec::new();
        for index in 0..self.electors.len() {
            self.input(index, &mut inbox, Elector::tick);
        }
        while !inbox.is_empty() {
            for (to, from, frame) in std::mem::take(&mut inbox) {
                self.input(to, &mut inbox, |elector, now| elector.on_message(from, &frame, now));
            }
        }
    }

    fn input(
        &mut self,
        index: usize,
        inbox: &mut Vec<(usize, NodeId, Frame)>,
        input: impl FnOnce(&mut Elector, Time) -> elect_core::Step<'_>,
    ) {
        let mut sink = Sink::default();
        input(&mut self.electors[index], self.now).resolve(&mut sink);
        while let Some(gate) = sink.gate.take() {
            let result = gate.commit(&mut self.stores[index], &NoLog);
            self.electors[index].on_gated(result, self.now).resolve(&mut sink);
        }
        let from = self.names[index];
        let addressed = sink.frames.into_iter().filter_map(|(to, frame)| {
            let to = self.names.iter().position(|&name| name == to)?;
            Some((to, from, frame))
        });
        inbox.extend(addressed);
    }

    /// The leader's index.
    ///
    /// # Panics
    /// If nobody leads.
    pub fn leader(&self) -> usize {
        self.electors.iter().position(|e| e.authority().lease(self.now).is_some()).expect("somebody leads")
    }

    /// One elector.
    pub fn elector(&mut self, index: usize) -> &mut Elector {
        &mut self.electors[index]
    }

    /// A heartbeat of the leader as `follower` receives it next: its steady input.
    ///
    /// # Panics
    /// If the leader sends nothing.
    pub fn leader_heartbeat(&mut self, follower: usize) -> Frame {
        let leader = self.leader();
        self.now = self.now.max(self.electors[leader].deadline());
        self.frame(leader, follower, Elector::tick)
    }

    /// `follower`'s answer to that heartbeat, as the leader receives it next.
    ///
    /// # Panics
    /// If the leader sends nothing, or `follower` does not answer.
    pub fn acknowledgement(&mut self, follower: usize) -> Frame {
        let leader = self.leader();
        let (from, heartbeat) = (self.names[leader], self.leader_heartbeat(follower));
        self.frame(follower, leader, |elector, now| elector.on_message(from, &heartbeat, now))
    }

    /// What `input` makes one elector send to another.
    fn frame(
        &mut self,
        from: usize,
        to: usize,
        input: impl FnOnce(&mut Elector, Time) -> elect_core::Step<'_>,
    ) -> Frame {
        let (mut sink, to) = (Sink::default(), self.names[to]);
        input(&mut self.electors[from], self.now).resolve(&mut sink);
        sink.frames.into_iter().find(|(addressee, _)| *addressee == to).expect("a frame goes to it").1
    }
}
