//! Two processes under one name, each with groups of its own.

mod common;

use std::net::TcpListener;
use std::sync::Arc;

use common::groups::{Sites, cluster};
use common::{id, spin};
use elect_core::NoLog;
use elect_tcp::{Groups, HandshakeRefusal, NodeConfig, VoteFile};

/// Each took the other's stream at every peer, for ever: no group of either kept its leader.
#[test]
fn a_second_process_of_a_name_leaves_the_groups_of_the_first_alone() {
    let names = ["a", "b", "c"];
    let mut sites = Sites::start(&names);
    sites.add_everywhere(1);
    sites.wait_until_settled([1]);
    let link = |sites: &Sites, number| {
        let links = sites.member(0, number).handle.links().unwrap();
        links.into_iter().find(|link| link.peer == id("b")).unwrap()
    };
    sites.wait("link", |sites| link(sites, 1).inbound.is_up);
    let before = (link(&sites, 1).inbound.since, sites.site(1).groups.counts().dials);

    let config = NodeConfig::builder_for_groups(cluster(), id("b"), names.map(id)).unwrap();
    let peers = sites.names.iter().zip(&sites.addresses);
    let config = config.peers(peers.map(|(name, address)| (*name, address.to_string())));
    let config = config.listener(TcpListener::bind("127.0.0.1:0").unwrap()).build().unwrap();
    let second = Groups::start(config).unwrap();
    let elect = sites.elect(1, 2, &["a", "b"]);
    let path = sites.directory.join("second.vote");
    VoteFile::init(&path, &elect).unwrap();
    let file = VoteFile::open(&path, &elect).unwrap();
    let (node, _events) = second.start_group(&elect, file, Arc::new(NoLog)).unwrap();
    sites.add(0, 2, &["a", "b"]);
    // It is heard. Who answers where `b` is dialled is the first, and says so.
    sites.wait("second process", |sites| {
        let link = link(sites, 2);
        link.inbound.is_up && link.outbound.refusal == Some(HandshakeRefusal::NoGroup(2))
    });
    let received = sites.site(0).groups.counts().frames_received;
    spin("more heartbeats", || sites.site(0).groups.counts().frames_received >= received + 100);
    assert_eq!((link(&sites, 1).inbound.since, sites.site(1).groups.counts().dials), before);
    sites.assert_no_loss([1]);
    drop(node);
}
