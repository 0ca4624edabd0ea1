//! R1–R7, R47, R50: what a frame goes through before it counts.

use std::time::Duration;

use elect_core::{
    Body, CampaignBlocker, Digest, Duty, Elector, Ignored, Incarnation, LeaderLost, MemberKind, Nonce,
    Notice, PeerState, Position, Record, Refusal, StepDown, Stopped, Time,
};

use crate::harness::{builder, id, ms};
use crate::solo::{
    D, INTERVAL, OPEN, Solo, accept, at, beat, epoch, follows, given, just_before, lead, leading, offer,
    stands,
};

#[test]
fn r01_only_members_of_this_very_group_count() {
    let mut a = Solo::new();
    let frame = a.frame("b", 0, PeerState::Free, beat());
    assert_eq!(a.deliver("x", &frame), Some(Ignored::Stranger));
    assert_eq!(a.deliver("a", &frame), Some(Ignored::OwnName));
    let mut foreign = frame.clone();
    foreign.header.members = Digest::from_bits(frame.header.members.to_bits() ^ 1);
    assert_eq!(a.deliver("b", &foreign), Some(Ignored::OtherGroup));
    foreign.header = elect_core::Header { group: 1, ..frame.header };
    assert_eq!(a.deliver("b", &foreign), Some(Ignored::OtherGroup));
    assert!(matches!(a.blocker(), Some(CampaignBlocker::NotConnected { connected: 1, .. })));
    assert_eq!(a.deliver("b", &frame), None);
    assert_eq!(
        a.blocker(),
        Some(CampaignBlocker::Campaigns),
        "the same frame from its own sender makes a quorum"
    );
}

#[test]
fn r01_strangers_elect_nobody() {
    let mut a = Solo::new();
    let number = a.stand();
    a.commit();
    for stranger in ["x", "y"] {
        let frame = a.frame(stranger, number, PeerState::Promised, accept(number));
        assert_eq!(a.deliver(stranger, &frame), Some(Ignored::Stranger));
    }
    assert!(!a.holds_lease());
}

#[test]
fn r02_a_lower_or_cloned_incarnation_is_refused_and_told() {
    let mut a = Solo::new();
    let known = Incarnation { counter: 5, random: 9 };
    a.lives.insert(id("b"), known);
    assert_eq!(a.hear_free("b", 0), None);
    for rejected in [Incarnation { counter: 4, random: 9 }, Incarnation { counter: 5, random: 8 }] {
        a.pass(ms(30)).clear();
        a.lives.insert(id("b"), rejected);
        assert_eq!(a.hear_free("b", 0), Some(Ignored::DeadIncarnation(rejected)));
        assert_eq!(a.last_to("b").body, Body::Reject { rejected, known });
    }
    a.lives.insert(id("b"), Incarnation { counter: 6, random: 1 });
    assert_eq!(a.hear_free("b", 0), None, "a higher counter is a restart");
}

#[test]
fn r02_a_node_that_is_told_of_another_life_of_its_own_stops() {
    let mut a = Solo::new();
    a.lead();
    let own = a.disk.record.incarnation;
    let reject =
        |rejected, counter| Body::Reject { rejected, known: Incarnation { counter, random: own.random ^ 1 } };
    let other = Incarnation { counter: own.counter + 3, ..own };
    let about_other = a.hear("b", 1, follows("a", 1), reject(other, 9));
    assert_eq!(about_other, Some(Ignored::DeadIncarnation(other)));
    assert!(a.holds_lease());
    assert_eq!(a.hear("b", 1, follows("a", 1), reject(own, own.counter)), None);
    assert_eq!(a.losses[0].reason, StepDown::Cloned);
    let other = Incarnation { counter: own.counter, random: own.random ^ 1 };
    let cloned = Stopped::Cloned { peer: id("b"), known: other, own };
    assert!(a.must(|duty| matches!(duty, Duty::Stopped { reason } if *reason == cloned)), "{:?}", a.duties);
    assert!(matches!(a.last_to("b").header.state, PeerState::Stopped(_)));
    assert_eq!(a.hear_free("b", 1), Some(Ignored::Stopped));
}

#[test]
fn r03_an_epoch_merely_heard_of_counts_as_at_most_so_far_above() {
    let mut a = Solo::new();
    a.hear("c", u64::MAX, PeerState::Promised, beat());
    a.stand();
    assert_eq!(a.offered(), Some((1 << 20) + 1));
    let mut a = Solo::new();
    a.hear("c", 1 << 20, PeerState::Promised, beat());
    a.stand();
    assert_eq!(a.offered(), Some((1 << 20) + 1), "an honest one counts in full");
}

#[test]
fn r03_a_broken_epoch_ends_nobody() {
    let mut a = Solo::new();
    let reason = a.hear("b", u64::MAX, PeerState::Promised, beat());
    assert_eq!(reason, Some(Ignored::EpochTooFar(epoch(u64::MAX))));
    assert_eq!(a.hear_offer("b", 1), None);
    a.commit();
    assert!(a.sent_to("b").any(|frame| frame.body == given(1)), "one broken frame, and b could never lead");
}

#[test]
fn r04_an_older_frame_changes_nothing_but_maxima() {
    let mut a = Solo::new();
    let older = a.frame("b", 9, stands(10), beat());
    assert_eq!(a.hear("b", 0, PeerState::Promised, beat()), None);
    assert_eq!(a.deliver("b", &older), Some(Ignored::Older));
    let free = a.frame("b", 0, PeerState::Free, beat());
    assert_eq!(a.hear("b", 0, PeerState::Promised, beat()), None);
    assert_eq!(a.deliver("b", &free), Some(Ignored::Older));
    assert_eq!(
        a.blocker(),
        Some(CampaignBlocker::NotFree { free: 1, needed: 2 }),
        "it said free before it was bound"
    );
    a.hear_free("c", 0);
    assert_eq!(a.offered(), Some(11), "the epoch that the old frame claimed was heard of");
}

#[test]
fn r05_a_promise_and_following_end_with_what_is_over() {
    let mut a = Solo::new();
    a.follow("b", 3);
    assert_eq!(a.hear("b", 3, leading(3), lead(D)), None);
    assert!(a.leader().is_some(), "leading 3 says that all up to 2 is over");
    assert_eq!(a.hear("b", 3, PeerState::Free, beat()), None);
    assert_eq!((a.leader(), a.promised_to()), (None, None));
    assert!(a.saw(|notice| matches!(notice, Notice::LeaderLost { reason: LeaderLost::Ended, .. })));

    let mut a = Solo::new();
    a.give_word("c", 4);
    assert_eq!(a.hear("c", 4, stands(4), beat()), None);
    assert!(a.promised_to().is_some(), "a candidate of 4 may still lead 4");
    assert_eq!(a.hear("c", 4, stands(5), beat()), None);
    assert_eq!(a.promised_to(), None, "a candidate of 5 has given 4 up");
}

#[test]
fn r05_a_state_above_the_durable_epoch_ends_no_more_than_that() {
    let mut a = Solo::new();
    a.follow("b", 3);
    assert_eq!(a.hear("b", 2, stands(9), beat()), None);
    assert!(a.promised_to().is_some(), "its vote for 9 is not durable: after a crash it may act in 3 again");
}

#[test]
fn r05_a_claim_of_an_epoch_that_is_over_is_ignored() {
    let mut a = Solo::new();
    assert_eq!(a.hear("b", 3, PeerState::Promised, beat()), None);
    assert_eq!(a.hear_leader("b", 3), Some(Ignored::Ended(epoch(3))));
    assert_eq!(
        a.hear("b", 3, leading(4), lead(D)),
        Some(Ignored::Ended(epoch(4))),
        "above its durable epoch"
    );
    assert_eq!(a.hear_leader("b", 4), None);
    a.commit();
    assert_eq!(a.leader(), Some((id("b"), epoch(4))));
}

#[test]
fn r05_an_offer_of_an_epoch_that_is_over_is_ignored() {
    let mut a = Solo::new();
    a.hear("b", 5, PeerState::Promised, beat());
    assert_eq!(a.hear("b", 5, stands(5), offer(5)), Some(Ignored::Ended(epoch(5))));
    assert!(a.gate.is_none(), "no vote is spent on it");
    assert_eq!(a.hear("b", 5, stands(6), offer(6)), None);
    assert!(a.gate.is_some());
}

#[test]
fn r05_a_later_life_ends_promises_to_an_earlier_one() {
    let mut a = Solo::new();
    a.give_word("b", 4);
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 5 });
    a.hear("b", 3, PeerState::Promised, beat());
    assert_eq!(a.promised_to(), None, "its vote for itself was not durable, and nobody leads 4");
    let mut a = Solo::new();
    a.give_word("b", 4);
    let mut a = a.restarted();
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 5 });
    a.hear("b", 3, PeerState::Promised, beat());
    assert!(a.promised_to().is_some(), "the promise of a restart may have been given to that very life");
}

#[test]
fn r05_a_claim_of_the_epoch_led_here_is_ignored() {
    let mut a = Solo::new();
    a.lead();
    assert_eq!(a.hear_leader("c", 1), Some(Ignored::Ended(epoch(1))));
    assert!(a.holds_lease());
}

#[test]
fn r06_a_claim_and_an_offer_count_only_with_a_recent_echo() {
    let claims = [(leading(3), lead(D)), (stands(3), offer(3))];
    for (state, body) in claims {
        let mut a = Solo::new();
        let frame = a.frame("b", 3, state, body.clone());
        let mut without = frame.clone();
        without.header.echo = None;
        a.clear();
        assert_eq!(a.deliver("b", &without), Some(Ignored::NotFresh));
        assert_eq!(a.sent_to("b").count(), 1, "it makes this node answer, so that the next one can count");
        let mut foreign = frame.clone();
        let echo = foreign.header.echo.as_mut().unwrap();
        echo.incarnation.random ^= 1;
        foreign.header.nonce.sent = a.now + Duration::from_nanos(7);
        assert_eq!(a.deliver("b", &foreign), Some(Ignored::NotFresh), "a nonce of another life");
        assert!(a.gate.is_none());
    }
}

#[test]
fn r06_an_echo_is_recent_for_one_detection_time() {
    for (age, reason) in [(D, None), (D + Duration::from_nanos(1), Some(Ignored::NotFresh))] {
        let mut a = Solo::new();
        let echo = a.last_to("b").header.nonce;
        let left = echo.sent;
        a.now = left + age;
        let mut frame = a.frame("b", 3, leading(3), lead(D));
        frame.header.echo = Some(echo);
        assert_eq!(a.deliver("b", &frame), reason, "{age:?}");
    }
}

#[test]
fn r06_an_echo_is_recent_for_the_detection_time_that_the_claim_carries() {
    for (state, body) in [
        (leading(3), lead as fn(Duration) -> Body),
        (stands(3), |detection| Body::Offer { epoch: epoch(3), detection, detection_max: OPEN }),
    ] {
        for (detection, reason) in [(ms(200), Some(Ignored::NotFresh)), (ms(400), None)] {
            let mut a = Solo::new();
            let echo = a.last_to("b").header.nonce;
            a.hear("b", 2, PeerState::Promised, beat());
            a.pass(echo.sent.since(a.now) + ms(300));
            let mut frame = a.frame("b", 2.max(u64::from(state == leading(3)) * 3), state, body(detection));
            frame.header.echo = Some(echo);
            a.clear();
            assert_eq!(a.deliver("b", &frame), reason, "{detection:?}");
            if reason.is_some() {
                assert_eq!(a.sent_to("b").count(), 1, "it is answered, although its sender is connected");
                frame.header.nonce.sent = a.now + ms(1);
                a.deliver("b", &frame);
                assert_eq!(a.sent_to("b").count(), 1, "R35: at most once per half heartbeat interval");
            }
        }
    }
}

#[test]
fn r07_one_frame_raises_the_durable_epoch_by_so_much() {
    let too_far = (1 << 32) + 1;
    for number in [too_far, u64::MAX] {
        let mut a = Solo::new();
        assert_eq!(a.hear_leader("b", number), Some(Ignored::EpochTooFar(epoch(number))));
        let offered = a.hear("c", 0, stands(number), offer(number));
        assert_eq!(offered, Some(Ignored::EpochTooFar(epoch(number))));
        assert!(a.gate.is_none());
    }
    let mut a = Solo::new();
    assert_eq!(a.hear_leader("b", 1 << 32), None);
    a.commit();
    assert_eq!(a.disk.record.epoch, epoch(1 << 32));
}

#[test]
fn r47_a_detection_time_above_the_own_maximum_is_ignored() {
    for wrong in [Duration::ZERO, D + Duration::from_micros(1), Duration::MAX] {
        let mut a = Solo::new();
        let body = Body::Offer { epoch: epoch(3), detection: wrong, detection_max: OPEN };
        let reason = wrong.is_zero().then_some(Ignored::Detection(wrong));
        assert_eq!(a.hear("b", 2, stands(3), body), reason, "R65: one that is too long is refused");
        a.hear_free("c", 0);
        a.pass(INTERVAL).clear();
        assert_eq!(a.hear("c", 3, leading(3), lead(wrong)), Some(Ignored::Detection(wrong)));
        assert_eq!(a.sent_to("c").count(), 1, "it is answered, although its sender is connected");
        assert!(a.gate.is_none());
    }
    let mut a = Solo::new();
    assert_eq!(a.hear("c", 3, leading(3), lead(just_before(D))), None);
    assert!(a.gate.is_some());
}

fn with_witness_and_observer() -> Solo {
    Solo::with(builder("a", &["a", "b"]).witnesses([id("w")]).observers([id("o")]))
}

#[test]
fn r50_witnesses_and_observers_never_claim_and_observers_never_vote() {
    for member in ["w", "o"] {
        let mut a = with_witness_and_observer();
        assert_eq!(a.hear_leader(member, 3), Some(Ignored::NotItsPlace));
        assert_eq!(a.hear_offer(member, 4), Some(Ignored::NotItsPlace));
        let release = Body::Release { epoch: epoch(4), target: id("b") };
        assert_eq!(a.hear(member, 4, PeerState::Promised, release), Some(Ignored::NotItsPlace));
        assert!(a.gate.is_none());
    }
    let mut a = with_witness_and_observer();
    a.hear_free("o", 0);
    assert_eq!(
        a.blocker(),
        Some(CampaignBlocker::NotConnected { connected: 1, needed: 2 }),
        "an observer is no quorum"
    );
    a.hear_free("w", 0);
    a.commit();
    assert_eq!(a.hear_accept("o", 1), Some(Ignored::NotItsPlace));
    assert!(!a.holds_lease());
    assert_eq!(a.hear_accept("w", 1), None);
    assert!(a.holds_lease(), "a witness votes");
}

#[test]
fn r50_witnesses_and_observers_do_not_stand_and_observers_refuse_to_vote() {
    let members = |node: &str| {
        Solo::with(
            elect_core::Config::builder(crate::harness::cluster(), id(node))
                .voters([id("a"), id("b"), id("c")])
                .witnesses([id("v"), id("w")])
                .observers([id("o")]),
        )
    };
    for (node, kind) in [("w", MemberKind::Witness), ("o", MemberKind::Observer)] {
        let mut node = members(node);
        for voter in ["a", "b", "c", "v"] {
            node.hear_free(voter, 0);
        }
        assert_eq!(node.blocker(), Some(CampaignBlocker::NotAVoter), "{kind:?}");
        let offered = node.hear_offer("a", 1);
        assert_eq!(offered, (kind == MemberKind::Observer).then_some(Ignored::NotItsPlace));
    }
}

#[test]
fn r50_a_witness_sends_no_position_and_counts_with_none() {
    let mut witness = Solo::with(
        elect_core::Config::builder(crate::harness::cluster(), id("w"))
            .voters([id("a"), id("b")])
            .witnesses([id("w")]),
    );
    witness.set_position(at(1, 9));
    witness.give_word("a", 2);
    let position = |body: &Body| match body {
        Body::Accept { position, .. } => Some(*position),
        Body::Heartbeat(heartbeat) => Some(heartbeat.position),
        _ => None,
    };
    assert!(witness.frames.iter().filter_map(|(_, frame)| position(&frame.body)).all(|p| p.is_none()));
    assert!(witness.sent_to("a").any(|frame| matches!(frame.body, Body::Accept { .. })));

    // A position that a witness names nevertheless is nobody's to catch up from.
    let mut a = with_witness_and_observer();
    a.hear_free("w", 0);
    a.commit();
    let body = Body::Accept {
        epoch: epoch(1),
        detection: OPEN,
        position: Some(Position::new(epoch(0), 7)),
        pause: None,
        genesis_epoch: epoch(0),
    };
    assert_eq!(a.hear("w", 1, PeerState::Promised, body), None);
    assert_eq!(a.take_elected().catch_up_from(), None);
}

#[test]
fn r48_nonces_increase_and_never_repeat_across_lives() {
    let mut a = Solo::new();
    a.hear_free("b", 0);
    a.commit();
    a.hear_accept("b", 1);
    a.hear_acknowledgement("b", 1);
    a.pass(ms(200));
    let nonces: Vec<Nonce> = a.sent_to("b").map(|frame| frame.header.nonce).collect();
    assert!(nonces.len() > 4);
    assert!(nonces.windows(2).all(|pair| pair[0].sent <= pair[1].sent));
    let life = nonces[0].incarnation;
    assert!(nonces.iter().all(|nonce| nonce.incarnation == life));
    let a = a.restarted();
    let next = a.last_to("b").header.nonce.incarnation;
    assert_eq!(next.counter, life.counter + 1);
}

#[test]
fn r48_inputs_of_one_moment_have_nonces_of_their_own() {
    let mut a = Solo::new();
    a.clear();
    a.hear("b", 0, PeerState::Promised, beat());
    let first = a.last_to("b").header.nonce.sent;
    a.link("b", elect_core::LinkState::Up);
    let second = a.last_to("b").header.nonce.sent;
    assert!(second > first, "one reading of the clock, two inputs: {first:?}, {second:?}");
}

#[test]
fn r48_nothing_leaves_before_the_incarnation_is_saved() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let mut record = Record::first_boot(&config);
    record.incarnation = Incarnation { counter: 7, random: 1 };
    let mut a = Solo::starting(config, record);
    a.tick();
    assert_eq!(a.hear_free("b", 0), Some(Ignored::Starting));
    a.link("b", elect_core::LinkState::Up);
    a.step(|elector, now| elector.set_health(elect_core::Health::Unfit, now));
    let _ = a.request(Elector::resume);
    a.pass(ms(10_000));
    assert_eq!(a.blocker(), Some(CampaignBlocker::Starting));
    assert!(a.frames.is_empty());
    a.commit();
    assert_eq!(a.disk.record.incarnation.counter, 8);
    assert!(a.frames.iter().all(|(_, frame)| frame.header.nonce.incarnation == a.disk.record.incarnation));
    assert!(!a.frames.is_empty());
}

#[test]
fn r51_a_record_of_another_node_cluster_or_list_is_refused() {
    use elect_core::{ClusterId, Config, StartRefused};
    let start = |config: &Config, record| Elector::new(config.clone(), record, Time::ZERO).map(|_| ());
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let own = Record::first_boot(&config);
    assert_eq!(start(&config, own), Ok(()));
    let other_node = Record::first_boot(&builder("b", &["a", "b", "c"]).build().unwrap());
    assert!(matches!(start(&config, other_node), Err(StartRefused::OtherNode { .. })));
    let five = Record::first_boot(&builder("a", &["a", "b", "c", "d", "e"]).build().unwrap());
    assert!(matches!(start(&config, five), Err(StartRefused::OtherMembers { .. })));
    let elsewhere = Config::builder(ClusterId::new("other").unwrap(), id("a")).voters([id("a")]);
    let elsewhere = Record::first_boot(&elsewhere.build().unwrap());
    assert!(matches!(start(&config, elsewhere), Err(StartRefused::OtherCluster { .. })));
}

#[test]
fn r09_a_refusal_carries_reason_and_epoch() {
    let mut a = Solo::new();
    a.give_word("c", 4).pass(ms(506)).clear();
    assert_eq!(a.hear_offer("b", 3), None);
    let refused = a.sent_to("b").find(|frame| matches!(frame.body, Body::Refuse { .. })).unwrap();
    assert_eq!(
        refused.body,
        Body::Refuse { epoch: epoch(3), refusal: Refusal::EpochTooLow, detection_max: D }
    );
    assert_eq!(refused.header.epoch, epoch(4));
}
