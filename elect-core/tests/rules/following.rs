//! R5, R6, R12, R16, R26, R27, R29, R45, R56, R57: what a follower takes from its leader, and what ends meanwhile.

use std::time::Duration;

use elect_core::{
    Address, Body, Detection, Frame, Holder, Ignored, Incarnation, LinkState, NotRebuilt, Notice, PeerState,
    PromiseKind, RebuiltTo, Record, RequestRefused, Stamp,
};

use crate::harness::{builder, id, ms};
use crate::solo::{D, OPEN, PROMISE, Solo, at, beat, epoch, follows, lead, leading, offer, stands};

fn accepts(a: &Solo, to: &str) -> usize {
    a.sent_to(to).filter(|frame| matches!(frame.body, Body::Accept { .. })).count()
}

/// `peer` speaks from its life number `counter` from now on.
fn lives(a: &mut Solo, peer: &str, counter: u32) {
    a.lives.insert(id(peer), Incarnation { counter, random: 1 });
}

fn adaptive() -> Solo {
    let detection = Detection::Adaptive { floor: ms(200), ceiling: ms(2_000), phi: 8 };
    Solo::with(builder("a", &["a", "b", "c"]).detection(detection))
}

#[test]
fn r05_a_leadership_that_ended_while_it_was_saved_is_not_followed() {
    let mut a = Solo::new();
    assert_eq!(a.hear_leader("b", 3), None);
    a.hear("b", 3, PeerState::Promised, beat());
    a.commit();
    assert_eq!((a.leader(), a.promised_to()), (None, None));
}

#[test]
fn r05_a_candidacy_that_ended_while_the_vote_was_saved_gets_no_word() {
    let mut a = Solo::new();
    assert_eq!(a.hear_offer("b", 4), None);
    a.hear("b", 4, PeerState::Promised, beat());
    a.clear().commit();
    assert_eq!((accepts(&a, "b"), a.promised_to()), (0, None));
    assert_eq!(a.last_to("c").header.state, PeerState::Free);
    let mut a = Solo::new();
    a.give_word("b", 4);
    assert!(a.saw(|event| matches!(event, Notice::Accepted { candidate, .. } if *candidate == id("b"))));
}

#[test]
fn r05_a_candidacy_whose_life_ended_while_the_vote_was_saved_gets_no_word() {
    let mut a = Solo::new();
    assert_eq!(a.hear_offer("b", 4), None);
    lives(&mut a, "b", 2);
    a.hear("b", 3, PeerState::Promised, beat());
    a.clear().commit();
    assert_eq!(
        (accepts(&a, "b"), a.promised_to()),
        (0, None),
        "its own vote was not durable: it offers 4 anew"
    );
}

#[test]
fn r05_a_claim_that_raises_the_epoch_in_vain_ends_what_was_followed() {
    let mut a = Solo::new();
    a.follow("b", 3);
    let mut claim = a.frame("b", 5, leading(5), lead(D));
    claim.header.echo = None;
    assert_eq!(a.deliver("b", &claim), Some(Ignored::NotFresh));
    assert_eq!((a.leader(), a.promised_to()), (None, None), "it leads 3 no more, whatever became of 5");
}

#[test]
fn r05_what_is_followed_ends_while_a_higher_promise_to_the_same_node_goes_on() {
    let mut a = Solo::new();
    a.follow("b", 3);
    a.hear("b", 3, leading(3), offer(5));
    a.commit();
    a.hear("b", 3, PeerState::Promised, beat());
    assert_eq!(a.leader(), None);
    assert_eq!(a.promised_to().map(|(to, number, _)| (to, number)), Some((id("b"), epoch(5))));
}

/// Voter `a` that has just restarted, bound by its record to `b` in epoch 4.
fn bound_by_its_record() -> Solo {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let holder = Some(Holder { node: id("b"), how: PromiseKind::Voted });
    Solo::from_record(config.clone(), Record { epoch: epoch(4), holder, ..Record::first_boot(&config) })
}

#[test]
fn r05_a_later_life_ends_no_promise_of_a_restart() {
    let mut a = bound_by_its_record();
    a.hear("b", 3, PeerState::Promised, beat()); // late, of the first life
    lives(&mut a, "b", 2);
    a.hear("b", 3, PeerState::Promised, beat()); // stale: the promise may be to this life or to a later one
    assert_eq!(a.promised_to().map(|(to, number, _)| (to, number)), Some((id("b"), epoch(4))));
    a.hear("b", 4, PeerState::Promised, beat());
    assert_eq!(a.promised_to(), None, "an epoch that is over ends it");
}

#[test]
fn r05_a_promise_of_a_restart_that_was_renewed_is_to_the_life_that_renewed_it() {
    let mut a = bound_by_its_record();
    assert_eq!(a.hear_leader("b", 4), None);
    assert_eq!(a.leader(), Some((id("b"), epoch(4))));
    lives(&mut a, "b", 2);
    a.hear("b", 3, PeerState::Promised, beat());
    assert_eq!((a.leader(), a.promised_to()), (None, None));
}

#[test]
fn r05_a_replacement_ends_no_promise_to_the_life_it_replaces() {
    let mut a = Solo::new();
    a.follow("b", 3);
    lives(&mut a, "b", 2);
    a.hear("b", 0, PeerState::Replaced, beat());
    assert!(a.promised_to().is_some(), "the first may be cut off and hold a lease");
    lives(&mut a, "b", 3);
    a.hear("b", 0, PeerState::Promised, beat());
    assert_eq!(a.promised_to(), None, "a restart ends it");
}

#[test]
fn r26_who_claims_the_epoch_of_another_leader_is_not_that_leader() {
    let mut a = Solo::new();
    a.follow("b", 3).pass(ms(100));
    let bound = a.promised_to();
    a.hear_leader("c", 3);
    assert_eq!(a.promised_to(), bound);
    assert_ne!(a.last_to("c").header.state, follows("b", 3).clone());
    let mut a = Solo::new();
    a.follow("b", 5).pass(ms(100));
    let bound = a.promised_to();
    a.hear("b", 5, leading(4), lead(D));
    assert_eq!(a.promised_to(), bound, "an epoch below the one followed renews nothing");
}

#[test]
fn r27_a_leader_below_the_own_epoch_is_told_so_at_once() {
    let mut a = Solo::new();
    a.hear("b", 2, PeerState::Promised, beat());
    a.give_word("c", 5).pass(ms(30)).clear();
    a.hear_leader("b", 3);
    assert_eq!(a.last_to("b").header.epoch, epoch(5), "so that it re-offers itself above");
}

#[test]
fn r12_a_frame_that_was_covered_once_makes_no_second_promise() {
    let mut a = adaptive();
    let claim = a.frame("b", 1, leading(1), lead(ms(200)));
    a.deliver("b", &claim);
    a.commit().pass(ms(203));
    assert_eq!(a.promised_to(), None);
    a.hear_free("c", 1);
    a.pass(ms(80));
    assert_eq!(a.offered(), Some(2));
    assert!(a.deliver("b", &claim).is_some(), "its promise has run out");
    assert_eq!(a.hear_accept("c", 2), None, "and the round goes on");
}

#[test]
fn r12_an_accept_binds_for_the_detection_time_of_its_offer() {
    let mut a = Solo::new();
    a.hear("b", 3, stands(4), Body::Offer { epoch: epoch(4), detection: ms(200), detection_max: OPEN });
    a.commit();
    assert_eq!(a.promised_to(), Some((id("b"), epoch(4), a.now + ms(202))));
}

#[test]
fn r06_freshness_is_measured_by_the_detection_time_in_use() {
    let mut a = adaptive();
    a.hear("b", 1, leading(1), lead(ms(200)));
    a.commit();
    let offered = a.frame("b", 1, leading(1), offer(2));
    let mut offered =
        Frame { body: Body::Offer { epoch: epoch(2), detection: ms(200), detection_max: OPEN }, ..offered };
    for _ in 0..3 {
        a.pass(ms(100));
        a.hear("b", 1, leading(1), lead(ms(200)));
    }
    offered.header.nonce.sent = a.now + ms(1);
    assert_eq!(a.deliver("b", &offered), Some(Ignored::NotFresh));

    let mut a = Solo::new();
    let mut invented = a.frame("b", 0, stands(1), offer(1));
    invented.header.echo.as_mut().unwrap().sent = a.now + ms(1);
    assert_eq!(a.deliver("b", &invented), Some(Ignored::NotFresh), "nothing has left with that nonce yet");
}

#[test]
fn r16_evidence_counts_from_the_receipt_of_what_was_promised() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).crash_evidence(true));
    assert_eq!(a.hear_leader("b", 3), None);
    a.pass(ms(5));
    let attempt_began = a.now;
    a.pass(ms(5)).commit();
    assert!(a.leader().is_some());
    a.link("b", LinkState::Refused { attempt_began });
    assert_eq!(a.promised_to(), None, "nothing was heard of it since the attempt began");
}

#[test]
fn r16_an_attempt_refused_before_a_restart_does_not_silence_the_new_life() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).crash_evidence(true));
    a.follow("b", 3).pass(ms(10));
    let attempt_began = a.now;
    a.pass(ms(10));
    lives(&mut a, "b", 2);
    assert_eq!(a.hear("b", 3, PeerState::Promised, beat()), None);
    a.link("b", LinkState::Refused { attempt_began }).link("b", LinkState::Up);
    assert_eq!(a.hear_leader("b", 4), None, "the life that is heard began after the attempt");
    assert_eq!(a.hear_leader("b", 4), None);

    let mut a = Solo::with(builder("a", &["a", "b", "c"]).crash_evidence(true));
    let attempt_began = a.now;
    assert_eq!(a.hear_free("b", 0), None);
    a.link("b", LinkState::Refused { attempt_began }).link("b", LinkState::Up);
    assert_eq!(a.hear("b", 0, PeerState::Promised, beat()), None, "nor does one of the same moment");
}

#[test]
fn r16_evidence_speaks_of_one_node_and_of_one_life() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).crash_evidence(true));
    a.hear("c", 0, PeerState::Promised, beat());
    a.follow("b", 3).pass(ms(10));
    let attempt_began = a.now;
    a.link("c", LinkState::Refused { attempt_began });
    assert_eq!(a.leader(), Some((id("b"), epoch(3))), "c is dead, not b");
    a.hear_leader("b", 3);
    a.link("b", LinkState::Refused { attempt_began: a.now });
    assert!(a.promised_to().is_some(), "renewed at that very moment");
    a.pass(ms(1));
    a.link("b", LinkState::Refused { attempt_began: a.now });
    assert_eq!(a.promised_to(), None);
    a.link("b", LinkState::Up);
    lives(&mut a, "b", 2);
    assert_eq!(a.hear("b", 3, PeerState::Promised, beat()), None);
    assert_eq!(a.hear("b", 3, PeerState::Promised, beat()), None, "its next life is heard on and on");
}

#[test]
fn r17_a_refused_connection_is_a_closed_one() {
    let mut a = Solo::new();
    a.hear("b", 0, PeerState::Promised, beat());
    a.link("b", LinkState::Refused { attempt_began: a.now });
    assert!(matches!(a.blocker(), Some(elect_core::CampaignBlocker::NotConnected { .. })));
}

#[test]
fn r29_another_life_of_the_candidate_is_answered_with_what_is_durable_by_then() {
    let mut a = Solo::new();
    a.follow("b", 3).set_position(at(3, 7));
    a.hear("b", 3, leading(3), offer(5));
    a.commit();
    assert_eq!(a.fence.ack(Stamp::received(epoch(3))), Ok(()));
    *a.tail.0.borrow_mut() = at(3, 9);
    lives(&mut a, "b", 2);
    let saved = a.disk.history.len();
    a.clear().hear("b", 4, stands(5), offer(5));
    a.commit();
    let answer = a.sent_to("b").find_map(|frame| match frame.body {
        Body::Accept { position, .. } => Some(position),
        _ => None,
    });
    assert_eq!(answer, Some(at(3, 9)));
    assert_eq!(a.disk.history.len(), saved, "the vote is durable already");
    assert!(a.fence.ack(Stamp::received(epoch(3))).is_err(), "epoch 3 is led no more");
}

fn replaced() -> Solo {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let record = Record::replacement(&config);
    let mut a = Solo::from_record(config, record);
    a.set_position(at(3, 9));
    a
}

fn rebuilt(a: &mut Solo, number: u64) -> Result<(), RequestRefused> {
    a.request(|elector, now| elector.on_rebuilt(RebuiltTo { entry: at(number, 9) }, now))
}

/// Heartbeats of `peer`, each an echo of what left `lag` before, for `span`.
fn led_with_lag(a: &mut Solo, peer: &str, number: u64, lag: Duration, span: Duration) {
    let (began, end) = (a.now, a.now + span);
    while a.now < end {
        a.pass(ms(5));
        let mut frame = a.frame(peer, number, leading(number), lead(D));
        let echo = &mut frame.header.echo.as_mut().unwrap().sent;
        *echo = (*echo).min((a.now - lag).max(began));
        assert_eq!(a.deliver(peer, &frame), None);
    }
}

const TOO_EARLY: Result<(), RequestRefused> = Err(RequestRefused::NotRebuilt(NotRebuilt::TooEarly));

#[test]
fn r45_a_leader_has_led_as_long_as_its_echoes_prove() {
    let mut a = replaced();
    a.follow("b", 3);
    led_with_lag(&mut a, "b", 3, ms(400), ms(900));
    assert_eq!(rebuilt(&mut a, 3), TOO_EARLY, "proven for 500 ms");
    led_with_lag(&mut a, "b", 3, Duration::ZERO, ms(5));
    let mut old = a.frame("b", 3, leading(3), lead(D));
    old.header.echo.as_mut().unwrap().sent = a.now - ms(450);
    a.deliver("b", &old);
    assert_eq!(rebuilt(&mut a, 3), Ok(()), "what is proven stays proven");
}

#[test]
fn r45_exactly_the_largest_promise_is_not_longer() {
    let mut a = replaced();
    a.follow("b", 3);
    led_with_lag(&mut a, "b", 3, Duration::ZERO, PROMISE + ms(5));
    assert_eq!(rebuilt(&mut a, 3), TOO_EARLY);
    led_with_lag(&mut a, "b", 3, Duration::ZERO, ms(5));
    assert_eq!(rebuilt(&mut a, 3), Ok(()));
}

#[test]
fn r45_the_time_runs_from_receipt_of_the_first_claim() {
    let mut a = replaced();
    a.pass(ms(100));
    let mut claim = a.frame("b", 3, leading(3), lead(D));
    claim.header.echo.as_mut().unwrap().sent = a.now - ms(100);
    assert_eq!(a.deliver("b", &claim), None);
    a.pass(ms(200)).commit();
    led_with_lag(&mut a, "b", 3, Duration::ZERO, ms(305));
    assert_eq!(rebuilt(&mut a, 3), TOO_EARLY, "not from what it echoes");
    led_with_lag(&mut a, "b", 3, Duration::ZERO, ms(10));
    assert_eq!(rebuilt(&mut a, 3), Ok(()), "and not from the end of the save");
}

#[test]
fn r45_a_raised_epoch_of_the_same_leader_is_no_interruption_and_another_leader_is() {
    let mut a = replaced();
    a.follow("b", 3);
    led_with_lag(&mut a, "b", 3, Duration::ZERO, ms(400));
    a.hear_leader("b", 4);
    a.commit();
    led_with_lag(&mut a, "b", 4, Duration::ZERO, ms(150));
    assert_eq!(rebuilt(&mut a, 4), Ok(()));

    let mut a = replaced();
    a.follow("b", 3);
    led_with_lag(&mut a, "b", 3, Duration::ZERO, ms(400));
    a.follow("c", 4);
    led_with_lag(&mut a, "c", 4, Duration::ZERO, ms(400));
    assert_eq!(rebuilt(&mut a, 4), TOO_EARLY);
}

#[test]
fn r45_a_raise_proves_nothing_beyond_its_echo() {
    let mut a = replaced();
    a.follow("b", 3);
    led_with_lag(&mut a, "b", 3, Duration::ZERO, ms(300));
    a.pass(ms(250));
    let mut claim = a.frame("b", 4, leading(4), lead(D));
    claim.header.echo.as_mut().unwrap().sent = a.now - ms(240);
    assert_eq!(a.deliver("b", &claim), None);
    a.commit();
    assert_eq!(rebuilt(&mut a, 4), TOO_EARLY, "550 ms since the first claim, 310 ms proven");
}

#[test]
fn r45_replaced_storage_is_rebuilt_by_an_entry_of_the_epoch_followed_alone() {
    for (number, expected) in [(2, false), (4, false), (3, true)] {
        let mut a = replaced();
        a.follow("b", 3);
        led_with_lag(&mut a, "b", 3, Duration::ZERO, ms(600));
        assert_eq!(rebuilt(&mut a, number).is_ok(), expected, "epoch {number}");
    }
}

#[test]
fn r56_a_follower_speaks_to_its_leader_only_in_answer() {
    let mut a = Solo::new();
    a.follow("b", 1).clear().pass(ms(400));
    assert_eq!(a.sent_to("b").count(), 0);
    assert!(a.sent_to("c").count() >= 2);
    assert!(a.leader().is_some());
}

#[test]
fn r57_the_address_of_another_than_the_leader_followed_is_no_news() {
    let announce = |address: &str| {
        let Body::Heartbeat(heartbeat) = lead(D) else { unreachable!("lead is a heartbeat") };
        Body::Announce { heartbeat, address: Address::new(address).unwrap() }
    };
    let mut a = Solo::new();
    a.follow("b", 5).clear();
    a.hear("c", 3, leading(3), announce("c:1"));
    assert!(!a.saw(|event| matches!(event, Notice::LeaderAddress { .. })));
}
