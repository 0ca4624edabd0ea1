//! R25: every input begins with what was due before it and ends with what is told to everybody. R44, R48: what nobody
//! may ask for before the first life is durable, or after a stop.

use elect_core::{
    Body, Duty, Elector, Frame, Health, Ignored, Incarnation, LinkState, Notice, PeerState, RebuiltTo,
    Record, RequestRefused, Requested, StepDown, Stopped, Time,
};

use crate::harness::{builder, id, ms};
use crate::solo::{Solo, accept, beat, epoch};

type Input<'a> = Box<dyn Fn(&mut Solo) + 'a>;
type Ask = fn(&mut Elector, Time) -> Requested<'_>;

const REQUESTS: [Ask; 6] = [
    |elector, now| elector.request_handover(id("b"), now),
    Elector::cancel_handover,
    Elector::resign,
    |elector, now| elector.pause(ms(100), now),
    Elector::resume,
    |elector, now| elector.on_rebuilt(RebuiltTo { entry: None }, now),
];

fn config() -> elect_core::Config {
    builder("a", &["a", "b", "c"]).build().unwrap()
}

fn starting() -> Solo {
    Solo::starting(config(), Record::first_boot(&config()))
}

/// The body REJECT about the present life of `a`, or another one.
fn rejection(rejected: Incarnation) -> Body {
    Body::Reject { rejected, known: Incarnation { counter: 9, random: 9 } }
}

fn stopped() -> Solo {
    let mut a = Solo::new();
    let said = rejection(a.disk.record.incarnation);
    a.step(|elector, now| elector.on_rejected(id("b"), &said, now));
    assert!(a.must(|duty| matches!(duty, Duty::Stopped { reason: Stopped::Cloned { .. } })));
    a.clear();
    a
}

/// Every input of a host that knows nothing of what is due.
#[test]
fn r25_every_input_brings_the_loss_that_was_due_and_tells_everybody() {
    let office = {
        let mut other = Solo::new();
        other.stand();
        other.pass(ms(1)).commit().hear_accept("b", 1);
        other.take_elected().serve_without_log_forgetting_earlier_writes()
    };
    let frame = Solo::new().frame("b", 0, PeerState::Promised, beat());
    let said = rejection(Incarnation { counter: 5, random: 5 });
    let mut inputs: Vec<Input<'_>> = vec![
        Box::new(|a| {
            let _ = a.tick();
        }),
        Box::new(|a| {
            let _ = a.deliver("b", &frame);
        }),
        Box::new(|a| {
            let _ = a.link("c", LinkState::Closed);
        }),
        Box::new(|a| {
            let _ = a.set_position(None);
        }),
        Box::new(|a| {
            let _ = a.step(|elector, now| elector.set_health(Health::Healthy, now));
        }),
        Box::new(|a| {
            let _ = a.step(|elector, now| elector.set_healthy_until(now + ms(9), now));
        }),
        Box::new(|a| {
            let _ = a.step(Elector::on_source_lost);
        }),
        Box::new(|a| {
            let _ = a.step(Elector::on_drained);
        }),
        Box::new(|a| {
            let _ = a.step(|elector, now| elector.on_office(&office, now));
        }),
        Box::new(|a| {
            let _ = a.step(|elector, now| elector.on_rejected(id("b"), &said, now));
        }),
    ];
    for request in REQUESTS {
        inputs.push(Box::new(move |a| {
            let _ = a.request(request);
        }));
    }
    for (number, input) in inputs.iter().enumerate() {
        let mut a = Solo::new();
        a.lead();
        a.now = a.lease_end();
        input(&mut a);
        assert_eq!(a.losses.len(), 1, "input {number}");
        assert_eq!(a.losses[0].reason, StepDown::LeaseOver);
        assert_eq!(a.last_to("b").header.state, PeerState::Free, "input {number}");
    }
}

#[test]
fn r48_before_the_first_life_is_durable_nothing_can_be_asked_for() {
    for request in REQUESTS {
        assert_eq!(starting().request(request), Err(RequestRefused::Starting));
    }
    let mut a = starting();
    assert_eq!(a.elector.birth(), None, "a handshake has nothing to tell");
    let said = rejection(a.disk.record.incarnation);
    a.tick().step(|elector, now| elector.on_rejected(id("b"), &said, now));
    assert!(a.duties.is_empty(), "nobody can know this life");
    a.commit();
    assert_eq!(a.elector.birth().map(|birth| birth.first_life), Some(1));
}

#[test]
fn r44_after_a_stop_nothing_can_be_asked_for_and_nothing_is_stopped_again() {
    for request in REQUESTS {
        assert_eq!(stopped().request(request), Err(RequestRefused::Stopped));
    }
    let mut a = stopped();
    let said = rejection(a.disk.record.incarnation);
    a.step(|elector, now| elector.on_rejected(id("b"), &said, now));
    assert!(a.duties.is_empty());
}

#[test]
fn r44_what_was_being_saved_when_it_stopped_is_never_carried_out() {
    let mut a = Solo::new();
    a.hear_offer("b", 4);
    let said = rejection(a.disk.record.incarnation);
    a.step(|elector, now| elector.on_rejected(id("c"), &said, now)).clear();
    a.commit();
    let accepts = |frame: &Frame| matches!(frame.body, Body::Accept { .. });
    assert!(!a.frames.iter().any(|(_, frame)| accepts(frame)), "{:?}", a.frames);
    assert_eq!(a.promised_to(), None);
}

#[test]
fn r02_a_handshake_says_why_it_counts_for_nothing() {
    let mut a = Solo::new();
    let other = Incarnation { counter: 5, random: 5 };
    let said = rejection(other);
    a.step(|elector, now| elector.on_rejected(id("b"), &said, now));
    let ignored = |notice: &Notice| {
        matches!(notice, Notice::Ignored { from, reason: Ignored::DeadIncarnation(life) }
        if *from == id("b") && *life == other)
    };
    assert!(a.saw(ignored), "{:?}", a.notices);
    // Nobody hears of its own life from itself.
    let said = rejection(a.disk.record.incarnation);
    a.clear().step(|elector, now| elector.on_rejected(id("a"), &said, now));
    assert!(a.duties.is_empty() && a.notices.is_empty());
}

#[test]
fn r05_a_node_that_stops_names_at_least_its_durable_epoch() {
    let mut a = Solo::new();
    a.follow("b", 7);
    let said = rejection(a.disk.record.incarnation);
    a.step(|elector, now| elector.on_rejected(id("c"), &said, now));
    assert_eq!(a.last_to("c").header.state, PeerState::Stopped(epoch(7)));
}

#[test]
fn r20_an_accept_after_a_stop_makes_nobody_a_leader() {
    let mut a = Solo::new();
    let number = a.stand();
    let said = rejection(a.disk.record.incarnation);
    a.step(|elector, now| elector.on_rejected(id("c"), &said, now)).commit();
    assert_eq!(a.hear("b", number, PeerState::Promised, accept(number)), Some(Ignored::Stopped));
    assert_eq!(a.leader(), None);
}

#[test]
fn r44_what_the_step_of_a_stop_had_queued_before_does_not_leave() {
    let mut a = Solo::new();
    let said = rejection(a.disk.record.incarnation);
    a.now = a.elector.deadline();
    a.clear().step(|elector, now| elector.on_rejected(id("b"), &said, now));
    assert_eq!(a.frames.len(), 2, "one last word to each");
    assert!(a.frames.iter().all(|(_, frame)| matches!(frame.header.state, PeerState::Stopped(_))));
}

#[test]
fn r33_a_voter_that_accepted_counts_though_it_is_gone() {
    let mut a = Solo::candidate_of_five();
    a.hear("b", 1, PeerState::Promised, accept(1));
    a.link("b", LinkState::Closed);
    for voter in ["d", "e"] {
        let refusal = elect_core::Refusal::VoteSpent;
        let refuse = Body::Refuse { epoch: epoch(1), refusal, detection_max: crate::solo::OPEN };
        a.hear(voter, 1, PeerState::Promised, refuse);
    }
    assert!(!a.saw(|notice| matches!(notice, Notice::CampaignLost { .. })), "it, b and c are a quorum");
    a.commit();
    a.hear("c", 1, PeerState::Promised, accept(1));
    assert_eq!(a.leader(), Some((id("a"), epoch(1))));
}

#[test]
fn r57_the_status_says_when_a_peer_was_heard_last() {
    let mut a = Solo::new();
    a.hear("b", 0, PeerState::Promised, beat());
    a.pass(ms(5));
    let heard = |a: &Solo, node| {
        a.elector.status(a.now).peers.iter().find(|peer| peer.node == id(node)).unwrap().heard_ago
    };
    assert_eq!((heard(&a, "b"), heard(&a, "c")), (Some(ms(5)), None));
}

#[test]
fn r44_a_rejection_by_a_stranger_to_this_life_is_answered_by_one_last_word() {
    let mut a = Solo::new();
    let said = rejection(a.disk.record.incarnation);
    let mut frame = a.frame("b", 0, PeerState::Promised, said);
    frame.header.echo = None;
    a.clear().deliver("b", &frame);
    assert_eq!(a.sent_to("b").count(), 1, "{:?}", a.frames);
}

#[test]
fn r05_a_candidate_that_stops_before_its_vote_is_durable_names_what_it_offered() {
    let mut a = Solo::new();
    assert_eq!(a.stand(), 1);
    let said = rejection(a.disk.record.incarnation);
    a.step(|elector, now| elector.on_rejected(id("c"), &said, now));
    assert_eq!(a.last_to("c").header.state, PeerState::Stopped(epoch(1)));
}

#[test]
fn r01_each_frame_bears_the_number_of_the_group() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).group(3));
    a.link("b", LinkState::Up);
    assert!(a.frames.iter().all(|(_, frame)| frame.header.group == 3), "{:?}", a.frames);
    assert!(!a.frames.is_empty());
}

#[test]
fn r01_a_node_has_no_link_to_itself() {
    let mut a = Solo::new();
    a.clear().link("a", LinkState::Up);
    assert!(a.frames.is_empty());
}

#[test]
fn r25_what_a_host_says_of_itself_comes_after_what_its_clock_ended() {
    let says: [Ask; 2] = [
        |elector, now| elector.set_host_data(7, elect_core::HostData::default(), now),
        |elector, now| elector.set_address(elect_core::Address::new("a:7").unwrap(), now),
    ];
    for say in says {
        let mut a = Solo::new();
        a.follow("b", 1).clear();
        let (_, _, until) = a.promised_to().unwrap();
        a.now = until;
        assert_eq!(a.request(say), Ok(()));
        assert!(a.saw(|notice| matches!(notice, Notice::LeaderLost { .. })), "{:?}", a.notices);
    }
}
