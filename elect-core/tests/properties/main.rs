//! Real electors under arbitrary schedules: frames delayed, duplicated, reordered, lost and forged; clocks that
//! drift; crashes, paused processes, lost disks; saves that are slow, hang and fail; requests at any moment. After
//! every step the safety clauses are checked against shadow books that share no code with the elector.
#![cfg(feature = "std")]

mod books;
mod forge;
mod member;
mod schedule;
mod world;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use crate::schedule::play;
use crate::world::{Frames, Shape};

const THREE: Shape =
    Shape { voters: 3, witnesses: 0, observers: 0, crash_evidence: false, adaptive: false, differing: false };
const MIXED: Shape =
    Shape { voters: 2, witnesses: 1, observers: 1, crash_evidence: true, adaptive: false, differing: true };
const FIVE: Shape =
    Shape { voters: 4, witnesses: 1, observers: 0, crash_evidence: true, adaptive: true, differing: true };

/// `PROPTEST_CASES` scales a campaign; `share` is this test's part of the 10⁵ cases that CI runs.
fn cases(share: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let asked = std::env::var_os("PROPTEST_CASES").map(|_| default.cases);
    ProptestConfig {
        cases: asked.unwrap_or(share),
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/proptest-regressions/properties.txt",
        ))),
        ..default
    }
}

/// Four bytes are one action: what, who, to whom, how much.
fn script() -> impl Strategy<Value = Vec<[u8; 4]>> {
    prop::collection::vec(any::<[u8; 4]>(), 1..28)
}

/// S12: a second run of the same inputs says and does the same, bit for bit.
fn twice(shape: Shape, frames: Frames, seed: u64, script: &[[u8; 4]]) {
    let first = play(shape, frames, seed, script);
    let second = play(shape, frames, seed, script);
    assert_eq!(first, second, "S12: the same inputs gave other outputs");
}

proptest! {
    #![proptest_config(cases(40_000))]
    #[test]
    fn three_voters_keep_every_clause(seed: u64, script in script()) {
        twice(THREE, Frames::Honest, seed, &script);
    }
}

proptest! {
    #![proptest_config(cases(25_000))]
    #[test]
    fn witness_and_observer_keep_every_clause(seed: u64, script in script()) {
        twice(MIXED, Frames::Honest, seed, &script);
    }
}

proptest! {
    #![proptest_config(cases(10_000))]
    #[test]
    fn five_members_keep_every_clause(seed: u64, script in script()) {
        twice(FIVE, Frames::Honest, seed, &script);
    }
}

proptest! {
    #![proptest_config(cases(15_000))]
    /// Forged frames break the rule that members do not lie, so only what one elector owes by itself must hold.
    #[test]
    fn forged_frames_break_no_elector(seed: u64, script in script()) {
        twice(THREE, Frames::Forged, seed, &script);
    }
}

proptest! {
    #![proptest_config(cases(10_000))]
    #[test]
    fn forged_frames_break_no_witness(seed: u64, script in script()) {
        twice(MIXED, Frames::Forged, seed, &script);
    }
}

proptest! {
    #![proptest_config(cases(10_000))]
    /// One member's frames say another genesis at times. Somebody may count as replaced for it; nobody leads beside
    /// another.
    #[test]
    fn forged_geneses_make_no_second_leader(seed: u64, script in script()) {
        twice(THREE, Frames::Geneses, seed, &script);
    }
}

proptest! {
    #![proptest_config(cases(5_000))]
    #[test]
    fn forged_geneses_make_no_second_leader_of_five(seed: u64, script in script()) {
        twice(FIVE, Frames::Geneses, seed, &script);
    }
}
