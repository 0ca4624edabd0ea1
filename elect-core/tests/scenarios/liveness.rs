//! What left a group without a leader in the systems that came before.

use elect_core::{Body, Standing};

use crate::harness::{Group, Seen, builder, id, ms};
use crate::puppets::*;

/// An elected primary restarted quickly as a replica; the others saw it alive and followed it for ever (A).
#[test]
fn restart_in_time() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.kill("a").run(ms(20)).start("a");
    let took = group.run_until(ms(3000), |group| group.leader().is_some()).expect("somebody leads again");
    // Its own save and first frames, then news, offer, save and accept; nobody waits for a promise.
    assert!(took < ms(12), "{took:?}\n{}", group.story());
    group.run(ms(2000));
    assert_eq!(group.leaders.len(), 2, "{}", group.story());
}

/// A voter that missed one announcement never followed, and later deposed the healthy winner (A).
#[test]
fn announce_lost() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.start_all();
    group.run_until(ms(500), |group| group.leader().is_some()).unwrap();
    group.cut_one_way("a", "c").run(ms(10)).heal();
    let took = group.run_until(ms(500), |group| leader_of(group, "c").is_some()).unwrap();
    assert!(took <= ms(60), "the next heartbeat tells it: {took:?}");
    group.run(ms(5000));
    assert_eq!((group.leader(), group.leaders.len()), (Some(id("a")), 1), "{}", group.story());
}

/// Isolated for an hour, epoch 766; the next failover took an hour, because refusals carried no epoch (A).
#[test]
fn inflated_epoch() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.record_traffic = false;
    group.isolate("c").run(ms(3_600_000));
    assert_eq!(group.node("c").disk.record.epoch, e(1), "L4: an isolated node adds no epochs");
    group.heal().run(ms(1000));
    assert_eq!((group.leader(), group.leaders.len()), (Some(id("a")), 1), "{}", group.story());
    group.kill("a");
    let took = group.run_until(ms(3000), |group| group.leader().is_some()).unwrap();
    assert!(took < ms(520), "{took:?}");
}

/// The same disease, caught another way: a voter whose durable epoch is far above the leader's returns.
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

/// The best replica alone still heard the primary, and nobody else offered (A).
#[test]
fn best_hears_dead() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let position = *group.node("a").tail.0.borrow();
    group.set_tail("b", position).run(ms(200));
    group.cut("a", "c").cut_one_way("b", "a");
    let took = group.run_until(ms(3000), |g| g.leader().is_some_and(|l| l != id("a"))).expect("a leader");
    // a's lease, then a's own round, which b alone hears.
    assert!(took < ms(700), "{took:?}\n{}", group.story());
    assert_eq!(group.leader(), Some(id("b")), "{}", group.story());
}

/// Everyone booted as a replica: no election ever (A).
#[test]
fn nobody_primary() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.start_all();
    let took = group.run_until(ms(500), |group| group.leader().is_some()).unwrap();
    // L8: the incarnation's save, then two round trips and one save.
    assert!(took <= ms(7), "{took:?}\n{}", group.story());
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

/// Two announcements crossed: a followed b and b followed a, for ever (A).
#[test]
fn crossed_announce() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.input("a", |elector, now| elector.set_health(elect_core::Health::Unfit, now));
    group.kill("c").run(ms(3));
    for (from, to, epoch) in [("a", "b", 7), ("b", "a", 8)] {
        let mut claim = frame(&group, from, to, epoch, Standing::Leading(e(epoch)), leads(D));
        claim.header.nonce.incarnation = group.node(from).disk.record.incarnation;
        group.inject(from, to, &claim);
    }
    group.input("a", |elector, now| elector.set_health(elect_core::Health::Healthy, now));
    let took = group
        .run_until(ms(3000), |group| group.leader().is_some())
        .unwrap_or_else(|| panic!("{}", group.story()));
    assert!(took < ms(700), "the next frames say that neither leads: {took:?}\n{}", group.story());
}

/// Only a star's hub could reach a quorum, and the id tie-break refused it for ever (A, B, D).
#[test]
fn hub_highest_id() {
    let leaves = ["a", "b", "c", "d"];
    let mut group = Group::voters(&["a", "b", "c", "d", "z"]);
    for (index, leaf) in leaves.iter().enumerate() {
        for other in &leaves[index + 1..] {
            group.cut(leaf, other);
        }
    }
    group.start_all();
    let leader = group.run_to_leader(ms(1500));
    assert_eq!(leader, id("z"), "{}", group.story());
    group.run(ms(5000));
    assert_eq!((group.leader(), group.leaders.len()), (Some(id("z")), 1), "{}", group.story());
}

/// The best candidate died in the middle of its election, and its round was waited for (A).
#[test]
fn best_dies_mid_election() {
    let mut group = led_by_a(&["a", "b", "c", "d", "e"]);
    group.kill("a");
    group.run_until(ms(3000), |group| reported(group, "b", "Stood")).unwrap();
    group.kill("b");
    let took = group
        .run_until(ms(3000), |group| group.leader().is_some())
        .unwrap_or_else(|| panic!("{}", group.story()));
    // Its offers bound the others for D.
    assert!(took < ms(900), "{took:?}\n{}", group.story());
}

/// A hub and a spoke elect over the ruins of a bigger group: a frame from a removed member changes nothing.
#[test]
fn a_removed_node_disturbs_nobody() {
    let mut group = led_by_a(&["a", "b", "c"]);
    for _ in 0..50 {
        let mut claim =
            frame(&group, "b", "c", 9, Standing::Standing(e(10)), Body::Offer { epoch: e(10), detection: D });
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
