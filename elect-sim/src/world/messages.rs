//! What hosts tell each other, on its way.

use super::World;
use crate::ids::NodeIndex;
use crate::input::Input;
use crate::network::Fate;
use crate::packet::Packet;
use crate::queue::Event;

impl World {
    /// A message leaves for a member: for every machine that bears its name.
    pub(crate) fn tell(&mut self, from: NodeIndex, member: NodeIndex, packet: &Packet) {
        self.tell_machine(from, member, packet);
        for twin in self.twins_of(member) {
            self.tell_machine(from, twin, packet);
        }
    }

    fn tell_machine(&mut self, from: NodeIndex, to: NodeIndex, packet: &Packet) {
        if self.calm_since.is_none() && self.host_rng.chance(self.options.store_loss_ppm) {
            return;
        }
        match self.wires.fate_of_packet(from, to, self.clocks.now()) {
            None => {}
            Some(Fate::Arrives(arrivals)) => {
                for &at in arrivals.times() {
                    let slot = self.wires.put_packet(packet);
                    self.queue.push(at, Event::Message { from, to, slot });
                }
            }
            Some(Fate::Waits) => self.wires.hold_packet(from, to, packet),
        }
    }

    pub(crate) fn message_arrives(&mut self, from: NodeIndex, to: NodeIndex, slot: u32) {
        if self.node(to).is_down() || self.is_off_the_network(from) || self.refuses_handshake(from, to) {
            self.wires.drop_packet(slot);
        } else {
            self.input(to, Input::Message { from, slot });
        }
    }
}
