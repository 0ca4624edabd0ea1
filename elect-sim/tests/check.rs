//! Every state within small bounds; the command goes further.

use elect_sim::Checker;
use elect_sim::check::{Bounds, Coverage, Planted, Verdict, explore};

fn all_of(bounds: Bounds) -> Verdict {
    explore(bounds, u64::MAX, |_| {})
}

#[track_caller]
fn holds(bounds: Bounds) -> Coverage {
    let Verdict { explored, complete, counterexample } = all_of(bounds);
    assert!(counterexample.is_none(), "{counterexample:#?}");
    assert!(complete && explored.frontier == 0, "{explored:?}");
    explored.coverage
}

#[test]
fn two_crashes_and_three_epochs() {
    let seen = holds(Bounds::SMALL);
    assert!(seen.epochs_led.into_iter().all(|states| states > 0), "{seen:?}");
    assert!(seen.after_a_change_of_leader > 0 && seen.in_the_highest_epoch > 0, "{seen:?}");
    assert!(seen.crashes_before_a_save > 0 && seen.crashes_after_a_save > 0, "{seen:?}");
}

#[test]
fn a_stray_frame_and_a_process_that_stands_still() {
    let seen = holds(Bounds { crashes_together: 0, strays: 1, sleeps: 1, epochs: 2, ..Bounds::SMALL });
    assert!(seen.strays_arrived > 0 && seen.with_a_deposed_leader_unaware > 0, "{seen:?}");
}

#[track_caller]
fn finds(planted: Planted, expected: &[Checker]) {
    let bounds = Bounds { sabotage: Some(planted), strays: 1, ..Bounds::SMALL };
    let found = all_of(bounds).counterexample.expect("the planted bug is found");
    assert!(expected.contains(&found.violation.checker), "{found:#?}");
    assert!((1..40).contains(&found.path.len()), "{found:#?}");
    assert!(found.path.iter().any(|line| line.contains("Offer")), "{found:#?}");
}

#[test]
fn a_disk_that_forgets_votes() {
    finds(Planted::DiskForgetsVotes, &[Checker::ClaimsDurable, Checker::DurableBeforeSent]);
}

#[test]
fn a_network_that_forges_accepts() {
    finds(
        Planted::NetworkForgesAccepts,
        &[Checker::OneLeaderPerEpoch, Checker::LeasesDisjoint, Checker::PromisesKept],
    );
}

#[test]
fn a_search_that_is_cut_short_says_so() {
    let verdict = explore(Bounds { strays: 1, ..Bounds::SMALL }, 1_000, |_| {});
    assert!(!verdict.complete && verdict.explored.frontier > 0 && verdict.counterexample.is_none());
}

#[test]
fn the_command_shows_the_path_and_fails() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_elect-sim"))
        .args(["check", "--small", "--plant", "network-forges-accepts"])
        .output()
        .expect("the command runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("VIOLATION one-leader-per-epoch") && text.contains("Accept"), "{text}");
}
