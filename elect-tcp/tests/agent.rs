//! A host that keeps no log of its own: an agent beside an engine, which reads positions and stops the engine's
//! replication when the floor is raised. It has no `Fence`, and feeds the elector itself.
#![cfg(unix)]

mod common;

use std::sync::{Arc, Mutex, MutexGuard};

use common::{hear, id};
use elect_core::{
    ClusterId, Config, Duty, Elected, Epoch, Floor, Health, NotCaughtUp, Office, Position, Raise, Raised,
};
use elect_tcp::{Events, HostEvent, LocalNetwork, Node, NodeConfig, NodeHandle, VoteFile, random_seed};
use tempfile::TempDir;

/// What the agent can tell its engine, and read from it.
#[derive(Default)]
struct Engine {
    position: Option<Position>,
    /// From which epoch on it takes entries.
    floor: Epoch,
}

/// The agent's floor: first the engine takes nothing more from an earlier primary, then its position is read.
#[derive(Clone, Default)]
struct Agent(Arc<Mutex<Engine>>);

impl Agent {
    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.0.lock().unwrap()
    }

    /// The engine replicates an entry, unless it has been told not to.
    fn replicate(&self, entry: Position) -> bool {
        let mut engine = self.engine();
        let is_taken = entry.epoch >= engine.floor;
        if is_taken {
            engine.position = Some(entry);
        }
        is_taken
    }
}

impl Floor for Agent {
    fn raise(&self, raise: Raise) -> Option<Position> {
        let mut engine = self.engine();
        engine.floor = engine.floor.max(raise.floor());
        engine.position
    }

    fn last_durable(&self) -> Option<Position> {
        self.engine().position
    }
}

struct Server {
    node: NodeHandle,
    events: Events,
    agent: Agent,
}

/// A group of agents, and the directory of their vote files.
fn start() -> ([Server; 3], TempDir) {
    let (network, directory) = (LocalNetwork::new(), tempfile::tempdir().unwrap());
    let names = ["a", "b", "c"].map(id);
    let servers = names.map(|name| {
        let elect = Config::builder(ClusterId::new("engines").unwrap(), name).voters(names);
        let elect = elect.seed(random_seed()).build().unwrap();
        let vote_file = directory.path().join(format!("{name}.vote"));
        VoteFile::init(&vote_file, &elect).unwrap();
        let config = NodeConfig::builder(elect, vote_file).build_for_transport().unwrap();
        let agent = Agent::default();
        let (node, events) = Node::start_on(config, Arc::new(agent.clone()), network.join(name)).unwrap();
        Server { node, events, agent }
    });
    (servers, directory)
}

impl Server {
    fn wait_for_election(&self) -> Elected {
        hear(&self.events, "election", |event| match event {
            HostEvent::Act(
                Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. },
            ) => Some(elected),
            _ => None,
        })
    }

    /// The engine writes an entry of the new epoch, which replicates to `others`.
    fn enter_office(&self, elected: Elected, others: &[&Self]) -> Office {
        let own = Position::new(elected.epoch(), 100 + elected.epoch().number());
        let held = self.agent.last_durable();
        let caught_up = elected.caught_up(held).unwrap();
        for server in others.iter().chain([&self]) {
            common::spin("replication", || server.agent.replicate(own));
            server.node.set_position(Some(own));
        }
        let office = caught_up.own_entry_committed(own).unwrap();
        self.node.on_office(&office);
        office
    }
}

#[test]
fn an_agent_that_feeds_positions_catches_up_before_it_serves() {
    let ([a, b, c], _directory) = start();
    // Only the first may lead, so that it wins also where it is behind.
    for server in [&b, &c] {
        server.node.set_health(Health::Unfit);
    }
    let first = a.wait_for_election();
    assert_eq!(first.catch_up_from(), None, "nobody holds anything");
    let epoch = first.epoch();
    let office = a.enter_office(first, &[&b, &c]);
    office.stamp(a.node.now()).unwrap();

    // The others replicate further than the agent knows its own engine to be: its disk was slower.
    let ahead = Position::new(epoch, 1_000);
    for server in [&b, &c] {
        assert!(server.agent.replicate(ahead));
        server.node.set_position(Some(ahead));
    }
    a.node.resign().unwrap();
    hear(&a.events, "loss", |event| matches!(event, HostEvent::Lost(_)).then_some(()));
    office.stamp(a.node.now()).unwrap_err();

    let again = a.wait_for_election();
    let source = again.catch_up_from().expect("two voters are ahead");
    assert_eq!(source.position, ahead);
    assert!(again.epoch() > epoch);
    // Their engines take nothing more of the epoch before, so what the accept said is all there is.
    let late = Position::new(epoch, 2_000);
    let taken = [&b, &c].into_iter().filter(|server| server.agent.replicate(late)).count();
    assert!(taken <= 1, "a quorum has raised its floor");
    let (again, refused) = again.caught_up(a.agent.last_durable()).unwrap_err();
    assert_eq!(refused.needed, ahead);
    let NotCaughtUp { held, .. } = refused;
    assert!(held.is_some_and(|held| held < ahead));

    // It pulls from the source, under the stamp of the new epoch, and only then serves.
    let source_agent = if source.peer == id("b") { &b } else { &c };
    a.agent.engine().position = Some(source.position);
    a.node.set_position(Some(source.position));
    assert!(source_agent.agent.engine().floor >= again.epoch());
    let office = a.enter_office(again, &[source_agent]);
    office.stamp(a.node.now()).unwrap();
    assert_eq!(a.node.lease().unwrap().epoch, office.began_in());
}
