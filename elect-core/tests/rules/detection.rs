//! R65 and what it touches (R21, R33, R45, R56): members that are configured with different detection times.
//!
//! Each test of a grant names the schedule that gives two leaders where its wording is another one.

use std::time::Duration;

use elect_core::{
    Birth, Body, CampaignBlocker, Config, Detection, Duty, Frame, HandoverAborted, Heartbeat, Ignored,
    Incarnation, Lead, LinkState, LogSync, Notice, PeerState, RebuiltTo, Record, Refusal, RequestRefused,
    Unfit,
};

use crate::harness::{Group, builder, id, ms};
use crate::solo::{
    D, FIVE, INTERVAL, NEEDED, OPEN, Solo, asked_by, at, beat, epoch, follows, heartbeat, lead, leading,
    stands,
};

const NAMES: [&str; 3] = ["a", "b", "c"];
const LONG: Duration = Duration::from_secs(2);
const SHORT: Duration = Duration::from_millis(300);

fn fixed(name: &str, detection: Duration) -> elect_core::ConfigBuilder {
    builder(name, &NAMES).detection(Detection::Fixed(detection))
}

fn config(detection: Duration) -> Config {
    fixed("a", detection).build().unwrap()
}

/// Node `a` with this detection time; `b` and `c` allow promises of so much.
fn solo(own: Duration, b: Duration, c: Duration) -> Solo {
    let mut a = Solo::with(fixed("a", own));
    a.maxima.extend([(id("b"), b), (id("c"), c)]);
    a
}

/// D(1 + ρ).
fn promise(detection: Duration) -> Duration {
    detection * 101 / 100
}

fn asked(a: &Solo, of: &str) -> Duration {
    a.sent_to(of).rev().find_map(asked_by).unwrap_or_else(|| panic!("{of} was asked for nothing"))
}

/// `peer` tells that it needs promises of 201 ms to lead.
fn needs_201_ms(a: &mut Solo, peer: &str) {
    let birth = Birth {
        first_life: 1,
        epoch: epoch(0),
        position: None,
        log: LogSync::Synchronous,
        detection_min: ms(201),
    };
    a.births.insert(id(peer), birth);
}

/// A follower's heartbeat that says how long it promised.
fn promising(detection: Duration) -> Body {
    Body::Heartbeat(Heartbeat { lead: Some(Lead { detection }), ..heartbeat() })
}

/// How long the promise runs that this frame says was given.
fn said(body: &Body) -> Option<Duration> {
    match body {
        Body::Accept { detection, .. } => Some(*detection),
        Body::Heartbeat(heartbeat) => {
            Some(heartbeat.lead.map_or(heartbeat.detection_max, |lead| lead.detection))
        }
        _ => None,
    }
}

fn accepted_for(frame: &Frame) -> Option<Duration> {
    if let Body::Accept { detection, .. } = frame.body { Some(detection) } else { None }
}

#[test]
fn r65_each_member_is_asked_for_no_longer_a_promise_than_it_allows() {
    let mut a = solo(LONG, SHORT, ms(5_000));
    a.hear_free("c", 0);
    assert_eq!((asked(&a, "b"), asked(&a, "c")), (LONG, LONG), "b has told nothing yet");
    a.hear("b", 0, PeerState::Promised, beat());
    assert_eq!((asked(&a, "b"), asked(&a, "c")), (SHORT, LONG), "asked again at once");
    a.clear().pass(INTERVAL);
    assert_eq!((asked(&a, "b"), asked(&a, "c")), (SHORT, LONG));
    a.commit();
    a.hear_accept("c", 1);
    a.clear().pass(INTERVAL);
    assert_eq!((asked(&a, "b"), asked(&a, "c")), (SHORT, LONG), "likewise as a leader");
    assert!(a.frames.iter().all(|(_, frame)| match &frame.body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => heartbeat.detection_max == LONG,
        Body::Offer { detection_max, .. } => *detection_max == LONG,
        _ => true,
    }));
}

/// With the own D for all: b is free after 300 ms and elects c, and a leads by its grant for 2 s.
#[test]
fn r65_a_grant_lasts_as_long_as_the_promise_behind_it() {
    let mut a = solo(LONG, SHORT, LONG);
    a.hear("b", 0, PeerState::Promised, beat());
    a.hear_free("b", 0);
    a.pass(ms(1)).commit();
    let left = a.last_to("b").header.nonce.sent;
    a.hear_accept("b", 1);
    assert_eq!(a.lease_end(), left + config(LONG).lease_span(SHORT));
    a.pass(INTERVAL);
    let left = a.last_to("b").header.nonce.sent;
    a.pass(ms(1)).hear_acknowledgement("b", 1);
    assert_eq!(a.lease_end(), left + config(LONG).lease_span(SHORT));
    a.pass(SHORT);
    assert_eq!(a.losses.len(), 1, "the promise is over, and so is the lease");
}

/// With the D that this pair has by now: b promised for 300 ms, is set to 2 s meanwhile, and a leads by what it says of
/// the older frame for 2 s.
#[test]
fn r21_a_pair_that_allows_more_today_lengthens_no_grant_of_yesterday() {
    let mut a = solo(LONG, SHORT, LONG);
    a.hear("b", 0, PeerState::Promised, beat());
    a.hear_free("b", 0);
    a.pass(ms(1)).commit();
    a.hear_accept("b", 1);
    a.pass(INTERVAL);
    let left = a.last_to("b").header.nonce.sent;
    a.pass(ms(1)).maxima.insert(id("b"), LONG);
    a.hear("b", 1, follows("a", 1), promising(SHORT));
    assert_eq!(a.lease_end(), left + config(LONG).lease_span(SHORT));
    a.pass(INTERVAL);
    assert_eq!(asked(&a, "b"), LONG, "from the next frame on");
}

/// A voter that says the longest it allows in place of what it was asked for: a leads for 2 s by a promise of 300 ms.
#[test]
fn r21_an_answer_says_what_was_promised_for_the_frame_that_it_echoes() {
    let mut a = Solo::with(fixed("a", LONG));
    a.hear("b", 0, stands(1), Body::Offer { epoch: epoch(1), detection: SHORT, detection_max: OPEN });
    a.commit();
    assert_eq!(a.sent_to("b").find_map(accepted_for), Some(SHORT));
    assert_eq!(a.promised_to().unwrap().2, a.now + promise(SHORT));
    a.hear("b", 1, leading(1), lead(ms(400)));
    assert_eq!(said(&a.last_to("b").body), Some(ms(400)));
    a.pass(INTERVAL).hear("b", 1, leading(1), lead(LONG));
    assert_eq!(said(&a.last_to("b").body), Some(LONG), "which is the own maximum");
    let Body::Heartbeat(Heartbeat { lead: said, .. }) = a.last_to("b").body else { panic!("a heartbeat") };
    assert_eq!(said, None, "and is said anyway");
    a.pass(LONG / 3);
    let Body::Heartbeat(Heartbeat { lead: said, .. }) = a.last_to("c").body else { panic!("a heartbeat") };
    assert_eq!(said, None, "to the leader alone");
}

/// A follower that says the D of the newest frame: its promise is that of an older one, whose nonce it echoes.
#[test]
fn r21_what_came_while_the_adoption_was_saved_was_not_promised() {
    let mut a = Solo::with(fixed("a", LONG));
    let first = a.frame("b", 1, leading(1), lead(SHORT));
    a.deliver("b", &first);
    let received = a.now;
    a.pass(ms(20)).hear("b", 1, leading(1), lead(LONG));
    a.commit();
    let answer = a.last_to("b");
    assert_eq!(answer.header.echo, Some(first.header.nonce));
    assert_eq!(said(&answer.body), Some(SHORT));
    assert_eq!(a.promised_to().unwrap().2, received + promise(SHORT));
}

/// Two frames of one step have one nonce: where a member told that it allows more, they carry different times.
#[test]
fn r21_of_two_frames_with_one_nonce_the_first_was_promised() {
    let mut a = Solo::with(fixed("a", LONG));
    a.follow("b", 1);
    a.pass(INTERVAL);
    let first = a.frame("b", 1, leading(1), lead(SHORT));
    let Body::Heartbeat(said_first) = first.body else { panic!("a heartbeat") };
    let more = Heartbeat { lead: Some(Lead { detection: LONG }), ..said_first };
    a.deliver("b", &first);
    a.deliver("b", &Frame { body: Body::Heartbeat(more), ..first.clone() });
    let answer = a.last_to("b");
    assert_eq!((answer.header.echo, said(&answer.body)), (Some(first.header.nonce), Some(SHORT)));
}

#[test]
fn r21_no_answer_grants_more_than_was_ever_asked_for() {
    let mut a = Solo::new();
    a.lead();
    a.pass(INTERVAL);
    let left = a.last_to("b").header.nonce.sent;
    a.pass(ms(1)).hear("b", 1, follows("a", 1), promising(ms(60_000)));
    assert_eq!(a.lease_end(), left + config(D).lease_span(D), "a frame that is broken");
}

/// A voter that cuts the D to what it allows and accepts: the candidate counts what it asked for.
#[test]
fn r65_an_offer_that_asks_for_too_much_is_refused_with_the_maximum() {
    let mut a = Solo::new();
    a.clear();
    let long = Body::Offer { epoch: epoch(1), detection: D + ms(1), detection_max: OPEN };
    assert_eq!(a.hear("b", 0, stands(1), long.clone()), None);
    let refused = Body::Refuse { epoch: epoch(1), refusal: Refusal::DetectionTooLong, detection_max: D };
    assert!(a.sent_to("b").any(|frame| frame.body == refused), "{:?}", a.frames);
    assert!(
        a.saw(|notice| matches!(notice, Notice::RefusedOffer { refusal: Refusal::DetectionTooLong, .. }))
    );
    assert!(a.gate.is_none());
    let again = a.hear("b", 0, stands(1), long);
    assert_eq!(again, Some(Ignored::Detection(D + ms(1))), "R35: at most once per half heartbeat interval");
    assert_eq!(a.sent_to("b").filter(|frame| frame.body == refused).count(), 1);
    assert_eq!(a.hear_offer("b", 1), None);
    assert!(a.gate.is_some(), "one that asks for no more is accepted");
}

#[test]
fn r65_an_offer_that_was_refused_for_its_length_is_repeated_at_once_with_less() {
    let mut a = Solo::with(fixed("a", LONG));
    a.stand();
    a.commit().clear();
    a.maxima.insert(id("c"), SHORT);
    let refusal = Body::Refuse { epoch: epoch(1), refusal: Refusal::DetectionTooLong, detection_max: OPEN };
    assert_eq!(a.hear("c", 0, PeerState::Free, refusal.clone()), None);
    let shorter = Body::Offer { epoch: epoch(1), detection: SHORT, detection_max: LONG };
    assert_eq!(a.sent_to("c").filter(|frame| frame.body == shorter).count(), 1, "{:?}", a.frames);
    assert!(a.saw(|notice| matches!(notice, Notice::OfferRefused { .. })));
    a.clear().hear("c", 0, PeerState::Free, refusal);
    assert_eq!(a.sent_to("c").count(), 0, "once: the voter has not changed its mind");
    assert_eq!(a.blocker(), Some(CampaignBlocker::Campaigns), "no lost campaign");
}

#[test]
fn r65_a_re_offer_that_was_refused_for_its_length_is_repeated_at_once_with_less() {
    let mut a = Solo::with(fixed("a", LONG));
    a.lead();
    a.hear("c", 4, PeerState::Promised, beat());
    a.pass(INTERVAL).commit();
    assert_eq!(a.offered(), Some(5));
    a.clear();
    a.maxima.insert(id("c"), SHORT);
    let refusal = Body::Refuse { epoch: epoch(5), refusal: Refusal::DetectionTooLong, detection_max: OPEN };
    a.hear("c", 4, PeerState::Promised, refusal);
    assert!(a.sent_to("c").any(|frame| matches!(frame.body, Body::Offer { detection: SHORT, .. })));
}

/// The quorum's size stays, and so does what the voter may do itself.
#[test]
fn r65_a_voter_that_allows_less_than_the_minimum_is_left_out() {
    let short = Duration::from_micros(142_424);
    let mut a = solo(D, short, D);
    a.hear_free("b", 0);
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotConnected { connected: 1, needed: 2 }), "R18");
    a.hear("c", 0, PeerState::Promised, beat());
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotFree { free: 1, needed: 2 }));
    a.hear_free("c", 0);
    a.pass(ms(1)).commit();
    assert_eq!(a.hear_accept("b", 1), None);
    assert_eq!(a.leader(), None, "its accept carries no lease");
    assert_eq!(a.hear_accept("c", 1), None);
    assert_eq!(a.leader(), Some((id("a"), epoch(1))));
    let end = a.lease_end();
    a.pass(INTERVAL).hear_acknowledgement("b", 1);
    assert_eq!(a.lease_end(), end, "nor does its acknowledgement");
    a.hear_acknowledgement("c", 1);
    assert!(a.lease_end() > end);
    assert_eq!(asked(&a, "b"), short, "but it is led like everybody");
}

#[test]
fn r65_the_offers_of_a_voter_that_is_left_out_are_accepted_as_anybodys() {
    let mut a = solo(D, ms(100), D);
    a.hear_free("b", 0);
    let body = Body::Offer { epoch: epoch(1), detection: ms(100), detection_max: OPEN };
    assert_eq!(a.hear("b", 0, stands(1), body), None);
    a.commit();
    assert_eq!(a.sent_to("b").find_map(accepted_for), Some(ms(100)));
}

#[test]
fn r65_exactly_the_minimum_is_enough_and_so_is_what_was_not_told() {
    let mut a = solo(D, NEEDED, D);
    a.hear_free("b", 0);
    assert_eq!(a.blocker(), Some(CampaignBlocker::Campaigns));
    a.commit();
    a.hear_accept("b", 1);
    assert_eq!(a.leader(), Some((id("a"), epoch(1))));
    assert!(!a.saw(|notice| matches!(notice, Notice::PromiseTooShort { .. })));
}

#[test]
fn r33_a_campaign_is_over_without_the_voter_that_is_left_out() {
    let mut a = solo(D, ms(100), D);
    a.hear_free("b", 0);
    a.hear_free("c", 0);
    a.commit();
    let spent = Body::Refuse { epoch: epoch(1), refusal: Refusal::VoteSpent, detection_max: OPEN };
    a.hear("c", 1, PeerState::Promised, spent);
    assert!(
        matches!(a.blocker(), Some(CampaignBlocker::Waits(_))),
        "b alone elects nobody: {:?}",
        a.blocker()
    );
}

#[test]
fn r19_nobody_offers_above_a_voter_that_is_left_out() {
    let mut a = solo(D, ms(100), D);
    a.hear("b", 9_000_000, PeerState::Promised, beat());
    a.hear_free("c", 0);
    let hinted = (1 << 20) + 1;
    assert_eq!(a.offered(), Some(hinted), "a hint it is, as everybody's epoch");
}

fn warned(a: &Solo) -> Vec<(String, Duration, String, Duration)> {
    let warning = |notice: &Notice| match notice {
        Notice::PromiseTooShort { voter, allowed, leader, needed } => {
            Some((voter.to_string(), *allowed, leader.to_string(), *needed))
        }
        _ => None,
    };
    a.notices.iter().filter_map(warning).collect()
}

#[test]
fn r65_both_sides_warn_with_both_figures() {
    let mut a = solo(D, ms(100), D);
    a.hear_free("b", 0);
    assert_eq!(warned(&a), [("b".into(), ms(100), "a".into(), NEEDED)]);
    let says = a.elector.explain(a.now).to_string();
    assert!(
        says.contains("b allows only 100 ms, a needs 142 ms to lead: it leaves b's promise out"),
        "{says}"
    );
    let status = a.elector.status(a.now).peers[0].detection;
    assert!(status.leaves_out && !status.is_left_out);
    assert_eq!((status.peer_max, status.own_max, status.own_min), (Some(ms(100)), D, NEEDED));
    a.hear_free("b", 0);
    assert_eq!(warned(&a).len(), 1, "once");
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 2 });
    a.hear_free("b", 0);
    assert_eq!(warned(&a).len(), 2, "for each life");

    // The other side: what b needs is told with what its life began with.
    let mut a = solo(ms(200), ms(200), ms(200));
    needs_201_ms(&mut a, "b");
    a.hear_free("b", 0);
    assert_eq!(warned(&a), [("a".into(), ms(200), "b".into(), ms(201))]);
    let says = a.elector.explain(a.now).to_string();
    assert!(
        says.contains("a allows only 200 ms, b needs 201 ms to lead: b leaves this node's promise out"),
        "{says}"
    );
    let status = a.elector.status(a.now).peers[0].detection;
    assert!(status.is_left_out && !status.leaves_out);
    assert_eq!(a.blocker(), Some(CampaignBlocker::Campaigns), "a can be elected by b all the same");
}

/// `a` leads; `b`, which is preferred, needs 201 ms to lead, and `a` and `c` allow so much.
fn beside_one_that_needs_more(a_allows: Duration, c_allows: Duration) -> Solo {
    let needy = fixed("a", a_allows).preferred_leader(id("b")).fail_back_cooldown(ms(1_000));
    let mut a = Solo::with(needy);
    a.maxima.extend([(id("b"), ms(300)), (id("c"), c_allows)]);
    needs_201_ms(&mut a, "b");
    a.lead().clear();
    for _ in 0..40 {
        a.pass(INTERVAL);
        for peer in ["b", "c"] {
            a.hear_acknowledgement(peer, 1);
        }
    }
    assert!(a.holds_lease());
    a
}

/// Office went to a preferred node that nobody's promise could carry, after every cooldown, for ever: each time the group
/// was without a leader until the head start was over.
#[test]
fn r38_who_leaves_too_many_voters_out_is_no_target() {
    let too_few = RequestRefused::TargetUnfit(id("b"), Unfit::TooFewVotes);
    let mut a = beside_one_that_needs_more(ms(200), ms(200));
    assert!(!a.must(|duty| matches!(duty, Duty::HandoverBegan { .. })), "R40: nor does preference act");
    let ask = |a: &mut Solo| a.request(|elector, now| elector.request_handover(id("b"), now));
    assert_eq!(ask(&mut a), Err(too_few));
    assert!(!a.elector.status(a.now).peers[0].fit);

    // One that allows enough makes a quorum, as long as it is there.
    let a = beside_one_that_needs_more(ms(200), ms(300));
    assert!(a.must(|duty| matches!(duty, Duty::HandoverBegan { .. })));
    let mut a = beside_one_that_needs_more(ms(200), ms(300));
    a.link("c", LinkState::Closed).step(elect_core::Elector::on_drained);
    let is_off = |duty: &Duty| {
        matches!(duty, Duty::HandoverAborted { reason: HandoverAborted::TargetUnfit(Unfit::TooFewVotes), .. })
    };
    assert!(a.must(is_off), "{:?}", a.duties);
    // One that has lost its vote is no help, whatever it allows.
    let mut a = beside_one_that_needs_more(ms(200), ms(300));
    a.hear("c", 1, PeerState::Replaced, beat());
    a.step(elect_core::Elector::on_drained);
    assert!(a.must(is_off), "{:?}", a.duties);
    // And so does this node.
    let a = beside_one_that_needs_more(ms(300), ms(200));
    assert!(a.must(|duty| matches!(duty, Duty::HandoverBegan { .. })));
}

#[test]
fn r65_a_member_that_never_leads_or_never_votes_is_no_reason_to_warn() {
    let mut a = Solo::with(builder("a", &["a", "b"]).witnesses([id("w")]).observers([id("o")]));
    a.maxima.extend([(id("w"), ms(100)), (id("o"), ms(100))]);
    a.hear_free("o", 0);
    assert_eq!(warned(&a), []);
    a.hear_free("w", 0);
    assert_eq!(warned(&a), [("w".into(), ms(100), "a".into(), NEEDED)]);
}

/// A member whose life began with a configuration that needs so much to lead.
fn needing(detection_min: Duration) -> Birth {
    Birth { first_life: 1, epoch: epoch(0), position: None, log: LogSync::Synchronous, detection_min }
}

#[test]
fn r65_exactly_what_is_needed_leaves_nobody_out() {
    let mut a = solo(ms(200), ms(200), ms(200));
    a.births.insert(id("b"), needing(ms(200)));
    a.hear_free("b", 0);
    assert_eq!(warned(&a), []);
    assert!(!a.elector.status(a.now).peers[0].detection.is_left_out);
    // One side alone.
    let mut a = solo(D, ms(100), D);
    a.births.insert(id("b"), needing(ms(100)));
    a.hear_free("b", 0);
    assert_eq!(warned(&a).len(), 1);
    assert!(!a.elector.status(a.now).peers[0].detection.is_left_out);
}

#[test]
fn r65_a_witness_warns_of_the_leaders_that_leave_it_out_and_nobody_of_a_witness_that_never_leads() {
    let short = |name| builder(name, &["a", "b"]).witnesses([id("w")]).detection(Detection::Fixed(ms(200)));
    let mut w = Solo::with(short("w"));
    w.births.insert(id("b"), needing(ms(300)));
    w.hear_free("b", 0);
    assert_eq!(warned(&w), [("w".into(), ms(200), "b".into(), ms(300))]);
    let mut a = Solo::with(short("a"));
    a.births.insert(id("w"), needing(ms(300)));
    a.hear_free("w", 0);
    assert_eq!(warned(&a), []);
}

#[test]
fn r65_a_life_that_allows_more_is_asked_for_more() {
    let mut a = solo(LONG, ms(100), LONG);
    a.hear_free("b", 0);
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 2 });
    a.maxima.insert(id("b"), ms(800));
    a.hear_free("b", 0);
    assert_eq!(a.blocker(), Some(CampaignBlocker::Campaigns), "and counts from then on");
    a.pass(INTERVAL);
    assert_eq!(asked(&a, "b"), ms(800));
}

#[test]
fn r65_explain_says_where_two_members_differ() {
    let mut a = solo(LONG, SHORT, LONG);
    a.hear_free("b", 0);
    a.hear("c", 0, PeerState::Promised, beat());
    let explained = a.elector.explain(a.now);
    assert_eq!(explained.detections.len(), 1);
    let says = explained.to_string();
    assert!(says.contains("b allows promises of at most 300 ms, a of 2000 ms"), "{says}");
    assert_eq!(a.elector.status(a.now).peers[0].detection.to_this_node, SHORT);
}

/// R56: whoever counts this node as connected for 300 ms hears from it every 100 ms.
#[test]
fn r56_a_node_speaks_as_often_as_the_shortest_maximum_that_is_connected() {
    let mut a = solo(LONG, SHORT, LONG);
    a.hear("c", 0, PeerState::Promised, beat());
    a.clear().pass(ms(700));
    assert!(a.sent_to("c").count() < 2, "every third of 2 s");
    // As soon as it is connected, not from the next heartbeat on.
    a.hear("b", 0, PeerState::Promised, beat());
    a.clear().pass(ms(99));
    assert_eq!(a.sent_to("c").count(), 0);
    a.pass(ms(1));
    assert_eq!(a.sent_to("c").count(), 1);
    for _ in 0..5 {
        a.hear("b", 0, PeerState::Promised, beat());
        a.clear().pass(ms(100));
        assert_eq!(a.sent_to("c").count(), 1);
    }
    a.clear().pass(LONG);
    let later = a.sent_to("c").count();
    a.clear().pass(LONG);
    assert!(a.sent_to("c").count() <= 3 && later > 3, "b is gone: {later}");
}

/// R45: what the lost life may have promised, every member was heard to allow.
#[test]
fn r45_every_maximum_heard_in_this_life_prolongs_the_wait() {
    let begin = || {
        let config = config(D);
        let record = Record::replacement(&config);
        let mut a = Solo::from_record(config, record);
        a.set_position(at(1, 1));
        a
    };
    let follow = |a: &mut Solo, rounds: usize| {
        a.hear_leader("b", 1);
        a.commit();
        for _ in 0..rounds {
            a.pass(INTERVAL);
            a.hear_leader("b", 1);
        }
        a.request(|elector, now| elector.on_rebuilt(RebuiltTo { entry: at(1, 1) }, now))
    };
    assert!(follow(&mut begin(), 12).is_ok(), "the own maximum is 500 ms");
    let mut a = begin();
    a.maxima.insert(id("c"), ms(900));
    a.hear("c", 0, PeerState::Promised, beat());
    assert!(follow(&mut a, 12).is_err());
    let claim =
        |a: &mut Solo| a.request(|elector, now| elector.on_rebuilt(RebuiltTo { entry: at(1, 1) }, now));
    for _ in 0..8 {
        a.pass(INTERVAL);
        a.hear_leader("b", 1);
    }
    assert!(claim(&mut a).is_ok(), "longer than 909 ms");
    // Also from a frame that was overtaken, and although c allows less by now.
    let mut a = begin();
    a.maxima.insert(id("c"), ms(900));
    let late = a.frame("c", 0, PeerState::Promised, beat());
    a.maxima.insert(id("c"), ms(200));
    a.hear("c", 0, PeerState::Promised, beat());
    assert_eq!(a.deliver("c", &late), Some(Ignored::Older));
    assert!(follow(&mut a, 12).is_err());
}

/// A group of three that are configured like this.
fn group(detections: [Duration; 3]) -> Group {
    let mut group =
        Group::with(NAMES.into_iter().zip(detections).map(|(name, detection)| fixed(name, detection)));
    group.start_all();
    group.run_to_leader(ms(3_000));
    group.run(ms(300));
    group
}

/// Restarts a node with another detection time.
fn restart_with(group: &mut Group, name: &str, detection: Duration) {
    group.kill(name);
    group.run(ms(20));
    group.node_mut(name).config = fixed(name, detection).build().unwrap();
    group.start(name);
}

#[test]
fn r65_a_short_member_follows_a_long_leader_and_the_lease_ends_before_its_promise() {
    for detections in [[LONG, SHORT, SHORT], [SHORT, LONG, SHORT], [LONG, LONG, SHORT], [SHORT, SHORT, LONG]]
    {
        let mut group = group(detections);
        for _ in 0..3 {
            let leader = group.run_to_leader(ms(5_000)).to_string();
            group.run(ms(400));
            assert_eq!(group.leader(), Some(id(&leader)), "{}", group.story());
            group.isolate(&leader);
            let next = group.run_until(ms(6_000), |group| {
                assert!(group.lease_holders().len() < 2, "two hold leases\n{}", group.story());
                group.leader().is_some_and(|now| now != id(&leader))
            });
            assert!(next.is_some(), "{detections:?}\n{}", group.story());
            group.heal().run(ms(500));
        }
    }
}

#[test]
fn r65_short_members_elect_after_their_own_promises_whatever_the_dead_leader_asked_for() {
    let mut group = group([LONG, SHORT, SHORT]);
    let mut tries = 0;
    while group.leader() != Some(id("a")) {
        tries += 1;
        assert!(tries < 20, "a never leads\n{}", group.story());
        let leader = group.run_to_leader(ms(5_000)).to_string();
        group.isolate(&leader).run(ms(2_500)).heal().run(ms(200));
    }
    group.run(ms(300)).kill("a");
    let took = group.run_until(ms(1_000), |group| group.leader().is_some()).expect("b or c leads");
    assert!(took < ms(303 + 250), "{took:?}: two that allow 300 ms\n{}", group.story());
}

/// In any order, from short to long and back, without a step-down but the one of the restarted leader itself.
#[test]
fn r65_detection_is_changed_node_by_node_without_a_step_down() {
    for order in [["a", "b", "c"], ["c", "b", "a"], ["b", "a", "c"], ["b", "c", "a"]] {
        let mut group = group([SHORT; 3]);
        let leader = group.leader().unwrap().to_string();
        let mut followers: Vec<_> = order.into_iter().filter(|&name| name != leader).collect();
        followers.extend(followers.clone());
        for (step, name) in followers.into_iter().enumerate() {
            restart_with(&mut group, name, if step < 2 { LONG } else { ms(200) });
            group.run(ms(700));
            assert_eq!(group.leader(), Some(id(&leader)), "{order:?} {name}\n{}", group.story());
            assert_eq!(group.elector(name).status(group.now).leader, Some(id(&leader)), "{}", group.story());
        }
        assert_eq!(group.count(&leader, |seen| matches!(seen, crate::harness::Seen::Lost(..))), 0);
    }
}

#[test]
fn r65_a_member_that_is_asked_for_too_much_is_asked_for_less_at_once() {
    let mut a = solo(LONG, LONG, LONG);
    a.hear_free("b", 0);
    a.commit();
    a.hear_accept("b", 1);
    a.hear_free("c", 0);
    // A new life of c allows less.
    a.pass(INTERVAL);
    a.lives.insert(id("c"), Incarnation { counter: 2, random: 2 });
    a.maxima.insert(id("c"), SHORT);
    a.clear().hear_free("c", 0);
    assert_eq!(asked(&a, "c"), SHORT, "the answer to its first frame");
}

#[test]
fn r38_exactly_what_the_target_needs_makes_it_fit_and_one_voter_of_five_does_not() {
    let a = beside_one_that_needs_more(ms(201), ms(200));
    assert!(a.must(|duty| matches!(duty, Duty::HandoverBegan { .. })), "a carries b");

    let mut a = Solo::with(builder("a", &FIVE).detection(Detection::Fixed(SHORT)));
    a.maxima
        .extend([("b", SHORT), ("c", ms(200)), ("d", ms(200)), ("e", ms(200))].map(|(of, d)| (id(of), d)));
    needs_201_ms(&mut a, "b");
    a.hear_free("b", 0);
    a.hear_free("c", 0);
    a.pass(ms(1)).commit();
    for peer in ["b", "c"] {
        a.hear_accept(peer, 1);
    }
    a.enter_office();
    for peer in ["b", "c", "d", "e"] {
        a.hear_acknowledgement(peer, 1);
    }
    let asked = a.request(|elector, now| elector.request_handover(id("b"), now));
    assert_eq!(asked, Err(RequestRefused::TargetUnfit(id("b"), Unfit::TooFewVotes)));
}
