//! What makes two states of a model one: 128 bits of everything that the future depends on.
//!
//! Points of time are told relative to the clock that they belong to, in moments: nothing ever happens between two
//! moments. Nonces are told by their order among those that the same two nodes have seen of each other, and by their
//! age up to D: no comparison of an elector asks for more.

use std::time::Duration;

use elect_core::{Nonce, StateSink, Time};

use super::bounds::{Model, NODES};

const PAIRS: usize = NODES * NODES;

/// Collects the parts of a state. Used again and again, so that it allocates nothing.
#[derive(Debug)]
pub(super) struct Fingerprint {
    steps: [u64; NODES],
    stale: [u64; NODES],
    clocks: [Time; NODES],
    node: usize,
    words: Vec<u64>,
    /// By owner and other: the nonces, each with the place of the word that becomes its rank.
    nonces: [Vec<(Time, usize)>; PAIRS],
    floors: Vec<(usize, Time, usize)>,
}

impl Fingerprint {
    pub(super) fn new(model: &Model) -> Self {
        Self {
            steps: model.steps,
            stale: std::array::from_fn(|node| model.stale_age(node)),
            clocks: [Time::ZERO; NODES],
            node: 0,
            words: Vec::with_capacity(512),
            nonces: std::array::from_fn(|_| Vec::with_capacity(16)),
            floors: Vec::with_capacity(16),
        }
    }

    pub(super) fn begin(&mut self, clocks: [Time; NODES]) {
        self.clocks = clocks;
        self.words.clear();
        self.nonces.iter_mut().for_each(Vec::clear);
        self.floors.clear();
    }

    /// What follows is told by the clock of `node`.
    pub(super) fn by(&mut self, node: usize) {
        self.node = node;
    }

    /// For how many moments `point` has been over, rounded up.
    fn age(&self, owner: usize, point: Time) -> u64 {
        let age = self.clocks[owner].as_nanos().saturating_sub(point.as_nanos());
        age.div_ceil(self.steps[owner])
    }

    /// The fingerprint of what was told since `begin`.
    pub(super) fn finish(&mut self) -> u128 {
        for nonces in &mut self.nonces {
            nonces.sort_unstable();
            let mut rank = 0;
            let mut last = None;
            for &(sent, place) in nonces.iter() {
                rank += u64::from(last.is_some_and(|last| last != sent));
                last = Some(sent);
                self.words[place] |= rank;
            }
        }
        for &(owner, from, place) in &self.floors {
            for other in 0..NODES {
                let nonces = &self.nonces[owner * NODES + other];
                self.words[place] |= (below(nonces, from) as u64) << (other * 8);
            }
        }
        digest(&self.words)
    }
}

/// How many different nonces of a sorted list are lower than `from`.
fn below(nonces: &[(Time, usize)], from: Time) -> usize {
    let lower = nonces.iter().take_while(|(sent, _)| *sent < from);
    let mut last = None;
    lower.filter(|(sent, _)| last.replace(*sent) != Some(*sent)).count()
}

impl StateSink for Fingerprint {
    fn word(&mut self, word: u64) {
        self.words.push(word);
    }

    fn until(&mut self, point: Time) {
        let clock = self.clocks[self.node];
        self.words.push(if point == Time::NEVER {
            u64::MAX
        } else {
            point.as_nanos().saturating_sub(clock.as_nanos()).div_ceil(self.steps[self.node])
        });
    }

    fn since(&mut self, point: Time, horizon: Duration) {
        let horizon = u64::try_from(horizon.as_nanos()).unwrap_or(u64::MAX) / self.steps[self.node] + 1;
        self.words.push(self.age(self.node, point).min(horizon));
    }

    fn nonce(&mut self, owner: usize, other: usize, nonce: Nonce) {
        let age = self.age(owner, nonce.sent).min(self.stale[owner]);
        self.nonces[owner * NODES + other].push((nonce.sent, self.words.len()));
        self.words.push(u64::from(nonce.incarnation.counter) << 32 | age << 16);
    }

    fn echoed(&mut self, owner: usize, other: usize, nonce: Nonce) {
        if self.age(owner, nonce.sent) >= self.stale[owner] {
            self.words.push(u64::MAX);
        } else {
            self.nonce(owner, other, nonce);
        }
    }

    fn floor(&mut self, owner: usize, from: Time) {
        self.floors.push((owner, from, self.words.len()));
        self.words.push(0);
    }
}

/// Two lanes of multiply and fold, with constants of their own.
fn digest(words: &[u64]) -> u128 {
    let mut lanes = [0x243f_6a88_85a3_08d3_u64, 0x1319_8a2e_0370_7344];
    for &word in words {
        lanes[0] = fold(lanes[0].rotate_left(23) ^ word, 0xa076_1d64_78bd_642f);
        lanes[1] = fold(lanes[1].rotate_left(41) ^ word, 0xe703_7ed1_a0b4_28db);
    }
    let length = words.len() as u64;
    let low = fold(lanes[0] ^ length, 0x8ebc_6af0_9c88_c6e3);
    let high = fold(lanes[1] ^ length, 0x5899_65cc_7537_4cc3);
    u128::from(high) << 64 | u128::from(low)
}

/// Both halves of a product, folded into one: every bit of `left` reaches many of the result.
#[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
fn fold(left: u64, right: u64) -> u64 {
    // An added constant: zero is as good as any other value.
    let product = u128::from(left.wrapping_add(0x9e37_79b9_7f4a_7c15)) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}
