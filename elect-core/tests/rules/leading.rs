//! R21, R22, R24, R27, R30, R31, R33, R37, R40, R41: what a leader counts, and what it forgets when it leads no more.

use std::time::Duration;

use elect_core::{
    Body, CampaignBlocker, Config, Detection, Duty, Elector, Frame, Heartbeat, Ignored, LinkState, Notice,
    Office, PeerState, Raised, RequestRefused, StepDown, Unfit,
};

use crate::harness::{builder, cluster, id, ms};
use crate::solo::{
    D, FIVE, INTERVAL, LEASE, OPEN, RANK_STEP, Solo, accept, at, beat, epoch, follows, heartbeat,
};

/// A leader of epoch 1 among five, with `b` and `c`, in office.
fn leader_of_five() -> Solo {
    let mut a = Solo::candidate_of_five();
    a.commit();
    a.pass(ms(1)).hear_accept("b", 1);
    a.hear_accept("c", 1);
    a.enter_office().clear();
    a
}

/// An answer of `from` that echoes the frame which left at `sent`.
fn echoing(a: &mut Solo, from: &str, state: PeerState, body: Body, sent: elect_core::Time) -> Frame {
    let mut frame = a.frame(from, 1, state, body);
    frame.header.echo.as_mut().unwrap().sent = sent;
    frame
}

fn accept_at(number: u64, position: Option<elect_core::Position>) -> Body {
    Body::Accept { epoch: epoch(number), detection: OPEN, position, pause: None, genesis_epoch: epoch(0) }
}

fn raised(a: &Solo) -> bool {
    a.must(|duty| matches!(duty, Duty::EpochRaised { .. }))
}

fn announced(a: &Solo, to: &str) -> bool {
    a.sent_to(to).any(|frame| matches!(frame.body, Body::Announce { .. }))
}

#[test]
fn r27_a_second_re_offer_counts_no_accept_of_the_first() {
    let mut a = leader_of_five();
    a.hear("d", 5, PeerState::Promised, beat());
    a.pass(INTERVAL);
    assert_eq!(a.offered(), Some(6));
    a.commit();
    assert_eq!(a.hear("b", 6, follows("a", 1), accept(6)), None);
    a.hear("e", 9, PeerState::Promised, beat());
    for peer in ["b", "c"] {
        a.hear_acknowledgement(peer, 1);
    }
    a.pass(INTERVAL);
    assert_eq!(a.offered(), Some(10));
    a.commit();
    assert_eq!(a.hear("c", 10, follows("a", 1), accept(10)), None);
    assert!(a.gate.is_none() && !raised(&a), "b has not accepted epoch 10: two of five are no quorum");
    assert_eq!(a.hear("b", 10, follows("a", 1), accept(10)), None);
    a.commit();
    assert!(raised(&a));
}

#[test]
fn r27_an_accept_that_echoes_what_left_before_the_re_offer_answers_something_else() {
    let mut a = leader_of_five();
    a.hear("d", 5, PeerState::Promised, beat());
    a.pass(INTERVAL);
    let beat_left = a.sent_to("b").rev().find(|frame| !matches!(frame.body, Body::Offer { .. })).unwrap();
    let (sent, offered) = (beat_left.header.nonce.sent, a.last_to("b").header.nonce.sent);
    assert!(sent < offered, "one nonce, one meaning");
    a.commit();
    let early = echoing(&mut a, "b", follows("a", 1), accept(6), sent);
    assert_eq!(a.deliver("b", &early), Some(Ignored::NoSuchOffer(epoch(6))));
    let answer = echoing(&mut a, "b", follows("a", 1), accept(6), offered);
    assert_eq!(a.deliver("b", &answer), None);
}

#[test]
fn r27_a_raised_epoch_rests_on_its_own_accepts_alone() {
    let mut a = leader_of_five();
    a.hear("d", 5, PeerState::Promised, beat());
    a.pass(INTERVAL);
    a.commit();
    let offered = a.last_to("b").header.nonce.sent;
    let answers = ["b", "d"].map(|peer| a.frame(peer, 6, follows("a", 1), accept(6)));
    a.pass(ms(40));
    a.link("c", LinkState::Up).link("b", LinkState::Up);
    a.hear("c", 6, follows("a", 1), beat());
    a.hear("b", 6, follows("a", 1), beat());
    assert!(a.lease_end() > offered + LEASE, "the old epoch is acknowledged further");
    for (peer, mut answer) in ["b", "d"].into_iter().zip(answers) {
        answer.header.nonce.sent = a.frame(peer, 6, follows("a", 1), beat()).header.nonce.sent;
        assert_eq!(a.deliver(peer, &answer), None);
    }
    a.commit();
    assert!(raised(&a));
    assert_eq!(a.lease_end(), offered + LEASE);
    a.pass(ms(1));
    a.hear("d", 6, follows("a", 6), beat());
    assert_eq!(a.lease_end(), offered + LEASE, "neither b's nor c's word for epoch 1 carries epoch 6");
    a.hear("b", 6, follows("a", 6), beat());
    assert!(a.lease_end() > offered + LEASE);
}

#[test]
fn r27_who_holds_no_vote_is_neither_asked_nor_re_offered_above() {
    let config =
        Config::builder(cluster(), id("a")).voters(["a", "b", "c"].map(id)).observers([id("o")]).seed(7);
    let mut a = Solo::with(config);
    a.lead();
    a.hear("o", 7, PeerState::Promised, beat());
    a.pass(INTERVAL);
    assert_eq!((a.offered(), a.gate.is_none()), (None, true), "an observer above is none");
    a.hear("c", 5, PeerState::Promised, beat());
    a.pass(INTERVAL);
    assert!(a.offered().is_some());
    assert!(a.sent_to("o").all(|frame| !matches!(frame.body, Body::Offer { .. })));
}

#[test]
fn r27_a_voter_that_rose_above_during_the_campaign_is_noticed_at_once() {
    let mut a = Solo::new();
    a.stand();
    a.pass(ms(1)).commit();
    a.hear("c", 9, PeerState::Promised, beat());
    a.hear_accept("b", 1);
    a.enter_office().clear().pass(INTERVAL);
    assert_eq!(a.offered(), Some(10), "without another word of c");
}

#[test]
fn r30_a_host_that_reports_late_is_not_cut_down_to_what_it_reported() {
    // An entry is durable, and acknowledged, of which the host has not told the elector yet.
    let mut a = Solo::new();
    a.set_position(at(0, 1));
    *a.tail.0.borrow_mut() = at(0, 9);
    a.stand();
    a.pass(ms(1)).commit();
    a.hear("b", 1, PeerState::Promised, accept_at(1, at(0, 5)));
    assert_eq!(a.take_elected().catch_up_from(), None, "the gate has pulled more than b holds");

    // The other way round: it has caught up since the gate.
    let mut a = Solo::new();
    a.set_position(at(0, 1)).stand();
    a.pass(ms(1)).commit().set_position(at(0, 9));
    a.hear("b", 1, PeerState::Promised, accept_at(1, at(0, 5)));
    assert_eq!(a.take_elected().catch_up_from(), None);
}

#[test]
fn r30_the_source_is_the_best_of_those_above() {
    for (of_b, of_c, source) in [(8, 6, "b"), (6, 8, "c")] {
        let mut a = Solo::candidate_of_five();
        a.commit();
        a.set_position(at(0, 5)).pass(ms(1));
        a.hear("b", 1, PeerState::Promised, accept_at(1, at(0, of_b)));
        a.hear("c", 1, PeerState::Promised, accept_at(1, at(0, of_c)));
        let found = a.take_elected().catch_up_from().expect("both hold more");
        assert_eq!((found.peer, Some(found.position)), (id(source), at(0, 8)));
    }
    let mut a = Solo::candidate_of_five();
    a.commit();
    a.set_position(at(0, 5)).pass(ms(1));
    a.hear("b", 1, PeerState::Promised, accept_at(1, at(0, 5)));
    a.hear("c", 1, PeerState::Promised, accept_at(1, at(0, 5)));
    assert_eq!(a.take_elected().catch_up_from(), None, "who holds the same is no source");
}

#[test]
fn r21_a_vote_goes_on_carrying_the_lease_until_it_is_renewed() {
    let mut a = Solo::candidate_of_five();
    a.commit();
    let first = a.last_to("b").header.nonce.sent;
    a.pass(ms(1));
    a.hear_accept("b", 1);
    a.pass(INTERVAL);
    let second = a.last_to("c").header.nonce.sent;
    assert!(second > first);
    a.hear_accept("c", 1);
    assert_eq!(a.lease_end(), first + LEASE);
    a.pass(ms(1));
    a.hear_acknowledgement("b", 1);
    assert_eq!(a.lease_end(), second + LEASE, "c's accept and b's acknowledgement");
}

#[test]
fn r21_a_later_word_with_an_older_echo_takes_nothing_away() {
    let mut a = Solo::candidate_of_five();
    a.commit();
    let first = a.last_to("b").header.nonce.sent;
    a.pass(ms(1));
    a.hear_accept("b", 1);
    a.hear_accept("c", 1);
    a.pass(INTERVAL);
    let newest = a.last_to("b").header.nonce.sent;
    a.hear_acknowledgement("b", 1);
    let late = echoing(&mut a, "b", follows("a", 1), accept(1), first);
    assert_eq!(a.deliver("b", &late), None);
    a.hear_acknowledgement("c", 1);
    assert_eq!(a.lease_end(), newest + LEASE);
}

#[test]
fn r22_an_answer_to_the_offer_itself_acknowledges_the_leadership() {
    let mut a = Solo::candidate_of_five();
    a.commit();
    let offered = a.last_to("e").header.nonce.sent;
    a.pass(ms(20));
    a.hear_accept("b", 1);
    a.hear_accept("c", 1);
    let late = echoing(&mut a, "d", PeerState::Promised, accept(1), offered);
    assert_eq!(a.deliver("d", &late), None, "a late accept of the offer that was won");
    a.clear().pass(INTERVAL);
    assert!(announced(&a, "e"));
    let answer = echoing(&mut a, "e", follows("a", 1), beat(), offered);
    a.deliver("e", &answer);
    a.clear().pass(INTERVAL);
    assert!(!announced(&a, "e"), "it follows, whatever frame told it so");
}

#[test]
fn r21_a_leader_alone_holds_its_lease_from_each_heartbeat_on() {
    let mut a = Solo::with(builder("a", &["a"]));
    a.pass(ms(1)).commit();
    for _ in 0..5 {
        a.pass(INTERVAL);
        let end = a.lease_end();
        assert!(end <= a.now + LEASE && end + INTERVAL >= a.now + LEASE, "{end:?} at {:?}", a.now);
    }
}

fn adaptive() -> Solo {
    let detection = Detection::Adaptive { floor: ms(200), ceiling: ms(2_000), phi: 8 };
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).detection(detection));
    a.lead();
    a
}

/// Heartbeats that `b` and `c` acknowledge; the lease never falls back.
fn acknowledged(a: &mut Solo, count: usize) {
    let mut end = a.lease_end();
    for _ in 0..count {
        a.pass(INTERVAL);
        a.hear_acknowledgement("b", 1);
        a.hear_acknowledgement("c", 1);
        assert!(a.lease_end() >= end, "it only ever grows");
        end = a.lease_end();
    }
}

#[test]
fn r41_the_leader_itself_counts_by_the_detection_time_that_it_chose() {
    let mut a = adaptive();
    acknowledged(&mut a, 200);
    for _ in 0..6 {
        a.pass(INTERVAL);
        a.hear_acknowledgement("b", 1);
    }
    let asked = a.request(|elector, now| elector.request_handover(Some(id("c")), now));
    assert_eq!(asked, Err(RequestRefused::TargetUnfit(id("c"), Unfit::NotConnected)), "silent for 300 ms");
    a.hear("c", 9, PeerState::Promised, beat());
    a.clear().pass(INTERVAL);
    let carried = a.frames.iter().find_map(|(_, frame)| match frame.body {
        Body::Offer { detection, .. } => Some(detection),
        _ => None,
    });
    assert!(carried.expect("it re-offers") < ms(300), "and offers it: {carried:?}");
}

#[test]
fn r37_each_leadership_is_announced_anew() {
    let mut a = Solo::new();
    a.lead();
    a.hear_acknowledgement("c", 1);
    a.pass(INTERVAL);
    a.clear().pass(D);
    assert_eq!(a.losses.len(), 1);
    a.hear_free("b", 1);
    a.commit().clear();
    a.hear_accept("b", 2);
    assert!(announced(&a, "c"), "what c acknowledged was epoch 1");
}

#[test]
fn r33_a_leadership_ends_the_row_of_lost_rounds() {
    let mut a = Solo::new();
    let mut number = 1;
    for _ in 0..4 {
        while a.offered() != Some(number) {
            a.hear_free("b", number - 1);
            a.pass(ms(20));
        }
        a.commit().pass(ms(500)).clear();
        number += 1;
    }
    while a.offered() != Some(number) {
        a.hear_free("b", number - 1);
        a.pass(ms(20));
    }
    a.commit().hear_accept("b", number);
    assert!(a.holds_lease());
    a.pass(D).clear().hear_free("b", number);
    assert_eq!(a.offered(), Some(number + 1));
    a.commit().pass(RANK_STEP * 2);
    assert!(a.saw(|event| matches!(event, Notice::CampaignLost { .. })), "a first round is short");
}

#[test]
fn r32_after_the_own_leadership_the_bound_are_no_rivals() {
    let mut b = Solo::with(builder("b", &FIVE));
    for peer in ["c", "d"] {
        b.hear_free(peer, 0);
    }
    b.commit().pass(ms(1));
    for peer in ["c", "d"] {
        b.hear_accept(peer, 1);
    }
    assert!(b.holds_lease());
    b.pass(D).clear();
    b.hear("a", 1, PeerState::Promised, beat());
    b.hear_free("c", 1);
    b.hear_free("d", 1);
    assert_eq!(b.offered(), Some(2), "{:?}", b.blocker());
}

#[test]
fn r39_a_head_start_is_forgotten_with_the_own_election() {
    let mut a = Solo::new();
    a.hear("c", 0, PeerState::Promised, beat());
    a.stand();
    a.commit();
    let release = Body::Release { epoch: epoch(1), target: id("c") };
    assert_eq!(a.hear("b", 1, PeerState::Free, release), None);
    a.hear_accept("b", 1);
    assert!(a.holds_lease());
    for _ in 0..10 {
        a.pass(INTERVAL);
        a.hear("c", 1, PeerState::Promised, beat());
    }
    assert!(!a.losses.is_empty());
    a.hear("c", 1, PeerState::Promised, beat());
    a.hear("c", 1, PeerState::Promised, beat());
    assert!(!matches!(a.blocker(), Some(CampaignBlocker::HeadStart(..))), "{:?}", a.blocker());
}

#[test]
fn r17_whoever_leads_counts_who_was_heard_before_a_lost_round() {
    let mut a = Solo::new();
    a.hear("c", 0, PeerState::Promised, beat());
    a.pass(ms(1)).stand();
    a.commit().pass(RANK_STEP * 2);
    assert!(a.saw(|event| matches!(event, Notice::CampaignLost { .. })));
    while a.offered() != Some(2) {
        a.hear_free("b", 1);
        a.pass(ms(10));
    }
    a.commit().hear_accept("b", 2);
    assert!(a.holds_lease());
    let asked = a.request(|elector, now| elector.request_handover(Some(id("c")), now));
    assert_eq!(asked, Ok(()), "its echo is younger than the detection time");
}

#[test]
fn r24_nothing_of_a_leadership_that_is_over_falls_due() {
    // The end of the lease.
    let mut a = Solo::with(builder("a", &["a", "b", "c"]));
    a.lead();
    a.hear("c", 1, PeerState::Promised, beat());
    let end = a.lease_end();
    a.request(Elector::resign).unwrap();
    a.pass(ms(400));
    a.hear("b", 1, PeerState::Promised, beat());
    a.pass(end.since(a.now));
    assert!(!matches!(a.blocker(), Some(CampaignBlocker::NotConnected { .. })), "{:?}", a.blocker());

    // The deadline of the way into office.
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).office_timeout(ms(600)));
    a.set_position(at(0, 1)).stand();
    a.commit().hear_accept("b", 1);
    a.pass(ms(700));
    assert_eq!(a.losses[0].reason, StepDown::LeaseOver);
    a.hear_free("b", 1);
    assert_eq!(a.offered(), Some(2), "it has not failed to serve: {:?}", a.blocker());
}

#[test]
fn r40_a_leadership_that_is_over_leaves_no_cooldown_behind() {
    let better = Body::Heartbeat(Heartbeat { priority: 101, ..heartbeat() });
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).fail_back_cooldown(ms(2_000)));
    a.lead();
    for _ in 0..38 {
        a.pass(INTERVAL);
        a.hear("b", 1, follows("a", 1), better.clone());
    }
    a.pass(D);
    assert!(!a.holds_lease());
    a.hear("b", 1, PeerState::Promised, better.clone());
    a.hear_free("c", 1);
    a.pass(RANK_STEP);
    a.commit().hear_accept("c", 2);
    a.enter_office().clear();
    for _ in 0..6 {
        a.pass(INTERVAL);
        a.hear("b", 2, follows("a", 2), better.clone());
    }
    assert!(!a.must(|duty| matches!(duty, Duty::HandoverBegan { .. })));
    assert!(a.holds_lease());
}

#[test]
fn r40_a_member_far_behind_is_not_preferred_even_without_a_cooldown() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).fail_back_cooldown(Duration::ZERO));
    a.set_position(at(0, 9)).lead();
    for _ in 0..4 {
        let behind = Heartbeat { priority: 101, position: at(0, 1), ..heartbeat() };
        a.hear("b", 1, follows("a", 1), Body::Heartbeat(behind));
        a.pass(INTERVAL);
    }
    assert!(!a.must(|duty| matches!(duty, Duty::HandoverBegan { .. })));
}

#[test]
fn r56_after_a_handover_a_node_speaks_as_often_as_a_follower() {
    let mut a = Solo::handed_over();
    a.clear().pass(ms(160));
    assert_eq!(a.frames.len(), 0, "every third of the detection time");
    a.pass(ms(10));
    assert!(a.sent_to("c").count() == 1);
}

/// A winner of epoch 1 that lost its source and leads epoch 2 by the accept of `b`; the office of epoch 1.
fn raised_on_the_way(a: &mut Solo) -> Office {
    a.stand();
    a.pass(ms(1)).commit();
    a.hear("b", 1, PeerState::Promised, accept_at(1, None));
    let office = a.take_elected().serve_without_log_forgetting_earlier_writes();
    a.step(Elector::on_source_lost).pass(INTERVAL);
    assert_eq!(a.offered(), Some(2));
    let accepted = a.frame("b", 2, follows("a", 1), accept(2));
    a.commit().deliver("b", &accepted);
    a.commit();
    assert!(a.must(|duty| matches!(duty, Duty::EpochRaised { raised: Raised::OnTheWay(_), .. })));
    office
}

#[test]
fn r31_the_office_of_another_epoch_is_none() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).office_timeout(ms(400)));
    let office = raised_on_the_way(&mut a);
    a.step(|elector, now| elector.on_office(&office, now));
    for _ in 0..8 {
        a.pass(INTERVAL);
        a.hear("b", 2, follows("a", 2), beat());
    }
    assert_eq!(a.losses[0].reason, StepDown::NeverServed);
}

/// A node that failed to serve epoch 1 with its log at `reported` as told, `durable` in fact.
fn failed_to_serve(reported: Option<elect_core::Position>, durable: Option<elect_core::Position>) -> Solo {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).office_timeout(ms(200)));
    a.set_position(reported);
    *a.tail.0.borrow_mut() = durable;
    a.stand();
    a.commit().hear_accept("b", 1);
    a.pass(ms(200));
    assert_eq!(a.losses[0].reason, StepDown::NeverServed);
    a.clear().hear_free("b", 1);
    a
}

#[test]
fn r31_a_failure_to_serve_counts_until_the_position_moves_or_office_is_entered() {
    let mut a = failed_to_serve(at(0, 1), at(0, 9));
    assert_eq!(a.offered(), None, "what was reported has not moved");
    while a.offered().is_none() {
        a.pass(INTERVAL);
        a.hear_free("b", 1);
    }
    a.commit().hear_accept("b", 2);
    a.enter_office().pass(D);
    assert_eq!(a.losses[0].reason, StepDown::LeaseOver);
    a.clear().hear_free("b", 2);
    assert_eq!(a.offered(), Some(3), "it has served since: {:?}", a.blocker());
}
