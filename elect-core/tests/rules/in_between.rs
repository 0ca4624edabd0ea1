//! What a node says between its heartbeats puts off nothing that they do: however often it speaks.

use elect_core::{
    Body, Duty, Elector, Frame, HandoverAborted, HandoverRequest, HostData, LinkState, Notice, PauseNumber,
    PauseStamp, PeerState, Profile, Unfit,
};

use crate::harness::{builder, id, ms};
use crate::solo::{
    D, FIVE, INTERVAL, NEEDED, PROMISE, Solo, at, beat, beat_at, beat_with, epoch, follows, just_before,
    lead, leading, resume,
};

/// A reason to speak at once to everybody, the `count`-th one.
type Speak = fn(&mut Solo, u32);

fn says_new_host_data(a: &mut Solo, count: u32) {
    a.request(|elector, now| elector.set_host_data(count, HostData::default(), now)).unwrap();
}

fn moves(a: &mut Solo, count: u32) {
    let address = elect_core::Address::new(&format!("a:{count}")).unwrap();
    a.request(|elector, now| elector.set_address(address, now)).unwrap();
}

fn pauses(a: &mut Solo, _: u32) {
    a.request(|elector, now| elector.pause(ms(60_000), now)).unwrap();
}

/// Speaks twice in each interval, for two of them; in between `hear` is heard.
fn speaks_for_two_intervals(a: &mut Solo, speak: Speak, hear: impl Fn(&mut Solo)) {
    for count in 1..=5 {
        a.pass(just_before(INTERVAL / 2));
        speak(a, count);
        a.pass(ms(1));
        hear(a);
    }
}

#[test]
fn r27_a_leader_that_speaks_often_re_offers_itself_in_time() {
    for speak in [says_new_host_data as Speak, moves, pauses] {
        let mut a = Solo::new();
        a.lead();
        a.pass(ms(1)).hear_acknowledgement("b", 1);
        a.hear("c", 9, PeerState::Promised, beat());
        assert!(a.gate.is_none());
        speaks_for_two_intervals(&mut a, speak, |a| {
            a.hear_acknowledgement("b", 1);
        });
        assert!(a.gate.is_some(), "the re-offer is being saved");
    }
}

#[test]
fn r34_a_candidate_that_speaks_often_repeats_its_offer_in_time() {
    for speak in [says_new_host_data as Speak, moves] {
        let mut a = Solo::new();
        a.stand();
        a.commit();
        a.clear();
        speaks_for_two_intervals(&mut a, speak, |_| ());
        let is_offer = |frame: &&Frame| matches!(frame.body, Body::Offer { .. });
        assert_eq!(a.sent_to("b").filter(is_offer).count(), 2);
    }
}

#[test]
fn r42_a_node_that_speaks_often_repeats_its_request_in_time() {
    let mut a = Solo::new();
    a.follow("b", 4);
    a.request(|elector, now| elector.pause(ms(60_000), now)).unwrap();
    a.clear();
    for count in 1..=10 {
        a.pass(D / 20).hear_leader("b", 4);
        says_new_host_data(&mut a, count);
    }
    assert!(a.sent_to("b").any(|frame| matches!(frame.body, Body::Pause { .. })));
}

#[test]
fn r38_who_handed_over_names_the_target_whatever_it_says_besides() {
    let mut a = Solo::handed_over();
    a.clear();
    speaks_for_two_intervals(&mut a, says_new_host_data, |_| ());
    let is_release = |frame: &Frame| matches!(frame.body, Body::Release { .. });
    assert!(a.sent_to("c").count() >= 5, "each change is told");
    assert!(a.sent_to("c").all(is_release), "no plain heartbeat overtakes it: {:?}", a.frames);
    assert!(a.sent_to("c").all(|frame| frame.profile.is_some()));
}

#[test]
fn r57_an_address_that_comes_as_the_promise_runs_out_is_told() {
    let moves_to = |a: &mut Solo, address: &str| {
        let address = elect_core::Address::new(address).unwrap();
        a.profiles.insert(id("b"), Profile { version: 0, data: HostData::default(), address });
    };
    let mut a = Solo::new();
    moves_to(&mut a, "b:1");
    a.hear("b", 1, leading(1), lead(D));
    a.commit();
    let last = a.now;
    a.pass(ms(40));
    a.link("b", LinkState::Closed).link("b", LinkState::Up);
    a.clear();
    a.now = last + PROMISE;
    moves_to(&mut a, "b:2");
    a.hear("b", 1, leading(1), lead(D));
    a.hear("b", 1, leading(1), lead(D));
    let tells = |notice: &Notice| match notice {
        Notice::LeaderAddress { address, .. } | Notice::Following { address, .. } => {
            address.as_str() == "b:2"
        }
        _ => false,
    };
    assert!(a.saw(tells), "{:?}", a.notices);
    a.clear();
    a.hear("b", 1, leading(1), lead(D));
    assert!(!a.saw(tells), "once");
}

/// Follows b as a matter of routine.
fn steady() -> Solo {
    let mut a = Solo::new();
    a.follow("b", 4);
    for _ in 0..12 {
        a.pass(ms(20)).hear_leader("b", 4);
    }
    a.hear("c", 4, follows("b", 4), beat());
    a.pass(ms(20)).hear_leader("b", 4);
    a
}

#[test]
fn r63_a_resume_of_no_pause_is_in_the_next_heartbeat_to_the_leader() {
    let mut a = steady();
    a.hear("c", 4, follows("b", 4), beat_with(resume(4, 1)));
    a.pass(ms(20)).hear_leader("b", 4);
    let Body::Heartbeat(said) = &a.last_to("b").body else { panic!("no heartbeat") };
    assert_eq!(said.pause, Some(resume(4, 1)));
}

#[test]
fn r63_a_number_out_of_reach_answers_no_resume() {
    let mut a = Solo::new();
    a.hear("b", 4, PeerState::Free, beat());
    a.request(Elector::resume).unwrap();
    let pause = |count| PauseStamp { number: PauseNumber { epoch: epoch(4), count }, remaining: ms(5_000) };
    a.hear("b", 4, PeerState::Free, beat_with(pause(u32::MAX)));
    a.hear("b", 4, PeerState::Free, beat_with(pause(1)));
    assert!(a.elector.status(a.now).pause.is_none(), "the pause that was meant is ended");
}

/// Leads all five; d and e have never been heard of.
fn leads_of_five(birth_of: impl Fn(&str) -> elect_core::Birth) -> Solo {
    let mut a = Solo::with(builder("a", &FIVE));
    for peer in ["b", "c"] {
        a.births.insert(id(peer), birth_of(peer));
    }
    a.hear_free("b", 0);
    a.hear_free("c", 0);
    a.pass(ms(1)).commit();
    a.hear_accept("b", 1);
    a.hear_accept("c", 1);
    a.enter_office();
    a.pass(ms(1));
    a.hear_acknowledgement("b", 1);
    a.hear_acknowledgement("c", 1);
    a
}

/// 5 voters, two of them down: a third one's link that flaps took the target's votes away.
#[test]
fn r38_a_voter_that_is_away_for_a_moment_ends_no_handover() {
    let birth = |_: &str| elect_core::Birth {
        first_life: 1,
        epoch: epoch(0),
        position: None,
        log: elect_core::LogSync::Synchronous,
        detection_min: NEEDED,
    };
    let mut a = leads_of_five(birth);
    a.set_position(at(1, 5));
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 4)));
    let forced = HandoverRequest { force: true, ..Some(id("b")).into() };
    a.request(|elector, now| elector.request_handover(forced, now)).unwrap();
    a.step(Elector::on_drained);
    a.clear().link("c", LinkState::Closed);
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 4)));
    let is_off = |duty: &Duty| {
        matches!(duty, Duty::HandoverAborted { reason: HandoverAborted::TargetUnfit(Unfit::TooFewVotes), .. })
    };
    assert!(!a.must(is_off), "{:?}", a.duties);
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 5)));
    assert_eq!(a.losses.len(), 1, "it is handed over: {:?}", a.losses);
}
