//! R8–R16: what a voter's promise binds it to, and until when.

use std::time::Duration;

use elect_core::{
    Body, CampaignBlocker, CampaignLost, Holder, Ignored, Incarnation, LeaderLost, LinkState, Notice,
    PeerState, PromiseKind, Record, Refusal,
};

use crate::harness::{builder, id, ms};
use crate::solo::{D, OPEN, PROMISE, Solo, beat, epoch, just_before, lead, leading, offer, stands};

fn accepts(a: &Solo, to: &str) -> usize {
    a.sent_to(to).filter(|frame| matches!(frame.body, Body::Accept { .. })).count()
}

fn refusal(a: &Solo, to: &str) -> Option<Refusal> {
    a.sent_to(to).find_map(|frame| match frame.body {
        Body::Refuse { refusal, .. } => Some(refusal),
        _ => None,
    })
}

#[test]
fn r08_a_vote_is_durable_before_the_accept_leaves() {
    let mut a = Solo::new();
    a.clear();
    assert_eq!(a.hear_offer("b", 1), None);
    a.pass(ms(100));
    assert_eq!(accepts(&a, "b"), 0);
    assert!(a.frames.iter().all(|(_, frame)| frame.header.epoch == epoch(0)));
    a.commit();
    assert_eq!(accepts(&a, "b"), 1);
    assert_eq!(a.disk.record.holder, Some(Holder { node: id("b"), how: PromiseKind::Voted }));
    assert_eq!((a.disk.record.epoch, a.last_to("b").header.epoch), (epoch(1), epoch(1)));
}

#[test]
fn r08_nobody_leads_before_its_own_vote_is_durable() {
    let mut a = Solo::new();
    let number = a.stand();
    assert_eq!(a.hear_accept("b", number), None);
    assert_eq!(a.hear_accept("c", number), None);
    assert!(!a.holds_lease(), "a quorum of others is not enough");
    a.commit();
    assert!(a.holds_lease());
    assert_eq!(a.disk.record.holder, Some(Holder { node: id("a"), how: PromiseKind::Voted }));
}

#[test]
fn r08_a_node_does_not_stand_while_it_saves() {
    let mut a = Solo::new();
    a.hear_offer("b", 1);
    a.hear("b", 1, PeerState::Free, beat());
    a.hear_free("c", 0);
    assert!(matches!(a.blocker(), Some(CampaignBlocker::Saving(_))));
    assert_eq!(a.offered(), None);
    assert_eq!(a.last_to("c").header.state, PeerState::Promised, "its vote is being given");
}

#[test]
fn r09_one_vote_per_epoch_even_across_a_restart() {
    let mut a = Solo::new();
    a.give_word("b", 4).pass(PROMISE).clear();
    assert_eq!(a.hear_offer("c", 4), None);
    assert_eq!(refusal(&a, "c"), Some(Refusal::VoteSpent));
    let mut a = a.restarted();
    a.pass(PROMISE).clear();
    a.hear("c", 3, stands(4), beat());
    assert_eq!(a.hear_offer("c", 4), None);
    assert_eq!(refusal(&a, "c"), Some(Refusal::VoteSpent));
    assert_eq!(a.hear_offer("c", 5), None);
    a.commit();
    assert_eq!(accepts(&a, "c"), 1);
}

#[test]
fn r09_a_repeated_offer_gets_the_same_answer_with_the_new_echo() {
    let mut a = Solo::new();
    a.give_word("b", 4).pass(ms(100)).clear();
    let again = a.frame("b", 3, stands(4), offer(4));
    assert_eq!(a.deliver("b", &again), None);
    assert!(a.gate.is_none(), "nothing new is saved");
    let answer = a.sent_to("b").find(|frame| matches!(frame.body, Body::Accept { .. })).unwrap();
    assert_eq!(answer.header.echo, Some(again.header.nonce));
    assert_eq!(a.promised_to(), Some((id("b"), epoch(4), a.now + PROMISE)), "and renews the promise");
}

#[test]
fn r09_following_the_winner_does_not_give_the_vote_of_that_epoch_again() {
    let mut a = Solo::new();
    a.follow("b", 4);
    assert_eq!(a.disk.record.holder, Some(Holder { node: id("b"), how: PromiseKind::Followed }));
    a.hear("b", 3, PeerState::Promised, beat());
    a.pass(PROMISE).clear();
    a.hear("b", 3, stands(4), beat());
    assert_eq!(a.hear_offer("b", 4), None);
    assert_eq!(refusal(&a, "b"), Some(Refusal::VoteSpent));
}

#[test]
fn r10_a_promise_binds_against_everybody_else_and_oneself() {
    let mut a = Solo::new();
    a.give_word("b", 1).clear();
    assert_eq!(a.hear_offer("c", 2), None);
    assert_eq!(refusal(&a, "c"), Some(Refusal::Promised));
    assert!(a.saw(|notice| matches!(notice, Notice::RefusedOffer { refusal: Refusal::Promised, .. })));
    a.hear_free("c", 0);
    assert!(matches!(a.blocker(), Some(CampaignBlocker::Promised(to, _, _)) if to == id("b")));
    a.hear_offer("b", 3);
    a.commit();
    assert_eq!(accepts(&a, "b"), 1, "the one it is promised to may offer again");
    a.pass(PROMISE).clear();
    a.hear("c", 3, stands(4), beat());
    assert_eq!(a.hear_offer("c", 4), None);
    a.commit();
    assert_eq!(accepts(&a, "c"), 1, "a promise that is over binds no more");
}

#[test]
fn r11_a_leader_never_gives_way_to_an_offer() {
    let mut a = Solo::new();
    a.lead();
    assert_eq!(a.hear_offer("c", 9), None);
    assert_eq!(refusal(&a, "c"), Some(Refusal::OwnOffice));
    assert!(a.holds_lease() && a.losses.is_empty());
}

#[test]
fn r11_a_candidate_gives_way_to_a_higher_offer_only() {
    for (offered, gives_way) in [(1, false), (2, true)] {
        let mut a = Solo::new();
        a.hear_free("b", 0);
        a.commit();
        assert_eq!(a.hear_offer("c", offered), None);
        assert_eq!(refusal(&a, "c"), (!gives_way).then_some(Refusal::OwnOffice));
        let lost = |notice: &Notice| matches!(notice, Notice::CampaignLost { reason: CampaignLost::HigherOffer { candidate, .. }, .. } if *candidate == id("c"));
        assert_eq!(a.saw(lost), gives_way);
        if gives_way {
            a.commit();
            assert_eq!(accepts(&a, "c"), 1, "whatever the names are: c is behind a in the list");
            assert_eq!(a.hear_accept("b", 1), Some(Ignored::NoSuchOffer(epoch(1))));
            assert!(!a.holds_lease());
        }
    }
}

#[test]
fn r12_a_promise_runs_from_receipt_not_from_the_save() {
    let mut a = Solo::new();
    assert_eq!(a.hear_offer("b", 1), None);
    let received = a.now;
    a.pass(ms(200)).commit();
    assert_eq!(a.promised_to(), Some((id("b"), epoch(1), received + PROMISE)));
    a.pass(just_before(ms(305)));
    assert!(a.promised_to().is_some());
    a.pass(Duration::from_nanos(1));
    assert_eq!(a.promised_to(), None);

    let mut a = Solo::new();
    a.hear_leader("b", 1);
    let received = a.now;
    a.pass(ms(200)).commit();
    assert_eq!(a.promised_to(), Some((id("b"), epoch(1), received + PROMISE)), "so does one to a leader");
    a.pass(ms(50));
    a.hear_leader("b", 1);
    assert_eq!(a.promised_to(), Some((id("b"), epoch(1), a.now + PROMISE)), "each heartbeat renews it");
}

#[test]
fn r13_a_promise_is_never_shortened() {
    let mut a = Solo::new();
    a.follow("b", 1);
    let until = a.now + PROMISE;
    a.hear("b", 1, leading(1), lead(ms(200)));
    assert_eq!(
        a.promised_to(),
        Some((id("b"), epoch(1), until)),
        "a shorter detection time shortens no promise"
    );
    // The same node with a higher epoch: the later end stays.
    assert_eq!(
        a.hear("b", 1, leading(1), Body::Offer { epoch: epoch(2), detection: ms(200), detection_max: OPEN }),
        None
    );
    a.commit();
    assert_eq!(a.promised_to(), Some((id("b"), epoch(2), until)));
}

#[test]
fn r14_following_a_leader_of_a_higher_epoch_replaces_a_promise() {
    let mut a = Solo::new();
    a.give_word("b", 3);
    assert_eq!(a.hear_leader("c", 2), None);
    assert!(a.gate.is_none(), "a lower leader replaces nothing");
    assert_eq!(a.promised_to().map(|(to, _, _)| to), Some(id("b")));
    assert_eq!(a.hear_leader("c", 4), None);
    a.commit();
    assert_eq!(a.promised_to(), Some((id("c"), epoch(4), a.now + PROMISE)));
    assert_eq!(a.leader(), Some((id("c"), epoch(4))));
}

#[test]
fn r15_a_restart_is_a_promise_to_the_records_holder() {
    let mut a = Solo::new();
    a.give_word("b", 4);
    let a = a.restarted();
    let (to, number, until) = a.promised_to().expect("it is bound");
    assert_eq!((to, number), (id("b"), epoch(4)));
    assert!(until >= a.now + D, "for the longest time that it may have promised");
    let mut a = a;
    a.pass(PROMISE);
    assert_eq!(a.promised_to(), None);

    let mut a = Solo::new();
    a.lead();
    let a = a.restarted();
    assert_eq!(a.promised_to(), None, "a promise to oneself is over at once");
    assert_eq!(Solo::new().promised_to(), None, "before a first boot nothing was promised");
}

#[test]
fn r15_the_longest_recorded_promise_never_falls_within_an_epoch() {
    let config = builder("a", &["a", "b", "c"]).build().unwrap();
    let longer = ms(2_000);
    let holder = Some(Holder { node: id("b"), how: PromiseKind::Voted });
    let record = Record { epoch: epoch(4), holder, detection_max: longer, ..Record::first_boot(&config) };
    let mut a = Solo::from_record(config, record);
    let (_, _, until) = a.promised_to().unwrap();
    assert_eq!(until, a.now + ms(2_020), "it was promised under an older, longer configuration");
    assert_eq!(a.disk.record.detection_max, longer);
    a.hear("b", 4, stands(5), beat());
    a.give_word("b", 5);
    assert_eq!(
        a.disk.record.detection_max, longer,
        "the same node's promise: the older promise may still run"
    );
    a.hear("b", 5, PeerState::Promised, beat());
    a.follow("c", 6);
    assert_eq!(a.disk.record.detection_max, D, "another node's promise in another epoch begins anew");
}

fn with_evidence() -> Solo {
    Solo::with(builder("a", &["a", "b", "c"]).crash_evidence(true))
}

fn refused_now(a: &Solo) -> LinkState {
    LinkState::Refused { attempt_began: a.now }
}

#[test]
fn r16_a_refused_connection_ends_a_promise_to_the_dead() {
    let mut a = with_evidence();
    a.follow("b", 3).pass(ms(10));
    let evidence = refused_now(&a);
    a.link("b", evidence);
    assert_eq!((a.promised_to(), a.leader()), (None, None));
    assert!(a.saw(|notice| matches!(notice, Notice::LeaderLost { reason: LeaderLost::Dead, .. })));
    let life = Incarnation { counter: 1, random: 1 };
    assert_eq!(a.hear_leader("b", 3), Some(Ignored::DeadIncarnation(life)), "a frame still under way");
    assert_eq!(a.promised_to(), None);
    a.lives.insert(id("b"), Incarnation { counter: 2, random: 1 });
    assert_eq!(a.hear_free("b", 3), None, "its next life is heard");
}

#[test]
fn r16_evidence_older_than_the_promise_or_not_asked_for_ends_nothing() {
    let mut a = with_evidence();
    a.follow("b", 3).pass(ms(10));
    let evidence = refused_now(&a);
    a.pass(ms(10));
    a.hear_leader("b", 3);
    a.link("b", evidence);
    assert!(a.promised_to().is_some(), "renewed after the attempt began");

    let mut a = Solo::new();
    a.follow("b", 3).pass(ms(10));
    let evidence = refused_now(&a);
    a.link("b", evidence);
    assert!(a.promised_to().is_some(), "crash evidence is opt-in");
    assert_eq!(a.hear_leader("b", 3), None);

    let mut a = with_evidence();
    let evidence = refused_now(&a);
    a.pass(ms(10)).follow("b", 3).link("b", evidence);
    assert!(a.promised_to().is_some(), "its life began after the attempt");
}

/// The end of `b`'s process in that life, as told by who held it.
const fn ended(counter: u32) -> LinkState {
    LinkState::Ended { incarnation: Incarnation { counter, random: 1 } }
}

#[test]
fn r16_who_held_the_process_ends_a_promise_at_once_and_needs_no_refusal() {
    let mut a = Solo::new();
    a.follow("b", 3).link("b", ended(1));
    assert_eq!((a.promised_to(), a.leader()), (None, None), "renewed at that very moment");
    assert!(a.saw(|notice| matches!(notice, Notice::LeaderLost { reason: LeaderLost::Dead, .. })));
    let life = Incarnation { counter: 1, random: 1 };
    assert_eq!(a.hear_leader("b", 3), Some(Ignored::DeadIncarnation(life)), "a frame still under way");
    assert_eq!(a.promised_to(), None);
}

#[test]
fn r16_who_held_the_process_ends_a_promise_that_a_refusal_left() {
    let mut a = with_evidence();
    a.follow("b", 3).pass(ms(10));
    let evidence = refused_now(&a);
    a.pass(ms(10)).hear_leader("b", 3);
    a.link("b", evidence);
    assert!(a.promised_to().is_some(), "renewed after the attempt began");
    a.link("b", ended(1));
    assert_eq!((a.promised_to(), a.leader()), (None, None));
}

#[test]
fn r16_who_held_a_process_speaks_of_that_life_alone() {
    let mut a = Solo::new();
    a.follow("b", 3);
    for other in [0, 2] {
        a.link("b", ended(other));
        assert!(a.promised_to().is_some(), "life 1 is heard, not {other}");
    }
    a.link("c", ended(1));
    assert!(a.promised_to().is_some(), "c has ended, not b");

    a.lives.insert(id("b"), Incarnation { counter: 2, random: 1 });
    a.follow("b", 4).link("b", ended(1));
    assert!(a.promised_to().is_some(), "late news of the life before");
    a.link("b", ended(2));
    assert_eq!(a.promised_to(), None);
    a.lives.insert(id("b"), Incarnation { counter: 3, random: 1 });
    // Its next life is heard, over a link that nobody has closed.
    a.follow("b", 5);
    assert!(a.promised_to().is_some());
}

#[test]
fn r16_who_held_a_process_is_not_undone_by_a_save_under_way() {
    let mut a = Solo::new();
    assert_eq!(a.hear_offer("b", 1), None);
    a.link("b", ended(1)).commit();
    assert_eq!((a.promised_to(), accepts(&a, "b")), (None, 0), "a promise to the dead binds nobody");

    let mut a = Solo::new();
    a.hear_leader("b", 3);
    a.link("b", ended(1)).commit();
    assert_eq!((a.promised_to(), a.leader()), (None, None));
}

#[test]
fn r16_evidence_is_not_undone_by_a_save_under_way() {
    let mut a = with_evidence();
    assert_eq!(a.hear_offer("b", 1), None);
    a.pass(ms(1));
    let evidence = refused_now(&a);
    a.link("b", evidence).commit();
    assert_eq!((a.promised_to(), accepts(&a, "b")), (None, 0), "a promise to the dead binds nobody");
    assert_eq!(
        a.disk.record.holder,
        Some(Holder { node: id("b"), how: PromiseKind::Voted }),
        "but the vote is spent"
    );

    let mut a = with_evidence();
    a.hear_leader("b", 3);
    a.pass(ms(1));
    let evidence = refused_now(&a);
    a.link("b", evidence).commit();
    assert_eq!((a.promised_to(), a.leader()), (None, None));
}
