//! The built-in host: a replicated store that does everything that S7 asks of a host, and nothing else.

mod message;
mod office;
mod replication;

use elect_core::{
    CaughtUp, Duty, Elected, Epoch, Fence, Floor, Log as _, Notice, Office, Position, Raised, Stamp,
    SteppedDown, Storage,
};

use crate::clock::{MICRO, MILLI};
use crate::host::{Host, Machine};
use crate::ids::{Life, NODES_MAX, NodeIndex};
use crate::sabotage::Sabotage;
use crate::slab::Slab;

use crate::model_log::{EntryId, ModelLog};
use message::Message;

/// A replicated store in miniature, on one machine.
#[derive(Debug)]
pub(crate) struct Store {
    /// The durable tip of the log.
    durable: EntryId,
    /// `None` on a witness, which keeps no log, and where no process runs.
    fence: Option<Fence<ModelLog>>,
    way: Way,
    /// Whether this node's storage was replaced: then its acknowledgements count for nothing.
    replaced: bool,
    /// Up to which offset this primary knows writes to be on a write quorum.
    committed: u64,
    /// The stamp and the offset of each peer's last acknowledgement, its own included.
    matched: [(Epoch, u64); NODES_MAX],
    /// The tip and the stamp that the sync under way covers.
    syncing: Option<(EntryId, Epoch)>,
    /// The stamp and the sender of the last request applied.
    last_apply: (Epoch, NodeIndex),
    /// Whether a `Replicate` task is on the agenda.
    replicating: bool,
    /// For each rebuilding peer: its life, and the entry appended after it asked.
    markers: [Option<(Life, Epoch, EntryId)>; NODES_MAX],
    /// How often the source of a catch-up was asked in vain.
    pulls: u32,
    /// How many ways into office began.
    ways: u32,
    /// Whether a `Rejoin` task is on the agenda.
    rejoining: bool,
    /// What tickets stand for.
    tasks: Slab<Task>,
}

/// How far a host has come on its way into office.
#[derive(Debug)]
enum Way {
    /// It does not lead.
    Out,
    /// Elected; it pulls what it lacks.
    CatchingUp(Elected),
    /// It holds everything and has appended its own entry, which has this offset.
    Opening(CaughtUp, u64),
    /// It serves under the stamps of this epoch; its own entry in it has this offset.
    InOffice(Office, Epoch, u64),
}

/// What a thread of the store does next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Task {
    /// Send to whom has not everything.
    #[default]
    Replicate,
    /// Go on with this way into office.
    Advance { way: u32 },
    /// Append a client's value: the stamp was taken a moment ago.
    Append { stamp: Epoch },
    /// A read takes its value; the acknowledged length when it began.
    ReadTake { since: u64 },
    /// The read checks the lease: the value taken.
    ReadFinish { since: u64, value: u64 },
    /// What a handover waited for is done.
    Drained,
    /// Tell the elector how far the log is durable.
    Report,
    /// Ask the leader for what a replaced disk needs.
    Rejoin,
}

impl Store {
    /// What a process begins with whose disk ends with `durable`.
    pub(crate) fn new(durable: EntryId) -> Self {
        Self {
            durable,
            fence: None,
            way: Way::Out,
            replaced: false,
            committed: 0,
            matched: [(Epoch::ZERO, 0); NODES_MAX],
            syncing: None,
            last_apply: (Epoch::ZERO, NodeIndex::default()),
            replicating: false,
            markers: [None; NODES_MAX],
            pulls: 0,
            ways: 0,
            rejoining: false,
            tasks: Slab::default(),
        }
    }

    /// The durable tip of the log.
    pub(crate) const fn durable(&self) -> EntryId {
        self.durable
    }

    pub(crate) const fn log(&self) -> Option<&Fence<ModelLog>> {
        self.fence.as_ref()
    }

    /// The tip of the log in memory.
    pub(crate) fn tip(&self) -> Option<EntryId> {
        self.fence.as_ref().map(|fence| fence.inspect(ModelLog::tip))
    }

    fn later(&mut self, machine: &mut Machine<'_>, wait: u64, task: Task) {
        let ticket = self.tasks.put(task);
        machine.wake_in(wait, u64::from(ticket));
    }

    fn tell(machine: &mut Machine<'_>, to: NodeIndex, message: Message) {
        machine.send(to, &message.encode());
    }
}

impl Host for Store {
    fn started(&mut self, machine: &mut Machine<'_>, storage: Storage) {
        self.replaced = storage == Storage::Replaced;
        let keeps_log = machine.keeps_log();
        self.fence = keeps_log.then(|| Fence::new(ModelLog::load(machine.entries(), self.durable)));
        self.later(machine, 0, Task::Report);
    }

    fn lost(&mut self, _: &mut Machine<'_>, _: SteppedDown) {
        self.way = Way::Out;
    }

    fn act(&mut self, machine: &mut Machine<'_>, duty: Duty) {
        match duty {
            Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. } => {
                self.begin_way(machine, elected);
            }
            Duty::EpochRaised { raised: Raised::InOffice(stamp), .. } => {
                self.on_raised(machine, stamp.epoch());
            }
            Duty::HandoverBegan { .. } => {
                let wait = machine.random().between(MILLI, 20 * MILLI);
                self.later(machine, wait, Task::Drained);
            }
            Duty::Rebuilt => self.replaced = false,
            Duty::Replaced { .. } => {
                self.replaced = true;
                self.rejoin_later(machine);
            }
            // Its office says both to its clients.
            Duty::HandoverAborted { .. } | Duty::Stopped { .. } => {}
        }
    }

    fn happened(&mut self, machine: &mut Machine<'_>, notice: Notice) {
        if let Notice::Following { .. } = notice {
            self.rejoin_later(machine);
        }
    }

    fn message(&mut self, machine: &mut Machine<'_>, from: NodeIndex, bytes: &[u8]) {
        // Only stores of this world send to each other.
        let Some(message) = Message::decode(bytes) else { return };
        match message {
            Message::Append { stamp, tip } => self.on_append(machine, from, stamp, tip),
            Message::Acknowledged { stamp, offset } => {
                let matched = &mut self.matched[from];
                *matched = (*matched).max((stamp, offset));
                self.advance(machine);
            }
            Message::Pull { stamp, position } => {
                let tip = self.find(machine, position);
                Self::tell(machine, from, Message::Pulled { stamp, position, tip });
            }
            Message::Pulled { stamp, position, tip } => self.on_pulled(machine, from, stamp, position, tip),
            Message::Rejoin { stamp, life } => self.on_rejoin(machine, from, stamp, life),
            Message::Marker { stamp, entry, committed } => self.on_marker(machine, stamp, entry, committed),
        }
    }

    fn tick(&mut self, machine: &mut Machine<'_>, ticket: u64) {
        let Ok(ticket) = u32::try_from(ticket) else { return };
        let task = *self.tasks.get(ticket);
        self.tasks.free(ticket);
        match task {
            Task::Advance { way } => {
                if self.ways == way {
                    self.go_further(machine);
                    self.pull(machine);
                }
            }
            Task::Append { stamp } => {
                if self.append(machine, stamp).is_some() {
                    self.replicate(machine);
                }
            }
            Task::Replicate => {
                self.replicating = false;
                self.replicate(machine);
            }
            Task::ReadTake { since } => {
                if matches!(self.way, Way::InOffice(..)) {
                    let value = self.committed;
                    let wait = machine.random().waiting(300 * MICRO);
                    self.later(machine, wait, Task::ReadFinish { since, value });
                }
            }
            Task::ReadFinish { since, value } => self.finish_read(machine, since, value),
            Task::Drained => machine.drained(),
            Task::Report => self.report_now(machine),
            Task::Rejoin => self.rejoin(machine),
        }
    }

    fn synced(&mut self, machine: &mut Machine<'_>) {
        let Some((tip, stamp)) = self.syncing.take() else { return };
        self.durable = tip;
        let Some(fence) = &self.fence else { return };
        let entries = machine.entries();
        let is_behind = fence.durable(|log| {
            log.synced(entries, tip);
            log.tip() != tip
        });
        self.acknowledge(machine, stamp, tip);
        if is_behind {
            self.begin_sync(machine);
        }
        machine.report(self.position());
        self.go_further(machine);
    }

    fn client(&mut self, machine: &mut Machine<'_>) {
        let Way::InOffice(office, ..) = &self.way else { return };
        let stamp = office.stamp(machine.now());
        let since = machine.acknowledged_length();
        if let (Ok(stamp), true) = (stamp, machine.runs()) {
            let wait = machine.random().waiting(300 * MICRO);
            self.later(machine, wait, Task::Append { stamp: stamp.epoch() });
        }
        let wait = machine.random().waiting(300 * MICRO);
        self.later(machine, wait, Task::ReadTake { since });
    }

    fn crashed(&mut self, landed: bool) {
        let durable = match self.syncing {
            Some((tip, _)) if landed => tip,
            _ => self.durable,
        };
        *self = Self::new(durable);
    }

    fn disk(&self) -> Vec<u8> {
        self.durable.to_le_bytes().to_vec()
    }

    fn put_disk(&mut self, copy: &[u8]) {
        self.durable = copy.try_into().map_or(0, EntryId::from_le_bytes);
    }

    fn fence(&self) -> Option<&dyn Floor> {
        self.fence.as_ref().map(|fence| fence as &dyn Floor)
    }

    fn position(&self) -> Option<Position> {
        self.fence.as_ref()?.inspect(ModelLog::last_durable)
    }

    fn office(&self) -> Option<&Office> {
        match &self.way {
            Way::InOffice(office, ..) => Some(office),
            _ => None,
        }
    }
}

// Followers, and what every node does with its log.
impl Store {
    /// The entry at `position`, if this log still holds it durably.
    fn find(&self, machine: &Machine<'_>, position: Position) -> Option<EntryId> {
        let fence = self.fence.as_ref()?;
        if position == Position::EMPTY {
            return Some(0);
        }
        let entries = machine.entries();
        fence.inspect(|log| {
            let id = entries.on_path(log.durable(), position.offset)?;
            (entries.position(id) == position && log.holds(entries, id)).then_some(id)
        })
    }

    fn on_append(&mut self, machine: &mut Machine<'_>, from: NodeIndex, stamp: Epoch, tip: EntryId) {
        let Some(fence) = &self.fence else { return };
        let entries = machine.entries();
        let admitted = if machine.is_sabotaged(Sabotage::NoFence) { fence.floor() } else { stamp };
        let applied = fence.apply(Stamp::received(admitted), |log| {
            log.extend_to(entries, tip);
            entries.on_path(log.durable(), entries.offset(tip)) == Some(tip)
        });
        let Ok(is_durable) = applied else { return };
        machine.admitted(Stamp::received(stamp));
        self.last_apply = (stamp, from);
        if is_durable {
            self.acknowledge(machine, stamp, tip);
        } else {
            self.begin_sync(machine);
        }
    }

    /// The last act before an acknowledgement leaves is a second look at the fence.
    fn acknowledge(&mut self, machine: &mut Machine<'_>, stamp: Epoch, tip: EntryId) {
        let admitted = self.fence.as_ref().is_some_and(|fence| fence.ack(Stamp::received(stamp)).is_ok());
        if !admitted {
            return;
        }
        machine.admitted(Stamp::received(stamp));
        let offset = machine.entries().offset(tip);
        let to = self.last_apply.1;
        if to == machine.index() {
            self.matched[machine.member()] = (stamp, offset);
            self.advance(machine);
        } else if !self.replaced {
            Self::tell(machine, to, Message::Acknowledged { stamp, offset });
        }
    }

    fn begin_sync(&mut self, machine: &mut Machine<'_>) {
        let Some(tip) = self.tip() else { return };
        if machine.sync() {
            self.syncing = Some((tip, self.last_apply.0));
        }
    }

    fn report_now(&self, machine: &mut Machine<'_>) {
        if self.fence.is_some() {
            machine.report_at_once(self.position());
        }
    }

    fn finish_read(&mut self, machine: &mut Machine<'_>, since: u64, value: u64) {
        let covered = match &self.way {
            Way::InOffice(office, ..) => office.finish_read(value, || machine.now()).is_ok(),
            _ => false,
        };
        if covered || machine.is_sabotaged(Sabotage::UncheckedRead) {
            machine.read(since, value);
        }
    }
}
