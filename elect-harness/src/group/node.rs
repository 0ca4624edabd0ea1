//! One node of a group, and what it was seen to do.

use std::rc::Rc;

use elect_core::{Config, Elected, Elector, Epoch, Fence, Gate, NodeId, Office, Record, StepDown, Time};

use crate::store::{MemoryStore, Tail};

/// What a node was seen to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It lost an epoch, for this reason.
    Lost(Epoch, StepDown),
    /// It was elected.
    Elected(Epoch),
    /// As a leader it raised its epoch, from and to.
    Raised(Epoch, Epoch),
    /// Whatever else it told its host, as text.
    Other(String),
}

/// One node of a group: process, disk, log and host.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// What it is started with.
    pub config: Config,
    /// Its process, if it runs.
    pub elector: Option<Elector>,
    /// Its vote store.
    pub disk: MemoryStore,
    /// The end of its log.
    pub tail: Tail,
    /// The floor of its log, in this life.
    pub fence: Rc<Fence<Tail>>,
    /// Its right to serve.
    pub office: Option<Office>,
    /// An election that its host has not made an office of.
    pub elected: Option<Elected>,
    /// What it was seen to do, and when.
    pub seen: Vec<(Time, Seen)>,
    /// A gate that the disk is busy with.
    pub(super) gate: Option<Gate>,
    /// Saves hang while this is set.
    pub hangs: bool,
    /// The host enters office by itself as soon as it is elected.
    pub serves: bool,
    /// The process does not run: inputs wait.
    pub paused: bool,
}

impl Node {
    /// A node that is not started yet.
    pub(super) fn new(config: Config, record: Record) -> Self {
        let tail = Tail::default();
        Self {
            id: config.node(),
            config,
            elector: None,
            disk: MemoryStore::new(record),
            fence: Rc::new(Fence::new(tail.clone())),
            tail,
            office: None,
            elected: None,
            seen: Vec::new(),
            gate: None,
            hangs: false,
            serves: true,
            paused: false,
        }
    }

    pub(super) fn start(&mut self, now: Time) {
        assert!(self.elector.is_none(), "{} runs already", self.id);
        self.fence = Rc::new(Fence::new(self.tail.clone()));
        self.elector = Some(Elector::new(self.config.clone(), self.disk.record, now).unwrap());
        self.paused = false;
    }

    /// What is not durable is gone.
    pub(super) fn kill(&mut self) {
        self.elector = None;
        self.office = None;
        self.elected = None;
        self.gate = None;
    }

    /// Whether a save is under way.
    pub fn is_saving(&self) -> bool {
        self.gate.is_some()
    }

    /// Takes the gate of a save that hangs, for a test that commits it by itself.
    pub fn take_gate(&mut self) -> Option<Gate> {
        self.gate.take()
    }

    /// Whether it holds a lease.
    pub(super) fn leads(&self, now: Time) -> bool {
        self.elector.as_ref().is_some_and(|elector| elector.authority().lease(now).is_some())
    }
}
