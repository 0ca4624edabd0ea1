//! R1–R5, R17, R18, R23, R32, R35–R37, R45, R50, R56, R57: what a frame tells, and what a node says of itself.

use std::time::Duration;

use elect_core::{
    Body, CampaignBlocker, Config, Detection, Duty, Health, Heartbeat, Ignored, Incarnation, LinkState,
    MemberKind, NotRebuilt, Notice, PeerState, RebuiltTo, Record, RequestRefused, Unfit,
};

use crate::harness::{builder, cluster, id, ms};
use crate::solo::{
    D, FIVE, INTERVAL, OPEN, RANK_STEP, Solo, accept, at, beat, beat_at, epoch, follows, heartbeat, lead,
    leading, offer, stands,
};

fn lives(a: &mut Solo, peer: &str, counter: u32) {
    a.lives.insert(id(peer), Incarnation { counter, random: 1 });
}

fn said(a: &Solo, peer: &str) -> Heartbeat {
    match &a.last_to(peer).body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => *heartbeat,
        other => panic!("{other:?}"),
    }
}

fn with_others(name: &str) -> elect_core::ConfigBuilder {
    Config::builder(cluster(), id(name))
        .voters(["a", "b", "c"].map(id))
        .witnesses([id("v"), id("w")])
        .observers([id("o")])
        .seed(7)
}

#[test]
fn r02_an_earlier_life_is_rejected_as_seldom_as_anybody_is_answered() {
    let mut a = Solo::new();
    lives(&mut a, "b", 2);
    a.hear("b", 0, PeerState::Promised, beat());
    a.pass(ms(30)).clear();
    lives(&mut a, "b", 1);
    for _ in 0..3 {
        a.hear("b", 0, PeerState::Promised, beat());
    }
    assert_eq!(a.sent_to("b").count(), 1);
    assert!(matches!(a.last_to("b").body, Body::Reject { .. }));
}

#[test]
fn r02_a_rejection_that_names_no_other_life_stops_nobody() {
    let mut a = Solo::new();
    let own = a.disk.record.incarnation;
    for known in [own, Incarnation { counter: own.counter - 1, random: 9 }] {
        let reject = Body::Reject { rejected: own, known };
        assert_eq!(
            a.hear("b", 0, PeerState::Promised, reject),
            Some(Ignored::DeadIncarnation(own)),
            "{known:?}"
        );
    }
    assert!(!a.must(|duty| matches!(duty, Duty::Stopped { .. })));
}

#[test]
fn r03_the_epoch_of_the_header_is_heard_of_whatever_the_body_names() {
    let mut a = Solo::new();
    a.hear("c", 7, PeerState::Promised, accept(1));
    a.clear().hear_free("b", 0);
    assert_eq!(a.offered(), Some(8));
}

#[test]
fn r17_only_an_echo_of_this_life_connects_and_an_older_one_takes_nothing_away() {
    let mut a = Solo::new();
    let mut frame = a.frame("b", 0, PeerState::Promised, beat());
    frame.header.echo.as_mut().unwrap().incarnation.random ^= 1;
    a.deliver("b", &frame);
    assert!(matches!(a.blocker(), Some(CampaignBlocker::NotConnected { .. })));

    let mut a = Solo::new();
    let early = a.frame("b", 0, PeerState::Promised, beat()).header.echo;
    a.pass(ms(300));
    a.hear("b", 0, PeerState::Promised, beat());
    let mut late = a.frame("b", 0, PeerState::Promised, beat());
    late.header.echo = early;
    a.deliver("b", &late);
    a.pass(ms(300)).link("c", LinkState::Up);
    assert!(matches!(a.blocker(), Some(CampaignBlocker::NotFree { .. })), "{:?}", a.blocker());
}

#[test]
fn r17_connected_lasts_for_the_detection_time_and_no_longer() {
    let mut a = Solo::new();
    let echoed = a.last_to("b").header.nonce.sent;
    let frame = a.frame("b", 0, PeerState::Promised, beat());
    a.deliver("b", &frame);
    a.now = echoed + D;
    a.link("c", LinkState::Up);
    assert!(matches!(a.blocker(), Some(CampaignBlocker::NotFree { .. })));
    a.now = a.now + Duration::from_nanos(1);
    a.link("c", LinkState::Up);
    assert!(matches!(a.blocker(), Some(CampaignBlocker::NotConnected { .. })));
}

#[test]
fn r17_a_later_life_has_a_clock_of_its_own_and_must_prove_that_it_hears() {
    let mut a = Solo::new();
    a.hear("b", 0, PeerState::Promised, beat());
    lives(&mut a, "b", 2);
    let mut first = a.frame("b", 0, PeerState::Free, beat());
    first.header.nonce.sent = elect_core::Time::from_nanos(5);
    first.header.echo = None;
    assert_eq!(a.deliver("b", &first), None, "its clock may have begun anew");
    assert!(matches!(a.blocker(), Some(CampaignBlocker::NotConnected { .. })), "{:?}", a.blocker());
}

#[test]
fn r18_observers_are_no_part_of_a_free_quorum() {
    let mut a = Solo::with(with_others("a"));
    a.hear("b", 0, PeerState::Free, beat());
    a.hear("c", 0, PeerState::Promised, beat());
    a.hear("o", 0, PeerState::Free, beat());
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotFree { free: 2, needed: 3 }));
}

#[test]
fn r18_whoever_still_follows_this_node_is_free_once_it_leads_no_more() {
    let mut a = Solo::new();
    a.lead();
    a.pass(D).clear();
    a.hear("b", 1, follows("a", 2), beat());
    assert_eq!(a.offered(), None, "epoch 2 was never led here: {:?}", a.blocker());
    a.hear("b", 1, follows("a", 1), beat());
    assert!(a.offered().is_some(), "{:?}", a.blocker());
}

#[test]
fn r19_at_the_end_of_all_epochs_nobody_stands() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let record = Record { epoch: epoch(u64::MAX), ..Record::first_boot(&config) };
    let mut a = Solo::from_record(config, record);
    a.hear_free("b", 5);
    assert_eq!(a.blocker(), Some(CampaignBlocker::EpochsExhausted));
}

#[test]
fn r23_to_others_than_its_leader_a_follower_echoes_the_newest_frame() {
    let mut a = Solo::new();
    a.follow("b", 1);
    let frame = a.frame("c", 1, follows("b", 1), beat());
    a.deliver("c", &frame);
    a.clear().pass(ms(170));
    assert_eq!(a.last_to("c").header.echo, Some(frame.header.nonce));
}

#[test]
fn r32_a_delay_that_was_interrupted_begins_anew() {
    let interruptions: [fn(&mut Solo); 2] = [
        |b| {
            b.link("c", LinkState::Closed).link("a", LinkState::Closed);
            b.pass(ms(200));
            b.link("c", LinkState::Up).link("a", LinkState::Up);
        },
        |b| {
            b.hear(
                "c",
                0,
                stands(1),
                Body::Offer { epoch: epoch(1), detection: ms(200), detection_max: OPEN },
            );
            b.commit().pass(ms(202));
            b.hear("c", 1, PeerState::Promised, accept(9)); // it has never said that it may lead
        },
    ];
    for interrupt in interruptions {
        let mut b = Solo::with(builder("b", &["a", "b", "c"]));
        b.hear_free("a", 0);
        assert!(matches!(b.blocker(), Some(CampaignBlocker::Rank { rank: 1, .. })));
        b.pass(ms(40));
        interrupt(&mut b);
        b.clear().hear_free("a", 1);
        assert_eq!(b.blocker(), Some(CampaignBlocker::Rank { rank: 1, at: b.now + RANK_STEP }));
        assert_eq!(b.offered(), None);
    }
}

#[test]
fn r32_what_a_rival_has_and_does_decides_its_rank() {
    // One that lags is behind, whatever its priority.
    let mut b = Solo::with(builder("b", &["a", "b", "c"]));
    b.set_position(at(1, 9));
    let behind = Heartbeat { priority: 255, position: at(1, 1), ..heartbeat() };
    b.hear("a", 0, PeerState::Free, Body::Heartbeat(behind));
    assert_eq!(b.offered(), Some(1), "{:?}", b.blocker());

    // One that is further by its own promise stays so while it is not free yet.
    let mut b = Solo::with(builder("b", &FIVE));
    b.set_position(at(1, 5)).hear("c", 0, follows("a", 0), beat_at(at(1, 9)));
    b.hear_free("d", 0);
    b.hear_free("e", 0);
    assert!(matches!(b.blocker(), Some(CampaignBlocker::Rank { rank: 1, .. })), "{:?}", b.blocker());

    // One that campaigns is ahead, even if it said before that it is unfit.
    let mut a = Solo::new();
    a.hear("b", 0, stands(1), Body::Heartbeat(Heartbeat { healthy: false, ..heartbeat() }));
    a.hear_free("c", 0);
    assert!(matches!(a.blocker(), Some(CampaignBlocker::Rank { rank: 1, .. })), "{:?}", a.blocker());

    // What it says anew holds, downwards too.
    let mut b = Solo::with(builder("b", &["a", "b", "c"]).lag_tolerance(0));
    b.set_position(at(1, 5)).hear("a", 0, PeerState::Promised, beat_at(at(1, 9)));
    b.hear("a", 0, PeerState::Free, beat_at(at(1, 3)));
    assert_eq!(b.offered(), Some(1), "its log was cut back");
    let mut b = Solo::with(builder("b", &["a", "b", "c"]));
    b.hear("c", 0, PeerState::Promised, Body::Heartbeat(Heartbeat { priority: 200, ..heartbeat() }));
    b.hear("c", 0, PeerState::Free, beat());
    assert_eq!(b.offered(), Some(1), "its priority was lowered");
}

#[test]
fn r36_a_node_says_how_it_stands_and_whether_it_may_lead() {
    let mut a = Solo::new();
    a.give_word("b", 1);
    assert_eq!(a.last_to("c").header.state, PeerState::Promised);
    assert!(said(&a, "c").eligible && said(&a, "c").healthy);
    a.step(|elector, now| elector.set_health(Health::Unfit, now));
    assert!(!said(&a, "c").healthy);
    let never = Solo::with(builder("a", &["a", "b", "c"]).never_leader(true));
    assert!(!said(&never, "b").eligible);
    for name in ["o", "w"] {
        let other = Solo::with(with_others(name));
        assert!(!said(&other, "b").eligible, "{name}");
        let free = other.elector.config().kind() == MemberKind::Witness;
        assert_eq!(other.last_to("b").header.state == PeerState::Free, free, "{name}");
    }
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let record = Record::replacement(&config);
    assert!(!said(&Solo::from_record(config, record), "b").eligible);
}

#[test]
fn r37_a_leader_announces_itself_to_a_later_life() {
    let mut a = Solo::new();
    a.lead();
    a.hear_acknowledgement("c", 1);
    a.pass(INTERVAL);
    assert!(matches!(a.last_to("c").body, Body::Heartbeat(_)));
    lives(&mut a, "c", 2);
    a.hear("c", 0, PeerState::Promised, accept(9));
    a.clear().pass(INTERVAL);
    assert!(matches!(a.last_to("c").body, Body::Announce { .. }), "it has acknowledged nothing");
}

#[test]
fn r38_who_never_said_how_it_is_is_no_target() {
    let mut a = Solo::new();
    a.lead();
    assert_eq!(a.hear("c", 1, PeerState::Promised, accept(1)), None);
    let asked = a.request(|elector, now| elector.request_handover(Some(id("c")), now));
    assert_eq!(asked, Err(RequestRefused::TargetUnfit(id("c"), Unfit::Ineligible)));
}

#[test]
fn r45_a_replacement_is_taught_by_each_peer_once() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let record = Record::replacement(&config);
    let mut a = Solo::from_record(config, record);
    let reject = |a: &mut Solo, above: u32| {
        let own = a.disk.record.incarnation;
        let known = Incarnation { counter: own.counter + above, random: 3 };
        a.hear("b", 0, PeerState::Promised, Body::Reject { rejected: own, known });
        a.hear("c", 0, PeerState::Promised, Body::Reject { rejected: own, known }); // while that is saved
    };
    for _ in 0..2 {
        let counter = a.disk.record.incarnation.counter;
        reject(&mut a, 5);
        a.commit();
        assert_eq!(a.disk.record.incarnation.counter, counter + 6);
    }
    assert!(!a.must(|duty| matches!(duty, Duty::Stopped { .. })));
    for _ in 0..2 {
        reject(&mut a, 5);
        if a.gate.is_some() {
            a.commit();
        }
    }
    assert!(a.must(|duty| matches!(duty, Duty::Stopped { .. })), "two of it run at once");
}

#[test]
fn r45_the_longest_detection_time_that_may_be_used_counts_not_the_one_in_use() {
    let detection = Detection::Adaptive { floor: ms(200), ceiling: ms(2_000), phi: 8 };
    let config = builder("a", &["a", "b", "c"]).detection(detection).build().unwrap();
    let record = Record::replacement(&config);
    let mut a = Solo::from_record(config, record);
    a.set_position(at(1, 1));
    a.hear("b", 1, leading(1), lead(ms(200)));
    a.commit();
    for _ in 0..20 {
        a.pass(INTERVAL);
        a.hear("b", 1, leading(1), lead(ms(200)));
    }
    let rebuilt = a.request(|elector, now| elector.on_rebuilt(RebuiltTo { entry: at(1, 1) }, now));
    assert_eq!(rebuilt, Err(RequestRefused::NotRebuilt(NotRebuilt::TooEarly)));
}

#[test]
fn r45_a_witness_needs_no_entry_even_of_a_leader_with_a_log() {
    let config = with_others("w").build().unwrap();
    let record = Record::replacement(&config);
    let mut w = Solo::from_record(config, record);
    let Body::Heartbeat(leads) = lead(D) else { unreachable!("lead is a heartbeat") };
    w.follow("b", 3);
    for _ in 0..12 {
        w.pass(INTERVAL);
        w.hear("b", 3, leading(3), Body::Heartbeat(Heartbeat { position: at(3, 9), ..leads }));
    }
    w.commit();
    assert!(w.must(|duty| matches!(duty, Duty::Rebuilt)));
}

#[test]
fn r50_who_may_not_lead_neither_stands_nor_offers_nor_announces() {
    let Body::Heartbeat(leads) = lead(D) else { unreachable!("lead is a heartbeat") };
    let announce = Body::Announce { heartbeat: leads, address: elect_core::Address::default() };
    let release = Body::Release { epoch: epoch(0), target: id("b") };
    for (state, body) in [
        (stands(1), beat()),
        (leading(1), lead(D)),
        (PeerState::Promised, offer(1)),
        (PeerState::Promised, announce),
        (PeerState::Promised, release),
    ] {
        for from in ["w", "o"] {
            let mut a = Solo::with(with_others("a"));
            let ignored = a.hear(from, 0, state, body.clone());
            assert!(ignored.is_some() && a.gate.is_none(), "{from}: {state:?} {body:?}");
            if !matches!(state, PeerState::Leader(_)) {
                assert_eq!(ignored, Some(Ignored::NotItsPlace), "{from}: {state:?} {body:?}");
            }
        }
    }
}

#[test]
fn r56_who_follows_nobody_speaks_every_third_of_the_shortest_detection_time() {
    let detection = Detection::Adaptive { floor: ms(300), ceiling: ms(2_000), phi: 8 };
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).detection(detection));
    a.clear().pass(ms(1_000));
    assert_eq!(a.sent_to("b").count(), 10);
    a.hear("b", 1, leading(1), lead(ms(150)));
    a.commit().pass(ms(60));
    a.hear("b", 1, leading(1), lead(ms(150)));
    a.clear().pass(ms(145));
    assert_eq!(a.sent_to("c").count(), 3, "the leader's own is shorter still");
}

#[test]
fn r57_the_host_hears_of_a_raised_epoch() {
    let mut a = Solo::new();
    a.follow("b", 1).clear();
    a.hear_leader("b", 2);
    a.commit();
    assert!(a.saw(|event| matches!(event, Notice::Following { epoch: told, .. } if *told == epoch(2))));
}
