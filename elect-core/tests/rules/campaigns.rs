//! R18–R20, R32–R34, R46: who campaigns, when, and how a campaign ends.

use std::collections::VecDeque;
use std::iter::repeat_n;
use std::time::Duration;

use elect_core::{
    BeyondLagLimit, Body, CampaignBlocker, CampaignLost, ConfigBuilder, Health, Heartbeat, Ignored, LagLimit,
    LinkState, Notice, PeerState, Position, Refusal,
};

use crate::harness::{Group, Seen, builder, ms};
use crate::solo::{
    D, ELECTION_TIMEOUT, OPEN, RANK_STEP, Solo, accept, at, beat, beat_at, epoch, follows, given, heartbeat,
    just_before, leading, stands,
};

#[test]
fn r18_a_voter_stands_when_a_quorum_is_connected_and_free() {
    let mut a = Solo::with(builder("a", &["a", "b", "c", "d", "e"]));
    a.hear("b", 0, PeerState::Promised, beat());
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotConnected { connected: 2, needed: 3 }));
    a.hear("c", 0, PeerState::Promised, beat());
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotFree { free: 1, needed: 3 }));
    a.hear_free("b", 0);
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotFree { free: 2, needed: 3 }));
    for state in [PeerState::Replaced, PeerState::Stopped(epoch(1)), stands(1), follows("d", 1)] {
        a.hear("c", 1, state, beat());
        assert_eq!(
            a.blocker(),
            Some(CampaignBlocker::NotFree { free: 2, needed: 3 }),
            "{state:?} is not free"
        );
    }
    a.hear_free("c", 1);
    assert!(a.saw(|notice| matches!(notice, Notice::CampaignStarted { rank: 0, .. })));
}

#[test]
fn r18_whoever_followed_a_leadership_that_is_over_counts_as_free() {
    let mut a = Solo::with(builder("a", &["a", "b", "c", "d", "e"]));
    a.hear("b", 3, follows("d", 3), beat());
    a.hear("c", 3, follows("d", 3), beat());
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotFree { free: 1, needed: 3 }));
    a.hear("d", 2, PeerState::Promised, beat());
    assert_eq!(a.blocker(), Some(CampaignBlocker::NotFree { free: 1, needed: 3 }), "only 2 is over");
    a.hear("d", 3, PeerState::Promised, beat());
    assert_eq!(a.blocker(), Some(CampaignBlocker::Campaigns), "without a word from b and c themselves");
}

#[test]
fn r18_a_member_that_may_not_lead_does_not_stand() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).never_leader(true));
    a.hear_free("b", 0);
    assert_eq!(a.blocker(), Some(CampaignBlocker::NeverLeader));
    assert_eq!(a.hear_offer("b", 1), None);
    a.commit();
    assert!(a.sent_to("b").any(|frame| frame.body == given(1)), "but it votes");
}

#[test]
fn r19_an_offer_is_above_every_epoch_heard_of() {
    let mut a = Solo::new();
    a.hear("c", 7, PeerState::Promised, beat());
    a.hear("c", 8, stands(9), beat());
    a.hear_free("b", 0);
    a.clear().pass(RANK_STEP);
    assert_eq!(a.offered(), Some(10));
    let frame = a.last_to("b");
    assert_eq!((frame.header.epoch, frame.header.state), (epoch(0), stands(10)));
    assert!(a.gate.is_some(), "the offer leaves while the own vote is being saved");
    a.commit();
    assert_eq!(a.disk.record.epoch, epoch(10));
}

#[test]
fn r20_an_accept_counts_only_for_the_open_offer() {
    let mut a = Solo::new();
    let number = a.stand();
    a.commit();
    assert_eq!(a.hear_accept("b", number + 1), Some(Ignored::NoSuchOffer(epoch(number + 1))));
    let mut frame = a.frame("b", number, PeerState::Promised, accept(number));
    let echo = frame.header.echo.take();
    assert_eq!(a.deliver("b", &frame), Some(Ignored::NotFresh));
    frame.header.nonce.sent = frame.header.nonce.sent + Duration::from_nanos(1);
    frame.header.echo = echo;
    frame.header.echo.as_mut().unwrap().sent = a.now - ms(1);
    assert_eq!(a.deliver("b", &frame), Some(Ignored::NoSuchOffer(epoch(number))), "before this round");
    assert!(!a.holds_lease());
    assert_eq!(a.hear_accept("b", number), None);
    assert!(a.holds_lease());
}

#[test]
fn r20_one_voter_that_accepts_twice_is_one() {
    let mut a = Solo::with(builder("a", &["a", "b", "c", "d", "e"]));
    for peer in ["b", "c"] {
        a.hear_free(peer, 0);
    }
    a.commit();
    for _ in 0..3 {
        assert_eq!(a.hear_accept("b", 1), None);
    }
    assert!(!a.holds_lease());
    assert_eq!(a.hear_accept("c", 1), None);
    assert!(a.holds_lease());
}

#[test]
fn r32_the_best_candidate_stands_at_once_and_others_by_their_rank() {
    let mut b = Solo::with(builder("b", &["a", "b", "c"]));
    b.hear_free("a", 0);
    let at_start = b.now;
    assert_eq!(b.blocker(), Some(CampaignBlocker::Rank { rank: 1, at: at_start + RANK_STEP }));
    b.pass(just_before(RANK_STEP));
    assert_eq!(b.offered(), None);
    b.pass(Duration::from_nanos(1));
    assert_eq!(b.offered(), Some(1), "it stands itself when nothing came of that");

    let mut b = Solo::with(builder("b", &["a", "b", "c"]));
    b.set_position(at(2, 1));
    b.hear("a", 0, PeerState::Free, beat_at(at(1, 900)));
    assert_eq!(b.offered(), Some(1), "a later epoch beats a longer fork, and any name");

    let mut b = Solo::with(builder("b", &["a", "b", "c"]).priority(101));
    b.hear_free("a", 0);
    assert_eq!(b.offered(), Some(1), "priority goes before the name");
    let mut b = Solo::with(builder("b", &["a", "b", "c"]).priority(101));
    b.hear("a", 0, PeerState::Free, beat_at(at(1, 1)));
    assert_eq!(b.offered(), None, "but behind data");
}

#[test]
fn r32_only_whoever_might_stand_is_ranked() {
    let unfit = [Heartbeat { eligible: false, ..heartbeat() }, Heartbeat { healthy: false, ..heartbeat() }];
    for heartbeat in unfit {
        let mut b = Solo::with(builder("b", &["a", "b", "c"]));
        b.hear("a", 0, PeerState::Free, Body::Heartbeat(heartbeat));
        assert_eq!(b.offered(), Some(1), "{heartbeat:?}");
    }
    let mut b = Solo::with(builder("b", &["a", "b", "c"]));
    b.hear("a", 0, PeerState::Replaced, beat_at(at(9, 9)));
    b.hear_free("c", 0);
    assert_eq!(b.offered(), Some(1), "a replaced disk does not stand");
}

#[test]
fn r32_whoever_stands_already_is_ahead() {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).priority(200));
    a.hear("b", 0, stands(1), beat());
    let at = a.now + RANK_STEP;
    a.hear_free("c", 0);
    assert_eq!(
        a.blocker(),
        Some(CampaignBlocker::Rank { rank: 1, at }),
        "two offers at a time split the votes"
    );
    a.pass(RANK_STEP);
    assert_eq!(a.offered(), Some(2), "it stands itself when nothing came of that");
}

#[test]
fn r32_whoever_may_soon_be_free_may_be_as_far() {
    for state in [follows("c", 0), PeerState::Promised] {
        let mut b = Solo::with(builder("b", &["a", "b", "c", "d", "e"]));
        b.set_position(at(1, 9));
        b.hear("a", 0, state, beat_at(at(1, 5)));
        b.hear_free("d", 0);
        b.hear_free("e", 0);
        let rank = CampaignBlocker::Rank { rank: 1, at: b.now + RANK_STEP };
        assert_eq!(b.blocker(), Some(rank), "{state:?}: what it told of its position is old");
        b.hear("a", 0, PeerState::Free, beat_at(at(1, 5)));
        assert_eq!(b.offered(), Some(1), "behind, as its news says");
    }
}

/// Five voters, so that nobody campaigns before a second one is free.
fn b_of_five() -> Solo {
    Solo::with(builder("b", &["a", "b", "c", "d", "e"]))
}

/// The position in the newest heartbeat to `peer`.
fn told_to(b: &Solo, peer: &str) -> Option<Position> {
    match &b.last_to(peer).body {
        Body::Heartbeat(heartbeat) => heartbeat.position,
        other => panic!("{other:?}"),
    }
}

/// Both survivors of a leader know what the other told, and not what it has synced since: whoever ranked itself by more
/// would split the votes.
#[test]
fn r32_a_node_is_ranked_by_the_position_that_it_told_everybody_last() {
    let mut b = b_of_five();
    b.set_position(at(1, 5)).pass(D / 3).clear();
    b.set_position(at(1, 9));
    b.hear("a", 0, PeerState::Free, beat_at(at(1, 6)));
    assert_eq!(told_to(&b, "a"), at(1, 5), "one alone is told no more than everybody was");
    b.hear("d", 0, PeerState::Free, beat_at(at(1, 5)));
    assert!(matches!(b.blocker(), Some(CampaignBlocker::Rank { rank: 1, .. })), "{:?}", b.blocker());
    let doubtful = follows("c", 1);
    b.hear("d", 0, doubtful, beat_at(at(1, 1)));
    b.hear("e", 0, PeerState::Free, beat_at(at(1, 5)));
    assert!(
        matches!(b.blocker(), Some(CampaignBlocker::Rank { rank: 1, .. })),
        "d counts as far as b told, not more"
    );
    b.pass(D / 3).tick();
    assert_eq!(b.offered(), Some(1), "its next broadcast tells it");
}

#[test]
fn r32_becoming_free_tells_the_position_of_that_step() {
    let mut b = b_of_five();
    b.set_position(at(1, 5)).follow("c", 1);
    b.hear("a", 1, PeerState::Free, beat_at(at(1, 7)));
    b.set_position(at(1, 9)).clear();
    b.hear("c", 1, PeerState::Free, beat_at(at(1, 2)));
    assert_eq!(b.offered(), Some(2), "the frame that says so tells 9: {:?}", b.blocker());

    let mut b = b_of_five();
    b.set_position(at(1, 5)).follow("c", 1);
    b.set_position(at(1, 9)).clear();
    b.hear("c", 1, PeerState::Free, beat_at(at(1, 2)));
    assert_eq!(told_to(&b, "a"), at(1, 9));
    b.set_position(at(1, 12));
    b.hear("a", 1, PeerState::Free, beat_at(at(1, 10)));
    assert!(matches!(b.blocker(), Some(CampaignBlocker::Rank { rank: 1, .. })), "from then on it is fixed");
}

#[test]
fn r32_a_first_position_ranks_at_once() {
    let mut b = b_of_five();
    b.set_position(at(1, 9)).set_position(at(1, 12));
    b.hear("a", 0, PeerState::Free, beat_at(at(1, 10)));
    assert_eq!(told_to(&b, "a"), at(1, 9), "not what came after it");
    b.hear("d", 0, PeerState::Free, beat_at(at(1, 5)));
    assert!(matches!(b.blocker(), Some(CampaignBlocker::Rank { rank: 1, .. })), "{:?}", b.blocker());
}

#[test]
fn r32_a_voter_bound_to_another_is_no_rival_of_one_that_followed() {
    let mut b = Solo::with(builder("b", &["a", "b", "c", "d", "e"]));
    b.follow("c", 1).hear("a", 1, PeerState::Promised, beat());
    b.hear("d", 1, PeerState::Free, beat());
    b.hear("e", 1, PeerState::Free, beat());
    b.clear().hear("c", 1, PeerState::Free, beat());
    assert_eq!(b.offered(), Some(2), "{:?}", b.blocker());
}

/// A rival that comes and goes, in its connection or its state, does not put a node off for ever.
#[test]
fn r32_a_rival_that_flaps_delays_no_longer_than_one_that_stays() {
    let flaps: [fn(&mut Solo, u64); 2] = [
        |c, round| {
            c.link("b", if round.is_multiple_of(2) { LinkState::Up } else { LinkState::Closed });
            if round.is_multiple_of(2) {
                c.hear_free("b", 0);
            }
        },
        |c, round| {
            let state = if round.is_multiple_of(2) { stands(round) } else { PeerState::Free };
            c.hear("b", round, state, beat_at(at(1, 5)));
        },
    ];
    for flap in flaps {
        let mut c = Solo::with(builder("c", &["a", "b", "c", "d", "e"]));
        c.set_position(at(1, 9));
        let begin = c.now;
        for round in 1..100 {
            for (peer, offset) in [("a", 9), ("d", 5), ("e", 5)] {
                c.hear(peer, 0, PeerState::Free, beat_at(at(1, offset)));
            }
            flap(&mut c, round);
            c.pass(RANK_STEP / 2);
            if c.offered().is_some() {
                break;
            }
        }
        assert!(c.now.since(begin) <= RANK_STEP * 3, "{:?}: {:?}", c.now.since(begin), c.blocker());
    }
}

#[test]
fn r32_those_behind_a_better_one_that_disappears_stay_apart() {
    let ranks = |own: &str| {
        let mut node = Solo::with(builder(own, &["a", "b", "c", "d", "e"]));
        let behind = if own == "b" { "c" } else { "b" };
        for peer in ["a", behind, "d", "e"] {
            node.hear_free(peer, 0);
        }
        node.pass(just_before(RANK_STEP));
        node.link("a", LinkState::Closed);
        node
    };
    let b = ranks("b");
    assert_eq!(b.offered(), Some(1), "the second is the first now");
    let mut c = ranks("c");
    let at = c.now + RANK_STEP;
    assert_eq!(
        c.blocker(),
        Some(CampaignBlocker::Rank { rank: 1, at }),
        "the third does not stand at the same moment"
    );
    c.pass(RANK_STEP);
    assert_eq!(c.offered(), Some(1));
}

/// `a` answers each of the heartbeats of `b` after a millisecond.
fn with_a_fast_rival(builder: ConfigBuilder) -> Solo {
    let mut b = Solo::with(builder);
    for _ in 0..60 {
        b.now = b.now.max(b.elector.deadline());
        b.tick().pass(ms(1)).hear("a", 0, PeerState::Promised, beat());
    }
    b
}

fn delay_behind_a(b: &mut Solo) -> Duration {
    b.hear_free("a", 0);
    match b.blocker() {
        Some(CampaignBlocker::Rank { rank: 1, at }) => at.since(b.now),
        other => panic!("{other:?}"),
    }
}

/// `a` answers each heartbeat of `b`, and is so far away.
fn with_a_distant_rival(builder: ConfigBuilder, away: Duration) -> Solo {
    let mut b = Solo::with(builder);
    let mut under_way = VecDeque::new();
    // At last it is free.
    for state in repeat_n(PeerState::Promised, 200).chain(repeat_n(PeerState::Free, 40)) {
        b.pass(ms(20));
        let mut answer = b.frame("a", 0, state, beat());
        answer.header.nonce.sent = answer.header.nonce.sent + Duration::from_nanos(1);
        under_way.push_back((b.now + away, answer));
        while let Some((_, answer)) = under_way.pop_front_if(|(due, _)| *due <= b.now) {
            b.deliver("a", &answer);
            if answer.header.state == PeerState::Free {
                return b;
            }
        }
    }
    panic!("it is never free");
}

fn delay_behind_a_distant_rival(builder: ConfigBuilder, away: Duration) -> Duration {
    let b = with_a_distant_rival(builder, away);
    match b.blocker() {
        Some(CampaignBlocker::Rank { rank: 1, at }) => at.since(b.now),
        other => panic!("{other:?}"),
    }
}

#[test]
fn r32_a_step_is_as_fine_as_the_clock_at_least_and_as_long_as_detection_at_most() {
    let three = || builder("b", &["a", "b", "c"]);
    let coarse = three().clock_granularity(ms(10));
    assert_eq!(delay_behind_a(&mut with_a_fast_rival(coarse)), ms(10));
    let delay = delay_behind_a_distant_rival(three(), ms(100));
    assert!(delay > ms(160) && delay < ms(300), "{delay:?}");
    assert_eq!(delay_behind_a_distant_rival(three(), ms(400)), D);
    // Where the configured step is longer than that, it stays.
    let slow = || three().round_trip(ms(350));
    let step = delay_behind_a(&mut Solo::with(slow()));
    assert!(step > D, "{step:?}");
    assert_eq!(delay_behind_a_distant_rival(slow(), ms(400)), step);
}

#[test]
fn r32_a_step_follows_the_measured_round_trip() {
    let three = || builder("b", &["a", "b", "c"]);
    assert_eq!(delay_behind_a(&mut Solo::with(three())), RANK_STEP, "nothing is known yet");
    let delay = delay_behind_a(&mut with_a_fast_rival(three()));
    assert!(delay >= ms(2) && delay < ms(4), "{delay:?}");
    assert_eq!(delay_behind_a(&mut with_a_fast_rival(three().rank_step(ms(50)))), ms(50), "set by hand");
}

/// A member that is configured for 20 ms finds round trips of 200.
#[test]
fn r32_a_round_trip_that_is_longer_than_configured_is_told_and_lengthens_steps() {
    let mut group = Group::voters(&["a", "b", "c"]);
    group.start_all();
    group.run(ms(500));
    group.delay = ms(100);
    group.run(ms(2_000));
    let slow = group.elector("b").explain(group.now).slow.expect("it is slow");
    assert!(slow.measured > ms(120) && slow.measured <= ms(260), "{slow:?}");
    assert_eq!(slow.configured, ms(20));
    let text = group.elector("b").explain(group.now).to_string();
    assert!(text.contains("a round trip to") && text.contains("20 ms are configured"), "{text}");
    let told = group
        .count("b", |seen| matches!(seen, Seen::Other(text) if text.starts_with("SlowerThanConfigured(SlowRoundTrip { peer: a")));
    assert_eq!(told, 1, "once");
    group.kill("a").run(ms(1_500));
    assert!(
        group.leader().is_some() && group.leaders.contains_key(&epoch(2)),
        "no round is lost: {:?}",
        group.leaders
    );
    group.delay = ms(1);
    group.run(ms(5_000));
    assert_eq!(group.elector("b").explain(group.now).slow, None, "it is over");
}

#[test]
fn r33_a_campaign_without_a_quorum_is_given_up_and_followed_by_a_wait_at_random() {
    let mut waits = Vec::new();
    for seed in 0..20 {
        let mut a = Solo::with(builder("a", &["a", "b", "c"]).seed(seed));
        a.stand();
        a.commit().pass(just_before(RANK_STEP * 2));
        assert_eq!(a.blocker(), Some(CampaignBlocker::Campaigns));
        a.pass(Duration::from_nanos(1));
        let wait = a.notices.iter().find_map(|notice| match notice {
            Notice::CampaignLost { reason: CampaignLost::NoQuorum { wait }, .. } => Some(*wait),
            _ => None,
        });
        let wait = wait.expect("the round is lost");
        assert!(wait <= RANK_STEP * 2);
        assert_eq!(a.last_to("b").header.state, PeerState::Free, "whoever accepted is freed");
        assert_eq!(a.last_to("b").header.epoch, epoch(1));
        a.hear_free("b", 1);
        if !wait.is_zero() {
            assert_eq!(a.blocker(), Some(CampaignBlocker::Waits(a.now + wait)));
            a.clear().pass(just_before(wait));
            assert_eq!(a.offered(), None);
        }
        waits.push(wait);
    }
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 15, "one draw per seed: {waits:?}");
}

/// Three voters, nobody dead, the others lag behind and wait longer. The host of the best wavers faster than a
/// campaign.
#[test]
fn r33_a_host_that_wavers_does_not_stand_without_a_wait() {
    let names = ["a", "b", "c"];
    let limit = LagLimit { offset: 10, beyond: BeyondLagLimit::Delays };
    let mut group = Group::with(names.map(|name| builder(name, &names).lag_limit(limit)));
    (group.delay, group.save) = (ms(8), ms(10));
    for (name, offset) in [("a", 100), ("b", 50), ("c", 50)] {
        group.set_tail_before_start(name, at(0, offset));
    }
    group.start_all();
    let begin = group.now;
    let mut healths = [Health::Unfit, Health::Healthy].into_iter().cycle();
    while group.leader().is_none() && group.now.since(begin) < ELECTION_TIMEOUT * 4 {
        group.run(ms(15));
        let health = healths.next().unwrap();
        group.input("a", |elector, now| elector.set_health(health, now));
    }
    assert!(group.leader().is_some(), "after {:?}", group.now.since(begin));
}

#[test]
fn r33_after_a_lost_campaign_only_whoever_echoed_it_is_connected() {
    let mut a = Solo::new();
    let before = a.frame("b", 0, PeerState::Free, beat());
    let early = before.header.echo;
    a.pass(ms(1)).stand();
    a.commit().pass(RANK_STEP * 2 * 5);
    assert!(
        matches!(a.blocker(), Some(CampaignBlocker::NotConnected { connected: 1, .. })),
        "cut off, it adds no epochs"
    );
    let mut frame = a.frame("b", 1, PeerState::Free, beat());
    frame.header.echo = early;
    a.deliver("b", &frame);
    assert!(
        matches!(a.blocker(), Some(CampaignBlocker::NotConnected { connected: 1, .. })),
        "an echo from before the round"
    );
    assert_eq!(a.disk.record.epoch, epoch(1), "one epoch at most");
    a.clear().hear_free("b", 1);
    assert_eq!(a.offered(), Some(2));
}

fn refuse(refusal: Refusal) -> Body {
    Body::Refuse { epoch: epoch(1), refusal, detection_max: OPEN }
}

fn is_lost(a: &Solo) -> bool {
    a.saw(|event| matches!(event, Notice::CampaignLost { reason: CampaignLost::NoQuorum { .. }, .. }))
}

#[test]
fn r33_a_campaign_that_nobody_can_win_is_over_with_the_refusal_that_says_so() {
    for (state, refusal) in [
        (PeerState::Promised, Refusal::VoteSpent),
        (PeerState::Free, Refusal::EpochTooLow),
        (stands(1), Refusal::OwnOffice),
        (leading(3), Refusal::OwnOffice),
    ] {
        let mut a = Solo::new();
        a.stand();
        let begin = a.now;
        a.hear("b", 3, state, refuse(refusal));
        assert!(is_lost(&a), "{refusal:?}: nobody else is connected");
        let Some(CampaignBlocker::Saving(_)) = a.blocker() else { panic!("{:?}", a.blocker()) };
        a.commit();
        assert!(
            matches!(a.blocker(), Some(CampaignBlocker::Waits(_) | CampaignBlocker::NotFree { .. })),
            "a lost campaign"
        );
        assert_eq!(a.now, begin);
    }
}

#[test]
fn r33_a_campaign_goes_on_while_a_quorum_may_come_of_it() {
    for (state, refusal) in [
        (PeerState::Promised, Refusal::Promised),
        (PeerState::Promised, Refusal::Paused),
        (leading(0), Refusal::OwnOffice),
    ] {
        let mut a = Solo::new();
        a.stand();
        a.hear("b", 0, state, refuse(refusal));
        assert!(!is_lost(&a), "{refusal:?} may end");
    }
    let mut a = Solo::with(builder("a", &["a", "b", "c", "d", "e"]));
    for peer in ["b", "c", "d"] {
        a.hear_free(peer, 0);
    }
    a.commit().hear_accept("b", 1);
    for _ in 0..3 {
        a.hear("c", 1, PeerState::Promised, refuse(Refusal::VoteSpent));
    }
    assert!(!is_lost(&a), "one voter refuses once, and d may accept");
    a.hear("d", 1, PeerState::Promised, refuse(Refusal::VoteSpent));
    assert!(is_lost(&a), "e is not connected");
}

/// Nobody hears it: its host wavers, and it goes on counting as connected those who echoed what it said before.
#[test]
fn r33_a_campaign_that_is_withdrawn_by_an_isolated_node_is_its_last() {
    let mut a = Solo::new();
    a.stand();
    a.commit();
    for _ in 0..20 {
        a.step(|elector, now| elector.set_health(Health::Unfit, now)).pass(ms(10));
        a.step(|elector, now| elector.set_health(Health::Healthy, now)).pass(ms(10));
        if a.gate.is_some() {
            a.commit();
        }
    }
    assert_eq!(a.disk.record.epoch, epoch(1), "L4: {:?}", a.blocker());
}

#[test]
fn r34_an_offer_is_repeated_to_a_voter_that_becomes_free() {
    let mut a = Solo::new();
    a.hear("c", 0, PeerState::Promised, beat());
    a.stand();
    a.commit().pass(ms(10)).clear();
    let refusal = Body::Refuse { epoch: epoch(1), refusal: Refusal::Promised, detection_max: OPEN };
    assert_eq!(a.hear("c", 0, PeerState::Promised, refusal.clone()), None);
    assert!(a.saw(|notice| matches!(notice, Notice::OfferRefused { refusal: Refusal::Promised, .. })));
    assert_eq!(a.offered(), None);
    a.hear_free("c", 0);
    assert_eq!((a.sent_to("c").count(), a.offered()), (1, Some(1)), "at once, not at the next heartbeat");
    a.clear().hear_free("c", 0);
    assert_eq!(a.offered(), None, "once per change");
    assert_eq!(
        a.hear(
            "c",
            0,
            PeerState::Free,
            Body::Refuse { epoch: epoch(9), refusal: Refusal::Promised, detection_max: OPEN }
        ),
        Some(Ignored::NoSuchOffer(epoch(9)))
    );
}

fn with_lag_limit(beyond: BeyondLagLimit) -> Solo {
    let mut a = Solo::with(builder("a", &["a", "b", "c"]).lag_limit(LagLimit { offset: 10, beyond }));
    a.set_position(at(1, 100));
    a
}

#[test]
fn r46_a_lag_beyond_the_limit_bars_only_where_the_operator_chose_so() {
    let mut a = with_lag_limit(BeyondLagLimit::Bars);
    a.hear("b", 0, PeerState::Free, beat_at(at(1, 111)));
    assert_eq!(a.blocker(), Some(CampaignBlocker::Lags { own: at(1, 100), best: at(1, 111) }));
    let mut a = with_lag_limit(BeyondLagLimit::Bars);
    a.hear("b", 0, PeerState::Free, beat_at(at(2, 1)));
    assert!(
        matches!(a.blocker(), Some(CampaignBlocker::Lags { .. })),
        "entries of another epoch exceed any limit"
    );
    let mut a = with_lag_limit(BeyondLagLimit::Bars);
    a.hear("b", 0, PeerState::Free, beat_at(at(1, 110)));
    assert!(
        matches!(a.blocker(), Some(CampaignBlocker::Rank { rank: 1, .. })),
        "within the limit it only ranks"
    );

    let mut a = with_lag_limit(BeyondLagLimit::Delays);
    a.hear("b", 0, PeerState::Free, beat_at(at(1, 111)));
    let delayed = a.now + RANK_STEP + ELECTION_TIMEOUT;
    assert_eq!(
        a.blocker(),
        Some(CampaignBlocker::Rank { rank: 1, at: delayed }),
        "availability first: it only waits"
    );
    let mut a = with_lag_limit(BeyondLagLimit::Delays);
    let mut unconnected = a.frame("c", 0, PeerState::Free, beat_at(at(1, 999)));
    unconnected.header.echo = None;
    a.deliver("c", &unconnected);
    a.hear("b", 0, PeerState::Free, beat_at(at(1, 100)));
    assert_eq!(a.offered(), Some(1), "it is measured against connected voters");
}
