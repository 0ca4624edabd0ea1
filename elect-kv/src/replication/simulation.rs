//! Several replicas on a lossy network, with leader changes, crashes and late syncs.
//!
//! Elections are played by the simulation: a quorum raises its fences and reports durable positions, as the
//! elector's gate does, and each host learns of it later, in its own time. What is checked after every step:
//! committed entries never differ between nodes, and whoever enters office holds every acknowledged write.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use elect_core::{Epoch, Fenced, NodeId, Position, Source, Stamp};
use proptest::prelude::*;

use super::*;

/// A bent rule: the checks must notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mutant {
    None,
    /// Acknowledgements do not pass the fence again.
    AcksPassUnfenced,
    /// The longer log wins, whatever its epochs.
    LengthBeatsEpoch,
    /// A winner behind its quorum does not catch up.
    NoCatchUp,
}

struct Disk {
    floor: Epoch,
    kept: Option<Epoch>,
    log: Vec<Entry>,
    /// Offset of the last durable entry that is still in the log.
    durable: usize,
    /// The log at the last sync, and what was written since.
    synced: Vec<Entry>,
    since: Vec<(usize, Vec<Entry>)>,
    mutant: Mutant,
}

impl Disk {
    fn admit(&self, stamp: Stamp) -> Result<(), Fenced> {
        let (epoch, floor) = (stamp.epoch(), self.floor);
        match epoch.cmp(&floor) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less if self.kept == Some(epoch) => Ok(()),
            std::cmp::Ordering::Less => Err(Fenced::Stale { stamp: epoch, floor }),
            std::cmp::Ordering::Greater => Err(Fenced::Ahead { stamp: epoch, floor }),
        }
    }

    fn position(&self, length: usize) -> Position {
        self.log[..length].last().map_or(Position::EMPTY, |entry| Position::new(entry.epoch, length as u64))
    }

    fn sync(&mut self) {
        self.synced.clone_from(&self.log);
        self.since.clear();
        self.durable = self.log.len();
    }

    /// A crash: of what was written since the last sync, only the first `survives` writes are left.
    fn crash(&mut self, survives: usize) {
        self.log = std::mem::take(&mut self.synced);
        for (keep, entries) in self.since.drain(..).take(survives) {
            self.log.truncate(keep);
            self.log.extend(entries);
        }
        self.kept = None;
        self.sync();
    }
}

impl Journal for Disk {
    fn write(&mut self, stamp: Stamp, keep: Position, entries: &[Entry]) -> Result<(), WriteRefused> {
        self.admit(stamp)?;
        let length = usize::try_from(keep.offset).unwrap();
        assert_eq!(self.position(length), keep, "the log holds what is kept");
        self.log.truncate(length);
        self.log.extend_from_slice(entries);
        self.durable = self.durable.min(length);
        self.since.push((length, entries.to_vec()));
        Ok(())
    }

    fn read(&mut self, after: u64, through: u64, bytes_max: usize) -> Vec<Entry> {
        let (after, through) = (usize::try_from(after).unwrap(), usize::try_from(through).unwrap());
        self.log[after..through].iter().take(bytes_max).cloned().collect()
    }

    fn ack(&self, stamp: Stamp) -> Result<(), Fenced> {
        if self.mutant == Mutant::AcksPassUnfenced { Ok(()) } else { self.admit(stamp) }
    }
}

/// What the elector tells a host, delivered late.
#[derive(Clone, Copy, Debug)]
enum News {
    Follow(NodeId, Epoch),
    Lost,
    Elected(Epoch, Option<Source>),
    Raised(Epoch),
}

struct Host {
    replica: Option<Replica>,
    disk: Disk,
    applied: u64,
    applied_at_sync: u64,
    news: VecDeque<News>,
    /// The epoch whose data this node may write or is about to, and whether it is in office.
    leads: Option<(Epoch, bool)>,
    /// Writes of clients that wait: by offset, the entry.
    waiting: BTreeMap<u64, Entry>,
}

struct Cluster {
    hosts: Vec<Host>,
    /// Messages under way, by (from, to); a missing key is a closed connection.
    links: BTreeMap<(usize, usize), VecDeque<Message>>,
    epoch: u64,
    /// Who the elections' winners were.
    winners: BTreeMap<Epoch, usize>,
    acknowledged: BTreeMap<u64, Entry>,
    committed: BTreeMap<u64, Entry>,
    writes: u64,
    mutant: Mutant,
    broken: Option<String>,
}

fn name(node: usize) -> NodeId {
    NodeId::new(["a", "b", "c", "d", "e"][node]).unwrap()
}

fn index(id: NodeId) -> usize {
    (0..5).find(|node| name(*node) == id).unwrap()
}

impl Cluster {
    fn new(nodes: usize, mutant: Mutant) -> Self {
        let disk = || Disk {
            floor: Epoch::ZERO,
            kept: None,
            log: Vec::new(),
            durable: 0,
            synced: Vec::new(),
            since: Vec::new(),
            mutant,
        };
        let host = || Host {
            replica: None,
            disk: disk(),
            applied: 0,
            applied_at_sync: 0,
            news: VecDeque::new(),
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
            broken: None,
        };
        for node in 0..nodes {
            cluster.start(node);
        }
        cluster
    }

    fn quorum(&self) -> usize {
        self.hosts.len() / 2 + 1
    }

    fn start(&mut self, node: usize) {
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
        let mut history = History::new();
        for entry in &host.disk.log {
            history.append(entry.epoch);
        }
        host.replica = Some(Replica::new(config, history, host.applied));
    }

    fn crash(&mut self, node: usize, survives: usize) {
        for peer in 0..self.hosts.len() {
            self.disconnect(node, peer);
        }
        let host = &mut self.hosts[node];
        host.disk.crash(survives);
        host.applied = host.applied_at_sync;
        host.replica = None;
        host.news.clear();
        host.leads = None;
        host.waiting.clear();
    }

    fn connect(&mut self, one: usize, other: usize) {
        let alive = self.hosts[one].replica.is_some() && self.hosts[other].replica.is_some();
        if one == other || !alive || self.links.contains_key(&(one, other)) {
            return;
        }
        for (from, to) in [(one, other), (other, one)] {
            self.links.insert((from, to), VecDeque::new());
            self.with(from, |replica, _| replica.on_up(name(to)));
        }
    }

    fn disconnect(&mut self, one: usize, other: usize) {
        for (from, to) in [(one, other), (other, one)] {
            if self.links.remove(&(from, to)).is_some() {
                self.with(from, |replica, _| replica.on_down(name(to)));
            }
        }
    }

    /// Runs one input and carries out what comes of it.
    fn with(&mut self, node: usize, input: impl FnOnce(&mut Replica, &mut Disk)) {
        let host = &mut self.hosts[node];
        let Some(replica) = &mut host.replica else { return };
        input(replica, &mut host.disk);
        let outputs = replica.take_output();
        self.carry_out(node, outputs);
    }

    fn carry_out(&mut self, node: usize, outputs: Vec<Output>) {
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
                Output::SourceLost { .. } | Output::Rebuilt(_) => {}
                Output::Diverged { shared, commit } => {
                    self.broken = Some(format!("{node}: committed up to {commit}, shared only {shared}"));
                }
            }
        }
    }

    fn committed(&mut self, node: usize, offset: u64) {
        let host = &mut self.hosts[node];
        for at in host.applied + 1..=offset {
            let entry = host.disk.log[usize::try_from(at).unwrap() - 1].clone();
            let known = self.committed.entry(at).or_insert_with(|| entry.clone());
            if *known != entry {
                self.broken = Some(format!("offset {at}: {node} commits {entry:?}, another {known:?}"));
            }
        }
        host.applied = offset;
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

    fn enters_office(&mut self, node: usize, entry: Position) {
        let host = &mut self.hosts[node];
        host.leads = Some((entry.epoch, true));
        for (at, entry) in &self.acknowledged {
            if host.disk.log.get(usize::try_from(*at).unwrap() - 1) != Some(entry) {
                self.broken =
                    Some(format!("{node} enters office without the acknowledged {entry:?} at {at}"));
            }
        }
    }

    fn sync(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        host.disk.sync();
        host.applied_at_sync = host.applied;
        self.with(node, Replica::settle);
    }

    fn write(&mut self, node: usize) {
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

    fn deliver(&mut self, from: usize, to: usize) {
        let Some(message) = self.links.get_mut(&(from, to)).and_then(VecDeque::pop_front) else { return };
        self.with(to, |replica, disk| replica.on_message(name(from), message, disk));
    }

    /// A quorum adopts a new epoch and reports its durable positions; the hosts hear of it later.
    fn elect(&mut self, candidate: usize, mask: usize) {
        let voters: Vec<_> = self.quorum_with(candidate, mask);
        if voters.len() < self.quorum() {
            return;
        }
        self.epoch += 1;
        let epoch = Epoch::new(self.epoch);
        let mut best: Option<Source> = None;
        let by_length = self.mutant == Mutant::LengthBeatsEpoch;
        let exceeds =
            |one: Position, other: Position| if by_length { one.offset > other.offset } else { one > other };
        for &voter in &voters {
            let host = &mut self.hosts[voter];
            host.disk.floor = epoch;
            host.disk.kept = None;
            let position = host.disk.position(host.disk.durable);
            if voter != candidate && best.is_none_or(|best| exceeds(position, best.position)) {
                best = Some(Source { peer: name(voter), position });
            }
        }
        let disk = &self.hosts[candidate].disk;
        let own = disk.position(disk.durable);
        let source = best.filter(|best| exceeds(best.position, own) && self.mutant != Mutant::NoCatchUp);
        self.winners.insert(epoch, candidate);
        for voter in voters {
            let news = if voter == candidate {
                News::Elected(epoch, source)
            } else {
                News::Follow(name(candidate), epoch)
            };
            self.hosts[voter].news.extend([News::Lost, news]);
        }
    }

    /// A leader offers itself again under a higher epoch: its followers keep its old stamps.
    fn reoffer(&mut self, leader: usize, mask: usize) {
        let Some((old, in_office)) = self.hosts[leader].leads else { return };
        if self.hosts[leader].disk.floor != old {
            return;
        }
        let follows = |node: &usize| self.hosts[*node].disk.floor == old;
        let voters: Vec<_> = self.quorum_with(leader, mask).into_iter().filter(follows).collect();
        if voters.len() < self.quorum() {
            return;
        }
        self.epoch += 1;
        let epoch = Epoch::new(self.epoch);
        let mut best: Option<Source> = None;
        for &voter in &voters {
            let host = &mut self.hosts[voter];
            host.disk.floor = epoch;
            host.disk.kept = (voter != leader).then_some(old);
            let position = host.disk.position(host.disk.durable);
            if voter != leader && best.is_none_or(|best| position > best.position) {
                best = Some(Source { peer: name(voter), position });
            }
            if voter != leader {
                host.news.push_back(News::Follow(name(leader), epoch));
            }
        }
        let disk = &self.hosts[leader].disk;
        let source = best.filter(|best| best.position > disk.position(disk.durable));
        self.winners.insert(epoch, leader);
        let news = if in_office { News::Raised(epoch) } else { News::Elected(epoch, source) };
        self.hosts[leader].news.push_back(news);
    }

    fn quorum_with(&self, candidate: usize, mask: usize) -> Vec<usize> {
        let chosen = |node: &usize| *node == candidate || mask & (1 << node) != 0;
        let alive = |node: &usize| self.hosts[*node].replica.is_some();
        if !alive(&candidate) {
            return Vec::new();
        }
        (0..self.hosts.len()).filter(chosen).filter(alive).collect()
    }

    /// A node that took no part in the last election hears of its winner.
    fn adopt(&mut self, node: usize) {
        let Some((&epoch, &winner)) = self.winners.last_key_value() else { return };
        let host = &mut self.hosts[node];
        if host.replica.is_some() && node != winner && host.disk.floor < epoch {
            host.disk.floor = epoch;
            host.disk.kept = None;
            host.news.extend([News::Lost, News::Follow(name(winner), epoch)]);
        }
    }

    fn hear(&mut self, node: usize) {
        let Some(news) = self.hosts[node].news.pop_front() else { return };
        let host = &mut self.hosts[node];
        match news {
            News::Lost => {
                host.leads = None;
                host.waiting.clear();
                self.with(node, |replica, _| replica.stand_aside());
            }
            News::Follow(leader, epoch) => {
                if host.disk.kept.is_some_and(|_| host.disk.floor == epoch) {
                    host.disk.kept = None;
                }
                self.with(node, |replica, _| replica.follow(leader, epoch));
            }
            News::Elected(epoch, source) => {
                host.leads = Some((epoch, false));
                self.with(node, |replica, _| replica.elected(epoch, source));
            }
            News::Raised(epoch) => {
                host.leads = Some((epoch, true));
                self.with(node, |replica, disk| replica.raise(epoch, disk));
            }
        }
    }

    fn step(&mut self, (kind, one, other): (u8, u8, u8)) {
        let nodes = self.hosts.len();
        let (a, b, mask) = (one as usize % nodes, other as usize % nodes, other as usize);
        match kind {
            0..=39 => self.deliver(a, b),
            40..=54 => self.write(a),
            55..=69 => self.sync(a),
            70..=84 => self.hear(a),
            85..=89 => self.connect(a, b),
            90..=91 => self.disconnect(a, b),
            92..=93 => self.elect(a, mask),
            94 => self.reoffer(a, mask),
            95..=96 => self.adopt(a),
            97 => self.crash(a, mask % 4),
            98..=99 if self.hosts[a].replica.is_none() => self.start(a),
            // Duplicated, lost and reordered messages.
            100 => drop(self.links.get_mut(&(a, b)).and_then(VecDeque::pop_front)),
            101 => {
                if let Some(link) = self.links.get_mut(&(a, b))
                    && let Some(last) = link.back().cloned()
                {
                    link.push_front(last);
                }
            }
            _ => {}
        }
    }

    /// Everything is repaired; the cluster must settle on one log with all acknowledged writes in it.
    fn heal(&mut self, leader: usize) {
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
        self.settle_all();
        for _ in 0..3 {
            self.write(leader);
        }
        self.settle_all();
    }

    fn run_once(&mut self) -> usize {
        let nodes = self.hosts.len();
        let mut moved = 0;
        for node in 0..nodes {
            while !self.hosts[node].news.is_empty() {
                self.hear(node);
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

    fn settle_all(&mut self) {
        for _ in 0..500 {
            if self.run_once() == 0 {
                return;
            }
        }
        self.broken = Some("the replicas talk for ever".into());
    }

    fn logs(&self) -> BTreeSet<Vec<u64>> {
        self.hosts
            .iter()
            .map(|host| host.disk.log.iter().map(|entry| entry.epoch.number()).collect())
            .collect()
    }
}

fn run(nodes: usize, steps: &[(u8, u8, u8)], mutant: Mutant) -> Result<Cluster, String> {
    let mut cluster = Cluster::new(nodes, mutant);
    for one in 0..nodes {
        for other in 0..one {
            cluster.connect(one, other);
        }
    }
    cluster.elect(0, usize::MAX);
    for step in steps {
        cluster.step(*step);
        if let Some(broken) = cluster.broken.take() {
            return Err(broken);
        }
    }
    cluster.heal(steps.len() % nodes);
    match cluster.broken.take() {
        Some(broken) => Err(broken),
        None => Ok(cluster),
    }
}

fn steps(length: usize) -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    proptest::collection::vec((0_u8..102, any::<u8>(), any::<u8>()), 0..length)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn acknowledged_writes_are_never_lost(nodes in prop_oneof![Just(3_usize), Just(5), Just(4)], steps in steps(400)) {
        let cluster = run(nodes, &steps, Mutant::None).map_err(TestCaseError::fail)?;
        prop_assert_eq!(cluster.logs().len(), 1, "all logs are equal in the end");
        for (at, entry) in &cluster.acknowledged {
            prop_assert_eq!(&cluster.hosts[0].disk.log[usize::try_from(*at).unwrap() - 1], entry);
        }
        prop_assert!(!cluster.acknowledged.is_empty(), "a healed cluster acknowledges");
    }
}

/// Runs random histories until the checks notice the bent rule.
fn caught(mutant: Mutant) -> Option<usize> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = steps(400);
    (0..20_000).find(|_| {
        let tree = strategy.new_tree(&mut runner).unwrap();
        run(3, &proptest::strategy::ValueTree::current(&tree), mutant).is_err()
    })
}

#[test]
fn bent_rules_are_noticed() {
    for mutant in [Mutant::AcksPassUnfenced, Mutant::LengthBeatsEpoch, Mutant::NoCatchUp] {
        assert!(caught(mutant).is_some(), "{mutant:?} goes unnoticed");
    }
}
