//! What goes wrong around the protocol: probes, silent streams, stalled peers, hosts that panic.

mod common;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Cluster, TestFloor, hear, id, spin};
use crossbeam_channel::{bounded, unbounded};
use elect_core::{ClusterId, Config, Epoch, NoLog, StepDown};
use elect_tcp::{
    Ended, HandshakeRefusal, HostEvent, Node, NodeConfig, NodeGone, NodeNotice, RequestError, VoteFile,
};
use tempfile::TempDir;

/// Threads of a quiet node in a group of three: orchestrator, saver, listener, and for each peer one that sends, one
/// that watches and one that reads.
const THREADS: usize = 3 + 2 * 3;

fn assert_undisturbed(cluster: &mut Cluster, leader: usize, epoch: Epoch) {
    cluster.catch_up();
    for member in cluster.members.iter().flatten() {
        assert!(member.losses.is_empty(), "{:?}", member.losses);
    }
    assert_eq!(cluster.handle(leader).lease().map(|lease| lease.epoch), Some(epoch));
}

/// It still listens: a node that restarts gets through.
fn assert_a_restart_gets_through(cluster: &mut Cluster, leader: usize, epoch: Epoch) {
    let follower = (leader + 1) % 3;
    cluster.stop(follower);
    cluster.restart(follower);
    cluster.wait_for_follower(follower, leader);
    assert_undisturbed(cluster, leader, epoch);
}

#[test]
fn health_check_storm() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    for _ in 0..500 {
        for address in &cluster.addresses {
            drop(TcpStream::connect(address).unwrap());
        }
    }
    assert_undisturbed(&mut cluster, leader, epoch);
    assert_a_restart_gets_through(&mut cluster, leader, epoch);
}

#[test]
fn silent_connections() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let connect = |address: &SocketAddr| TcpStream::connect(address).unwrap();
    let silent: Vec<_> =
        (0..200).flat_map(|_| cluster.addresses.iter().map(connect).collect::<Vec<_>>()).collect();
    for index in 0..3 {
        let threads = cluster.handle(index).threads();
        assert!(threads <= THREADS + 2 * (16 + 2), "{threads} threads for 200 silent connections");
    }
    assert_undisturbed(&mut cluster, leader, epoch);
    assert_a_restart_gets_through(&mut cluster, leader, epoch);
    drop(silent);
}

#[test]
fn idle_cost() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    cluster.wait_for_genesis();
    let counts = |cluster: &Cluster| [0, 1, 2].map(|index| cluster.handle(index).counts());
    let (began, before) = (Instant::now(), counts(&cluster));
    // Twenty heartbeats to two peers.
    let until = before[leader].frames_sent + 40;
    spin("heartbeats", || cluster.handle(leader).counts().frames_sent >= until);
    let after = counts(&cluster);
    let beats = u64::try_from(began.elapsed().as_millis() / 50).unwrap() + 2;
    for (index, (before, after)) in before.iter().zip(&after).enumerate() {
        let sent = after.frames_sent - before.frames_sent;
        let received = after.frames_received - before.frames_received;
        let wakes = after.wakes() - before.wakes();
        // Per heartbeat a leader sends to two and hears two; a follower hears and answers one, and now and then the
        // other follower.
        let frames = if index == leader { 4 * beats } else { 3 * beats };
        assert!(sent + received <= frames + 10, "{sent} sent, {received} received in {beats} heartbeats");
        // A frame that comes in wakes its reader and the orchestrator, a deadline the latter. One that leaves wakes
        // nobody where a socket can say that it is full.
        let leaving = if cfg!(target_os = "linux") { 4 } else { sent };
        assert!(after.sender_wakes - before.sender_wakes <= leaving);
        assert!(
            wakes <= leaving + 2 * received + 2 * beats + 10,
            "{wakes} wakes, {sent} sent, {received} received"
        );
        // At 20 heartbeats a second, 120 times.
        assert!(wakes <= leaving + 6 * beats + 10, "{wakes} wakes in {beats} heartbeats");
        assert_eq!(after.gates_committed, before.gates_committed, "a quiet group saves nothing");
        assert_eq!(after.dials, before.dials);
    }
    assert_undisturbed(&mut cluster, leader, epoch);
    assert_eq!(cluster.handle(leader).threads(), THREADS);
}

#[test]
fn callback_panics() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let member = cluster.members[leader].take().unwrap();
    let events = member.events;
    let consumer = thread::spawn(move || {
        let _held = events;
        panic!("the host's bug");
    });
    consumer.join().unwrap_err();
    // Nobody hears it any more, but it goes on, and the others go on hearing it.
    let renewed = member.handle.lease().unwrap().end;
    spin("renewal", || member.handle.lease().unwrap().end > renewed);
    assert_eq!(member.handle.lease().unwrap().epoch, epoch);
    member.handle.status().unwrap();
    member.handle.shutdown().unwrap();
    cluster.wait_for_leader(epoch);
}

#[test]
fn a_fence_that_panics_ends_the_node_and_its_leadership() {
    let quiet = |builder: elect_core::ConfigBuilder| builder;
    // The second raise is the one of the first election.
    let floors = |index| TestFloor { panics_at: (index == 0).then_some(2), ..TestFloor::default() };
    let mut cluster = Cluster::tuned(&["a", "b", "c"], quiet, floors);
    let handle = cluster.handle(0).clone();
    cluster.wait("end of the node", |cluster| !cluster.ended.is_empty());
    assert_eq!(cluster.ended, [(0, Ended::Panicked { thread: "elect-save".into() })]);
    assert!(!handle.is_leader());
    assert_eq!(handle.status().unwrap_err(), NodeGone);
    handle.shutdown().unwrap();
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    assert_ne!(leader, 0);
}

#[test]
fn slow_fsync() {
    let (release, hangs) = bounded(0);
    let directory = tempfile::tempdir().unwrap();
    let elect =
        Config::builder(ClusterId::new("test").unwrap(), id("only")).voters([id("only")]).build().unwrap();
    let vote_file = directory.path().join("only.vote");
    VoteFile::init(&vote_file, &elect).unwrap();
    let config =
        NodeConfig::builder(elect.clone(), &vote_file).listen(([127, 0, 0, 1], 0).into()).build().unwrap();
    let floor = TestFloor { hangs: Some(hangs), ..TestFloor::default() };
    let (handle, events) = Node::start(config, Arc::new(floor)).unwrap();
    // Its own vote hangs in the saver, so it cannot lead; but it answers.
    for _ in 0..100 {
        handle.status().unwrap();
        handle.explain().unwrap();
    }
    assert!(!handle.is_leader());
    drop(release);
    let deadline = std::time::Instant::now() + common::BOUND;
    loop {
        match events.recv_deadline(deadline) {
            Ok(HostEvent::Act(elect_core::Duty::Elected(_))) => break,
            Ok(_) => {}
            Err(error) => panic!("{error}\n{:#?}", handle.explain()),
        }
    }
    handle.shutdown().unwrap();
    VoteFile::open(&vote_file, &elect).expect("its lock is free");
}

#[test]
fn a_save_that_hangs_is_named_by_shutdown() {
    let (release, hangs) = bounded(0);
    let (directory, elect) = (tempfile::tempdir().unwrap(), alone());
    let vote_file = directory.path().join("only.vote");
    VoteFile::init(&vote_file, &elect).unwrap();
    let config = NodeConfig::builder(elect, &vote_file).listen(([127, 0, 0, 1], 0).into()).build().unwrap();
    let floor = TestFloor { hangs: Some(hangs), ..TestFloor::default() };
    let (handle, _events) = Node::start(config, Arc::new(floor)).unwrap();
    let error = handle.shutdown_within(Duration::from_millis(200)).unwrap_err();
    assert_eq!(error.threads, ["elect-save"]);
    assert!(!handle.is_leader());
    drop(release);
    handle.shutdown().unwrap();
}

/// A group of one.
fn alone() -> Config {
    Config::builder(ClusterId::new("test").unwrap(), id("only")).voters([id("only")]).build().unwrap()
}

/// A node `a` whose peers listen but never accept.
fn among_the_silent() -> (TempDir, Vec<TcpListener>, SocketAddr, NodeConfig) {
    let directory = tempfile::tempdir().unwrap();
    let names = ["a", "b", "c"];
    let listeners: Vec<_> = names.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let own = listeners[0].local_addr().unwrap();
    let elect =
        Config::builder(ClusterId::new("test").unwrap(), id("a")).voters(names.map(id)).build().unwrap();
    let vote_file = directory.path().join("a.vote");
    VoteFile::init(&vote_file, &elect).unwrap();
    let mut builder = NodeConfig::builder(elect, &vote_file).handshake_timeout(Duration::from_secs(5));
    for (name, listener) in names.iter().zip(&listeners).skip(1) {
        builder = builder.peer(id(name), listener.local_addr().unwrap().to_string());
    }
    let mut listeners = listeners.into_iter();
    let config = builder.listener(listeners.next().unwrap()).build().unwrap();
    (directory, listeners.collect(), own, config)
}

#[test]
fn shutdown_stalled_peer() {
    let (_directory, _silent, own, config) = among_the_silent();
    let (handle, events) = Node::start(config, Arc::new(NoLog)).unwrap();
    spin("dial", || handle.counts().dials == 2);
    let began = Instant::now();
    let callers: Vec<_> =
        (0..4).map(|_| handle.clone()).map(|handle| thread::spawn(move || handle.shutdown())).collect();
    for caller in callers {
        caller.join().unwrap().unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(4), "it waited for a handshake that never ends");
    assert_eq!(handle.threads(), 0);
    TcpListener::bind(own).expect("the port is free");
    let last = events.try_iter().last();
    assert!(matches!(last, Some(HostEvent::Ended(Ended::Shutdown))), "{last:?}");
    handle.shutdown().expect("once more is no error");
    assert_eq!(handle.resign(), Err(RequestError::NodeGone(NodeGone)));
    handle.set_position(None);
    handle.on_drained();
}

#[test]
fn positions_from_a_busy_host_neither_block_nor_pile_up() {
    let (_directory, _silent, _, config) = among_the_silent();
    let (handle, _events) = Node::start(config, Arc::new(NoLog)).unwrap();
    for offset in 0..200_000 {
        handle.set_position(Some(elect_core::Position::new(Epoch::new(1), offset)));
    }
    handle.status().unwrap();
    handle.shutdown().unwrap();
}

#[test]
fn a_wrong_address_is_named() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    let (confused, victim) = ((leader + 1) % 3, (leader + 2) % 3);
    cluster.stop(confused);
    // It looks for the leader where the other follower listens.
    let own = cluster.addresses[confused];
    cluster.addresses[leader] = cluster.addresses[victim];
    let config = cluster.config(confused).listen(own).build().unwrap();
    let (handle, events) = Node::start(config, Arc::new(NoLog)).unwrap();
    let wanted = cluster.names[leader];
    let refusal = HandshakeRefusal::Addressee { wanted, listener: cluster.names[victim] };
    hear(&events, "reason", |event| match event {
        HostEvent::Happened(NodeNotice::LinkChanged(link)) if link.peer == wanted => {
            link.outbound.refusal.filter(|told| *told == refusal)
        }
        _ => None,
    });
    let links = handle.links().unwrap();
    assert!(links.iter().any(|link| link.peer == wanted && !link.outbound.is_up));
    handle.shutdown().unwrap();
}

#[test]
fn a_leader_that_loses_its_quorum_tells_its_host_in_time() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    let end = cluster.handle(leader).lease().unwrap().end;
    for follower in (0..3).filter(|index| *index != leader) {
        cluster.stop(follower);
    }
    cluster.wait("loss", |cluster| !cluster.member(leader).losses.is_empty());
    assert!(!cluster.handle(leader).is_leader());
    assert!(cluster.handle(leader).now() >= end);
    let loss = cluster.member(leader).losses[0];
    assert_eq!((loss.epoch, loss.reason), (epoch, StepDown::LeaseOver));
}

#[test]
fn handles_work_from_many_threads() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    let (done, finished) = unbounded();
    for _ in 0..8 {
        let (handle, done) = (cluster.handle(leader).clone(), done.clone());
        thread::spawn(move || {
            for _ in 0..500 {
                assert_eq!(handle.lease().unwrap().epoch, epoch);
                handle.status().unwrap();
            }
            done.send(()).unwrap();
        });
    }
    drop(done);
    assert_eq!(finished.iter().count(), 8);
}

#[test]
fn nobody_waits_for_an_answer_of_a_node_that_ends() {
    let (directory, elect) = (tempfile::tempdir().unwrap(), alone());
    let vote_file = directory.path().join("only.vote");
    VoteFile::init(&vote_file, &elect).unwrap();
    let (done, finished) = unbounded();
    let callers = 8;
    for _ in 0..30 {
        let config = NodeConfig::builder(elect.clone(), &vote_file)
            .listen(([127, 0, 0, 1], 0).into())
            .build()
            .unwrap();
        let (handle, _events) = Node::start(config, Arc::new(NoLog)).unwrap();
        for _ in 0..callers {
            let (handle, done) = (handle.clone(), done.clone());
            thread::spawn(move || {
                while handle.status().is_ok() {}
                done.send(()).unwrap();
            });
        }
        handle.shutdown().unwrap();
        for _ in 0..callers {
            finished.recv_timeout(common::BOUND).expect("a caller hangs");
        }
    }
}
