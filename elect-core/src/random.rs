//! The only source of chance: keyed, so that equal inputs give equal outputs (S12, R49).

use crate::name::NodeId;

/// `SplitMix64` (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Keyed by seed, node and a number that changes with each life: two nodes with one seed differ.
    pub(crate) fn new(seed: u64, node: NodeId, life: u32) -> Self {
        let mut random = Self(seed ^ u64::from(life).rotate_left(32));
        for chunk in node.as_padded_bytes().chunks_exact(8) {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            random.0 ^= u64::from_le_bytes(word);
            random.next();
        }
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in `0..=max`.
    pub(crate) fn up_to(&mut self, max: u64) -> u64 {
        ((u128::from(self.next()) * (u128::from(max) + 1)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_differs_by_node_and_life() {
        let [a, b] = ["a", "b"].map(|name| NodeId::new(name).unwrap());
        let first = |node, life| Random::new(7, node, life).next();
        assert_eq!(first(a, 1), first(a, 1));
        assert_ne!(first(a, 1), first(b, 1));
        assert_ne!(first(a, 1), first(a, 2));
    }

    #[test]
    fn draws_stay_within_their_bound() {
        let mut random = Random::new(1, NodeId::new("a").unwrap(), 1);
        assert_eq!(random.up_to(0), 0);
        let draws: alloc::vec::Vec<_> = (0..1000).map(|_| random.up_to(9)).collect();
        assert!(draws.iter().all(|&draw| draw <= 9));
        assert!((0..=9).all(|value| draws.contains(&value)));
    }
}
