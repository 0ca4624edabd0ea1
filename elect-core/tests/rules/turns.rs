//! R18, R32, R39, R56, R62: when a node's turn comes, to the moment, and what takes it away.

use std::time::Duration;

use elect_core::{BeyondLagLimit, Body, CampaignBlocker, Elector, Heartbeat, LagLimit, PeerState};

use crate::harness::{builder, id, ms};
use crate::solo::{
    D, ELECTION_TIMEOUT, FIVE, PROMISE, RANK_STEP, Solo, at, beat, beat_at, epoch, follows, heartbeat, lead,
    leading, stamp,
};

const MINUTE: Duration = Duration::from_mins(1);

/// Node `b`, for which `a` comes first.
fn behind_a() -> Solo {
    let mut b = Solo::with(builder("b", &["a", "b", "c"]));
    b.hear_free("a", 0);
    assert_eq!(b.blocker(), Some(CampaignBlocker::Rank { rank: 1, at: b.now + RANK_STEP }));
    b
}

#[test]
fn r32_a_turn_comes_at_its_time_whatever_is_heard_shortly_before() {
    let mut b = behind_a();
    b.pass(ms(60)).hear_free("a", 0);
    b.pass(ms(20));
    assert_eq!(b.offered(), Some(1));
}

#[test]
fn r32_a_promise_takes_the_turn_away() {
    let mut b = Solo::with(builder("b", &["a", "b", "c"]));
    b.give_word("c", 1).pass(PROMISE);
    b.hear_free("a", 0);
    assert_eq!(b.blocker(), Some(CampaignBlocker::Rank { rank: 1, at: b.now + RANK_STEP }));
    // The same offer again: its answer waits for no save.
    b.pass(ms(60)).hear_offer("c", 1);
    assert!(b.promised_to().is_some() && b.gate.is_none());
    b.pass(ms(5)).hear("c", 1, PeerState::Free, beat());
    assert_eq!(b.promised_to(), None);
    assert_eq!(b.blocker(), Some(CampaignBlocker::Rank { rank: 1, at: b.now + RANK_STEP }), "it begins anew");
}

#[test]
fn r32_becoming_free_renews_what_a_node_is_ranked_by() {
    let mut b = Solo::with(builder("b", &FIVE));
    b.set_position(at(1, 5)).follow("c", 1);
    b.set_position(at(1, 9)).hear("d", 1, PeerState::Free, beat());
    b.clear().hear("c", 1, PeerState::Promised, beat_at(at(1, 2)));
    b.hear("a", 1, PeerState::Free, beat_at(at(1, 7)));
    assert_eq!(b.offered(), Some(2), "everybody was told 9: {:?}", b.blocker());
}

#[test]
fn r32_an_unfit_voter_that_is_bound_since_its_restart_is_no_rival() {
    for unfit in [Heartbeat { eligible: false, ..heartbeat() }, Heartbeat { healthy: false, ..heartbeat() }] {
        let mut b = Solo::with(builder("b", &FIVE));
        b.hear("a", 0, PeerState::Promised, Body::Heartbeat(unfit));
        b.hear_free("d", 0);
        b.hear_free("e", 0);
        assert_eq!(b.offered(), Some(1), "{unfit:?}: {:?}", b.blocker());
    }
}

#[test]
fn r39_a_head_start_ends_at_its_time_and_not_a_step_later() {
    let mut a = Solo::new();
    a.hear("c", 1, follows("b", 1), beat());
    a.follow("b", 1);
    a.hear("b", 1, PeerState::Free, Body::Release { epoch: epoch(1), target: id("c") });
    let until = a.now + ELECTION_TIMEOUT;
    while a.now < until - ms(20) {
        a.pass(ms(40).min((until - ms(20)).since(a.now)));
        a.hear("c", 1, PeerState::Promised, beat());
        a.hear("b", 1, PeerState::Free, beat());
    }
    assert_eq!(a.blocker(), Some(CampaignBlocker::HeadStart(id("c"), until)));
    a.pass(ms(20));
    assert_eq!(a.offered(), Some(2));
}

#[test]
fn r18_who_leads_does_not_campaign() {
    let mut a = Solo::new();
    a.lead();
    assert_eq!(a.blocker(), Some(CampaignBlocker::Leads));
}

#[test]
fn r18_who_follows_a_stranger_is_not_free() {
    let mut a = Solo::new();
    a.hear("b", 1, follows("x", 1), beat());
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotFree { free: 1, needed: 2 }));
}

/// `a` has led epoch 1 in a pause, and its lease is over; it is behind `c` by more than the limit.
fn lagging_last_leader() -> Solo {
    let limit = LagLimit { offset: 10, beyond: BeyondLagLimit::Delays };
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).lag_limit(limit));
    a.set_position(at(1, 1)).lead();
    a.request(|elector, now| elector.pause(MINUTE, now)).unwrap();
    a.pass(D);
    assert_eq!(a.losses.len(), 1);
    a.clear();
    a
}

#[test]
fn r62_whom_a_pause_keeps_in_office_waits_for_nobody() {
    let mut a = lagging_last_leader();
    let body = Heartbeat { pause: Some(stamp(1, 1, MINUTE)), position: at(1, 99), ..heartbeat() };
    a.hear("c", 1, PeerState::Reserved(id("a")), Body::Heartbeat(body));
    assert_eq!(a.offered(), Some(2), "{:?}", a.blocker());
}

#[test]
fn r62_after_the_resume_the_last_leader_is_ranked_as_anybody() {
    let mut a = lagging_last_leader();
    a.request(Elector::resume).unwrap();
    a.hear("c", 1, PeerState::Free, beat_at(at(1, 99)));
    let at = a.now + RANK_STEP + ELECTION_TIMEOUT;
    assert_eq!(a.blocker(), Some(CampaignBlocker::Rank { rank: 1, at }));
}

#[test]
fn r56_no_leader_makes_anybody_speak_without_end() {
    let mut a = Solo::new();
    a.clear().link("b", elect_core::LinkState::Up);
    a.hear("b", 1, leading(1), lead(Duration::from_nanos(1)));
    a.commit().clear();
    for _ in 0..10 {
        a.tick();
    }
    assert!(a.sent_to("c").count() <= 1, "{}", a.sent_to("c").count());
}

#[test]
fn r56_a_leader_speaks_every_interval_whatever_others_allow() {
    let mut a = Solo::new();
    a.lead();
    a.pass(ms(1)).hear_acknowledgement("b", 1);
    let due = a.elector.deadline();
    a.maxima.insert(id("c"), ms(100));
    a.hear_acknowledgement("c", 1);
    assert_eq!(a.elector.deadline(), due);
}

#[test]
fn r32_what_becoming_free_told_is_told_anew_a_period_later_and_not_before() {
    let mut b = Solo::with(builder("b", &FIVE));
    b.follow("c", 1);
    let left = b.elector.deadline().since(b.now);
    b.pass(left.saturating_sub(ms(10))).clear();
    b.hear("c", 1, PeerState::Free, beat());
    assert_eq!(b.sent_to("a").count(), 1);
    b.clear().pass((D / 3).saturating_sub(ms(1)));
    assert_eq!(b.sent_to("a").count(), 0, "its rivals are in the midst of their ranking");
    b.pass(ms(1));
    assert_eq!(b.sent_to("a").count(), 1);
}
