//! Disks that were lost, cloned or restored, and lists that differ.

use elect_core::{
    Body, Elector, NotRebuilt, RebuiltTo, Record, Refusal, RequestRefused, Standing, StartRefused, Stopped,
};

use crate::harness::{Group, builder, id, ms};
use crate::puppets::*;

/// `name`'s disk is lost, and an operator replaces it.
fn replace(group: &mut Group, name: &str) {
    group.kill(name);
    let node = group.node_mut(name);
    node.disk.record = Record::replacement(&node.config);
    *node.tail.0.borrow_mut() = None;
    group.start(name).run(ms(2));
}

/// A voter accepted, lost its disk while the accept was under way, and voted for another in the same epoch.
#[test]
fn amnesiac_with_accept_in_flight() {
    let mut group = alone("c", &["a", "b", "c"]);
    says(&mut group, "a", "c", 4, Standing::Standing(e(5)), offer(5));
    group.run(ms(2));
    assert!(accepted(&group, "c", "a").is_some());
    replace(&mut group, "c");
    for epoch in [5, 6] {
        group.run(ms(1000));
        says(&mut group, "b", "c", 4, Standing::Standing(e(epoch)), offer(epoch));
        group.run(ms(2));
        assert!(accepted(&group, "c", "b").is_none(), "{}", group.story());
    }
    assert_eq!(refused(&group, "c", "b"), Some(Refusal::Replaced));
}

/// A node with an empty disk confirmed a leader, and the quorum was one that held nothing.
#[test]
fn amnesiac_voter() {
    let mut group = led_by_a(&["a", "b", "c"]);
    replace(&mut group, "c");
    group.kill("b").run(ms(1500));
    assert_eq!(group.leader(), None, "its acknowledgements count for nothing\n{}", group.story());
    group.start("b").run_to_leader(ms(2000));
}

/// A replaced node got its vote back from a leader that had not caught up itself.
#[test]
fn amnesiac_confirms_uncaught_leader() {
    let mut group = led_by_a(&["a", "b", "c"]);
    replace(&mut group, "c");
    group.run(ms(300));
    let claim = |group: &mut Group, entry| {
        group.request("c", |elector, now| elector.on_rebuilt(RebuiltTo { entry }, now)).map_err(|refused| {
            match refused {
                RequestRefused::NotRebuilt(why) => why,
                other => panic!("{other}"),
            }
        })
    };
    let own = Some(at(1, 2));
    assert_eq!(claim(&mut group, own), Err(NotRebuilt::TooEarly), "a promise forgotten may still run");
    group.run(ms(500));
    assert_eq!(claim(&mut group, Some(at(0, 900))), Err(NotRebuilt::NotOfTheLeader));
    assert_eq!(claim(&mut group, None), Err(NotRebuilt::NotOfTheLeader));
    assert_eq!(claim(&mut group, own), Ok(()));
    group.run(ms(10)).kill("b").run(ms(1500));
    assert!(reported(&group, "c", "Rebuilt"));
    assert_eq!(group.leader(), Some(id("a")), "its word counts again\n{}", group.story());
}

/// Two processes ran with copies of one disk, and both voted.
#[test]
fn cloned_disk() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let mut copy = group.node("c").disk.record;
    copy.incarnation.counter -= 1;
    group.kill("c").run(ms(100));
    // Each start draws its own random part.
    let config = builder("c", &["a", "b", "c"]).seed(8).build().unwrap();
    group.add(config, copy);
    group.start("c").run(ms(500));
    assert!(reported(&group, "c", "Cloned"), "{}", group.story());
    assert_eq!(group.leader(), Some(id("a")), "{}", group.story());
    let epoch = group.node("c").disk.record.epoch;
    group.run(ms(3000));
    assert_eq!(group.node("c").disk.record.epoch, epoch, "it has stopped");
}

/// A backup of the record was restored: the node forgot its votes and voted again.
#[test]
fn restored_backup() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let backup = group.node("c").disk.record;
    for _ in 0..3 {
        group.restart("c").run(ms(100));
    }
    group.kill("c");
    group.node_mut("c").disk.record = Record { incarnation: backup.incarnation, ..backup };
    group.start("c").run(ms(500));
    assert!(reported(&group, "c", "Stopped"), "{}", group.story());
    let explained = group.elector("c").explain(group.now).stopped.unwrap();
    assert!(explained.contains("clone or an old backup"), "{explained}");
}

/// The vote file rotted and read as a fresh one (NATS 2.12.1): a record of nothing votes for anybody.
#[test]
fn rotted_vote() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.restart("c").run(ms(200)).kill("c");
    let fresh = Record::first_boot(&group.node("c").config);
    group.node_mut("c").disk.record = fresh;
    group.start("c").run(ms(500));
    // Its peers know a later life of it.
    assert!(reported(&group, "c", "Stopped"), "{}", group.story());
    assert!(!reported(&group, "c", "Accepted { candidate: b"));
}

/// Three members here, five there: two quorums without a common member.
#[test]
fn lists_differ() {
    let five = builder("a", &["a", "b", "c", "d", "e"]).build().unwrap();
    let three = builder("a", &["a", "b", "c"]).build().unwrap();
    let record = Record::first_boot(&three);
    let refused = Elector::new(five, record, elect_core::Time::ZERO).unwrap_err();
    assert!(matches!(refused, StartRefused::OtherMembers { .. }), "{refused}");

    let small = ["a", "b"].map(|name| builder(name, &["a", "b", "c"]));
    let large = ["c", "d", "e"].map(|name| builder(name, &["a", "b", "c", "d", "e"]));
    let mut group = Group::with(small.into_iter().chain(large));
    group.start("a").start("b").start("c").start("d").run(ms(3000));
    assert_eq!(group.leaders.len(), 1, "{}", group.story());
    assert!(reported(&group, "a", "OtherGroup") && reported(&group, "c", "OtherGroup"));
    assert_eq!(group.node("c").disk.record.epoch, e(0), "c counts for neither");
}

/// A node that stopped went on refusing loudly for ever, or came back by itself (hashicorp #503, #614).
#[test]
fn bad_disk_recandidate() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.node_mut("b").disk.fails = true;
    group.kill("a");
    let took = group.run_until(ms(3000), |group| group.leader().is_some());
    assert_eq!(took, None, "two of three cannot save or do not run\n{}", group.story());
    assert_eq!(
        group.count("b", |seen| matches!(seen, crate::harness::Seen::Other(s) if s.contains("Stood"))),
        1
    );
    group.node_mut("b").disk.fails = false;
    group.run(ms(5000));
    assert_eq!(group.leader(), None, "stopped is stopped");
    group.start("a");
    assert_ne!(group.run_to_leader(ms(2000)), id("b"), "{}", group.story());
    assert!(
        matches!(Stopped::StorageFailed("full".into()).to_string(), text if text.contains("repair or replace"))
    );
}

/// A leader's disk hung and everything behind it hung with it.
#[test]
fn hung_disk_leader() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.node_mut("a").hangs = true;
    group.input("a", |elector, now| elector.set_health(elect_core::Health::Unfit, now));
    let took = group.run_until(ms(2000), |group| group.leader().is_some()).unwrap();
    assert!(took < ms(20), "its host says so, and the best other takes over: {took:?}\n{}", group.story());
    let offer = last_sent(&group, "a", "b", |frame| matches!(frame.body, Body::Release { .. }));
    assert!(offer.is_some());
}
