//! R21, R27, R28, R30, R37–R40, R43, R53: a raise in detail, and what a handover and a preference look at.

use std::time::Duration;

use elect_core::{
    Body, CampaignBlocker, CampaignLost, Duty, Elector, HandoverCause, Heartbeat, Ignored, LinkState, Notice,
    PeerState, Raised, Stamp, StepDown,
};

use crate::harness::{builder, id, ms};
use crate::solo::{
    ELECTION_TIMEOUT, INTERVAL, LEASE, OPEN, Solo, accept, at, beat, epoch, follows, heartbeat, just_before,
    leading, offer, stands,
};

/// A leader of epoch 1 whose re-offer of 6 is durable; when that left.
fn re_offering() -> (Solo, elect_core::Time) {
    let mut a = Solo::new();
    a.lead();
    a.hear_acknowledgement("b", 1);
    a.hear("c", 5, PeerState::Promised, beat());
    a.pass(INTERVAL);
    assert_eq!(a.offered(), Some(6));
    let offered = a.last_to("b").header.nonce.sent;
    a.commit();
    (a, offered)
}

/// The answer of `from` to what left at `sent`.
fn answer(a: &mut Solo, from: &str, state: PeerState, body: Body, sent: elect_core::Time) -> Option<Ignored> {
    let mut frame = a.frame(from, 6, state, body);
    frame.header.echo.as_mut().unwrap().sent = sent;
    a.deliver(from, &frame)
}

fn raised(a: &Solo) -> bool {
    a.must(|duty| matches!(duty, Duty::EpochRaised { .. }))
}

/// Acknowledgements of epoch 1 by `b` until `end`.
fn acknowledged_until(a: &mut Solo, end: elect_core::Time) {
    while a.now < end {
        a.pass(ms(20).min(end.since(a.now)));
        a.hear("b", 6, follows("a", 1), beat());
    }
}

#[test]
fn r27_an_epoch_is_led_only_while_the_lease_of_its_accepts_lies_ahead() {
    // Its accepts come at the very end of their lease.
    let (mut a, offered) = re_offering();
    acknowledged_until(&mut a, offered + LEASE);
    answer(&mut a, "b", follows("a", 1), accept(6), offered);
    assert!(a.gate.is_none() && a.holds_lease());

    // The fence is closed at the very end of their lease, or after it.
    for late in [Duration::ZERO, ms(1)] {
        let (mut a, offered) = re_offering();
        answer(&mut a, "b", follows("a", 1), accept(6), offered);
        assert!(a.gate.is_some());
        acknowledged_until(&mut a, offered + LEASE + late);
        a.commit();
        assert!(!raised(&a) && a.losses.is_empty(), "{late:?}");
    }
}

#[test]
fn r27_the_raised_leadership_ends_with_its_own_lease() {
    let (mut a, offered) = re_offering();
    acknowledged_until(&mut a, offered + ms(100));
    answer(&mut a, "b", follows("a", 1), accept(6), offered);
    a.commit();
    assert!(raised(&a));
    assert_eq!(a.lease_end(), offered + LEASE);
    let left = a.lease_end().since(a.now);
    a.pass(just_before(left));
    assert!(a.losses.is_empty());
    a.pass(Duration::from_nanos(1));
    assert_eq!(a.losses[0].reason, StepDown::LeaseOver);
}

#[test]
fn r27_a_raise_ends_its_offer_and_is_announced_anew() {
    let (mut a, offered) = re_offering();
    a.clear().pass(ms(5));
    answer(&mut a, "b", follows("a", 1), accept(6), offered);
    a.commit();
    assert!(matches!(a.last_to("b").body, Body::Announce { .. }), "what b acknowledged was epoch 1");
    a.clear().pass(INTERVAL);
    assert_eq!(a.offered(), None);
    // A late accept of the same offer is an acknowledgement; what answers epoch 1 is none.
    assert_eq!(answer(&mut a, "c", PeerState::Promised, accept(6), offered), None);
    answer(&mut a, "b", follows("a", 6), beat(), offered - ms(1));
    a.clear().pass(INTERVAL);
    assert!(matches!(a.last_to("b").body, Body::Announce { .. }), "an echo from before the offer");
    answer(&mut a, "b", follows("a", 6), beat(), offered);
    a.clear().pass(INTERVAL);
    assert!(matches!(a.last_to("b").body, Body::Heartbeat(_)));
}

#[test]
fn r38_a_raise_goes_on_draining_for_a_handover() {
    for hands_over in [true, false] {
        let (mut a, offered) = re_offering();
        if hands_over {
            a.request(|elector, now| elector.request_handover(Some(id("b")), now)).unwrap();
        }
        answer(&mut a, "b", follows("a", 1), accept(6), offered);
        a.commit();
        assert!(raised(&a));
        assert_eq!(a.elector.authority().is_draining(), hands_over);
    }
}

#[test]
fn r38_a_raise_on_the_way_into_office_goes_on_draining_too() {
    for hands_over in [true, false] {
        let mut a = Solo::new();
        a.stand();
        a.pass(ms(1)).commit().hear_accept("b", 1);
        a.hear_acknowledgement("b", 1);
        if hands_over {
            a.request(|elector, now| elector.request_handover(Some(id("b")), now)).unwrap();
        }
        a.step(Elector::on_source_lost).pass(INTERVAL);
        let accepted = a.frame("b", 2, follows("a", 1), accept(2));
        a.commit().deliver("b", &accepted);
        a.commit();
        assert!(raised(&a));
        assert_eq!(a.elector.authority().is_draining(), hands_over);
    }
}

#[test]
fn r30_on_the_way_an_entry_from_above_is_the_next_source_and_no_loss() {
    let mut a = Solo::new();
    a.stand();
    a.pass(ms(1)).commit();
    a.hear(
        "b",
        1,
        PeerState::Promised,
        Body::Accept {
            epoch: epoch(1),
            detection: OPEN,
            position: at(0, 3),
            pause: None,
            genesis_epoch: epoch(0),
        },
    );
    a.step(Elector::on_source_lost).pass(INTERVAL);
    let offered = a.last_to("b").header.nonce.sent;
    a.commit().step(Elector::on_source_lost);
    let body = Body::Accept {
        epoch: epoch(2),
        detection: OPEN,
        position: at(5, 1),
        pause: None,
        genesis_epoch: epoch(0),
    };
    let mut frame = a.frame("b", 2, follows("a", 1), body);
    frame.header.echo.as_mut().unwrap().sent = offered;
    a.deliver("b", &frame);
    a.commit();
    assert!(a.losses.is_empty(), "it serves nobody yet");
    let source = a.duties.iter().find_map(|event| match event {
        Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. } => elected.catch_up_from(),
        _ => None,
    });
    assert_eq!(source.map(|source| source.position), at(5, 1));
    a.clear().pass(INTERVAL);
    assert_eq!(a.offered(), None, "the raise has brought fresh positions");
}

#[test]
fn r28_below_the_epoch_kept_nothing_passes() {
    let mut a = Solo::new();
    a.follow("b", 3);
    a.hear("b", 3, leading(3), offer(5));
    a.commit();
    assert_eq!(a.fence.ack(Stamp::received(epoch(3))), Ok(()));
    assert!(a.fence.ack(Stamp::received(epoch(2))).is_err());
}

#[test]
fn r24_the_end_of_an_old_lease_disconnects_nobody() {
    let mut a = Solo::new();
    a.lead();
    let end = a.lease_end();
    a.follow("c", 5).hear("c", 5, PeerState::Promised, beat());
    a.pass(ms(400));
    a.hear("b", 5, PeerState::Promised, beat());
    a.pass(end.since(a.now) + ms(1)).link("b", LinkState::Up);
    assert!(matches!(a.blocker(), Some(CampaignBlocker::NotFree { .. })), "{:?}", a.blocker());
}

#[test]
fn r53_a_later_leadership_does_not_drain_for_an_earlier_handover() {
    let mut a = Solo::handed_over();
    let frames = a.sent_to("c").count();
    assert_eq!(frames, 1, "the release says the new state by itself");
    a.clear().pass(ms(400));
    assert!(a.sent_to("c").count() > 0);
    assert!(a.sent_to("c").all(|frame| matches!(frame.body, Body::Release { .. })), "repeated as it lasts");
    a.pass(ELECTION_TIMEOUT);
    while a.offered().is_none() {
        a.hear("c", 1, PeerState::Free, beat());
        a.pass(ms(10));
    }
    a.commit().hear("c", 2, PeerState::Promised, accept(2));
    let office = a.take_elected().serve_without_log_forgetting_earlier_writes();
    assert!(office.stamp(a.now).is_ok());
}

#[test]
fn r53_the_own_entry_is_of_no_other_epoch() {
    for (number, expected) in [(0, false), (1, true), (2, false)] {
        let mut a = Solo::new();
        a.stand();
        a.pass(ms(1)).commit().hear_accept("b", 1);
        let caught_up = a.take_elected().caught_up(None).unwrap();
        assert_eq!(caught_up.own_entry_committed(at(number, 9).unwrap()).is_ok(), expected, "{number}");
    }
}

#[test]
fn r39_a_release_to_this_node_ends_its_waits_and_its_head_start_for_others() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).priority(99));
    a.follow("b", 1);
    a.hear("c", 1, follows("b", 1), beat());
    a.hear("b", 1, PeerState::Free, Body::Release { epoch: epoch(1), target: id("c") });
    assert!(matches!(a.blocker(), Some(CampaignBlocker::HeadStart(..))));
    a.hear("b", 1, stands(2), beat());
    a.hear("b", 1, PeerState::Free, beat());
    assert!(
        matches!(a.blocker(), Some(CampaignBlocker::HeadStart(..))),
        "what b does ends no head start of c"
    );
    a.clear().hear("c", 2, PeerState::Free, Body::Release { epoch: epoch(2), target: id("a") });
    assert_eq!(a.offered(), Some(3), "{:?}", a.blocker());

    let mut a = Solo::new();
    a.lead();
    a.request(Elector::resign).unwrap();
    assert_eq!(a.losses[0].reason, StepDown::Resigned);
    let release = Body::Release { epoch: epoch(1), target: id("b") };
    assert!(a.sent_to("c").any(|frame| frame.body == release), "it hands over, as it can");
    let until = a.now + ELECTION_TIMEOUT;
    a.pass(ms(700));
    a.hear_free("c", 1);
    assert_eq!(a.blocker(), Some(CampaignBlocker::Waits(until)));
    a.hear("c", 2, PeerState::Free, Body::Release { epoch: epoch(2), target: id("a") });
    assert_eq!(a.offered(), Some(3), "{:?}", a.blocker());
}

#[test]
fn r43_a_candidate_that_resigns_gives_its_campaign_up() {
    let mut a = Solo::new();
    a.stand();
    a.request(Elector::resign).unwrap();
    assert!(a.saw(|event| matches!(event, Notice::CampaignLost { reason: CampaignLost::Withdrawn, .. })));
    a.commit().hear_accept("b", 1);
    assert!(!a.holds_lease());
}

/// Whom the leader begins to hand over to by preference, and how often it begins.
fn preferred(a: &Solo) -> Vec<elect_core::NodeId> {
    let target = |duty: &Duty| match duty {
        Duty::HandoverBegan { target, cause: HandoverCause::Preference, .. } => Some(*target),
        _ => None,
    };
    a.duties.iter().filter_map(target).collect()
}

fn says(a: &mut Solo, peer: &str, priority: u8, position: Option<elect_core::Position>) {
    let body = Body::Heartbeat(Heartbeat { priority, position, ..heartbeat() });
    a.hear(peer, 1, follows("a", 1), body);
}

#[test]
fn r40_of_several_better_members_the_best_is_taken() {
    for (preferred_leader, of_b, of_c, best) in
        [(None, 101, 102, "c"), (None, 102, 101, "b"), (Some("b"), 101, 255, "b"), (Some("c"), 255, 101, "c")]
    {
        let mut builder = builder("a", &["a", "b", "c"]).fail_back_cooldown(ms(500));
        if let Some(name) = preferred_leader {
            builder = builder.preferred_leader(id(name));
        }
        let mut a = Solo::with(builder);
        a.lead();
        for _ in 0..13 {
            says(&mut a, "b", of_b, None);
            says(&mut a, "c", of_c, None);
            a.pass(INTERVAL);
        }
        assert_eq!(preferred(&a), [id(best)], "{preferred_leader:?} {of_b} {of_c}");
    }
}

#[test]
fn r40_under_steady_writes_a_member_two_heartbeats_behind_keeps_up_and_three_does_not() {
    for (behind, expected) in [(1, true), (2, true), (3, false)] {
        let config = builder("a", &["a", "b", "c"]).fail_back_cooldown(ms(500)).lag_tolerance(0);
        let mut a = Solo::with(config);
        a.set_position(at(1, 100)).lead();
        for round in 0..20 {
            a.set_position(at(1, 100 + round));
            says(&mut a, "b", 101, at(1, 100 + round - behind));
            a.pass(INTERVAL);
        }
        assert_eq!(!preferred(&a).is_empty(), expected, "{behind} behind");
    }
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).fail_back_cooldown(ms(500)).lag_tolerance(5));
    a.set_position(at(1, 100)).lead();
    for _ in 0..20 {
        says(&mut a, "b", 101, at(1, 95));
        a.pass(INTERVAL);
    }
    assert!(!preferred(&a).is_empty(), "within the lag tolerance");
}

#[test]
fn r40_preference_waits_for_office_and_for_a_handover_under_way() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).fail_back_cooldown(ms(500)));
    a.stand();
    a.pass(ms(1)).commit().hear_accept("b", 1);
    for _ in 0..20 {
        says(&mut a, "b", 101, None);
        a.pass(INTERVAL);
    }
    assert!(a.holds_lease() && preferred(&a).is_empty(), "it does not serve yet");

    let mut a = Solo::with(builder("a", &["a", "b", "c"]).fail_back_cooldown(ms(500)));
    a.lead();
    says(&mut a, "c", 100, None);
    a.request(|elector, now| elector.request_handover(id("c"), now)).unwrap();
    for _ in 0..20 {
        says(&mut a, "b", 101, None);
        a.pass(INTERVAL);
    }
    assert!(preferred(&a).is_empty(), "it hands over to c");
}

#[test]
fn r40_a_preference_that_was_aborted_waits_for_another_cooldown() {
    let config = builder("a", &["a", "b", "c"]).fail_back_cooldown(ms(1_000)).handover_timeout(ms(200));
    let mut a = Solo::with(config);
    a.lead();
    for _ in 0..36 {
        says(&mut a, "b", 101, None);
        a.pass(INTERVAL);
    }
    assert_eq!(preferred(&a), [id("b")], "the host never drains: once in 1800 ms");
}

#[test]
fn r40_a_connection_that_closes_between_two_heartbeats_begins_the_cooldown_anew() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).fail_back_cooldown(ms(1_000)));
    a.lead();
    for _ in 0..19 {
        says(&mut a, "b", 101, None);
        a.pass(INTERVAL);
    }
    a.link("b", LinkState::Closed).link("b", LinkState::Up);
    for _ in 0..15 {
        says(&mut a, "b", 101, None);
        a.pass(INTERVAL);
    }
    assert!(preferred(&a).is_empty());
}
