//! Lives of one node: none speaks for another, and none leaves authority behind.

use std::sync::mpsc;
use std::time::Duration;

use elect_core::{Body, Duty, Elector, Incarnation, PeerState, Record, Stopped, Time};

use crate::harness::{builder, id, ms};
use crate::solo::{INTERVAL, Solo, beat};
use crate::stories::led_by_a;

/// A clone of a leader's disk on a read-only volume spoke in the living leader's incarnation that it had stopped:
/// the followers were free and elected another while the leader's lease ran.
#[test]
fn a_clone_that_cannot_save_ends_no_promise_to_the_living() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let leader = group.node("a");
    let mut clone = Solo::starting(leader.config.clone(), leader.disk.record);
    clone.now = group.now;
    clone.disk.fails = true;
    clone.tick().commit();
    assert!(clone.must(|duty| matches!(duty, Duty::Stopped { .. })));
    group.isolate("a");
    for (to, frame) in &clone.frames {
        group.inject("a", &to.to_string(), frame);
    }
    // The group checks at every step that there is one lease.
    group.run(ms(400));
    assert_eq!(group.leader(), Some(id("a")), "{}", group.story());
}

/// Gates were named by their number alone: a save of the last life, handed to the next one in the same process,
/// passed for the save of the new incarnation.
#[test]
#[should_panic(expected = "a gate of another elector")]
fn a_save_of_an_earlier_life_is_not_taken_for_one_of_this_life() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let record = Record::first_boot(&config);
    let mut earlier = Solo::starting(config.clone(), record);
    earlier.tick();
    let gate = earlier.gate.take().expect("its incarnation");
    let late = gate.commit(&mut earlier.disk, &earlier.fence);
    let mut next = Solo::starting(config, record);
    next.tick();
    next.step(|elector, now| elector.on_gated(late, now));
}

/// An elector that was dropped left its lease behind in the host's threads, while its next life had freed the
/// followers: two leases in one process.
#[test]
fn a_restart_within_one_process_leaves_no_lease_behind() {
    let mut group = led_by_a(&["a", "b", "c"]);
    let authority = group.elector("a").authority();
    let office = group.node("a").office.clone().expect("it serves");
    assert!(authority.lease(group.now).is_some() && office.stamp(group.now).is_ok());
    group.restart("a");
    assert!(authority.lease(group.now).is_none());
    assert!(office.stamp(group.now).is_err());
    let took = group.run_until(ms(400), |group| group.leader().is_some());
    assert!(took.is_some(), "the followers are free before the old lease would have ended");
    assert!(authority.lease(group.now).is_none(), "an old cell is not the new life's");
}

/// What an input had queued before it stopped the node still left: an offer, a heartbeat, a gate.
#[test]
fn a_node_that_stops_says_and_saves_nothing_else_in_that_step() {
    let follows_nobody = |_: &mut Solo| {};
    let stands = |a: &mut Solo| {
        a.stand();
        a.commit();
    };
    let leads_below_another = |a: &mut Solo| {
        a.lead().hear("c", 5, PeerState::Free, beat());
    };
    for prepare in [follows_nobody as fn(&mut Solo), stands, leads_below_another] {
        let mut a = Solo::new();
        prepare(&mut a);
        a.clear();
        let own = a.disk.record.incarnation;
        let known = Incarnation { counter: own.counter, random: own.random ^ 1 };
        // Its heartbeat, its offer or its re-offer is due too.
        a.now = a.elector.deadline().max(a.now + INTERVAL);
        a.hear("b", 1, PeerState::Promised, Body::Reject { rejected: own, known });
        assert!(a.must(|duty| matches!(duty, Duty::Stopped { reason: Stopped::Cloned { .. } })));
        assert!(a.gate.is_none());
        let states: Vec<_> = a.frames.iter().map(|(_, frame)| frame.header.state).collect();
        assert_eq!(states.len(), 2, "one last word to each peer");
        assert!(states.iter().all(|state| matches!(state, PeerState::Stopped(_))));
    }
}

/// A driver that sleeps until the deadline of a stopped node, which is never, and ticks then: the tick did not
/// return.
#[test]
#[expect(clippy::disallowed_methods, reason = "only another thread sees that a call does not return")]
fn a_tick_at_the_end_of_time_returns() {
    let (returned, waits) = mpsc::channel();
    std::thread::spawn(move || {
        let mut stopped = Solo::new();
        stopped.hear_free("b", 0);
        let gate = stopped.gate.take().expect("its vote");
        stopped.disk.fails = true;
        let failed = gate.commit(&mut stopped.disk, &stopped.fence);
        stopped.step(|elector, now| elector.on_gated(failed, now));
        assert_eq!(stopped.elector.deadline(), Time::NEVER);
        stopped.now = stopped.elector.deadline();
        stopped.step(Elector::tick);
        returned.send(stopped.elector.deadline()).unwrap();
    });
    assert_eq!(waits.recv_timeout(Duration::from_secs(10)), Ok(Time::NEVER));
}
