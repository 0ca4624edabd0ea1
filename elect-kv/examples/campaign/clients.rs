//! Clients: each draws operations, follows the primary, and notes what it asked and was told.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, mem};

use super::dialog::{Dialog, Outcome};
use super::history::{Clock, Entry};
use super::network::NODES;
use super::operation::{KEYS, Operation, STRIDE, Write};
use super::random::Random;

/// Clients that share a group of keys.
pub(crate) const CLIENTS_OF_A_GROUP: usize = 3;
/// Groups that are worked on at the same time.
pub(crate) const GROUPS_AT_ONCE: usize = 3;
/// After so many operations a group's clients turn to fresh keys, …
const OPERATIONS_OF_A_GROUP: usize = 200;
/// … or after so many that stay open: each doubles what may have happened.
const OPEN_OF_A_GROUP: usize = 6;
/// How long clients wait for an answer: some give up before the server does.
const TIMEOUTS: [Duration; CLIENTS_OF_A_GROUP] =
    [Duration::from_millis(700), Duration::from_secs(2), Duration::from_secs(5)];
/// A client that was sent away tries the next node after this long.
const RETRY: Duration = Duration::from_millis(10);
/// Clients of a group work at the same time, and rest at the same time, …
const BURST: u64 = 100_000_000;
/// … but for one, which asks for something this often: what clients cannot get is seen at any time.
const STEADY: Duration = Duration::from_millis(50);

/// What clients tell.
#[derive(Debug)]
pub(crate) enum Told {
    Entry(u32, Entry),
    /// An operation was refused, with this code.
    Refused(String),
    /// An answer that nobody may give.
    Wrong(String),
}

/// What all clients share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
    pub(crate) ports: [u16; NODES],
    /// Of a hundred bursts so many are worked in.
    pub(crate) duty: usize,
    pub(crate) groups: Groups,
    ends: AtomicBool,
}

/// Which groups of keys are worked on.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    current: [Mutex<Current>; GROUPS_AT_ONCE],
    begun: AtomicUsize,
    values: AtomicI64,
}

#[derive(Debug, Default)]
struct Current {
    group: u32,
    asked: usize,
    open: usize,
}

impl Groups {
    fn new() -> Self {
        let groups = Self::default();
        groups.current.iter().for_each(|current| groups.turn(&mut lock(current)));
        groups
    }

    fn turn(&self, current: &mut Current) {
        let begun = self.begun.fetch_add(1, Ordering::Relaxed);
        *current = Current { group: u32::try_from(begun).unwrap_or(u32::MAX), asked: 0, open: 0 };
    }

    /// The group that the next operation goes to.
    fn take(&self, place: usize) -> u32 {
        let mut current = lock(&self.current[place]);
        if current.asked >= OPERATIONS_OF_A_GROUP || current.open >= OPEN_OF_A_GROUP {
            self.turn(&mut current);
        }
        current.asked += 1;
        current.group
    }

    fn note_open(&self, place: usize, group: u32) {
        let mut current = lock(&self.current[place]);
        current.open += usize::from(current.group == group);
    }

    /// The groups that are worked on.
    pub(crate) fn current(&self) -> [u32; GROUPS_AT_ONCE] {
        self.current.each_ref().map(|current| lock(current).group)
    }

    /// How many there were so far.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    /// A value that was never written.
    fn value(&self) -> i64 {
        (1 + self.values.fetch_add(1, Ordering::Relaxed)) * STRIDE
    }
}

fn lock(current: &Mutex<Current>) -> std::sync::MutexGuard<'_, Current> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All clients, on threads of their own.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    pub(crate) fn start(
        clock: Clock,
        seed: u64,
        duty: usize,
        ports: [u16; NODES],
        told: &Sender<Told>,
    ) -> io::Result<Self> {
        let (groups, ends) = (Groups::new(), AtomicBool::new(false));
        let shared = Arc::new(Shared { clock, seed, ports, duty, groups, ends });
        let mut threads = Vec::new();
        for number in 0..CLIENTS_OF_A_GROUP * GROUPS_AT_ONCE {
            let client = Client {
                number,
                random: Random::new(seed, 1_000 + number as u64),
                shared: shared.clone(),
                node: number % NODES,
                dialog: None,
                told: told.clone(),
            };
            let thread = thread::Builder::new().name(format!("client-{number}"));
            threads.push(thread.spawn(move || client.run())?);
        }
        Ok(Self { shared, threads })
    }

    /// Ends them, each after what it has under way.
    pub(crate) fn end(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        self.threads.iter().for_each(|thread| thread.thread().unpark());
        for thread in mem::take(&mut self.threads) {
            // What a panic was about has been printed.
            let _ = thread.join();
        }
    }
}

struct Client {
    number: usize,
    random: Random,
    shared: Arc<Shared>,
    node: usize,
    dialog: Option<Dialog>,
    told: Sender<Told>,
}

impl Client {
    fn place(&self) -> usize {
        self.number / CLIENTS_OF_A_GROUP
    }

    fn run(mut self) {
        while !self.shared.ends.load(Ordering::Relaxed) {
            match self.rest() {
                Some(rest) if self.number.is_multiple_of(CLIENTS_OF_A_GROUP) => {
                    thread::park_timeout(rest.min(STEADY));
                    self.work();
                }
                Some(rest) => thread::park_timeout(rest),
                None => self.work(),
            }
        }
    }

    /// How long the group rests now. All of its clients draw the same.
    fn rest(&self) -> Option<Duration> {
        let now = self.shared.clock.now();
        let burst = now / BURST;
        let stream = (burst << 8) + self.place() as u64;
        let works = Random::new(self.shared.seed, stream).below(100) < self.shared.duty;
        (!works).then(|| Duration::from_nanos(BURST - now % BURST))
    }

    fn work(&mut self) {
        let shared = self.shared.clone();
        let timeout = TIMEOUTS[self.number % CLIENTS_OF_A_GROUP];
        let open = || Dialog::open(shared.ports[self.node], timeout);
        let Ok(mut dialog) = self.dialog.take().map_or_else(open, Ok) else { return self.go_on(None) };
        let (group, operation) = self.draw();
        let mut invoked = shared.clock.now();
        let outcome = dialog.run(group, &operation, || invoked = shared.clock.now());
        let now = shared.clock.now();
        self.dialog = (!dialog.is_over()).then_some(dialog);
        let entry = |answered| Entry { client: self.number, operation, invoked, answered };
        match outcome {
            Outcome::Answered(answer) => self.tell(Told::Entry(group, entry(Some((now, answer))))),
            Outcome::Open => {
                let entry = entry(None);
                if !entry.operation.is_read() {
                    shared.groups.note_open(self.place(), group);
                    self.tell(Told::Entry(group, entry));
                }
                self.go_on(None);
            }
            Outcome::Refused(code, moved) => {
                let is_same = code == "NOREPLICAS" || code == "TRYAGAIN";
                self.tell(Told::Refused(code));
                let port = moved.or(is_same.then_some(shared.ports[self.node]));
                self.go_on(port);
            }
            Outcome::Wrong(what) => self.tell(Told::Wrong(format!("client {}: {what}", self.number))),
        }
    }

    fn tell(&self, told: Told) {
        // Nobody listens once the campaign has failed.
        let _ = self.told.send(told);
    }

    /// Turns to another node: the one that was named, or the next.
    fn go_on(&mut self, port: Option<u16>) {
        let named = port.and_then(|port| self.shared.ports.iter().position(|own| *own == port));
        let next = named.unwrap_or((self.node + 1) % NODES);
        if next != self.node {
            self.dialog = None;
        }
        self.node = next;
        thread::park_timeout(RETRY);
    }

    /// What to do next. Now and then a group of long ago is looked at: what it holds must stay.
    fn draw(&mut self) -> (u32, Operation) {
        if self.random.one_in(30) {
            let group = self.random.below(self.shared.groups.begun());
            return (u32::try_from(group).unwrap_or(0), Operation::GetMany((0..KEYS).collect()));
        }
        let group = self.shared.groups.take(self.place());
        (group, draw(&mut self.random, || self.shared.groups.value()))
    }
}

/// An operation on keys of one group.
pub(crate) fn draw(random: &mut Random, mut value: impl FnMut() -> i64) -> Operation {
    match random.below(20) {
        0..5 => Operation::Get(random.below(KEYS)),
        5..8 => Operation::GetMany(keys(random)),
        8 => Operation::Exists(keys(random)),
        9..11 => {
            let count = 2 + random.below(2);
            Operation::Transaction((0..count).map(|_| draw_write(random, &mut value)).collect())
        }
        _ => Operation::Write(draw_write(random, &mut value)),
    }
}

fn draw_write(random: &mut Random, value: &mut impl FnMut() -> i64) -> Write {
    let key = random.below(KEYS);
    match random.below(10) {
        0..4 => Write::Set(key, value()),
        4 => Write::SetNew(key, value()),
        5..7 => Write::SetMany(keys(random).into_iter().map(|key| (key, value())).collect()),
        7..9 => Write::Increment(key),
        _ => Write::Delete(keys(random)),
    }
}

/// Two or more keys, in some order.
fn keys(random: &mut Random) -> Vec<usize> {
    let mut keys: Vec<_> = (0..KEYS).collect();
    for place in (1..KEYS).rev() {
        keys.swap(place, random.below(place + 1));
    }
    keys.truncate(2 + random.below(KEYS - 1));
    keys
}
