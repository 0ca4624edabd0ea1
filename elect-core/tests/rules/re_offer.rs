//! R27, R28: a leader raises its own epoch without a leaderless gap.

use elect_core::{Body, Duty, Elector, Fenced, NotInOffice, PeerState, Position, Raised, Stamp, StepDown};

use crate::harness::{id, ms};
use crate::solo::{INTERVAL, OPEN, Solo, beat, epoch, follows, leading};

/// A leader of epoch 1 with `b`, that has heard `c` in epoch 5.
fn below_c() -> Solo {
    let mut a = Solo::new();
    a.lead();
    a.hear("c", 5, PeerState::Free, beat());
    a.pass(INTERVAL);
    a
}

fn raised(a: &Solo) -> bool {
    a.must(|duty| matches!(duty, Duty::EpochRaised { .. }))
}

#[test]
fn r27_a_voter_above_makes_the_leader_re_offer_itself_without_a_gap() {
    let mut a = below_c();
    assert!(a.gate.is_some());
    assert_eq!(a.offered(), Some(6));
    assert_eq!(a.last_to("b").header.state, leading(1), "it goes on leading");
    let accepted = a.frame("b", 6, follows("a", 1), crate::solo::accept(6));
    a.commit();
    assert_eq!(a.deliver("b", &accepted), None);
    assert!(!raised(&a), "its own fence still lets epoch 1 pass");
    assert!(a.holds_lease());
    a.commit();
    assert!(a.must(|duty| matches!(duty,
        Duty::EpochRaised { from, raised: Raised::InOffice(stamp) } if (*from, stamp.epoch()) == (epoch(1), epoch(6)))));
    assert!(a.losses.is_empty(), "nobody else led: no loss");
    assert_eq!(a.elector.authority().lease(a.now).map(|lease| lease.epoch), Some(epoch(6)));
    assert_eq!(a.last_to("c").header.state, leading(6));
}

#[test]
fn r27_an_office_goes_on_through_a_raise_that_its_host_never_hears_of() {
    let mut a = Solo::new();
    a.stand();
    a.commit();
    a.hear_accept("b", 1);
    let office = a.take_elected().serve_without_log_forgetting_earlier_writes();
    a.step(|elector, now| elector.on_office(&office, now));
    let before = office.stamp(a.now).unwrap();
    a.hear("c", 5, PeerState::Free, beat());
    a.pass(INTERVAL);
    let accepted = a.frame("b", 6, follows("a", 1), crate::solo::accept(6));
    a.commit();
    a.deliver("b", &accepted);
    a.commit();
    assert!(raised(&a));
    assert_eq!(office.stamp(a.now), Ok(Stamp::received(epoch(6))), "the next write bears the new epoch");
    let late = NotInOffice::Raised { stamp: epoch(1), led: epoch(6) };
    assert_eq!(
        office.check_write(before, a.now),
        Err(late),
        "only acknowledgements under the new stamp count"
    );
    assert_eq!(office.finish_read(1, || a.now), Ok(1));
    a.now = a.lease_end();
    a.tick();
    assert_eq!(office.stamp(a.now), Err(NotInOffice::LeaseOver(epoch(1))));
}

#[test]
fn r27_an_office_does_not_follow_a_raise_on_the_way() {
    let mut a = Solo::new();
    a.stand();
    a.commit();
    a.hear_accept("b", 1);
    a.hear("c", 5, PeerState::Free, beat());
    a.pass(INTERVAL);
    // The host entered office, and the elector has not heard of it yet.
    let office = a.take_elected().serve_without_log_forgetting_earlier_writes();
    let accepted = a.frame("b", 6, follows("a", 1), crate::solo::accept(6));
    a.commit();
    a.deliver("b", &accepted);
    a.commit();
    assert!(a.must(|duty| matches!(duty, Duty::EpochRaised { raised: Raised::OnTheWay(_), .. })));
    assert_eq!(office.check(a.now), Err(NotInOffice::LeaseOver(epoch(1))), "its positions are old");
    a.step(|elector, now| elector.on_office(&office, now));
    assert!(!a.elector.status(a.now).in_office);
}

#[test]
fn r27_without_a_voter_above_nothing_is_offered() {
    let mut a = Solo::new();
    a.lead();
    a.hear("c", 1, PeerState::Free, beat());
    a.hear_acknowledgement("b", 1);
    a.pass(INTERVAL * 4);
    assert_eq!((a.offered(), a.gate.is_none()), (None, true));
}

#[test]
fn r27_a_re_offer_needs_its_own_save_and_a_quorum() {
    let mut a = below_c();
    let accepted = a.frame("b", 6, follows("a", 1), crate::solo::accept(6));
    a.deliver("b", &accepted);
    assert!(!raised(&a), "the own vote is not durable");
    a.commit();
    assert!(a.gate.is_some(), "now the own fence is closed to epoch 1");
    a.commit();
    assert!(raised(&a));

    let mut a = below_c();
    a.commit();
    for _ in 0..4 {
        a.hear_acknowledgement("b", 1);
        a.clear().pass(INTERVAL);
        assert_eq!(a.offered(), Some(6), "it is repeated, not given up");
    }
    assert!(!raised(&a) && a.holds_lease());
}

#[test]
fn r27_a_re_offer_ends_with_the_leadership() {
    let mut a = below_c();
    a.commit();
    let accepted = a.frame("b", 6, follows("a", 1), crate::solo::accept(6));
    a.pass(ms(600));
    assert_eq!(a.losses[0].reason, StepDown::LeaseOver);
    a.deliver("b", &accepted);
    assert!(!raised(&a) && !a.holds_lease());
    a.hear_free("b", 6);
    assert!(a.offered() > Some(6), "and its epoch is not offered again");
}

#[test]
fn r27_ended_stays_below_the_epoch_led() {
    let mut a = below_c();
    a.commit();
    let frame = a.last_to("b");
    assert_eq!((frame.header.epoch, frame.header.state), (epoch(6), leading(1)));
    // A follower of this very leader takes that frame for what it is.
    let mut b = Solo::with(crate::harness::builder("b", &["a", "b", "c"]));
    b.follow("a", 1);
    b.hear("a", 6, leading(1), crate::solo::lead(crate::solo::D));
    assert_eq!(b.leader(), Some((id("a"), epoch(1))));
}

#[test]
fn r27_an_entry_from_above_means_that_catching_up_comes_first() {
    let cases = [(Position::new(epoch(5), 1), false), (Position::new(epoch(1), 900), true)];
    for (position, stays) in cases {
        let mut a = below_c();
        let body = Body::Accept {
            epoch: epoch(6),
            detection: OPEN,
            position: Some(position),
            pause: None,
            genesis_epoch: epoch(0),
        };
        let accepted = a.frame("c", 6, PeerState::Promised, body);
        a.commit();
        a.deliver("c", &accepted);
        a.commit();
        assert_eq!(raised(&a), stays, "{position:?}");
        if stays {
            assert!(a.losses.is_empty());
        } else {
            assert_eq!((a.losses[0].epoch, a.losses[0].reason), (epoch(1), StepDown::EntryFromAbove));
            let elected = a.take_elected();
            assert_eq!(elected.epoch(), epoch(6));
            assert_eq!(elected.catch_up_from().map(|source| source.position), Some(position));
        }
    }
}

#[test]
fn r28_the_leaders_own_fence_lets_the_epoch_led_pass_until_the_new_one_is_led() {
    let old = Stamp::received(epoch(1));
    let mut a = below_c();
    let accepted = a.frame("b", 6, follows("a", 1), crate::solo::accept(6));
    a.commit();
    assert_eq!((a.fence.floor(), a.fence.ack(old)), (epoch(6), Ok(())));
    a.deliver("b", &accepted);
    a.commit();
    assert!(raised(&a));
    assert!(matches!(a.fence.ack(old), Err(Fenced::Stale { .. })), "the lease of 6 began after that");
}

#[test]
fn r11_only_the_own_followers_are_exempt_towards_a_re_offer() {
    let mut c = Solo::with(crate::harness::builder("c", &["a", "b", "c"]));
    c.follow("b", 1);
    assert_eq!(c.hear("a", 1, leading(1), crate::solo::offer(6)), None);
    let refused = |frame: &elect_core::Frame| {
        matches!(frame.body, Body::Refuse { refusal: elect_core::Refusal::Promised, .. })
    };
    assert!(c.sent_to("a").any(refused), "its vote is promised to b");
    assert_eq!(c.hear("b", 1, leading(1), crate::solo::offer(7)), None);
    c.commit();
    assert_eq!(c.disk.record.epoch, epoch(7));
    assert_eq!(c.leader(), Some((id("b"), epoch(1))), "and goes on following the epoch that is led");
}

#[test]
fn r27_at_most_one_re_offer_per_heartbeat_interval() {
    let mut a = Solo::new();
    a.stand();
    a.pass(ms(1)).commit().hear_accept("b", 1);
    let began = a.disk.history.len();
    for _ in 0..50 {
        a.step(Elector::on_source_lost).pass(ms(1));
        if a.gate.is_some() {
            a.commit();
        }
    }
    assert!(a.disk.history.len() - began <= 2, "{} in 50 ms", a.disk.history.len() - began);
    assert!(a.disk.history.len() > began);
}
