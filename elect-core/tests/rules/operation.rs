//! R42: pausing failover. R62: whom a pause keeps in office. R63: its stamp. R64: what it puts off.

use std::time::Duration;

use elect_core::{
    Body, CampaignBlocker, CampaignLost, Config, Duty, Elector, HandoverAborted, HandoverCause, Health,
    Ignored, LinkState, MemberKind, NodeId, Notice, PauseNumber, PauseStamp, PeerState, Record, Refusal,
    RequestRefused, StepDown, SteppedDown,
};

use crate::harness::{Group, builder, id, ms};
use crate::solo::{
    D, ELECTION_TIMEOUT, OPEN, PROMISE, Solo, accept, beat, beat_with, epoch, follows, lead_with, leading,
    offer, resume, stamp,
};

fn number(of: u64, count: u32) -> PauseNumber {
    PauseNumber { epoch: epoch(of), count }
}

fn pause(after: PauseNumber, remaining: Duration) -> Body {
    Body::Pause { after, remaining }
}

fn reserved(leader: &str) -> PeerState {
    PeerState::Reserved(id(leader))
}

/// What the newest frame to `peer` tells of a pause.
fn told(a: &Solo, peer: &str) -> Option<PauseStamp> {
    a.sent_to(peer).rev().find_map(|frame| match &frame.body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => Some(heartbeat.pause),
        _ => None,
    })?
}

fn is_told_healthy(a: &Solo) -> bool {
    match &a.last_to("b").body {
        Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } => heartbeat.healthy,
        other => panic!("{other:?}"),
    }
}

fn asks(a: &Solo, peer: &str) -> usize {
    a.sent_to(peer).filter(|frame| matches!(frame.body, Body::Pause { .. })).count()
}

fn refused(a: &Solo, peer: &str) -> bool {
    a.sent_to(peer).any(|frame| matches!(frame.body, Body::Refuse { refusal: Refusal::Paused, .. }))
}

/// `a` follows `b` in epoch 1, and `b` pauses failover for so long.
fn paused_behind_b(span: Duration) -> Solo {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.hear("b", 1, leading(1), lead_with(stamp(1, 1, span)));
    a
}

/// `a` leads epoch 1 and has paused failover for so long.
fn paused_leader(span: Duration) -> Solo {
    let mut a = Solo::new();
    a.lead().request(|elector, now| elector.pause(span, now)).unwrap();
    a
}

/// The lease of `a` is over.
fn lose_lease(a: &mut Solo) {
    a.pass(D);
    assert_eq!(a.losses.last().unwrap().reason, StepDown::LeaseOver);
    a.clear();
}

fn reserved_for(a: &Solo) -> Option<NodeId> {
    a.elector.status(a.now).pause.unwrap().reserved_for
}

#[test]
fn r42_while_failover_is_paused_nobody_stands_and_nobody_accepts() {
    let mut a = paused_behind_b(ms(5_000));
    let resumes = a.now + ms(5_000);
    assert!(a.saw(|notice| matches!(notice, Notice::Paused { until } if *until == resumes)));
    a.pass(PROMISE + ms(1));
    a.hear_free("c", 1);
    assert_eq!(a.blocker(), Some(CampaignBlocker::Paused(resumes)));
    a.clear().hear_offer("c", 2);
    assert!(refused(&a, "c"));
    a.pass(resumes.since(a.now));
    assert!(a.saw(|notice| matches!(notice, Notice::Resumed)));
    a.hear_free("c", 1);
    assert!(a.offered().is_some(), "a pause ends by itself");
}

#[test]
fn r42_the_own_leaders_re_offer_is_no_failover() {
    let mut a = paused_behind_b(ms(5_000));
    a.hear("b", 1, leading(1), offer(4));
    a.commit();
    assert_eq!(a.disk.record.epoch, epoch(4));
}

#[test]
fn r42_a_request_is_repeated_until_a_newer_pause_answers_it() {
    let mut a = Solo::new();
    a.follow("b", 1).clear();
    assert_eq!(a.request(|elector, now| elector.pause(ms(5_000), now)), Ok(()));
    assert_eq!((asks(&a, "b"), asks(&a, "c")), (1, 0), "the leader is asked");
    for _ in 0..4 {
        a.pass(ms(100));
        a.hear_leader("b", 1);
    }
    assert!(asks(&a, "b") >= 3);
    assert!(a.elector.status(a.now).pause.is_none(), "and decides");
    a.hear("b", 1, leading(1), lead_with(stamp(1, 1, ms(4_000))));
    a.clear().pass(ms(300));
    assert_eq!(asks(&a, "b"), 0);
}

#[test]
fn r42_a_request_that_is_not_answered_is_given_up() {
    let mut a = Solo::new();
    a.follow("b", 1).clear();
    a.request(|elector, now| elector.pause(ms(60_000), now)).unwrap();
    for _ in 0..16 {
        a.pass(ms(50));
        a.hear_leader("b", 1);
    }
    a.clear();
    for _ in 0..8 {
        a.pass(ms(50));
        a.hear_leader("b", 1);
    }
    assert_eq!(asks(&a, "b"), 0, "one election timeout is long enough");
}

#[test]
fn r42_a_leader_takes_a_fresh_request_as_its_own() {
    let mut a = Solo::new();
    a.lead();
    let asked = pause(number(0, 0), ms(900));
    let mut stale = a.frame("b", 1, follows("a", 1), asked.clone());
    stale.header.echo = None;
    assert_eq!(a.deliver("b", &stale), Some(Ignored::NotFresh));
    assert_eq!(a.hear("b", 1, follows("a", 1), asked), None);
    assert_eq!(told(&a, "c"), Some(stamp(1, 1, ms(900))), "everybody sees it at once");
    let day = Duration::from_hours(24);
    for remaining in [Duration::ZERO, day + ms(1)] {
        let asked = a.hear("b", 1, follows("a", 1), pause(number(1, 1), remaining));
        assert_eq!(asked, Some(Ignored::NotItsPlace), "an end it must have");
    }
    let mut b = Solo::new();
    b.follow("b", 1);
    let asked = b.hear("c", 1, follows("b", 1), pause(number(0, 0), ms(100)));
    assert_eq!(asked, Some(Ignored::NotItsPlace), "a follower pauses for nobody");
}

#[test]
fn r42_an_old_request_undoes_no_newer_answer() {
    let mut a = paused_leader(ms(60_000));
    a.request(Elector::resume).unwrap();
    assert_eq!(told(&a, "b"), Some(resume(1, 2)));
    let old = a.hear("b", 1, follows("a", 1), pause(number(1, 1), ms(900)));
    assert_eq!(old, Some(Ignored::OldRequest));
    assert_eq!(a.hear("b", 1, follows("a", 1), pause(number(1, 2), ms(900))), None);
    assert_eq!(told(&a, "b"), Some(stamp(1, 3, ms(900))));
}

#[test]
fn r42_without_a_leader_everybody_may_be_resumed_and_nobody_paused() {
    let mut a = paused_behind_b(ms(60_000));
    a.pass(PROMISE + ms(1));
    a.hear("c", 1, PeerState::Promised, beat());
    let refused = a.request(|elector, now| elector.pause(ms(100), now));
    assert_eq!(refused, Err(RequestRefused::NoLeader));
    assert_eq!(a.request(Elector::resume), Ok(()));
    assert_eq!(told(&a, "c"), Some(resume(1, 2)), "and tells everybody");
    assert!(a.elector.status(a.now).pause.is_none());
    let mut a = Solo::new();
    a.lead();
    for span in [Duration::ZERO, Duration::from_hours(24) + ms(1)] {
        let refused = a.request(|elector, now| elector.pause(span, now));
        assert_eq!(refused, Err(RequestRefused::PauseSpan(span)));
    }
}

#[test]
fn r42_a_leader_that_dies_while_paused_is_replaced_after_a_resume_on_any_node() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.start_all();
    let leader = group.run_to_leader(ms(2_000)).to_string();
    group.run(ms(300));
    let [one, other] = {
        let mut rest = ["a", "b", "c"].into_iter().filter(|name| *name != leader);
        [rest.next().unwrap(), rest.next().unwrap()]
    };
    group.request(one, |elector, now| elector.pause(Duration::from_mins(1), now)).unwrap();
    group.run(ms(500)).kill(&leader).run(ms(5_000));
    assert_eq!(group.leader(), None, "{}", group.story());
    for name in [one, other] {
        let explained = group.elector(name).explain(group.now).to_string();
        assert!(explained.starts_with("failover is paused for"), "{explained}");
        assert!(explained.contains(&format!("taken by {leader}, and nobody but {leader} is elected")));
    }
    group.request(other, Elector::resume).unwrap();
    let took = group.run_until(ms(1_000), |group| group.leader().is_some()).expect("it is replaced");
    assert!(took < ms(300), "{took:?}");
}

#[test]
fn r62_a_paused_node_is_reserved_for_its_last_leader() {
    let mut a = paused_behind_b(ms(60_000));
    a.pass(PROMISE + ms(1));
    a.hear_free("c", 1);
    a.pass(D / 3);
    assert_eq!(a.last_to("c").header.state, reserved("b"), "that is free for b and for nobody else");
    a.clear().hear_offer("c", 2);
    assert!(refused(&a, "c"));
    assert_eq!(a.hear_offer("b", 2), None);
    a.commit();
    let accepted = a.sent_to("b").find(|frame| matches!(frame.body, Body::Accept { .. }));
    assert!(accepted.is_some(), "{:?}", a.frames);
}

#[test]
fn r62_reserved_is_free_for_that_node_alone() {
    for (leader, stands) in [("a", true), ("c", false)] {
        let mut a = Solo::new();
        a.hear("b", 1, reserved(leader), beat());
        assert_eq!(a.offered().is_some(), stands, "reserved for {leader}");
    }
}

#[test]
fn r62_the_last_leader_stands_again_at_once() {
    let mut a = paused_leader(ms(60_000));
    lose_lease(&mut a);
    a.hear("b", 1, reserved("a"), beat_with(stamp(1, 1, ms(59_000))));
    assert_eq!(a.offered(), Some(2), "{:?}", a.blocker());
    a.commit().hear_accept("b", 2);
    assert_eq!(a.leader(), Some((id("a"), epoch(2))));
}

#[test]
fn r62_a_vote_is_no_reservation() {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.hear("b", 1, PeerState::Free, beat());
    a.give_word("c", 2);
    a.hear("b", 2, reserved("b"), beat_with(stamp(1, 1, ms(60_000))));
    a.pass(PROMISE + ms(1));
    assert_eq!(reserved_for(&a), Some(id("b")), "it never followed c");
}

/// Whoever was followed before the leader that took the pause is not whom it keeps in office.
#[test]
fn r62_who_does_not_know_for_whom_believes_those_who_do() {
    let mut a = Solo::new();
    a.follow("b", 1).pass(PROMISE + ms(1));
    a.hear("c", 2, PeerState::Promised, beat_with(stamp(2, 1, ms(60_000))));
    assert_eq!(reserved_for(&a), None);
    a.pass(D / 3);
    assert_eq!(a.last_to("c").header.state, PeerState::Promised);
    a.hear("c", 2, reserved("c"), beat_with(stamp(2, 1, ms(59_000))));
    assert_eq!(reserved_for(&a), Some(id("c")));
    let mut a = Solo::new();
    a.hear("b", 2, follows("c", 2), beat_with(stamp(2, 1, ms(60_000))));
    assert_eq!(reserved_for(&a), Some(id("c")), "likewise who has restarted");
}

#[test]
fn r62_a_pause_that_comes_in_a_campaign_ends_it_and_withholds_an_accept() {
    let mut a = Solo::new();
    a.stand();
    a.hear("b", 1, reserved("c"), beat_with(stamp(1, 1, ms(60_000))));
    let withdrawn =
        |event: &Notice| matches!(event, Notice::CampaignLost { reason: CampaignLost::Paused, .. });
    assert!(a.saw(withdrawn));
    let mut a = Solo::new();
    a.hear_offer("b", 1);
    a.hear("c", 0, follows("c", 0), beat_with(stamp(0, 1, ms(60_000))));
    a.commit();
    assert!(refused(&a, "b"), "its vote was being saved meanwhile");
}

#[test]
fn r62_a_release_moves_the_reservation_while_the_head_start_lasts() {
    let release = |target| Body::Release { epoch: epoch(1), target: id(target) };
    let mut a = paused_behind_b(ms(60_000));
    a.hear("c", 1, follows("b", 1), beat());
    a.hear("b", 1, reserved("c"), release("c"));
    assert_eq!(reserved_for(&a), Some(id("c")));
    assert_eq!(a.last_to("c").header.state, reserved("c"));
    assert!(!refused(&a, "c"));
    for _ in 0..16 {
        a.pass(ms(50));
        a.hear("c", 1, reserved("c"), beat());
    }
    assert_eq!(reserved_for(&a), Some(id("b")), "it was not followed");
    a.clear().hear_offer("c", 2);
    assert!(refused(&a, "c"));
    // The target itself.
    let mut a = paused_behind_b(ms(60_000));
    a.hear("b", 1, reserved("a"), release("a"));
    assert_eq!(a.offered(), Some(2));
    a.commit().pass(ELECTION_TIMEOUT * 2);
    assert!(a.saw(|event| matches!(event, Notice::CampaignLost { .. })));
    assert_eq!(reserved_for(&a), Some(id("b")));
}

#[test]
fn r62_a_witness_is_reserved_and_a_replaced_node_does_not_count() {
    let members = |name| builder(name, &["a", "b"]).witnesses([id("w")]);
    let mut witness = Solo::with(members("w"));
    witness.follow("b", 1);
    witness.hear("b", 1, leading(1), lead_with(stamp(1, 1, ms(60_000))));
    witness.hear("a", 1, follows("b", 1), beat());
    witness.pass(PROMISE + ms(1));
    assert_eq!(witness.elector.status(witness.now).kind, MemberKind::Witness);
    assert_eq!(witness.last_to("a").header.state, reserved("b"));
    let config: Config = builder("a", &["a", "b", "c"]).build().unwrap();
    let record = Record::replacement(&config);
    let mut replaced = Solo::from_record(config, record);
    replaced.hear("b", 1, reserved("a"), beat_with(stamp(1, 1, ms(60_000))));
    replaced.hear("c", 1, reserved("a"), beat_with(stamp(1, 1, ms(60_000))));
    assert_eq!(replaced.blocker(), Some(CampaignBlocker::Replaced));
    assert_eq!(replaced.last_to("b").header.state, PeerState::Replaced);
}

#[test]
fn r63_the_newest_stamp_counts_whoever_tells_it() {
    let mut a = paused_behind_b(ms(60_000));
    a.hear("c", 1, follows("b", 1), beat_with(resume(1, 2)));
    assert!(a.saw(|event| matches!(event, Notice::Resumed)), "a resume on c");
    a.hear("b", 1, leading(1), lead_with(stamp(1, 1, ms(59_000))));
    assert!(a.elector.status(a.now).pause.is_none(), "b has not heard of it");
    assert_eq!(told(&a, "b"), Some(resume(1, 2)), "and does so by the answer");
    let mut a = paused_leader(ms(60_000));
    a.clear().hear("b", 1, follows("a", 1), beat_with(resume(1, 2)));
    assert_eq!(told(&a, "c"), Some(resume(1, 2)), "a leader shows it to everybody at once");
}

#[test]
fn r63_what_is_not_fresh_or_of_an_epoch_never_heard_of_tells_no_pause() {
    let mut a = Solo::new();
    let mut frame = a.frame("b", 1, PeerState::Free, beat_with(stamp(1, 1, ms(60_000))));
    frame.header.echo = None;
    a.deliver("b", &frame);
    assert!(a.elector.status(a.now).pause.is_none(), "it lay in a buffer since the last maintenance");
    a.hear("b", 1, PeerState::Free, beat_with(stamp(2, 1, ms(60_000))));
    assert!(a.elector.status(a.now).pause.is_none(), "it would outlast all later ones");
    a.hear("b", 1, PeerState::Free, beat_with(stamp(1, u32::MAX, ms(60_000))));
    assert!(a.elector.status(a.now).pause.is_none(), "likewise");
}

/// As landed at first, a restart of the leader resumed everybody.
#[test]
fn r63_a_winner_takes_over_the_newest_of_its_accepts() {
    let mut a = Solo::new();
    a.stand();
    a.commit();
    let pause = Some(stamp(0, 3, ms(60_000)));
    let accept =
        Body::Accept { epoch: epoch(1), detection: OPEN, position: None, pause, genesis_epoch: epoch(0) };
    assert_eq!(a.hear("b", 1, PeerState::Promised, accept), None);
    assert_eq!(a.leader(), Some((id("a"), epoch(1))));
    assert_eq!(told(&a, "c"), pause, "its first words say so");
    assert_eq!(reserved_for(&a), Some(id("a")));
}

#[test]
fn r63_an_accept_tells_the_pause_of_its_voter() {
    let mut a = paused_behind_b(ms(60_000));
    a.hear("b", 1, leading(1), offer(4));
    a.commit();
    let told = a.sent_to("b").find_map(|frame| match frame.body {
        Body::Accept { pause, .. } => pause,
        _ => None,
    });
    assert_eq!(told, Some(stamp(1, 1, ms(60_000))));
}

#[test]
fn r63_a_resume_that_was_asked_for_in_the_dark_ends_the_first_pause_that_is_heard_of() {
    let mut a = Solo::new();
    a.request(Elector::resume).unwrap();
    a.hear("b", 1, reserved("c"), beat_with(stamp(1, 1, ms(60_000))));
    assert!(a.elector.status(a.now).pause.is_none());
    assert_eq!(told(&a, "b"), Some(resume(1, 2)));
    a.hear("b", 1, reserved("c"), beat_with(stamp(1, 3, ms(60_000))));
    assert!(a.elector.status(a.now).pause.is_some(), "that one was asked for later");
    let mut a = Solo::new();
    a.request(Elector::resume).unwrap();
    a.pass(ELECTION_TIMEOUT + ms(1));
    a.hear("c", 1, PeerState::Free, beat());
    a.hear("b", 1, reserved("c"), beat_with(stamp(1, 1, ms(60_000))));
    assert!(a.elector.status(a.now).pause.is_some(), "and so was this one");
}

#[test]
fn r64_unfitness_costs_office_in_the_step_that_resumes() {
    let mut a = paused_leader(ms(2_000));
    a.clear().step(|elector, now| elector.set_health(Health::Unfit, now));
    assert!(a.losses.is_empty() && a.holds_lease());
    assert!(!is_told_healthy(&a), "it is told");
    for _ in 0..50 {
        a.hear_acknowledgement("b", 1);
        a.pass(ms(50));
    }
    assert_eq!(a.losses.len(), 1);
    assert_eq!(a.losses[0].reason, StepDown::Unhealthy);
    let lost = a.order.iter().position(|kind| *kind == "lost").unwrap();
    let resumed = a.notices.iter().position(|event| matches!(event, Notice::Resumed));
    assert!(resumed.is_some() && lost > 0);
    // A moment of unfitness costs nothing.
    let mut a = paused_leader(ms(2_000));
    a.step(|elector, now| elector.set_health(Health::Unfit, now));
    a.step(|elector, now| elector.set_health(Health::Healthy, now));
    a.request(Elector::resume).unwrap();
    assert!(a.losses.is_empty());
}

#[test]
fn r66_an_expiry_in_a_pause_is_put_off() {
    let paused_and_hung = || {
        let mut a = paused_leader(ms(60_000));
        let until = a.now + ms(40);
        a.step(|elector, now| elector.set_healthy_until(until, now));
        a.clear().pass(ms(50));
        assert!(a.losses.is_empty() && a.holds_lease(), "a pause keeps it in office");
        assert!(!is_told_healthy(&a), "it is told");
        a
    };
    let mut a = paused_and_hung();
    a.request(Elector::resume).unwrap();
    assert_eq!(
        a.losses,
        [SteppedDown { epoch: epoch(1), reason: StepDown::Unhealthy }],
        "it takes effect with the resume"
    );
    let mut a = paused_and_hung();
    let until = a.now + ms(5_000);
    a.step(|elector, now| elector.set_healthy_until(until, now));
    a.request(Elector::resume).unwrap();
    assert!(a.losses.is_empty(), "a host that is well again by then loses nothing");
}

#[test]
fn r64_a_stalled_save_costs_office_in_the_step_that_resumes() {
    let mut a = paused_leader(ms(60_000));
    a.hear("b", 9, follows("a", 1), beat());
    a.pass(ms(50));
    assert!(a.gate.is_some(), "a re-offer is being saved");
    for _ in 0..20 {
        a.hear_acknowledgement("b", 1);
        a.pass(ms(50));
    }
    assert!(a.losses.is_empty());
    a.hear("b", 9, follows("a", 1), beat());
    a.request(Elector::resume).unwrap();
    assert_eq!(a.losses[0].reason, StepDown::SaveStalled);
}

#[test]
fn r64_a_missed_office_deadline_costs_office_in_the_step_that_resumes() {
    for serves in [false, true] {
        let mut a = Solo::with(builder("a", &["a", "b", "c"]).office_timeout(ms(1_000)));
        a.stand();
        a.commit().hear_accept("b", 1);
        a.request(|elector, now| elector.pause(ms(60_000), now)).unwrap();
        for _ in 0..30 {
            a.hear_acknowledgement("b", 1);
            a.pass(ms(50));
        }
        assert!(a.losses.is_empty());
        assert!(!is_told_healthy(&a), "it is told");
        if serves {
            a.enter_office();
        }
        a.hear_acknowledgement("b", 1);
        a.request(Elector::resume).unwrap();
        let reasons: Vec<_> = a.losses.iter().map(|loss| loss.reason).collect();
        assert_eq!(reasons, if serves { vec![] } else { vec![StepDown::NeverServed] });
    }
}

#[test]
fn r64_lease_ends_and_storage_errors_are_never_put_off() {
    let mut a = paused_leader(ms(60_000));
    lose_lease(&mut a);
    let mut a = paused_leader(ms(60_000));
    a.hear("b", 9, follows("a", 1), beat());
    a.pass(ms(50));
    a.disk.fails = true;
    a.commit();
    assert_eq!(a.losses[0].reason, StepDown::StorageFailed);
}

/// A paused leader that was shut down told neither its host nor its followers.
#[test]
fn r64_who_resigns_in_a_pause_steps_down_once_and_names_nobody() {
    let mut a = paused_leader(ms(60_000));
    a.hear_acknowledgement("b", 1);
    a.hear_acknowledgement("c", 1);
    a.clear();
    assert_eq!(a.request(Elector::resign), Ok(()));
    assert_eq!(a.losses.len(), 1);
    assert_eq!(a.losses[0].reason, StepDown::Resigned);
    assert!(a.frames.iter().all(|(_, frame)| !matches!(frame.body, Body::Release { .. })));
    for peer in ["b", "c"] {
        assert_eq!(a.last_to(peer).header.state, reserved("a"), "a last frame says that it is over");
    }
}

#[test]
fn r64_an_operators_handover_goes_on_and_may_begin_in_a_pause() {
    for paused_first in [false, true] {
        let mut a = Solo::new();
        a.lead().hear_acknowledgement("b", 1);
        let pause = |a: &mut Solo| a.request(|elector, now| elector.pause(ms(60_000), now)).unwrap();
        if paused_first {
            pause(&mut a);
        }
        a.request(|elector, now| elector.request_handover(Some(id("b")), now)).unwrap();
        if !paused_first {
            pause(&mut a);
        }
        a.step(Elector::on_drained);
        assert_eq!(a.losses[0].reason, StepDown::HandedOver(id("b")));
        assert_eq!(a.last_to("c").header.state, reserved("b"));
    }
}

#[test]
fn r64_a_handover_by_preference_is_aborted() {
    let config = builder("a", &["a", "b", "c"]).preferred_leader(id("b")).fail_back_cooldown(ms(500));
    let mut a = Solo::with(config);
    a.lead();
    let began = |duty: &Duty| matches!(duty, Duty::HandoverBegan { cause: HandoverCause::Preference, .. });
    for _ in 0..20 {
        a.hear_acknowledgement("b", 1);
        a.pass(ms(50));
    }
    assert!(a.must(began), "{:?}", a.duties);
    a.request(|elector, now| elector.pause(ms(60_000), now)).unwrap();
    let aborted = |duty: &Duty| matches!(duty, Duty::HandoverAborted { reason: HandoverAborted::Paused, .. });
    assert!(a.must(aborted));
    a.step(Elector::on_drained);
    assert!(a.losses.is_empty());
}

#[test]
fn r64_an_unfit_leader_that_lost_its_lease_leads_again_in_a_pause() {
    let mut a = paused_leader(ms(60_000));
    a.step(|elector, now| elector.set_health(Health::Unfit, now));
    lose_lease(&mut a);
    a.hear("b", 1, reserved("a"), beat_with(stamp(1, 1, ms(59_000))));
    assert_eq!(a.offered(), Some(2));
    a.commit().hear("b", 2, PeerState::Promised, accept(2));
    a.link("c", LinkState::Up);
    assert_eq!(a.leader(), Some((id("a"), epoch(2))));
    a.enter_office();
    a.request(Elector::resume).unwrap();
    assert_eq!(a.losses[0].reason, StepDown::Unhealthy);
}
