//! R19–R22, R32, R33, R65 in detail: what a campaign offers, whose grants count, and what the end of a lease leaves behind.

use elect_core::{Body, CampaignBlocker, Heartbeat, Notice, PeerState, StepDown};

use crate::harness::{builder, id, ms};
use crate::solo::{D, FIVE, LEASE, Solo, accept, at, beat, beat_at, epoch, follows, heartbeat};

#[test]
fn r19_a_second_campaign_goes_above_the_first_whatever_the_others_say() {
    let mut a = Solo::new();
    assert_eq!(a.stand(), 1);
    a.commit();
    while !a.saw(|notice| matches!(notice, Notice::CampaignLost { .. })) {
        a.pass(ms(10));
    }
    a.clear().pass(D);
    a.hear_free("b", 0);
    a.pass(ms(200));
    assert_eq!(a.offered(), Some(2));
}

#[test]
fn r21_an_accept_grants_no_more_than_was_asked_for() {
    let mut a = Solo::new();
    let number = a.stand();
    a.commit().pass(ms(5));
    let sent = a.last_to("b").header.nonce.sent;
    let mut long = accept(number);
    if let Body::Accept { detection, .. } = &mut long {
        *detection = D * 10;
    }
    a.hear("b", number, PeerState::Promised, long);
    assert_eq!(a.lease_end(), sent + LEASE);
}

#[test]
fn r65_who_is_left_out_carries_no_lease() {
    let mut a = Solo::new();
    a.maxima.insert(id("c"), ms(100));
    a.lead();
    a.link("b", elect_core::LinkState::Closed);
    for _ in 0..40 {
        a.pass(ms(20)).hear_acknowledgement("c", 1);
    }
    assert_eq!(a.losses.first().map(|loss| loss.reason), Some(StepDown::LeaseOver));
}

#[test]
fn r33_who_lost_its_lease_takes_no_earlier_echo_for_a_connection() {
    let mut a = Solo::new();
    a.lead();
    a.hear_acknowledgement("b", 1);
    a.pass(D * 3);
    assert_eq!((a.losses.len(), a.offered()), (1, None), "nobody has heard it since: {:?}", a.blocker());
}

#[test]
fn r22_an_announcement_bears_another_nonce_than_the_offers_of_its_step() {
    let mut a = Solo::new();
    let number = a.stand();
    a.hear_accept("b", number);
    a.clear();
    a.now = a.elector.deadline();
    a.commit();
    assert_eq!(a.leader(), Some((id("a"), epoch(number))));
    let sent = |offers: bool| {
        let of_kind = move |frame: &&elect_core::Frame| matches!(frame.body, Body::Offer { .. }) == offers;
        a.sent_to("b").filter(of_kind).map(|frame| frame.header.nonce.sent).next_back()
    };
    assert!(sent(true).is_some() && sent(true) < sent(false), "{:?}", a.frames);
}

#[test]
fn r32_each_heartbeat_to_everybody_renews_what_a_node_is_ranked_by() {
    let rank = |is_told: bool| {
        let mut b = Solo::with(builder("b", &FIVE));
        b.set_position(at(1, 5)).pass(D);
        b.set_position(at(1, 10));
        if is_told {
            b.pass(D / 2);
        }
        b.clear();
        b.hear("a", 1, PeerState::Free, beat_at(at(1, 7)));
        b.hear("c", 1, PeerState::Promised, beat());
        b.hear("d", 1, PeerState::Free, beat_at(at(1, 1)));
        (b.offered().is_some(), b.blocker())
    };
    assert!(matches!(rank(false), (false, Some(CampaignBlocker::Rank { rank: 1, .. }))), "{:?}", rank(false));
    assert!(rank(true).0, "{:?}", rank(true));
}

#[test]
fn r23_a_fresh_claim_is_answered_once() {
    let mut a = Solo::new();
    a.follow("b", 4).clear();
    a.pass(ms(30)).hear_leader("b", 4);
    assert_eq!(a.sent_to("b").count(), 1);
    assert_eq!(a.last_to("b").header.state, follows("b", 4));
}

/// Better ones that disappear by the clock alone: nobody is heard meanwhile, and no heartbeat is due.
#[test]
fn r32_whoever_waits_for_its_rank_looks_again_after_a_step() {
    let mut c = Solo::with(builder("c", &FIVE));
    for better in ["a", "b"] {
        c.hear(better, 0, PeerState::Free, beat());
    }
    let began = c.now;
    // Both were bound until now, so that nobody was enough.
    for better in ["a", "b"] {
        c.hear(better, 0, PeerState::Promised, beat());
    }
    assert_eq!(c.offered(), None, "{:?}", c.blocker());
    c.pass(ms(460));
    for voter in ["d", "e"] {
        let unfit = Heartbeat { healthy: false, ..heartbeat() };
        c.hear(voter, 0, PeerState::Free, Body::Heartbeat(unfit));
    }
    assert!(matches!(c.blocker(), Some(CampaignBlocker::Rank { rank: 2, .. })), "{:?}", c.blocker());
    // Its last heartbeat is due just before they are gone.
    c.pass(ms(590).saturating_sub(c.now.since(began)));
    assert!(c.offered().is_some(), "{:?}", c.blocker());
}

#[test]
fn r19_the_epochs_of_those_that_may_vote_are_what_a_quorum_needs() {
    const FAR: u64 = 1 << 30;
    let mut a = Solo::with(builder("a", &FIVE));
    a.hear("e", 0, PeerState::Replaced, beat());
    for (voter, number) in [("b", FAR + 9), ("c", FAR + 5), ("d", FAR * 2)] {
        a.hear(voter, number, PeerState::Promised, beat());
    }
    a.hear_free("b", FAR + 9);
    a.hear_free("c", FAR + 5);
    a.pass(ms(400));
    assert_eq!(a.offered(), Some(FAR + 10), "{:?}", a.blocker());
}
