//! Several replicas on a lossy network, with leader changes, crashes and late syncs.
//!
//! Elections are played by the simulation: a quorum raises its fences and reports durable positions, as the
//! elector's gate does, and each host learns of it later, in its own time. What is checked after every step:
//! committed entries never differ between nodes, a state is what they make of it, and whoever enters office holds every
//! acknowledged write. Logs are dropped at their beginning at any time, and states sent in place of what was dropped.

mod cluster;
mod disk;
mod elections;
mod scenarios;

use proptest::prelude::*;

use cluster::Cluster;

/// A bent rule: the checks must notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mutant {
    None,
    /// Acknowledgements do not pass the fence again.
    AcksPassUnfenced,
    /// The longer log wins, whatever its epochs.
    LengthBeatsEpoch,
    /// A winner behind its quorum does not catch up.
    NoCatchUp,
    /// Entries are dropped that are not applied.
    DropsUnapplied,
    /// Entries that are not committed are in the state that is sent.
    SendsUncommitted,
    /// A part of a state is taken for all of it.
    SendsHalf,
    /// Parts of different states are taken for one.
    MixesStates,
    /// Log and state are deleted before another one is received.
    MakesRoom,
}

fn run(nodes: usize, steps: &[(u8, u8, u8)], mutant: Mutant) -> Result<Cluster, String> {
    let mut cluster = Cluster::new(nodes, mutant);
    for one in 0..nodes {
        for other in 0..one {
            cluster.connect(one, other);
        }
    }
    cluster.elect(0, usize::MAX);
    for step in steps {
        cluster.step(*step);
        if let Some(broken) = cluster.broken.take() {
            return Err(broken);
        }
    }
    cluster.heal(steps.len() % nodes);
    match cluster.broken.take() {
        Some(broken) => Err(broken),
        None => Ok(cluster),
    }
}

fn steps(length: usize) -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    proptest::collection::vec((0_u8..116, any::<u8>(), any::<u8>()), 0..length)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn acknowledged_writes_are_never_lost(nodes in prop_oneof![Just(3_usize), Just(5), Just(4)], steps in steps(400)) {
        let cluster = run(nodes, &steps, Mutant::None).map_err(TestCaseError::fail)?;
        prop_assert_eq!(cluster.logs().len(), 1, "all logs are equal in the end");
        for (at, entry) in &cluster.acknowledged {
            prop_assert!(cluster.holds(0, *at, entry), "{entry:?} at {at}");
        }
        prop_assert!(!cluster.acknowledged.is_empty(), "a healed cluster acknowledges");
    }
}

/// The same random histories each time.
fn histories() -> impl Iterator<Item = Vec<(u8, u8, u8)>> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = steps(400);
    std::iter::repeat_with(move || {
        proptest::strategy::ValueTree::current(&strategy.new_tree(&mut runner).unwrap())
    })
}

/// Runs random histories until the checks notice the bent rule.
fn caught(mutant: Mutant) -> Option<usize> {
    // A node that has bent its own rule may trip over it.
    let notices =
        |steps: Vec<_>| !matches!(std::panic::catch_unwind(|| run(3, &steps, mutant).is_err()), Ok(false));
    histories().take(20_000).position(notices)
}

#[test]
fn bent_rules_are_noticed() {
    use Mutant::*;
    for mutant in [
        AcksPassUnfenced,
        LengthBeatsEpoch,
        NoCatchUp,
        DropsUnapplied,
        SendsUncommitted,
        SendsHalf,
        MixesStates,
        MakesRoom,
    ] {
        assert!(caught(mutant).is_some(), "{mutant:?} goes unnoticed");
    }
}

/// A winner that was passed by asks its source, which belongs to a later leader by now, for its state.
#[test]
fn a_winner_takes_no_state_of_a_later_epoch() {
    let steps = [(113, 234, 9), (92, 33, 10), (70, 136, 0), (113, 42, 4), (113, 29, 0)];
    let cluster = run(3, &steps, Mutant::None).unwrap();
    assert_eq!(cluster.logs().len(), 1);
}

/// A question that is repeated on the way is answered by entries first, and then, since those are dropped, by a state.
#[test]
fn a_state_that_is_held_already_is_no_contradiction() {
    let steps = [
        (113, 114, 1),
        (113, 235, 0),
        (113, 74, 1),
        (113, 115, 92),
        (101, 89, 6),
        (0, 24, 76),
        (105, 76, 2),
        (113, 137, 0),
    ];
    assert_eq!(run(5, &steps, Mutant::None).unwrap().logs().len(), 1);
}

/// What was to be tried was tried.
#[test]
fn states_are_sent_and_receivers_crash() {
    let (mut installed, mut half_received) = (0, 0);
    for steps in histories().take(300) {
        let cluster = run(3, &steps, Mutant::None).unwrap();
        installed += cluster.hosts.iter().map(|host| host.disk.installed).sum::<usize>();
        half_received += cluster.half_received;
    }
    assert!(installed > 100 && half_received > 10, "{installed} {half_received}");
}
