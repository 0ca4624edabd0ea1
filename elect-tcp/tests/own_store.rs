//! A node whose vote lies in a store of its host's.

mod common;

use std::io;
use std::sync::{Arc, Mutex};

use common::{hear, id};
use elect_core::{ClusterId, Config, Duty, NoLog, Record, VoteStore};
use elect_tcp::{Ended, HostEvent, Node, NodeConfig, OpenStore, StartError, TcpTransport, VoteFile};

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
