//! Every failure that the project was made against has a home: a scenario of the simulator, or, where the simulator has
//! no sockets, threads or clients to show it, a test elsewhere. `scenarios/README.md` explains the choice.

use std::fs;
use std::path::PathBuf;

use elect_sim::SCENARIOS;

/// What went wrong in the systems that came before, and what broke an earlier wording of the protocol.
const IN_THE_SIMULATOR: &[&str] = &[
    "one-cut-link",
    "vote-while-primary",
    "vote-forgotten",
    "stranger-accepts",
    "epoch-exhausted",
    "deposed-longer-fork",
    "offer-while-candidate",
    "two-configured-primaries",
    "isolated-primary",
    "boot-all-lead",
    "restarted-lowest-id",
    "cooldown-two-masters",
    "stranger-counts",
    "deaf-leader",
    "restart-in-time",
    "announce-lost",
    "inflated-epoch",
    "best-hears-dead",
    "nobody-primary",
    "crossed-announce",
    "hub-highest-id",
    "best-dies-mid-election",
    "idle-cost",
    "stale-queue",
    "slow-fsync",
    "empty-peers",
    "duplicate-ids",
    "id-star",
    "crash-after-cluster-id",
    "cloudflare-2020-11-02",
    "omni-quorum-loss",
    "omni-constrained",
    "omni-chained",
    "bridge-hears-quorumless-leader",
    "prevote-cross-cohort",
    "lease-regress-on-self-campaign",
    "pause-between-check-and-serve",
    "hung-disk-leader",
    "bad-disk-recandidate",
    "blackhole-connect",
    "empty-replica-asks-first",
    "transfer-undone",
    "duplicate-handover",
    "elected-but-setup-fails",
    "rejoin-disrupts",
    "intersecting-partitions",
    "amnesiac-voter",
    "rotted-vote",
    "unfenced-old-primary",
    "echo-while-saving",
    "abandoned-reoffer",
    "lease-after-d-raised",
    "promise-shortened",
    "ghost-heartbeats",
    "dead-incarnation-frame",
    "leads-before-own-save",
    "holder-name-not-saved",
    "late-sync-acks",
    "mixed-position",
    "fence-outruns-record",
    "serves-before-own-entry",
    "source-lost-its-disk",
    "observer-counts-as-holder",
    "dirty-lease-read",
    "amnesiac-with-accept-in-flight",
    "amnesiac-confirms-uncaught-leader",
    "cloned-disk",
    "restored-backup",
    "lists-differ",
    "drift-settings-differ",
    "hung-save-of-a-leader",
    "fence-during-reoffer",
    "cannot-reach-catch-up-source",
    "hint-too-far",
    "handover-target-dies",
    "same-jitter-everywhere",
];

/// The same, with the file and the test function.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("health-check-storm", "elect-tcp/tests/process.rs", "health_check_storm"),
    ("silent-connections", "elect-tcp/tests/process.rs", "silent_connections"),
    ("shutdown-stalled-peer", "elect-tcp/tests/process.rs", "shutdown_stalled_peer"),
    ("callback-panics", "elect-tcp/tests/process.rs", "callback_panics"),
    ("bad-address", "elect-tcp/src/config.rs", "nonsense_is_refused_with_field_value_and_rule"),
    ("wrong-port", "elect-kv/tests/failover.rs", "wrong_port_followers_redirect_to_the_primarys_client_port"),
];

#[test]
fn every_name_that_the_simulator_can_tell_is_a_scenario() {
    let missing: Vec<_> =
        IN_THE_SIMULATOR.iter().filter(|name| SCENARIOS.iter().all(|(known, _)| known != *name)).collect();
    assert!(missing.is_empty(), "no scenario is called {missing:?}");
}

#[test]
fn every_other_name_is_a_test() {
    for (name, file, function) in ELSEWHERE {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {file}: {error}"));
        assert!(is_test(&text, function), "{name}: {file} has no test {function}");
    }
}

#[test]
fn every_name_stands_once() {
    let mut names: Vec<_> = IN_THE_SIMULATOR.iter().chain(ELSEWHERE.iter().map(|(name, ..)| name)).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name stands twice");
}

/// Whether `function` stands there with `#[test]` above it.
fn is_test(text: &str, function: &str) -> bool {
    let Some((before, _)) = text.split_once(&format!("fn {function}(")) else { return false };
    before.trim_end().ends_with("#[test]")
}

#[test]
fn a_function_that_is_no_test_is_not_taken_for_one() {
    assert!(is_test("#[test]\nfn joy() {}", "joy"));
    assert!(!is_test("fn joy() {}", "joy"));
    assert!(!is_test("#[test]\nfn joyful() {}", "joy"));
}
