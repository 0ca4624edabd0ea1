//! Things in flight, in reused places.

use elect_core::Frame;
use elect_core::wire::{self, FRAME_BYTES_MAX, WireError};

use crate::clock::Real;

/// The bytes of one frame on its way.
#[derive(Clone, Debug)]
pub(crate) struct Bytes {
    buffer: [u8; FRAME_BYTES_MAX],
    length: usize,
    sent: Real,
}

impl Bytes {
    pub(crate) fn encode(&mut self, frame: &Frame, now: Real) {
        self.length = wire::encode(frame, &mut self.buffer);
        self.sent = now;
    }

    pub(crate) fn decode(&self) -> Result<Frame, WireError> {
        wire::decode(self.as_slice())
    }

    /// When it left.
    pub(crate) fn sent(&self) -> Real {
        self.sent
    }

    /// Loses the last byte.
    pub(crate) fn garble(&mut self) {
        self.length -= 1;
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self { buffer: [0; FRAME_BYTES_MAX], length: 0, sent: 0 }
    }
}

/// Places for things in flight: a freed place is used again, so that a steady state allocates nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slab<T> {
    places: Vec<T>,
    free: Vec<u32>,
}

impl<T: Default + Clone> Slab<T> {
    /// A place whose content is whatever was there last.
    pub(crate) fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.places.push(T::default());
            u32::try_from(self.places.len() - 1).expect("fewer than 2³² things are in flight")
        })
    }

    pub(crate) fn put(&mut self, value: T) -> u32 {
        let slot = self.take();
        *self.get_mut(slot) = value;
        slot
    }

    pub(crate) fn get(&self, slot: u32) -> &T {
        &self.places[slot as usize]
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> &mut T {
        &mut self.places[slot as usize]
    }

    pub(crate) fn free(&mut self, slot: u32) {
        self.free.push(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_places_are_used_again() {
        let mut slab = Slab::default();
        let first = slab.put(5u8);
        let second = slab.put(7);
        assert_eq!((*slab.get(first), *slab.get(second)), (5, 7));
        slab.free(first);
        assert_eq!(slab.put(9), first);
        assert_eq!(*slab.get(second), 7);
    }
}
