//! Three nodes on loopback.

mod common;

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use common::{Cluster, TestFloor, hear, id, spin};
use elect_core::{Address, ClusterId, Config, Epoch, HostData, LeaderLost, NoLog, Notice, StepDown};
use elect_tcp::{Ended, HostEvent, Node, NodeConfig, NodeNotice, VoteFile};

#[test]
fn three_nodes_elect_one_and_survive_its_shutdown() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    assert!(cluster.handle(leader).is_leader());
    let stopped = cluster.stop(leader);
    assert!(!stopped.handle.is_leader());
    stopped.handle.status().unwrap_err();
    let told: Vec<_> = stopped.events.try_iter().collect();
    assert!(
        told.iter().any(|event| matches!(event, HostEvent::Lost(loss) if loss.reason == StepDown::Resigned)),
        "{told:?}"
    );
    assert!(matches!(told.last(), Some(HostEvent::Ended(Ended::Shutdown))), "{told:?}");

    let (next, _) = cluster.wait_for_leader(epoch);
    assert_ne!(next, leader);
    cluster.restart(leader);
    cluster.wait_for_follower(leader, next);
    assert!(cluster.handle(next).is_leader());
}

/// What the elector takes for evidence of a crash, where that is configured.
#[test]
fn a_peer_that_has_ended_refuses_where_it_stood() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let follower = (leader + 1) % 3;
    let (handle, name) = (cluster.handle(leader).clone(), cluster.names[follower]);
    cluster.stop(follower);
    spin("refusal", || {
        let links = handle.links().unwrap();
        let link = links.into_iter().find(|link| link.peer == name).unwrap();
        link.outbound.reason.as_deref() == Some("the connection is refused")
    });
}

#[test]
fn every_node_knows_who_leads_and_where() {
    let mut cluster = Cluster::tuned(
        &["a", "b", "c"],
        |builder| builder.address(Address::new("the leader's clients").unwrap()),
        |_| TestFloor::default(),
    );
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    for node in 0..3 {
        let handle = cluster.handle(node);
        let named = || handle.leader().filter(|known| known.node == cluster.names[leader]);
        spin("leader with its address", || {
            named().is_some_and(|known| known.address.as_str() == "the leader's clients")
        });
        assert!(named().unwrap().epoch >= epoch);
        spin("quorum", || handle.has_quorum().unwrap());
    }
    cluster.handle(leader).set_address(Address::new("elsewhere").unwrap()).unwrap();
    assert_eq!(
        cluster.handle(leader).leader().unwrap().address.as_str(),
        "elsewhere",
        "as soon as it is set"
    );
    for node in 0..3 {
        let named = || cluster.handle(node).leader().unwrap().address.to_string();
        spin("new address", || named() == "elsewhere");
    }
    let stopped = cluster.stop(leader);
    assert_eq!(stopped.handle.leader(), None, "it has ended");
    let next = (leader + 1) % 3;
    spin("end of its leadership", || {
        cluster.handle(next).leader().is_none_or(|known| known.node != cluster.names[leader])
    });
}

#[test]
fn the_host_of_a_newer_peer_is_heard_of() {
    let mut cluster = Cluster::tuned(
        &["a", "b", "c"],
        |builder| builder.address(Address::new("clients").unwrap()),
        |_| TestFloor::default(),
    );
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    let data = HostData::new(b"config 3").unwrap();
    cluster.handle(leader).set_host_data(3, data).unwrap();
    cluster.handle(leader).set_host_data(2, data).unwrap_err();
    let heard = hear(&cluster.member((leader + 1) % 3).events, "newer version", |event| match event {
        HostEvent::Happened(NodeNotice::Elector(Notice::NewerApplication {
            version, data, address, ..
        })) => Some((version, data, address.to_string())),
        _ => None,
    });
    assert_eq!(heard, (3, data, "clients".to_owned()));
    spin("the bytes in the status", || {
        let peers = cluster.handle((leader + 2) % 3).status().unwrap().elector.peers;
        peers.iter().any(|peer| peer.node == cluster.names[leader] && peer.host_data == data)
    });
}

/// A paused leader that was shut down told neither its host nor its followers. It is not replaced, and leads again when
/// it is back, still paused.
#[test]
fn a_paused_leader_that_is_shut_down_says_so_and_leads_again() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    cluster.handle(leader).pause(Duration::from_mins(10)).unwrap();
    let other = (leader + 1) % 3;
    spin("pause", || cluster.handle(other).status().unwrap().pause.is_some());
    let stopped = cluster.stop(leader);
    let told: Vec<_> = stopped.events.try_iter().collect();
    let lost = told.iter().filter_map(|event| match event {
        HostEvent::Lost(loss) => Some(loss.reason),
        _ => None,
    });
    assert_eq!(lost.collect::<Vec<_>>(), [StepDown::Resigned], "{told:?}");
    let reason = hear(&cluster.member(other).events, "last frame", |event| match event {
        HostEvent::Happened(NodeNotice::Elector(Notice::LeaderLost { reason, .. })) => Some(reason),
        _ => None,
    });
    assert_eq!(reason, LeaderLost::Ended);
    cluster.restart(leader);
    let (next, _) = cluster.wait_for_leader(epoch);
    assert_eq!(next, leader);
    let pause = cluster.handle(leader).status().unwrap().pause.unwrap();
    assert_eq!(pause.reserved_for, Some(cluster.names[leader]));
}

#[test]
fn leadership_is_handed_over() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    let target = (leader + 1) % 3;
    cluster.wait_for_follower(target, leader);
    cluster.handle(leader).handover(cluster.names[target]).unwrap();
    let (next, _) = cluster.wait_for_leader(epoch);
    assert_eq!(next, target);
    cluster.wait_for_followers(target);
    assert!(cluster.handle(target).is_leader());
    assert!(!cluster.handle(leader).is_leader());
    let [loss] = cluster.member(leader).losses[..] else { panic!("{:?}", cluster.member(leader).losses) };
    assert_eq!((loss.epoch, loss.reason), (epoch, StepDown::HandedOver(cluster.names[target])));
}

#[test]
fn a_group_of_one_leads_itself_and_frees_its_port() {
    let mut cluster = Cluster::start(&["only"]);
    cluster.wait_for_leader(Epoch::ZERO);
    let stopped = cluster.stop(0);
    assert_eq!(stopped.handle.threads(), 0);
    TcpListener::bind(cluster.addresses[0]).unwrap();
    cluster.restart(0);
    cluster.wait_for_leader(Epoch::ZERO);
}

#[test]
fn dropping_the_last_handle_ends_the_node() {
    let mut cluster = Cluster::start(&["only"]);
    cluster.wait_for_leader(Epoch::ZERO);
    let member = cluster.members[0].take().unwrap();
    drop(member.handle);
    let ended = hear(&member.events, "end", |event| match event {
        HostEvent::Ended(ended) => Some(ended),
        _ => None,
    });
    assert_eq!(ended, Ended::Shutdown);
}

#[test]
fn a_rotted_copy_of_the_vote_file_is_repaired_and_reported() {
    let mut cluster = Cluster::start(&["only"]);
    let (_, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.stop(0);
    let vote_file = cluster.vote_file(0);
    let mut content = fs::read(&vote_file).unwrap();
    content[100] ^= 1;
    fs::write(&vote_file, content).unwrap();
    cluster.restart(0);
    let first = cluster.member(0).events.recv().unwrap();
    assert!(matches!(first, HostEvent::Happened(NodeNotice::VoteFileRepaired { copies: 1 })), "{first:?}");
    let (_, later) = cluster.wait_for_leader(Epoch::ZERO);
    assert!(later > epoch, "nothing is forgotten");
}

#[cfg(unix)]
#[test]
fn nodes_of_one_process_need_no_ports() {
    use elect_tcp::LocalNetwork;

    let (network, directory) = (LocalNetwork::new(), tempfile::tempdir().unwrap());
    let names = ["a", "b", "c"].map(id);
    let start = |name| {
        let elect = Config::builder(ClusterId::new("local").unwrap(), name).voters(names);
        let elect = elect.seed(elect_tcp::random_seed()).build().unwrap();
        let vote_file = directory.path().join(format!("{name}.vote"));
        VoteFile::init(&vote_file, &elect).unwrap();
        let config = NodeConfig::builder(elect, vote_file).build_for_transport().unwrap();
        Node::start_on(config, Arc::new(NoLog), network.join(name)).unwrap()
    };
    let nodes = names.map(start);
    spin("leader", || nodes.iter().any(|(handle, _)| handle.is_leader()));
    for (handle, _) in &nodes {
        handle.shutdown().unwrap();
    }
    assert!(nodes.iter().all(|(handle, _)| !handle.is_leader()));
}
