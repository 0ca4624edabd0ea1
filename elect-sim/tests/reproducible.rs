//! One seed decides everything.

use elect_sim::{Detail, SECOND, swarm};

#[test]
fn a_seed_runs_the_same_again_whatever_is_recorded() {
    for seed in 0..4 {
        let hash = |detail| swarm(seed, None, 20 * SECOND, detail).outcome().hash;
        assert_eq!(hash(Detail::Hash), hash(Detail::Hash));
        assert_eq!(hash(Detail::Hash), hash(Detail::Frames));
    }
}

#[test]
fn another_seed_runs_differently() {
    let hash = |seed| swarm(seed, Some(3), 5 * SECOND, Detail::Hash).outcome().hash;
    assert_ne!(hash(1), hash(2));
}
