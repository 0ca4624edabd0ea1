//! R30, R31, R43, R52, R53: the fence, and the way into and out of office.

use elect_core::{
    Body, CampaignBlocker, CampaignLost, Duty, Elector, Fenced, Health, NotInOffice, Notice, Office,
    PeerState, Raised, Stamp, StepDown, SteppedDown,
};

use crate::harness::{Group, Seen, builder, id, ms};
use crate::solo::{ELECTION_TIMEOUT, OPEN, PROMISE, Solo, at, beat, epoch, follows, just_before};

/// A winner of epoch 1 whose host has not done anything yet; `b` accepted with `position`.
fn elected(position: Option<elect_core::Position>) -> Solo {
    let mut a = Solo::new();
    a.stand();
    a.pass(ms(1)).commit();
    let body =
        Body::Accept { epoch: epoch(1), detection: OPEN, position, pause: None, genesis_epoch: epoch(0) };
    assert_eq!(a.hear("b", 1, PeerState::Promised, body), None);
    a
}

/// Acknowledgements of `b` for `span`.
fn acknowledged_for(a: &mut Solo, span: core::time::Duration) {
    let end = a.now + span;
    while a.now < end {
        a.pass(ms(50).min(end.since(a.now)));
        a.hear_acknowledgement("b", 1);
    }
}

#[test]
fn r30_a_winner_learns_whom_to_catch_up_from() {
    let mut a = elected(at(0, 9));
    let source = a.take_elected().catch_up_from().expect("b holds more");
    assert_eq!((source.peer, Some(source.position)), (id("b"), at(0, 9)));
    assert_eq!(elected(None).take_elected().catch_up_from(), None, "nobody holds more");

    let mut a = Solo::with(builder("a", &["a", "b", "c", "d", "e"]));
    a.set_position(at(0, 5));
    a.hear_free("b", 0);
    a.hear_free("c", 0);
    a.commit();
    for (peer, position) in [("b", at(0, 4)), ("c", at(0, 8))] {
        let body =
            Body::Accept { epoch: epoch(1), detection: OPEN, position, pause: None, genesis_epoch: epoch(0) };
        a.hear(peer, 1, PeerState::Promised, body);
    }
    assert_eq!(
        a.take_elected().catch_up_from().map(|source| source.peer),
        Some(id("c")),
        "the best of the quorum"
    );
}

#[test]
fn r30_a_lost_source_means_fresh_positions() {
    let mut a = elected(at(0, 9));
    let first = a.take_elected();
    a.clear().step(Elector::on_source_lost);
    a.pass(ms(50));
    assert_eq!(a.offered(), Some(2));
    let accepted = a.frame(
        "b",
        2,
        follows("a", 1),
        Body::Accept {
            epoch: epoch(2),
            detection: OPEN,
            position: None,
            pause: None,
            genesis_epoch: epoch(0),
        },
    );
    a.commit();
    a.deliver("b", &accepted);
    a.commit();
    let raised = a.duties.iter().find_map(|duty| match duty {
        Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. } => Some(elected),
        _ => None,
    });
    assert_eq!(raised.expect("it leads 2, on its way").catch_up_from(), None);
    assert!(
        first
            .caught_up(at(0, 9))
            .unwrap()
            .own_entry_committed(at(1, 10).unwrap())
            .unwrap()
            .check(a.now)
            .is_err()
    );

    let mut a = Solo::new();
    a.lead();
    a.step(Elector::on_source_lost);
    a.pass(ms(50));
    assert_eq!(a.offered(), None, "in office nothing is asked anew");
}

#[test]
fn r31_whoever_does_not_serve_in_time_resigns_and_stands_behind_the_others() {
    let lonely = |position| {
        let mut a = Solo::with(builder("a", &["a", "b", "c"]).office_timeout(ms(200)));
        a.set_position(at(0, 1)).stand();
        a.commit().hear_accept("b", 1);
        acknowledged_for(&mut a, just_before(ms(200)));
        assert!(a.holds_lease());
        a.clear().pass(core::time::Duration::from_nanos(1));
        assert_eq!(a.losses[0].reason, StepDown::NeverServed);
        a.set_position(position).hear_free("b", 1);
        a
    };
    let a = lonely(at(0, 1));
    assert_eq!(a.blocker(), Some(CampaignBlocker::Rank { rank: 0, at: a.now + ELECTION_TIMEOUT }));
    let a = lonely(at(0, 2));
    assert_eq!(a.offered(), Some(2), "its position moved: nothing holds it back");
}

#[test]
fn r31_the_office_of_an_earlier_epoch_meets_no_deadline() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).office_timeout(ms(200)));
    a.stand();
    a.commit().hear_accept("b", 1);
    let mut other = Solo::new();
    other.stand();
    other.commit().hear_accept("b", 1);
    let foreign = other.take_elected().serve_without_log_forgetting_earlier_writes();
    a.step(|elector, now| elector.on_office(&foreign, now));
    acknowledged_for(&mut a, ms(200));
    assert_eq!(a.losses[0].reason, StepDown::NeverServed, "another elector's office is none");

    let mut a = Solo::with(builder("a", &["a", "b", "c"]).office_timeout(ms(200)));
    a.lead();
    acknowledged_for(&mut a, ms(1_000));
    assert!(a.holds_lease());
}

#[test]
fn r43_an_unfit_host_loses_office_or_declines_it() {
    let unfit = |a: &mut Solo| {
        a.step(|elector, now| elector.set_health(Health::Unfit, now));
    };
    let mut a = Solo::new();
    a.lead();
    a.hear_acknowledgement("b", 1);
    unfit(&mut a);
    assert_eq!(a.losses[0].reason, StepDown::Unhealthy);
    let release = Body::Release { epoch: epoch(1), target: id("b") };
    assert!(a.sent_to("c").any(|frame| frame.body == release), "it hands over, as it can");
    a.pass(PROMISE);
    a.hear_free("b", 1);
    assert_eq!(a.blocker(), Some(CampaignBlocker::Unhealthy));
    a.step(|elector, now| elector.set_health(Health::Healthy, now));
    assert_ne!(a.blocker(), Some(CampaignBlocker::Unhealthy));

    let mut a = Solo::new();
    a.stand();
    unfit(&mut a);
    assert!(a.saw(|notice| matches!(notice, Notice::CampaignLost { reason: CampaignLost::Withdrawn, .. })));
    a.commit().hear_accept("b", 1);
    assert!(!a.holds_lease());
}

#[test]
fn r43_a_save_that_takes_longer_than_the_detection_time_counts_as_stalled() {
    let mut a = Solo::new();
    a.lead();
    a.hear("c", 5, PeerState::Free, beat());
    a.hear_acknowledgement("b", 1);
    a.pass(ms(50));
    assert!(a.gate.is_some(), "the re-offer is being saved");
    let began = a.now;
    while a.now < began + PROMISE {
        a.hear_acknowledgement("b", 1);
        assert!(a.losses.is_empty());
        let left = (began + PROMISE).since(a.now);
        a.pass(ms(40).min(left));
    }
    assert_eq!(a.losses[0].reason, StepDown::SaveStalled);
    assert!(matches!(a.blocker(), Some(CampaignBlocker::Saving(since)) if since == began));
    a.commit();
    assert!(!a.must(|duty| matches!(duty, Duty::EpochRaised { .. })), "too late is too late");
}

#[test]
fn r66_health_that_is_not_renewed_costs_office() {
    let mut a = Solo::new();
    a.lead();
    let began = a.now;
    for turn in 1..5 {
        let until = a.now + ms(40);
        a.step(|elector, now| elector.set_healthy_until(until, now));
        a.pass(ms(30));
        a.hear_acknowledgement("b", 1);
        assert!(a.losses.is_empty(), "turn {turn}: it is renewed");
    }
    let until = began + ms(30 * 3 + 40);
    let left = until.since(a.now);
    a.clear().pass(just_before(left));
    assert!(a.losses.is_empty());
    a.pass(ms(1));
    assert_eq!(a.losses, [SteppedDown { epoch: epoch(1), reason: StepDown::Unhealthy }]);
    assert!(matches!(a.blocker(), Some(CampaignBlocker::Unhealthy)));
    assert!(a.sent_to("c").any(|frame| matches!(frame.body, Body::Release { .. })), "for whoever is fit");
}

#[test]
fn r66_a_loss_is_due_when_health_ends_and_a_late_renewal_undoes_none() {
    let mut a = Solo::new();
    a.lead();
    let until = a.now + ms(40);
    a.step(|elector, now| elector.set_healthy_until(until, now));
    a.now = until;
    let later = a.now + ms(500);
    a.step(|elector, now| elector.set_healthy_until(later, now));
    assert_eq!(a.losses, [SteppedDown { epoch: epoch(1), reason: StepDown::Unhealthy }]);
    assert_eq!(a.elector.status(a.now).healthy_for, Some(ms(500)), "from here on it is well again");
}

#[test]
fn r66_health_is_watched_in_every_role_and_has_no_end_unless_one_was_named() {
    let mut a = Solo::new();
    a.follow("b", 1);
    assert_eq!(a.elector.status(a.now).healthy_for, None);
    let until = a.now + ms(20);
    a.step(|elector, now| elector.set_healthy_until(until, now));
    a.clear().pass(ms(20));
    let healthy = |a: &Solo| matches!(&a.last_to("b").body, Body::Heartbeat(heartbeat) if heartbeat.healthy);
    assert!(!healthy(&a), "a follower too, and it says so at once");
    let past = a.now;
    a.clear().step(|elector, now| elector.set_health(Health::Healthy, now));
    assert!(healthy(&a));
    assert_eq!(a.elector.status(a.now).healthy_for, None, "it names no end");
    a.clear().step(|elector, now| elector.set_healthy_until(past, now));
    assert!(!healthy(&a), "an end in the past");
}

fn stamp(number: u64) -> Stamp {
    Stamp::received(epoch(number))
}

#[test]
fn r52_a_fence_refuses_what_is_below_its_floor_and_what_is_ahead() {
    let mut a = Solo::new();
    a.follow("b", 3);
    let applied = a.fence.apply(stamp(3), |tail| *tail.0.borrow_mut() = at(3, 1));
    assert_eq!(applied, Ok(()));
    let stale = Fenced::Stale { stamp: epoch(2), floor: epoch(3) };
    assert_eq!(a.fence.apply(stamp(2), |tail| *tail.0.borrow_mut() = at(9, 9)), Err(stale));
    assert_eq!((a.fence.admit(stamp(2)), a.fence.ack(stamp(2))), (Err(stale), Err(stale)));
    let ahead = Fenced::Ahead { stamp: epoch(4), floor: epoch(3) };
    assert_eq!(a.fence.apply(stamp(4), |_| ()), Err(ahead), "retried once this node has adopted it");
    assert_eq!(a.fence.floor(), epoch(3), "a stamp raises nothing");
    assert_eq!(*a.tail.0.borrow(), at(3, 1));
    a.follow("c", 4);
    assert_eq!(a.fence.apply(stamp(4), |_| ()), Ok(()));
    assert!(
        a.fence.ack(stamp(3)).is_err(),
        "an append that began before the adoption is not acknowledged after it"
    );
}

#[test]
fn r52_epoch_zero_is_no_exception() {
    let mut a = Solo::new();
    a.follow("b", 3);
    assert_eq!(a.fence.ack(stamp(0)), Err(Fenced::Unset));
}

#[test]
fn r52_a_restart_raises_the_fence_to_the_durable_epoch() {
    let mut a = Solo::new();
    a.follow("b", 3);
    let a = a.restarted();
    assert_eq!(a.fence.floor(), epoch(3));
    assert!(matches!(a.fence.admit(stamp(2)), Err(Fenced::Stale { .. })));
}

#[test]
fn r52_campaigning_raises_the_own_fence() {
    let mut a = Solo::new();
    a.hear("c", 6, PeerState::Promised, beat());
    a.stand();
    a.commit();
    assert_eq!(a.fence.floor(), epoch(7), "what an older leader sends is refused from here on");
}

fn office(a: &mut Solo) -> Office {
    let caught_up = a.take_elected().caught_up(at(0, 9)).expect("this very position");
    assert_eq!(caught_up.stamp(), stamp(1));
    caught_up.own_entry_committed(at(1, 10).unwrap()).expect("an entry of epoch 1")
}

#[test]
fn r53_office_takes_the_reported_position_and_an_own_entry() {
    let mut a = elected(at(0, 9));
    let (again, refused) = a.take_elected().caught_up(at(0, 10)).unwrap_err();
    assert_eq!((Some(refused.needed), refused.held), (at(0, 9), at(0, 10)));
    let (again, _) = again.caught_up(None).unwrap_err();
    let caught_up = again.caught_up(at(0, 9)).unwrap();
    let (caught_up, refused) = caught_up.own_entry_committed(at(0, 10).unwrap()).unwrap_err();
    assert_eq!(refused.led, epoch(1));
    assert!(caught_up.own_entry_committed(at(1, 10).unwrap()).is_ok());
}

#[test]
fn r53_an_office_ends_with_its_lease() {
    let mut a = elected(at(0, 9));
    let office = office(&mut a);
    let (now, end) = (a.now, a.lease_end());
    assert_eq!(office.stamp(now), Ok(stamp(1)));
    assert_eq!(office.finish_read("value", || now), Ok("value"));
    let over = NotInOffice::LeaseOver(epoch(1));
    assert_eq!(office.finish_read("value", || end), Err(over), "the clock is read after the value");
    assert_eq!((office.stamp(end), office.check(end)), (Err(over), Err(over)));
    a.step(|elector, _| elector.set_health(Health::Unfit, now));
    assert_eq!(office.check(now), Err(over), "every loss ends it, whatever the host has noticed");
}

#[test]
fn r53_a_paused_process_finds_its_office_over() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.start_all();
    let leader = group.run_to_leader(ms(2_000)).to_string();
    let office = group.node(&leader).office.clone().unwrap();
    assert!(office.check(group.now).is_ok());
    group.node_mut(&leader).paused = true;
    group.run(ms(700));
    assert!(office.stamp(group.now).is_err(), "before its elector has run again");
    assert_eq!(group.node(&leader).elector.as_ref().unwrap().authority().lease(group.now), None);
    let successor = group.run_to_leader(ms(2_000)).to_string();
    assert_ne!(successor, leader);
    group.node_mut(&leader).paused = false;
    group.run(ms(500));
    assert_eq!(group.count(&leader, |seen| matches!(seen, Seen::Lost(..))), 1);
    assert_eq!(group.leader(), Some(id(&successor)));
}
