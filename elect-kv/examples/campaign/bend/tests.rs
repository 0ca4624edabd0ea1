use super::*;
use crate::campaign::check::{Verdict, check};
use crate::campaign::clients::draw;
use crate::campaign::operation::KEYS;

/// Three clients of an object that does one thing after another; some answers are lost.
fn history(seed: u64) -> Vec<Entry> {
    let mut random = Random::new(seed, 0);
    let (mut state, mut last, mut ready) = ([None; KEYS], 0, [0; 3]);
    let mut entries = Vec::new();
    for number in 1..=120 {
        let client = random.below(3);
        let invoked = ready[client];
        last = last.max(invoked) + 1 + random.below(20) as u64;
        let operation = draw(&mut random, || number * 10 * STRIDE);
        let answer = operation.apply(&mut state);
        let returned = last + 1 + random.below(20) as u64;
        let is_open = random.one_in(30);
        entries.push(Entry {
            client,
            operation,
            invoked,
            answered: (!is_open).then_some((returned, answer)),
        });
        ready[client] = returned + 1;
    }
    entries
}

#[test]
fn every_bend_is_noticed() {
    for bend in BENDS {
        let mut bent = 0;
        for seed in 0..200 {
            let entries = history(seed);
            assert_eq!(check(&entries), Verdict::Linearizable, "{seed}");
            let Some(entries) = bend.of(&entries, &mut Random::new(seed, 1)) else { continue };
            bent += 1;
            assert!(matches!(check(&entries), Verdict::Violation(_)), "{bend:?} {seed}");
        }
        assert!(bent > 150, "{bend:?}: {bent}");
    }
}
