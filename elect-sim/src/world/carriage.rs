//! Frames on their way: encoded, carried, held back, delivered.

use elect_core::Frame;

use super::World;
use crate::counts::Counted;
use crate::ids::NodeIndex;
use crate::input::Input;
use crate::network::{Fate, Held};
use crate::queue::Event;
use crate::trace::Detail;

impl World {
    /// A frame leaves for a member: for every machine that bears its name.
    pub(crate) fn send(&mut self, from: NodeIndex, member: NodeIndex, frame: &Frame) {
        self.send_to_machine(from, member, frame);
        for twin in self.twins_of(member) {
            self.send_to_machine(from, twin, frame);
        }
    }

    #[inline]
    fn send_to_machine(&mut self, from: NodeIndex, to: NodeIndex, frame: &Frame) {
        self.book.count(Counted::Frame);
        let fate = self.wires.fate_of_frame(from, to, frame, self.clocks.now());
        if self.book.wants(Detail::Frames) {
            let text = format!("→ {} {:?} {:?}", to, frame.header, frame.body);
            let lost = if matches!(fate, Fate::Arrives(arrivals) if arrivals.times().is_empty()) {
                " LOST"
            } else {
                ""
            };
            self.note(Some(from), || format!("{text}{lost}"));
        }
        if self.book.wants(Detail::Events) {
            self.mark_message(from, to, frame, fate);
        }
        match fate {
            Fate::Arrives(arrivals) => {
                for &at in arrivals.times() {
                    let slot = self.wires.put_frame(frame, self.clocks.now());
                    self.queue.push(at, Event::Deliver { from, to, slot });
                }
            }
            Fate::Waits => self.wires.hold_frame(from, to, frame, self.clocks.now()),
        }
    }

    pub(crate) fn frame_arrives(&mut self, from: NodeIndex, to: NodeIndex, slot: u32) {
        let is_ghost =
            self.calm_since.is_some_and(|since| self.wires.is_ghost(slot, since, self.clocks.now()));
        if is_ghost || self.node(to).is_down() || self.is_off_the_network(from) {
            self.wires.drop_frame(slot);
            return;
        }
        self.book.absorb_frame(from, to, self.wires.bytes(slot));
        self.input(to, Input::Frame { from, slot });
    }

    pub(crate) fn unclog(&mut self, from: NodeIndex, to: NodeIndex) {
        for (at, held) in self.wires.unclog(from, to, self.clocks.now()) {
            match held {
                Held::Frame(slot) => self.queue.push(at, Event::Deliver { from, to, slot }),
                Held::Message(slot) => self.queue.push(at, Event::Message { from, to, slot }),
            }
        }
    }
}
