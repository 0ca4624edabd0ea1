//! Several replicas on a lossy network, with leader changes, crashes and late syncs.
//!
//! Elections are played by the simulation: a quorum raises its fences and reports durable positions, as the
//! elector's gate does, and each host learns of it later, in its own time. What is checked after every step:
//! committed entries never differ between nodes, and whoever enters office holds every acknowledged write.

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
    proptest::collection::vec((0_u8..105, any::<u8>(), any::<u8>()), 0..length)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn acknowledged_writes_are_never_lost(nodes in prop_oneof![Just(3_usize), Just(5), Just(4)], steps in steps(400)) {
        let cluster = run(nodes, &steps, Mutant::None).map_err(TestCaseError::fail)?;
        prop_assert_eq!(cluster.logs().len(), 1, "all logs are equal in the end");
        for (at, entry) in &cluster.acknowledged {
            prop_assert_eq!(&cluster.hosts[0].disk.log[usize::try_from(*at).unwrap() - 1], entry);
        }
        prop_assert!(!cluster.acknowledged.is_empty(), "a healed cluster acknowledges");
    }
}

/// Runs random histories until the checks notice the bent rule.
fn caught(mutant: Mutant) -> Option<usize> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = steps(400);
    (0..20_000).find(|_| {
        let tree = strategy.new_tree(&mut runner).unwrap();
        run(3, &proptest::strategy::ValueTree::current(&tree), mutant).is_err()
    })
}

#[test]
fn bent_rules_are_noticed() {
    for mutant in [Mutant::AcksPassUnfenced, Mutant::LengthBeatsEpoch, Mutant::NoCatchUp] {
        assert!(caught(mutant).is_some(), "{mutant:?} goes unnoticed");
    }
}
