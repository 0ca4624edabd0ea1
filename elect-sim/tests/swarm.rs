//! A small campaign: what every change must survive. The large one is `elect-sim run`.

use elect_sim::{Counts, Detail, Options, Run, SECOND, swarm};

#[test]
fn a_hundred_seeds_hold() {
    let mut sum = Counts::default();
    for seed in 0..100 {
        let outcome = swarm(seed, None, 30 * SECOND, Detail::Hash).outcome();
        assert_eq!(outcome.violation, None, "elect-sim replay {seed} --seconds 30");
        sum.add(&outcome.counts);
    }
    // A campaign in which nothing happens proves nothing.
    assert!(sum.elections > 200 && sum.offices > 200 && sum.losses > 100, "{sum:?}");
    assert!(sum.acknowledged > 5_000 && sum.reads > 5_000 && sum.faults > 500 && sum.rebuilt > 10, "{sum:?}");
}

#[test]
fn with_clocks_far_outside_their_bound_everything_but_leases_holds() {
    let mut sum = Counts::default();
    for seed in 0..40 {
        let outcome = Run::new(Options::wild(seed, None, 20 * SECOND), Detail::Hash).outcome();
        assert_eq!(outcome.violation, None, "elect-sim replay {seed} --seconds 20 --wild-clocks");
        sum.add(&outcome.counts);
    }
    assert!(sum.elections > 100 && sum.acknowledged > 1_000, "{sum:?}");
}
