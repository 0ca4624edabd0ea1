//! A node: its machine, its process, and what reaches it.

use std::collections::VecDeque;

use elect_core::{Authority, Elector, Epoch, Gate, Gated, MemberKind, NodeId, Record, StorageFailed, Time};

use crate::clock::Real;
use crate::disk::Disk;
use crate::host::{Call, Host, Hosted};
use crate::ids::{Life, NODES_MAX, NodeIndex};
use crate::input::{Action, Input, Interrupt};
use crate::store::Store;

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

/// One machine and what runs on it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) kind: MemberKind,
    pub(crate) disk: Disk,
    /// What embeds the elector; `None` while it is being called.
    pub(crate) host: Option<Hosted>,
    /// What it must be called with afterwards.
    pub(crate) deferred: VecDeque<Call>,
    /// Whether its process died while it was being called, and whether the sync under way took effect.
    pub(crate) died: Option<bool>,
    /// What an operator put aside: the record, and what the host had on its disk.
    pub(crate) backup: Option<(Record, Vec<u8>)>,
    /// Why its last start was refused.
    pub(crate) refusal: Option<String>,
    pub(crate) setup: Setup,
    pub(crate) life: Life,
    pub(crate) state: State,
    /// Number of the last pause: an older end of a pause means nothing.
    pub(crate) pause: u32,
    /// What waits for a stopped process.
    pub(crate) inbox: VecDeque<Input>,
    /// How many actions from now an interrupt strikes.
    pub(crate) interrupt: Option<(u32, Interrupt)>,
    /// Whether connections to peers stand.
    pub(crate) connected: [bool; NODES_MAX],
    pub(crate) process: Option<Process>,
    /// Whether the machine has no power: then it does not even refuse connections.
    pub(crate) dark: bool,
    /// Stays down from now on.
    pub(crate) retired: bool,
}

/// A running elector.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) elector: Elector,
    pub(crate) authority: Authority,
    /// Whom the elector follows.
    pub(crate) following: Option<(NodeIndex, Epoch)>,
    /// The gate whose save is under way.
    pub(crate) saving: Option<Gate>,
    /// What came of a commit, on its way to the elector.
    pub(crate) gated: Option<Result<Gated, StorageFailed>>,
    /// What an interrupt cut short.
    pub(crate) rest: Vec<Action>,
    /// An input that a stopped process holds together with the time it read before.
    pub(crate) held: Option<(Input, Time)>,
    /// When a tick is on the agenda.
    pub(crate) tick_at: Real,
    /// The deadline that this was last derived from.
    pub(crate) tick_for: Time,
    /// Whether a sync of the host's disk is under way.
    pub(crate) syncing: bool,
    /// Operations that a hung disk does not end.
    pub(crate) hung_save: bool,
    pub(crate) hung_sync: bool,
}

impl Node {
    pub(crate) fn new(id: NodeId, kind: MemberKind, disk: Disk) -> Self {
        Self {
            id,
            kind,
            disk,
            host: Some(Hosted::Store(Box::new(Store::new(0)))),
            deferred: VecDeque::new(),
            died: None,
            backup: None,
            refusal: None,
            setup: Setup::Works,
            life: 0,
            state: State::Down,
            pause: 0,
            inbox: VecDeque::new(),
            interrupt: None,
            connected: [false; NODES_MAX],
            process: None,
            dark: false,
            retired: false,
        }
    }

    /// Its host, which nobody is calling now.
    pub(crate) fn hosted(&self) -> &dyn Host {
        self.host.as_ref().expect("a host is away only while it is called").as_host()
    }

    /// Likewise.
    pub(crate) fn hosted_mut(&mut self) -> &mut dyn Host {
        self.host.as_mut().expect("a host is away only while it is called").as_host_mut()
    }
}
