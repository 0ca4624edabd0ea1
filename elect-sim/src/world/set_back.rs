//! Machines that are set back to an older copy of their disk, and what their operator makes of it.
//!
//! What PROTOCOL.md does not promise is not asked: a copy is put back only where everybody who votes knows better, and
//! as soon as one of those who know dies, or the machine that was set back does, its operator does what should have
//! been done after the restore: the storage is replaced.

use elect_core::{Record, Storage};

use super::World;
use crate::action::Wiped;
use crate::checkers::Copy;
use crate::clock::SECOND;
use crate::counts::Counted;
use crate::ids::NodeIndex;
use crate::queue::Event;

impl World {
    /// Puts the copy back that was taken last, where every other member that votes runs and knows better.
    pub(crate) fn restore_if_known(&mut self, node: NodeIndex) {
        let restored = self.node(node);
        let (Some(lost), Some((record, data))) = (restored.record().copied(), restored.backup()) else {
            return;
        };
        let is_intact = [lost, record].iter().all(|record| record.storage == Storage::Intact);
        if restored.has_process() || !self.is_member(node) || !is_intact || self.lacks_genesis(&record) {
            return;
        }
        let newer = restored.seat().hosted().disk();
        self.keep_maximum(node);
        self.node_mut(node).put_disk(record, &data);
        let position = self.node(node).seat().hosted().position();
        let knowers = self.book.checks().would_disprove(node, Copy { record: &record, position });
        let mut voters = self.members().filter(|&peer| peer != node && self.node(peer).kind().votes());
        if voters.all(|voter| knowers.contains(&voter)) {
            self.book.checks_mut().set_back(node, &knowers);
            self.book.count(Counted::SetBack);
            self.note(Some(node), || format!("is set back, as {knowers:?} know"));
        } else {
            self.node_mut(node).put_disk(lost, &newer);
        }
    }

    /// Whether somebody holds a final genesis, and this record does not: R59 notices that.
    fn lacks_genesis(&self, record: &Record) -> bool {
        let is_final = |record: &Record| record.genesis.is_some_and(|genesis| genesis.is_final);
        !is_final(record) && self.members().any(|node| self.node(node).record().is_some_and(is_final))
    }

    /// A process is at its end: what went back is replaced if it was that one, or if that one knew.
    pub(crate) fn replace_what_went_back(&mut self, died: NodeIndex) {
        self.replace_if_set_back(died);
        for node in self.book.checks().known_to(died) {
            if self.node(node).has_process() {
                let wait = self.consequence_rng.between(SECOND, 5 * SECOND);
                self.crash(node, Some(wait));
            }
            self.replace_if_set_back(node);
        }
    }

    /// Everybody's is: faults are over.
    pub(crate) fn replace_all_that_went_back(&mut self) {
        for node in self.members().filter(|&node| self.book.checks().is_set_back(node)).collect::<Vec<_>>() {
            self.crash(node, None);
            self.replace_if_set_back(node);
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

    fn replace_if_set_back(&mut self, node: NodeIndex) {
        if self.book.checks().is_set_back(node) {
            self.note(Some(node), || "is replaced by its operator".into());
            self.book.checks_mut().no_longer_set_back(node);
            self.wipe(node, Wiped::Record);
        }
    }
}
