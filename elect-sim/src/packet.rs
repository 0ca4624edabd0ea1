//! What hosts tell each other, on its way.

use std::sync::Arc;

/// As much as every message of the built-in store needs.
const SHORT: usize = 40;

/// Bytes that one host sent to another: short ones in place, long ones shared by their copies.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    length: u8,
    short: [u8; SHORT],
    long: Option<Arc<[u8]>>,
}

impl Packet {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut packet = Self::default();
        if let (Some(place), Ok(length)) = (packet.short.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            place.copy_from_slice(bytes);
            packet.length = length;
        } else {
            packet.long = Some(bytes.into());
        }
        packet
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.long.as_deref().unwrap_or(&self.short[..usize::from(self.length)])
    }
}

impl Default for Packet {
    fn default() -> Self {
        Self { length: 0, short: [0; SHORT], long: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_messages_arrive_as_they_left() {
        for length in [0, 1, SHORT, SHORT + 1, 300] {
            let bytes: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
            assert_eq!(Packet::new(&bytes).as_slice(), bytes, "{length}");
        }
    }
}
