//! Connections: how they are made, refused and closed, and who notices.

use elect_core::{Incarnation, LinkState};

use super::World;
use crate::clock::{MILLI, Real, SECOND};
use crate::ids::{Life, NodeIndex};
use crate::input::Input;
use crate::queue::Event;

impl World {
    pub(crate) fn dial(&mut self, from: NodeIndex, to: NodeIndex, life: Life) {
        let dialler = self.node(from);
        if !dialler.lives(life) || dialler.is_connected(to) {
            return;
        }
        let retry = self.clocks.now() + 50 * MILLI + self.host_rng.below(50 * MILLI);
        self.queue.push(retry, Event::Dial { from, to, life });
        if self.node(from).is_running() && !self.wires.links().is_cut(from, to) {
            let at = self.clocks.now() + self.wires.links_mut().delay();
            self.queue.push(at, Event::DialArrives { from, to, life, began: self.clocks.now() });
        }
    }

    pub(crate) fn dial_arrives(&mut self, from: NodeIndex, to: NodeIndex, life: Life, began: Real) {
        let target = self.node(to);
        if target.is_dark() || self.wires.links().is_cut(to, from) {
            return;
        }
        // A stopped process does not refuse: its kernel accepts for it.
        let accepted = !target.is_down();
        let at = self.clocks.now() + self.wires.links_mut().delay();
        self.queue.push(at, Event::DialAnswered { from, to, life, began, accepted });
    }

    pub(crate) fn dial_answered(
        &mut self,
        from: NodeIndex,
        to: NodeIndex,
        life: Life,
        began: Real,
        accepted: bool,
    ) {
        let dialler = self.node(from);
        if !dialler.lives(life) || dialler.is_connected(to) {
            return;
        }
        if accepted && self.node(to).is_down() {
            return; // It died meanwhile; the next attempt tells.
        }
        let state = if accepted {
            LinkState::Up
        } else {
            LinkState::Refused { attempt_began: self.clocks.read(from, began) }
        };
        self.node_mut(from).set_connected(to, accepted);
        if accepted {
            self.book.linked(self.clocks.now(), from, to);
        }
        self.note(Some(from), || format!("link to {} {}", to, if accepted { "up" } else { "refused" }));
        self.input(from, Input::Link { peer: to, state });
    }

    /// Peers notice that the connections of a dead process are closed, unless nothing can tell them.
    pub(crate) fn break_connections(&mut self, node: NodeIndex) {
        self.node_mut(node).disconnect();
        for peer in self.machines().filter(|&peer| peer != node) {
            let life = self.node(peer).life();
            let silent = self.node(node).is_dark() || self.wires.links().is_cut(node, peer);
            let wait = if silent { 2 * SECOND } else { self.wires.links_mut().delay() };
            self.queue.push(self.clocks.now() + wait, Event::Closed { node: peer, peer: node, life });
        }
    }

    /// Who held the process tells the peers that this life has ended: mostly at once, sometimes so late that the next life
    /// is there first. It is on the same machine, and loses power with it.
    pub(crate) fn tell_end(&mut self, node: NodeIndex, incarnation: Incarnation) {
        if !self.options.supervised || self.node(node).is_dark() {
            return;
        }
        let ended = self.member(node);
        for peer in self.machines() {
            if self.member(peer) == ended || self.wires.links().is_cut(node, peer) {
                continue;
            }
            let late = if self.host_rng.below(4) == 0 { self.host_rng.below(SECOND) } else { 0 };
            let at = self.clocks.now() + self.wires.links_mut().delay() + late;
            let life = self.node(peer).life();
            self.queue.push(at, Event::Ended { node: peer, peer: ended, life, incarnation });
        }
    }

    pub(crate) fn ended(&mut self, node: NodeIndex, peer: NodeIndex, life: Life, incarnation: Incarnation) {
        if self.node(node).lives(life) {
            self.note(Some(node), || format!("hears that life {} of {peer} has ended", incarnation.counter));
            self.input(node, Input::Link { peer, state: LinkState::Ended { incarnation } });
        }
    }

    pub(crate) fn closed(&mut self, node: NodeIndex, peer: NodeIndex, life: Life) {
        let noticing = self.node(node);
        if !noticing.lives(life) || !noticing.is_connected(peer) {
            return;
        }
        self.node_mut(node).set_connected(peer, false);
        self.note(Some(node), || format!("link to {peer} closed"));
        self.input(node, Input::Link { peer, state: LinkState::Closed });
        self.queue
            .push(self.clocks.now() + self.host_rng.below(MILLI), Event::Dial { from: node, to: peer, life });
    }
}
