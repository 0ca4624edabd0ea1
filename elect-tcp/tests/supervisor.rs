//! Who holds a process tells its peers when it has ended, and nobody can say so in its place.
#![cfg(feature = "tls")]

mod common;

use std::path::Path;

use common::certificates::{by_authority, files, issued};
use common::{Cluster, id, spin};
use elect_core::{Epoch, NodeId};
use elect_tcp::{
    HandshakeRefusal, NodeConfigBuilder, Supervisor, TcpTransport, TlsConfig, VoteFile, VoteFileError,
};

const NAMES: [&str; 3] = ["a", "b", "c"];
const C: usize = 2;

fn secured() -> Cluster {
    Cluster::secured(&NAMES, |directory| drop(issued(directory, &NAMES)), by_authority).0
}

/// What a supervisor of `c` is configured with: as `c` itself.
fn config(cluster: &Cluster) -> NodeConfigBuilder {
    cluster.config(C).listen(cluster.addresses[C])
}

fn supervise(cluster: &Cluster) -> Supervisor {
    let supervisor = Supervisor::start(&config(cluster).build().unwrap()).unwrap();
    spin("streams", || supervisor.links().iter().all(|(_, reason)| reason.is_none()));
    supervisor
}

fn reasons(supervisor: &Supervisor) -> Vec<String> {
    supervisor.links().into_iter().filter_map(|(_, reason)| reason).collect()
}

fn sorted(mut names: Vec<NodeId>) -> Vec<NodeId> {
    names.sort_unstable();
    names
}

#[test]
fn an_end_is_told_to_every_peer_and_no_process_that_has_its_vote_file_is_said_to_have_ended() {
    let mut cluster = secured();
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let supervisor = supervise(&cluster);
    assert!(matches!(supervisor.hold(), Err(VoteFileError::InUse { .. })), "it runs already");

    cluster.stop(C);
    let held = supervisor.hold().unwrap();
    assert_eq!(held.ended().unwrap(), None, "no process has taken a life");

    let held = supervisor.hold().unwrap();
    cluster.restart(C);
    cluster.wait("c to belong", |cluster| {
        cluster.member(C).follows.is_some() || cluster.member(C).office.is_some()
    });
    assert!(matches!(held.ended(), Err(VoteFileError::InUse { .. })), "it lives");

    cluster.stop(C);
    let before = supervisor.hold().unwrap();
    cluster.restart(C);
    cluster.wait("c to belong", |cluster| {
        cluster.member(C).follows.is_some() || cluster.member(C).office.is_some()
    });
    let life = cluster.handle(C).status().unwrap().elector.incarnation;
    cluster.stop(C);
    let end = before.ended().unwrap().unwrap();
    assert_eq!((end.incarnation, sorted(end.told)), (life, vec![id("a"), id("b")]));
    let record = *VoteFile::open(cluster.vote_file(C), &cluster.elect(C)).unwrap().record();
    assert_eq!(record.incarnation, life, "and nothing was written");
}

#[test]
fn a_peer_that_comes_back_is_connected_again() {
    let mut cluster = secured();
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let supervisor = supervise(&cluster);
    cluster.stop(0);
    spin("end of a stream", || !reasons(&supervisor).is_empty());
    cluster.restart(0);
    spin("streams", || reasons(&supervisor).is_empty());
}

fn as_b(directory: &Path) -> TlsConfig {
    files(directory, "b").authorities(directory.join("authority.pem"))
}

/// Another member, and anybody at all where nothing is proven.
#[test]
fn nobody_else_is_the_supervisor_of_a_node() {
    let mut cluster = secured();
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let foreign = Supervisor::start(&config(&cluster).tls(as_b(cluster.directory.path())).build().unwrap());
    // Its own end looks first.
    let text = foreign.err().map(|error| error.to_string()).unwrap_or_default();
    assert_eq!(text, "the certificate is that of b, and this node is c");
    cluster.catch_up();
    assert_eq!(cluster.handle(leader).lease().map(|lease| lease.epoch), Some(epoch));

    let mut plain = Cluster::start(&NAMES);
    let (leader, epoch) = plain.wait_for_leader(Epoch::ZERO);
    plain.wait_for_followers(leader);
    let elsewhere = plain.config(C).listen("127.0.0.1:0".parse().unwrap()).build().unwrap();
    let stranger = Supervisor::start_with(&elsewhere, TcpTransport::bind(&elsewhere).unwrap()).unwrap();
    spin("refusals", || {
        let reasons = reasons(&stranger);
        reasons.len() == 2
            && reasons.iter().all(|reason| reason.contains("nothing proves that the dialler may speak for c"))
    });
    spin("refused dialler", || {
        let refused = plain.handle(0).refused_diallers().unwrap();
        let wanted = HandshakeRefusal::UnprovenSupervisor(id("c")).to_string();
        refused.iter().any(|refused| refused.to_string().contains(&wanted))
    });
    plain.catch_up();
    assert_eq!(plain.handle(leader).lease().map(|lease| lease.epoch), Some(epoch));
}
