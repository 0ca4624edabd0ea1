//! Three nodes of one process on streams that misbehave.
#![cfg(unix)]

mod common;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{BOUND, id, spin};
use elect_core::{ClusterId, Config, Detection, NoLog, NodeId};
use elect_tcp::{
    DialError, Events, Fault, Faults, FaultyTransport, HostEvent, LocalNetwork, Node, NodeConfig, NodeHandle,
    Stream, Transport, VoteFile,
};
use tempfile::TempDir;

/// Many times a dial's timeout. Whoever waits for the end of a fault waits for ever.
const END_BOUND: Duration = Duration::from_secs(6);

const NAMES: [&str; 3] = ["a", "b", "c"];

/// The group and what breaks it.
struct Group {
    nodes: Vec<(NodeHandle, Events)>,
    faults: Vec<Faults>,
    _directory: TempDir,
}

impl Group {
    /// Starts three nodes after `prepare` has set what is wrong from the beginning.
    fn start(prepare: impl Fn(&[Faults])) -> Self {
        let (network, directory) = (LocalNetwork::new(), tempfile::tempdir().unwrap());
        let wrapped = NAMES.map(|name| FaultyTransport::new(network.join(id(name))));
        let (transports, faults): (Vec<_>, Vec<_>) = wrapped.into_iter().unzip();
        prepare(&faults);
        let start = |(name, transport)| {
            let elect = Config::builder(ClusterId::new("local").unwrap(), id(name)).voters(NAMES.map(id));
            let elect = elect.detection(Detection::Fixed(Duration::from_millis(1500)));
            let elect = elect.seed(elect_tcp::random_seed()).build().unwrap();
            let vote_file = directory.path().join(format!("{name}.vote"));
            VoteFile::init(&vote_file, &elect).unwrap();
            let config = NodeConfig::builder(elect, vote_file).build_for_transport().unwrap();
            Node::start_on(config, Arc::new(NoLog), transport).unwrap()
        };
        let nodes = NAMES.into_iter().zip(transports).map(start).collect();
        Self { nodes, faults, _directory: directory }
    }

    fn leader(&self) -> Option<usize> {
        self.nodes.iter().position(|(handle, _)| handle.is_leader())
    }

    fn wait_for_leader(&self) -> usize {
        spin("leader", || self.leader().is_some());
        self.leader().unwrap()
    }

    fn wait_for_followers(&self, leader: usize) {
        let follows =
            |handle: &NodeHandle| handle.leader().is_some_and(|known| known.node == id(NAMES[leader]));
        spin("followers", || self.nodes.iter().all(|(handle, _)| follows(handle)));
    }

    fn others(leader: usize) -> impl Iterator<Item = usize> {
        (0..3).filter(move |node| *node != leader)
    }

    /// Sets a fault on every way that leads from or to `node`.
    fn around(&self, node: usize, fault: Fault) {
        for other in Self::others(node) {
            self.faults[node].set(id(NAMES[other]), fault);
            self.faults[other].set(id(NAMES[node]), fault);
        }
    }

    fn assert_no_loss(&self) {
        for (_, events) in &self.nodes {
            let lost: Vec<_> =
                events.try_iter().filter(|event| matches!(event, HostEvent::Lost(_))).collect();
            assert!(lost.is_empty(), "{lost:?}");
        }
    }

    fn end(self) {
        // No fault keeps a node from ending.
        for (handle, _) in &self.nodes {
            handle.shutdown_within(END_BOUND).unwrap();
        }
    }
}

/// Waits until `node` has sent so many more frames.
fn frames(handle: &NodeHandle, count: u64) {
    let until = handle.counts().frames_sent + count;
    spin("frames", || handle.counts().frames_sent >= until);
}

#[test]
fn a_machine_that_is_gone_without_a_word_is_replaced_and_comes_back_as_a_follower() {
    let group = Group::start(|_| ());
    let first = group.wait_for_leader();
    group.wait_for_followers(first);
    group.around(first, Fault::HalfOpen);
    spin("another leader", || Group::others(first).any(|node| group.nodes[node].0.is_leader()));
    assert!(!group.nodes[first].0.is_leader(), "no two at once");
    group.around(first, Fault::None);
    let next = group.wait_for_leader();
    assert_ne!(next, first);
    group.wait_for_followers(next);
    group.end();
}

#[test]
fn a_node_that_is_gone_in_the_middle_of_everything_still_ends() {
    let group = Group::start(|_| ());
    let first = group.wait_for_leader();
    group.wait_for_followers(first);
    for node in 0..3 {
        group.around(node, Fault::HalfOpen);
    }
    group.end();
}

#[test]
fn streams_that_break_again_and_again_cost_no_leadership() {
    let group = Group::start(|_| ());
    let leader = group.wait_for_leader();
    group.wait_for_followers(leader);
    if cfg!(target_os = "linux") {
        let wakes = || group.nodes[leader].0.counts().sender_wakes;
        let before = wakes();
        frames(&group.nodes[leader].0, 20);
        assert!(wakes() - before < 10, "they leave past the threads that may block");
    }
    for _ in 0..10 {
        let dials = |node: usize| group.nodes[node].0.counts().dials;
        let before = [0, 1, 2].map(dials);
        for (node, faults) in group.faults.iter().enumerate() {
            Group::others(node).for_each(|peer| faults.lose_stream(id(NAMES[peer])));
        }
        spin("new streams", || (0..3).all(|node| dials(node) >= before[node] + 2));
        frames(&group.nodes[leader].0, 4);
    }
    group.assert_no_loss();
    assert_eq!(group.leader(), Some(leader));
    group.end();
}

#[test]
fn one_byte_at_a_time_is_enough() {
    let group = Group::start(|faults| {
        for (node, faults) in faults.iter().enumerate() {
            let slow = Fault::Trickle(Duration::from_micros(50));
            Group::others(node).for_each(|peer| faults.set(id(NAMES[peer]), slow));
        }
    });
    let leader = group.wait_for_leader();
    group.wait_for_followers(leader);
    group.nodes.iter().for_each(|(_, events)| events.try_iter().for_each(drop));
    frames(&group.nodes[leader].0, 40);
    group.assert_no_loss();
    group.end();
}

#[test]
fn a_slow_network_elects_and_stays() {
    let group = Group::start(|faults| {
        for (node, faults) in faults.iter().enumerate() {
            let slow = Fault::Delay(Duration::from_millis(20));
            Group::others(node).for_each(|peer| faults.set(id(NAMES[peer]), slow));
        }
    });
    let leader = group.wait_for_leader();
    group.wait_for_followers(leader);
    group.nodes.iter().for_each(|(_, events)| events.try_iter().for_each(drop));
    frames(&group.nodes[leader].0, 40);
    group.assert_no_loss();
    group.end();
}

#[test]
fn a_greeting_that_trickles_in_too_slowly_is_given_up_and_says_so() {
    let slow = Fault::Trickle(Duration::from_millis(200));
    let group = Group::start(|faults| faults[0].set(id("b"), slow));
    let link_to_b = || {
        let links = group.nodes[0].0.links().unwrap();
        links.into_iter().find(|link| link.peer == id("b")).unwrap()
    };
    spin("reason", || link_to_b().outbound.reason.is_some());
    assert!(!link_to_b().outbound.is_up);
    group.faults[0].set(id("b"), Fault::None);
    spin("link", || link_to_b().outbound.is_up);
    group.end();
}

/// Something between the two takes every byte for a peer that it has lost: the socket shows nothing, the peer's frames do. Such a
/// stream stood until its own node ended.
#[test]
fn a_stream_that_takes_everything_and_brings_nothing_is_given_up() {
    let group = Group::start(|_| ());
    let leader = group.wait_for_leader();
    group.wait_for_followers(leader);
    let far = id(NAMES[(leader + 1) % NAMES.len()]);
    let link = || {
        let links = group.nodes[leader].0.links().unwrap();
        links.into_iter().find(|link| link.peer == far).unwrap()
    };
    assert!(link().outbound.is_up);
    // In one direction, where the peer still says what it hears; and in both.
    for faults in [&[(leader, far)][..], &[(leader, far), ((leader + 1) % NAMES.len(), id(NAMES[leader]))]] {
        for (near, far) in faults {
            group.faults[*near].set(*far, Fault::HalfOpen);
        }
        spin("end of the stream", || !link().outbound.is_up);
        for (near, far) in faults {
            group.faults[*near].set(*far, Fault::None);
        }
        spin("link", || link().outbound.is_up);
    }
    group.end();
}

/// A transport alone, and one that accepts from it.
fn pair() -> (FaultyTransport<elect_tcp::LocalTransport>, Faults, elect_tcp::LocalTransport, NodeId) {
    let network = LocalNetwork::new();
    let (transport, faults) = FaultyTransport::new(network.join(id("a")));
    (transport, faults, network.join(id("b")), id("b"))
}

const SHORT: Duration = Duration::from_millis(20);

#[test]
fn a_cut_breaks_what_stands_and_proves_nothing_of_the_peer() {
    let (transport, faults, far, b) = pair();
    let mut near = transport.dial(b, BOUND).unwrap();
    let mut far = far.accept().unwrap();
    near.write_all(b"before").unwrap();
    let mut bytes = [0; 6];
    far.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"before");
    let mut watcher = near.watcher().unwrap();
    faults.set(b, Fault::Cut);
    watcher.wait();
    assert_eq!(far.read(&mut bytes).unwrap(), 0, "the other end hears it");
    near.write_all(b"after").unwrap_err();
    assert!(matches!(transport.dial(b, BOUND), Err(DialError::Failed(_))), "not refused");
    faults.set(b, Fault::None);
    transport.dial(b, BOUND).unwrap();
}

#[test]
fn half_open_swallows_in_silence_and_the_stream_breaks_when_it_is_over() {
    let (transport, faults, far, b) = pair();
    let mut near = transport.dial(b, BOUND).unwrap();
    let mut far = far.accept().unwrap();
    near.set_timeouts(Some(SHORT), None).unwrap();
    far.set_timeouts(Some(SHORT), None).unwrap();
    faults.set(b, Fault::HalfOpen);
    near.write_all(b"lost").unwrap();
    far.write_all(b"unheard").unwrap();
    far.read(&mut [0; 4]).expect_err("nothing came");
    assert_eq!(near.read(&mut [0; 4]).unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    let began = Instant::now();
    assert!(matches!(transport.dial(b, SHORT), Err(DialError::Failed(_))));
    assert!(began.elapsed() >= SHORT, "a dial is not answered");
    // Its end is not heard, until the fault is over.
    drop(far);
    let (mut watcher, (ended, ends)) = (near.watcher().unwrap(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        ended.send("waits").unwrap();
        watcher.wait();
        ended.send("ended")
    });
    assert_eq!(ends.recv_timeout(BOUND), Ok("waits"));
    // No time is too long for this; a longer one is more certain to show that it was heard.
    ends.recv_timeout(10 * SHORT).unwrap_err();
    faults.set(b, Fault::None);
    assert_eq!(ends.recv_timeout(BOUND), Ok("ended"));
}

/// What leaves past the thread that may block suffers the same.
#[test]
#[cfg(target_os = "linux")]
fn what_is_sent_without_blocking_suffers_too() {
    let (transport, faults, far, b) = pair();
    let mut near = transport.dial(b, BOUND).unwrap();
    let mut far = far.accept().unwrap();
    let sender = near.sender().unwrap().expect("as the stream inside has one");
    let kind = |sent: std::io::Result<usize>| sent.unwrap_err().kind();
    assert_eq!(sender.try_send(b"one ").unwrap(), 4);
    faults.set(b, Fault::Delay(SHORT));
    assert_eq!(kind(sender.try_send(b"late")), std::io::ErrorKind::WouldBlock);
    faults.set(b, Fault::Trickle(SHORT));
    assert_eq!(sender.try_send(b"two").unwrap(), 1, "the rest goes the long way");
    faults.set(b, Fault::None);
    near.write_all(b"wo").unwrap();
    faults.set(b, Fault::HalfOpen);
    assert_eq!(sender.try_send(b"lost").unwrap(), 4);
    faults.set(b, Fault::None);
    assert_eq!(kind(sender.try_send(b"after a gap")), std::io::ErrorKind::ConnectionReset);
    near.write_all(b"after a gap").unwrap_err();
    let next = transport.dial(b, BOUND).unwrap().sender().unwrap().unwrap();
    faults.set(b, Fault::Cut);
    assert_eq!(kind(next.try_send(b"cut")), std::io::ErrorKind::ConnectionReset);
    drop(near);
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"one two");
}

#[test]
fn a_stream_that_has_lost_bytes_breaks_when_the_fault_is_over() {
    let (transport, faults, far, b) = pair();
    let mut near = transport.dial(b, BOUND).unwrap();
    let mut far = far.accept().unwrap();
    faults.set(b, Fault::HalfOpen);
    faults.set(b, Fault::None);
    near.write_all(b"kept").unwrap();
    faults.set(b, Fault::HalfOpen);
    near.write_all(b"lost").unwrap();
    faults.set(b, Fault::None);
    near.write_all(b"after a gap").unwrap_err();
    drop(near);
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"kept");
}

#[test]
fn whoever_waits_is_woken_by_closing() {
    let (transport, faults, far, b) = pair();
    let near = transport.dial(b, BOUND).unwrap();
    let _far = far.accept().unwrap();
    let closer = near.closer().unwrap();
    for fault in [Fault::Delay(10 * BOUND), Fault::Trickle(10 * BOUND), Fault::HalfOpen] {
        faults.set(b, fault);
        let (mut stream, mut watcher) =
            (transport_stream(&transport, &faults, b, fault), near.watcher().unwrap());
        let ends = stream.closer().unwrap();
        let writing = std::thread::spawn(move || {
            if fault == Fault::HalfOpen { stream.read(&mut [0]).map(drop) } else { stream.write_all(b"late") }
        });
        let watching = std::thread::spawn(move || watcher.wait());
        ends.close();
        writing.join().unwrap().unwrap_err();
        closer.close();
        watching.join().unwrap();
    }
}

/// A stream that was dialled before the fault began.
fn transport_stream(
    transport: &FaultyTransport<elect_tcp::LocalTransport>,
    faults: &Faults,
    peer: NodeId,
    fault: Fault,
) -> impl Stream + use<> {
    faults.set(peer, Fault::None);
    let stream = transport.dial(peer, BOUND).unwrap();
    faults.set(peer, fault);
    stream
}

#[test]
fn a_delay_holds_each_write_back_and_a_trickle_each_byte() {
    let (transport, faults, far, b) = pair();
    let mut near = transport.dial(b, BOUND).unwrap();
    let mut far = far.accept().unwrap();
    for (fault, at_least) in [(Fault::Delay(SHORT), SHORT), (Fault::Trickle(SHORT / 4), SHORT)] {
        faults.set(b, fault);
        let began = Instant::now();
        near.write_all(b"four").unwrap();
        let mut bytes = [0; 4];
        far.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"four");
        assert!(began.elapsed() >= at_least, "{fault:?}");
    }
}
