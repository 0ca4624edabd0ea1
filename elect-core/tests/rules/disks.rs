//! R15, R27, R44, R45, R48, R64, R66 in detail: what a start records, what may be saved when, and whose gates count.

use elect_core::{
    Body, Duty, Health, Holder, Incarnation, NotRebuilt, PeerState, PromiseKind, RebuiltTo, Record,
    RequestRefused, Stopped, Time,
};

use crate::harness::{builder, id, ms};
use crate::solo::{D, INTERVAL, PROMISE, Solo, accept, at, beat, epoch, follows, lead, leading};

fn config() -> elect_core::Config {
    builder("a", &["a", "b", "c"]).build().unwrap()
}

/// A replacement of a node whose configuration allowed promises of two seconds.
fn replacement() -> Solo {
    Solo::from_record(config(), Record { detection_max: ms(2_000), ..Record::replacement(&config()) })
}

#[test]
fn r45_the_record_of_a_replacement_keeps_its_longest_promise_whomever_it_follows() {
    let mut a = replacement();
    a.follow("b", 5).follow("c", 6);
    assert_eq!(a.disk.record.detection_max, ms(2_000));
    // So it waits for that, however short the promises are that it hears of.
    let end = a.now + ms(2_020);
    while a.now < end {
        a.pass(ms(20).min(end.since(a.now)));
        a.hear_leader("c", 6);
    }
    let rebuilt =
        |a: &mut Solo| a.request(|elector, now| elector.on_rebuilt(RebuiltTo { entry: at(6, 1) }, now));
    assert_eq!(rebuilt(&mut a), Err(RequestRefused::NotRebuilt(NotRebuilt::TooEarly)));
    a.pass(ms(20)).hear_leader("c", 6);
    a.pass(ms(20)).hear_leader("c", 6);
    assert_eq!(rebuilt(&mut a), Ok(()));
}

#[test]
fn r48_a_node_whose_lives_are_used_up_says_no_word() {
    let last = Incarnation { counter: u32::MAX, random: 1 };
    let mut a = Solo::starting(config(), Record { incarnation: last, ..Record::first_boot(&config()) });
    a.tick();
    assert!(a.must(|duty| matches!(duty, Duty::Stopped { reason: Stopped::StorageFailed(_) })));
    assert!(a.gate.is_none() && a.frames.is_empty());
}

#[test]
#[should_panic(expected = "a gate of another elector was handed to a")]
fn r44_a_gate_of_another_elector_is_a_fault_of_the_host() {
    let mut other = Solo::new();
    other.hear_offer("b", 4);
    let gate = other.gate.take().unwrap();
    let result = gate.commit(&mut other.disk, &other.fence);
    Solo::new().step(|elector, now| elector.on_gated(result, now));
}

#[test]
#[should_panic(expected = "a gate of another elector was handed to a")]
fn r44_and_so_is_one_whose_save_failed() {
    let mut other = Solo::new();
    other.hear_offer("b", 4);
    other.disk.fails = true;
    let gate = other.gate.take().unwrap();
    let result = gate.commit(&mut other.disk, &other.fence);
    assert!(result.is_err());
    Solo::new().step(|elector, now| elector.on_gated(result, now));
}

#[test]
fn r64_a_save_that_stalls_in_a_pause_is_told_at_once() {
    let mut a = Solo::new();
    a.lead();
    a.request(|elector, now| elector.pause(ms(60_000), now)).unwrap();
    a.hear("c", 5, PeerState::Promised, beat());
    a.pass(INTERVAL);
    assert!(a.gate.is_some(), "it re-offers itself");
    let is_healthy = |a: &Solo| {
        a.sent_to("b").rev().find_map(|frame| match &frame.body {
            Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => Some(heartbeat.healthy),
            _ => None,
        })
    };
    let stalls_at = a.now + PROMISE;
    while a.now + ms(10) < stalls_at {
        a.pass(ms(10));
        a.hear("b", 1, follows("a", 1), beat());
    }
    a.clear();
    a.now = stalls_at;
    a.tick();
    assert_eq!(is_healthy(&a), Some(false), "in that very step");
    assert!(a.losses.is_empty());
}

#[test]
fn r27_a_voter_that_goes_further_while_a_re_offer_is_saved_gets_the_next_one() {
    let mut a = Solo::new();
    a.lead();
    a.hear("c", 5, PeerState::Free, beat());
    a.pass(INTERVAL);
    assert_eq!(a.offered(), Some(6));
    a.hear("c", 9, PeerState::Free, beat());
    a.hear_acknowledgement("b", 1);
    a.clear().pass(INTERVAL);
    assert_eq!(a.offered(), Some(6), "one gate at a time");
    a.commit().clear().pass(INTERVAL);
    assert_eq!(a.offered(), Some(10));
}

#[test]
fn r27_a_second_accept_while_the_fence_is_being_closed_closes_it_once() {
    let mut a = Solo::new();
    a.lead();
    a.hear("c", 5, PeerState::Free, beat());
    a.pass(INTERVAL).commit();
    a.hear("b", 6, follows("a", 1), accept(6));
    assert!(a.gate.is_some());
    a.hear("c", 6, PeerState::Promised, accept(6));
    a.commit();
    let raised = a.duties.iter().filter(|duty| matches!(duty, Duty::EpochRaised { .. })).count();
    assert_eq!((raised, a.gate.is_none()), (1, true));
}

#[test]
fn r66_health_without_an_end_outlasts_an_end_that_was_named_before() {
    let health = |a: &Solo| a.elector.status(a.now).health;
    let mut a = Solo::new();
    a.step(|elector, now| elector.set_healthy_until(now + ms(100), now));
    a.step(|elector, now| elector.set_health(Health::Healthy, now)).pass(ms(200));
    assert_eq!(health(&a), Health::Healthy);
    // What is said again is told to nobody.
    a.clear().step(|elector, now| elector.set_healthy_until(now + ms(10), now));
    assert!(a.frames.is_empty());
    // An end in the past is no deadline.
    let past = a.now;
    a.pass(ms(5)).step(|elector, now| elector.set_healthy_until(past, now));
    assert_eq!(health(&a), Health::Unfit);
    assert!(a.elector.deadline() > a.now);
}

#[test]
fn r66_a_stopped_node_has_no_deadline() {
    let mut a = Solo::new();
    let own = a.disk.record.incarnation;
    let said = Body::Reject { rejected: own, known: Incarnation { counter: 9, random: 9 } };
    a.step(|elector, now| elector.on_rejected(id("b"), &said, now));
    a.step(|elector, now| elector.set_healthy_until(now + ms(100), now));
    assert_eq!(a.elector.deadline(), Time::NEVER);
}

#[test]
fn r15_a_leader_of_the_same_epoch_that_is_followed_by_name_leaves_a_longer_promise() {
    let holder = Some(Holder { node: id("b"), how: PromiseKind::Voted });
    let record =
        Record { epoch: epoch(4), holder, detection_max: ms(2_000), ..Record::first_boot(&config()) };
    let mut a = Solo::from_record(config(), record);
    a.hear("b", 4, leading(4), lead(D));
    a.hear("b", 4, leading(4), crate::solo::offer(6));
    a.commit();
    assert_eq!((a.disk.record.epoch, a.disk.record.detection_max), (epoch(6), ms(2_000)));
    // Another one in a later epoch begins anew.
    a.hear("c", 9, leading(9), lead(D));
    a.commit();
    assert_eq!((a.disk.record.epoch, a.disk.record.detection_max), (epoch(9), D));
}

#[test]
fn r57_a_leader_that_raises_its_epoch_is_not_lost() {
    let mut a = Solo::new();
    a.follow("b", 4).clear();
    a.follow("b", 6);
    assert!(!a.saw(|notice| matches!(notice, elect_core::Notice::LeaderLost { .. })), "{:?}", a.notices);
    assert!(a.saw(
        |notice| matches!(notice, elect_core::Notice::Following { epoch: led, .. } if *led == epoch(6))
    ));
}
