//! A node whose vote lies in a store of its host's.

mod common;

use std::sync::{Arc, Mutex};
use std::{fs, io};

use common::{hear, id};
use elect_core::{ClusterId, Config, Duty, Epoch, NoLog, Record, VoteStore};
use elect_tcp::{
    Ended, HostEvent, Node, NodeConfig, OpenStore, StartError, TcpTransport, VoteFile, VoteFileError,
    VoteSyncs,
};

/// A host's engine: what is in it outlives the node.
#[derive(Clone)]
struct Engine(Arc<Mutex<State>>);

struct State {
    record: Record,
    saves: usize,
    fails: bool,
}

impl Engine {
    fn new(record: Record) -> Self {
        Self(Arc::new(Mutex::new(State { record, saves: 0, fails: false })))
    }

    fn open(&self) -> OpenStore<Self> {
        OpenStore::new(self.clone(), self.0.lock().unwrap().record)
    }
}

impl VoteStore for Engine {
    type Error = io::Error;

    fn save(&mut self, record: &Record) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.fails {
            return Err(io::ErrorKind::StorageFull.into());
        }
        (state.record, state.saves) = (*record, state.saves + 1);
        Ok(())
    }
}

fn alone() -> Config {
    Config::builder(ClusterId::new("test").unwrap(), id("only")).voters([id("only")]).build().unwrap()
}

fn config() -> NodeConfig {
    NodeConfig::builder_without_file(alone()).listen(([127, 0, 0, 1], 0).into()).build().unwrap()
}

fn start(engine: &Engine) -> (elect_tcp::NodeHandle, elect_tcp::Events) {
    let config = config();
    let transport = TcpTransport::bind(&config).unwrap();
    Node::start_with(config, engine.open(), Arc::new(NoLog), transport).unwrap()
}

#[test]
fn a_vote_in_the_hosts_own_store_is_saved_before_it_counts_and_outlives_the_node() {
    let engine = Engine::new(Record::first_boot(&alone()));
    let mut led = Vec::new();
    for _ in 0..2 {
        let (handle, events) = start(&engine);
        let elected = hear(&events, "leader", |event| match event {
            HostEvent::Act(Duty::Elected(elected)) => Some(elected),
            _ => None,
        });
        assert_eq!(engine.0.lock().unwrap().record.epoch, elected.epoch(), "durable before it leads");
        led.push(elected.epoch());
        handle.shutdown().unwrap();
    }
    assert!(led[1] > led[0], "nothing is forgotten");
    assert_eq!(engine.0.lock().unwrap().record.incarnation.counter, 2, "each start is a life of its own");
}

#[test]
fn a_store_that_fails_stops_the_node() {
    let engine = Engine::new(Record::first_boot(&alone()));
    let config = config();
    let transport = TcpTransport::bind(&config).unwrap();
    engine.0.lock().unwrap().fails = true;
    let refused = Node::start_with(config, engine.open(), Arc::new(NoLog), transport).unwrap_err();
    assert!(matches!(refused, StartError::Storage(_)), "{refused}");
    assert_eq!(engine.0.lock().unwrap().record.incarnation.counter, 0);
}

#[test]
fn anothers_record_is_refused() {
    let other = Config::builder(ClusterId::new("bank").unwrap(), id("only")).voters([id("only")]).build();
    let engine = Engine::new(Record::first_boot(&other.unwrap()));
    let config = config();
    let transport = TcpTransport::bind(&config).unwrap();
    let refused = Node::start_with(config, engine.open(), Arc::new(NoLog), transport).unwrap_err();
    assert!(matches!(refused, StartError::Refused(_)), "{refused}");
}

#[test]
fn a_file_that_the_host_has_opened_is_a_store_like_any_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("only.vote");
    VoteFile::init(&path, &alone()).unwrap();
    let config = config();
    let transport = TcpTransport::bind(&config).unwrap();
    let file = VoteFile::open(&path, &alone()).unwrap();
    let (handle, events) = Node::start_with(config, file, Arc::new(NoLog), transport).unwrap();
    VoteFile::open(&path, &alone()).expect_err("the node has it");
    handle.shutdown().unwrap();
    hear(&events, "end", |event| matches!(event, HostEvent::Ended(Ended::Shutdown)).then_some(()));
    VoteFile::open(&path, &alone()).unwrap();
}

#[test]
fn a_configuration_without_a_file_does_not_start_by_itself() {
    let refused = Node::start(config(), Arc::new(NoLog)).unwrap_err();
    assert!(matches!(refused, StartError::NoVoteFile), "{refused}");
}

#[test]
fn two_syncs_are_a_setting() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("only.vote");
    VoteFile::init(&path, &alone()).unwrap();
    let config = NodeConfig::builder(alone(), &path).vote_syncs(VoteSyncs::Two);
    let config = config.listen(([127, 0, 0, 1], 0).into()).build().unwrap();
    let (handle, events) = Node::start(config, Arc::new(NoLog)).unwrap();
    hear(&events, "leader", |event| matches!(event, HostEvent::Act(Duty::Elected(_))).then_some(()));
    handle.shutdown().unwrap();
    assert!(VoteFile::open(&path, &alone()).unwrap().record().epoch > Epoch::ZERO);
}

#[cfg(unix)]
#[test]
fn a_vote_file_that_is_renamed_while_the_node_runs_is_seen_by_a_check_and_stops_it_at_the_next_save() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("only.vote");
    VoteFile::init(&path, &alone()).unwrap();
    let config = NodeConfig::builder(alone(), &path).listen(([127, 0, 0, 1], 0).into()).build().unwrap();
    let (handle, events) = Node::start(config, Arc::new(NoLog)).unwrap();
    hear(&events, "leader", |event| matches!(event, HostEvent::Act(Duty::Elected(_))).then_some(()));
    handle.check_vote_file().unwrap();
    fs::rename(&path, directory.path().join("aside")).unwrap();
    let gone = handle.check_vote_file().unwrap_err();
    assert!(matches!(gone, VoteFileError::Gone { .. }), "{gone}");
    assert!(handle.is_leader(), "a check changes nothing");
    // Whoever resigns stands again, and that takes a save.
    handle.resign().unwrap();
    hear(&events, "stop", |event| match event {
        HostEvent::Act(Duty::Stopped { reason }) => {
            let text = reason.to_string();
            assert!(text.contains("renamed"), "{text}");
            Some(())
        }
        _ => None,
    });
    assert!(!handle.is_leader());
}
