//! The end of all faults.

use elect_core::Health;

use super::World;
use crate::clock::{MILLI, SECOND};
use crate::disk::Outcome;
use crate::ids::{Link, NodeIndex};
use crate::input::{Input, Request};
use crate::network::Quality;
use crate::node::State;
use crate::queue::Event;
use crate::sabotage::Sabotage;

impl World {
    /// Everything that can be mended is: then only `cuts` remain, and `retired` nodes and twins stay down.
    pub fn heal(&mut self, cuts: &[Link], retired: &[NodeIndex]) {
        self.note_network(&format!("HEALS; cuts {cuts:?} remain, {retired:?} stay down"));
        self.becomes_calm();
        let quality = self.calm_quality();
        self.wires.links_mut().set_quality(quality);
        if self.is_sabotaged(Sabotage::SlowSaves) {
            self.nodes.iter_mut().for_each(|node| node.disk_mut().slow_down(60 * MILLI));
        }
        self.wires.links_mut().heal_all();
        self.wires.links_mut().set_slower(0);
        self.wires.clear_rules();
        self.triggers.clear();
        self.actions.cancel();
        for Link { from, to } in self.all_links() {
            self.unclog(from, to);
        }
        for &Link { from, to } in cuts {
            self.wires.links_mut().cut(from, to);
        }
        self.mark_links();
        self.take_old_copies_away();
        for node in self.machines() {
            let is_twin = !self.is_member(node);
            self.heal_node(node, is_twin || retired.contains(&node));
        }
    }

    fn calm_quality(&self) -> Quality {
        let calm = self.options.calm;
        match self.options.sabotage {
            Some(Sabotage::NeverHeals) => Quality { loss_ppm: 1_000_000, ..calm },
            Some(Sabotage::SlowLinks) => Quality { delay_max: 10 * calm.delay_max, ..calm },
            Some(Sabotage::Stalls) => Quality { tail_ppm: 500_000, tail_max: 3 * SECOND, ..calm },
            _ => calm,
        }
    }

    fn heal_node(&mut self, node: NodeIndex, retires: bool) {
        self.node_mut(node).forget_interrupt();
        self.node_mut(node).disk_mut().set_next_save(Outcome::Succeeds);
        self.mend_disk(node);
        if retires {
            self.crash(node, None);
            self.node_mut(node).retire();
            return;
        }
        if self.book.checks().is_stopped(node) {
            self.crash(node, None);
        }
        let (life, pause) = (self.node(node).life(), self.node(node).last_pause());
        match self.node(node).state() {
            State::Down => self.queue.push(self.clocks.now(), Event::Start { node }),
            State::Paused => self.queue.push(self.clocks.now(), Event::Continue { node, life, pause }),
            State::Running => {}
        }
        self.input(node, Input::Request(Request::Health(Health::Healthy)));
        self.input(node, Input::Request(Request::Thaw));
    }
}
