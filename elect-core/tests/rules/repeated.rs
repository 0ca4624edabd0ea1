//! What a leader says again, and what comes between: the short way of the steady state hides nothing.

use elect_core::{Birth, Body, Heartbeat, Incarnation, LogSync, PauseNumber, PauseStamp, PeerState};

use crate::harness::{id, ms};
use crate::solo::{INTERVAL, NEEDED, PROMISE, Solo, beat, epoch, follows, heartbeat, lead, leading};

/// `a` follows `b` in epoch 4, which has said so several times.
fn steady() -> Solo {
    let mut a = Solo::new();
    a.follow("b", 4);
    // So often that the round trip is known as well.
    for _ in 0..12 {
        a.pass(ms(20)).hear_leader("b", 4);
    }
    a.hear("c", 4, follows("b", 4), beat());
    a.pass(ms(20)).hear_leader("b", 4);
    a.clear();
    a
}

#[test]
fn r12_only_the_leader_itself_renews_the_promise_to_it() {
    let mut a = steady();
    let until = a.promised_to().unwrap().2;
    a.pass(ms(20));
    // The same words, the same life, the same epoch, and another node.
    let frame = a.frame("b", 4, leading(4), lead(crate::solo::D));
    a.deliver("c", &frame);
    assert!(a.sent_to("b").all(|frame| frame.header.state != follows("b", 4)));
    assert_eq!(a.promised_to().unwrap().2, until);
}

#[test]
fn r25_what_is_due_comes_before_a_repeated_heartbeat() {
    let mut a = steady();
    let due = a.elector.deadline();
    let frame = {
        a.now = due;
        a.frame("b", 4, leading(4), lead(crate::solo::D))
    };
    a.deliver("b", &frame);
    assert!(a.sent_to("c").next().is_some(), "its own heartbeat was due");
    assert_eq!(a.promised_to().unwrap().2, due + PROMISE);
}

#[test]
fn r63_a_pause_that_the_leader_does_not_know_runs_down_in_every_answer() {
    let mut a = steady();
    let number = PauseNumber { epoch: epoch(4), count: 1 };
    let pause = Some(PauseStamp { number, remaining: ms(5_000) });
    a.hear("c", 4, follows("b", 4), Body::Heartbeat(Heartbeat { pause, ..heartbeat() }));
    for left in [4_980, 4_960, 4_940, 4_920] {
        a.pass(ms(20)).hear_leader("b", 4);
        let Body::Heartbeat(said) = &a.last_to("b").body else { panic!("no heartbeat") };
        assert_eq!(said.pause.map(|stamp| stamp.remaining), Some(ms(left)));
    }
}

#[test]
fn r18_what_a_leader_says_after_something_else_is_noted() {
    let mut a = steady();
    a.hear("b", 3, PeerState::Promised, beat());
    a.pass(ms(20)).hear_leader("b", 4);
    let explained = a.elector.explain(a.now);
    let b = explained.peers.iter().find(|peer| peer.node == id("b")).unwrap();
    assert_eq!(b.says, leading(4));
}

#[test]
fn r60_a_leader_that_tells_late_what_its_life_began_with_is_heard() {
    let born = |number| Birth {
        first_life: 1,
        epoch: epoch(number),
        position: None,
        log: LogSync::Synchronous,
        detection_min: NEEDED,
    };
    let mut a = steady();
    a.births.insert(id("b"), born(4));
    a.pass(ms(20)).hear_leader("b", 4);
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 2 });
    a.births.insert(id("b"), born(3));
    a.clear().pass(INTERVAL);
    a.hear_free("b", 3);
    assert!(a.sent_to("b").any(|frame| matches!(frame.body, Body::WentBack { .. })), "{:?}", a.frames);
}
