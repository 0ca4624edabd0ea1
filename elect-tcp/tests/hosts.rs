//! What a host does with its handle: further readers, waits, shutdowns that hand over.

mod common;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{BOUND, Cluster, spin};
use elect_core::{Epoch, HandoverRequest, StepDown};
use elect_tcp::{DutySummary, Ended, Events, HostEvent, NoEvent, Observed, Role};

fn hear_told<T>(events: &Events<Observed>, mut wanted: impl FnMut(Observed) -> Option<T>) -> T {
    let deadline = Instant::now() + BOUND;
    loop {
        let event = events.recv_deadline(deadline).expect("the event comes");
        if let Some(found) = wanted(event) {
            return found;
        }
    }
}

#[test]
fn a_leader_that_is_shut_down_hands_over_first() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let handle = cluster.handle(leader).clone();
    let observer = handle.subscribe().unwrap();
    let stopping = thread::spawn(move || handle.shutdown());
    cluster.wait("end", |cluster| !cluster.ended.is_empty());
    stopping.join().unwrap().unwrap();
    let told: Vec<_> = observer.collect();
    let target = told.iter().find_map(|event| match event {
        Observed::Duty(DutySummary::HandoverBegan { target, .. }) => Some(*target),
        _ => None,
    });
    let lost = told.iter().find_map(|event| match event {
        Observed::Lost(loss) => Some(*loss),
        _ => None,
    });
    let lost = lost.expect("it led");
    assert_eq!((lost.epoch, lost.reason), (epoch, StepDown::HandedOver(target.unwrap())));
    assert!(matches!(told.last(), Some(Observed::Ended(Ended::Shutdown))), "{told:?}");
    let (next, _) = cluster.wait_for_leader(epoch);
    assert_eq!(Some(cluster.names[next]), target);
}

/// An elector takes an hour for a handover at most, and a clock does not go on for ever.
#[test]
fn a_shutdown_that_may_take_days_hands_over_all_the_same() {
    for bound in [Duration::from_hours(3), Duration::MAX] {
        let mut cluster = Cluster::start(&["a", "b", "c"]);
        let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
        cluster.wait_for_followers(leader);
        let handle = cluster.handle(leader).clone();
        let observer = handle.subscribe().unwrap();
        let stopping = thread::spawn(move || handle.shutdown_within(bound));
        cluster.wait("end", |cluster| !cluster.ended.is_empty());
        stopping.join().unwrap().unwrap();
        let lost = observer.into_iter().find_map(|event| match event {
            Observed::Lost(loss) => Some(loss.reason),
            _ => None,
        });
        assert!(matches!(lost, Some(StepDown::HandedOver(_))), "{lost:?}");
    }
}

/// Nobody drains: half of the bound is the handover's, and then the node resigns.
#[test]
fn a_host_that_does_not_drain_costs_half_of_the_bound() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let member = cluster.members[leader].take().unwrap();
    let began = Instant::now();
    // Wide enough for a machine that is busy.
    member.handle.shutdown_within(Duration::from_secs(5)).unwrap();
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(2500) && took < Duration::from_secs(5), "{took:?}");
    let lost = member.events.into_iter().find_map(|event| match event {
        HostEvent::Lost(loss) => Some((loss.epoch, loss.reason)),
        _ => None,
    });
    assert_eq!(lost, Some((epoch, StepDown::Resigned)));
}

/// One that an operator began, and that may take longer than the shutdown.
#[test]
fn a_handover_under_way_does_not_outlast_its_half_of_the_bound() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let member = cluster.members[leader].take().unwrap();
    let request = HandoverRequest { timeout: Some(Duration::from_mins(10)), ..HandoverRequest::default() };
    member.handle.handover(request).unwrap();
    member.handle.shutdown_within(Duration::from_secs(1)).unwrap();
    let lost = member
        .events
        .into_iter()
        .any(|event| matches!(event, HostEvent::Lost(loss) if loss.reason == StepDown::Resigned));
    assert!(lost, "nobody drained");
}

#[test]
fn without_a_reader_or_a_target_a_shutdown_waits_for_no_handover() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let member = cluster.members[leader].take().unwrap();
    drop(member.events);
    let began = Instant::now();
    member.handle.shutdown_within(BOUND).unwrap();
    let mut alone = Cluster::start(&["only"]);
    alone.wait_for_leader(Epoch::ZERO);
    let only = alone.members[0].take().unwrap();
    only.handle.shutdown_within(BOUND).unwrap();
    assert!(began.elapsed() < BOUND / 2);
    let lost = only
        .events
        .into_iter()
        .any(|event| matches!(event, HostEvent::Lost(loss) if loss.reason == StepDown::Resigned));
    assert!(lost, "it led");
}

#[test]
fn every_subscriber_hears_of_a_step_down() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let observers = [0, 1, 2].map(|index| cluster.handle(index).subscribe().unwrap());
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    let again = cluster.handle(leader).subscribe().unwrap();
    cluster.wait_for_followers(leader);
    cluster.handle(leader).resign().unwrap();
    for observer in [&observers[leader], &again] {
        let lost = hear_told(observer, |event| match event {
            Observed::Lost(loss) => Some(loss),
            _ => None,
        });
        assert_eq!((lost.epoch, lost.reason), (epoch, StepDown::Resigned));
    }
    cluster.wait("loss", |cluster| !cluster.member(leader).losses.is_empty());
    let (next, later) = cluster.wait_for_leader(epoch);
    let elected = hear_told(&observers[next], |event| match event {
        Observed::Duty(DutySummary::Elected { epoch: won, .. }) if won > epoch => Some(won),
        _ => None,
    });
    assert!(elected <= later);
    let stopped = cluster.stop(leader);
    stopped.handle.subscribe().unwrap_err();
    assert_eq!(again.into_iter().filter(|event| matches!(event, Observed::Ended(_))).count(), 1);
}

#[test]
fn a_watch_waits_for_leader_and_role() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let mut watches = [0, 1, 2].map(|index| cluster.handle(index).watch());
    assert_eq!(cluster.handle(0).node_id(), cluster.names[0]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let (name, deadline) = (cluster.names[leader], Instant::now() + BOUND);
    for (index, watch) in watches.iter_mut().enumerate() {
        let is_so = |role| match role {
            Role::Leader { in_office, .. } => index == leader && in_office,
            Role::Follower { leader, .. } => leader == name,
            _ => false,
        };
        while !is_so(watch.role()) {
            watch.wait_for_change(Some(deadline)).unwrap();
        }
        while watch.leader().is_none_or(|known| known.node != name) {
            watch.wait_for_change(Some(deadline)).unwrap();
        }
    }
    let watch = &mut watches[leader];
    assert_eq!(watch.lease().unwrap().epoch, epoch);
    while watch.wait_for_change(Some(Instant::now())).is_ok() {}
    assert_eq!(watch.wait_for_change(Some(Instant::now())), Err(NoEvent::NotYet));
    cluster.stop(leader);
    while watch.role() != Role::Ended {
        watch.wait_for_change(Some(deadline)).unwrap();
    }
    while watch.wait_for_change(Some(deadline)).is_ok() {}
    assert_eq!(watch.wait_for_change(None), Err(NoEvent::Ended));
    assert_eq!((watch.leader(), watch.lease()), (None, None));
}

#[test]
fn a_task_waits_for_a_change_too() {
    let mut cluster = Cluster::start(&["only"]);
    let mut watch = cluster.handle(0).watch();
    cluster.wait_for_leader(Epoch::ZERO);
    let noop = &mut Context::from_waker(Waker::noop());
    while pin!(watch.changed()).poll(noop).is_ready() {}
    cluster.stop(0);
    assert_eq!(pin!(watch.changed()).poll(noop), Poll::Ready(Ok(())));
    while pin!(watch.changed()).poll(noop) == Poll::Ready(Ok(())) {}
    assert_eq!(pin!(watch.changed()).poll(noop), Poll::Ready(Err(NoEvent::Ended)));
}

#[test]
fn the_end_of_a_lease_is_waited_for() {
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, _) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let handle = cluster.handle(leader).clone();
    let (watch, end) = (handle.watch(), handle.lease_end().unwrap());
    assert!(end > Instant::now() && end < Instant::now() + Duration::from_secs(2));
    // Longer than one lease: it was renewed.
    spin("a later end", || handle.lease_end().is_some_and(|later| later > end));
    assert_eq!(watch.wait_for_lease_end(Some(end)), Err(NoEvent::NotYet));
    for follower in (0..3).filter(|index| *index != leader) {
        cluster.stop(follower);
    }
    assert_eq!(watch.wait_for_lease_end(Some(Instant::now() + BOUND)), Ok(()));
    assert_eq!((handle.lease(), handle.lease_end()), (None, None));
}
