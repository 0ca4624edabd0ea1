//! Failures that other systems became known for.

use elect_core::{Elector, Standing, StepDown};

use crate::harness::{Group, Seen, id, ms};
use crate::puppets::*;

/// A switch dropped the traffic between some pairs, in both directions or in one: 6 h 33 m without a leader at
/// Cloudflare's etcd on 2020-11-02.
#[test]
fn cloudflare_2020_11_02() {
    for one_way in [false, true] {
        for (left, right) in [("a", "b"), ("b", "a"), ("a", "c"), ("c", "a"), ("b", "c"), ("c", "b")] {
            let mut group = led_by_a(&["a", "b", "c"]);
            if one_way {
                group.cut_one_way(left, right);
            } else {
                group.cut(left, right);
            }
            group.run(ms(3000));
            let leader = group.leader();
            assert!(
                leader.is_some() && group.leaders.len() <= 2,
                "{left} {right} {one_way}\n{}",
                group.story()
            );
            group.run(ms(10_000));
            assert_eq!(group.leader(), leader, "it does not flap\n{}", group.story());
        }
    }
}

/// The leader is alive and connected, but not with a quorum; one follower is (`OmniPaxos`, quorum loss).
#[test]
fn omni_quorum_loss() {
    let mut group = led_by_a(&["a", "b", "c", "d", "e"]);
    for (left, right) in [("a", "c"), ("a", "d"), ("a", "e"), ("c", "d"), ("c", "e"), ("d", "e")] {
        group.cut(left, right);
    }
    let took = group
        .run_until(ms(4000), |g| g.leader() == Some(id("b")))
        .unwrap_or_else(|| panic!("{}", group.story()));
    assert!(took < ms(1700), "{took:?}");
    group.run(ms(5000));
    assert_eq!(group.leader(), Some(id("b")), "{}", group.story());
}

/// The leader is gone, and the one who reaches a quorum has the shortest log (`OmniPaxos`, constrained election).
#[test]
fn omni_constrained() {
    let mut group = led_by_a(&["a", "b", "c", "d", "e"]);
    for name in ["c", "d", "e"] {
        group.set_tail(name, Some(at(1, 50)));
    }
    group.run(ms(200)).isolate("a");
    for (left, right) in [("c", "d"), ("c", "e"), ("d", "e")] {
        group.cut(left, right);
    }
    let leader = group.run_until(ms(4000), |g| g.leader() == Some(id("b")));
    assert!(leader.is_some(), "the connected node wins\n{}", group.story());
    assert_eq!(
        *group.node("b").tail.0.borrow().as_ref().unwrap(),
        at(group_epoch(&group, "b"), 51),
        "caught up first"
    );
}

fn group_epoch(group: &Group, name: &str) -> u64 {
    group.elector(name).authority().lease(group.now).unwrap().epoch.number()
}

/// A chain: the ends depose each other through the middle for ever (`OmniPaxos`, chained).
#[test]
fn omni_chained() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.cut("a", "c").run(ms(20_000));
    assert_eq!((group.leader(), group.leaders.len()), (Some(id("a")), 1), "{}", group.story());
    group.heal().cut("a", "b").run(ms(20_000));
    assert_eq!((group.leader(), group.leaders.len()), (Some(id("a")), 1), "{}", group.story());
}

/// A bridge node heard a leader that had lost its quorum and kept everybody from electing (openraft #2080).
#[test]
fn bridge_hears_quorumless_leader() {
    let mut group = led_by_a(&["a", "b", "c", "d", "e"]);
    for cut in ["b", "c", "d"] {
        group.cut("a", cut);
    }
    let took = group.run_until(ms(4000), |g| g.leader().is_some_and(|l| l != id("a")));
    assert!(took.is_some_and(|took| took < ms(1700)), "{took:?}\n{}", group.story());
    group.run(ms(5000));
    assert_eq!(
        leader_of(&group, "e").map(|of| of.0),
        group.leader().map(|l| l.to_string()),
        "the bridge follows"
    );
}

/// A node that reached only part of the group deposed the leader through its votes there (openraft #1796, etcd
/// #8243).
#[test]
fn prevote_cross_cohort() {
    let mut group = led_by_a(&["a", "b", "c", "d", "e"]);
    group.cut("a", "e").cut("b", "e").run(ms(10_000));
    assert_eq!((group.leader(), group.leaders.len()), (Some(id("a")), 1), "{}", group.story());
    assert_eq!(losses(&group, "a"), 0);
    assert!(!reported(&group, "e", "Stood"));
}

/// A rejoining node with a higher term took the leader down (etcd #9333).
#[test]
fn rejoin_disrupts() {
    let mut group = led_by_a(&["a", "b", "c", "d", "e"]);
    for _ in 0..5 {
        group.isolate("e").run(ms(2000)).heal().run(ms(500));
    }
    assert_eq!((group.leader(), group.leaders.len()), (Some(id("a")), 1), "{}", group.story());
}

/// Two intersecting partitions left a cluster with two masters (Elasticsearch #2488).
#[test]
fn intersecting_partitions() {
    let mut group = led_by_a(&["a", "b", "c"]);
    for (left, right) in [("a", "b"), ("b", "c"), ("a", "c")] {
        group.heal().run(ms(500)).cut(left, right).run(ms(5000));
        assert!(group.leader().is_some(), "{}", group.story());
    }
    assert_eq!(group.leaders.len(), 1, "{}", group.story());
}

/// The handover was undone by the old leader itself, who stood at once (raft-rs #594, canonical/raft #203).
#[test]
fn transfer_undone() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let position = *group.node("a").tail.0.borrow();
    group.set_tail("c", position).run(ms(200));
    group.request("a", |elector, now| elector.request_handover(Some(id("c")), now)).unwrap();
    group.input("a", Elector::on_drained);
    let took = group
        .run_until(ms(1000), |group| group.leader() == Some(id("c")))
        .unwrap_or_else(|| panic!("{}", group.story()));
    assert!(took <= ms(5), "news, offer, save, accept: {took:?}");
    group.run(ms(5000));
    assert_eq!((group.leader(), group.leaders.len()), (Some(id("c")), 2), "{}", group.story());
    assert!(!reported(&group, "b", "Stood"), "the others leave it a head start");
}

/// Asking twice was two handovers (valkey #3996).
#[test]
fn duplicate_handover() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let position = *group.node("a").tail.0.borrow();
    group.set_tail("b", position).set_tail("c", position).run(ms(200));
    for _ in 0..3 {
        group.request("a", |elector, now| elector.request_handover(Some(id("b")), now)).unwrap();
    }
    group.request("a", |elector, now| elector.request_handover(Some(id("c")), now)).unwrap_err();
    group.input("a", Elector::on_drained).input("a", Elector::on_drained).run(ms(2000));
    assert_eq!((group.leader(), group.leaders.len()), (Some(id("b")), 2), "{}", group.story());
    assert_eq!(group.count("a", |seen| matches!(seen, Seen::Other(s) if s.starts_with("HandoverBegan"))), 1);
}

/// The target died right after the step-down, and its head start kept everybody waiting.
#[test]
fn handover_target_dies() {
    let mut group = led_by_a(&["a", "b", "c", "d", "e"]);
    let position = *group.node("a").tail.0.borrow();
    group.set_tail("b", position).run(ms(200));
    group.request("a", |elector, now| elector.request_handover(Some(id("b")), now)).unwrap();
    group.kill("b").input("a", Elector::on_drained);
    assert_eq!(group.count("a", |seen| matches!(seen, Seen::Lost(_, StepDown::HandedOver(_)))), 1);
    let took = group
        .run_until(ms(4000), |group| group.leader().is_some())
        .unwrap_or_else(|| panic!("{}", group.story()));
    assert!(took < ms(600), "the head start ends with the connection: {took:?}\n{}", group.story());
}

/// The same with a transport that sees connections close: at once.
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

/// A leader that dies while failover is frozen is not replaced until the freeze ends, and `explain` says so.
#[test]
fn frozen_failover() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.request("b", |elector, now| elector.pause(ms(5000), now)).unwrap();
    group.run(ms(200)).kill("a").run(ms(3000));
    assert_eq!(group.leader(), None);
    let why = group.elector("b").explain(group.now).to_string();
    assert!(why.contains("frozen") || why.contains("paused"), "{why}");
    group.request("c", Elector::resume).unwrap();
    let took = group
        .run_until(ms(1000), |group| group.leader().is_some())
        .unwrap_or_else(|| panic!("{}", group.story()));
    assert!(took < ms(200), "{took:?}");
}

/// Whatever a group does while nothing happens, it does it without elections: ten virtual minutes.
#[test]
fn nothing_happens() {
    let mut group = led_by_a(&["a", "b", "c", "d", "e"]);
    group.sent.clear();
    group.run(ms(1000));
    let claims =
        group.sent.iter().filter(|sent| matches!(sent.3.header.standing, Standing::Leading(_))).count();
    assert_eq!(claims, 80, "twenty heartbeats to four followers");
    group.record_traffic = false;
    group.run(ms(600_000));
    assert_eq!((group.leader(), group.leaders.len()), (Some(id("a")), 1), "{}", group.story());
}
