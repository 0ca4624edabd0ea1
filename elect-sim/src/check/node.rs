//! One node of a model: the real elector, its disk, its fence.

use elect_core::{
    Config, Driver, Duty, Elector, Epoch, Floor, Frame, Gate, Gated, NodeId, Notice, Office, Position,
    PromiseKind, Raise, Raised, Record, SteppedDown, StorageFailed, Time, VoteStore,
};

use super::bounds::{Planted, index};

/// What one input of an elector brought about.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) losses: Vec<SteppedDown>,
    pub(super) frames: Vec<(usize, Frame)>,
    pub(super) gate: Option<Gate>,
    pub(super) gains: Vec<Gain>,
    /// The right to serve that a host without a log takes at once.
    pub(super) office: Option<Office>,
    pub(super) stopped: bool,
}

/// Authority that began.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gain {
    Elected(Epoch),
    Raised(Epoch, Epoch),
}

impl Driver for Output {
    fn lost(&mut self, loss: SteppedDown) {
        self.losses.push(loss);
    }

    fn send(&mut self, to: NodeId, frame: &Frame) {
        self.frames.push((index(to), frame.clone()));
    }

    fn save(&mut self, gate: Gate) {
        self.gate = Some(gate);
    }

    fn act(&mut self, duty: Duty) {
        match duty {
            Duty::Elected(elected) => {
                self.gains.push(Gain::Elected(elected.epoch()));
                self.office = Some(elected.serve_without_log_forgetting_earlier_writes());
            }
            Duty::EpochRaised { from, raised } => {
                self.gains.push(Gain::Raised(from, raised.epoch()));
                match raised {
                    // The office that it has goes on.
                    Raised::InOffice(_) => {}
                    Raised::OnTheWay(elected) => {
                        self.office = Some(elected.serve_without_log_forgetting_earlier_writes());
                    }
                }
            }
            Duty::Stopped { .. } => self.stopped = true,
            Duty::HandoverBegan { .. }
            | Duty::HandoverAborted { .. }
            | Duty::Rebuilt
            | Duty::Replaced { .. } => {}
        }
    }

    fn happened(&mut self, _: Notice) {}
}

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    /// None while its process is dead.
    pub(super) elector: Option<Elector>,
    /// The save under way, whose turn comes with this number unless it is slow.
    pub(super) gate: Option<Gate>,
    pub(super) turn: u64,
    pub(super) slow: bool,
    /// What its disk holds.
    pub(super) disk: Record,
    /// The floor of its fence, in this life.
    pub(super) floor: Epoch,
    /// The leadership that its host knows of.
    pub(super) leading: Option<Epoch>,
    /// What the last frame of this life said is over for it.
    pub(super) ended: Epoch,
    pub(super) stopped: bool,
    /// The incarnation's counter on the disk when this life began.
    pub(super) born: u32,
    pub(super) crashes: u8,
}

/// What a save did to the disk and the fence.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) result: Result<Gated, StorageFailed>,
    pub(super) floor: Epoch,
}

impl Node {
    /// A node whose first life begins.
    pub(super) fn first(config: Config, now: Time) -> Self {
        let mut node = Self {
            elector: None,
            gate: None,
            turn: 0,
            slow: false,
            disk: Record::first_boot(&config),
            floor: Epoch::ZERO,
            leading: None,
            ended: Epoch::ZERO,
            stopped: false,
            born: 0,
            crashes: 0,
        };
        node.start(config, now);
        node
    }

    pub(super) fn fork(&self) -> Self {
        let (elector, gate) = match &self.elector {
            Some(elector) => {
                let (elector, gate) = elector.fork(self.gate.as_ref());
                (Some(elector), gate)
            }
            None => (None, None),
        };
        Self { elector, gate, ..*self }
    }

    /// A new process from what the disk holds.
    pub(super) fn start(&mut self, config: Config, now: Time) {
        let elector = Elector::new(config, self.disk, now).expect("the disk is the node's own");
        self.elector = Some(elector);
        self.born = self.disk.incarnation.counter;
    }

    /// The process dies. Only what the disk holds is left.
    pub(super) fn crash(&mut self) {
        self.elector = None;
        self.gate = None;
        self.leading = None;
        self.ended = Epoch::ZERO;
        self.stopped = false;
        self.floor = Epoch::ZERO;
        self.crashes += 1;
    }

    /// Commits the gate under way.
    pub(super) fn commit(&mut self, sabotage: Option<Planted>) -> Option<Saved> {
        let gate = self.gate.take()?;
        let fence = Fence::default();
        let mut disk = Disk { record: &mut self.disk, sabotage };
        let result = gate.commit(&mut disk, &fence);
        Some(Saved { result, floor: fence.0.get() })
    }
}

struct Disk<'a> {
    record: &'a mut Record,
    sabotage: Option<Planted>,
}

impl VoteStore for Disk<'_> {
    type Error = std::convert::Infallible;

    fn save(&mut self, record: &Record) -> Result<(), Self::Error> {
        let is_others_vote = record
            .holder
            .is_some_and(|holder| holder.how == PromiseKind::Voted && holder.node != record.node);
        if self.sabotage != Some(Planted::DiskForgetsVotes) || !is_others_vote {
            *self.record = *record;
        }
        Ok(())
    }
}

/// Shows how far a gate raised it.
#[derive(Default)]
struct Fence(std::cell::Cell<Epoch>);

impl Floor for Fence {
    fn raise(&self, raise: Raise) -> Option<Position> {
        self.0.set(raise.floor());
        None
    }
}
