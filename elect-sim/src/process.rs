//! A node: its machine, its process, and the host that embeds the elector.

use std::collections::VecDeque;

use elect_core::{
    Authority, CaughtUp, Elected, Elector, Epoch, Event, Fence, Frame, Gate, Gated, LinkState, Loss,
    MemberKind, NodeId, Office, Record, StorageFailed, Time,
};

use crate::checkers::NODES_MAX;
use crate::clock::Real;
use crate::disk::Disk;
use crate::log::{EntryId, ModelLog};
use crate::queue::{Life, NodeIndex, Task};

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

/// What a machine does when its process gets to a particular instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// The process stops for this long.
    Pause(u64),
    /// The process stops for this long between reading the clock and using what it read.
    PauseAfterClock(u64),
    /// The process dies, and starts again so much later.
    Crash(u64),
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
    /// The durable tip of the log.
    pub(crate) log: EntryId,
    /// What an operator put aside of both.
    pub(crate) backup: Option<(Record, EntryId)>,
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

/// A running elector and its host.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) elector: Elector,
    pub(crate) authority: Authority,
    /// `None` on a witness, which keeps no log.
    pub(crate) fence: Option<Fence<ModelLog>>,
    pub(crate) host: Host,
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
    /// Operations that a hung disk does not end.
    pub(crate) hung_save: bool,
    pub(crate) hung_sync: bool,
}

/// Something that a process must deal with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input {
    Frame { from: NodeIndex, slot: u32 },
    Message { from: NodeIndex, slot: u32 },
    Tick,
    SaveDone,
    Gated,
    SyncDone,
    Link { peer: NodeIndex, state: LinkState },
    Host(Task),
    Request(Request),
}

/// Something that an operator or a host asks of an elector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Resign,
    Handover(Option<NodeId>),
    Freeze(std::time::Duration),
    Thaw,
    Health(elect_core::Health),
}

/// One thing that a step asks for.
#[derive(Debug)]
pub(crate) enum Action {
    Lost(Loss),
    Send(NodeIndex, Frame),
    Save(Gate),
    Happened(Event),
    /// Carried out.
    Done,
}

/// The host's side: a replicated store in miniature.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) way: Way,
    /// Whether this node's storage was replaced: then its acknowledgements count for nothing.
    pub(crate) replaced: bool,
    /// Up to which offset this primary knows writes to be on a write quorum.
    pub(crate) committed: u64,
    /// The stamp and the offset of each peer's last acknowledgement, its own included.
    pub(crate) matched: [(Epoch, u64); NODES_MAX],
    /// The tip and the stamp that the sync under way covers.
    pub(crate) syncing: Option<(EntryId, Epoch)>,
    /// The stamp and the sender of the last request applied.
    pub(crate) last_apply: (Epoch, NodeIndex),
    /// Whether a `Replicate` task is on the agenda.
    pub(crate) replicating: bool,
    /// Whom the elector follows.
    pub(crate) following: Option<(NodeIndex, Epoch)>,
    /// For each rebuilding peer: its life, and the entry appended after it asked.
    pub(crate) markers: [Option<(Life, Epoch, EntryId)>; NODES_MAX],
    /// How often the source of a catch-up was asked in vain.
    pub(crate) pulls: u32,
    /// How many ways into office began.
    pub(crate) ways: u32,
    /// Whether a `Rejoin` task is on the agenda.
    pub(crate) rejoining: bool,
}

/// How far a host has come on its way into office.
#[derive(Debug)]
pub(crate) enum Way {
    /// It does not lead.
    Out,
    /// Elected; it pulls what it lacks.
    CatchingUp(Elected),
    /// It holds everything and has appended its own entry, which has this offset.
    Opening(CaughtUp, u64),
    /// It serves; its own entry has this offset.
    InOffice(Office, u64),
}

impl Host {
    pub(crate) fn new(replaced: bool) -> Self {
        Self {
            way: Way::Out,
            replaced,
            committed: 0,
            matched: [(Epoch::ZERO, 0); NODES_MAX],
            syncing: None,
            last_apply: (Epoch::ZERO, 0),
            replicating: false,
            following: None,
            markers: [None; NODES_MAX],
            pulls: 0,
            ways: 0,
            rejoining: false,
        }
    }
}

impl Node {
    pub(crate) fn new(id: NodeId, kind: MemberKind, disk: Disk) -> Self {
        Self {
            id,
            kind,
            disk,
            log: 0,
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
}
