use alloc::vec;

use super::*;
use crate::nonce::Incarnation;

const PEER: MemberIndex = MemberIndex::at(1);

#[expect(clippy::unnecessary_wraps, reason = "a genesis may be missing wherever one is expected")]
fn told(bits: u64, is_final: bool) -> Option<ToldGenesis> {
    Some(ToldGenesis { genesis: Genesis::from_bits(bits), is_final })
}

#[expect(clippy::unnecessary_wraps, reason = "a genesis may be missing wherever one is expected")]
fn saved(bits: u64, is_final: bool) -> Option<SavedGenesis> {
    Some(SavedGenesis { genesis: Genesis::from_bits(bits), epoch: Epoch::new(4), is_final })
}

/// A frame that left at `sent` and echoes what left at `echoed`.
fn frame(sent: u64, echoed: u64) -> Circumstances {
    let nonce = Nonce { incarnation: Incarnation::default(), sent: Time::from_nanos(sent) };
    Circumstances::new(nonce, Some(Time::from_nanos(echoed)), false)
}

fn older(sent: u64) -> Circumstances {
    Circumstances { is_older: true, ..frame(sent, sent) }
}

fn book() -> GenesisBook {
    GenesisBook::new(3)
}

#[test]
fn what_is_the_same_is_one_history() {
    for is_final in [false, true] {
        for own_final in [false, true] {
            let verdict = book().judge(PEER, saved(7, own_final), told(7, is_final), frame(1, 1));
            assert_eq!(verdict, Verdict::One);
        }
    }
}

#[test]
fn what_echoes_the_first_nonce_after_it_became_final_proves_a_lack() {
    let mut book = book();
    book.settle(Time::from_nanos(5));
    let own = saved(7, true);
    assert_eq!(book.judge(PEER, own, None, frame(1, 4)), Verdict::Unclear);
    assert_eq!(book.judge(PEER, own, None, frame(2, 4)), Verdict::Unclear, "neither counts");
    assert_eq!(book.judge(PEER, own, None, frame(3, 5)), Verdict::Unclear);
    assert_eq!(book.judge(PEER, own, None, frame(4, 5)), Verdict::PeerReplaced { is_new: true });
    assert_eq!(book.judge(PEER, own, None, frame(4, 5)), Verdict::PeerReplaced { is_new: false });
}

#[test]
fn an_older_frame_says_nothing_of_what_is_final() {
    // Neither that this node lacks it,
    assert_eq!(book().judge(PEER, saved(7, false), told(8, true), older(1)), Verdict::One);
    // nor that what it holds is final,
    let mut told_late = book();
    for sent in 1..4 {
        told_late.judge(PEER, saved(7, false), told(7, true), older(sent));
    }
    assert_eq!(told_late.wanted(saved(7, false), Place::Elsewhere, false, || false), None);
    // nor that its sender holds it after all.
    let mut replaced = book();
    for sent in 1..3 {
        replaced.judge(PEER, saved(7, true), None, frame(sent, sent));
    }
    replaced.judge(PEER, saved(7, true), told(7, false), older(1));
    assert_eq!(replaced.history_of(PEER), PeerHistory::Replaced);
}

#[test]
fn two_frames_must_tell_the_same_genesis() {
    let mut lacks = book();
    assert_eq!(lacks.judge(PEER, saved(7, false), told(8, true), frame(1, 1)), Verdict::Unclear);
    assert_eq!(lacks.judge(PEER, saved(7, false), told(8, true), frame(1, 1)), Verdict::Unclear, "a copy");
    assert_eq!(lacks.judge(PEER, saved(7, false), told(9, true), frame(2, 2)), Verdict::Unclear);
    let replaced = Verdict::SelfReplaced(Genesis::from_bits(9));
    assert_eq!(lacks.judge(PEER, saved(7, false), told(9, true), frame(3, 3)), replaced);
    // What is told as final counts for what is held at that time.
    let mut holds = book();
    holds.judge(PEER, saved(7, false), told(7, true), frame(1, 1));
    holds.judge(PEER, saved(8, false), told(8, true), frame(2, 2));
    assert_eq!(holds.wanted(saved(8, false), Place::Elsewhere, false, || false), None);
    holds.judge(PEER, saved(8, false), told(8, true), frame(3, 3));
    assert_eq!(holds.wanted(saved(8, false), Place::Elsewhere, false, || false), saved(8, true));
}

#[test]
fn another_one_told_as_final_to_storage_that_may_lack_it_is_not_mixed_up_with_its_own() {
    let mut book = book();
    let lawfully = |sent| frame(sent, sent).may_lack(false, true);
    book.judge(PEER, saved(7, false), told(7, true), lawfully(1));
    book.judge(PEER, saved(7, false), told(9, true), lawfully(2));
    book.judge(PEER, saved(7, false), told(7, true), lawfully(3));
    assert_eq!(book.wanted(saved(7, false), Place::Elsewhere, true, || false), saved(7, true));
}

#[test]
fn what_was_chosen_belongs_to_its_epoch() {
    let mut book = book();
    book.choose(Epoch::new(5), vec![].into_iter(), || Genesis::from_bits(7));
    assert_eq!(book.chosen_in(Epoch::new(5)), Some(Genesis::from_bits(7)));
    assert_eq!(book.chosen_in(Epoch::new(6)), None);
    book.note_held(PEER, Epoch::new(6), told(7, false));
    assert!(!book.is_held_by(PEER, Epoch::new(6)));
    book.note_held(PEER, Epoch::new(5), told(8, false));
    assert!(!book.is_held_by(PEER, Epoch::new(5)));
    book.note_held(PEER, Epoch::new(5), told(7, false));
    assert!(book.is_held_by(PEER, Epoch::new(5)));
}

#[test]
fn r59_what_is_final_is_wanted_no_more_and_taken_only_by_who_may_lack_it() {
    let follows = |told| Place::Follows(Epoch::new(5), told);
    let taken =
        |is_final| Some(SavedGenesis { genesis: Genesis::from_bits(8), epoch: Epoch::new(5), is_final });
    let wanted = |own, place, may_lack| book().wanted(own, place, may_lack, || false);
    assert_eq!(wanted(saved(7, true), follows(told(8, false)), true), None, "it has a final one");
    assert_eq!(wanted(saved(7, false), follows(told(8, false)), false), taken(false));
    assert_eq!(wanted(saved(7, false), follows(told(8, true)), false), None, "it counts as replaced first");
    assert_eq!(wanted(saved(7, false), follows(told(8, true)), true), taken(true));
}
