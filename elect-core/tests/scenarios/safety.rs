//! What made two leaders, or a false one, in the systems that came before.

use elect_core::{Body, Health, LinkState, Record, Refusal, Standing, StepDown};

use crate::harness::{Group, Seen, builder, id, ms};
use crate::puppets::*;

/// One cut link between the primary and a replica made two primaries, both sure of a quorum (A, D): the third
/// member granted while it heard a live primary.
#[test]
fn one_cut_link() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.cut("a", "b").run(ms(10_000));
    assert_eq!(group.leader(), Some(id("a")), "{}", group.story());
    assert_eq!(group.leaders.len(), 1, "{}", group.story());
    assert!(!reported(&group, "b", "Stood"), "c is bound, so b does not even stand\n{}", group.story());
    assert_eq!(losses(&group, "a"), 0);
}

/// A live primary granted a vote, adopted the epoch and stayed primary: two primaries in one epoch (A).
#[test]
fn vote_while_primary() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let epoch = group.node("a").disk.record.epoch;
    says_late(&mut group, "b", "a", epoch.number(), offer(epoch.number() + 1));
    assert_eq!(refused(&group, "a", "b"), Some(Refusal::OwnOffice));
    group.run(ms(1000));
    assert_eq!(group.node("a").disk.record.epoch, epoch, "a leader adopts nobody else's epoch");
    assert_eq!((group.leader(), losses(&group, "a")), (Some(id("a")), 0), "{}", group.story());
}

/// A fresh frame in the name of a real member that runs.
fn says_late(group: &mut Group, from: &str, to: &str, epoch: u64, body: Body) {
    let incarnation = group.node(from).disk.record.incarnation;
    let mut frame = frame(group, from, to, epoch, Standing::Standing(e(epoch + 1)), body);
    frame.header.nonce.incarnation = incarnation;
    group.inject(from, to, &frame);
}

/// Vote, restart, vote again in the same epoch (A, B): the vote was not durable before the accept left.
#[test]
fn vote_forgotten() {
    let mut group = alone("c", &["a", "b", "c"]);
    says(&mut group, "a", "c", 4, Standing::Standing(e(5)), offer(5));
    assert!(accepted(&group, "c", "a").is_none(), "nothing leaves before the vote is durable");
    group.run(ms(2));
    assert!(accepted(&group, "c", "a").is_some());
    group.restart("c").run(ms(1000));
    says(&mut group, "b", "c", 4, Standing::Standing(e(5)), offer(5));
    group.run(ms(2));
    assert!(accepted(&group, "c", "b").is_none(), "{}", group.story());
    assert_eq!(refused(&group, "c", "b"), Some(Refusal::VoteSpent));
}

/// A failed save voted all the same: the memory knew a vote that the disk did not.
#[test]
fn vote_forgotten_by_a_failed_save() {
    let mut group = alone("c", &["a", "b", "c"]);
    group.node_mut("c").disk.fails = true;
    says(&mut group, "a", "c", 4, Standing::Standing(e(5)), offer(5));
    group.run(ms(2));
    assert!(accepted(&group, "c", "a").is_none());
    let last = last_sent(&group, "c", "a", |_| true).unwrap();
    assert!(matches!(last.header.standing, Standing::Stopped(_)), "a last frame says so");
    says(&mut group, "a", "c", 4, Standing::Standing(e(6)), offer(6));
    group.run(ms(5000));
    assert_eq!(last_sent(&group, "c", "a", |_| true), Some(last), "and nothing after it");
}

/// Two accepts with invented names from one connection elected a leader, and a forged announcement crowned its
/// receiver (A).
#[test]
fn stranger_accepts() {
    let mut group = candidate_a(&["a", "b", "c"]);
    for stranger in ["x", "y"] {
        let frame = frame(&group, "b", "a", 1, Standing::Bound, accept(1));
        group.inject(stranger, "a", &frame);
    }
    says(&mut group, "b", "a", 0, Standing::Leading(e(1)), leads(D));
    group.run(ms(5));
    assert_eq!(group.leader(), None, "{}", group.story());
    assert!(reported(&group, "a", "Stranger") && reported(&group, "a", "Ended"), "{}", group.story());
    says(&mut group, "b", "a", 1, Standing::Bound, accept(1));
    assert_eq!(group.leader(), Some(id("a")), "a member's accept does elect");
}

/// `a` stands in epoch 1 with its own vote durable; everybody else is a puppet.
pub(crate) fn candidate_a(names: &[&str]) -> Group {
    let mut group = alone("a", names);
    for puppet in &names[1..] {
        says(&mut group, puppet, "a", 0, Standing::Free, heartbeat());
    }
    group.run(ms(100));
    let offered = last_sent(&group, "a", "b", |frame| matches!(frame.body, Body::Offer { .. }));
    assert_eq!(
        offered.map(|frame| frame.header.standing),
        Some(Standing::Standing(e(1))),
        "{}",
        group.story()
    );
    assert_eq!(group.node("a").disk.record.epoch, e(1));
    group
}

/// One frame with epoch `u64::MAX` ended all failover for ever (A).
#[test]
fn epoch_exhausted() {
    let mut group = led_by_a(&["a", "b", "c"]);
    for (from, to) in [("a", "b"), ("a", "c"), ("b", "a"), ("c", "b")] {
        for standing in [Standing::Free, Standing::Leading(e(u64::MAX)), Standing::Standing(e(u64::MAX))] {
            let mut broken = frame(&group, from, to, u64::MAX, standing, leads(D));
            broken.header.nonce.incarnation = group.node(from).disk.record.incarnation;
            group.inject(from, to, &broken);
        }
    }
    group.run(ms(1000)).kill("a");
    group.run_to_leader(ms(3000));
    group.start("a").run(ms(2000));
    let leader = group.leader().unwrap().to_string();
    for _ in 0..2 {
        let next = if leader == "b" { "c" } else { "b" };
        assert!(group.elector(next).status(group.now).epoch < e(1 << 22), "{}", group.story());
    }
    assert_eq!(
        leader_of(&group, "a").map(|of| of.0),
        Some(leader),
        "nobody is deaf to anybody\n{}",
        group.story()
    );
}

/// A deposed primary's larger raw offset beat acknowledged data (A).
#[test]
fn deposed_longer_fork() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.isolate("a").set_tail("a", Some(at(1, 900)));
    let second = group.run_until(ms(3000), |g| g.leader().is_some_and(|l| l != id("a"))).unwrap();
    assert!(second < ms(700), "{second:?}");
    let leader = group.leader().unwrap().to_string();
    let other = if leader == "b" { "c" } else { "b" };
    let acknowledged = group.node(&leader).tail.0.borrow().unwrap();
    group.set_tail(other, Some(acknowledged)).run(ms(200));
    group.heal().run(ms(500)).kill(&leader);
    let winner = group.run_to_leader(ms(3000));
    assert_eq!(winner, id(other), "the best log is the acknowledged one\n{}", group.story());
    assert!(*group.node(other).tail.0.borrow() > Some(acknowledged));
}

/// Accepts for epoch 2, then another's offer for 3, then a tick: leader of 3 without votes (A).
#[test]
fn offer_while_candidate() {
    let mut group = candidate_a(&["a", "b", "c", "d", "e"]);
    says(&mut group, "b", "a", 1, Standing::Bound, accept(1));
    says(&mut group, "c", "a", 1, Standing::Standing(e(2)), offer(2));
    group.run(ms(2));
    assert!(accepted(&group, "a", "c").is_some(), "a candidate gives its round up for a higher offer");
    says(&mut group, "d", "a", 1, Standing::Bound, accept(1));
    says(&mut group, "e", "a", 2, Standing::Bound, accept(2));
    says(&mut group, "b", "a", 2, Standing::Bound, accept(2));
    group.run(ms(300));
    assert!(group.leaders.is_empty(), "{}", group.story());
}

/// Two nodes configured as primary both booted as one, in epoch 1, and stayed so (A).
#[test]
fn two_configured_primaries() {
    let names = ["a", "b", "c"];
    let preferring = |name: &str| {
        let preferred = if name == "c" { "a" } else { name };
        builder(name, &names).preferred_leader(id(preferred)).fail_back_cooldown(ms(0)).priority(255)
    };
    let mut group = Group::with(names.map(preferring));
    group.start_all();
    let first = group.run_to_leader(ms(500));
    group.run(ms(10_000));
    assert_eq!((group.leader(), group.leaders.len()), (Some(first), 1), "{}", group.story());
}

/// An isolated primary stayed primary (A); a paused process resumed and wrote before it noticed.
#[test]
fn isolated_primary() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let office = group.node("a").office.clone().unwrap();
    group.isolate("a");
    let alone = group.run_until(ms(3000), |group| group.leader().is_none()).unwrap();
    assert!(alone < D, "it steps down by the end of its lease: {alone:?}");
    assert_eq!(group.count("a", |seen| *seen == Seen::Lost(e(1), StepDown::LeaseOver)), 1);
    group.run_to_leader(ms(3000));
    assert!(office.check(group.now).is_err());
    group.run(ms(3000));
    assert_eq!(group.node("a").disk.record.epoch, e(1), "L4: alone it adds no epochs");
}

/// The other half: the process sleeps through its own deposition, and nothing has told it yet.
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

/// Every node led in epoch 1 while gossip had not spread (B).
#[test]
fn boot_all_lead() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.cut("a", "b").cut("b", "c").cut("a", "c").start_all().run(ms(5000));
    assert!(group.leaders.is_empty(), "{}", group.story());
    assert!(
        ["a", "b", "c"].iter().all(|name| group.node(name).disk.record.epoch == e(0)),
        "L4: no epochs either"
    );
    group.heal().run(ms(1000));
    assert_eq!(group.leaders.len(), 1, "{}", group.story());
}

/// The lowest id returned at epoch 1, took over, and its own standbys fenced it (B).
#[test]
fn restarted_lowest_id() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.kill("a");
    let second = group.run_to_leader(ms(3000));
    group.start("a").run(ms(5000));
    assert_eq!((group.leader(), group.leaders.len()), (Some(second), 2), "{}", group.story());
    assert_eq!(leader_of(&group, "a"), Some((second.to_string(), e(2))));
    assert_eq!(group.node("a").fence.floor(), e(2), "its fence stands where its record does");
}

/// Local cooldowns disagreed: two masters for the whole cooldown (D).
#[test]
fn cooldown_two_masters() {
    let names = ["a", "b", "c"];
    let preferring =
        |(name, cooldown)| builder(name, &names).preferred_leader(id("a")).fail_back_cooldown(ms(cooldown));
    let mut group = Group::with([("a", 10), ("b", 2000), ("c", 9000)].map(preferring));
    group.start_all();
    assert_eq!(group.run_to_leader(ms(500)), id("a"));
    group.run(ms(300)).kill("a");
    let second = group.run_to_leader(ms(3000)).to_string();
    assert_eq!(second, "b");
    let position = *group.node("b").tail.0.borrow();
    group.start("a").run(ms(20)).set_tail("a", position).run(ms(1480));
    assert_eq!(group.leader(), Some(id("b")), "not before the leader's own cooldown");
    // The harness checks at every step that never two leases run.
    let drained = group.run_until(ms(3000), |group| reported(group, "b", "HandoverBegan"));
    assert!(drained.is_some(), "{}", group.story());
    group.input("b", elect_core::Elector::on_drained).run(ms(1000));
    assert_eq!((group.leader(), group.leaders.len()), (Some(id("a")), 3), "{}", group.story());
    let handed = |seen: &Seen| matches!(seen, Seen::Lost(_, StepDown::HandedOver(to)) if *to == id("a"));
    assert_eq!(group.count("b", handed), 1);
}

/// A heartbeat of an id outside the configuration satisfied the quorum (A, D).
#[test]
fn stranger_counts() {
    let mut group = alone("a", &["a", "b", "c"]);
    for _ in 0..20 {
        for stranger in ["x", "y", "z"] {
            let frame = frame(&group, "b", "a", 0, Standing::Free, heartbeat());
            group.inject(stranger, "a", &frame);
        }
        group.run(ms(50));
    }
    assert!(!reported(&group, "a", "Stood"), "{}", group.story());
    assert!(reported(&group, "a", "Stranger"));
}

/// A leader that nobody hears, or that hears only old buffered heartbeats, kept its quorum (A, D).
#[test]
fn deaf_leader() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let buffered: Vec<_> = group.sent.iter().filter(|sent| sent.2 == id("a")).cloned().collect();
    group.cut_one_way("b", "a").cut_one_way("c", "a");
    for (_, from, _, frame) in buffered.iter().rev().cycle().take(60) {
        let (from, frame) = (from.to_string(), frame.clone());
        group.inject(&from, "a", &frame).run(ms(10));
    }
    assert_eq!(losses(&group, "a"), 1, "old acknowledgements extend no lease\n{}", group.story());
    let second = group.run_to_leader(ms(1000));
    assert_ne!(second, id("a"));
    let silent_since = group.now;
    group.run(ms(1000));
    let claims = |sent: &&(_, _, _, elect_core::Frame)| {
        sent.0 >= silent_since && sent.1 == id("a") && matches!(sent.3.header.standing, Standing::Leading(_))
    };
    assert_eq!(group.sent.iter().filter(claims).count(), 0, "it is silent as a leader");
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
