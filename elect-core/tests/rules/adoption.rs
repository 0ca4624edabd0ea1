//! R23, R26, R28, R29: taking up another's epoch.

use elect_core::{
    Body, CampaignBlocker, CampaignLost, Fenced, Holder, Ignored, LeaderLost, Notice, PeerState, PromiseKind,
    Stamp,
};

use crate::harness::{id, ms};
use crate::solo::{D, OPEN, Solo, at, beat, beat_at, epoch, follows, lead, leading, offer, stands};

fn stamp(number: u64) -> Stamp {
    Stamp::received(epoch(number))
}

#[test]
fn r23_a_leader_gets_no_echo_of_what_came_while_its_adoption_was_saved() {
    let mut a = Solo::new();
    let claim = a.frame("b", 1, leading(1), lead(D));
    a.deliver("b", &claim);
    a.pass(ms(20));
    let later = a.frame("b", 1, leading(1), lead(D));
    a.deliver("b", &later);
    a.clear().commit();
    for answer in a.sent_to("b") {
        assert_eq!(answer.header.state, follows("b", 1));
        assert_eq!(answer.header.echo, Some(claim.header.nonce), "the promise runs from the claim's receipt");
    }
    assert!(a.sent_to("b").count() > 0);
    let next = a.frame("b", 1, leading(1), lead(D));
    a.deliver("b", &next);
    assert_eq!(a.last_to("b").header.echo, Some(next.header.nonce), "from now on each one counts");
}

#[test]
fn r23_an_accept_echoes_its_offer_and_never_a_later_frame() {
    let mut a = Solo::new();
    let offered = a.frame("b", 0, stands(1), offer(1));
    a.deliver("b", &offered);
    a.pass(ms(20));
    a.hear("b", 0, stands(1), beat());
    a.clear().commit();
    let answer = a.sent_to("b").find(|frame| matches!(frame.body, Body::Accept { .. })).unwrap();
    assert_eq!(answer.header.echo, Some(offered.header.nonce));
}

#[test]
fn r26_a_leader_whom_the_record_does_not_name_is_saved_before_it_is_followed() {
    let mut a = Solo::new();
    assert_eq!(a.hear_leader("b", 3), None);
    assert_eq!(a.leader(), None);
    assert_ne!(a.last_to("b").header.state, follows("b", 3));
    a.commit();
    assert_eq!(a.disk.record.holder, Some(Holder { node: id("b"), how: PromiseKind::Followed }));
    assert_eq!(a.leader(), Some((id("b"), epoch(3))));
    let a = a.restarted();
    assert_eq!(a.promised_to().map(|(to, number, _)| (to, number)), Some((id("b"), epoch(3))));
}

#[test]
fn r26_a_leader_whom_the_record_names_is_followed_without_a_save() {
    let mut a = Solo::new();
    a.give_word("b", 3);
    assert_eq!(a.hear_leader("b", 3), None);
    assert!(a.gate.is_none());
    assert_eq!(a.leader(), Some((id("b"), epoch(3))));
    assert_eq!(
        a.disk.record.holder,
        Some(Holder { node: id("b"), how: PromiseKind::Voted }),
        "the vote stays a vote"
    );
}

#[test]
fn r26_another_leader_of_the_epoch_voted_in_is_saved_by_name() {
    let mut a = Solo::new();
    a.give_word("c", 3);
    assert_eq!(a.hear_leader("b", 3), None, "c did not win that epoch");
    a.commit();
    assert_eq!(a.disk.record.holder, Some(Holder { node: id("b"), how: PromiseKind::Followed }));
    assert_eq!(a.leader(), Some((id("b"), epoch(3))));
}

#[test]
fn r26_nothing_else_raises_the_epoch() {
    let mut a = Solo::new();
    a.follow("b", 3);
    a.hear("c", 9, PeerState::Promised, beat());
    a.hear("c", 9, follows("b", 9), beat());
    a.hear("c", 9, leading(2), lead(D));
    assert!(a.gate.is_none(), "a higher epoch is a hint for the next offer, no more");
    assert_eq!((a.disk.record.epoch, a.leader()), (epoch(3), Some((id("b"), epoch(3)))));
}

#[test]
fn r26_a_candidate_that_hears_a_leader_follows_it() {
    let mut a = Solo::new();
    a.stand();
    a.commit();
    assert_eq!(a.hear_leader("c", 1), None, "c won that very epoch");
    let lost = |notice: &Notice| matches!(notice, Notice::CampaignLost { reason: CampaignLost::LeaderAppeared { leader, .. }, .. } if *leader == id("c"));
    assert!(a.saw(lost));
    a.commit();
    assert_eq!(a.leader(), Some((id("c"), epoch(1))));
    assert_eq!(a.hear_accept("b", 1), Some(Ignored::NoSuchOffer(epoch(1))));
}

#[test]
fn r26_a_new_leader_supersedes_the_old_one() {
    let mut a = Solo::new();
    a.follow("b", 3);
    assert_eq!(a.hear_leader("c", 4), None);
    assert_eq!(a.leader(), None);
    assert!(a.saw(|notice| matches!(notice, Notice::LeaderLost { reason: LeaderLost::Superseded, .. })));
    assert!(
        matches!(a.blocker(), Some(CampaignBlocker::Promised(to, _, _)) if to == id("b")),
        "until the save is done"
    );
    a.commit();
    assert_eq!(a.leader(), Some((id("c"), epoch(4))));
}

#[test]
fn r28_a_followers_fence_lets_the_epoch_followed_pass_until_the_new_one_is_led() {
    let mut a = Solo::new();
    a.follow("b", 3);
    assert_eq!(a.fence.ack(stamp(3)), Ok(()));
    assert_eq!(a.hear("b", 3, leading(3), offer(5)), None);
    a.commit();
    assert_eq!(a.fence.floor(), epoch(5));
    assert_eq!(a.leader(), Some((id("b"), epoch(3))), "it goes on following");
    assert_eq!(a.fence.ack(stamp(3)), Ok(()), "writes do not stall");
    assert!(matches!(a.fence.ack(stamp(4)), Err(Fenced::Stale { .. })), "that very epoch only");
    assert_eq!(a.hear_leader("b", 5), None);
    a.commit();
    assert_eq!(a.leader(), Some((id("b"), epoch(5))));
    assert!(matches!(a.fence.ack(stamp(3)), Err(Fenced::Stale { .. })));
    assert_eq!(a.fence.ack(stamp(5)), Ok(()));
}

#[test]
fn r28_the_exception_ends_when_another_is_adopted() {
    let mut a = Solo::new();
    a.follow("b", 3);
    a.hear("b", 3, leading(3), offer(5));
    a.commit();
    a.hear_leader("c", 6);
    a.commit();
    assert!(matches!(a.fence.ack(stamp(3)), Err(Fenced::Stale { .. })));

    // An offer of anybody but the leader followed knows no exception.
    let mut a = Solo::new();
    a.follow("b", 3).hear("b", 3, PeerState::Promised, beat());
    a.give_word("c", 5);
    assert!(matches!(a.fence.ack(stamp(3)), Err(Fenced::Stale { .. })));
}

#[test]
fn r29_the_position_in_an_accept_is_pulled_after_the_fence_was_raised() {
    let mut a = Solo::new();
    a.follow("c", 3).set_position(at(3, 7)).hear("c", 3, PeerState::Promised, beat());
    assert_eq!(a.hear_offer("b", 4), None);
    *a.tail.0.borrow_mut() = at(3, 9); // an append that was still admitted
    a.commit();
    let answer = a.sent_to("b").find_map(|frame| match frame.body {
        Body::Accept { position, .. } => Some(position),
        _ => None,
    });
    assert_eq!(answer, Some(at(3, 9)));
    assert!(matches!(a.fence.ack(stamp(3)), Err(Fenced::Stale { .. })), "nothing is admitted after it");
}

#[test]
fn r29_a_heartbeats_position_only_ranks() {
    let mut a = Solo::new();
    a.hear("b", 0, PeerState::Free, beat_at(at(0, 99)));
    a.pass(ms(80));
    a.commit();
    let body = Body::Accept {
        epoch: epoch(1),
        detection: OPEN,
        position: None,
        pause: None,
        genesis_epoch: epoch(0),
    };
    a.hear("b", 1, PeerState::Promised, body);
    assert_eq!(a.take_elected().catch_up_from(), None);
}
