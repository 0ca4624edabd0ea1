//! R42, R62–R64 in detail: who is told of a pause and when, whom it is believed to be for, and what ends a request.

use std::time::Duration;

use elect_core::{
    Body, CampaignLost, Elector, Health, Ignored, NodeId, Notice, PauseNumber, PauseStamp, PeerState,
};

use crate::harness::{builder, id, ms};
use crate::solo::{
    D, FIVE, INTERVAL, OPEN, Solo, accept, beat, beat_with, epoch, follows, lead_with, leading, offer,
    resume, stamp,
};

fn accept_with(number: u64, pause: PauseStamp) -> Body {
    let pause = Some(pause);
    Body::Accept { epoch: epoch(number), detection: OPEN, position: None, pause, genesis_epoch: epoch(0) }
}

/// What the newest heartbeat to `peer` tells of a pause.
fn told(a: &Solo, peer: &str) -> Option<PauseStamp> {
    a.sent_to(peer).rev().find_map(|frame| match &frame.body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => Some(heartbeat.pause),
        _ => None,
    })?
}

fn is_paused(a: &Solo) -> bool {
    a.elector.status(a.now).pause.is_some()
}

fn reserved_for(a: &Solo) -> Option<NodeId> {
    a.elector.status(a.now).pause.unwrap().reserved_for
}

fn asks(a: &Solo, peer: &str) -> usize {
    a.sent_to(peer).filter(|frame| matches!(frame.body, Body::Pause { .. })).count()
}

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn r42_a_resume_takes_back_what_was_asked_for_and_ends_it_if_it_was_taken_already() {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.request(|elector, now| elector.pause(MINUTE, now)).unwrap();
    a.request(Elector::resume).unwrap();
    a.clear().pass(ms(400));
    assert_eq!(asks(&a, "b"), 0, "it is not asked for any more");
    a.hear("b", 1, leading(1), lead_with(stamp(1, 1, MINUTE)));
    assert!(!is_paused(&a), "the leader had taken it");
    assert_eq!(told(&a, "b"), Some(resume(1, 2)));
}

#[test]
fn r42_a_resume_of_nothing_ends_no_later_pause() {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.request(Elector::resume).unwrap();
    a.hear("b", 1, leading(1), lead_with(stamp(1, 1, MINUTE)));
    assert!(is_paused(&a), "its leader showed that there was none");
}

#[test]
fn r42_a_pause_whose_end_has_come_is_not_asked_for() {
    let mut a = Solo::new();
    a.follow("b", 1).clear();
    a.request(|elector, now| elector.pause(ms(10), now)).unwrap();
    assert_eq!(asks(&a, "b"), 1);
    for _ in 0..10 {
        a.pass(INTERVAL);
        a.hear_leader("b", 1);
    }
    assert_eq!(asks(&a, "b"), 1);
}

#[test]
fn r42_a_request_may_be_for_a_day_and_after_no_epoch_that_nobody_has_told_of() {
    let mut a = Solo::new();
    a.lead();
    let day = Duration::from_hours(24);
    let after = |number| PauseNumber { epoch: epoch(number), count: 1 };
    let asked = Body::Pause { after: after(99), remaining: day };
    assert_eq!(a.hear("b", 1, follows("a", 1), asked), Some(Ignored::NotItsPlace));
    assert_eq!(a.hear("b", 1, follows("a", 1), Body::Pause { after: after(1), remaining: day }), None);
    let status = a.elector.status(a.now).pause.unwrap();
    assert_eq!((status.remaining, status.asked_by, status.taken_by), (day, Some(id("b")), Some(id("a"))));
}

#[test]
fn r63_a_follower_that_resumes_tells_everybody_at_once_and_one_that_only_hears_does_not() {
    let mut a = Solo::new();
    a.follow("b", 1).clear();
    a.hear("b", 1, leading(1), lead_with(stamp(1, 1, MINUTE)));
    assert!(is_paused(&a) && a.sent_to("c").next().is_none(), "its heartbeats tell it");
    a.request(Elector::resume).unwrap();
    assert_eq!(told(&a, "c"), Some(resume(1, 2)));
}

#[test]
fn r64_no_plain_heartbeat_overtakes_what_a_resume_costs() {
    let mut a = Solo::new();
    a.lead();
    a.hear_acknowledgement("b", 1);
    a.request(|elector, now| elector.pause(MINUTE, now)).unwrap();
    a.step(|elector, now| elector.set_health(Health::Unfit, now));
    a.clear().request(Elector::resume).unwrap();
    assert_eq!(a.losses.len(), 1);
    assert!(a.sent_to("b").all(|frame| matches!(frame.body, Body::Release { .. })), "{:?}", a.frames);
}

#[test]
fn r63_what_only_repeats_or_shortens_is_told_to_no_host_again() {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.hear("b", 1, leading(1), lead_with(resume(1, 1)));
    assert!(!a.saw(|notice| matches!(notice, Notice::Resumed)), "nothing was paused");
    for left in [60_000, 50_000, 40_000] {
        a.hear("b", 1, leading(1), lead_with(stamp(1, 2, ms(left))));
    }
    let paused = a.notices.iter().filter(|notice| matches!(notice, Notice::Paused { .. })).count();
    assert_eq!((paused, a.elector.status(a.now).pause.unwrap().remaining), (1, ms(40_000)));
}

#[test]
fn r63_only_a_new_pause_is_ended_by_a_resume_that_was_asked_for_in_the_dark() {
    let mut a = Solo::new();
    a.request(Elector::resume).unwrap();
    a.hear("b", 1, PeerState::Free, beat_with(resume(1, 1)));
    a.pass(D);
    assert_eq!(told(&a, "b"), Some(resume(1, 1)), "it is a resume already");
}

#[test]
fn r62_a_resume_in_an_accept_reserves_nothing() {
    let mut a = Solo::candidate_of_five();
    a.hear("b", 1, PeerState::Promised, accept_with(1, resume(1, 1)));
    a.hear("c", 1, PeerState::Promised, beat_with(stamp(1, 2, MINUTE)));
    assert_eq!(reserved_for(&a), None, "nobody knows who led when it was taken");
}

#[test]
fn r62_a_voter_that_tells_a_pause_for_another_ends_the_campaign() {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.hear("b", 1, PeerState::Free, beat());
    a.hear("c", 1, PeerState::Free, beat());
    let number = a.offered().unwrap();
    a.commit();
    a.hear("c", number, PeerState::Promised, accept_with(number, stamp(1, 1, MINUTE)));
    assert_eq!(a.leader(), None);
    assert!(a.saw(|notice| matches!(notice, Notice::CampaignLost { reason: CampaignLost::Paused, .. })));
}

#[test]
fn r62_a_reservation_is_believed_with_the_pause_that_it_is_for() {
    let mut a = Solo::new();
    a.hear("b", 2, PeerState::Promised, beat_with(stamp(2, 1, MINUTE)));
    a.hear("c", 2, PeerState::Reserved(id("c")), beat_with(stamp(1, 1, MINUTE)));
    assert_eq!(reserved_for(&a), None, "that was an earlier pause");
    a.hear("c", 2, PeerState::Reserved(id("c")), beat_with(stamp(2, 1, MINUTE)));
    assert_eq!(reserved_for(&a), Some(id("c")));
}

#[test]
fn r62_a_head_start_of_an_earlier_leadership_moves_no_reservation() {
    let mut a = Solo::with(builder("a", &FIVE));
    a.follow("b", 1);
    a.hear("c", 1, follows("b", 1), beat());
    a.hear("b", 1, PeerState::Free, Body::Release { epoch: epoch(1), target: id("c") });
    a.hear("e", 2, follows("d", 2), beat_with(stamp(2, 1, MINUTE)));
    assert_eq!(reserved_for(&a), Some(id("d")), "it has led since");
}

#[test]
fn r62_the_leader_that_is_followed_may_raise_its_epoch_whoever_is_said_to_have_led_later() {
    let mut a = Solo::with(builder("a", &FIVE));
    a.follow("b", 1);
    a.hear("e", 2, follows("d", 2), beat_with(stamp(1, 1, MINUTE)));
    assert_eq!(reserved_for(&a), Some(id("d")));
    a.clear().hear("b", 1, leading(1), offer(4));
    assert!(a.gate.is_some(), "{:?}", a.frames);
    a.commit();
    // Nobody else is accepted.
    a.pass(D * 2);
    a.clear().hear("c", 4, PeerState::Candidate(epoch(5)), offer(5));
    assert!(a.gate.is_none());
}

#[test]
fn r62_after_a_raise_a_pause_keeps_the_same_leader_in_office() {
    let mut a = Solo::new();
    a.lead();
    a.hear("c", 5, PeerState::Free, beat());
    a.pass(INTERVAL).commit();
    a.hear("b", 6, follows("a", 1), accept(6));
    a.commit();
    assert_eq!(a.leader(), Some((id("a"), epoch(6))));
    a.request(|elector, now| elector.pause(MINUTE, now)).unwrap();
    a.pass(D * 2);
    assert_eq!((a.losses.len(), reserved_for(&a)), (1, Some(id("a"))));
}

#[test]
fn r62_the_favour_of_a_target_ends_with_its_campaign() {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.hear("b", 1, leading(1), lead_with(stamp(1, 1, MINUTE)));
    a.hear("c", 1, follows("b", 1), beat());
    a.hear("b", 1, PeerState::Reserved(id("a")), Body::Release { epoch: epoch(1), target: id("a") });
    assert_eq!((a.offered(), reserved_for(&a)), (Some(2), Some(id("a"))));
    a.commit();
    let end = a.now + crate::solo::ELECTION_TIMEOUT;
    while !a.saw(|notice| matches!(notice, Notice::CampaignLost { .. })) {
        a.pass(ms(10));
    }
    assert!(a.now < end);
    assert_eq!(reserved_for(&a), Some(id("b")));
}

#[test]
fn r34_a_voter_that_becomes_reserved_for_a_candidate_is_offered_to_at_once() {
    let mut a = Solo::new();
    a.lead().request(|elector, now| elector.pause(MINUTE, now)).unwrap();
    a.pass(D);
    a.hear("b", 1, PeerState::Reserved(id("a")), beat_with(stamp(1, 1, MINUTE)));
    assert_eq!(a.offered(), Some(2));
    let offers = |a: &Solo| a.sent_to("c").filter(|frame| matches!(frame.body, Body::Offer { .. })).count();
    for (reserved, times) in [("b", 0), ("a", 1)] {
        a.clear().hear("c", 1, PeerState::Reserved(id(reserved)), beat_with(stamp(1, 1, MINUTE)));
        assert_eq!(offers(&a), times, "reserved for {reserved}");
    }
}

#[test]
fn r42_what_a_follower_asked_for_is_over_when_it_leads() {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.request(|elector, now| elector.pause(MINUTE, now)).unwrap();
    a.hear("b", 1, PeerState::Free, beat());
    a.hear("c", 1, PeerState::Free, beat());
    let number = a.offered().unwrap();
    a.commit();
    a.hear_accept("b", number);
    assert_eq!(a.leader(), Some((id("a"), epoch(number))));
    a.clear().follow("c", number + 1);
    a.pass(D / 3);
    assert_eq!(asks(&a, "c"), 0);
}

/// `a` of five followed `b`, which paused failover in epoch 1 and handed over to `d`.
fn handed_to_d() -> Solo {
    let mut a = Solo::with(builder("a", &FIVE));
    a.hear("d", 1, follows("b", 1), beat());
    a.follow("b", 1).hear("b", 1, leading(1), lead_with(stamp(1, 1, MINUTE)));
    a.hear("d", 1, PeerState::Promised, beat());
    a.hear("b", 1, PeerState::Promised, Body::Release { epoch: epoch(1), target: id("d") });
    assert_eq!(reserved_for(&a), Some(id("d")));
    a
}

#[test]
fn r62_a_head_start_of_an_earlier_epoch_yields_to_a_later_leader() {
    let mut a = handed_to_d();
    a.hear("e", 2, follows("c", 2), beat_with(stamp(1, 1, MINUTE)));
    assert_eq!(reserved_for(&a), Some(id("c")), "it led after the release");
}

#[test]
fn r62_a_head_start_from_before_a_pause_reserves_nothing() {
    let mut a = Solo::with(builder("a", &FIVE));
    a.hear("d", 1, PeerState::Promised, beat());
    a.hear("b", 1, PeerState::Promised, beat());
    a.hear("b", 1, PeerState::Promised, Body::Release { epoch: epoch(1), target: id("d") });
    a.hear("e", 5, PeerState::Promised, beat_with(stamp(5, 1, MINUTE)));
    assert!(is_paused(&a));
    assert_eq!(reserved_for(&a), None, "1 was released before 5 was led");
}

#[test]
fn r63_a_pause_that_is_asked_for_is_newer_than_all_that_the_asker_knows() {
    let mut a = Solo::new();
    a.lead();
    let after = PauseNumber { epoch: epoch(1), count: 5 };
    a.hear("b", 1, follows("a", 1), Body::Pause { after, remaining: MINUTE });
    assert_eq!(told(&a, "b").map(|stamp| stamp.number), Some(PauseNumber { count: 6, ..after }));
}

#[test]
fn r63_a_resume_counts_one_up_whatever_epoch_is_led_by_then() {
    let mut a = Solo::new();
    a.follow("b", 1).hear("b", 1, leading(1), lead_with(stamp(1, 1, MINUTE)));
    a.hear("c", 3, leading(3), lead_with(stamp(1, 1, MINUTE)));
    a.commit();
    a.request(Elector::resume).unwrap();
    assert_eq!(told(&a, "c"), Some(resume(1, 2)));
}

#[test]
fn r62_who_follows_a_leader_of_the_epoch_of_the_pause_knows_better_than_who_believes_another() {
    let mut a = Solo::with(builder("a", &FIVE));
    a.hear("e", 5, PeerState::Reserved(id("c")), beat_with(stamp(5, 1, MINUTE)));
    assert_eq!(reserved_for(&a), Some(id("c")), "it knows nothing itself");
    a.hear("d", 5, follows("b", 5), beat_with(stamp(5, 1, MINUTE)));
    assert_eq!(reserved_for(&a), Some(id("b")));
}
