//! R17, R35–R37, R56, R57: who is connected, who is told what and when.

use std::time::Duration;

use elect_core::{Address, Body, CampaignBlocker, Frame, LinkState, Notice, PeerState};

use crate::harness::{builder, id, ms};
use crate::solo::{D, INTERVAL, Solo, beat, epoch, follows, lead, leading};

fn announces(frame: &Frame) -> bool {
    matches!(frame.body, Body::Announce { .. })
}

#[test]
fn r17_a_closed_connection_ends_connected_at_once() {
    let mut a = Solo::new();
    a.hear("b", 0, PeerState::Promised, beat());
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotFree { free: 1, needed: 2 }));
    a.link("b", LinkState::Closed);
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotConnected { connected: 1, needed: 2 }));
    a.link("b", LinkState::Up);
    assert!(
        matches!(a.blocker(), Some(CampaignBlocker::NotConnected { .. })),
        "what it echoed before says nothing of now"
    );
    a.hear("b", 0, PeerState::Promised, beat());
    assert!(matches!(a.blocker(), Some(CampaignBlocker::NotFree { .. })));
    a.link("b", LinkState::Closed);
    a.hear("b", 0, PeerState::Promised, beat());
    assert!(
        matches!(a.blocker(), Some(CampaignBlocker::NotConnected { .. })),
        "nor does a frame without a connection"
    );
}

#[test]
fn r17_connected_takes_an_echo_of_the_last_detection_time() {
    let mut a = Solo::new();
    let mut frame = a.frame("b", 0, PeerState::Promised, beat());
    frame.header.echo = None;
    a.deliver("b", &frame);
    assert!(
        matches!(a.blocker(), Some(CampaignBlocker::NotConnected { .. })),
        "it is heard, but does it hear?"
    );
    let echoed = a.last_to("b").header.nonce.sent;
    a.hear("b", 0, PeerState::Promised, beat());
    a.now = echoed + D;
    assert!(matches!(a.blocker(), Some(CampaignBlocker::NotFree { .. })));
    a.now = a.now + Duration::from_nanos(1);
    a.tick();
    assert!(matches!(a.blocker(), Some(CampaignBlocker::NotConnected { .. })));
}

#[test]
fn r17_without_a_leader_an_echo_is_recent_for_the_own_maximum() {
    let mut a = Solo::new();
    a.hear("b", 0, PeerState::Promised, beat());
    let connected = |a: &Solo, peer: usize| a.elector.status(a.now).peers[peer].connected;
    // The network was calm, and the leader's detection time short.
    assert_eq!(a.hear("c", 1, leading(1), lead(ms(200))), None);
    a.commit();
    assert_eq!(a.elector.status(a.now).detection, ms(200));
    let echoed = a.now;
    a.pass(ms(150)).hear("c", 1, leading(1), lead(ms(200)));
    a.pass(ms(150)).hear("c", 1, leading(1), lead(ms(200)));
    assert!(!connected(&a, 0), "not while a leader is followed that uses a shorter one");
    a.hear("c", 2, PeerState::Promised, beat());
    assert_eq!(a.leader(), None);
    assert_eq!(a.elector.status(a.now).detection, D);
    assert!(connected(&a, 0), "and the round trip may be as long as the longest detection time");
    a.now = echoed + D + ms(1);
    a.hear("c", 2, PeerState::Promised, beat());
    assert!(!connected(&a, 0));
}

#[test]
fn r35_whoever_is_not_connected_is_answered_at_once_but_seldom() {
    let mut a = Solo::new();
    let deaf = |a: &mut Solo| {
        let mut frame = a.frame("b", 0, PeerState::Promised, beat());
        frame.header.echo = None;
        a.clear().deliver("b", &frame);
        a.sent_to("b").count()
    };
    assert_eq!(deaf(&mut a), 1);
    a.pass(ms(24));
    assert_eq!(deaf(&mut a), 0, "at most once per half heartbeat interval");
    a.pass(ms(1));
    assert_eq!(deaf(&mut a), 1);
    a.hear("b", 0, PeerState::Promised, beat());
    a.pass(ms(30)).clear();
    a.hear("b", 0, PeerState::Promised, beat());
    assert_eq!(a.sent_to("b").count(), 0, "a connected one is not");
}

#[test]
fn r36_a_change_of_state_is_sent_to_everybody_at_once() {
    let mut a = Solo::new();
    a.hear("b", 0, PeerState::Promised, beat());
    a.clear();
    a.hear_leader("b", 1);
    a.commit();
    assert_eq!(a.last_to("c").header.state, follows("b", 1));
    a.pass(ms(1)).clear();
    a.hear("b", 1, PeerState::Promised, beat());
    for peer in ["b", "c"] {
        assert_eq!(a.last_to(peer).header.state, PeerState::Free, "to {peer}");
    }
    a.pass(ms(1)).clear();
    a.hear("b", 1, PeerState::Promised, beat());
    assert_eq!(a.frames.len(), 0, "no change, no word");
}

#[test]
fn r37_a_leader_announces_itself_until_it_is_acknowledged() {
    let address = Address::new("10.0.0.1:6379").unwrap();
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).address(address.clone()));
    a.lead();
    a.hear_acknowledgement("b", 1);
    a.pass(INTERVAL);
    assert!(!announces(a.last_to("b")), "b has acknowledged one");
    assert!(announces(a.last_to("c")), "c has not");
    assert!(matches!(&a.last_to("c").body, Body::Announce { address: told, .. } if *told == address));
    a.hear_acknowledgement("c", 1);
    a.pass(INTERVAL);
    assert!(!announces(a.last_to("c")));
    a.link("c", LinkState::Closed).link("c", LinkState::Up);
    assert!(announces(a.last_to("c")), "a new connection may be to a process that knows nothing");
}

#[test]
fn r37_a_voter_that_missed_the_announcement_learns_from_a_heartbeat() {
    let mut a = Solo::new();
    a.follow("b", 3);
    assert!(a.saw(|notice| matches!(notice, Notice::Following { leader, .. } if *leader == id("b"))));
}

#[test]
fn r56_a_leaders_heartbeat_is_answered_at_once() {
    let mut a = Solo::new();
    a.follow("b", 1).pass(ms(20)).clear();
    let frame = a.frame("b", 1, leading(1), lead(D));
    a.deliver("b", &frame);
    assert_eq!(a.sent_to("b").count(), 1);
    assert_eq!(a.last_to("b").header.echo, Some(frame.header.nonce));
    assert_eq!(a.last_to("b").header.state, follows("b", 1));
    assert_eq!(a.sent_to("c").count(), 0);
}

#[test]
fn r56_a_leader_speaks_every_interval_and_followers_every_third_of_the_detection_time() {
    let mut a = Solo::new();
    a.follow("b", 1).clear();
    for _ in 0..10 {
        a.pass(ms(100));
        a.hear_leader("b", 1);
    }
    // 1000 ms at one heartbeat each D/3.
    assert_eq!(a.sent_to("c").count(), 6);

    let mut a = Solo::new();
    a.lead();
    for _ in 0..10 {
        a.pass(INTERVAL);
        a.hear_acknowledgement("b", 1);
    }
    assert_eq!(a.sent_to("c").count(), 10);
}

#[test]
fn r57_the_host_hears_once_of_each_change_of_leader_and_address() {
    let mut a = Solo::new();
    let address = Address::new("b:1").unwrap();
    let announce = |address: &Address| {
        let Body::Heartbeat(heartbeat) = lead(D) else { unreachable!("lead is a heartbeat") };
        Body::Announce { heartbeat, address: address.clone() }
    };
    a.hear("b", 1, leading(1), announce(&address));
    a.commit().hear_leader("b", 1);
    let following: Vec<_> =
        a.notices.iter().filter(|notice| matches!(notice, Notice::Following { .. })).collect();
    assert!(
        matches!(following[..], [Notice::Following { epoch: one, address: told, .. }] if *one == epoch(1) && *told == address),
        "{following:?}"
    );
    a.clear();
    a.hear("b", 1, leading(1), announce(&address));
    assert!(a.notices.is_empty() && a.duties.is_empty());
    let moved = Address::new("b:2").unwrap();
    a.hear("b", 1, leading(1), announce(&moved));
    assert!(matches!(&a.notices[..], [Notice::LeaderAddress { address, .. }] if *address == moved));
    a.clear();
    a.hear("b", 1, PeerState::Promised, beat());
    a.hear("b", 1, PeerState::Promised, beat());
    let lost = a.notices.iter().filter(|notice| matches!(notice, Notice::LeaderLost { .. })).count();
    assert_eq!(lost, 1);
}

#[test]
fn r17_a_streak_begins_anew_with_each_interruption() {
    let mut a = Solo::new();
    let streak = |a: &Solo| a.elector.status(a.now).peers[0].connected_for;
    assert_eq!(streak(&a), None);
    a.hear("b", 0, PeerState::Promised, beat());
    a.pass(D / 2);
    a.hear("b", 0, PeerState::Promised, beat());
    a.pass(D / 2);
    assert_eq!(streak(&a), Some(D), "frames in time go on with it");
    a.link("b", LinkState::Closed);
    assert_eq!(streak(&a), None);
    a.link("b", LinkState::Up);
    a.hear("b", 0, PeerState::Promised, beat());
    assert_eq!(streak(&a), Some(Duration::ZERO));
    let silence = D + ms(1);
    a.pass(silence);
    assert_eq!(streak(&a), None, "silence ends it, too");
    a.hear("b", 0, PeerState::Promised, beat());
    a.pass(ms(3));
    assert_eq!(streak(&a), Some(ms(3)));
}

#[test]
fn r17_whether_there_is_a_quorum_is_a_question_of_the_moment() {
    let mut a = Solo::new();
    assert!(!a.elector.has_quorum(a.now), "it alone is none");
    a.hear("b", 0, PeerState::Promised, beat());
    assert!(a.elector.has_quorum(a.now) && a.elector.status(a.now).has_quorum);
    let later = a.now + D + ms(1);
    assert!(!a.elector.has_quorum(later), "no input has come, and yet it is over");
    a.link("b", LinkState::Closed);
    assert!(!a.elector.status(a.now).has_quorum);
    assert_eq!(a.elector.known_leader(), None);
    a.link("b", LinkState::Up);
    assert_eq!(a.hear("b", 1, leading(1), lead(D)), None);
    a.commit();
    let known = a.elector.known_leader().expect("b is followed");
    assert_eq!((known.node, known.epoch), (id("b"), epoch(1)));
}
