//! R21, R22, R24, R25, R41, R54, R55, R58: leases, their arithmetic and their end.

use std::time::Duration;

use elect_core::{
    Body, Config, Detection, Duty, Elector, Heartbeat, Lead, Lease, NotRebuilt, PeerState, RebuiltTo,
    RequestRefused, Requested, StepDown, SteppedDown, Time,
};

use crate::harness::{Group, builder, cluster, id, ms};
use crate::solo::{D, INTERVAL, LEASE, PROMISE, Solo, beat, epoch, follows, heartbeat, just_before, leading};

#[test]
fn r21_a_lease_runs_from_the_send_time_of_the_frame_echoed() {
    let mut a = Solo::new();
    let number = a.stand();
    let offered = a.last_to("b").header.nonce.sent;
    let accepted = a.frame("b", number, PeerState::Promised, crate::solo::accept(number));
    a.commit().pass(ms(30));
    assert_eq!(a.deliver("b", &accepted), None);
    assert_eq!(a.lease_end(), offered + LEASE, "not from when the answer came");
}

#[test]
fn r21_the_lease_ends_with_the_quorum_th_largest_grant() {
    let mut a = Solo::with(builder("a", &["a", "b", "c", "d", "e"]));
    a.hear_free("b", 0);
    a.hear_free("c", 0);
    let offered = a.last_to("b").header.nonce.sent;
    let [by_b, by_c] = ["b", "c"].map(|peer| a.frame(peer, 1, PeerState::Promised, crate::solo::accept(1)));
    a.pass(ms(1)).commit();
    a.deliver("b", &by_b);
    assert!(!a.holds_lease(), "two of five are no quorum");
    a.deliver("c", &by_c);
    assert_eq!(a.lease_end(), offered + LEASE);
    a.pass(INTERVAL);
    a.hear_acknowledgement("b", 1);
    assert_eq!(a.lease_end(), offered + LEASE, "one newer grant does not carry a quorum");
    a.hear_acknowledgement("e", 1);
    assert!(a.lease_end() > offered + LEASE);
}

#[test]
fn r21_grants_that_are_over_elect_nobody() {
    let mut a = Solo::new();
    let number = a.stand();
    let accepted = a.frame("b", number, PeerState::Promised, crate::solo::accept(number));
    a.now = a.now + LEASE + ms(1);
    a.deliver("b", &accepted);
    if a.gate.is_some() {
        a.commit();
    }
    assert!(!a.holds_lease());
    assert!(!a.must(|duty| matches!(duty, Duty::Elected(_))));
}

#[test]
fn r22_an_acknowledgement_names_leader_and_epoch_and_echoes_a_frame_of_it() {
    let mut a = Solo::new();
    let before = a.last_to("b").header.nonce;
    a.pass(ms(5)).lead();
    let end = a.lease_end();
    a.pass(INTERVAL);
    a.hear("b", 1, follows("a", 2), beat());
    a.hear("b", 1, follows("c", 1), beat());
    a.hear("b", 1, PeerState::Promised, beat());
    assert_eq!(a.lease_end(), end, "none of these follows this leader in this epoch");
    let mut early = a.frame("b", 1, follows("a", 1), beat());
    early.header.echo = Some(before);
    a.deliver("b", &early);
    let mut silent = a.frame("b", 1, follows("a", 1), beat());
    silent.header.echo = None;
    a.deliver("b", &silent);
    let mut foreign = a.frame("b", 1, follows("a", 1), beat());
    foreign.header.echo.as_mut().unwrap().incarnation.random ^= 1;
    a.deliver("b", &foreign);
    let mut invented = a.frame("b", 1, follows("a", 1), beat());
    invented.header.echo.as_mut().unwrap().sent = a.now + D;
    a.deliver("b", &invented);
    assert_eq!(a.lease_end(), end, "none of these echoes a frame of this leadership");
    a.hear_acknowledgement("b", 1);
    assert_eq!(a.lease_end(), a.last_to("b").header.nonce.sent + LEASE);
}

#[test]
fn r22_an_echo_from_before_the_offer_acknowledges_no_announcement() {
    let mut a = Solo::new();
    let before = a.last_to("c").header.nonce;
    a.pass(ms(5)).lead();
    let mut early = a.frame("c", 1, follows("a", 1), beat());
    early.header.echo = Some(before);
    a.deliver("c", &early);
    a.pass(INTERVAL);
    assert!(matches!(a.last_to("c").body, Body::Announce { .. }));
    a.hear_acknowledgement("c", 1);
    a.pass(INTERVAL);
    assert!(matches!(a.last_to("c").body, Body::Heartbeat(_)));
}

#[test]
fn r22_a_deaf_leader_does_not_keep_its_lease() {
    let mut a = Solo::new();
    a.lead();
    let heard = a.frame("b", 1, follows("a", 1), beat());
    for _ in 0..20 {
        a.pass(INTERVAL);
        let mut again = heard.clone();
        again.header.nonce.sent = a.now;
        a.deliver("b", &again);
    }
    assert!(!a.holds_lease(), "b follows, but echoes nothing new");
    assert_eq!(a.losses[0].reason, StepDown::LeaseOver);
}

#[test]
fn r24_a_leader_without_a_quorum_steps_down_once_and_falls_silent() {
    let mut a = Solo::new();
    a.lead();
    let left = a.lease_end().since(a.now);
    a.pass(just_before(left));
    assert!(a.holds_lease() && a.losses.is_empty());
    a.clear().pass(ms(2_000));
    assert!(!a.holds_lease());
    assert_eq!(a.losses.len(), 1);
    assert_eq!((a.losses[0].epoch, a.losses[0].reason), (epoch(1), StepDown::LeaseOver));
    let leads = |frame: &&elect_core::Frame| frame.header.state == leading(1);
    assert_eq!(a.sent_to("b").filter(leads).count(), 0);
    assert_eq!(a.sent_to("b").next().unwrap().header.state, PeerState::Free);
}

#[test]
fn r24_a_leader_with_a_quorum_stays() {
    let mut a = Solo::new();
    a.lead();
    for _ in 0..100 {
        a.pass(INTERVAL);
        a.hear_acknowledgement("b", 1);
    }
    assert!(a.holds_lease() && a.losses.is_empty());
}

#[test]
fn r24_a_dropped_elector_takes_its_lease_along() {
    let mut a = Solo::new();
    a.lead();
    let (authority, now) = (a.elector.authority(), a.now);
    assert!(authority.lease(now).is_some());
    drop(a);
    assert_eq!(authority.lease(now), None);
}

#[test]
fn r25_a_loss_comes_first_and_does_not_wait_for_the_disk() {
    let mut a = Solo::new();
    a.lead();
    assert_eq!(a.hear_leader("c", 5), None);
    assert!(a.gate.is_some(), "following waits for the disk");
    assert_eq!(a.losses[0].reason, StepDown::Superseded { epoch: epoch(5), leader: id("c") });
    assert!(!a.holds_lease(), "losing does not");
    let order = |what| a.order.iter().position(|&told| told == what).unwrap();
    assert!(order("lost") < order("sent") && order("sent") < order("save"), "{:?}", a.order);
    assert_eq!(a.leader(), None);
}

#[test]
fn r25_a_loss_that_was_due_comes_before_what_arrived_late() {
    let mut a = Solo::new();
    a.lead();
    let acknowledged = a.frame("b", 1, follows("a", 1), beat());
    a.now = a.lease_end();
    a.deliver("b", &acknowledged);
    assert_eq!(a.losses.len(), 1, "the lease ended before this input, whatever the input says");
}

#[test]
fn r25_a_request_that_is_refused_hands_out_the_loss_that_was_due() {
    type Ask = fn(&mut Elector, Time) -> Requested<'_>;
    let requests: [(Ask, RequestRefused); 4] = [
        (|elector, now| elector.request_handover(None, now), RequestRefused::NotLeader(None)),
        (Elector::resign, RequestRefused::NotLeader(None)),
        (|elector, now| elector.pause(ms(500), now), RequestRefused::NoLeader),
        (
            |elector, now| elector.on_rebuilt(RebuiltTo { entry: None }, now),
            RequestRefused::NotRebuilt(NotRebuilt::NotReplaced),
        ),
    ];
    for (request, refusal) in requests {
        let mut a = Solo::new();
        a.lead().clear();
        a.now = a.lease_end();
        assert_eq!(a.request(request), Err(refusal));
        assert_eq!(a.losses, [SteppedDown { epoch: epoch(1), reason: StepDown::LeaseOver }], "{refusal}");
        assert!(matches!(a.last_to("b").header.state, PeerState::Free), "frames too");
    }
    // A request that is granted after its clock ended the leadership says both.
    let mut a = Solo::new();
    a.lead().clear();
    a.now = a.lease_end();
    assert_eq!(a.request(Elector::resume), Ok(()));
    assert_eq!(a.losses.len(), 1);
}

fn adaptive() -> Solo {
    let detection = Detection::Adaptive { floor: ms(200), ceiling: ms(2_000), phi: 8 };
    Solo::with(builder("a", &["a", "b", "c"]).detection(detection))
}

fn detection_sent(a: &Solo) -> Duration {
    let lead = a.frames.iter().rev().find_map(|(_, frame)| match &frame.body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => heartbeat.lead,
        _ => None,
    });
    lead.expect("it leads").detection
}

fn heartbeats(a: &mut Solo, count: usize) {
    for _ in 0..count {
        a.pass(INTERVAL);
        a.hear_acknowledgement("b", 1);
        a.hear_acknowledgement("c", 1);
    }
}

#[test]
fn r41_the_detection_time_follows_the_network_between_floor_and_ceiling() {
    let mut a = adaptive();
    a.lead();
    heartbeats(&mut a, 10);
    assert_eq!(detection_sent(&a), ms(2_000), "it begins with the ceiling");
    heartbeats(&mut a, 190);
    let calm = detection_sent(&a);
    assert!(calm < ms(300) && calm >= ms(200), "a calm network is watched closely: {calm:?}");
    assert!(a.losses.is_empty());
}

#[test]
fn r41_the_detection_time_adapts_as_soon_as_something_is_known() {
    let detection = Detection::Adaptive { floor: ms(200), ceiling: ms(30_000), phi: 8 };
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).detection(detection));
    a.lead();
    // 64 ages, after the first acknowledgement of each peer.
    heartbeats(&mut a, 33);
    assert_eq!(detection_sent(&a), ms(30_000));
    heartbeats(&mut a, 2);
    assert!(detection_sent(&a) < ms(300), "{:?}", detection_sent(&a));
}

#[test]
fn r41_the_detection_time_covers_the_age_of_acknowledgements() {
    let mut a = adaptive();
    a.lead();
    heartbeats(&mut a, 100);
    assert!(detection_sent(&a) < ms(250), "{:?}", detection_sent(&a));
    // Ever older acknowledgements, in the same gaps.
    let mut left = Vec::new();
    for round in 0..2_000_usize {
        a.pass(INTERVAL);
        left.push(a.last_to("b").header.nonce);
        for peer in ["b", "c"] {
            let mut acknowledgement = a.frame(peer, 1, follows("a", 1), beat());
            acknowledgement.header.echo = Some(left[round - (round / 200).min(round)]);
            a.deliver(peer, &acknowledgement);
        }
    }
    assert!(a.losses.is_empty(), "{:?}", a.losses);
    assert!(detection_sent(&a) >= ms(9 * 50 + 50), "{:?}", detection_sent(&a));
}

#[test]
fn r41_a_change_waits_for_no_frame_since_each_answer_says_what_its_frame_carried() {
    let mut a = adaptive();
    a.lead();
    heartbeats(&mut a, 100);
    let mut changes: Vec<(Time, Duration)> = Vec::new();
    for round in 0..400_u64 {
        a.pass(if round < 200 { INTERVAL } else { ms(20 + round % 4 * 35) });
        a.hear_acknowledgement("b", 1);
        let carried = detection_sent(&a);
        if changes.last().is_none_or(|&(_, last)| last != carried) {
            changes.push((a.now, carried));
        }
    }
    assert!(changes.len() > 5, "{changes:?}");
    let at_once = |pair: &[(Time, Duration)]| pair[1].0.since(pair[0].0) < ms(500);
    assert!(changes.windows(2).any(at_once), "{changes:?}");
    let worth_it = |pair: &[(Time, Duration)]| pair[1].1.abs_diff(pair[0].1) > pair[0].1 / 20;
    assert!(changes.windows(2).all(worth_it), "{changes:?}");
}

#[test]
fn r21_a_larger_detection_time_of_today_lengthens_no_lease_of_yesterday() {
    let mut a = adaptive();
    a.lead();
    heartbeats(&mut a, 200);
    let small = detection_sent(&a);
    for round in 0..400_u64 {
        let (echo, carried, end) = (a.last_to("b").header.nonce, detection_sent(&a), a.lease_end());
        a.pass(ms(if round % 2 == 0 { 20 } else { 150 }));
        if detection_sent(&a) > small {
            // What b promised with the frame that it echoes.
            let lead = Some(Lead { detection: carried });
            let body = Body::Heartbeat(Heartbeat { lead, ..heartbeat() });
            let mut acknowledgement = a.frame("b", 1, follows("a", 1), body);
            acknowledgement.header.echo = Some(echo);
            a.deliver("b", &acknowledgement);
            assert!(a.lease_end() <= end.max(echo.sent + a.elector.config().lease_span(carried)));
            return;
        }
        a.hear_acknowledgement("b", 1);
    }
    panic!("the detection time never grew");
}

#[test]
fn r54_a_lease_ends_before_the_promises_that_carry_it() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    assert_eq!(config.lease_span(D), LEASE);
    for ppm in [0, 1, 10_000, 200_000] {
        let config = builder("a", &["a", "b", "c"]).detection(Detection::Fixed(ms(2_000))).drift_ppm(ppm);
        let config = config.build().unwrap();
        // The leader's clock slow by ρ: its lease is longest in real time.
        let lease = config.lease_span(ms(2_000)).as_nanos() * 1_000_000 / (1_000_000 - u128::from(ppm));
        assert!(lease < ms(2_000).as_nanos(), "{ppm} ppm: {lease}");
    }
    // The voter's clock fast by ρ: its promise is shortest in real time, and still D.
    let mut a = Solo::new();
    a.follow("b", 1);
    let until = a.promised_to().unwrap().2;
    assert_eq!(until.since(a.now), PROMISE);
    assert!(PROMISE.as_nanos() * 1_000_000 / 1_010_000 >= D.as_nanos());
}

#[test]
fn r54_a_detection_time_that_cannot_hold_a_lease_is_refused() {
    // Two heartbeats, a round trip and a save: 140 ms; 1 % drift and 1 ms granularity on top.
    let with = |detection| builder("a", &["a", "b", "c"]).detection(detection).build();
    let error = with(Detection::Fixed(ms(142))).unwrap_err();
    assert_eq!(error.field, "detection");
    assert!(error.rule.contains("two heartbeats, a round trip and a save"), "{error}");
    assert!(with(Detection::Fixed(ms(143))).is_ok());
    let adaptive = |floor| with(Detection::Adaptive { floor, ceiling: ms(2_000), phi: 8 });
    assert!(adaptive(ms(142)).is_err(), "the smallest one that it may lead to");
    assert!(adaptive(ms(143)).is_ok());
}

#[test]
fn r55_a_quorum_is_a_majority_of_voters_and_witnesses() {
    let quorum = |voters: &[&str], witnesses: &[&str], observers: &[&str]| {
        let ids = |names: &[&str]| names.iter().map(|name| id(name)).collect::<Vec<_>>();
        let config = Config::builder(cluster(), id("a"))
            .voters(ids(voters))
            .witnesses(ids(witnesses))
            .observers(ids(observers));
        config.build().map(|config| config.members().quorum())
    };
    assert_eq!(quorum(&["a"], &[], &["o", "p"]), Ok(1));
    assert_eq!(quorum(&["a", "b"], &["w"], &["o", "p"]), Ok(2));
    assert_eq!(quorum(&["a", "b", "c"], &["w"], &[]), Ok(3), "half of four is none");
    let error = quorum(&["a", "b"], &["v", "w"], &[]).unwrap_err();
    assert!(error.rule.contains("a quorum is 3"), "witnesses hold no data: {error}");
}

#[test]
fn r58_a_lease_is_judged_by_the_readers_clock_at_the_call() {
    let mut a = Solo::new();
    a.lead();
    let (authority, end) = (a.elector.authority(), a.lease_end());
    let before = Time::from_nanos(end.as_nanos() - 1);
    assert_eq!(authority.lease(before), Some(Lease { epoch: epoch(1), end }));
    assert_eq!(authority.lease(end), None, "without any input to the elector");
    a.request(Elector::resign).unwrap();
    assert_eq!(authority.lease(before), None, "every clone of the cell has fallen");
}

#[test]
fn r49_equal_inputs_give_equal_outputs() {
    let run = || {
        let mut group = Group::voters(&["a", "b", "c", "d", "e"]);
        group.record_traffic = true;
        group.start_all().run(ms(700));
        group.cut("a", "b").cut_one_way("c", "a").run(ms(900)).kill("a").run(ms(1_500));
        group.heal().restart("a").run(ms(1_500));
        (group.sent, group.leaders)
    };
    let (sent, leaders) = run();
    assert!(sent.len() > 100 && leaders.len() >= 2);
    assert_eq!((sent, leaders), run());
}
