//! What hosts tell each other, on its way.

use super::World;
use crate::ids::NodeIndex;
use crate::input::Input;
use crate::network::{Fate, Held};
use crate::packet::Packet;
use crate::process::State;
use crate::queue::What;

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
