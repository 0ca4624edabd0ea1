//! Two processes under one name: the one that should not run is told so and stops, and disturbs nobody.

mod common;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Instant;

use common::raw::{RawGreeting, send};
use common::{BOUND, Cluster, hear, spin};
use elect_core::{Body, Digest, Duty, Epoch, Frame, Header, Incarnation, NoLog, Nonce, PeerState, Stopped};
use elect_tcp::{
    Events, HandshakeRefusal, HostEvent, InboundFailure, Node, NodeHandle, NodeNotice, VoteFile,
};

/// A second process under the name of `index`, on a storage and a port of its own.
fn start_twin(cluster: &Cluster, index: usize) -> (NodeHandle, Events, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let vote_file = cluster.directory.path().join("twin.vote");
    VoteFile::init(&vote_file, &cluster.elect(index)).unwrap();
    let config = cluster.config_on(index, &vote_file).listener(listener);
    let (handle, events) = Node::start(config.build().unwrap(), Arc::new(NoLog)).unwrap();
    (handle, events, address)
}

/// What the twin reads in the handshake that stops it, and how it stops.
fn ends(handle: &NodeHandle, events: &Events) -> (HandshakeRefusal, Stopped) {
    let (mut refusal, mut stopped) = (None, None);
    let deadline = Instant::now() + BOUND;
    loop {
        match events.recv_deadline(deadline) {
            Ok(HostEvent::Happened(NodeNotice::LinkChanged(link))) => {
                refusal = refusal.take().or(link.outbound.refusal);
            }
            Ok(HostEvent::Act(Duty::Stopped { reason })) => stopped = Some(reason),
            Ok(HostEvent::Act(Duty::Elected(_))) => panic!("the twin leads"),
            Ok(_) => {}
            Err(error) => panic!("{error}: {refusal:?}, {stopped:?}\n{}", handle.explain().unwrap()),
        }
        if let (Some(refusal), Some(stopped)) = (&refusal, &stopped) {
            return (refusal.clone(), stopped.clone());
        }
    }
}

/// Twenty more heartbeats of the leader to each of two peers.
fn wait_for_heartbeats(cluster: &Cluster, leader: usize) {
    let until = cluster.handle(leader).counts().frames_sent + 40;
    spin("heartbeats", || cluster.handle(leader).counts().frames_sent >= until);
}

/// It may have raised its own epoch for a voter that campaigned at the boot: that is no step-down.
fn assert_undisturbed(cluster: &mut Cluster, leader: usize, epoch: Epoch) {
    wait_for_heartbeats(cluster, leader);
    cluster.catch_up();
    for member in cluster.members.iter().flatten() {
        assert!(member.losses.is_empty(), "{:?}", member.losses);
    }
    assert!(cluster.handle(leader).lease().is_some_and(|lease| lease.epoch >= epoch));
}

/// The two took each other's streams some 240 times in 10 s.
#[test]
fn a_twin_of_the_leader_is_told_so_and_stops_and_the_leader_leads_on() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, twin, address) = a_twin_of_the_leader_stops(&mut cluster);
    // Who dials it learns that it has stopped.
    let follower = (leader + 1) % 3;
    let life = cluster.handle(follower).status().unwrap().incarnation;
    let raw = RawGreeting::of(&cluster.elect(follower), cluster.names[leader].as_str(), life);
    assert_eq!(raw.greet(address).1, 12);
    twin.shutdown().unwrap();
}

/// It has the certificate of its name, as the true one has.
#[cfg(feature = "tls")]
#[test]
fn over_tls_a_twin_is_told_so_and_stops_as_well() {
    use common::certificates::{by_authority, issued};

    let names = ["a", "b", "c"];
    let (mut cluster, _) = Cluster::secured(&names, |directory| issued(directory, &names), by_authority);
    let (.., twin, _) = a_twin_of_the_leader_stops(&mut cluster);
    twin.shutdown().unwrap();
}

/// The leader, its twin, and where that listens.
fn a_twin_of_the_leader_stops(cluster: &mut Cluster) -> (usize, NodeHandle, SocketAddr) {
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let (twin, events, address) = start_twin(cluster, leader);
    let (refusal, stopped) = ends(&twin, &events);
    let HandshakeRefusal::Life { rejected, known, dialler, known_at } = &refusal else { panic!("{refusal}") };
    assert_eq!(rejected.counter, known.counter, "a twin, not an older life");
    assert_eq!(*known, cluster.handle(leader).status().unwrap().incarnation);
    assert_eq!(known_at.as_str(), cluster.addresses[leader].to_string(), "where the true one is");
    assert!(dialler.as_str().starts_with("127.0.0.1:"), "where the twin is: {dialler}");
    assert!(matches!(&stopped, Stopped::Cloned { own, .. } if own == rejected), "{stopped}");
    // The other side says the same.
    let follower = (leader + 1) % 3;
    let told = hear(&cluster.member(follower).events, "refused twin", |event| match event {
        HostEvent::Happened(NodeNotice::DiallerRefused(refused)) => Some(refused),
        _ => None,
    });
    assert_eq!(told.claimed, Some(cluster.names[leader]));
    let InboundFailure::Refused(HandshakeRefusal::Life { known: there, .. }) = &told.failure else {
        panic!("{told}")
    };
    assert_eq!(there, known);
    let links = cluster.handle(follower).links().unwrap();
    let link = links.iter().find(|link| link.peer == cluster.names[leader]).unwrap();
    assert!(link.inbound.is_up, "the true one is heard");
    assert!(link.refused.is_some());
    assert_undisturbed(cluster, leader, epoch);
    assert!(!twin.is_leader());
    (leader, twin, address)
}

#[test]
fn an_older_life_is_refused_also_while_the_newer_one_is_away() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let away = (leader + 1) % 3;
    cluster.stop(away);
    cluster.restart(away);
    cluster.wait_for_follower(away, leader);
    let known = cluster.handle(away).status().unwrap().incarnation;
    let name = cluster.names[away];
    for other in (0..3).filter(|index| *index != away) {
        spin("newer life", || {
            let links = cluster.handle(other).links().unwrap();
            let is_known = |link: &elect_tcp::Link| link.inbound.is_up && link.incarnation == Some(known);
            links.iter().any(|link| link.peer == name && is_known(link))
        });
    }
    cluster.stop(away);
    let (twin, events, _) = start_twin(&cluster, away);
    let (refusal, _) = ends(&twin, &events);
    assert!(
        matches!(refusal, HandshakeRefusal::Life { rejected, known: told, .. } if rejected.counter < told.counter && told == known),
        "{refusal}"
    );
    twin.shutdown().unwrap();
    // The true one is a newer life, and welcome.
    cluster.restart(away);
    cluster.wait_for_follower(away, leader);
}

/// Stops a node and starts it again until it follows.
fn run_again(cluster: &mut Cluster, node: usize, leader: usize) {
    cluster.stop(node);
    cluster.restart(node);
    cluster.wait_for_follower(node, leader);
}

#[test]
fn a_replacement_learns_in_handshakes_which_lives_are_over() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let lost = (leader + 1) % 3;
    run_again(&mut cluster, lost, leader);
    run_again(&mut cluster, lost, leader);
    let known = cluster.handle(lost).status().unwrap().incarnation;
    cluster.stop(lost);
    fs::remove_file(cluster.vote_file(lost)).unwrap();
    VoteFile::replace_lost(cluster.vote_file(lost), &cluster.elect(lost)).unwrap();
    cluster.restart(lost);
    cluster.wait_for_follower(lost, leader);
    let taken = cluster.handle(lost).status().unwrap().incarnation;
    assert!(taken.counter > known.counter, "{taken} after {known}");
    spin("streams of the new life", || {
        let links = cluster.handle(leader).links().unwrap();
        links.iter().all(|link| link.inbound.is_up && link.outbound.is_up)
    });
    let links = cluster.handle(leader).links().unwrap();
    let link = links.iter().find(|link| link.peer == cluster.names[lost]).unwrap();
    assert_eq!(link.incarnation, Some(taken), "its greetings say so");
    assert_undisturbed(&mut cluster, leader, epoch);
}

#[test]
fn a_disk_that_was_set_back_is_told_so_however_often_it_is_started() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    // A disk that lacks the final genesis counts as replaced instead (R59).
    cluster.wait_for_genesis();
    let (node, other) = ((leader + 1) % 3, (leader + 2) % 3);
    cluster.stop(node);
    let backup = fs::read(cluster.vote_file(node)).unwrap();
    cluster.restart(node);
    cluster.wait_for_follower(node, leader);
    // A later epoch, which this disk holds and its backup does not.
    cluster.handle(leader).handover(cluster.names[other]).unwrap();
    let (leader, _) = cluster.wait_for_leader(epoch);
    cluster.wait_for_followers(leader);
    wait_for_heartbeats(&cluster, leader);
    cluster.stop(node);
    fs::write(cluster.vote_file(node), backup).unwrap();
    let went_back = (0..5).find_map(|_| {
        let config = cluster.config(node).listen(cluster.addresses[node]).build().unwrap();
        let (handle, events) = Node::start(config, Arc::new(NoLog)).unwrap();
        let (_, stopped) = ends(&handle, &events);
        handle.shutdown().unwrap();
        matches!(stopped, Stopped::WentBack { .. }).then_some(stopped)
    });
    assert!(went_back.is_some(), "its counter has passed those that are known");
}

/// A frame in the name of a follower that says that the leader's life is over.
fn forged(cluster: &Cluster, leader: usize, of: Incarnation) -> Frame {
    let rejected = cluster.handle(leader).status().unwrap().incarnation;
    let known = Incarnation { counter: rejected.counter + 1, random: 7 };
    let header = Header {
        group: 0,
        members: cluster.elect(leader).digest(),
        epoch: Epoch::new(1),
        state: PeerState::Free,
        nonce: Nonce { incarnation: of, sent: elect_tcp::now() },
        echo: None,
        genesis: None,
    };
    Frame { header, birth: None, profile: None, body: Body::Reject { rejected, known } }
}

/// Anybody who reached the port stopped the leader with one frame.
#[test]
fn a_forged_rejection_makes_a_leader_ask_and_stops_nobody() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let follower = (leader + 1) % 3;
    let life = cluster.handle(follower).status().unwrap().incarnation;
    let name = cluster.names[leader];
    let dials = cluster.handle(leader).counts().dials;
    let raw = RawGreeting::of(&cluster.elect(follower), name.as_str(), life);
    let (mut stream, verdict) = raw.greet(cluster.addresses[leader]);
    assert_eq!(verdict, 1, "plain TCP believes whoever names a member in its life");
    send(&mut stream, &forged(&cluster, leader, life));
    spin("question", || cluster.handle(leader).counts().dials > dials);
    wait_for_heartbeats(&cluster, leader);
    let explained = cluster.handle(leader).explain().unwrap();
    assert_eq!(explained.elector.stopped, None);
    drop(stream);
    let _ = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
}

/// Anybody who greeted in the name of a member cut that member off.
#[test]
fn who_greets_in_the_name_of_a_member_and_falls_silent_disturbs_nobody() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let mut silent = Vec::new();
    for follower in (0..3).filter(|index| *index != leader) {
        let life = cluster.handle(follower).status().unwrap().incarnation;
        let newer = Incarnation { counter: life.counter + 1, random: 0 };
        let name = cluster.names[leader];
        for life in [life, newer, life, newer] {
            let raw = RawGreeting::of(&cluster.elect(follower), name.as_str(), life);
            silent.push(raw.greet(cluster.addresses[leader]));
        }
    }
    assert!(silent.iter().all(|(_, verdict)| *verdict == 1));
    let links = cluster.handle(leader).links().unwrap();
    assert!(links.iter().all(|link| link.inbound.is_up && link.outbound.is_up), "{links:#?}");
    let before = links.iter().map(|link| link.inbound.since).collect::<Vec<_>>();
    assert_undisturbed(&mut cluster, leader, epoch);
    let after = cluster.handle(leader).links().unwrap();
    assert_eq!(after.iter().map(|link| link.inbound.since).collect::<Vec<_>>(), before);
    drop(silent);
}

/// Events are rationed: whoever made up names used up what a twin needs to be seen.
#[test]
fn a_twin_is_seen_though_strangers_make_up_names() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let handle = cluster.handle(leader);
    spin("links", || handle.links().unwrap().iter().all(|link| link.inbound.is_up));
    let other = (leader + 1) % 3;
    let (name, address) = (cluster.names[other], cluster.addresses[leader]);
    let life = cluster.handle(other).status().unwrap().incarnation;
    let greeting = RawGreeting::of(&cluster.elect(other), cluster.names[leader].as_str(), life);
    let make_up = |number| {
        let stranger = RawGreeting { node: format!("x{number}"), ..greeting.clone() };
        assert_eq!(stranger.greet(address).1, 5);
    };
    (0..70).for_each(make_up);
    let incarnation = Incarnation { random: !life.random, ..life };
    assert_eq!(RawGreeting { incarnation, ..greeting.clone() }.greet(address).1, 10);
    (70..140).for_each(make_up);
    let told = hear(&cluster.member(leader).events, "refused twin", |event| {
        match event {
            HostEvent::Happened(NodeNotice::DiallerRefused(refused)) => Some(refused),
            _ => None,
        }
        .filter(|refused| refused.claimed == Some(name))
    });
    assert!(told.to_string().contains("is a twin"), "{told}");
    let links = handle.links().unwrap();
    let link = links.iter().find(|link| link.peer == name).unwrap();
    assert!(link.refused.as_ref().is_some_and(|refused| refused.failure == told.failure), "{link:?}");
    assert!(handle.explain().unwrap().to_string().contains("is a twin"));
}

/// Whoever sends a frame that does not count took a member's stream over with it.
#[test]
fn frames_that_do_not_count_cut_no_member_off() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    spin("links", || cluster.handle(leader).links().unwrap().iter().all(|link| link.inbound.is_up));
    let follower = (leader + 1) % 3;
    let life = cluster.handle(follower).status().unwrap().incarnation;
    let dials = cluster.handle(follower).counts().dials;
    let raw = RawGreeting::of(&cluster.elect(follower), cluster.names[leader].as_str(), life);
    let (mut stream, verdict) = raw.greet(cluster.addresses[leader]);
    assert_eq!(verdict, 1);
    let rejection = forged(&cluster, leader, life);
    let mut of_another_list = rejection.clone();
    of_another_list.header.members = Digest::from_bits(1);
    of_another_list.body = Body::Release { epoch: Epoch::new(1), target: cluster.names[follower] };
    for frame in [&rejection, &of_another_list, &rejection, &of_another_list] {
        send(&mut stream, frame);
    }
    let received = cluster.handle(leader).counts().frames_received;
    wait_for_heartbeats(&cluster, leader);
    assert!(cluster.handle(leader).counts().frames_received > received);
    assert_eq!(cluster.handle(follower).counts().dials, dials, "its stream stands");
}
