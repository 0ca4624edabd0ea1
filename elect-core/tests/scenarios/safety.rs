//! What broke promises, votes and leases, where a text of the simulator cannot say it.

use elect_core::{Body, Detection, Health, LinkState, PeerState, Record, Time};

use crate::harness::{Group, builder, id, ms};
use crate::puppets::*;

/// How long `name` is bound, and to whom.
fn bound(group: &Group, name: &str) -> Option<(String, Time)> {
    let (to, _, until) = group.elector(name).explain(group.now).promised_to?;
    Some((to.to_string(), until))
}

/// An accept echoes the offer that it answers, never a frame that came while the vote was saved.
#[test]
fn echo_while_saving_an_accept() {
    let mut group = alone("c", &["a", "b", "c"]);
    group.node_mut("c").hangs = true;
    let received = group.now;
    says(&mut group, "a", "c", 4, PeerState::Candidate(e(5)), offer(5));
    group.run(ms(300));
    says(&mut group, "a", "c", 4, PeerState::Candidate(e(5)), beat());
    group.unhang("c").run(ms(2));
    let answer = accepted(&group, "c", "a").expect("it accepts");
    assert_eq!(answer.header.echo.map(|nonce| nonce.sent), Some(received));
    assert_eq!(bound(&group, "c"), Some(("a".into(), received + ms(505))));
}

/// However D moves and whichever frames are acknowledged, a lease ends by what those very frames granted
/// (`lease-after-d-raised` is one case).
#[test]
fn a_lease_ends_by_what_the_echoed_frames_granted() {
    let names = ["a", "b", "c"];
    let detection = Detection::Adaptive { floor: ms(200), ceiling: ms(2000), phi: 12 };
    let mut group =
        Group::with(names.map(|name| builder(name, &names).detection(detection).heartbeat_interval(ms(20))));
    start_alone(&mut group, "a");
    for puppet in ["b", "c"] {
        says(&mut group, puppet, "a", 0, PeerState::Free, beat());
    }
    group.run(ms(100));
    says(&mut group, "b", "a", 1, PeerState::Promised, accept(1));
    assert_eq!(group.leader(), Some(id("a")), "{}", group.story());
    let mut granted = Time::ZERO;
    let mut seen = std::collections::BTreeSet::new();
    for round in 0_u64..600 {
        group.run(if round < 200 { ms(50) } else { ms(40 + round * 7 % 70) });
        // An acknowledgement that took its time: newer frames have left since.
        let before = group.now - ms(60);
        let older = |frame: &elect_core::Frame| lead_of(frame).is_some() && frame.header.nonce.sent <= before;
        let Some(older) = last_sent(&group, "a", "b", older) else { continue };
        let detection = lead_of(&older).unwrap();
        seen.insert(detection);
        granted = granted.max(older.header.nonce.sent + group.node("a").config.lease_span(detection));
        let said = crate::harness::solo::lead(detection);
        let mut answer = frame(&group, "b", "a", 1, PeerState::Follower(id("a"), e(1)), said);
        answer.header.echo = Some(older.header.nonce);
        group.inject("b", "a", &answer);
        let lease = group.elector("a").authority().lease(group.now).expect("it leads");
        assert!(lease.end <= granted, "round {round}: {lease:?} but granted until {granted:?}");
    }
    assert!(seen.len() > 3, "D moved: {seen:?}");
}

fn lead_of(frame: &elect_core::Frame) -> Option<std::time::Duration> {
    match &frame.body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => {
            heartbeat.lead.map(|lead| lead.detection)
        }
        _ => None,
    }
}

/// A failed save voted all the same: the memory knew a vote that the disk did not.
#[test]
fn vote_forgotten_by_a_failed_save() {
    let mut group = alone("c", &["a", "b", "c"]);
    group.node_mut("c").disk.fails = true;
    says(&mut group, "a", "c", 4, PeerState::Candidate(e(5)), offer(5));
    group.run(ms(2));
    assert!(accepted(&group, "c", "a").is_none());
    let last = last_sent(&group, "c", "a", |_| true).unwrap();
    assert!(matches!(last.header.state, PeerState::Stopped(_)), "a last frame says so");
    says(&mut group, "a", "c", 4, PeerState::Candidate(e(6)), offer(6));
    group.run(ms(5000));
    assert_eq!(last_sent(&group, "c", "a", |_| true), Some(last), "and nothing after it");
}

/// An isolated primary (`isolated-primary`) whose process sleeps through its own deposition, and nothing has told it
/// yet.
#[test]
fn isolated_primary_that_was_paused() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let office = group.node("a").office.clone().unwrap();
    group.node_mut("a").paused = true;
    group.run_until(ms(3000), |g| g.leader().is_some_and(|leader| leader != id("a"))).unwrap();
    assert_eq!(losses(&group, "a"), 0, "it has not even noticed");
    assert!(office.stamp(group.now).is_err() && office.finish_read(1, || group.now).is_err());
    group.node_mut("a").paused = false;
    group.run(ms(1000));
    assert_eq!(losses(&group, "a"), 1, "{}", group.story());
}

/// A node whose first save fails spoke in the life before: peers took its last frame for the living one's.
#[test]
fn failed_first_save_is_silent() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let record: Record = group.node("a").disk.record;
    group.kill("a");
    group.node_mut("a").disk.record = record;
    group.node_mut("a").disk.fails = true;
    let before = group.sent.len();
    group.start("a").link("a", "b", LinkState::Up).run(ms(3));
    group.input("a", |elector, now| elector.set_health(Health::Unfit, now)).run(ms(50));
    assert!(!group.sent[before..].iter().any(|sent| sent.1 == id("a")), "{}", group.story());
    assert!(reported(&group, "a", "Stopped"));
}
