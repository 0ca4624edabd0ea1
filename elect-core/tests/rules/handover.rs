//! R38–R40: handing office over.

use std::time::Duration;

use elect_core::{
    Body, CampaignBlocker, Duty, Elector, HandoverAborted, HandoverCause, HandoverRequest, Health, Heartbeat,
    Ignored, Lag, LinkState, NodeId, NotInOffice, PeerState, RequestRefused, StepDown, Unfit,
};

use crate::harness::{Group, Seen, builder, id, ms};
use crate::solo::{ELECTION_TIMEOUT, INTERVAL, Solo, at, beat, beat_at, epoch, follows, heartbeat, stands};

/// A leader of epoch 1 that `b` and `c` follow, its host at `position`.
fn leader_at(position: Option<elect_core::Position>) -> Solo {
    let mut a = Solo::new();
    a.set_position(position);
    a.lead();
    a.hear_acknowledgement("b", 1);
    a.hear_acknowledgement("c", 1);
    a.clear();
    a
}

fn ask(a: &mut Solo, to: Option<&str>) -> Result<(), RequestRefused> {
    a.request(|elector, now| elector.request_handover(to.map(id), now))
}

/// To `b`, within so long.
fn within(timeout: Duration) -> HandoverRequest {
    HandoverRequest { timeout: Some(timeout), ..id("b").into() }
}

fn released_to(a: &Solo) -> Option<NodeId> {
    a.frames.iter().find_map(|(_, frame)| match frame.body {
        Body::Release { target, .. } => Some(target),
        _ => None,
    })
}

fn aborted(a: &Solo) -> Option<HandoverAborted> {
    a.duties.iter().find_map(|duty| match duty {
        Duty::HandoverAborted { reason, .. } => Some(*reason),
        _ => None,
    })
}

#[test]
fn r38_a_handover_admits_no_more_drains_and_waits_for_the_target() {
    let mut a = leader_at(at(1, 5));
    assert_eq!(ask(&mut a, Some("b")), Ok(()));
    assert!(a.elector.authority().is_draining(), "nothing new is admitted");
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 5)));
    assert!(a.losses.is_empty(), "the host has not drained");
    a.set_position(at(1, 6));
    a.step(Elector::on_drained);
    assert!(a.losses.is_empty(), "the last entry is not durable at the target");
    assert!(a.holds_lease());
    a.order.clear();
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 6)));
    assert_eq!(a.losses[0].reason, StepDown::HandedOver(id("b")));
    assert!(!a.holds_lease());
    assert_eq!(released_to(&a), Some(id("b")));
    let first = a.order.iter().find(|&&told| told != "happened");
    assert_eq!(first, Some(&"lost"), "the loss is told before the release leaves");
    let release = a.sent_to("c").find(|frame| matches!(frame.body, Body::Release { .. })).unwrap();
    assert_eq!(
        (release.header.state, release.header.epoch),
        (PeerState::Free, epoch(1)),
        "it has stepped down before"
    );
}

#[test]
fn r38_what_began_may_finish_while_a_handover_drains() {
    let mut a = Solo::new();
    a.stand();
    a.pass(ms(1)).commit().hear_accept("b", 1);
    let office = a.take_elected().serve_without_log_forgetting_earlier_writes();
    a.step(|elector, now| elector.on_office(&office, now));
    assert!(office.stamp(a.now).is_ok());
    ask(&mut a, Some("b")).unwrap();
    assert_eq!(office.stamp(a.now), Err(NotInOffice::Draining(epoch(1))));
    assert!(office.check(a.now).is_ok());
}

#[test]
fn r38_the_deadline_aborts_a_handover_but_never_after_the_step_down() {
    let mut a = leader_at(at(1, 5));
    let asked = a.request(|elector, now| elector.request_handover(within(ms(120)), now));
    assert_eq!(asked, Ok(()));
    a.step(Elector::on_drained).pass(ms(120));
    assert_eq!(aborted(&a), Some(HandoverAborted::DeadlinePassed));
    assert!(a.holds_lease() && !a.elector.authority().is_draining(), "it admits again");

    let mut a = leader_at(None);
    ask(&mut a, Some("b")).unwrap();
    a.step(Elector::on_drained);
    assert_eq!(a.losses.len(), 1);
    a.pass(ms(10_000));
    assert_eq!(aborted(&a), None);
    assert!(!a.holds_lease());
}

#[test]
fn r38_asking_twice_is_one_handover() {
    let mut a = leader_at(None);
    assert_eq!(ask(&mut a, Some("b")), Ok(()));
    assert_eq!(ask(&mut a, Some("b")), Ok(()));
    assert_eq!(ask(&mut a, None), Ok(()));
    assert_eq!(ask(&mut a, Some("c")), Err(RequestRefused::HandingOver(id("b"))));
    let began = a.duties.iter().filter(|duty| matches!(duty, Duty::HandoverBegan { .. })).count();
    assert_eq!(began, 1);
}

#[test]
fn r38_a_handover_that_cannot_work_is_refused_with_its_reason() {
    assert_eq!(ask(&mut Solo::new(), None), Err(RequestRefused::NotLeader(None)));
    let mut a = leader_at(None);
    assert_eq!(ask(&mut a, Some("x")), Err(RequestRefused::NotAMember(id("x"))));
    assert_eq!(ask(&mut a, Some("a")), Err(RequestRefused::AlreadyLeads(id("a"))));
    let says = |a: &mut Solo, heartbeat| a.hear("b", 1, follows("a", 1), Body::Heartbeat(heartbeat));
    says(&mut a, Heartbeat { eligible: false, ..heartbeat() });
    assert_eq!(ask(&mut a, Some("b")), Err(RequestRefused::TargetUnfit(id("b"), Unfit::Ineligible)));
    says(&mut a, Heartbeat { healthy: false, ..heartbeat() });
    assert_eq!(ask(&mut a, Some("b")), Err(RequestRefused::TargetUnfit(id("b"), Unfit::Unhealthy)));
    a.link("b", LinkState::Closed);
    assert_eq!(ask(&mut a, Some("b")), Err(RequestRefused::TargetUnfit(id("b"), Unfit::NotConnected)));
    a.link("c", LinkState::Closed);
    assert_eq!(ask(&mut a, None), Err(RequestRefused::NoTarget));
    assert!(a.losses.is_empty());
}

#[test]
fn r38_a_target_that_fails_while_draining_aborts_it() {
    let mut a = leader_at(None);
    ask(&mut a, Some("b")).unwrap();
    a.link("b", LinkState::Closed).step(Elector::on_drained);
    assert_eq!(aborted(&a), Some(HandoverAborted::TargetUnfit(Unfit::NotConnected)));
    assert!(a.holds_lease());
}

/// `a` follows `b`, which then releases its office to `target`.
fn released(target: &str) -> Solo {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).priority(99));
    a.follow("b", 1);
    a.hear("c", 1, follows("b", 1), beat());
    a.clear();
    let release = Body::Release { epoch: epoch(1), target: id(target) };
    assert_eq!(a.hear("b", 1, PeerState::Free, release), None);
    a
}

#[test]
fn r39_the_target_stands_without_rank_delay_and_others_leave_it_a_head_start() {
    let target = released("a");
    assert_eq!(target.offered(), Some(2), "its priority is the lowest");
    let mut other = released("c");
    assert_eq!(other.blocker(), Some(CampaignBlocker::HeadStart(id("c"), other.now + ELECTION_TIMEOUT)));
    let until = other.now + ELECTION_TIMEOUT;
    while other.now < until {
        assert_eq!(other.offered(), None);
        other.pass(ms(100).min(until.since(other.now)));
        other.hear_free("c", 1);
    }
    other.pass(ms(200));
    assert_eq!(other.offered(), Some(2), "it does not last for ever");
}

#[test]
fn r39_a_head_start_ends_early_when_the_target_disconnects_declines_or_fails() {
    let has_none = |a: &Solo| !matches!(a.blocker(), Some(CampaignBlocker::HeadStart(..)));
    let mut a = released("c");
    a.link("c", LinkState::Closed);
    assert!(has_none(&a), "disconnected");
    for declined in
        [Heartbeat { eligible: false, ..heartbeat() }, Heartbeat { healthy: false, ..heartbeat() }]
    {
        let mut a = released("c");
        a.hear("c", 1, PeerState::Free, Body::Heartbeat(declined));
        assert!(has_none(&a), "declined");
    }
    let mut a = released("c");
    a.hear("c", 1, stands(2), beat());
    assert!(!has_none(&a));
    a.hear("c", 2, PeerState::Free, beat());
    assert!(has_none(&a), "its round was lost");
}

#[test]
fn r39_one_released_epoch_gives_one_head_start() {
    let mut a = released("c");
    a.link("c", LinkState::Closed).link("c", LinkState::Up);
    a.hear("c", 1, stands(2), beat());
    a.hear("c", 2, PeerState::Free, beat());
    let again = Body::Release { epoch: epoch(1), target: id("c") };
    assert_eq!(a.hear("b", 1, PeerState::Promised, again), Some(Ignored::Ended(epoch(1))));
    assert!(!matches!(a.blocker(), Some(CampaignBlocker::HeadStart(..))));
    let unproven = Body::Release { epoch: epoch(7), target: id("c") };
    assert_eq!(
        a.hear("b", 2, PeerState::Promised, unproven),
        Some(Ignored::Ended(epoch(7))),
        "7 is not over"
    );
}

#[test]
fn r39_a_release_counts_only_with_a_recent_echo() {
    let mut a = Solo::new();
    a.follow("b", 1);
    let mut release = a.frame("b", 1, PeerState::Free, Body::Release { epoch: epoch(1), target: id("c") });
    release.header.echo = None;
    assert_eq!(a.deliver("b", &release), Some(Ignored::NotFresh));
    assert!(!matches!(a.blocker(), Some(CampaignBlocker::HeadStart(..))));
}

#[test]
fn r38_a_handover_in_a_group_costs_one_campaign_and_no_gap_in_epochs() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.start_all();
    let old = group.run_to_leader(ms(2_000)).to_string();
    group.run(ms(500));
    let target = ["a", "b", "c"].into_iter().find(|name| *name != old).unwrap();
    group.request(&old, |elector, now| elector.request_handover(id(target), now)).unwrap();
    let position = group.node(&old).tail.0.borrow().to_owned();
    group.set_tail(target, position);
    group.run(ms(300));
    let began = group.now;
    group.input(&old, Elector::on_drained);
    let took = group.run_until(ms(1_000), |group| group.leader() == Some(id(target))).expect("it leads");
    assert!(took <= ms(4), "three delays and one save of 1 ms each: {took:?} from {began:?}");
    assert_eq!(group.leaders.len(), 2, "{}", group.story());
}

#[test]
fn r38_a_drained_leader_asks_the_target_at_once_how_far_it_is() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.start_all();
    let old = group.run_to_leader(ms(2_000)).to_string();
    group.run(ms(510));
    let target = ["a", "b", "c"].into_iter().find(|name| *name != old).unwrap();
    group.request(&old, |elector, now| elector.request_handover(id(target), now)).unwrap();
    let position = group.node(&old).tail.0.borrow().to_owned();
    group.set_tail(target, position);
    group.input(&old, Elector::on_drained);
    let took = group.run_until(ms(1_000), |group| group.leader() == Some(id(target))).expect("it leads");
    assert!(took <= ms(6), "one round trip more, not a heartbeat interval: {took:?}");
}

/// `a` leads; `b` has the higher priority and reports `heartbeat` every interval for `span`.
fn beside_a_better(a: &mut Solo, better: Heartbeat, span: Duration) {
    let end = a.now + span;
    while a.now < end {
        a.pass(INTERVAL.min(end.since(a.now)));
        a.hear("b", 1, follows("a", 1), Body::Heartbeat(better));
    }
}

fn prefers(a: &Solo) -> bool {
    a.must(|duty| {
        matches!(duty, Duty::HandoverBegan { cause: HandoverCause::Preference, target, .. } if *target == id("b"))
    })
}

#[test]
fn r40_preference_acts_only_through_handover_and_after_the_cooldown() {
    let better = Heartbeat { priority: 101, ..heartbeat() };
    let fresh = || {
        let mut a = Solo::with(builder("a", &["a", "b", "c"]).fail_back_cooldown(ms(2_000)));
        a.lead();
        a
    };
    let mut a = fresh();
    beside_a_better(&mut a, better, ms(1_900));
    assert!(!prefers(&a) && a.holds_lease());
    beside_a_better(&mut a, better, ms(250));
    assert!(prefers(&a));
    assert!(a.holds_lease() && a.losses.is_empty(), "it leads until the handover is done");

    let mut a = fresh();
    beside_a_better(&mut a, better, ms(1_900));
    a.link("b", LinkState::Closed).link("b", LinkState::Up);
    beside_a_better(&mut a, better, ms(1_900));
    assert!(!prefers(&a), "an interruption begins the cooldown anew");

    let unfit =
        [heartbeat(), Heartbeat { healthy: false, ..better }, Heartbeat { eligible: false, ..better }];
    for heartbeat in unfit {
        let mut a = fresh();
        beside_a_better(&mut a, heartbeat, ms(3_000));
        assert!(!prefers(&a), "{heartbeat:?}");
    }
    let mut a = fresh();
    a.set_position(at(1, 3));
    beside_a_better(&mut a, better, ms(3_000));
    assert!(!prefers(&a), "it is not caught up");
    beside_a_better(&mut a, Heartbeat { position: at(1, 3), ..better }, ms(2_200));
    assert!(prefers(&a));
}

#[test]
fn r40_the_preferred_leader_is_preferred_and_hands_over_to_nobody() {
    let with = |preferred: &str| {
        let builder =
            builder("a", &["a", "b", "c"]).fail_back_cooldown(ms(500)).preferred_leader(id(preferred));
        let mut a = Solo::with(builder);
        a.lead();
        a
    };
    let mut a = with("b");
    beside_a_better(&mut a, heartbeat(), ms(700));
    assert!(prefers(&a));
    let mut a = with("a");
    beside_a_better(&mut a, Heartbeat { priority: 255, ..heartbeat() }, ms(700));
    assert!(!prefers(&a));
}

#[test]
fn r40_an_elections_order_is_all_that_priority_means_to_followers() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).priority(255).preferred_leader(id("a")));
    a.follow("b", 1);
    for _ in 0..40 {
        a.pass(ms(50));
        a.hear_leader("b", 1);
    }
    assert_eq!(a.offered(), None);
    a.step(|elector, now| elector.set_health(Health::Healthy, now));
    assert_eq!(a.leader(), Some((id("b"), epoch(1))));
}

#[test]
fn r43_the_successor_of_an_unfit_leader_is_the_best_and_not_whoever_stands_in_vain() {
    let mut a = leader_at(at(1, 9));
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 9)));
    a.hear("c", 0, stands(1), beat_at(at(0, 1)));
    a.clear().step(|elector, now| elector.set_health(Health::Unfit, now));
    let target = a.frames.iter().find_map(|(_, frame)| match frame.body {
        Body::Release { target, .. } => Some(target),
        _ => None,
    });
    assert_eq!(target, Some(id("b")));
}

fn release(number: u64, target: &str) -> Body {
    Body::Release { epoch: epoch(number), target: id(target) }
}

/// A favour that a late release left behind let its node skip the rank, the failed way into office and the lag limit of
/// some later election.
#[test]
fn r39_a_favour_ends_with_the_election_that_it_is_for() {
    type Input = fn(&mut Solo);
    let stands_at_once = |b: &mut Solo| {
        b.hear("a", 5, PeerState::Free, beat());
        b.hear("d", 5, PeerState::Free, beat());
        b.offered().is_some()
    };
    let late: [(&str, Input); 4] = [
        ("it follows somebody", |b| {
            b.follow("c", 4);
            b.hear("a", 3, PeerState::Free, release(3, "b"));
        }),
        ("it has promised its vote", |b| {
            b.give_word("c", 4);
            b.hear("a", 3, PeerState::Free, release(3, "b"));
        }),
        ("it promises its vote", |b| {
            b.hear("a", 3, PeerState::Free, release(3, "b"));
            b.give_word("c", 4);
        }),
        ("its host is unfit for a moment", |b| {
            b.hear("a", 3, PeerState::Free, release(3, "b"));
            b.step(|elector, now| elector.set_health(Health::Unfit, now));
            b.step(|elector, now| elector.set_health(Health::Healthy, now));
        }),
    ];
    for (why, story) in late {
        let mut b = Solo::with(builder("b", &["a", "b", "c", "d", "e"]));
        b.hear("a", 3, PeerState::Promised, beat());
        story(&mut b);
        b.clear().hear("c", 5, PeerState::Promised, beat());
        assert!(!stands_at_once(&mut b), "{why}: {:?}", b.blocker());
    }
    let mut b = Solo::with(builder("b", &["a", "b", "c", "d", "e"]));
    b.hear("a", 3, PeerState::Promised, beat());
    b.hear("a", 3, PeerState::Free, release(3, "b"));
    assert!(stands_at_once(&mut b), "{:?}", b.blocker());
}

#[test]
fn r39_a_favour_lasts_as_long_as_the_head_start() {
    let mut b = Solo::with(builder("b", &["a", "b", "c", "d", "e"]));
    b.hear("a", 3, PeerState::Promised, beat());
    b.hear("a", 3, PeerState::Free, release(3, "b"));
    b.pass(b.elector.config().election_timeout());
    b.hear("a", 3, PeerState::Free, beat());
    b.hear("d", 3, PeerState::Free, beat());
    assert_eq!(b.offered(), None, "{:?}", b.blocker());
}

/// The release names a leader that has campaigned and won meanwhile, or a node that another one leads.
#[test]
fn r39_a_late_release_gives_a_leader_nothing() {
    for target in ["a", "c"] {
        let mut a = leader_at(None);
        a.hear("b", 1, PeerState::Free, release(1, target));
        a.hear("b", 1, follows("a", 1), beat());
        a.pass(ms(600)).hear("c", 1, PeerState::Free, beat());
        a.hear("b", 1, PeerState::Free, beat());
        assert_eq!(a.losses.len(), 1, "its lease is over");
        assert_ne!(a.offered(), None, "nobody has a head start: {:?}", a.blocker());
    }
}

/// `a` leads and writes an entry per heartbeat; what `b` says of its log follows from the entry that `a` is at.
fn writes_while(b_holds: impl Fn(u64) -> u64) -> Solo {
    let mut a = leader_at(at(1, 100));
    for entry in 101..=140 {
        a.set_position(at(1, entry));
        a.hear("b", 1, follows("a", 1), beat_at(at(1, b_holds(entry))));
        a.hear("c", 1, follows("a", 1), beat_at(at(1, entry)));
        a.pass(INTERVAL);
    }
    a.clear();
    a
}

#[test]
fn r38_a_handover_to_a_laggard_is_refused_with_the_figures() {
    let mut a = writes_while(|_| 50);
    let lag = Lag { target: at(1, 50), own: at(1, 140), rate: Some(0), timeout: ms(5_000) };
    assert_eq!(ask(&mut a, Some("b")), Err(RequestRefused::TargetLags(id("b"), lag)));
    let text = RequestRefused::TargetLags(id("b"), lag).to_string();
    assert!(
        text.contains("offset 50") && text.contains("offset 140") && text.contains("0 entries per second"),
        "{text}"
    );
    assert!(!a.elector.authority().is_draining() && a.duties.is_empty(), "writes go on");
    assert_eq!(ask(&mut a, None), Ok(()), "the best member is not behind");

    let mut a = writes_while(|_| 50);
    let forced = HandoverRequest { force: true, ..id("b").into() };
    assert_eq!(a.request(|elector, now| elector.request_handover(forced, now)), Ok(()));

    let mut a = leader_at(at(2, 3));
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 900)));
    let lag = Lag { target: at(1, 900), own: at(2, 3), rate: None, timeout: ms(5_000) };
    assert_eq!(ask(&mut a, Some("b")), Err(RequestRefused::TargetLags(id("b"), lag)), "of another epoch");
}

#[test]
fn r38_a_target_that_will_have_caught_up_or_is_not_known_well_enough_is_not_refused() {
    assert_eq!(ask(&mut writes_while(|entry| entry - 1), Some("b")), Ok(()), "it keeps up");
    // Two entries per heartbeat are 40 in a second.
    let catches_up = |entry: u64| entry.saturating_sub(50) * 2 - 101 + 50;
    let mut a = writes_while(catches_up);
    let behind = 140 - catches_up(140);
    let too_soon = a.request(|elector, now| elector.request_handover(within(ms(behind * 1_000 / 50)), now));
    assert!(matches!(too_soon, Err(RequestRefused::TargetLags(..))), "{too_soon:?}");
    let in_time = a.request(|elector, now| elector.request_handover(within(ms(behind * 1_000 / 30)), now));
    assert_eq!(in_time, Ok(()));

    let mut a = leader_at(at(1, 100));
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 1)));
    assert_eq!(ask(&mut a, Some("b")), Ok(()), "nothing is known of its rate");
}

#[test]
fn r38_a_handover_has_a_bounded_end() {
    let mut a = leader_at(None);
    for timeout in [Duration::ZERO, Duration::from_micros(999), Duration::from_secs(3_601), Duration::MAX] {
        let asked = a.request(|elector, now| elector.request_handover(within(timeout), now));
        assert_eq!(asked, Err(RequestRefused::HandoverTimeout(timeout)));
    }
    assert!(!a.elector.authority().is_draining());
    let asked = a.request(|elector, now| elector.request_handover(within(Duration::from_hours(1)), now));
    assert_eq!(asked, Ok(()));
}

#[test]
fn r38_a_handover_can_be_taken_back_until_the_step_down() {
    let mut a = leader_at(at(1, 5));
    assert_eq!(a.request(Elector::cancel_handover), Err(RequestRefused::NoHandover));
    ask(&mut a, Some("b")).unwrap();
    a.step(Elector::on_drained);
    assert_eq!(a.request(Elector::cancel_handover), Ok(()));
    assert_eq!(aborted(&a), Some(HandoverAborted::Cancelled));
    assert!(a.holds_lease() && !a.elector.authority().is_draining(), "it admits again");
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 5)));
    assert!(a.losses.is_empty() && released_to(&a).is_none(), "what the target says now hands over nothing");

    ask(&mut a, Some("b")).unwrap();
    a.step(Elector::on_drained);
    assert_eq!(a.losses.len(), 1);
    assert_eq!(a.request(Elector::cancel_handover), Err(RequestRefused::NoHandover), "it is done");
}

/// `a` prefers `b` and `b` prefers `a`: each handed over to the other after its cooldown, for ever.
#[test]
fn r40_preferences_that_contradict_each_other_stop_acting() {
    let names = ["a", "b", "c"];
    let prefers =
        |name, other| builder(name, &names).preferred_leader(id(other)).fail_back_cooldown(ms(1_000));
    let builders = [prefers("a", "b"), prefers("b", "a"), builder("c", &names)];
    let mut group = Group::with(builders);
    group.start_all();
    for _ in 0..200 {
        group.run(ms(100));
        let Some(leader) = group.leader().map(|leader| leader.to_string()) else { continue };
        let end = *group.node(&leader).tail.0.borrow();
        for name in names.iter().filter(|&&name| name != leader) {
            group.set_tail(name, end);
        }
        if group.elector(&leader).status(group.now).handing_over {
            group.input(&leader, Elector::on_drained);
        }
    }
    assert!(group.leaders.len() == 3, "{:?}", group.leaders);
    let noticed = |name: &str| {
        group.count(
            name,
            |seen| matches!(seen, Seen::Other(text) if text.starts_with("PreferencesContradict")),
        )
    };
    assert_eq!(noticed("a") + noticed("b"), 1, "one of them notices, once");
}
