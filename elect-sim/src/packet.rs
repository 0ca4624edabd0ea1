//! What hosts tell each other, on its way.

use std::sync::Arc;

use crate::ids::NodeIndex;
use crate::network::{Fate, Held};
use crate::process::{Input, State};
use crate::queue::What;
use crate::world::World;

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

impl World {
    /// A message leaves for a member: for every machine that bears its name.
    pub(crate) fn tell(&mut self, from: NodeIndex, member: NodeIndex, packet: &Packet) {
        self.tell_machine(from, member, packet);
        for twin in self.twins_of(member) {
            self.tell_machine(from, twin, packet);
        }
    }

    fn tell_machine(&mut self, from: NodeIndex, to: NodeIndex, packet: &Packet) {
        if self.calm_since.is_none() && self.chance.chance(self.options.store_loss_ppm) {
            return;
        }
        if self.network.is_data_cut(from, to) {
            return;
        }
        let fate = match self.apply_store_rules(from, to) {
            Some(fate) => fate,
            None => self.network.carry(from, to, self.now),
        };
        match fate {
            Fate::Arrives(arrivals) => {
                for &at in &arrivals.at[..arrivals.count] {
                    let slot = self.packets.put(packet.clone());
                    self.queue.push(at, What::Message { from, to, slot });
                }
            }
            Fate::Waits => {
                let slot = self.packets.put(packet.clone());
                self.network.hold(from, to, Held::Message(slot));
            }
        }
    }

    pub(crate) fn message_arrives(&mut self, from: NodeIndex, to: NodeIndex, slot: u32) {
        if self.node(to).state == State::Down {
            self.packets.free(slot);
        } else {
            self.input(to, Input::Message { from, slot });
        }
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
