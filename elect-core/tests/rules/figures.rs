//! R3, R6, R12, R15, R19, R28, R32, R33, R41, R59, R65: of two figures that are mostly alike, which one counts.

use std::time::Duration;

use elect_core::{
    Body, CampaignBlocker, CampaignLost, Detection, Duty, Fenced, Holder, Ignored, Incarnation, LinkState,
    Notice, PeerState, Position, PromiseKind, Record, Refusal, Stamp,
};

use crate::genesis::{Histories, known_final, tentative};
use crate::harness::{builder, id, ms};
use crate::solo::{
    D, FIVE, INTERVAL, RANK_STEP, Solo, accept, at, beat, beat_at, beat_with, epoch, follows, lead, leading,
    offer, stamp, stands,
};

/// A detection time that leaders adapt, of three voters.
fn adaptive() -> Solo {
    let detection = Detection::Adaptive { floor: ms(200), ceiling: ms(2_000), phi: 8 };
    Solo::with(builder("a", &["a", "b", "c"]).detection(detection))
}

/// The position in the newest heartbeat to `peer`.
fn told(a: &Solo, peer: &str) -> Option<Position> {
    match &a.last_to(peer).body {
        Body::Heartbeat(heartbeat) => heartbeat.position,
        other => panic!("{other:?}"),
    }
}

#[test]
fn r03_whatever_names_an_epoch_is_a_hint_of_it() {
    let claims = [
        (leading(3), offer(7)),
        (PeerState::Promised, accept(7)),
        (leading(7), lead(D)),
        (stands(7), beat()),
        (PeerState::Stopped(epoch(7)), beat()),
        (PeerState::Free, beat()),
    ];
    for (state, body) in claims {
        let durable = if matches!(state, PeerState::Free) { 7 } else { 3 };
        let mut a = Solo::new();
        let mut frame = a.frame("c", durable, state, body);
        frame.header.echo = None;
        a.deliver("c", &frame);
        a.hear_free("b", 3);
        assert_eq!(a.offered(), Some(8), "{state:?}: {:?}", a.blocker());
    }
}

#[test]
fn r19_whoever_is_through_or_left_out_is_none_of_those_that_a_quorum_needs() {
    const FAR: u64 = 1 << 30;
    for stopped in [true, false] {
        let mut a = Solo::with(builder("a", &FIVE));
        if stopped {
            a.hear("e", 0, PeerState::Stopped(epoch(0)), beat());
        } else {
            a.maxima.insert(id("e"), ms(100));
            a.hear("e", 0, PeerState::Promised, beat());
        }
        for (voter, number) in [("b", FAR + 9), ("c", FAR + 5)] {
            a.hear_free(voter, number);
        }
        a.pass(RANK_STEP * 4);
        assert_eq!(a.offered(), Some(FAR + 10), "stopped: {stopped}, {:?}", a.blocker());
    }
}

#[test]
fn r06_what_tells_a_pause_is_fresh_for_the_own_maximum_whatever_is_in_use() {
    for (age, counts) in [(ms(2_000), true), (ms(2_000) + Duration::from_nanos(1), false)] {
        let mut a = adaptive();
        a.hear("b", 1, leading(1), lead(ms(200)));
        a.commit();
        let echo = a.frame("c", 1, follows("b", 1), beat()).header.echo.unwrap();
        let told_at = echo.sent + age;
        while a.now < told_at {
            a.pass(ms(50).min(told_at.since(a.now)));
            a.hear("b", 1, leading(1), lead(ms(200)));
        }
        let mut frame = a.frame("c", 1, follows("b", 1), beat_with(stamp(1, 1, ms(60_000))));
        frame.header.echo = Some(echo);
        assert_eq!(a.deliver("c", &frame), None);
        assert_eq!(a.elector.status(a.now).pause.is_some(), counts, "{age:?}");
    }
}

#[test]
fn r65_a_refusal_tells_the_own_maximum_whatever_is_in_use() {
    let mut a = adaptive();
    a.hear("b", 1, leading(1), lead(ms(200)));
    a.commit();
    a.clear().hear_offer("c", 2);
    let told = a.sent_to("c").find_map(|frame| match frame.body {
        Body::Refuse { refusal: Refusal::Promised, detection_max, .. } => Some(detection_max),
        _ => None,
    });
    assert_eq!(told, Some(ms(2_000)));
}

#[test]
fn r59_a_doubt_lasts_for_the_own_maximum_whatever_is_in_use() {
    // While a claim is being saved, and while nothing is.
    for saves in [false, true] {
        let mut a = adaptive();
        a.hear("b", 1, leading(1), lead(ms(200)));
        a.commit();
        if saves {
            a.hear("b", 1, leading(1), offer(4));
        }
        a.tells("c", known_final(7));
        a.hear("c", 1, follows("b", 1), beat());
        if saves {
            a.pass(ms(1)).hear("c", 1, follows("b", 1), beat());
        }
        let until = a.now + ms(2_000);
        if saves {
            a.commit();
        }
        a.hear("b", 4, PeerState::Free, beat());
        assert_eq!(a.blocker(), Some(CampaignBlocker::InDoubt(until)), "saves: {saves}");
    }
}

#[test]
fn r59_what_left_in_the_step_before_it_was_final_proves_nothing() {
    let mut a = Solo::new();
    a.holds_geneses = true;
    let number = a.win(0);
    a.commit();
    let told = a.held().unwrap().genesis;
    let told = elect_core::ToldGenesis { genesis: told, is_final: false };
    a.tells("b", told).tells("c", told);
    a.hear_acknowledgement("b", number);
    a.hear_acknowledgement("c", number);
    assert!(a.saves_a_genesis());
    // The newest frame before the save ends.
    a.clear().link("b", LinkState::Up);
    let before = a.last_to("b").header.nonce;
    a.pass(Duration::from_nanos(1)).commit();
    assert!(a.held().unwrap().is_final);
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 2 });
    a.tells("b", tentative(9));
    for _ in 0..3 {
        let mut frame = a.pass(Duration::from_nanos(1)).frame("b", number, PeerState::Free, beat());
        frame.header.echo = Some(before);
        assert_eq!(a.deliver("b", &frame), Some(Ignored::UnprovenGenesis));
    }
    assert_eq!(a.history_of("b"), None);
}

#[test]
fn r16_an_accept_was_last_renewed_when_its_offer_came() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).crash_evidence(true));
    assert_eq!(a.hear_offer("b", 1), None);
    a.pass(ms(5));
    let attempt_began = a.now;
    a.pass(ms(5)).commit();
    assert!(a.promised_to().is_some());
    a.link("b", LinkState::Refused { attempt_began });
    assert_eq!(a.promised_to(), None, "nothing was heard of it since the attempt began");
}

#[test]
fn r28_a_second_re_offer_leaves_the_epoch_followed_to_pass() {
    let mut a = Solo::new();
    a.follow("b", 3).hear("b", 3, leading(3), offer(5));
    a.commit();
    a.hear("b", 5, leading(3), offer(7));
    a.commit();
    assert_eq!(a.fence.floor(), epoch(7));
    assert_eq!(a.fence.ack(Stamp::received(epoch(3))), Ok(()), "3 is led until 7 is");
    assert!(matches!(a.fence.ack(Stamp::received(epoch(5))), Err(Fenced::Stale { .. })), "5 was never led");
}

#[test]
fn r28_the_save_of_a_genesis_leaves_the_epoch_followed_to_pass() {
    let mut a = Solo::new();
    a.follow("b", 3).hear("b", 3, leading(3), offer(5));
    a.commit();
    // Only now its leader has one to tell.
    a.holds_geneses = true;
    a.tells("b", tentative(7)).hear("b", 5, leading(3), lead(D));
    assert!(a.saves_a_genesis());
    a.commit();
    assert_eq!(a.fence.ack(Stamp::received(epoch(3))), Ok(()), "writes do not stall");
}

#[test]
fn r15_a_leader_that_raises_its_epoch_has_voted_for_itself() {
    let mut a = Solo::new();
    a.lead();
    a.hear("c", 9, PeerState::Promised, beat());
    a.hear_acknowledgement("b", 1);
    a.pass(INTERVAL).commit();
    assert_eq!(a.disk.record.holder, Some(Holder { node: id("a"), how: PromiseKind::Voted }));
    assert_eq!(a.disk.record.epoch, epoch(10));
}

#[test]
fn r32_only_a_free_node_repeats_the_position_that_it_told_everybody() {
    let mut a = Solo::new();
    a.set_position(at(1, 5)).give_word("b", 2);
    a.set_position(at(1, 9)).clear();
    a.link("c", LinkState::Up);
    assert_eq!(told(&a, "c"), at(1, 9), "it is ranked by nobody now");
}

#[test]
fn r18_a_refusal_of_no_open_offer_is_ignored() {
    let mut a = Solo::new();
    let refuse = Body::Refuse { epoch: epoch(3), refusal: Refusal::Promised, detection_max: D };
    assert_eq!(a.hear("b", 3, PeerState::Promised, refuse), Some(Ignored::NoSuchOffer(epoch(3))));
    assert!(!a.saw(|notice| matches!(notice, Notice::OfferRefused { .. })));
}

fn ending_at(number: u64) -> Solo {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let record = Record { epoch: epoch(number), ..Record::first_boot(&config) };
    Solo::from_record(config, record)
}

#[test]
fn r19_the_last_epoch_is_spent_by_whoever_reached_it() {
    let mut a = ending_at(u64::MAX - 1);
    a.hear("c", u64::MAX, PeerState::Promised, beat());
    a.hear_free("b", 5);
    assert_eq!(a.blocker(), Some(CampaignBlocker::EpochsExhausted), "by a peer");

    let mut a = ending_at(u64::MAX - 1);
    a.hear_free("b", 5);
    assert_eq!(a.offered(), Some(u64::MAX));
    a.commit().pass(RANK_STEP * 2);
    assert!(
        a.saw(|notice| matches!(notice, Notice::CampaignLost { reason: CampaignLost::NoQuorum { .. }, .. }))
    );
    a.pass(RANK_STEP * 2).hear_free("b", 5);
    assert_eq!(a.blocker(), Some(CampaignBlocker::EpochsExhausted), "by this node");
}

#[test]
fn r19_a_voter_at_the_end_of_all_epochs_leaves_one_to_offer() {
    let mut a = ending_at(u64::MAX - (1 << 21));
    a.hear_free("b", u64::MAX);
    assert_eq!(a.offered(), Some(u64::MAX));
}

#[test]
fn r07_a_floor_is_no_further_above_than_a_voter_that_is_behind_may_go() {
    const STEP: u64 = 1 << 32;
    let mut a = Solo::new();
    a.hear_free("b", STEP);
    assert_eq!(a.offered(), Some(STEP - (1 << 20) + 1));

    let mut a = Solo::new();
    a.lead();
    for _ in 0..2 {
        a.hear("c", STEP, PeerState::Promised, beat());
    }
    a.hear_acknowledgement("b", 1);
    a.pass(INTERVAL);
    assert_eq!(a.offered(), Some(1 + STEP - (1 << 20) + 1), "a re-offer likewise");
}

#[test]
fn r19_a_leader_goes_above_no_voter_that_is_gone() {
    let mut a = Solo::new();
    a.lead();
    for _ in 0..2 {
        a.hear("c", 1 << 31, PeerState::Promised, beat());
    }
    a.link("c", LinkState::Closed).hear_acknowledgement("b", 1);
    a.pass(INTERVAL);
    assert!(a.offered().is_some_and(|number| number <= (1 << 21)), "{:?}", a.offered());
}

#[test]
fn r17_a_peer_is_connected_since_it_echoed_and_not_since_it_spoke() {
    let mut a = Solo::new();
    let mut frame = a.frame("b", 0, PeerState::Promised, beat());
    frame.header.echo = None;
    a.deliver("b", &frame);
    a.pass(ms(10)).hear("b", 0, PeerState::Promised, beat());
    let since = a.now;
    a.pass(ms(10)).hear("b", 0, PeerState::Promised, beat());
    let peers = a.elector.status(a.now).peers;
    assert_eq!(
        peers.iter().find(|peer| peer.node == id("b")).unwrap().connected_for,
        Some(a.now.since(since))
    );
}

#[test]
fn r57_an_announcement_says_what_a_heartbeat_says() {
    let mut a = Solo::new();
    let Body::Heartbeat(heartbeat) = beat_at(at(3, 9)) else { unreachable!("a heartbeat") };
    let heartbeat = elect_core::Heartbeat { lead: Some(elect_core::Lead { detection: D }), ..heartbeat };
    let address = elect_core::Address::new("b:1").unwrap();
    a.hear("b", 3, leading(3), Body::Announce { heartbeat, address });
    a.commit();
    let peers = a.elector.status(a.now).peers;
    assert_eq!(peers.iter().find(|peer| peer.node == id("b")).unwrap().position, at(3, 9));
}

#[test]
fn r19_a_copy_of_a_frame_says_nothing_twice() {
    let mut a = Solo::new();
    a.lead();
    let far = a.frame("c", 1 << 31, PeerState::Promised, beat());
    for _ in 0..2 {
        a.deliver("c", &far);
    }
    a.hear_acknowledgement("b", 1);
    a.pass(INTERVAL);
    assert!(a.offered().is_some_and(|number| number <= (1 << 21)), "{:?}", a.offered());
}

#[test]
fn r65_a_re_offer_is_repeated_at_once_only_where_less_is_asked_for() {
    let mut a = Solo::new();
    a.lead();
    a.hear("c", 9, PeerState::Promised, beat());
    a.hear_acknowledgement("b", 1);
    a.pass(INTERVAL).commit();
    assert_eq!(a.offered(), Some(10));
    a.clear().hear_acknowledgement("b", 1);
    a.hear("c", 9, PeerState::Promised, beat());
    assert_eq!(a.offered(), None, "it is repeated with the heartbeats");
}

#[test]
fn r67_a_heartbeat_tells_the_version_of_its_host() {
    let mut a = Solo::new();
    let Body::Heartbeat(heartbeat) = beat() else { unreachable!("a heartbeat") };
    let heartbeat = elect_core::Heartbeat { application: 7, ..heartbeat };
    a.hear("b", 0, PeerState::Promised, Body::Heartbeat(heartbeat));
    let peers = a.elector.status(a.now).peers;
    assert_eq!(peers.iter().find(|peer| peer.node == id("b")).unwrap().application, 7);
}

#[test]
fn r44_a_save_that_fails_after_the_stop_says_nothing_more() {
    let mut a = Solo::new();
    a.hear_offer("b", 1);
    let own = a.disk.record.incarnation;
    let known = Incarnation { counter: own.counter + 1, random: 3 };
    let gate = a.gate.take();
    a.hear("c", 0, PeerState::Promised, Body::Reject { rejected: own, known });
    let stops = |a: &Solo| a.duties.iter().filter(|duty| matches!(duty, Duty::Stopped { .. })).count();
    assert_eq!(stops(&a), 1);
    a.gate = gate;
    a.disk.fails = true;
    a.commit();
    assert_eq!(stops(&a), 1);
}

#[test]
fn r45_a_replacement_is_taught_no_more_often_than_there_are_members() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let record = Record::replacement(&config);
    let mut a = Solo::from_record(config, record);
    let reject = |a: &mut Solo| {
        let own = a.disk.record.incarnation;
        let known = Incarnation { counter: own.counter + 5, random: 3 };
        a.hear("b", 0, PeerState::Promised, Body::Reject { rejected: own, known });
    };
    for _ in 0..3 {
        reject(&mut a);
        a.commit();
        assert!(!a.must(|duty| matches!(duty, Duty::Stopped { .. })));
    }
    reject(&mut a);
    assert!(a.must(|duty| matches!(duty, Duty::Stopped { .. })), "two of it run at once");
}
