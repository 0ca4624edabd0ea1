//! An embedder's own state machine under simulated storms, with its own log, fence and office; and how a campaign finds
//! the bugs that such a host is easily written with.
//!
//! A ledger is a list of entries that a leader writes and copies to the others. What it promises: an entry that was
//! acknowledged stays at its place for ever, and whoever leads a group that is well can write. Two bugs can be planted:
//! a host that ignores it when its leader raises its own epoch, and one that serves without catching up.
//!
//! Run it with `cargo run --release -p elect-sim --example own_ledger`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use elect_core::{
    CaughtUp, Duty, Elected, Epoch, Fence, Floor, Log, MemberKind, NotInOffice, Office, Position, Raised,
    Stamp, SteppedDown, Storage, Time,
};
use elect_sim::{Detail, Fault, Host, MILLI, Machine, NodeIndex, Options, Outcome, Run, SECOND, Violation};

/// What the host does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    /// It does not look at the event that tells of a raised epoch.
    SwallowsRaise,
    /// It serves at once, whatever another voter holds.
    ServesWithoutCatchingUp,
}

/// The epoch in which it was written, and a number that no other entry has.
type Entry = (u64, u64);

/// The log behind the fence: entries in memory, and the last of them that is durable.
#[derive(Debug, Default)]
struct Entries {
    list: Vec<Entry>,
    durable: Option<Position>,
}

impl Log for Entries {
    fn last_durable(&self) -> Option<Position> {
        Some(self.durable.unwrap_or(Position::EMPTY))
    }
}

fn position_of(list: &[Entry]) -> Position {
    list.last().map_or(Position::EMPTY, |(epoch, _)| Position::new(Epoch::new(*epoch), list.len() as u64))
}

/// What was acknowledged to clients, by whichever node: what no host can know, and a test must.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    list: Vec<Entry>,
    number: u64,
}

/// How far the ledger of one node has come on its way into office.
#[derive(Debug, Default)]
enum Way {
    #[default]
    Out,
    /// It pulls what another voter holds; how often it asked.
    CatchingUp(Elected, u32),
    /// Its own entry makes the log so long.
    Opening(CaughtUp, usize),
    /// The stamp under which it writes and counts.
    InOffice(Office, Stamp),
}

/// A ledger on one machine.
#[derive(Debug)]
pub(crate) struct Ledger {
    bug: Bug,
    acknowledged: Rc<RefCell<Acknowledged>>,
    /// What is durable.
    disk: Vec<Entry>,
    /// What the sync under way makes durable.
    syncing: Option<Vec<Entry>>,
    /// What is in memory. `None` on a witness.
    fence: Option<Fence<Entries>>,
    way: Way,
    replaced: bool,
    /// The stamp and the sender of the last entries taken over.
    source: (u64, NodeIndex),
    /// Per member: under which stamp it acknowledged how many entries.
    matched: Vec<(u64, usize)>,
    /// Since when it is in office and writes under a stamp that is over.
    refused_since: Option<Time>,
}

/// What wakes it.
const REPLICATE: u64 = 0;
const PULL: u64 = 1;
const DRAINED: u64 = 2;

/// The first byte of what ledgers tell each other; then comes a stamp, then entries or a number.
const APPEND: u8 = 0;
const HOLDS: u8 = 1;
const ASKS: u8 = 2;
const GIVES: u8 = 3;

fn message(kind: u8, stamp: u64, numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(stamp.to_le_bytes());
    bytes.extend(numbers.into_iter().flat_map(u64::to_le_bytes));
    bytes
}

fn flat(list: &[Entry]) -> impl Iterator<Item = u64> {
    list.iter().flat_map(|&(epoch, number)| [epoch, number])
}

fn numbers(bytes: &[u8]) -> Vec<u64> {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

fn entries(numbers: &[u64]) -> Vec<Entry> {
    let (pairs, _) = numbers.as_chunks::<2>();
    pairs.iter().map(|&[epoch, number]| (epoch, number)).collect()
}

impl Ledger {
    pub(crate) fn new(bug: Bug, acknowledged: Rc<RefCell<Acknowledged>>) -> Self {
        Self {
            bug,
            acknowledged,
            disk: Vec::new(),
            syncing: None,
            fence: None,
            way: Way::Out,
            replaced: false,
            source: (0, NodeIndex::default()),
            matched: Vec::new(),
            refused_since: None,
        }
    }

    fn list(&self) -> Vec<Entry> {
        self.fence.as_ref().map_or_else(Vec::new, |fence| fence.inspect(|log| log.list.clone()))
    }

    /// The epoch that it leads, if it has come so far that it writes.
    fn led(&self) -> Option<u64> {
        match &self.way {
            Way::Opening(caught_up, _) => Some(caught_up.stamp().epoch().number()),
            Way::InOffice(_, stamp) => Some(stamp.epoch().number()),
            _ => None,
        }
    }

    /// Takes over what a leader sent. An old message that names what is there already cuts nothing.
    fn take_over(&mut self, machine: &mut Machine<'_>, stamp: u64, from: NodeIndex, list: Vec<Entry>) {
        let is_all = from == machine.index();
        let Some(fence) = &self.fence else { return };
        let taken = fence.apply(Stamp::received(Epoch::new(stamp)), |log| {
            // Who caught up holds exactly what its source held.
            if !log.list.starts_with(&list) || is_all {
                log.list = list;
            }
        });
        if taken.is_ok() {
            self.source = (stamp, from);
            self.sync(machine);
        }
    }

    fn sync(&mut self, machine: &mut Machine<'_>) {
        if machine.sync() {
            self.syncing = Some(self.list());
        }
    }

    /// Writes one entry of the epoch that it leads; how long the log is then.
    fn write(&mut self, machine: &mut Machine<'_>, epoch: Epoch) -> Option<usize> {
        let mut acknowledged = self.acknowledged.borrow_mut();
        acknowledged.number += 1;
        let number = acknowledged.number;
        drop(acknowledged);
        let written = self.fence.as_ref()?.apply(Stamp::received(epoch), |log| {
            log.list.push((epoch.number(), number));
            log.list.len()
        });
        let length = written.ok()?;
        self.source = (epoch.number(), machine.index());
        self.sync(machine);
        self.replicate(machine);
        Some(length)
    }

    fn replicate(&self, machine: &mut Machine<'_>) {
        let Some(stamp) = self.led() else { return };
        let list = self.list();
        for member in machine.members() {
            let lacks = self.matched[member] < (stamp, list.len());
            if member != machine.index() && lacks && machine.kind(member) != Some(MemberKind::Witness) {
                machine.send(member, &message(APPEND, stamp, flat(&list)));
            }
        }
    }

    fn begin(&mut self, machine: &mut Machine<'_>, elected: Elected) {
        self.matched = vec![(0, 0); machine.member_count()];
        if self.bug == Bug::ServesWithoutCatchingUp {
            let stamp = Stamp::received(elected.epoch());
            let office = elected.serve_without_log_forgetting_earlier_writes();
            machine.entered_office(&office);
            self.way = Way::InOffice(office, stamp);
            return;
        }
        self.way = Way::CatchingUp(elected, 0);
        self.go_on(machine);
        machine.wake_in(0, PULL);
    }

    /// If it has caught up, its own entry follows.
    fn go_on(&mut self, machine: &mut Machine<'_>) {
        let (elected, asked) = match std::mem::take(&mut self.way) {
            Way::CatchingUp(elected, asked) => (elected, asked),
            other => {
                self.way = other;
                return;
            }
        };
        let epoch = elected.epoch();
        match elected.caught_up(self.position()) {
            Ok(caught_up) => {
                self.way = Way::Opening(caught_up, usize::MAX);
                if let Some(length) = self.write(machine, epoch)
                    && let Way::Opening(_, own) = &mut self.way
                {
                    *own = length;
                }
            }
            Err((elected, _)) => self.way = Way::CatchingUp(elected, asked),
        }
    }

    fn pull(&mut self, machine: &mut Machine<'_>) {
        let Way::CatchingUp(elected, asked) = &mut self.way else { return };
        let Some(source) = elected.catch_up_from() else { return };
        *asked += 1;
        if *asked > 8 {
            *asked = 0;
            machine.source_lost();
        } else if let Some(peer) = machine.index_of(source.peer) {
            let stamp = elected.catch_up_stamp().epoch().number();
            machine
                .send(peer, &message(ASKS, stamp, [source.position.epoch.number(), source.position.offset]));
        }
        machine.wake_in(40 * MILLI, PULL);
    }

    /// Somebody holds more than before: what a quorum holds is acknowledged, the own entry opens the office.
    fn count(&mut self, machine: &mut Machine<'_>) {
        let Some(stamp) = self.led() else { return };
        let voting = machine.members().filter(|&member| machine.kind(member).is_some_and(MemberKind::votes));
        let quorum = voting.count() / 2 + 1;
        let mut lengths: Vec<usize> = machine
            .members()
            .filter(|&member| machine.kind(member) == Some(MemberKind::Voter))
            .map(|member| if self.matched[member].0 == stamp { self.matched[member].1 } else { 0 })
            .collect();
        lengths.sort_unstable_by(|one, other| other.cmp(one));
        let committed = lengths.get(quorum - 1).copied().unwrap_or(0);
        match std::mem::take(&mut self.way) {
            Way::Opening(caught_up, own) if committed >= own => {
                let entry = Position::new(Epoch::new(stamp), own as u64);
                if let Ok(office) = caught_up.own_entry_committed(entry) {
                    machine.entered_office(&office);
                    self.way = Way::InOffice(office, Stamp::received(entry.epoch));
                    self.acknowledge(machine, committed);
                }
            }
            Way::InOffice(office, stamp) => {
                // The last acts before an acknowledgement leaves: the lease, and the own fence.
                let passes = self.fence.as_ref().is_some_and(|fence| fence.ack(stamp).is_ok());
                let acknowledges = passes && office.check_write(stamp, machine.now()).is_ok();
                self.way = Way::InOffice(office, stamp);
                if acknowledges {
                    self.acknowledge(machine, committed);
                }
            }
            other => self.way = other,
        }
    }

    /// What this ledger promises: nothing that was ever acknowledged is missing or elsewhere.
    fn acknowledge(&self, machine: &mut Machine<'_>, committed: usize) {
        let list = self.list();
        let mut acknowledged = self.acknowledged.borrow_mut();
        let known = acknowledged.list.len();
        if let Some(place) = (0..known).find(|&place| list.get(place) != acknowledged.list.get(place)) {
            machine.fail(|| format!("the acknowledged entry {place} of {known} is gone"));
        } else if committed > known {
            match list.get(known..committed) {
                Some(new) => acknowledged.list.extend(new),
                None => {
                    machine.fail(|| format!("it acknowledges {committed} entries and holds {}", list.len()));
                }
            }
        }
    }
}

impl Host for Ledger {
    fn started(&mut self, machine: &mut Machine<'_>, storage: Storage) {
        self.replaced = storage == Storage::Replaced;
        self.matched = vec![(0, 0); machine.member_count()];
        if machine.kind(machine.index()) != Some(MemberKind::Witness) {
            let durable = Some(position_of(&self.disk));
            self.fence = Some(Fence::new(Entries { list: self.disk.clone(), durable }));
        }
        machine.report(self.position());
        machine.wake_in(60 * MILLI, REPLICATE);
    }

    fn lost(&mut self, _: &mut Machine<'_>, _: SteppedDown) {
        self.way = Way::Out;
    }

    fn act(&mut self, machine: &mut Machine<'_>, duty: Duty) {
        match duty {
            Duty::EpochRaised { .. } if self.bug == Bug::SwallowsRaise => {}
            Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. } => {
                self.begin(machine, elected);
            }
            Duty::EpochRaised { raised: Raised::InOffice(raised), .. } => {
                if let Way::InOffice(_, stamp) = &mut self.way {
                    *stamp = raised;
                }
                self.write(machine, raised.epoch());
            }
            Duty::HandoverBegan { .. } => machine.wake_in(10 * MILLI, DRAINED),
            Duty::Replaced { .. } => self.replaced = true,
            Duty::HandoverAborted { .. } | Duty::Rebuilt | Duty::Stopped { .. } => {}
        }
    }

    fn message(&mut self, machine: &mut Machine<'_>, from: NodeIndex, bytes: &[u8]) {
        let Some((&kind, rest)) = bytes.split_first() else { return };
        let numbers = numbers(rest);
        let Some((&stamp, rest)) = numbers.split_first() else { return };
        match (kind, rest) {
            (APPEND, list) => {
                self.take_over(machine, stamp, from, entries(list));
            }
            (HOLDS, &[length]) => {
                let length = usize::try_from(length).unwrap_or(0);
                self.matched[from] = self.matched[from].max((stamp, length));
                self.count(machine);
            }
            (ASKS, &[epoch, offset]) => {
                let length = usize::try_from(offset).unwrap_or(usize::MAX);
                let held = self.disk.get(..length).unwrap_or(&[]);
                if position_of(held) == Position::new(Epoch::new(epoch), offset) {
                    machine.send(from, &message(GIVES, stamp, flat(held)));
                }
            }
            (GIVES, list) => {
                let is_awaited =
                    matches!(&self.way, Way::CatchingUp(elected, _) if elected.epoch().number() == stamp);
                if is_awaited {
                    self.take_over(machine, stamp, machine.index(), entries(list));
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self, machine: &mut Machine<'_>, ticket: u64) {
        match ticket {
            REPLICATE => {
                self.replicate(machine);
                machine.wake_in(60 * MILLI, REPLICATE);
            }
            PULL => self.pull(machine),
            _ => machine.drained(),
        }
    }

    fn synced(&mut self, machine: &mut Machine<'_>) {
        let Some(synced) = self.syncing.take() else { return };
        let Some(fence) = &self.fence else { return };
        fence.durable(|log| log.durable = Some(position_of(&synced)));
        self.disk = synced;
        machine.report(self.position());
        let (stamp, source) = self.source;
        // Entries of another sender came meanwhile if memory and disk differ: then their sync tells.
        let is_current = self.list() == self.disk;
        let passes =
            self.fence.as_ref().is_some_and(|fence| fence.ack(Stamp::received(Epoch::new(stamp))).is_ok());
        if !is_current {
            self.sync(machine);
        } else if passes && source == machine.index() {
            self.matched[source] = (stamp, self.disk.len());
            self.count(machine);
        } else if passes && !self.replaced {
            machine.send(source, &message(HOLDS, stamp, [self.disk.len() as u64]));
        }
        self.go_on(machine);
    }

    fn client(&mut self, machine: &mut Machine<'_>) {
        let Way::InOffice(office, stamp) = &self.way else { return };
        let (now, stamp) = (machine.now(), *stamp);
        let raised = matches!(office.check_write(stamp, now), Err(NotInOffice::Raised { .. }));
        // What it promises: whoever leads a group that is well can write.
        self.refused_since = if raised { self.refused_since.or(Some(now)) } else { None };
        if self.refused_since.is_some_and(|since| now.since(since) > Duration::from_secs(1)) {
            machine
                .fail(|| format!("in office, and its writes under {stamp:?} have been refused for a second"));
        }
        if office.stamp(now).is_ok() {
            self.write(machine, stamp.epoch());
        }
    }

    fn crashed(&mut self, landed: bool) {
        let disk = match self.syncing.take() {
            Some(syncing) if landed => syncing,
            _ => std::mem::take(&mut self.disk),
        };
        *self = Self { disk, ..Self::new(self.bug, Rc::clone(&self.acknowledged)) };
    }

    fn disk(&self) -> Vec<u8> {
        flat(&self.disk).flat_map(u64::to_le_bytes).collect()
    }

    fn put_disk(&mut self, copy: &[u8]) {
        self.disk = entries(&numbers(copy));
    }

    fn fence(&self) -> Option<&dyn Floor> {
        self.fence.as_ref().map(|fence| fence as &dyn Floor)
    }

    fn position(&self) -> Option<Position> {
        self.fence.as_ref()?.inspect(Log::last_durable)
    }

    fn office(&self) -> Option<&Office> {
        match &self.way {
            Way::InOffice(office, _) => Some(office),
            _ => None,
        }
    }
}

/// One seed: a storm of twenty seconds, a calm of ten, and drills.
pub(crate) fn run(seed: u64, bug: Bug) -> Outcome {
    let mut options = Options::swarm(seed, None, 30 * SECOND);
    // A ledger on a lost disk never earns its vote back: that would be another example.
    options.faults.retain(|&fault| fault != Fault::LostDisk);
    let acknowledged = Rc::<RefCell<Acknowledged>>::default();
    let ledger = |_| Box::new(Ledger::new(bug, Rc::clone(&acknowledged))) as Box<dyn Host>;
    let run = Run::with_hosts(options, Detail::Hash, ledger);
    let mut outcome = run.outcome();
    outcome.counts.acknowledged = acknowledged.borrow().list.len() as u64;
    outcome
}

/// The first of so many seeds that fails, and what it says.
pub(crate) fn first_failure(bug: Bug, seeds: u64) -> Option<(u64, Violation)> {
    (0..seeds).find_map(|seed| run(seed, bug).violation.map(|violation| (seed, violation)))
}

/// How many entries were acknowledged in so many seeds, in all of which everything holds.
pub(crate) fn acknowledged(seeds: u64) -> u64 {
    let entries = |seed| {
        let outcome = run(seed, Bug::None);
        assert_eq!(outcome.violation, None, "seed {seed}");
        outcome.counts.acknowledged
    };
    (0..seeds).map(entries).sum()
}

#[expect(clippy::print_stdout, reason = "an example speaks to its reader")]
pub(crate) fn main() {
    let entries = acknowledged(200);
    assert!(entries > 10_000, "a campaign in which nothing is written proves nothing: {entries}");
    println!("200 seeds hold, {entries} entries acknowledged");
    for bug in [Bug::SwallowsRaise, Bug::ServesWithoutCatchingUp] {
        let Some((seed, violation)) = first_failure(bug, 200) else { panic!("{bug:?} is not found") };
        let violation = violation.to_string();
        println!("{bug:?} fails in seed {seed}: {}", violation.lines().next().unwrap_or_default());
    }
}
