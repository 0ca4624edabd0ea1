//! The steady state allocates nothing, and a tick with nothing due costs the same at any number of members.
#![cfg(feature = "wire")]

use std::collections::BTreeMap;
use std::time::Duration;

use elect_core::wire::{self, FRAME_BYTES_MAX};
use elect_core::{
    Driver, Duty, Elector, Frame, Gate, NoLog, NodeId, Notice, RoleName, Step, SteppedDown, Time,
};
use elect_harness::{MemoryStore, builder};

/// How often `work` allocates.
fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

/// One node; its driver writes frames to bytes, as a transport does, into room that it keeps.
struct Node {
    elector: Elector,
    store: MemoryStore,
    mail: Mail,
}

#[derive(Default)]
struct Mail {
    /// Frames as bytes, with their addressees.
    sent: Vec<(NodeId, [u8; FRAME_BYTES_MAX], usize)>,
    gate: Option<Gate>,
    losses: u32,
}

impl Driver for Mail {
    fn lost(&mut self, _: SteppedDown) {
        self.losses += 1;
    }

    fn send(&mut self, to: NodeId, frame: &Frame) {
        let mut bytes = [0; FRAME_BYTES_MAX];
        let length = wire::encode(frame, &mut bytes);
        self.sent.push((to, bytes, length));
    }

    fn save(&mut self, gate: Gate) {
        self.gate = Some(gate);
    }

    fn act(&mut self, _: Duty) {}

    fn happened(&mut self, _: Notice) {}
}

/// A group whose frames, as bytes, and saves take no time; unlike the harness's it allocates nothing itself.
struct Wired {
    now: Time,
    nodes: BTreeMap<NodeId, Node>,
    mail: Vec<(NodeId, NodeId, [u8; FRAME_BYTES_MAX], usize)>,
}

impl Wired {
    fn new(count: usize) -> Self {
        let names: Vec<_> = (0..count).map(|n| format!("node-{n:03}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let now = Time::from_nanos(1_000_000_000);
        let node = |name: &&str| {
            let config = builder(name, &names).build().unwrap();
            let store = MemoryStore::first_boot(&config);
            let mut mail = Mail::default();
            mail.sent.reserve(4 * count);
            (
                config.node(),
                Node { elector: Elector::new(config.clone(), store.record, now).unwrap(), store, mail },
            )
        };
        Self { now, nodes: names.iter().map(node).collect(), mail: Vec::with_capacity(8 * count * count) }
    }

    fn input(&mut self, id: NodeId, input: impl FnOnce(&mut Elector, Time) -> Step<'_>) {
        let node = self.nodes.get_mut(&id).unwrap();
        input(&mut node.elector, self.now).resolve(&mut node.mail);
        while let Some(gate) = node.mail.gate.take() {
            let result = gate.commit(&mut node.store, &NoLog);
            node.elector.on_gated(result, self.now).resolve(&mut node.mail);
        }
        self.mail.extend(node.mail.sent.drain(..).map(|(to, bytes, length)| (id, to, bytes, length)));
    }

    /// Whatever is under way arrives, and what that brings about too.
    fn settle(&mut self) {
        while let Some((from, to, bytes, length)) = self.mail.pop() {
            let frame = wire::decode(&bytes[..length]).unwrap();
            self.input(to, |elector, now| elector.on_message(from, &frame, now));
        }
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let due = self.nodes.iter().map(|(id, node)| (node.elector.deadline(), *id)).min().unwrap();
            if due.0 > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(due.0);
            self.input(due.1, Elector::tick);
            self.settle();
        }
    }

    fn leader(&self) -> NodeId {
        let leads = |node: &Node| node.elector.status(self.now).role == RoleName::Leader;
        *self.nodes.iter().find(|(_, node)| leads(node)).expect("somebody leads").0
    }
}

/// A group of this size, elected and warm.
fn steady(count: usize) -> Wired {
    let mut group = Wired::new(count);
    group.run(Duration::from_secs(3));
    let leader = group.leader();
    let authority = group.nodes[&leader].elector.authority();
    assert!(authority.lease(group.now).is_some());
    group
}

/// Heartbeats out, in, acknowledged and encoded and decoded on the way, in all roles.
fn steady_state_allocates_nothing(count: usize, span: Duration) {
    let mut group = steady(count);
    let leader = group.leader();
    let mut elapsed = 0;
    let counted = allocations(|| {
        let start = group.now;
        group.run(span);
        elapsed = group.now.since(start).as_millis();
    });
    assert_eq!(counted, 0, "in {elapsed} ms of {count} nodes");
    assert_eq!(group.leader(), leader);
    assert!(group.nodes.values().all(|node| node.mail.losses == 0));
}

#[test]
fn three_nodes_in_steady_state_allocate_nothing() {
    steady_state_allocates_nothing(3, Duration::from_secs(20));
}

#[test]
fn a_hundred_and_one_nodes_in_steady_state_allocate_nothing() {
    steady_state_allocates_nothing(101, Duration::from_secs(1));
}

/// Which also says that the counter counts.
#[test]
fn an_election_does_allocate() {
    let mut group = Wired::new(3);
    assert!(allocations(|| group.run(Duration::from_secs(3))) > 0);
}

/// Nothing due: nothing allocated, nothing to resolve, and no look at anything but the deadline: the elector's
/// answer does not depend on how many members there are.
#[test]
fn an_idle_tick_allocates_nothing_and_says_nothing() {
    for count in [3, 101] {
        let mut group = steady(count);
        let now = group.now;
        for node in group.nodes.values_mut() {
            let deadline = node.elector.deadline();
            assert!(deadline > now);
            let counted = allocations(|| {
                for _ in 0..1000 {
                    assert!(node.elector.tick(now).is_empty());
                }
            });
            assert_eq!((counted, node.elector.deadline()), (0, deadline), "{count} nodes");
        }
    }
}

/// Reading the lease from other threads is part of the steady state.
#[test]
fn reading_the_lease_allocates_nothing() {
    let group = steady(3);
    let authority = group.nodes[&group.leader()].elector.authority();
    let counted = allocations(|| {
        for _ in 0..1000 {
            assert!(authority.lease(group.now).is_some());
        }
    });
    assert_eq!(counted, 0);
}
