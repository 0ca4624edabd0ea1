//! Which states were seen: 16 bytes each.

/// A set of fingerprints: open addressing, linear probing.
#[derive(Debug)]
pub(super) struct Visited {
    slots: Vec<u128>,
    used: usize,
}

impl Visited {
    pub(super) fn new() -> Self {
        Self { slots: vec![0; 1 << 16], used: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// Whether it was not there yet.
    pub(super) fn insert(&mut self, fingerprint: u128) -> bool {
        // Zero marks a free slot.
        let fingerprint = fingerprint.max(1);
        let slot = Self::find(&self.slots, fingerprint);
        if self.slots[slot] == fingerprint {
            return false;
        }
        self.slots[slot] = fingerprint;
        self.used += 1;
        if self.used > self.slots.len() / 4 * 3 {
            self.grow();
        }
        true
    }

    fn find(slots: &[u128], fingerprint: u128) -> usize {
        let mask = slots.len() - 1;
        let mut slot = fingerprint as usize & mask;
        while slots[slot] != 0 && slots[slot] != fingerprint {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let mut slots = vec![0; self.slots.len() * 2];
        for &fingerprint in self.slots.iter().filter(|&&fingerprint| fingerprint != 0) {
            let slot = Self::find(&slots, fingerprint);
            slots[slot] = fingerprint;
        }
        self.slots = slots;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inserted_is_there_and_nothing_else() {
        let mut visited = Visited::new();
        let fingerprint = |number: u128| number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        for number in 0..200_000 {
            assert!(visited.insert(fingerprint(number)), "{number}");
        }
        for number in 0..200_000 {
            assert!(!visited.insert(fingerprint(number)), "{number}");
        }
        assert_eq!(visited.len(), 200_000);
    }
}
