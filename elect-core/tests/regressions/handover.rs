//! Handing office over, and how a step-down sounds to the others.

use elect_core::{Body, Elector, Health, PeerState, StepDown};

use crate::harness::{Group, builder, id, ms};
use crate::solo::{D, INTERVAL, Solo, at, beat, beat_at, follows};
use crate::stories::{calm, events, led_by_a};

/// The late result of a save took the position of its commit for newer than the one that the host had reported
/// since: the handover ended before its target had everything.
#[test]
fn a_handover_waits_for_the_newest_position_however_late_a_save_ends() {
    let mut a = Solo::new();
    a.lead();
    a.set_position(at(1, 5));
    a.hear("c", 9, PeerState::Free, beat());
    a.pass(INTERVAL);
    let gate = a.gate.take().expect("a re-offer above c");
    let gated = gate.commit(&mut a.disk, &a.fence);
    a.set_position(at(1, 10));
    a.step(|elector, now| elector.on_gated(gated, now)).pass(ms(1));
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 5)));
    a.request(|elector, now| elector.request_handover(Some(id("b")), now)).unwrap();
    a.step(Elector::on_drained);
    assert!(a.losses.is_empty(), "b is behind: {:?}", a.losses);
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 10)));
    assert_eq!(a.losses[0].reason, StepDown::HandedOver(id("b")));
}

/// The target of a handover sat out a wait that it had taken on by resigning a moment before, and everybody left
/// it a head start meanwhile.
#[test]
fn the_target_of_a_handover_waits_for_nothing() {
    let mut group = led_by_a(&["a", "b", "c"]);
    group.request("a", Elector::resign).unwrap();
    let leader = group.run_to_leader(ms(2_000)).to_string();
    assert_ne!(leader, "a");
    let tail = *group.node(&leader).tail.0.borrow();
    group.set_tail("a", tail).run(ms(100));
    group.request(&leader, |elector, now| elector.request_handover(Some(id("a")), now)).unwrap();
    group.input(&leader, Elector::on_drained);
    let took = group.run_until(ms(5_000), |group| group.leader() == Some(id("a")));
    assert!(took.is_some_and(|took| took < ms(20)), "{took:?}\n{}", group.story());
}

/// A process that was stopped for a while sent the heartbeat that was due meanwhile after the step-down of the
/// same step, under the same nonce as the frames that said it was over.
#[test]
fn no_frame_claims_to_lead_after_the_step_down_of_its_step() {
    let resign = |a: &mut Solo| a.request(Elector::resign).unwrap();
    let unfit = |a: &mut Solo| {
        a.step(|elector, now| elector.set_health(Health::Unfit, now));
    };
    let late = |a: &mut Solo| {
        a.now = a.now + D;
        a.tick();
    };
    for step_down in [resign as fn(&mut Solo), unfit, late] {
        let mut a = Solo::new();
        a.lead().pass(INTERVAL);
        let before = a.last_to("b").header.nonce.sent;
        a.clear();
        a.now = a.now + INTERVAL;
        step_down(&mut a);
        assert_eq!(a.losses.len(), 1);
        assert!(!a.frames.is_empty(), "it says that it leads no more");
        for (_, frame) in &a.frames {
            assert!(!matches!(frame.header.state, PeerState::Leader(_)), "{frame:?}");
            assert!(frame.header.nonce.sent > before);
        }
    }
}

/// The step-down sent a plain heartbeat beside the message that names the successor; where the heartbeat came
/// first, or replaced the other in a full queue, somebody else stood at once.
#[test]
fn nothing_overtakes_the_message_that_names_the_successor() {
    let mut a = Solo::new();
    a.lead();
    for peer in ["b", "c"] {
        a.hear(peer, 1, follows("a", 1), beat());
    }
    a.request(|elector, now| elector.request_handover(Some(id("b")), now)).unwrap();
    a.clear().step(Elector::on_drained);
    assert_eq!(a.losses[0].reason, StepDown::HandedOver(id("b")));
    let names_b =
        |frame: &elect_core::Frame| matches!(frame.body, Body::Release { target, .. } if target == id("b"));
    for peer in ["b", "c"] {
        assert_eq!(a.sent_to(peer).count(), 1, "one frame, and no other");
        assert!(a.sent_to(peer).all(names_b));
    }
    a.clear().pass(D / 3);
    assert!(a.sent_to("c").count() > 0 && a.sent_to("c").all(names_b), "repeated while the head start lasts");
}

/// A follower under steady writes is always an entry behind what the leader has just written: counted as behind at
/// every heartbeat, a preferred one never got office back.
#[test]
fn a_preferred_node_that_keeps_up_under_steady_writes_gets_office_back() {
    let names = ["a", "b", "c"];
    let cooldown = ms(2_000);
    let preferring =
        |name: &&str| builder(name, &names).preferred_leader(id("b")).fail_back_cooldown(cooldown);
    let mut group = calm(Group::with(names.iter().map(preferring)));
    let began = group.now;
    let mut offset = 10;
    while events(&group, "a", "HandoverBegan") == 0 {
        group.set_tail("a", at(1, offset)).run(ms(2)).set_tail("b", at(1, offset)).run(ms(1));
        offset += 1;
        assert!(group.now.since(began) < cooldown + ms(500), "{}", group.story());
    }
    group.run(ms(10)).input("a", Elector::on_drained);
    group.run(ms(100));
    assert_eq!(group.leader(), Some(id("b")), "{}", group.story());
}
