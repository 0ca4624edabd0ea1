//! The group that a drill plays with: its processes, and what they tell.

use std::error::Error;
use std::io::{self, BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use elect_tcp::{Held, Supervisor};
use rustix::process::{Pid, Signal, kill_process};

use crate::leases::Unfinished;
use crate::node::{self, Seat};

/// Longer than anything here takes on a machine that works.
pub(crate) const BOUND: Duration = Duration::from_secs(30);
/// Below the ports that the system gives to whoever dials: none of those takes the place of a node that is down.
const PORTS: std::ops::Range<u16> = 10_240..32_000;

/// What drills need to know of the group that they want.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) crash_evidence: bool,
    pub(crate) writes: bool,
    pub(crate) detection_ms: u64,
    pub(crate) links: Links,
    /// What a group gets between two kills, at least.
    pub(crate) pause: Duration,
    /// The slowest runs are told in full.
    pub(crate) stories: bool,
}

impl Plan {
    /// How long the lease of a process counts that was killed: where its death is known, it is succeeded at once.
    pub(crate) fn after_a_death(&self) -> Unfinished {
        if self.crash_evidence || self.links == Links::Supervised {
            Unfinished::ToItsLastUse
        } else {
            Unfinished::ToItsEnd
        }
    }
}

/// How the nodes are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Plain,
    Tls,
    /// TLS, and the drill is the supervisor of every node: it tells the others when its process has ended.
    Supervised,
}

/// Starts the process of a node: without arguments this very program, which looks whether it is one.
pub(crate) type Launch = dyn Fn(&Seat) -> io::Result<Command>;

/// Something that a node told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Its number in the list.
    pub(crate) node: usize,
    /// On the clock that all share, in nanoseconds.
    pub(crate) at: u64,
    pub(crate) what: String,
    pub(crate) words: Vec<String>,
}

impl Told {
    pub(crate) fn is(&self, node: usize, what: &str) -> bool {
        self.node == node && self.what == what
    }

    pub(crate) fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }
}

/// Ends every process with it.
pub(crate) struct Group<'a> {
    seats: Vec<Seat>,
    launch: &'a Launch,
    children: Vec<Option<Child>>,
    supervisors: Vec<Supervisor>,
    /// What supervisors hold, by node.
    held: Vec<Option<Held>>,
    teller: Sender<Told>,
    heard: Receiver<Told>,
    /// Everything so far, in the order in which it came.
    pub(crate) told: Vec<Told>,
}

impl<'a> Group<'a> {
    /// A group of new nodes on loopback, with their first boot behind them.
    pub(crate) fn start(plan: &Plan, directory: &Path, launch: &'a Launch) -> Result<Self, Box<dyn Error>> {
        Self::start_at(plan, directory, &free_addresses(plan.nodes)?, launch)
    }

    pub(crate) fn start_at(
        plan: &Plan,
        directory: &Path,
        addresses: &[SocketAddr],
        launch: &'a Launch,
    ) -> Result<Self, Box<dyn Error>> {
        let members: Vec<_> = ('a'..='z').map(String::from).zip(addresses.iter().copied()).collect();
        let seat = |(name, listen): &(String, SocketAddr)| Seat {
            name: name.clone(),
            members: members.clone(),
            listen: *listen,
            directory: directory.to_owned(),
            crash_evidence: plan.crash_evidence,
            detection_ms: plan.detection_ms,
            writes: plan.writes,
            tls: plan.links != Links::Plain,
            parent: std::process::id(),
        };
        let (teller, heard) = channel();
        let seats: Vec<_> = members.iter().map(seat).collect();
        let children = seats.iter().map(|_| None).collect();
        let held = seats.iter().map(|_| None).collect();
        let supervisors = Vec::new();
        let mut group = Self { seats, launch, children, supervisors, held, teller, heard, told: Vec::new() };
        for node in 0..addresses.len() {
            group.seats[node].init()?;
            if plan.links == Links::Supervised {
                group.supervisors.push(Supervisor::start(&group.seats[node].config()?)?);
            }
            group.launch(node)?;
        }
        Ok(group)
    }

    pub(crate) fn seat(&self, node: usize) -> &Seat {
        &self.seats[node]
    }

    pub(crate) fn name(&self, node: usize) -> &str {
        &self.seats[node].name
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.seats.iter().position(|seat| seat.name == name)
    }

    /// Starts the process of a node that is down.
    pub(crate) fn launch(&mut self, node: usize) -> Result<(), Box<dyn Error>> {
        self.held[node] = self.supervisors.get(node).map(Supervisor::hold).transpose()?;
        let child = spawn(&self.seats[node], self.launch, node, &self.teller)?;
        self.children[node] = Some(child);
        Ok(())
    }

    /// `kill -9`, and the moment of it.
    pub(crate) fn kill(&mut self, node: usize) -> Result<u64, Box<dyn Error>> {
        let mut child = self.children[node].take().ok_or("that node does not run")?;
        let at = node::now();
        child.kill()?;
        child.wait()?;
        if let Some(held) = self.held[node].take() {
            let end = held.ended()?.ok_or("a process was killed before it spoke")?;
            if end.told.len() + 1 < self.seats.len() {
                return Err(
                    format!("only {:?} were told that {} has ended", end.told, self.name(node)).into()
                );
            }
        }
        Ok(at)
    }

    pub(crate) fn signal(&self, node: usize, signal: Signal) -> io::Result<u64> {
        let child = self.children[node].as_ref().ok_or(io::ErrorKind::NotFound)?;
        let process =
            i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
        let at = node::now();
        kill_process(process, signal)?;
        Ok(at)
    }

    /// A second process under a node's name, elsewhere: with its number, and what it tells.
    pub(crate) fn twin(&self, node: usize, seat: &Seat) -> Result<Twin, Box<dyn Error>> {
        let (teller, heard) = channel();
        Ok(Twin { child: spawn(seat, self.launch, node, &teller)?, heard })
    }

    /// Waits until `wanted` finds something in what was told since `mark`.
    pub(crate) fn wait<T>(
        &mut self,
        what: &str,
        mark: usize,
        mut wanted: impl FnMut(&Self, &[Told]) -> Option<T>,
    ) -> Result<T, Box<dyn Error>> {
        let until = Instant::now() + BOUND;
        loop {
            if let Some(found) = wanted(self, &self.told[mark.min(self.told.len())..]) {
                return Ok(found);
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(told) if told.what == "failed" => {
                    return Err(format!("{} failed: {}", self.name(told.node), told.word(0)).into());
                }
                Ok(told) => self.told.push(told),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let last: Vec<_> = self.told.iter().rev().take(40).rev().collect();
                    return Err(format!("no {what} within {BOUND:?}; at last: {last:#?}").into());
                }
            }
        }
    }

    /// Takes in what is told for that long.
    pub(crate) fn listen(&mut self, span: Duration) {
        let until = Instant::now() + span;
        while let Ok(told) = self.heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.told.push(told);
        }
    }

    /// Lets the group run for the pause and a part of it that differs from run to run.
    pub(crate) fn rest(&mut self, pause: Duration, run: usize) {
        let quarters = u32::try_from(run % 7).unwrap_or_default();
        self.listen(pause + pause * quarters / 4);
    }

    /// Who is in office and followed by every other node that runs, besides those in `without`.
    pub(crate) fn settle(&mut self, without: &[usize]) -> Result<usize, Box<dyn Error>> {
        let running: Vec<_> = (0..self.seats.len())
            .filter(|node| self.children[*node].is_some() && !without.contains(node))
            .collect();
        self.wait("leader that all follow", 0, |group, told| group.leader_of(&running, told))
    }

    /// Every node that is in office as far as it told, and since when.
    pub(crate) fn in_office(&self) -> Vec<(usize, u64)> {
        let ends = ["office", "raised", "lost", "started"];
        let last = |node: usize| {
            self.told.iter().rev().find(|told| told.node == node && ends.contains(&told.what.as_str()))
        };
        let leads = |node: usize| {
            last(node).filter(|told| matches!(&*told.what, "office" | "raised")).map(|told| (node, told.at))
        };
        (0..self.seats.len()).filter_map(leads).collect()
    }

    /// Ends every process. Who told of being in office, and in which epoch that began.
    pub(crate) fn end(self) -> Vec<(String, u64)> {
        let offices = self.told.iter().filter(|told| told.what == "office");
        offices
            .filter_map(|told| Some((self.name(told.node).to_owned(), told.word(0).parse().ok()?)))
            .collect()
    }

    fn leader_of(&self, running: &[usize], told: &[Told]) -> Option<usize> {
        let states = ["office", "following", "lost", "leader lost", "started", "raised"];
        let last = |node: usize| {
            told.iter().rev().find(|told| told.node == node && states.contains(&told.what.as_str()))
        };
        let leads =
            |node: &&usize| last(**node).is_some_and(|told| matches!(&*told.what, "office" | "raised"));
        let leader = *running.iter().find(leads)?;
        let follows = |node: usize| {
            last(node)
                .is_some_and(|told| told.what == "following" && self.number(told.word(0)) == Some(leader))
        };
        running.iter().all(|&node| node == leader || follows(node)).then_some(leader)
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A second process under a name. Ends with its value.
pub(crate) struct Twin {
    child: Child,
    heard: Receiver<Told>,
}

impl Twin {
    /// What it tells within that span, or until it is silent for good.
    pub(crate) fn told(&self, span: Duration) -> Vec<Told> {
        let until = Instant::now() + span;
        let next = || self.heard.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
        std::iter::from_fn(next).collect()
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(seat: &Seat, launch: &Launch, node: usize, teller: &Sender<Told>) -> Result<Child, Box<dyn Error>> {
    let (variable, value) = seat.variable()?;
    let mut command = launch(seat)?;
    let mut child = command.env(variable, value).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let (out, teller) = (child.stdout.take().ok_or("no output")?, teller.clone());
    thread::Builder::new().name(format!("hears {}", seat.name)).spawn(move || hear(out, node, &teller))?;
    Ok(child)
}

fn hear(out: ChildStdout, node: usize, teller: &Sender<Told>) {
    for line in BufReader::new(out).lines().map_while(Result::ok) {
        let mut words = line.split('\t').map(String::from);
        // Whatever else a process prints is none of a node's.
        let (Some(Ok(at)), Some(what)) = (words.next().map(|word| word.parse()), words.next()) else {
            continue;
        };
        if teller.send(Told { node, at, what, words: words.collect() }).is_err() {
            return;
        }
    }
}

/// Ports of loopback that nobody uses, neither over TCP nor over UDP.
pub(crate) fn free_addresses(count: usize) -> Result<Vec<SocketAddr>, Box<dyn Error>> {
    let mut held = Vec::new();
    let span = u32::from(PORTS.end - PORTS.start);
    let first = std::process::id().wrapping_mul(37).wrapping_add(u32::try_from(node::now() % 65_536)?);
    for step in 0..span {
        let port = PORTS.start + u16::try_from(first.wrapping_add(step) % span)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if let (Ok(tcp), Ok(udp)) = (TcpListener::bind(address), UdpSocket::bind(address)) {
            held.push((address, tcp, udp));
        }
        if held.len() == count {
            return Ok(held.into_iter().map(|(address, ..)| address).collect());
        }
    }
    Err("no free ports".into())
}
