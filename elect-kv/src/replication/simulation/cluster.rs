//! The cluster that is simulated: hosts, links, elections.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use elect_core::{Epoch, NodeId, Position, Source, Stamp};

use super::Mutant;
use super::disk::{Disk, State, apply};
use crate::replication::{Entry, History, Journal, Message, Output, Replica, ReplicaConfig, ReplicaPeer};

/// What the elector tells a host, delivered late.
#[derive(Clone, Copy, Debug)]
pub(super) enum ElectorEvent {
    Follow(NodeId, Epoch),
    Lost,
    Elected(Epoch, Option<Source>),
    Raised(Epoch),
}

pub(super) struct Host {
    pub(super) replica: Option<Replica>,
    pub(super) disk: Disk,
    pub(super) elector_events: VecDeque<ElectorEvent>,
    /// The epoch whose data this node may write or is about to, and whether it is in office.
    pub(super) leads: Option<(Epoch, bool)>,
    /// Writes of clients that wait: by offset, the entry.
    pub(super) waiting: BTreeMap<u64, Entry>,
}

pub(super) struct Cluster {
    pub(super) hosts: Vec<Host>,
    /// Messages under way, by (from, to); a missing key is a closed connection.
    pub(super) links: BTreeMap<(usize, usize), VecDeque<Message>>,
    pub(super) epoch: u64,
    /// Who the elections' winners were.
    pub(super) winners: BTreeMap<Epoch, usize>,
    pub(super) acknowledged: BTreeMap<u64, Entry>,
    pub(super) committed: BTreeMap<u64, Entry>,
    pub(super) writes: u64,
    pub(super) mutant: Mutant,
    /// Crashes of nodes that had received a part of a state.
    pub(super) half_received: usize,
    pub(super) broken: Option<String>,
}

pub(super) fn name(node: usize) -> NodeId {
    NodeId::new(["a", "b", "c", "d", "e"][node]).unwrap()
}

pub(super) fn index(id: NodeId) -> usize {
    (0..5).find(|node| name(*node) == id).unwrap()
}

impl Cluster {
    pub(super) fn new(nodes: usize, mutant: Mutant) -> Self {
        let host = || Host {
            replica: None,
            disk: Disk::new(mutant),
            elector_events: VecDeque::new(),
            leads: None,
            waiting: BTreeMap::new(),
        };
        let mut cluster = Self {
            hosts: (0..nodes).map(|_| host()).collect(),
            links: BTreeMap::new(),
            epoch: 0,
            winners: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            committed: BTreeMap::new(),
            writes: 0,
            mutant,
            half_received: 0,
            broken: None,
        };
        for node in 0..nodes {
            cluster.start(node);
        }
        cluster
    }

    pub(super) fn quorum(&self) -> usize {
        self.hosts.len() / 2 + 1
    }

    pub(super) fn start(&mut self, node: usize) {
        let nodes = self.hosts.len();
        let peers =
            (0..nodes).filter(|peer| *peer != node).map(|peer| ReplicaPeer { id: name(peer), counts: true });
        let config = ReplicaConfig {
            node: name(node),
            peers: peers.collect(),
            write_quorum: self.quorum(),
            counts: true,
            intact: true,
            window: 3,
            message_bytes: 2,
        };
        let host = &mut self.hosts[node];
        let content = &host.disk.content;
        let mut history = History::after(content.begin);
        for entry in &content.log {
            history.append(entry.epoch);
        }
        host.replica = Some(Replica::new(config, history, content.applied));
    }

    pub(super) fn crash(&mut self, node: usize, survives: usize) {
        for peer in 0..self.hosts.len() {
            self.disconnect(node, peer);
        }
        let host = &mut self.hosts[node];
        self.half_received += usize::from(!host.disk.received.is_empty());
        host.disk.crash(survives);
        host.replica = None;
        host.elector_events.clear();
        host.leads = None;
        host.waiting.clear();
    }

    pub(super) fn connect(&mut self, one: usize, other: usize) {
        let alive = self.hosts[one].replica.is_some() && self.hosts[other].replica.is_some();
        if one == other || !alive || self.links.contains_key(&(one, other)) {
            return;
        }
        for (from, to) in [(one, other), (other, one)] {
            self.links.insert((from, to), VecDeque::new());
            self.with(from, |replica, _| replica.on_up(name(to)));
        }
    }

    pub(super) fn disconnect(&mut self, one: usize, other: usize) {
        for (from, to) in [(one, other), (other, one)] {
            if self.links.remove(&(from, to)).is_some() {
                self.with(from, |replica, _| replica.on_down(name(to)));
            }
        }
    }

    /// Runs one input and carries out what comes of it.
    pub(super) fn with(&mut self, node: usize, input: impl FnOnce(&mut Replica, &mut Disk)) {
        let host = &mut self.hosts[node];
        let Some(replica) = &mut host.replica else { return };
        input(replica, &mut host.disk);
        let outputs = replica.take_output();
        self.carry_out(node, outputs);
    }

    pub(super) fn carry_out(&mut self, node: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { to, message } => {
                    if let Some(link) = self.links.get_mut(&(node, index(to))) {
                        link.push_back(message);
                    }
                }
                Output::Committed(offset) => self.committed(node, offset),
                Output::CaughtUp { epoch, .. } => {
                    let host = &mut self.hosts[node];
                    let Some(replica) = &mut host.replica else { return };
                    replica.begin(Stamp::received(epoch), &mut host.disk);
                    let more = replica.take_output();
                    self.carry_out(node, more);
                }
                Output::OwnEntryCommitted(entry) => self.enters_office(node, entry),
                Output::Installed { .. } => self.check_state(node),
                Output::SourceLost { .. }
                | Output::Rebuilt(_)
                | Output::Sends { .. }
                | Output::Receives { .. } => {}
                Output::Diverged { shared, commit } => {
                    self.broken = Some(format!("{node}: committed up to {commit}, shared only {shared}"));
                }
            }
        }
    }

    pub(super) fn committed(&mut self, node: usize, offset: u64) {
        let host = &mut self.hosts[node];
        for at in host.disk.content.applied + 1..=offset {
            let Some(entry) = host.disk.content.entry(at).cloned() else {
                self.broken = Some(format!("{node} lacks entry {at} before it is applied"));
                return;
            };
            let known = self.committed.entry(at).or_insert_with(|| entry.clone());
            if *known != entry {
                self.broken = Some(format!("offset {at}: {node} commits {entry:?}, another {known:?}"));
            }
        }
        host.disk.apply(offset);
        let Some((epoch, _)) = host.leads else { return };
        let answered: Vec<_> =
            host.waiting.range(..=offset).map(|(at, entry)| (*at, entry.clone())).collect();
        for (at, entry) in answered {
            host.waiting.remove(&at);
            if host.disk.ack(Stamp::received(epoch)).is_ok() {
                self.acknowledged.insert(at, entry);
            }
        }
    }

    pub(super) fn enters_office(&mut self, node: usize, entry: Position) {
        let host = &mut self.hosts[node];
        host.leads = Some((entry.epoch, true));
        // A winner that was passed by, and hears so late that its own entry is on a quorum, has no lease any more: what later
        // leaders acknowledged is not its concern.
        let before = self.acknowledged.iter().filter(|(_, held)| held.epoch <= entry.epoch);
        if let Some((at, entry)) = before.into_iter().find(|(at, entry)| !self.holds(node, **at, entry)) {
            self.broken = Some(format!("{node} enters office without the acknowledged {entry:?} at {at}"));
        }
        self.check_state(node);
    }

    /// Whether a node's log holds an entry, or its state does and nothing else.
    pub(super) fn holds(&self, node: usize, at: u64, entry: &Entry) -> bool {
        let content = &self.hosts[node].disk.content;
        if at > content.begin.offset {
            return content.entry(at) == Some(entry);
        }
        content.applied >= content.begin.offset && self.committed.get(&at) == Some(entry)
    }

    /// A state is what the committed entries make of it, up to what is applied.
    pub(super) fn check_state(&mut self, node: usize) {
        let content = &self.hosts[node].disk.content;
        let mut expected = State::new();
        for at in 1..=content.applied {
            match self.committed.get(&at) {
                Some(entry) => apply(&mut expected, at, entry),
                None => self.broken = Some(format!("{node} has applied {at}, which is not committed")),
            }
        }
        if content.state != expected {
            let (applied, state) = (content.applied, &content.state);
            self.broken = Some(format!("{node} at {applied}: {state:?}, but committed is {expected:?}"));
        }
    }

    /// A node is away while the others are well, go on, and drop what it lacks; then one of them is back in touch with it.
    fn leave_behind(&mut self, node: usize, back: usize) {
        let others: Vec<_> = (0..self.hosts.len()).filter(|other| *other != node).collect();
        for &other in &others {
            self.disconnect(node, other);
            if self.hosts[other].replica.is_none() {
                self.start(other);
            }
        }
        for (one, other) in others.iter().flat_map(|one| others.iter().map(move |other| (*one, *other))) {
            self.connect(one, other);
        }
        let leads = |host: &usize| self.hosts[*host].leads.is_some_and(|(_, in_office)| in_office);
        let leader = others.iter().copied().find(leads).unwrap_or_else(|| {
            self.elect(others[0], !(1 << node));
            others[0]
        });
        for _ in 0..4 {
            self.write(leader);
            self.run_once();
        }
        for &other in &others {
            self.drop_old(other, (back % 4 * 100) as u64);
        }
        self.connect(node, others[back % others.len()]);
    }

    /// The log's begin moves, as the host decides.
    pub(super) fn drop_old(&mut self, node: usize, count: u64) {
        let host = &mut self.hosts[node];
        if let (Some(replica), Some(begin)) = (&mut host.replica, host.disk.drop_old(count)) {
            replica.on_dropped(begin);
        }
    }

    pub(super) fn sync(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        host.disk.sync();
        self.with(node, Replica::on_synced);
    }

    pub(super) fn write(&mut self, node: usize) {
        let Some((epoch, true)) = self.hosts[node].leads else { return };
        self.writes += 1;
        let command = Bytes::from(self.writes.to_be_bytes().to_vec());
        let entry = Entry { epoch, command: command.clone() };
        let mut at = None;
        self.with(node, |replica, disk| {
            at = replica.propose(Stamp::received(epoch), vec![command], disk).ok();
        });
        if let Some(at) = at {
            self.hosts[node].waiting.insert(at, entry);
        }
    }

    pub(super) fn deliver(&mut self, from: usize, to: usize) {
        let Some(message) = self.links.get_mut(&(from, to)).and_then(VecDeque::pop_front) else { return };
        self.with(to, |replica, disk| replica.on_message(name(from), message, disk));
    }

    pub(super) fn step(&mut self, (kind, one, other): (u8, u8, u8)) {
        let nodes = self.hosts.len();
        let (a, b, mask) = (one as usize % nodes, other as usize % nodes, other as usize);
        match kind {
            0..=39 => self.deliver(a, b),
            40..=54 => self.write(a),
            55..=69 => self.sync(a),
            70..=84 => self.take_elector_event(a),
            85..=89 => self.connect(a, b),
            90..=91 => self.disconnect(a, b),
            92..=93 => self.elect(a, mask),
            94 => self.reoffer(a, mask),
            95..=96 => self.adopt(a),
            97 => self.crash(a, mask % 4),
            98..=99 if self.hosts[a].replica.is_none() => self.start(a),
            // Duplicated, lost and reordered messages.
            100 => drop(self.links.get_mut(&(a, b)).and_then(VecDeque::pop_front)),
            101..=104 => {
                let Some(link) = self.links.get_mut(&(a, b)) else { return };
                if mask % 2 == 0 {
                    link.extend(link.front().cloned());
                } else if let Some(last) = link.back().cloned() {
                    link.push_front(last);
                }
            }
            105..=112 => self.drop_old(a, other.into()),
            113..=115 => self.leave_behind(a, mask),
            _ => {}
        }
    }

    /// Everything is repaired; the cluster must agree on one log with all acknowledged writes in it.
    pub(super) fn heal(&mut self, leader: usize) {
        for node in 0..self.hosts.len() {
            if self.hosts[node].replica.is_none() {
                self.start(node);
            }
        }
        for one in 0..self.hosts.len() {
            for other in 0..one {
                self.disconnect(one, other);
                self.connect(one, other);
            }
        }
        self.elect(leader, usize::MAX);
        self.run_until_quiet();
        for _ in 0..3 {
            self.write(leader);
        }
        self.run_until_quiet();
    }

    pub(super) fn run_once(&mut self) -> usize {
        let nodes = self.hosts.len();
        let mut moved = 0;
        for node in 0..nodes {
            while !self.hosts[node].elector_events.is_empty() {
                self.take_elector_event(node);
                moved += 1;
            }
            for from in 0..nodes {
                while self.links.get(&(from, node)).is_some_and(|link| !link.is_empty()) {
                    self.deliver(from, node);
                    moved += 1;
                }
            }
            self.sync(node);
        }
        moved
    }

    pub(super) fn run_until_quiet(&mut self) {
        for _ in 0..500 {
            if self.run_once() == 0 {
                return;
            }
        }
        self.broken = Some("the replicas never stop sending".into());
    }

    /// The different logs, each as its end and the epochs of what no node has dropped.
    pub(super) fn logs(&self) -> BTreeSet<(Position, Vec<Option<u64>>)> {
        let contents = || self.hosts.iter().map(|host| &host.disk.content);
        let begin = contents().map(|content| content.begin.offset).max().unwrap_or(0);
        let log = |content: &super::disk::Content| {
            let epochs =
                (begin + 1..=content.last()).map(|at| content.entry(at).map(|entry| entry.epoch.number()));
            (content.position(content.last()), epochs.collect())
        };
        contents().map(log).collect()
    }
}
