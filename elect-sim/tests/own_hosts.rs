//! An embedder's own state machine runs inside, and its bugs are found.

use elect_sim::Checker;
use own_ledger::Bug;

#[path = "../examples/own_ledger.rs"]
#[expect(dead_code, reason = "nobody calls the example's main here")]
mod own_ledger;

#[test]
fn a_ledger_without_a_bug_holds_and_is_written_to() {
    let entries = own_ledger::acknowledged(12);
    assert!(entries > 1_000, "{entries}");
}

#[test]
fn a_host_that_swallows_a_raised_epoch_is_found_by_what_it_promised() {
    let found = own_ledger::first_failure(Bug::SwallowsRaise, 100);
    assert!(found.as_ref().is_some_and(|(_, why)| why.checker == Checker::HostHolds), "{found:?}");
}

#[test]
fn a_host_that_serves_without_catching_up_is_found_by_what_it_promised() {
    let found = own_ledger::first_failure(Bug::ServesWithoutCatchingUp, 100);
    assert!(found.as_ref().is_some_and(|(_, why)| why.checker == Checker::HostHolds), "{found:?}");
}

#[test]
fn the_same_seed_does_the_same_again() {
    let hash = |seed| own_ledger::run(seed, Bug::None).hash;
    assert_eq!(hash(3), hash(3));
    assert_ne!(hash(3), hash(4));
}
