//! Bugs planted in what surrounds an elector: whole runs must find each, by the name of its checker.

use elect_sim::{Checker, Detail, Options, Run, SECOND, Sabotage};

/// Runs seeds of a swarm until one fails with an expected checker.
#[track_caller]
fn finds(sabotage: Sabotage, seeds: u64, expected: &[Checker]) {
    let mut found = Vec::new();
    for seed in 0..seeds {
        let mut options = Options::swarm(seed, Some(3), 30 * SECOND);
        options.sabotage = Some(sabotage);
        found.extend(Run::new(options, Detail::Hash).outcome().violation.map(|violation| violation.checker));
        if found.last().is_some_and(|checker| expected.contains(checker)) {
            return;
        }
    }
    panic!("{sabotage:?}: found {found:?}");
}

#[test]
fn a_lying_disk() {
    finds(
        Sabotage::LyingDisk,
        3,
        &[Checker::DurableBeforeSent, Checker::ClaimsDurable, Checker::IncarnationFirst],
    );
}

#[test]
fn bytes_that_change_on_their_way() {
    finds(Sabotage::GarbledBytes, 3, &[Checker::WireRoundTrip]);
}

#[test]
fn a_primary_that_acknowledges_what_only_it_holds() {
    finds(Sabotage::OwnCopyIsEnough, 20, &[Checker::AcknowledgedPresent]);
}

#[test]
fn followers_without_a_fence() {
    finds(Sabotage::NoFence, 20, &[Checker::FenceAtApply, Checker::AcknowledgedPresent]);
}

#[test]
fn positions_of_two_entries_at_once() {
    finds(Sabotage::MixedPosition, 20, &[Checker::ClaimsDurable]);
}

#[test]
fn reads_that_do_not_check_the_lease() {
    // One seed in about eighty does: a reader must stop between taking its value and looking at the lease.
    finds(Sabotage::UncheckedRead, 1000, &[Checker::ReadsFresh]);
}

#[test]
fn a_winner_that_serves_at_once() {
    finds(Sabotage::ServesAtOnce, 40, &[Checker::AcknowledgedPresent, Checker::ReadsFresh]);
}

#[test]
fn a_winner_that_never_opens() {
    finds(Sabotage::NeverOpens, 5, &[Checker::Serves]);
}

#[test]
fn clocks_that_drift_more_than_was_configured() {
    finds(Sabotage::SecretDrift, 60, &[Checker::LeasesDisjoint, Checker::PromisesKept]);
}

#[test]
fn a_network_that_never_heals() {
    finds(Sabotage::NeverHeals, 5, &[Checker::Settles]);
}

#[test]
fn a_network_that_goes_on_stalling() {
    finds(Sabotage::Stalls, 60, &[Checker::Stays]);
}

#[test]
fn what_hosts_say_lost_on_its_way() {
    finds(Sabotage::LosesProfiles, 3, &[Checker::HostsKnown]);
}

#[test]
fn a_panic() {
    finds(Sabotage::Panics, 1, &[Checker::NoPanic]);
}

#[test]
fn every_checker_is_seen_to_fail_somewhere() {
    let tests = [
        include_str!("sabotage.rs"),
        include_str!("liveness.rs"),
        include_str!("own_hosts.rs"),
        include_str!("../src/checkers/tests.rs"),
    ];
    for &checker in Checker::ALL {
        let expected = format!("Checker::{checker:?}");
        let ends = |rest: &str| !rest.starts_with(char::is_alphanumeric);
        let seen = tests.iter().any(|text| text.split(&expected).skip(1).any(ends));
        assert!(seen, "no test expects {expected}");
    }
}
