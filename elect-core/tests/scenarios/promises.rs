//! Promises, leases and re-offers: what broke an earlier wording of the protocol.

use elect_core::{Body, Detection, LinkState, Refusal, Standing, StepDown, Time};

use crate::harness::{Group, Seen, builder, id, ms};
use crate::puppets::*;
use crate::safety::candidate_a;

/// How long `name` is bound, and to whom.
fn bound(group: &Group, name: &str) -> Option<(String, Time)> {
    let (to, _, until) = group.elector(name).explain(group.now).bound_to?;
    Some((to.to_string(), until))
}

/// A heartbeat that arrived during an adoption's save was echoed while the promise ran from an earlier one: the
/// leader's lease outlasted the promise.
#[test]
fn echo_while_saving() {
    let mut group = alone("c", &["a", "b", "c"]);
    group.node_mut("c").hangs = true;
    let received = group.now;
    says(&mut group, "a", "c", 5, Standing::Leading(e(5)), leads(D));
    let covered = received;
    group.run(ms(300));
    says(&mut group, "a", "c", 5, Standing::Leading(e(5)), leads(D));
    group.run(ms(100)).unhang("c").run(ms(2));
    assert_eq!(leader_of(&group, "c"), Some(("a".into(), e(5))), "{}", group.story());
    let answer = last_sent(&group, "c", "a", |_| true).unwrap();
    assert_eq!(answer.header.standing, Standing::Following(id("a"), e(5)));
    assert_eq!(answer.header.echo.map(|nonce| nonce.sent), Some(covered), "only what the promise covers");
    assert_eq!(bound(&group, "c"), Some(("a".into(), received + ms(505))));
}

/// The same with an offer: the accept echoes the offer that it answers, never a later frame.
#[test]
fn echo_while_saving_an_accept() {
    let mut group = alone("c", &["a", "b", "c"]);
    group.node_mut("c").hangs = true;
    let received = group.now;
    says(&mut group, "a", "c", 4, Standing::Standing(e(5)), offer(5));
    group.run(ms(300));
    says(&mut group, "a", "c", 4, Standing::Standing(e(5)), heartbeat());
    group.unhang("c").run(ms(2));
    let answer = accepted(&group, "c", "a").expect("it accepts");
    assert_eq!(answer.header.echo.map(|nonce| nonce.sent), Some(received));
    assert_eq!(bound(&group, "c"), Some(("a".into(), received + ms(505))));
}

/// A re-offer that was given up ended the promises of a leader in office.
#[test]
fn abandoned_reoffer() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.kill("c");
    group.node_mut("c").disk.record.epoch = e(7);
    group.start("c").run(ms(20));
    group.run_until(ms(500), |group| group.node("a").disk.record.epoch > e(7)).expect("it re-offers");
    // Nobody hears the re-offer's answers for a while: longer than a round, shorter than the lease.
    group.cut_one_way("b", "a").cut_one_way("c", "a").run(ms(300));
    assert_eq!(leader_of(&group, "b").map(|of| of.0), Some("a".into()), "{}", group.story());
    group.heal().run(ms(500));
    assert_eq!((losses(&group, "a"), group.leader()), (0, Some(id("a"))), "{}", group.story());
    assert!(!reported(&group, "a", "RoundLost") && !reported(&group, "b", "LeaderLost"), "{}", group.story());
}

/// The leader raised D, and an acknowledgement of a frame that carried the smaller D granted the larger lease.
#[test]
fn lease_after_d_raised() {
    let names = ["a", "b", "c"];
    let detection = Detection::Adaptive { floor: ms(200), ceiling: ms(2000), phi: 12 };
    let mut group =
        Group::with(names.map(|name| builder(name, &names).detection(detection).heartbeat_interval(ms(20))));
    start_alone(&mut group, "a");
    for puppet in ["b", "c"] {
        says(&mut group, puppet, "a", 0, Standing::Free, heartbeat());
    }
    group.run(ms(100));
    says(&mut group, "b", "a", 1, Standing::Bound, accept(1));
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
        let mut answer = frame(&group, "b", "a", 1, Standing::Following(id("a"), e(1)), heartbeat());
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

/// A frame with a smaller D shortened a promise that a lease still relied on.
#[test]
fn promise_shortened() {
    let mut group = alone("c", &["a", "b", "c"]);
    says(&mut group, "a", "c", 5, Standing::Leading(e(5)), leads(D));
    group.run(ms(10));
    let promised = bound(&group, "c").unwrap();
    says(&mut group, "a", "c", 5, Standing::Leading(e(5)), leads(ms(150)));
    assert_eq!(bound(&group, "c"), Some(promised.clone()), "{}", group.story());
    group.run(ms(400));
    says(&mut group, "b", "c", 5, Standing::Standing(e(6)), offer(6));
    group.run(ms(10));
    assert!(accepted(&group, "c", "b").is_none(), "the first promise still runs\n{}", group.story());
}

/// A dead leader's delayed heartbeats kept five nodes leaderless for two seconds.
#[test]
fn ghost_heartbeats() {
    let mut group = led_by_a(&["a", "b", "c", "d", "e"]);
    let ghosts: Vec<_> = group.sent.iter().filter(|sent| sent.1 == id("a")).cloned().collect();
    group.kill("a");
    let killed = group.now;
    for (_, _, to, ghost) in ghosts.iter().rev().cycle() {
        let to = to.to_string();
        group.inject("a", &to, ghost).run(ms(2));
        if group.leader().is_some() {
            break;
        }
        // They are fresh for D, and a promise may run for D from there.
        assert!(group.now.since(killed) < ms(600), "{}", group.story());
    }
    assert_ne!(group.leader(), Some(id("a")));
}

/// A frame still under way revived the promise that crash evidence had ended.
#[test]
fn dead_incarnation_frame() {
    let names = ["a", "b", "c"];
    let mut group = Group::with(names.map(|name| builder(name, &names).crash_evidence(true)));
    group.record_traffic = true;
    group.start_all();
    assert_eq!(group.run_to_leader(ms(500)), id("a"));
    group.run(ms(300)).kill("a");
    group.run(ms(5));
    let under_way = |to: &str, group: &Group| frame_of_life(group, "a", to);
    let late = [("b", under_way("b", &group)), ("c", under_way("c", &group))];
    let attempt_began = group.now;
    for name in ["b", "c"] {
        group.link(name, "a", LinkState::Closed).link(name, "a", LinkState::Refused { attempt_began });
    }
    for (to, frame) in &late {
        group.inject("a", to, frame);
    }
    let took = group.run_until(ms(3000), |group| group.leader().is_some()).unwrap();
    assert!(took < ms(20), "{took:?}\n{}", group.story());
    assert!(reported(&group, "c", "DeadIncarnation"), "{}", group.story());
}

/// A fresh heartbeat of the leader `from`, sent just before it died.
fn frame_of_life(group: &Group, from: &str, to: &str) -> elect_core::Frame {
    let mut frame = frame(group, from, to, 1, Standing::Leading(e(1)), leads(D));
    frame.header.nonce.incarnation = group.node(from).disk.record.incarnation;
    frame
}

/// A candidate led as soon as a quorum had accepted, while its own vote was still on the way to the disk.
#[test]
fn leads_before_own_save() {
    let mut group = alone("a", &["a", "b", "c"]);
    group.node_mut("a").hangs = true;
    says(&mut group, "b", "a", 0, Standing::Free, heartbeat());
    says(&mut group, "c", "a", 0, Standing::Free, heartbeat());
    group.run(ms(100));
    for voter in ["b", "c"] {
        says(&mut group, voter, "a", 1, Standing::Bound, accept(1));
    }
    group.run(ms(10));
    assert_eq!(group.leader(), None, "{}", group.story());
    assert!(last_sent(&group, "a", "b", |f| matches!(f.header.standing, Standing::Leading(_))).is_none());
    group.unhang("a").run(ms(2));
    assert_eq!(group.leader(), Some(id("a")), "{}", group.story());
}

/// A voter followed a leader that its record did not name, restarted, and was bound to somebody else.
#[test]
fn holder_name_not_saved() {
    let mut group = alone("c", &["a", "b", "c"]);
    says(&mut group, "b", "c", 4, Standing::Standing(e(5)), offer(5));
    group.run(ms(2));
    says(&mut group, "a", "c", 5, Standing::Leading(e(5)), leads(D));
    assert_eq!(leader_of(&group, "c"), None, "its name is not durable yet");
    group.run(ms(2));
    assert_eq!(leader_of(&group, "c"), Some(("a".into(), e(5))), "{}", group.story());
    group.restart("c").run(ms(2));
    assert_eq!(bound(&group, "c").map(|of| of.0), Some("a".into()));
    says(&mut group, "b", "c", 5, Standing::Standing(e(6)), offer(6));
    group.run(ms(2));
    assert_eq!(refused(&group, "c", "b"), Some(Refusal::Bound), "a's lease may still run\n{}", group.story());
}

/// A leader whose save hung stayed in office: nobody could move it, and it could move nobody.
#[test]
fn hung_save_of_a_leader() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.node_mut("a").hangs = true;
    group.kill("c");
    group.node_mut("c").disk.record.epoch = e(7);
    group.start("c");
    let lost = group.run_until(ms(2000), |group| losses(group, "a") > 0).expect("it steps down");
    assert!(lost < ms(700), "{lost:?}");
    assert_eq!(group.count("a", |seen| matches!(seen, Seen::Lost(_, StepDown::SaveStalled))), 1);
    let second = group.run_to_leader(ms(2000));
    assert_ne!(second, id("a"), "{}", group.story());
    group.unhang("a").run(ms(2000));
    assert_eq!(group.leader(), Some(second), "{}", group.story());
}

/// Members that assume different drifts disagreed about when a lease ends.
#[test]
fn drift_settings_differ() {
    let names = ["a", "b", "c"];
    for drifts in [[0, 0, 200_000], [200_000, 0, 0], [10_000, 200_000, 0]] {
        let mut group =
            Group::with(std::iter::zip(names, drifts).map(|(n, ppm)| builder(n, &names).drift_ppm(ppm)));
        group.start_all();
        for _ in 0..3 {
            // The harness checks at every step that never two leases run.
            let leader = group.run_to_leader(ms(4000)).to_string();
            group.run(ms(300)).isolate(&leader).run(ms(1500)).heal().run(ms(500));
        }
        let each = names.map(|name| group.node(name).config.lease_span(D));
        assert!(each.iter().all(|&lease| lease < D), "each with its own drift: {each:?}");
    }
}

/// An epoch merely heard of was believed, however far away it was.
#[test]
fn hint_too_far() {
    let mut group = candidate_a(&["a", "b", "c"]);
    says(&mut group, "b", "a", 1 << 30, Standing::Free, heartbeat());
    group.run(ms(1500));
    for puppet in ["b", "c"] {
        says(&mut group, puppet, "a", 1, Standing::Free, heartbeat());
    }
    group.run(ms(500));
    let next = group.node("a").disk.record.epoch;
    assert!(next > e(1) && next <= e(16 + (1 << 20)), "{next:?}\n{}", group.story());
}

/// Every node drew the same random waits and collided for ever.
#[test]
fn same_jitter_everywhere() {
    let names = ["a", "b", "c", "d", "e"];
    for seed in 0..40 {
        // Delays above the rank step: everybody offers before anybody hears of it.
        let mut group = Group::with(names.map(|name| builder(name, &names).seed(seed)));
        group.delay = ms(70);
        group.start_all();
        let first = group.run_until(ms(4000), |group| group.leader().is_some());
        assert!(first.is_some(), "seed {seed}\n{}", group.story());
        let leader = group.leader().unwrap().to_string();
        group.run(ms(500)).kill(&leader);
        let second = group.run_until(ms(4000), |group| group.leader().is_some());
        assert!(second.is_some(), "seed {seed}\n{}", group.story());
    }
}
