//! R8, R15, R29, R43: what is saved, what waits for it, and what holds when the disk is done.

use std::time::Duration;

use elect_core::{
    Body, CampaignBlocker, CampaignLost, Detection, Holder, LeaderLost, Notice, PeerState, PromiseKind,
    Record, Refusal, StepDown, Time,
};

use crate::harness::{builder, id, ms};
use crate::solo::{
    D, ELECTION_TIMEOUT, INTERVAL, OPEN, PROMISE, Solo, at, beat, epoch, follows, just_before, lead, leading,
    offer, stands,
};

fn accepts(a: &Solo, to: &str) -> usize {
    a.sent_to(to).filter(|frame| matches!(frame.body, Body::Accept { .. })).count()
}

fn accepted_position(a: &Solo, to: &str) -> Option<elect_core::Position> {
    let position = a.sent_to(to).rev().find_map(|frame| match frame.body {
        Body::Accept { position, .. } => Some(position),
        _ => None,
    });
    position.expect("it accepts")
}

/// Whether the newest heartbeat to `peer` says that this node is fit, and at which position.
fn told(a: &Solo, peer: &str) -> (bool, Option<elect_core::Position>) {
    match &a.last_to(peer).body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => {
            (heartbeat.healthy, heartbeat.position)
        }
        other => panic!("{other:?}"),
    }
}

fn started_from(holder: &str, how: PromiseKind, detection_max: Duration) -> Solo {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let holder = Some(Holder { node: id(holder), how });
    let record = Record { epoch: epoch(4), holder, detection_max, ..Record::first_boot(&config) };
    Solo::from_record(config, record)
}

#[test]
fn r15_a_start_records_the_longest_promise_that_this_life_may_give() {
    let mut a = started_from("b", PromiseKind::Voted, ms(200));
    assert_eq!(a.disk.record.detection_max, D, "the detection time was raised since the last life");
    a.hear_leader("b", 4);
    assert!(a.gate.is_none(), "a leader that the record names is followed without a save");
    let a = a.restarted();
    assert_eq!(a.promised_to(), Some((id("b"), epoch(4), a.now + PROMISE)));
    assert_eq!(started_from("b", PromiseKind::Voted, ms(2_000)).disk.record.detection_max, ms(2_000));
}

#[test]
fn r15_another_leader_of_the_same_epoch_leaves_the_longest_promise() {
    let mut a = started_from("c", PromiseKind::Voted, ms(2_000));
    a.follow("b", 4);
    assert_eq!(a.disk.record.detection_max, ms(2_000));
    assert_eq!(a.disk.record.holder, Some(Holder { node: id("b"), how: PromiseKind::Followed }));
}

#[test]
fn r43_a_save_stalls_after_the_detection_time_in_use_and_not_before() {
    let mut a = Solo::new();
    a.hear("c", 0, PeerState::Promised, beat());
    a.hear_offer("b", 1);
    a.pass(just_before(PROMISE));
    a.hear("c", 0, PeerState::Promised, beat());
    a.link("c", elect_core::LinkState::Up);
    assert!(told(&a, "c").0, "not yet");
    a.pass(Duration::from_nanos(1)).link("c", elect_core::LinkState::Up);
    assert!(!told(&a, "c").0, "a node whose disk hangs says that it is unfit");
    a.commit().link("c", elect_core::LinkState::Up);
    assert!(told(&a, "c").0, "until the disk is done");

    let detection = Detection::Adaptive { floor: ms(200), ceiling: ms(2_000), phi: 8 };
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).detection(detection));
    a.hear("b", 1, leading(1), lead(ms(200)));
    a.commit().hear(
        "b",
        1,
        leading(1),
        Body::Offer { epoch: epoch(2), detection: ms(200), detection_max: OPEN },
    );
    a.pass(ms(202)).link("c", elect_core::LinkState::Up);
    assert!(!told(&a, "c").0, "the detection time in use, not the longest");
}

#[test]
fn r43_a_campaign_whose_save_stalls_is_withdrawn() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).rank_step(ms(400)));
    a.stand();
    a.pass(PROMISE);
    assert!(a.saw(|event| matches!(event, Notice::CampaignLost { reason: CampaignLost::SaveStalled, .. })));
}

#[test]
fn r43_a_leader_whose_save_stalls_names_a_successor() {
    let mut a = Solo::new();
    a.lead();
    a.hear("c", 5, PeerState::Free, beat());
    a.pass(INTERVAL);
    assert!(a.gate.is_some(), "the re-offer is being saved");
    for _ in 0..12 {
        a.hear_acknowledgement("b", 1);
        a.pass(ms(43));
    }
    assert_eq!(a.losses[0].reason, StepDown::SaveStalled);
    let release = Body::Release { epoch: epoch(1), target: id("b") };
    assert!(a.sent_to("c").any(|frame| frame.body == release));
}

#[test]
fn r29_a_log_that_was_cut_back_is_reported_as_it_is() {
    let mut a = Solo::new();
    a.set_position(at(3, 9)).give_word("b", 4);
    assert_eq!(accepted_position(&a, "b"), at(3, 9));
    a.hear("b", 4, PeerState::Promised, beat());
    *a.tail.0.borrow_mut() = at(3, 5);
    a.give_word("c", 6);
    assert_eq!(accepted_position(&a, "c"), at(3, 5));
}

#[test]
fn r29_what_was_written_since_the_last_gate_is_in_the_next_answer() {
    let mut a = Solo::new();
    a.follow("b", 3).set_position(at(3, 7));
    a.hear("b", 3, leading(3), offer(5));
    a.commit();
    assert_eq!(accepted_position(&a, "b"), at(3, 7));
    a.hear_leader("b", 5);
    a.commit();
    *a.tail.0.borrow_mut() = at(5, 8);
    a.clear().hear("b", 5, leading(5), offer(5));
    a.commit();
    assert_eq!(accepted_position(&a, "b"), at(5, 8));
}

#[test]
fn r29_the_hosts_own_report_is_newer_than_what_a_gate_pulled() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let record = Record::first_boot(&config);
    let mut a = Solo::starting(config, record);
    *a.tail.0.borrow_mut() = at(0, 9);
    a.tick().commit();
    assert_eq!(told(&a, "b").1, at(0, 9), "what the gate pulled, as long as the host has said nothing");
    a.set_position(at(0, 5));
    *a.tail.0.borrow_mut() = at(0, 9);
    a.give_word("b", 4);
    assert_eq!(told(&a, "c").1, at(0, 5));
}

/// A candidate of epoch 1 whose own vote is being saved and to which `c` has offered epoch 2 meanwhile.
fn deferring() -> Solo {
    let mut a = Solo::new();
    a.stand();
    a.hear_offer("c", 2);
    assert!(a.saw(|event| !matches!(event, Notice::RefusedOffer { .. })));
    a
}

#[test]
fn r08_an_offer_waits_for_the_save_under_way_for_the_detection_time_at_most() {
    let mut a = deferring();
    a.pass(D).commit();
    assert!(a.gate.is_some(), "it is considered when the disk is done");
    a.commit();
    assert_eq!(accepts(&a, "c"), 1, "once");
    assert_eq!(a.disk.record.holder, Some(Holder { node: id("c"), how: PromiseKind::Voted }));
    let mut a = deferring();
    a.pass(D + Duration::from_nanos(1)).commit();
    assert!(a.gate.is_none(), "an offer of long ago is none");

    let detection = Detection::Adaptive { floor: ms(200), ceiling: ms(2_000), phi: 8 };
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).detection(detection));
    a.hear("b", 1, leading(1), lead(ms(200)));
    a.commit().hear("c", 2, leading(2), lead(ms(200)));
    a.hear("c", 2, leading(2), Body::Offer { epoch: epoch(3), detection: ms(200), detection_max: OPEN });
    a.pass(ms(201)).commit();
    assert!(a.gate.is_none(), "the detection time in use, not the longest");
}

#[test]
fn r05_an_offer_that_ended_while_it_waited_takes_no_vote() {
    let mut a = deferring();
    a.hear("c", 2, PeerState::Free, beat());
    a.clear().commit();
    assert!(a.gate.is_none());
    assert_eq!(a.sent_to("c").filter(|frame| matches!(frame.body, Body::Refuse { .. })).count(), 0);
    assert_eq!(a.disk.record.epoch, epoch(1));
}

#[test]
fn r08_of_two_offers_that_wait_the_higher_is_considered() {
    for (first, second, taken) in [(("b", 3), ("c", 2), "b"), (("b", 2), ("c", 3), "c")] {
        let mut a = Solo::with(builder("a", &["a", "b", "c", "d", "e"]));
        a.hear_free("d", 0);
        a.hear_free("e", 0);
        assert_eq!(a.offered(), Some(1));
        for (from, number) in [first, second] {
            a.hear_offer(from, number);
        }
        a.commit().commit();
        assert_eq!(a.disk.record.holder.map(|holder| holder.node), Some(id(taken)));
    }
    // Of one candidate the newest, so that the promise runs from its receipt.
    let mut a = deferring();
    a.pass(ms(20));
    let again = a.frame("c", 1, stands(2), offer(2));
    a.deliver("c", &again);
    a.commit().commit();
    let answer = a.sent_to("c").find(|frame| matches!(frame.body, Body::Accept { .. })).unwrap();
    assert_eq!(answer.header.echo, Some(again.header.nonce));
}

#[test]
fn r10_an_offer_after_the_one_that_waited_is_refused() {
    let mut a = deferring();
    a.commit();
    a.commit();
    a.hear_offer("b", 2);
    assert!(a.saw(|event| matches!(event, Notice::RefusedOffer { refusal: Refusal::Promised, .. })));
    assert!(matches!(a.blocker(), Some(CampaignBlocker::Promised(..))));
    assert_ne!(a.last_to("b").header.state, follows("b", 2));
}

#[test]
fn r44_a_node_that_stops_tells_its_host_what_it_stood_for_or_followed() {
    let mut a = Solo::new();
    a.stand();
    a.disk.fails = true;
    a.commit();
    assert!(a.saw(|event| matches!(event, Notice::CampaignLost { reason: CampaignLost::Stopped, .. })));
    let mut a = Solo::new();
    a.follow("b", 3).hear("b", 3, leading(3), offer(5));
    a.disk.fails = true;
    a.commit();
    assert!(a.saw(|event| matches!(event, Notice::LeaderLost { reason: LeaderLost::Stopped, .. })));
    assert_eq!((a.leader(), a.promised_to()), (None, None));
    assert_eq!(a.elector.deadline(), Time::NEVER, "nothing falls due any more");
}

#[test]
fn r39_a_head_start_outlasts_a_promise_of_an_earlier_configuration() {
    let mut a = started_from("b", PromiseKind::Voted, ms(2_000));
    a.hear("b", 4, PeerState::Promised, beat());
    a.follow("b", 5).hear("c", 5, follows("b", 5), beat());
    a.hear("b", 5, PeerState::Free, Body::Release { epoch: epoch(5), target: id("c") });
    let timeout = ELECTION_TIMEOUT + ms(2_020 - 505);
    assert_eq!(a.blocker(), Some(CampaignBlocker::HeadStart(id("c"), a.now + timeout)));
}
