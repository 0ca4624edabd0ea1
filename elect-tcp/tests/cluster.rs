//! Three nodes on loopback.

mod common;

use common::Cluster;
use elect_core::{Event, StepDown};
use elect_tcp::HostEvent;

#[test]
fn three_nodes_elect_one_and_survive_its_shutdown() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader();
    assert!(cluster.handle(leader).is_leader());
    let stopped = cluster.stop(leader);
    assert!(!stopped.handle.is_leader());
    assert!(stopped.handle.status().is_err());
    let told: Vec<_> = stopped.events.receiver().try_iter().collect();
    assert!(
        told.iter().any(|event| matches!(event, HostEvent::Lost(loss) if loss.reason == StepDown::Resigned)),
        "{told:?}"
    );
    assert!(matches!(told.last(), Some(HostEvent::Ended(elect_tcp::Ended::Shutdown))), "{told:?}");

    let (next, later) = cluster.wait_for_leader();
    assert_ne!(next, leader);
    assert!(later > epoch);
    cluster.restart(leader);
    cluster.wait_for_follower(leader, next);
    assert!(cluster.handle(next).is_leader());
}

#[test]
fn leadership_is_handed_over() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, _) = cluster.wait_for_leader();
    let target = (leader + 1) % 3;
    cluster.wait_for_follower(target, leader);
    cluster.handle(leader).handover(Some(cluster.names[target]), None).unwrap();
    let (next, _) = cluster.wait_for_leader();
    assert_eq!(next, target);
    assert!(cluster.handle(target).is_leader());
    assert!(!cluster.handle(leader).is_leader());
    let wanted = |event: &HostEvent| matches!(event, HostEvent::Happened(Event::Following { .. }));
    cluster.wait("the old leader following", |index, event| (index == leader && wanted(event)).then_some(()));
}
