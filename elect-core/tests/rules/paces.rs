//! R32, R33, R56: how fast the links are found to be, and what steps, campaigns, waits and heartbeats make of it.

use std::time::Duration;

use elect_core::{
    CampaignBlocker, CampaignLost, ConfigBuilder, Detection, LinkState, Nonce, Notice, PeerState, Record,
};

use crate::harness::{builder, id, ms};
use crate::solo::{D, RANK_STEP, Solo, beat, just_before};

const ABC: [&str; 3] = ["a", "b", "c"];

fn three() -> ConfigBuilder {
    builder("a", &ABC)
}

/// `peer` echoes a heartbeat after exactly so long, so many times, and lets none of the echoes lie; the last one.
fn echoes(a: &mut Solo, peer: &str, after: Duration, times: usize) -> Option<Nonce> {
    let mut last = None;
    for _ in 0..times {
        a.link(peer, LinkState::Up);
        let echo = a.last_to(peer).header.nonce;
        a.pass((echo.sent + after).since(a.now));
        let mut before = a.frame(peer, 0, PeerState::Promised, beat());
        before.header.echo = None;
        a.deliver(peer, &before);
        let mut frame = a.frame(peer, 0, PeerState::Promised, beat());
        frame.header.echo = Some(echo);
        a.deliver(peer, &frame);
        last = Some(echo);
    }
    last
}

/// How far `a` campaigns behind `b`, which is better.
fn step(a: &mut Solo) -> Duration {
    a.hear("b", 0, PeerState::Free, crate::solo::beat_at(crate::solo::at(1, 9)));
    match a.blocker() {
        Some(CampaignBlocker::Rank { rank: 1, at }) => at.since(a.now),
        other => panic!("{other:?}"),
    }
}

fn is_told_of_slowness(a: &Solo) -> bool {
    a.saw(|notice| matches!(notice, Notice::SlowerThanConfigured(_)))
}

fn slow(a: &Solo) -> Option<elect_core::NodeId> {
    a.elector.explain(a.now).slow.map(|slow| slow.peer)
}

#[test]
fn r32_the_link_of_an_observer_is_told_and_lengthens_no_step() {
    let mut a = Solo::with(three().observers([id("o")]));
    echoes(&mut a, "o", ms(100), 20);
    assert!(is_told_of_slowness(&a));
    assert_eq!(slow(&a), Some(id("o")));
    assert_eq!(step(&mut a), RANK_STEP);
    let mut a = Solo::with(three().observers([id("o")]));
    echoes(&mut a, "c", ms(100), 20);
    assert!(step(&mut a) > RANK_STEP * 2, "that of a voter does");
}

#[test]
fn r32_a_link_that_is_as_configured_is_not_told() {
    let mut a = Solo::new();
    a.hear("b", 0, PeerState::Promised, beat());
    assert_eq!(slow(&a), None, "as far as is known");
    echoes(&mut a, "b", ms(20), 20);
    assert_eq!((slow(&a), is_told_of_slowness(&a)), (None, false), "and as is measured");
}

#[test]
fn r32_where_the_step_is_set_by_hand_nothing_is_measured() {
    let mut a = Solo::with(three().rank_step(ms(50)));
    echoes(&mut a, "b", ms(100), 20);
    assert_eq!((slow(&a), is_told_of_slowness(&a)), (None, false));
    assert_eq!(step(&mut a), ms(50));
}

#[test]
fn r32_an_echo_that_is_older_than_the_longest_detection_time_says_nothing() {
    for (age, is_slow) in [(D, true), (D + Duration::from_nanos(1), false)] {
        let mut a = Solo::new();
        echoes(&mut a, "b", age, 8);
        assert_eq!(is_told_of_slowness(&a), is_slow, "{age:?}");
    }
}

#[test]
fn r32_a_step_is_twice_a_round_trip_and_a_save() {
    let config = three().build().unwrap();
    let record = Record::first_boot(&config);
    let mut a = Solo::starting(config, record);
    a.tick().pass(ms(10)).commit();
    echoes(&mut a, "b", ms(1), 100);
    let found = step(&mut a);
    assert!(found >= ms(22) && found < ms(23), "{found:?}");
}

#[test]
fn r32_a_round_trip_that_is_exactly_as_configured_is_known_too() {
    let mut a = Solo::new();
    echoes(&mut a, "b", ms(20), 7);
    assert_eq!(step(&mut a), RANK_STEP, "not yet");
    let mut a = Solo::new();
    echoes(&mut a, "b", ms(20), 8);
    assert_eq!(step(&mut a), ms(40), "its saves take no time");
}

#[test]
fn r32_a_coarse_clock_makes_no_step_longer_than_configured() {
    let coarse = three().clock_granularity(ms(100)).detection(Detection::Fixed(ms(2_000)));
    let mut a = Solo::with(coarse);
    echoes(&mut a, "b", ms(1), 100);
    assert_eq!(step(&mut a), RANK_STEP);
}

#[test]
fn r33_a_campaign_lasts_as_long_as_configured_however_short_steps_are() {
    let mut a = Solo::new();
    echoes(&mut a, "b", ms(1), 100);
    assert!(step(&mut a) < ms(10));
    a.clear().hear_free("b", 0);
    assert_eq!(a.offered(), Some(1));
    a.commit().pass(just_before(RANK_STEP * 2));
    assert_eq!(a.blocker(), Some(CampaignBlocker::Campaigns));
    a.pass(Duration::from_nanos(1));
    assert_ne!(a.blocker(), Some(CampaignBlocker::Campaigns));
}

#[test]
fn r33_where_steps_are_longer_than_configured_waits_are_too_within_the_detection_time() {
    let waits = (0..100).map(|seed| {
        let mut a = Solo::with(three().seed(seed));
        let last = echoes(&mut a, "b", ms(200), 20);
        let mut free = a.frame("b", 0, PeerState::Free, beat());
        free.header.echo = last;
        a.deliver("b", &free);
        assert_eq!(a.offered(), Some(1));
        a.commit();
        // It is connected until the campaign is over.
        echoes(&mut a, "b", ms(200), 1);
        a.pass(ms(2_000));
        let wait = a.notices.iter().find_map(|notice| match notice {
            Notice::CampaignLost { reason: CampaignLost::NoQuorum { wait }, .. } => Some(*wait),
            _ => None,
        });
        wait.expect("nobody accepts")
    });
    let longest = waits.max().unwrap();
    assert!(longest > RANK_STEP * 2 && longest <= D, "{longest:?}");
}

/// `a` follows nobody and speaks every third of 2 s.
fn speaks_seldom() -> Solo {
    let mut a = Solo::with(three().detection(Detection::Fixed(ms(2_000))));
    a.hear("c", 0, PeerState::Promised, beat());
    a
}

#[test]
fn r56_who_allows_less_than_before_is_spoken_to_accordingly_at_once() {
    // It is connected, and its configuration was changed while it ran, say.
    let mut a = speaks_seldom();
    a.hear("b", 0, PeerState::Promised, beat());
    a.maxima.insert(id("b"), ms(300));
    a.hear("b", 0, PeerState::Promised, beat());
    a.clear().pass(ms(100));
    assert_eq!(a.sent_to("b").count(), 1);
    // It told so before it was connected.
    let mut a = speaks_seldom();
    a.maxima.insert(id("b"), ms(300));
    let mut frame = a.frame("b", 0, PeerState::Promised, beat());
    frame.header.echo = None;
    a.deliver("b", &frame);
    a.clear().pass(ms(100));
    assert_eq!(a.sent_to("b").count(), 0, "who does not hear this node does not wait for it");
    a.hear("b", 0, PeerState::Promised, beat());
    a.clear().pass(ms(100));
    assert_eq!(a.sent_to("b").count(), 1);
}
