//! Triggers that fire.

use super::World;
use crate::ids::NodeIndex;
use crate::queue::Event;
use crate::trigger::{Moment, Strike};

impl World {
    /// A node did something: what waited for that strikes, each once.
    pub(crate) fn fire(&mut self, node: NodeIndex, moment: Moment) {
        let (now, queue) = (self.clocks.now(), &mut self.queue);
        let mut later = |after, strike| queue.push(now + after, Event::Strike { node, strike });
        self.triggers.fire(node, moment, &mut later);
    }

    pub(crate) fn strike_at(&mut self, node: NodeIndex, strike: Strike) {
        if self.calm_since.is_some() {
            return; // It was set before the faults ended.
        }
        self.note(Some(node), || format!("is struck: {strike:?}"));
        match strike {
            Strike::Crash(down) => self.crash(node, Some(down)),
            Strike::Pause(time) => self.pause(node, time),
            Strike::CutTo(peer, time) => self.cut_for(node, peer, time),
            Strike::CutFrom(peer, time) => self.cut_for(peer, node, time),
            Strike::NextSave(outcome) => self.node_mut(node).disk_mut().set_next_save(outcome),
        }
    }

    fn cut_for(&mut self, from: NodeIndex, to: NodeIndex, time: u64) {
        self.wires.links_mut().cut(from, to);
        self.mark_links();
        self.queue.push(self.clocks.now() + time, Event::Mended { from, to });
    }

    pub(crate) fn mended(&mut self, from: NodeIndex, to: NodeIndex) {
        if self.calm_since.is_none() {
            self.wires.links_mut().heal(from, to);
            self.mark_links();
        }
    }
}
