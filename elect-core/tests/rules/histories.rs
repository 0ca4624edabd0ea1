//! R59 in detail: what proves that a storage lacks the final genesis, and what becomes of it meanwhile.

use elect_core::{
    Body, Ignored, Incarnation, NotRebuilt, OtherHistory, PeerState, RebuiltTo, Record, Refusal,
    RequestRefused, Storage, Unfit,
};

use crate::genesis::{Histories, accept_with, config, holding, known_final, saved, settled, tentative};
use crate::harness::{builder, id, ms};
use crate::solo::{D, Solo, beat, epoch, lead, leading};

/// `b` lacks what is final, and two frames have said so.
fn beside_a_replaced_one() -> Solo {
    let mut a = settled();
    a.tells("b", None);
    for _ in 0..2 {
        a.hear("b", 4, PeerState::Promised, beat());
    }
    assert_eq!(a.history_of("b"), Some(OtherHistory::CountsAsReplaced));
    a
}

#[test]
fn r59_a_copy_of_the_frame_that_shows_it_does_not_count_as_it_is() {
    let mut a = settled();
    a.tells("b", None).hear_free("b", 4);
    let frame = a.frame("b", 4, PeerState::Free, beat());
    a.deliver("b", &frame);
    a.deliver("b", &frame);
    a.pass(ms(200));
    assert_eq!(a.offered(), None, "nobody who counts is free");
}

#[test]
fn r59_a_copy_of_one_frame_is_no_second_one() {
    let mut a = settled();
    a.tells("b", None);
    let frame = a.frame("b", 4, PeerState::Promised, beat());
    for _ in 0..2 {
        assert_eq!(a.deliver("b", &frame), Some(Ignored::UnprovenGenesis));
    }
    assert_eq!(a.history_of("b"), None);
    // Nor is it one that tells what this node lacks.
    let mut a = holding(saved(7, 4, false));
    a.tells("b", known_final(9));
    let frame = a.frame("b", 4, PeerState::Promised, beat());
    for _ in 0..2 {
        assert_eq!(a.deliver("b", &frame), Some(Ignored::UnprovenGenesis));
    }
    a.tells("b", known_final(8));
    assert_eq!(
        a.hear("b", 4, PeerState::Promised, beat()),
        Some(Ignored::UnprovenGenesis),
        "another genesis"
    );
    assert!(a.gate.is_none() && a.disk.record.storage == Storage::Intact);
}

#[test]
fn r59_an_echo_of_another_life_of_this_node_proves_nothing() {
    let mut a = settled();
    a.tells("b", None);
    for _ in 0..3 {
        let mut frame = a.frame("b", 4, PeerState::Promised, beat());
        frame.header.echo.as_mut().unwrap().incarnation = Incarnation { counter: 9, random: 9 };
        assert_eq!(a.deliver("b", &frame), Some(Ignored::UnprovenGenesis));
    }
    assert_eq!(a.history_of("b"), None);
}

#[test]
fn r59_nobody_hands_over_to_one_that_counts_as_replaced() {
    let mut a = beside_a_replaced_one();
    a.hear_free("c", 4);
    let number = a.offered().unwrap();
    a.pass(ms(1)).commit();
    a.hear("c", number, PeerState::Promised, accept_with(number, 4));
    a.enter_office();
    a.pass(ms(1)).hear("b", 4, PeerState::Promised, beat());
    let refused = a.request(|elector, now| elector.request_handover(id("b"), now));
    assert_eq!(refused, Err(RequestRefused::TargetUnfit(id("b"), Unfit::Ineligible)));
}

#[test]
fn r59_what_it_leads_is_not_over_since_it_may_hold_a_lease() {
    let mut a = settled();
    a.give_word("b", 9);
    a.tells("b", None);
    a.hear("b", 9, leading(9), lead(D));
    assert_eq!(a.hear("b", 9, leading(9), lead(D)), None);
    assert_eq!(a.history_of("b"), Some(OtherHistory::CountsAsReplaced));
    assert_eq!(a.promised_to().map(|(to, number, _)| (to, number)), Some((id("b"), epoch(9))));
}

#[test]
fn r59_the_doubt_goes_on_while_the_disk_is_busy() {
    let mut a = Solo::new();
    a.hear_leader("b", 4);
    a.tells("c", known_final(7)).hear("c", 4, PeerState::Promised, beat());
    a.pass(ms(400));
    assert_eq!(a.hear("c", 4, PeerState::Promised, beat()), Some(Ignored::OwnGenesisReplaced));
    a.pass(ms(150)).commit();
    a.hear("b", 4, PeerState::Promised, beat());
    assert_eq!(a.last_to("b").header.state, PeerState::Promised, "it says that it votes for nobody");
    a.clear().hear_offer("b", 6);
    assert!(matches!(a.last_to("b").body, Body::Refuse { refusal: Refusal::Replaced, .. }));
}

#[test]
fn r59_a_candidacy_after_the_doubt_ends_with_the_second_frame() {
    let mut a = Solo::new();
    a.tells("c", known_final(7)).hear("c", 4, PeerState::Promised, beat());
    a.pass(D + ms(1));
    let number = a.stand();
    a.commit();
    a.hear("c", 4, PeerState::Promised, beat());
    a.commit();
    assert_eq!(a.disk.record.storage, Storage::Replaced);
    a.hear("b", number, PeerState::Promised, accept_with(number, 0));
    assert_eq!(a.leader(), None);
}

#[test]
fn r59_a_claim_that_counts_for_nothing_tells_no_genesis() {
    let mut a = Solo::new();
    a.tells("b", tentative(7)).follow("b", 4);
    a.tells("b", tentative(8));
    assert_eq!(a.hear("b", 3, leading(9), lead(D)), Some(Ignored::Ended(epoch(9))));
    assert_eq!((a.held(), a.leader()), (saved(7, 4, false), Some((id("b"), epoch(4)))));
}

#[test]
fn r59_a_follower_waits_for_whoever_does_not_tell_what_it_holds() {
    let mut a = Solo::new();
    assert_eq!(a.waits_for(), ["b", "c"], "nobody holds any");
    a.tells("b", tentative(7)).follow("b", 4);
    assert_eq!(a.waits_for(), ["c"]);
    a.tells("c", tentative(7)).hear("c", 4, PeerState::Promised, beat());
    assert_eq!(a.waits_for(), Vec::<String>::new());
}

#[test]
fn r59_a_final_one_is_not_wanted_anew_under_the_next_leader() {
    let config = builder("w", &["a", "b"]).witnesses([id("w")]).build().unwrap();
    let record = Record::replacement(&config);
    let mut w = Solo::from_record(config, record);
    w.tells("a", known_final(7)).tells("b", known_final(7));
    w.follow("b", 5).follow("a", 6);
    for _ in 0..60 {
        w.pass(ms(20)).hear_leader("a", 6);
        if w.gate.is_some() {
            w.commit();
        }
    }
    assert_eq!((w.held(), w.disk.record.storage), (saved(7, 5, true), Storage::Intact));
}

#[test]
fn r59_no_vote_is_asked_back_while_the_final_one_is_not_durable() {
    let mut a = Solo::from_record(config(), Record::replacement(&config()));
    a.holds_geneses = true;
    a.tells("b", known_final(7)).follow("b", 5);
    for _ in 0..60 {
        a.pass(ms(20)).hear_leader("b", 5);
    }
    let rebuilt = |a: &mut Solo| {
        let to = RebuiltTo { entry: crate::solo::at(5, 1) };
        a.request(|elector, now| elector.on_rebuilt(to, now))
    };
    assert_eq!(rebuilt(&mut a), Err(RequestRefused::NotRebuilt(NotRebuilt::Saving)));
    a.commit();
    a.pass(ms(20)).hear_leader("b", 5);
    assert_eq!(rebuilt(&mut a), Ok(()));
}
