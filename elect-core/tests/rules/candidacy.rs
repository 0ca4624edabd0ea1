//! R19–R21, R28, R32–R34, R36, R39: what counts in a campaign, and what a campaign leaves behind.

use std::time::Duration;

use elect_core::{
    Body, CampaignBlocker, CampaignLost, Config, Duty, Ignored, Notice, PeerState, Refusal, Stamp,
};

use crate::harness::{builder, cluster, id, ms};
use crate::solo::{
    D, INTERVAL, LEASE, OPEN, RANK_STEP, Solo, accept, at, beat, epoch, follows, just_before, lead, leading,
    offer, stands,
};

fn lost(a: &Solo) -> bool {
    a.saw(|event| matches!(event, Notice::CampaignLost { .. }))
}

/// Gives up campaigns from epoch `number` on, `count` of them, and returns the epoch after the last one.
fn lose_campaigns(a: &mut Solo, mut number: u64, count: u64) -> u64 {
    for _ in 0..count {
        stand_again(a, number);
        a.commit().pass(ms(500));
        assert!(lost(a));
        a.clear();
        number += 1;
    }
    number
}

/// Waits until this node offers epoch `number`.
fn stand_again(a: &mut Solo, number: u64) {
    for _ in 0..400 {
        if a.offered() == Some(number) {
            return;
        }
        a.hear_free("b", number - 1);
        if a.offered() != Some(number) {
            a.pass(ms(20));
        }
    }
    panic!("it does not stand: {:?}", a.blocker());
}

#[test]
fn r20_an_accept_answers_the_offer_and_not_what_left_before_it_in_the_same_step() {
    let mut a = Solo::new();
    a.clear().stand();
    let sent: Vec<_> = a.sent_to("b").map(|frame| frame.header.nonce.sent).collect();
    let [answer, offered] = sent[..] else { panic!("an answer and an offer: {sent:?}") };
    assert!(answer < offered);
    a.commit();
    let mut early = a.frame("b", 1, PeerState::Promised, accept(1));
    early.header.echo.as_mut().unwrap().sent = answer;
    assert_eq!(a.deliver("b", &early), Some(Ignored::NoSuchOffer(epoch(1))));
    let mut answering = a.frame("b", 1, PeerState::Promised, accept(1));
    answering.header.echo.as_mut().unwrap().sent = offered;
    assert_eq!(a.deliver("b", &answering), None);
    assert!(a.holds_lease());
}

#[test]
fn r20_an_accept_echoes_a_nonce_of_this_very_life() {
    let mut a = Solo::new();
    a.stand();
    a.commit();
    let mut foreign = a.frame("b", 1, PeerState::Promised, accept(1));
    foreign.header.echo.as_mut().unwrap().incarnation.random ^= 1;
    assert_eq!(a.deliver("b", &foreign), Some(Ignored::NotFresh));
    let mut invented = a.frame("b", 1, PeerState::Promised, accept(1));
    invented.header.echo.as_mut().unwrap().sent = a.now + ms(1);
    assert_eq!(a.deliver("b", &invented), Some(Ignored::NotFresh));
    assert!(!a.holds_lease());
}

#[test]
fn r20_a_late_accept_of_the_offer_that_was_won_counts_by_its_own_echo() {
    let mut a = Solo::candidate_of_five();
    let offered = a.last_to("b").header.nonce.sent;
    a.commit();
    let first = a.last_to("b").header.nonce.sent;
    a.pass(ms(1));
    a.hear_accept("b", 1);
    a.pass(INTERVAL);
    let second = a.last_to("c").header.nonce.sent;
    a.hear_accept("c", 1);
    assert_eq!(a.lease_end(), first + LEASE);
    let mut late = a.frame("d", 1, PeerState::Promised, accept(1));
    late.header.echo.as_mut().unwrap().sent = second;
    a.pass(ms(7));
    late.header.nonce.sent = a.now;
    assert_eq!(a.deliver("d", &late), None);
    assert_eq!(a.lease_end(), second + LEASE);
    let mut before = a.frame("e", 1, PeerState::Promised, accept(1));
    before.header.echo.as_mut().unwrap().sent = offered - Duration::from_nanos(1);
    assert_eq!(a.deliver("e", &before), Some(Ignored::NoSuchOffer(epoch(1))));
}

#[test]
fn r21_of_the_accepts_of_one_voter_the_newest_echo_counts() {
    for order in [[0, 1], [1, 0]] {
        let mut a = Solo::candidate_of_five();
        a.commit();
        let first = a.last_to("b").header.nonce.sent;
        a.pass(INTERVAL);
        let second = a.last_to("b").header.nonce.sent;
        for which in order {
            let mut answer = a.frame("b", 1, PeerState::Promised, accept(1));
            answer.header.echo.as_mut().unwrap().sent = [first, second][which];
            assert_eq!(a.deliver("b", &answer), None);
        }
        a.pass(ms(1));
        a.hear_accept("c", 1);
        assert_eq!(a.lease_end(), second + LEASE, "{order:?}");
    }
}

#[test]
fn r30_of_the_positions_of_one_voter_the_highest_counts() {
    for offsets in [[8, 6], [6, 8]] {
        let mut a = Solo::candidate_of_five();
        a.set_position(at(0, 5)).commit();
        for offset in offsets {
            a.hear(
                "b",
                1,
                PeerState::Promised,
                Body::Accept {
                    epoch: epoch(1),
                    detection: OPEN,
                    position: at(0, offset),
                    pause: None,
                    genesis_epoch: epoch(0),
                },
            );
        }
        a.hear_accept("c", 1);
        let source = a.take_elected().catch_up_from().expect("b holds more");
        assert_eq!(Some(source.position), at(0, 8), "{offsets:?}");
    }
}

#[test]
fn r21_a_lease_that_ends_now_elects_nobody() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).rank_step(ms(400)));
    a.stand();
    let accepted = a.frame("b", 1, PeerState::Promised, accept(1));
    let sent = accepted.header.echo.unwrap().sent;
    a.now = sent + LEASE;
    a.commit();
    a.deliver("b", &accepted);
    assert!(!a.must(|duty| matches!(duty, Duty::Elected(_))));
}

#[test]
fn r15_a_candidacy_outlives_the_restart_of_a_voter_that_accepted() {
    let mut a = Solo::candidate_of_five();
    a.commit();
    a.hear_accept("b", 1);
    a.lives.insert(id("b"), elect_core::Incarnation { counter: 2, random: 1 });
    a.hear("b", 1, PeerState::Promised, beat());
    a.hear_accept("c", 1);
    assert!(a.holds_lease(), "its restart is a promise too");
}

#[test]
fn r19_an_offer_is_above_the_own_epoch_however_far_that_rose() {
    let mut a = Solo::new();
    let high = 1 << 30;
    a.follow("b", high);
    a.hear("b", high, PeerState::Promised, beat());
    a.clear().hear_free("c", high);
    assert_eq!(a.offered(), Some(high + 1));
}

#[test]
fn r28_campaigning_ends_the_exception_for_the_epoch_followed() {
    let mut a = Solo::new();
    a.follow("b", 3);
    a.hear("b", 3, leading(3), offer(5));
    a.commit();
    assert_eq!(a.fence.ack(Stamp::received(epoch(3))), Ok(()));
    a.hear("b", 5, PeerState::Promised, beat());
    a.clear().hear_free("c", 5);
    assert_eq!(a.offered(), Some(6));
    a.commit();
    assert!(a.fence.ack(Stamp::received(epoch(3))).is_err());
}

/// How long the campaign of epoch `number` lasts that this node begins next.
fn round(a: &mut Solo, number: u64) -> Duration {
    stand_again(a, number);
    let began =
        a.sent_to("b").find(|frame| matches!(frame.body, Body::Offer { .. })).unwrap().header.nonce.sent;
    a.commit();
    while !lost(a) {
        a.pass(ms(1));
    }
    a.clear();
    a.now.since(began)
}

#[test]
fn r33_a_campaign_grows_with_the_rounds_lost_in_a_row() {
    let mut a = Solo::new();
    let steps = RANK_STEP * 2;
    // Until no campaign outlasts the lease that its first answers make.
    for (number, longest) in (1..).zip([steps, steps * 2, LEASE, LEASE, LEASE, LEASE]) {
        let round = round(&mut a, number);
        assert!(round + ms(1) > longest && round <= longest + ms(1), "{number}: {round:?} of {longest:?}");
    }
}

#[test]
fn r33_the_wait_is_drawn_up_to_a_limit_that_doubles_to_32_rank_steps() {
    let mut longest = [Duration::ZERO; 8];
    for seed in 0..60 {
        let mut a = Solo::with(builder("a", &["a", "b", "c"]).seed(seed));
        for (round, longest) in longest.iter_mut().enumerate() {
            stand_again(&mut a, round as u64 + 1);
            a.commit().pass(ms(500));
            let wait = a.notices.iter().find_map(|event| match event {
                Notice::CampaignLost { reason: CampaignLost::NoQuorum { wait }, .. } => Some(*wait),
                _ => None,
            });
            *longest = (*longest).max(wait.expect("nobody answers"));
            a.clear();
        }
    }
    for (round, longest) in longest.into_iter().enumerate() {
        let limit = RANK_STEP * (2 << round.min(4));
        assert!(longest <= limit && longest > limit / 2, "round {round}: {longest:?} of {limit:?}");
    }
}

#[test]
fn r33_a_voter_that_answered_the_lost_campaign_stays_connected() {
    let mut a = Solo::new();
    a.stand();
    a.commit();
    let offered = a.last_to("c").header.nonce.sent;
    let mut answer = a.frame("c", 0, PeerState::Promised, beat());
    answer.header.echo.as_mut().unwrap().sent = offered;
    a.deliver("c", &answer);
    a.pass(RANK_STEP * 2);
    assert!(lost(&a));
    assert_eq!(
        a.blocker().map(|blocker| matches!(blocker, CampaignBlocker::NotConnected { .. })),
        Some(false)
    );
    a.pass(ms(160));
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotFree { free: 1, needed: 2 }));
}

#[test]
fn r33_following_a_leader_ends_the_row_of_lost_rounds_and_the_wait() {
    let mut a = Solo::new();
    let number = lose_campaigns(&mut a, 1, 4);
    a.follow("b", number);
    a.hear("b", number, PeerState::Promised, beat());
    a.hear_free("c", number);
    assert_eq!(a.offered(), Some(number + 1), "it waits no more: {:?}", a.blocker());
    a.commit().clear().pass(RANK_STEP * 2);
    assert!(lost(&a), "a first round is short");
}

#[test]
fn r34_an_offer_is_repeated_each_interval_and_not_to_whoever_accepted() {
    let mut a = Solo::candidate_of_five();
    let offers = |a: &Solo, to: &str| a.sent_to(to).filter(|f| matches!(f.body, Body::Offer { .. })).count();
    assert_eq!((offers(&a, "c"), offers(&a, "d")), (1, 1));
    a.commit();
    a.hear_accept("c", 1);
    a.hear("c", 1, PeerState::Promised, beat());
    a.hear_free("c", 1);
    assert_eq!(offers(&a, "c"), 1, "it has accepted");
    a.pass(just_before(INTERVAL));
    assert_eq!(offers(&a, "d"), 1);
    a.pass(Duration::from_nanos(1));
    assert_eq!(offers(&a, "d"), 2);
}

#[test]
fn r36_an_offer_says_the_new_state_by_itself() {
    let mut a = Solo::new();
    a.hear("c", 0, PeerState::Promised, beat());
    a.clear().stand();
    assert_eq!(a.sent_to("c").count(), 1, "one frame, not two");
    assert_eq!(a.last_to("c").header.state, stands(1));
}

#[test]
fn r36_what_waits_under_a_candidacy_that_is_over_does_not_leave() {
    let mut a = Solo::new();
    a.hear("c", 0, PeerState::Promised, beat());
    a.stand();
    a.commit().clear();
    let claim = a.frame("c", 1, leading(1), lead(D));
    a.now = a.now + INTERVAL; // its offer falls due in the step in which the leader is heard
    a.deliver("c", &claim);
    assert!(lost(&a));
    assert!(a.frames.iter().all(|(_, frame)| !matches!(frame.header.state, PeerState::Candidate(_))));
}

#[test]
fn r50_who_holds_no_vote_gets_a_heartbeat_in_place_of_an_offer() {
    let config =
        Config::builder(cluster(), id("a")).voters(["a", "b", "c"].map(id)).observers([id("o")]).seed(7);
    let mut a = Solo::with(config);
    a.hear("o", 0, PeerState::Promised, beat());
    a.clear().stand();
    assert_eq!(a.last_to("o").header.state, stands(1), "it is told");
    a.hear("o", 0, PeerState::Free, beat());
    a.pass(INTERVAL);
    assert!(a.sent_to("o").all(|frame| !matches!(frame.body, Body::Offer { .. })));
    assert_eq!(a.sent_to("o").count(), 2);
}

#[test]
fn r27_a_refusal_of_the_open_re_offer_is_told_and_of_no_other() {
    let mut a = Solo::new();
    a.lead();
    a.hear("c", 5, PeerState::Promised, beat());
    a.pass(INTERVAL);
    assert_eq!(a.offered(), Some(6));
    let refuse =
        |number| Body::Refuse { epoch: epoch(number), refusal: Refusal::Promised, detection_max: OPEN };
    assert_eq!(a.hear("c", 5, PeerState::Promised, refuse(7)), Some(Ignored::NoSuchOffer(epoch(7))));
    assert_eq!(a.hear("c", 5, PeerState::Promised, refuse(6)), None);
    assert!(a.saw(|event| matches!(event, Notice::OfferRefused { refusal: Refusal::Promised, .. })));
}

#[test]
fn r39_a_favour_and_a_head_start_end_when_somebody_leads() {
    let released = |target: &str| {
        let mut a = Solo::with(builder("a", &["a", "b", "c"]).priority(99));
        a.follow("b", 1);
        a.hear("c", 1, follows("b", 1), beat());
        if target == "a" {
            a.step(|elector, now| elector.set_health(elect_core::Health::Unfit, now));
        }
        a.hear("b", 1, PeerState::Free, Body::Release { epoch: epoch(1), target: id(target) });
        a.follow("c", 2);
        a.step(|elector, now| elector.set_health(elect_core::Health::Healthy, now));
        a.hear("c", 2, PeerState::Promised, beat());
        a.clear().hear_free("b", 2);
        a
    };
    let a = released("a");
    assert!(matches!(a.blocker(), Some(CampaignBlocker::Rank { rank: 1, .. })), "{:?}", a.blocker());
    let a = released("c");
    assert!(matches!(a.blocker(), Some(CampaignBlocker::Rank { rank: 1, .. })), "{:?}", a.blocker());
}
