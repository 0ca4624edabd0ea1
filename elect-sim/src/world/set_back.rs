//! Older copies of a member's disk that run again, in its place or beside it, and what operators make of that.
//!
//! What PROTOCOL.md does not promise is not asked. A copy runs only where every member that votes knows better; a
//! second one beside its original, only where everybody does, for whoever does not takes it for a restart, and its
//! original for the life before. As soon as one of those who know dies, or what runs with the copy does, the operator
//! does what should have been done before: the storage is replaced, or the second machine is taken off the network.

use elect_core::{Record, Storage};

use super::World;
use crate::action::Wiped;
use crate::clock::SECOND;
use crate::counts::Counted;
use crate::ids::NodeIndex;
use crate::node::Backup;
use crate::queue::Event;

impl World {
    /// Puts the copy back that was taken last, where every other member that votes runs and knows better.
    pub(crate) fn restore_if_known(&mut self, node: NodeIndex) {
        let restored = self.node(node);
        let is_intact = restored.record().is_some_and(|lost| lost.storage == Storage::Intact);
        let Some(copy) = self.copy_of(node).filter(|_| is_intact) else { return };
        let knowers = self.book.checks().would_disprove(node, &copy.record, copy.position);
        let mut voters = self.members().filter(|&peer| peer != node && self.node(peer).kind().votes());
        let is_known = voters.all(|voter| knowers.contains(&voter));
        if !is_known || !self.is_member(node) || self.node(node).has_process() {
            return;
        }
        self.keep_maximum(node);
        self.node_mut(node).put_disk(copy.record, &copy.data);
        self.book.checks_mut().set_back(node, &knowers);
        self.book.count(Counted::SetBack);
        self.note(Some(node), || format!("is set back, as {knowers:?} know"));
    }

    /// A twin starts with the copy of its member's disk that was taken last, where every other member runs and knows
    /// better.
    pub(crate) fn start_twin_if_known(&mut self, twin: NodeIndex) {
        let member = self.member(twin);
        let Some(copy) = self.copy_of(member) else { return };
        let knowers = self.book.checks().would_disprove(twin, &copy.record, copy.position);
        let mut others = self.members().filter(|&peer| peer != member);
        let is_known = others.all(|peer| knowers.contains(&peer));
        let is_possible =
            !self.is_member(twin) && !self.node(twin).has_process() && self.calm_since.is_none();
        if !is_known || !is_possible {
            return;
        }
        self.node_mut(twin).put_disk(copy.record, &copy.data);
        self.book.checks_mut().set_back(twin, &knowers);
        self.book.count(Counted::Twin);
        self.note(Some(twin), || format!("is a twin of {member}, as {knowers:?} know"));
        self.start(twin);
    }

    /// The copy that was taken last, if it would count as that very member's.
    fn copy_of(&self, node: NodeIndex) -> Option<Backup> {
        let copy = self.node(node).backup();
        let counts =
            |copy: &&Backup| copy.record.storage == Storage::Intact && !self.lacks_genesis(&copy.record);
        copy.filter(counts).cloned()
    }

    /// Whether somebody holds a final genesis, and this record does not: R59 notices that.
    fn lacks_genesis(&self, record: &Record) -> bool {
        let is_final = |record: &Record| record.genesis.is_some_and(|genesis| genesis.is_final);
        !is_final(record) && self.members().any(|node| self.node(node).record().is_some_and(is_final))
    }

    /// A process is at its end: an old copy is taken away if it was that one's, or if that one knew.
    pub(crate) fn take_old_copy_away(&mut self, died: NodeIndex) {
        self.end_old_copy(died);
        for node in self.book.checks().known_to(died) {
            if self.node(node).has_process() {
                let wait = self.consequence_rng.between(SECOND, 5 * SECOND);
                self.crash(node, Some(wait));
            }
            self.end_old_copy(node);
        }
    }

    /// Everybody's is: faults are over.
    pub(crate) fn take_old_copies_away(&mut self) {
        for node in self.machines().filter(|&node| self.book.checks().is_set_back(node)).collect::<Vec<_>>() {
            self.crash(node, None);
            self.end_old_copy(node);
        }
    }

    /// It does not even start with what it was set back to.
    pub(crate) fn start_refused(&mut self, node: NodeIndex) {
        if self.book.checks().is_set_back(node) {
            self.notice_set_back(node);
            self.wipe(node, Wiped::Record);
            let wait = self.consequence_rng.between(SECOND, 5 * SECOND);
            self.queue.push(self.clocks.now() + wait, Event::Start { node });
        }
    }

    /// It stops, because a peer knows better.
    pub(crate) fn notice_set_back(&mut self, node: NodeIndex) {
        if self.book.checks().is_set_back(node) {
            self.book.count(Counted::SetBackNoticed);
            self.book.checks_mut().no_longer_set_back(node);
        }
    }

    fn end_old_copy(&mut self, node: NodeIndex) {
        if !self.book.checks().is_set_back(node) {
            return;
        }
        self.book.checks_mut().no_longer_set_back(node);
        if self.is_member(node) {
            self.note(Some(node), || "is replaced by its operator".into());
            self.wipe(node, Wiped::Record);
        } else {
            self.note(Some(node), || "is taken off the network".into());
            self.node_mut(node).disk_mut().wipe();
        }
    }

    /// A twin stops, because a peer knows better. Nobody repairs it.
    pub(crate) fn twin_stopped(&mut self, twin: NodeIndex) {
        if self.book.checks().is_set_back(twin) {
            self.book.count(Counted::TwinNoticed);
            let (at, life) = (self.clocks.now() + self.consequence_rng.below(SECOND), self.node(twin).life());
            self.queue.push(at, Event::Repair { node: twin, life });
        }
    }

    /// Whether what comes from this machine is lost: it was a twin's, and that is off the network.
    pub(crate) fn is_off_the_network(&self, from: NodeIndex) -> bool {
        !self.is_member(from) && self.node(from).record().is_none()
    }

    /// Whether two hosts do not talk to each other, because one runs with an old copy and the other's elector says so
    /// in the handshake of their connection.
    pub(crate) fn refuses_handshake(&self, one: NodeIndex, other: NodeIndex) -> bool {
        self.refuses(one, other) || self.refuses(other, one)
    }

    fn refuses(&self, node: NodeIndex, peer: NodeIndex) -> bool {
        if !self.book.checks().is_set_back(peer) {
            return false;
        }
        let (Some(process), Some(dialler)) = (self.node(node).process(), self.node(peer).process()) else {
            return true;
        };
        let (Some(birth), Some(record)) = (dialler.elector().birth(), self.node(peer).record()) else {
            return true;
        };
        process.elector().rejects(self.node(peer).id(), record.incarnation, Some(birth)).is_some()
    }
}
