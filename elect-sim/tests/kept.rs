//! Seeds that failed once, and the worst that held, are run for ever.

use elect_sim::{CORPUS, CorpusSeed, Detail, Run};

#[test]
fn every_kept_seed_holds() {
    let kept = CorpusSeed::parse(CORPUS).unwrap();
    assert!(kept.len() >= 6, "{} seeds are kept", kept.len());
    for seed in kept {
        let outcome = Run::new(seed.options(), Detail::Hash).outcome();
        assert_eq!(outcome.violation, None, "{}", seed.to_line());
        // A run in which nothing happens keeps nothing.
        assert!(outcome.counts.elections > 0 && outcome.counts.frames > 1_000, "{}", seed.to_line());
    }
}
