//! R16, R24, R26, R33, R36, R41, R62: what is over leaves nothing behind.

use std::time::Duration;

use elect_core::{
    Body, CampaignBlocker, Detection, Elector, Health, Ignored, Incarnation, LinkState, NodeId, PeerState,
};

use crate::genesis::{Histories, known_final};
use crate::harness::{builder, id, ms};
use crate::solo::{D, INTERVAL, OPEN, Solo, beat, epoch, follows, lead, lead_with, leading, stamp};

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn r36_what_a_step_had_queued_as_a_leader_does_not_leave_after_the_loss() {
    let mut a = Solo::new();
    a.lead();
    a.hear_acknowledgement("b", 1);
    // The heartbeat is due in the very step that ends the leadership.
    a.clear().now = a.elector.deadline();
    a.step(|elector, now| elector.set_health(Health::Unfit, now));
    assert_eq!(a.losses.len(), 1);
    assert!(a.frames.iter().all(|(_, frame)| frame.header.state != leading(1)), "{:?}", a.frames);
    assert!(!a.frames.is_empty());
}

#[test]
fn r33_who_echoes_the_last_word_of_a_leader_is_not_connected_after_its_lease() {
    let mut a = Solo::new();
    a.lead();
    let end = a.lease_end();
    while a.elector.deadline() < end {
        a.now = a.elector.deadline();
        a.tick();
    }
    let last = a.last_to("b").header;
    assert_eq!(last.state, leading(1));
    a.now = end;
    a.tick();
    assert_eq!(a.losses.len(), 1);
    let mut frame = a.frame("b", 1, PeerState::Free, beat());
    frame.header.echo = Some(last.nonce);
    a.clear().deliver("b", &frame);
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotConnected { connected: 1, needed: 2 }));
    a.hear_free("b", 1);
    assert_eq!(a.offered(), Some(2));
}

#[test]
fn r26_a_copy_of_the_claim_that_was_followed_is_none_to_follow_by() {
    let mut a = Solo::new();
    a.follow("b", 3).pass(ms(1));
    let claim = a.frame("b", 3, leading(3), lead(D));
    a.deliver("b", &claim);
    a.tells("c", known_final(7));
    for _ in 0..2 {
        a.pass(ms(1)).hear("c", 3, follows("b", 3), beat());
    }
    a.commit();
    assert_eq!(a.leader(), None, "its storage counts as replaced");
    assert_eq!(a.deliver("b", &claim), Some(Ignored::Older));
    assert_eq!(a.leader(), None);
    a.hear_leader("b", 3);
    assert_eq!(a.leader(), Some((id("b"), epoch(3))));
}

#[test]
fn r41_the_link_of_an_observer_is_of_no_interest() {
    let detection = Detection::Adaptive { floor: ms(200), ceiling: ms(2_000), phi: 8 };
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).observers([id("o")]).detection(detection));
    let sent = |a: &Solo| {
        let lead = a.sent_to("c").rev().find_map(|frame| match &frame.body {
            Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => heartbeat.lead,
            _ => None,
        });
        lead.expect("it leads").detection
    };
    a.lead();
    for _ in 0..60 {
        a.pass(INTERVAL);
        a.hear_acknowledgement("b", 1);
        a.hear_acknowledgement("o", 1);
    }
    assert_eq!(sent(&a), ms(2_000), "64 answers of voters are not there yet");
    for _ in 0..10 {
        a.pass(INTERVAL);
        a.hear_acknowledgement("b", 1);
    }
    assert!(sent(&a) < ms(2_000));
}

#[test]
fn r16_who_held_a_process_ends_no_promise_to_another() {
    let mut a = Solo::new();
    a.hear("c", 0, PeerState::Promised, beat());
    a.follow("b", 3);
    a.link("c", LinkState::Ended { incarnation: Incarnation { counter: 1, random: 1 } });
    assert_eq!(a.leader(), Some((id("b"), epoch(3))), "c is dead, not b");
    assert!(a.promised_to().is_some());
}

fn reserved_for(a: &Solo) -> Option<NodeId> {
    a.elector.status(a.now).pause.unwrap().reserved_for
}

/// `a` followed `b`, which paused failover in epoch 1 and hands over to `a`, in this state.
fn favoured(state: PeerState) -> Solo {
    let mut a = Solo::new();
    a.hear("c", 1, PeerState::Promised, beat());
    a.follow("b", 1).hear("b", 1, leading(1), lead_with(stamp(1, 1, MINUTE)));
    a.hear("b", 1, state, Body::Release { epoch: epoch(1), target: id("a") });
    assert_eq!(reserved_for(&a), Some(id("a")));
    a
}

#[test]
fn r62_a_favour_that_was_used_is_none_at_the_next_handover() {
    let mut a = favoured(PeerState::Reserved(id("a")));
    assert_eq!(a.offered(), Some(2));
    a.pass(ms(1)).commit();
    let pause = Some(stamp(1, 1, MINUTE));
    let accept =
        Body::Accept { epoch: epoch(2), detection: OPEN, position: None, pause, genesis_epoch: epoch(0) };
    assert_eq!(a.hear("b", 2, PeerState::Promised, accept), None);
    a.enter_office();
    a.hear_acknowledgement("c", 2);
    a.request(|elector, now| elector.request_handover(id("c"), now)).unwrap();
    a.step(Elector::on_drained);
    assert_eq!(a.losses.len(), 1);
    assert_eq!(reserved_for(&a), Some(id("c")), "its head start lasts, and so would the favour have");
}

#[test]
fn r62_a_favour_ends_when_somebody_is_followed() {
    let mut a = favoured(PeerState::Promised);
    a.follow("c", 2).hear("b", 2, follows("c", 2), beat());
    a.hear("c", 2, PeerState::Promised, Body::Release { epoch: epoch(2), target: id("b") });
    assert_eq!(reserved_for(&a), Some(id("b")));
}
