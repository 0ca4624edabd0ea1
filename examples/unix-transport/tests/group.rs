//! Three nodes over Unix sockets.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use elect_core::{ClusterId, Config, Detection, NoLog, NodeId};
use elect_tcp::{Events, Node, NodeConfig, NodeHandle, Transport, VoteFile, random_seed};
use unix_transport::UnixTransport;

const BOUND: Duration = Duration::from_secs(30);

fn names() -> [NodeId; 3] {
    ["a", "b", "c"].map(|name| NodeId::new(name).unwrap())
}

fn start(directory: &Path, name: NodeId) -> (NodeHandle, Events) {
    let elect = Config::builder(ClusterId::new("local").unwrap(), name).voters(names()).seed(random_seed());
    let elect = elect.detection(Detection::Fixed(Duration::from_millis(1500))).build().unwrap();
    let vote_file = directory.join(format!("{name}.vote"));
    if !vote_file.exists() {
        VoteFile::init(&vote_file, &elect).unwrap();
    }
    let vote = VoteFile::open(vote_file, &elect).unwrap();
    let config = NodeConfig::builder_without_file(elect).build_for_transport().unwrap();
    Node::start_with(config, vote, Arc::new(NoLog), UnixTransport::bind(directory, name).unwrap()).unwrap()
}

fn leader(nodes: &[(NodeHandle, Events)]) -> usize {
    let deadline = Instant::now() + BOUND;
    loop {
        if let Some(leader) = nodes.iter().position(|(handle, _)| handle.is_leader()) {
            return leader;
        }
        assert!(Instant::now() < deadline, "no leader within {BOUND:?}");
        std::thread::yield_now();
    }
}

#[test]
fn three_nodes_elect_one_and_survive_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let mut nodes: Vec<_> = names().map(|name| start(directory.path(), name)).into();
    let first = leader(&nodes);
    let (handle, _events) = nodes.remove(first);
    handle.shutdown().unwrap();
    assert!(!directory.path().join(format!("{}.sock", names()[first])).exists(), "its name is free");
    leader(&nodes);
    nodes.push(start(directory.path(), names()[first]));
    let deadline = Instant::now() + BOUND;
    let joined = nodes.last().unwrap();
    while joined.0.leader().is_none() {
        assert!(Instant::now() < deadline, "it follows nobody: {:#?}", joined.0.explain());
        std::thread::yield_now();
    }
    for (handle, _) in &nodes {
        handle.shutdown().unwrap();
    }
}

#[test]
fn closing_ends_a_blocked_accept_and_may_be_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let transport = UnixTransport::bind(directory.path(), names()[0]).unwrap();
    std::thread::scope(|scope| {
        let accepting = scope.spawn(|| transport.accept().is_err());
        transport.close();
        transport.close();
        assert!(accepting.join().unwrap());
    });
    transport.accept().unwrap_err();
    let dialled = transport.dial(names()[0], BOUND);
    assert!(matches!(dialled, Err(elect_tcp::DialError::Failed(_))), "without a name nothing is known");
}

/// A new process starts as soon as the vote file is free, which is before the old one closes its listener.
#[test]
fn an_old_process_that_closes_late_leaves_its_successor_alone() {
    let directory = tempfile::tempdir().unwrap();
    let name = names()[0];
    let old = UnixTransport::bind(directory.path(), name).unwrap();
    let new = std::thread::scope(|scope| {
        let accepting = scope.spawn(|| old.accept().is_err());
        let new = UnixTransport::bind(directory.path(), name).unwrap();
        old.close();
        assert!(accepting.join().unwrap(), "it is woken though the name leads elsewhere");
        new
    });
    new.dial(name, BOUND).unwrap();
    drop(old);
    new.dial(name, BOUND).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_that_is_gone_is_refused_and_a_stopped_one_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let name = names()[0];
    let stopped = UnixTransport::bind(directory.path(), name).unwrap();
    // It accepts nothing: one of the dials finds its backlog full. A stream that is closed here waits there all the same.
    let failed = (0..100_000).find_map(|_| stopped.dial(name, BOUND).err()).expect("its backlog has an end");
    let would_block = std::io::ErrorKind::WouldBlock;
    assert!(matches!(&failed, elect_tcp::DialError::Failed(why) if why.kind() == would_block), "{failed}");
    drop(stopped);
    let other = UnixTransport::bind(directory.path(), names()[1]).unwrap();
    assert!(matches!(other.dial(name, BOUND), Err(elect_tcp::DialError::Refused)));
}
