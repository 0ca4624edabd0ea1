//! The host's data path: fences, positions, and the way into office, with a log small enough to read.

use std::cell::RefCell;
use std::rc::Rc;

use elect_core::{Body, Fence, Fenced, Gate, Gated, Log, Position, Stamp, StepDown, StorageFailed};

use crate::harness::{Group, Seen, builder, id, ms};
use crate::puppets::*;

/// Entries in memory, a prefix of them durable. Each is the epoch that wrote it.
#[derive(Clone, Default)]
struct Entries(Rc<RefCell<(Vec<u64>, usize)>>);

impl Entries {
    fn append(&self, epoch: u64) {
        self.0.borrow_mut().0.push(epoch);
    }

    fn sync(&self) {
        let mut log = self.0.borrow_mut();
        log.1 = log.0.len();
    }
}

impl Log for Entries {
    /// Both halves of the same durable entry.
    fn last_durable(&self) -> Option<Position> {
        let log = self.0.borrow();
        log.1.checked_sub(1).map(|last| at(log.0[last], log.1 as u64))
    }
}

fn stamp(epoch: u64) -> Stamp {
    Stamp::received(e(epoch))
}

/// `c` follows `a` in epoch 1 behind a fence over `entries`; `a` and `b` are puppets.
fn follower(entries: &Entries) -> (Group, Rc<Fence<Entries>>) {
    let mut group = alone("c", &["a", "b", "c"]);
    let fence = Rc::new(Fence::new(entries.clone()));
    group.node_mut("c").hangs = true;
    says(&mut group, "a", "c", 1, elect_core::Standing::Leading(e(1)), leads(D));
    commit(&mut group, &fence);
    assert_eq!(leader_of(&group, "c"), Some(("a".into(), e(1))));
    (group, fence)
}

/// Commits the gate that `c` hangs on, with the host's own fence.
fn commit(group: &mut Group, fence: &Fence<Entries>) {
    let node = group.node_mut("c");
    let gate: Gate = node.take_gate().expect("a gate waits");
    let result: Result<Gated, StorageFailed> = gate.commit(&mut node.disk, fence);
    group.input("c", |elector, now| elector.on_gated(result, now));
}

/// A follower accepted a new epoch while an append of the old one was being synced, then acknowledged it: the new
/// primary did not have it.
#[test]
fn late_sync_acks() {
    let entries = Entries::default();
    let (mut group, fence) = follower(&entries);
    fence.apply(stamp(1), |log| log.append(1)).unwrap();
    entries.sync();
    fence.apply(stamp(1), |log| log.append(1)).unwrap();
    group.run(ms(600));
    says(&mut group, "b", "c", 1, elect_core::Standing::Standing(e(2)), offer(2));
    commit(&mut group, &fence);
    let accept = accepted(&group, "c", "b").unwrap();
    assert_eq!(accept.body, Body::Accept { epoch: e(2), position: Some(at(1, 1)), freeze: None });
    entries.sync();
    assert!(matches!(fence.ack(stamp(1)), Err(Fenced::Stale { .. })), "the last act of an acknowledgement");
}

/// Epoch of an entry in memory, offset of a durable one: a position that nobody holds.
#[test]
fn mixed_position() {
    let entries = Entries::default();
    let (mut group, fence) = follower(&entries);
    for _ in 0..5 {
        fence.apply(stamp(1), |log| log.append(1)).unwrap();
    }
    entries.sync();
    // Then an entry of the next epoch, which is in memory only.
    group.run(ms(600));
    says(&mut group, "b", "c", 1, elect_core::Standing::Standing(e(2)), offer(2));
    commit(&mut group, &fence);
    fence.apply(stamp(2), |log| log.append(2)).unwrap();
    group.run(ms(600));
    says(&mut group, "a", "c", 2, elect_core::Standing::Standing(e(3)), offer(3));
    commit(&mut group, &fence);
    let accept = accepted(&group, "c", "a").unwrap();
    assert_eq!(
        accept.body,
        Body::Accept { epoch: e(3), position: Some(at(1, 5)), freeze: None },
        "the last durable entry"
    );
}

/// A data stamp raised the fence, and the restart forgot it: a floor that no record backs.
#[test]
fn fence_outruns_record() {
    let entries = Entries::default();
    let (group, fence) = follower(&entries);
    assert!(matches!(fence.apply(stamp(9), |log| log.append(9)), Err(Fenced::Ahead { .. })));
    assert_eq!(fence.floor(), group.node("c").disk.record.epoch, "a stamp raises nothing");
    fence.apply(stamp(1), |log| log.append(1)).unwrap();
    // After a restart the floor starts where the record stands.
    let mut group = group;
    group.node_mut("c").hangs = false;
    group.restart("c").run(ms(2));
    assert_eq!(group.node("c").fence.floor(), e(1));
}

/// A new primary served before an entry of its own epoch was on a write quorum: Raft's figure 8.
#[test]
fn serves_before_own_entry() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.node_mut("a").serves = false;
    group.set_tail_before_start("a", at(0, 7)).start_all();
    assert_eq!(group.run_to_leader(ms(500)), id("a"));
    let elected = group.node_mut("a").elected.take().unwrap();
    let caught_up = elected.caught_up(Some(at(0, 7))).unwrap();
    let (caught_up, refused) = caught_up.own_entry_committed(at(0, 8)).unwrap_err();
    assert_eq!(refused.entry, at(0, 8), "an older epoch's entry proves nothing");
    let office = caught_up.own_entry_committed(at(1, 8)).unwrap();
    assert!(office.stamp(group.now).is_ok());
}

/// The winner cut itself down to the empty log of the voter that it caught up from.
#[test]
fn source_lost_its_disk() {
    let (mut group, acknowledged) = winner_behind("c");
    let elected = group.node_mut("b").elected.take().unwrap();
    let source = elected.catch_up_from().expect("c holds more");
    assert_eq!((source.peer, source.position), (id("c"), acknowledged));
    // The source comes back with an empty log: whatever it sends, this is not what the accept reported.
    group.kill("c").set_tail_before_start("c", None).start("c").run(ms(5));
    let (elected, refused) = elected.caught_up(None).unwrap_err();
    assert_eq!(refused.needed, acknowledged);
    drop(elected);
    group.start("a").run(ms(20));
    group.input("b", elect_core::Elector::on_source_lost).run(ms(200));
    let raised = |seen: &Seen| matches!(seen, Seen::Raised(..));
    assert_eq!(group.count("b", raised), 1, "it asks a quorum anew\n{}", group.story());
    assert_eq!(losses(&group, "b"), 0);
}

/// `a` led and died, `c` holds an acknowledged entry but never leads, `b` wins and is behind.
fn winner_behind(best: &str) -> (Group, Position) {
    let names = ["a", "b", "c"];
    let config = |name| builder(name, &names).never_leader(name == best).office_timeout(ms(3000));
    let mut group = Group::with(names.map(config));
    group.start_all();
    assert_eq!(group.run_to_leader(ms(500)), id("a"));
    group.run(ms(200)).set_tail(best, Some(at(1, 40))).run(ms(200));
    group.node_mut("b").serves = false;
    group.kill("a");
    assert_eq!(group.run_to_leader(ms(3000)), id("b"));
    (group, at(1, 40))
}

/// The winner could not reach the voter to catch up from, and nobody served for ever (L5).
#[test]
fn cannot_reach_catch_up_source() {
    let names = ["a", "b", "c"];
    let mut group = Group::with(names.map(|name| builder(name, &names).office_timeout(ms(800))));
    group.start_all();
    assert_eq!(group.run_to_leader(ms(500)), id("a"));
    group.run(ms(200)).set_tail("c", Some(at(1, 40))).run(ms(200));
    // b's priority is the same and its log shorter, but c hesitates once.
    group.input("c", |elector, now| elector.set_health(elect_core::Health::Unfit, now));
    group.node_mut("b").serves = false;
    group.kill("a");
    assert_eq!(group.run_to_leader(ms(3000)), id("b"), "{}", group.story());
    group.input("c", |elector, now| elector.set_health(elect_core::Health::Healthy, now));
    group.run(ms(900));
    assert_eq!(
        group.count("b", |seen| matches!(seen, Seen::Lost(_, StepDown::NeverServed))),
        1,
        "{}",
        group.story()
    );
    group.run(ms(300));
    assert_eq!(group.leader(), Some(id("c")), "b stands behind the others\n{}", group.story());
    assert!(group.node("c").office.is_some());
}

/// Observers' copies counted towards the write quorum.
#[test]
fn observer_counts_as_holder() {
    let names = ["a", "b", "c"];
    let voters = names.map(|name| builder(name, &names).observers([id("x"), id("y")]));
    let observers = ["x", "y"].map(|name| builder(name, &names).observers([id("x"), id("y")]));
    let mut group = Group::with(voters.into_iter().chain(observers));
    group.start_all();
    assert_eq!(group.run_to_leader(ms(500)), id("a"));
    group.run(ms(200));
    let members = group.node("a").config.members().clone();
    assert_eq!(members.quorum(), 2);
    assert_eq!(members.iter().filter(|member| member.kind.votes()).count(), 3, "observers are no part of it");
    assert_eq!(leader_of(&group, "x").map(|of| of.0), Some("a".into()), "they follow");
    group.kill("b").kill("c").run(ms(600));
    assert_eq!(group.leader(), None, "and grant nothing\n{}", group.story());
}

/// A read checked the lease, then took the value: by then another primary had written it.
#[test]
fn dirty_lease_read() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let office = group.node("a").office.clone().unwrap();
    let value = office.finish_read("before", || group.now);
    assert_eq!(value, Ok("before"));
    group.isolate("a").run_until(ms(3000), |g| g.leader().is_some_and(|leader| leader != id("a"))).unwrap();
    assert!(office.finish_read("stale", || group.now).is_err(), "the clock is read after the value");
}

/// The same between check and serve (etcd #20418): the lease ends while the value is being formatted.
#[test]
fn pause_between_check_and_serve() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let office = group.node("a").office.clone().unwrap();
    let stamp = office.stamp(group.now).unwrap();
    group.node_mut("a").paused = true;
    group.run_until(ms(3000), |g| g.leader().is_some_and(|leader| leader != id("a"))).unwrap();
    assert!(office.check(group.now).is_err(), "the last act before an acknowledgement");
    let follower = ["b", "c"].into_iter().find(|name| group.leader() != Some(id(name))).unwrap();
    assert!(
        matches!(group.node(follower).fence.ack(stamp), Err(Fenced::Stale { .. })),
        "and the fence agrees"
    );
}

/// While a leader re-offered itself its own followers' fences refused its writes.
#[test]
fn fence_during_reoffer() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let office = group.node("a").office.clone().unwrap();
    group.kill("c");
    group.node_mut("c").disk.record.epoch = e(7);
    // The re-offer's accepts do not arrive: it stays open.
    group.start("c").cut_one_way("b", "a");
    group.run_until(ms(400), |group| group.node("b").fence.floor() > e(7)).expect("b adopts");
    let old = office.stamp(group.now).expect("it goes on serving");
    assert_eq!(group.node("b").fence.ack(old), Ok(()), "{}", group.story());
    assert_eq!(group.node("a").fence.ack(old), Ok(()));
    group
        .heal()
        .run_until(ms(500), |group| group.count("a", |seen| matches!(seen, Seen::Raised(..))) > 0)
        .unwrap();
    group.run(ms(100));
    for name in ["a", "b", "c"] {
        assert!(
            group.node(name).fence.ack(old).is_err(),
            "{name}: the old epoch is closed once the new one is led"
        );
    }
    let new = group.node("a").office.as_ref().unwrap().stamp(group.now).unwrap();
    assert_eq!(group.node("b").fence.ack(new), Ok(()));
    assert_eq!(losses(&group, "a"), 0);
}

/// A primary that was cut off for 43 s wrote on, and the repair took a day (GitHub, 2018).
#[test]
fn unfenced_old_primary() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let office = group.node("a").office.clone().unwrap();
    let stamp = office.stamp(group.now).unwrap();
    group.isolate("a").run(ms(43_000)).heal();
    for name in ["b", "c"] {
        let refused = group.node(name).fence.apply(stamp, |log| *log.0.borrow_mut() = Some(at(1, 999)));
        assert!(matches!(refused, Err(Fenced::Stale { .. })), "{name}");
    }
    group.run(ms(500));
    assert!(group.node("a").fence.apply(stamp, |_| ()).is_err(), "at home too, once it follows");
}

/// A winner's setup failed, it kept the lease, and nobody served (nomad #8470).
#[test]
fn elected_but_setup_fails() {
    let names = ["a", "b", "c"];
    let mut group = Group::with(names.map(|name| builder(name, &names).office_timeout(ms(300))));
    group.node_mut("a").serves = false;
    group.start_all();
    assert_eq!(group.run_to_leader(ms(500)), id("a"));
    group.run(ms(800));
    assert_eq!(group.count("a", |seen| matches!(seen, Seen::Lost(_, StepDown::NeverServed))), 1);
    assert!(group.leader().is_some_and(|leader| leader != id("a")), "{}", group.story());
}

/// A replica with an empty log asked first and won; the others threw their data away (valkey #4317).
#[test]
fn empty_replica_asks_first() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let acknowledged = Some(at(1, 30));
    group.set_tail("c", acknowledged).run(ms(200)).kill("a");
    let winner = group.run_to_leader(ms(3000));
    assert_eq!(winner, id("c"), "the best stands first\n{}", group.story());
    // And where the empty one wins all the same, it is told to catch up first.
    let (mut group, needed) = winner_behind("c");
    let elected = group.node_mut("b").elected.take().unwrap();
    assert_eq!(elected.caught_up(None).unwrap_err().1.needed, needed);
}

/// A leader that campaigned again regressed its own lease (cockroach #133764).
#[test]
fn lease_regress_on_self_campaign() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let before = group.elector("a").authority().lease(group.now).unwrap();
    group.kill("c");
    group.node_mut("c").disk.record.epoch = e(7);
    group.start("c");
    let mut last = before.epoch;
    // At every step the leader's own new epoch replaces the old one without a gap.
    let raised = group.run_until(ms(600), |group| {
        let lease = group.elector("a").authority().lease(group.now).expect("never without a lease");
        assert!(lease.epoch >= last);
        last = lease.epoch;
        lease.epoch > e(7)
    });
    assert!(raised.is_some(), "{}", group.story());
}
