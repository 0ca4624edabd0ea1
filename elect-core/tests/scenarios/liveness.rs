//! What left a group without a leader, where a text of the simulator cannot say it.

use elect_core::{Body, Elector, PeerState};

use crate::harness::{Group, Seen, builder, id, ms};
use crate::puppets::*;

/// A voter whose durable epoch is far above the leader's returns (the other half of `inflated-epoch`).
#[test]
fn inflated_epoch_returns() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.kill("c");
    group.node_mut("c").disk.record.epoch = e(766);
    group.start("c").run(ms(700));
    assert_eq!(losses(&group, "a"), 0, "L2: without a leaderless gap\n{}", group.story());
    let raised = |seen: &Seen| matches!(seen, Seen::Raised(from, to) if *from == e(1) && *to > e(766));
    assert_eq!(group.count("a", raised), 1, "{}", group.story());
    assert_eq!(leader_of(&group, "c").map(|of| of.0), Some("a".into()), "L6\n{}", group.story());
    group.kill("a");
    let took = group.run_until(ms(3000), |group| group.leader().is_some()).unwrap();
    assert!(took < ms(520), "{took:?}");
}

/// The configured primary never came up: no election ever (A).
#[test]
fn nobody_primary_comes_up() {
    let names = ["a", "b", "c"];
    let mut group = Group::with(names.map(|name| builder(name, &names).preferred_leader(id("a"))));
    group.start("b").start("c");
    let leader = group.run_to_leader(ms(500));
    group.run(ms(2000));
    assert_eq!(group.leader(), Some(leader), "{}", group.story());
}

/// A hub and a spoke elect over the ruins of a bigger group: a frame from a removed member changes nothing.
#[test]
fn a_removed_node_disturbs_nobody() {
    let mut group = led_by_a(&["a", "b", "c"]);
    for _ in 0..50 {
        let mut claim = frame(
            &group,
            "b",
            "c",
            9,
            PeerState::Candidate(e(10)),
            Body::Offer { epoch: e(10), detection: D, detection_max: D },
        );
        claim.header.members = elect_core::Digest::from_bits(1);
        group.inject("b", "c", &claim).inject("x", "c", &claim).run(ms(20));
    }
    assert!(reported(&group, "c", "OtherGroup") && reported(&group, "c", "Stranger"));
    assert_eq!(
        (group.leader(), group.node("c").disk.record.epoch),
        (Some(id("a")), e(1)),
        "{}",
        group.story()
    );
}

/// The target of a handover dies, and the transport sees its connections close (as `handover-target-dies` does not).
#[test]
fn handover_target_dies_visibly() {
    let mut group = led_by_a(&["a", "b", "c", "d", "e"]);
    let position = *group.node("a").tail.0.borrow();
    group.set_tail("b", position).run(ms(200));
    group.request("a", |elector, now| elector.request_handover(Some(id("b")), now)).unwrap();
    group.kill("b").input("a", Elector::on_drained).run(ms(2));
    for name in ["a", "c", "d", "e"] {
        group.link(name, "b", elect_core::LinkState::Closed);
    }
    let took = group
        .run_until(ms(4000), |group| group.leader().is_some())
        .unwrap_or_else(|| panic!("{}", group.story()));
    assert!(took < ms(250), "{took:?}\n{}", group.story());
}

/// Every node drew the same random waits and collided for ever (`same-jitter-everywhere`, with one seed after another).
#[test]
fn equal_seeds_on_all_nodes_elect_somebody() {
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

/// Whatever a group does while nothing happens, it does it without elections: ten virtual minutes.
#[test]
fn nothing_happens() {
    let mut group = led_by_a(&["a", "b", "c", "d", "e"]);
    group.sent.clear();
    group.run(ms(1000));
    let claims = group.sent.iter().filter(|sent| matches!(sent.3.header.state, PeerState::Leader(_))).count();
    assert_eq!(claims, 80, "twenty heartbeats to four followers");
    group.record_traffic = false;
    group.run(ms(600_000));
    assert_eq!((group.leader(), group.leaders.len()), (Some(id("a")), 1), "{}", group.story());
}
