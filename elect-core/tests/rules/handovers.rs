//! R38–R40, R43 in detail: who is no target, whose rate counts, and what a favour and a preference are for.

use std::time::Duration;

use elect_core::{
    Body, CampaignBlocker, CampaignLost, Duty, Elector, Health, Heartbeat, Lag, LinkState, Notice, PeerState,
    RequestRefused, StepDown, Unfit,
};

use crate::harness::{builder, id, ms};
use crate::solo::{INTERVAL, Solo, at, beat, beat_at, epoch, follows, heartbeat, stands};

const ABC: [&str; 3] = ["a", "b", "c"];

fn ask(a: &mut Solo, to: &str) -> Result<(), RequestRefused> {
    a.request(|elector, now| elector.request_handover(id(to), now))
}

fn release(number: u64, target: &str) -> Body {
    Body::Release { epoch: epoch(number), target: id(target) }
}

fn began(a: &Solo) -> Option<elect_core::NodeId> {
    a.duties.iter().find_map(|duty| match duty {
        Duty::HandoverBegan { target, .. } => Some(*target),
        _ => None,
    })
}

#[test]
fn r38_a_witness_is_no_target_whatever_it_says() {
    let mut a = Solo::with(builder("a", &["a", "b"]).witnesses([id("w")]));
    a.lead();
    a.hear_acknowledgement("b", 1);
    a.hear_acknowledgement("w", 1);
    assert_eq!(ask(&mut a, "w"), Err(RequestRefused::TargetUnfit(id("w"), Unfit::Ineligible)));
}

/// `a` leads and is at entry 200; `b` gains `per_beat` entries in each heartbeat, up to `end`.
fn slowly(per_beat: u64, end: u64) -> Solo {
    let mut a = Solo::new();
    a.set_position(at(1, 200));
    a.lead();
    a.hear_acknowledgement("c", 1);
    for beat in (0..12).rev() {
        a.hear("b", 1, follows("a", 1), beat_at(at(1, end - beat * per_beat)));
        a.pass(INTERVAL);
    }
    a.clear();
    a
}

#[test]
fn r38_a_slow_target_that_has_caught_up_since_the_last_heartbeat_is_not_refused() {
    let mut a = slowly(0, 100);
    assert!(matches!(ask(&mut a, "b"), Err(RequestRefused::TargetLags(..))));
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 200)));
    assert_eq!(ask(&mut a, "b"), Ok(()));
}

#[test]
fn r38_a_target_that_kept_up_falls_behind_with_no_rate_that_is_known() {
    let mut a = slowly(0, 100);
    // It keeps up for a heartbeat: what was seen before says nothing any more.
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 200)));
    a.pass(INTERVAL);
    a.set_position(at(1, 5_000));
    for _ in 0..4 {
        a.hear("b", 1, follows("a", 1), beat_at(at(1, 200)));
        a.pass(INTERVAL);
    }
    assert_eq!(ask(&mut a, "b"), Ok(()));
}

#[test]
fn r38_a_target_that_closes_its_gap_at_the_deadline_is_not_refused() {
    // One entry in a heartbeat of 50 ms: 20 in a second. It is 40 behind.
    let within = |span: Duration| elect_core::HandoverRequest { timeout: Some(span), ..id("b").into() };
    let mut a = slowly(1, 160);
    let refused = a.request(|elector, now| elector.request_handover(within(ms(1_900)), now));
    let Err(RequestRefused::TargetLags(_, Lag { rate: Some(rate), .. })) = refused else {
        panic!("{refused:?}");
    };
    let exact = Duration::from_nanos((40 * 1_000_000_000_u64).div_ceil(rate));
    assert_eq!(a.request(|elector, now| elector.request_handover(within(exact), now)), Ok(()));
}

#[test]
fn r39_a_head_start_goes_on_while_its_target_campaigns_in_a_higher_epoch() {
    let mut a = Solo::with(builder("a", &ABC).priority(99));
    a.follow("b", 1);
    a.hear("c", 1, follows("b", 1), beat());
    a.hear("b", 1, PeerState::Free, release(1, "c"));
    a.hear("c", 1, stands(2), beat());
    a.hear("c", 2, stands(3), beat());
    assert!(matches!(a.blocker(), Some(CampaignBlocker::HeadStart(..))), "{:?}", a.blocker());
}

/// `b` was released to while `story` went on; then `a` and `d` of five are free. Whether it campaigns at once.
fn is_favoured(story: impl FnOnce(&mut Solo)) -> bool {
    let mut b = Solo::with(builder("b", &["a", "b", "c", "d", "e"]));
    b.hear("a", 3, PeerState::Promised, beat());
    story(&mut b);
    b.clear();
    b.hear("a", 9, PeerState::Free, beat());
    b.hear("d", 9, PeerState::Free, beat());
    b.offered().is_some()
}

#[test]
fn r39_nobody_is_favoured_who_campaigns_already_or_is_unfit() {
    assert!(is_favoured(|b| {
        b.hear("a", 3, PeerState::Free, release(3, "b"));
    }));
    assert!(!is_favoured(|b| {
        b.step(|elector, now| elector.set_health(Health::Unfit, now));
        b.hear("a", 3, PeerState::Free, release(3, "b"));
        b.step(|elector, now| elector.set_health(Health::Healthy, now));
    }));
    assert!(!is_favoured(|b| {
        // It follows somebody meanwhile.
        b.hear("a", 3, PeerState::Free, release(3, "b"));
        b.follow("c", 4);
        b.hear("c", 8, PeerState::Promised, beat());
    }));
    assert!(!is_favoured(|b| {
        b.hear("c", 3, PeerState::Free, beat());
        b.hear("d", 3, PeerState::Free, beat());
        b.pass(ms(100));
        assert!(b.offered().is_some());
        b.hear("a", 3, PeerState::Free, release(3, "b"));
        b.commit().pass(ms(500));
        assert!(b.saw(|event| matches!(
            event,
            Notice::CampaignLost { reason: CampaignLost::NoQuorum { .. }, .. }
        )));
    }));
}

#[test]
fn r43_an_unfit_leader_without_a_successor_loses_office_all_the_same() {
    let mut a = Solo::new();
    a.lead();
    a.link("b", LinkState::Closed).link("c", LinkState::Closed);
    a.step(|elector, now| elector.set_health(Health::Unfit, now));
    assert_eq!(a.losses.len(), 1);
    assert_eq!(a.losses[0].reason, StepDown::Unhealthy);
    assert!(a.frames.iter().all(|(_, frame)| !matches!(frame.body, Body::Release { .. })));
}

/// `peer` keeps up and has this priority.
fn says(a: &mut Solo, peer: &str, priority: u8) {
    a.hear(peer, 1, follows("a", 1), Body::Heartbeat(Heartbeat { priority, ..heartbeat() }));
}

#[test]
fn r40_the_cooldown_ends_with_the_heartbeat_at_its_very_end() {
    let mut a = Solo::with(builder("a", &ABC).fail_back_cooldown(INTERVAL * 4));
    a.lead();
    let mut beats = 0;
    while began(&a).is_none() && beats < 20 {
        says(&mut a, "b", 200);
        a.pass(INTERVAL);
        beats += 1;
    }
    // It is fit at one heartbeat, and four intervals later it has been for the cooldown.
    assert_eq!((began(&a), beats), (Some(id("b")), 5));
}

#[test]
fn r40_of_two_that_are_as_good_the_first_is_taken() {
    let mut a = Solo::with(builder("a", &ABC).fail_back_cooldown(INTERVAL * 4));
    a.lead();
    for _ in 0..6 {
        says(&mut a, "b", 200);
        says(&mut a, "c", 200);
        a.pass(INTERVAL);
    }
    assert_eq!(began(&a), Some(id("b")));
}

#[test]
fn r64_no_preference_acts_in_a_pause() {
    let mut a = Solo::with(builder("a", &ABC).fail_back_cooldown(INTERVAL * 4));
    a.lead();
    a.request(|elector, now| elector.pause(ms(60_000), now)).unwrap();
    for _ in 0..12 {
        says(&mut a, "b", 200);
        a.pass(INTERVAL);
    }
    assert_eq!(began(&a), None);
    a.request(Elector::resume).unwrap();
    says(&mut a, "b", 200);
    a.pass(INTERVAL);
    assert_eq!(began(&a), Some(id("b")));
}

/// `a` hands over to `b`, by preference or on request, and `b` hands office back.
fn is_said_to_contradict(by_preference: bool, between: impl FnOnce(&mut Solo)) -> bool {
    let mut a = Solo::with(builder("a", &ABC).fail_back_cooldown(INTERVAL * 4));
    a.lead();
    if by_preference {
        for _ in 0..6 {
            says(&mut a, "b", 200);
            a.pass(INTERVAL);
        }
        assert_eq!(began(&a), Some(id("b")));
    } else {
        a.hear_acknowledgement("b", 1);
        ask(&mut a, "b").unwrap();
    }
    a.step(Elector::on_drained);
    assert_eq!(a.losses.len(), 1);
    a.follow("b", 2);
    between(&mut a);
    a.clear();
    a.hear("b", 2, PeerState::Free, release(2, "a"));
    a.saw(|notice| matches!(notice, Notice::PreferencesContradict { .. }))
}

#[test]
fn r40_only_what_a_preference_gave_away_and_gets_back_soon_contradicts_it() {
    assert!(is_said_to_contradict(true, |_| {}));
    assert!(!is_said_to_contradict(false, |_| {}), "an operator handed over");
    // The window is a cooldown and two election timeouts for each voter.
    let window = (INTERVAL * 4 + crate::solo::ELECTION_TIMEOUT * 2) * 3;
    for (late, contradicts) in [(Duration::ZERO, true), (Duration::from_nanos(1), false)] {
        let said = is_said_to_contradict(true, |a| {
            // It stepped down in this very step.
            let end = a.now + window + late;
            while a.now < end {
                a.pass(ms(40).min(end.since(a.now)));
                a.hear_leader("b", 2);
            }
        });
        assert_eq!(said, contradicts, "{late:?} after the window");
    }
    assert!(
        !is_said_to_contradict(true, |a| {
            let unfit = Heartbeat {
                healthy: false,
                lead: Some(elect_core::Lead { detection: crate::solo::D }),
                ..heartbeat()
            };
            a.hear("b", 2, crate::solo::leading(2), Body::Heartbeat(unfit));
        }),
        "it cannot hold it"
    );
    assert!(
        !is_said_to_contradict(true, |a| {
            a.pass(crate::solo::PROMISE + ms(1));
            a.hear("b", 2, PeerState::Promised, beat());
        }),
        "it was lost meanwhile"
    );
}

#[test]
fn r38_the_rate_of_an_earlier_life_says_nothing_of_the_next_one() {
    let mut a = slowly(0, 100);
    a.lives.insert(id("b"), elect_core::Incarnation { counter: 2, random: 2 });
    a.hear("b", 1, PeerState::Promised, beat_at(at(1, 100)));
    a.hear("b", 1, PeerState::Promised, beat_at(at(1, 100)));
    assert_eq!(ask(&mut a, "b"), Ok(()));
}

/// `a` leads, hands over to `b` and has drained; `b` lacks its last entry.
fn drained_an_entry_ahead_of_b() -> Solo {
    let mut a = Solo::new();
    a.set_position(at(1, 6));
    a.lead();
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 5)));
    ask(&mut a, "b").unwrap();
    a.step(Elector::on_drained);
    a
}

#[test]
fn r38_a_drained_leader_that_is_cut_back_to_what_its_target_has_hands_over() {
    let mut a = drained_an_entry_ahead_of_b();
    assert!(a.losses.is_empty());
    a.set_position(at(1, 5));
    assert_eq!(a.losses[0].reason, StepDown::HandedOver(id("b")));
}

/// A head start that lasts by the clock alone: nobody is heard meanwhile.
#[test]
fn r39_a_head_start_ends_within_a_step_of_its_targets_last_echo() {
    let mut a = Solo::new();
    a.follow("b", 1);
    a.hear("c", 1, follows("b", 1), beat());
    let silent_from = a.last_to("c").header.nonce.sent + crate::solo::D;
    // Its own heartbeats fall shortly before that, and long after it.
    a.pass(ms(158));
    a.hear_leader("b", 1);
    a.clear().hear("b", 1, PeerState::Free, release(1, "c"));
    assert!(matches!(a.blocker(), Some(CampaignBlocker::HeadStart(..))));
    a.pass(silent_from.since(a.now));
    assert_eq!(a.offered(), None);
    a.pass(crate::solo::RANK_STEP + ms(1));
    assert_eq!(a.offered(), Some(2), "{:?}", a.blocker());
}

#[test]
fn r38_a_target_that_is_near_enough_or_keeps_up_is_not_refused_for_its_rate() {
    let at_once = elect_core::HandoverRequest { timeout: Some(ms(1)), ..id("b").into() };
    // The leader's own log was cut back to where the slow target is.
    let mut a = slowly(0, 100);
    assert!(a.request(|elector, now| elector.request_handover(at_once, now)).is_err());
    let tolerance = a.elector.config().lag_tolerance();
    a.set_position(at(1, 101 + tolerance));
    assert!(a.request(|elector, now| elector.request_handover(at_once, now)).is_err(), "one too many");
    a.set_position(at(1, 100 + tolerance));
    assert_eq!(a.request(|elector, now| elector.request_handover(at_once, now)), Ok(()));
    // The target has what the leader had two heartbeats ago.
    let mut a = slowly(0, 100);
    a.set_position(at(1, 900_000));
    a.hear("b", 1, follows("a", 1), beat_at(at(1, 200)));
    assert_eq!(a.request(|elector, now| elector.request_handover(at_once, now)), Ok(()));
}

#[test]
fn r38_a_target_that_is_promised_to_somebody_is_handed_over_to_as_soon_as_it_is_durable() {
    let mut a = drained_an_entry_ahead_of_b();
    a.hear("b", 1, PeerState::Promised, beat_at(at(1, 6)));
    assert_eq!(a.losses.len(), 1);
}

#[test]
fn r38_a_target_within_the_tolerance_is_not_refused_though_the_log_was_longer_two_heartbeats_ago() {
    let at_once = elect_core::HandoverRequest { timeout: Some(ms(1)), ..id("b").into() };
    let mut a = Solo::with(builder("a", &ABC).lag_tolerance(10));
    a.set_position(at(1, 200));
    a.lead();
    for _ in 0..12 {
        a.hear("b", 1, follows("a", 1), beat_at(at(1, 100)));
        a.pass(INTERVAL);
    }
    for (own, is_refused) in [(111, true), (110, false)] {
        a.set_position(at(1, own));
        let asked = a.request(|elector, now| elector.request_handover(at_once, now));
        assert_eq!(asked.is_err(), is_refused, "{own}: {asked:?}");
    }
}

#[test]
fn r38_a_release_is_repeated_for_as_long_as_the_head_start_lasts() {
    let mut a = Solo::handed_over();
    let end = a.now + crate::solo::ELECTION_TIMEOUT;
    let releases =
        |a: &Solo| a.sent_to("c").filter(|frame| matches!(frame.body, Body::Release { .. })).count();
    while a.now < end {
        a.clear().pass(ms(5));
        a.hear("b", 1, PeerState::Promised, beat());
    }
    a.clear().pass(ms(200));
    assert!(a.sent_to("c").count() > 0);
    assert_eq!(releases(&a), 0, "the head start is over");
}

#[test]
fn r40_the_cooldown_after_an_abort_runs_from_the_abort() {
    let mut a = Solo::with(builder("a", &ABC).fail_back_cooldown(ms(180)));
    a.lead();
    let beat = |a: &mut Solo| {
        says(a, "b", 200);
        a.pass(INTERVAL);
    };
    while began(&a).is_none() {
        beat(&mut a);
    }
    a.pass(ms(10)).request(Elector::cancel_handover).unwrap();
    a.clear().pass(ms(40));
    for _ in 0..2 {
        beat(&mut a);
    }
    assert_eq!(began(&a), None, "140 ms after it");
    beat(&mut a);
    assert_eq!(began(&a), Some(id("b")), "190 ms after it, at the first heartbeat after the cooldown");
}

#[test]
fn r40_the_window_of_a_contradiction_has_a_cooldown_for_each_voter_and_none_for_a_witness() {
    let cooldown = INTERVAL * 4;
    for (late, contradicts) in [(Duration::ZERO, true), (Duration::from_nanos(1), false)] {
        let members = builder("a", &["a", "b"]).witnesses([id("w")]);
        let mut a = Solo::with(members.fail_back_cooldown(cooldown));
        a.lead();
        while began(&a).is_none() {
            says(&mut a, "b", 200);
            a.pass(INTERVAL);
        }
        a.step(Elector::on_drained);
        assert_eq!(a.losses.len(), 1);
        let end = a.now + (cooldown + a.elector.config().election_timeout() * 2) * 2 + late;
        a.follow("b", 2);
        while a.now < end {
            a.pass(ms(40).min(end.since(a.now)));
            a.hear_leader("b", 2);
        }
        a.clear().hear("b", 2, PeerState::Free, release(2, "a"));
        let is_said = a.saw(|notice| matches!(notice, Notice::PreferencesContradict { .. }));
        assert_eq!(is_said, contradicts, "{late:?} after the window");
    }
}

#[test]
fn r40_a_contradiction_is_one_with_the_present_life_of_the_other() {
    let mut a = Solo::with(builder("a", &ABC).fail_back_cooldown(INTERVAL * 4));
    let preferred = |a: &mut Solo, number: u64| {
        a.clear();
        for _ in 0..8 {
            let body = Body::Heartbeat(Heartbeat { priority: 200, ..heartbeat() });
            a.hear("b", number, follows("a", number), body);
            a.pass(INTERVAL);
        }
        began(a).is_some()
    };
    a.lead();
    assert!(preferred(&mut a, 1));
    a.step(Elector::on_drained);
    a.follow("b", 2).clear();
    a.hear("b", 2, PeerState::Free, release(2, "a"));
    assert!(a.saw(|notice| matches!(notice, Notice::PreferencesContradict { .. })));
    assert_eq!(a.offered(), Some(3));
    a.pass(ms(1)).commit();
    a.hear_accept("b", 3);
    a.enter_office();
    assert!(!preferred(&mut a, 3), "it would come back");
    a.lives.insert(id("b"), elect_core::Incarnation { counter: 2, random: 2 });
    assert!(preferred(&mut a, 3), "b may have been configured anew");
}
