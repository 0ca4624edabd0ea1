//! What an operator does to a machine besides asking its elector.

use elect_core::{RebuiltTo, Record, Storage};

use super::World;
use crate::ids::NodeIndex;
use crate::node::Backup;

impl World {
    /// Puts a copy of what is durable aside.
    pub(crate) fn back_up(&mut self, node: NodeIndex) {
        self.node_mut(node).back_up();
        self.note(Some(node), || "is backed up".into());
    }

    /// Puts the copy back in place of what is there.
    pub(crate) fn restore(&mut self, node: NodeIndex) -> Result<(), String> {
        let restored = self.node_mut(node);
        if restored.has_process() {
            return Err("only the disk of a dead node is restored".into());
        }
        let Backup { record, data, .. } = restored.backup().cloned().ok_or("there is no backup")?;
        restored.put_disk(record, &data);
        self.book.checks_mut().meddled(node);
        self.note(Some(node), || "is restored from its backup".into());
        Ok(())
    }

    /// Copies what is durable on one machine to another one, where no process runs.
    pub(crate) fn copy_disk(&mut self, from: NodeIndex, to: NodeIndex) -> Result<(), String> {
        if self.node(to).has_process() {
            return Err("a disk is copied to a machine where nothing runs".into());
        }
        let copied = self.node(from);
        let record = *copied.record().ok_or("there is nothing on that disk")?;
        let data = copied.seat().hosted().disk();
        self.node_mut(to).put_disk(record, &data);
        self.book.checks_mut().meddled(to);
        self.note(Some(to), || format!("has a copy of the disk of {from}"));
        Ok(())
    }

    /// An operator's word that a dead node has never run: `init` in place of `replace-lost`.
    pub(crate) fn init(&mut self, node: NodeIndex) {
        let life = self.node(node).life() + 1;
        let is_empty = !self.node(node).has_process() && self.node(node).record().is_none();
        let (true, Ok(config)) = (is_empty, self.written_config(node, life)) else { return };
        self.node_mut(node).disk_mut().install(Record::first_boot(&config));
        self.note(Some(node), || "is given a first boot".into());
    }

    /// The same where every other member that votes holds the final genesis, or has no vote: before, a second first
    /// boot is noticed as little as ever (R59), and no checker is right about it.
    pub(crate) fn init_if_final(&mut self, node: NodeIndex) {
        if self.would_notice_init(node) {
            self.init(node);
        }
    }

    /// Whether a second first boot of this member is noticed for certain.
    pub(crate) fn would_notice_init(&self, node: NodeIndex) -> bool {
        let votes = |peer: NodeIndex| self.options.kinds.get(peer.place()).is_some_and(|kind| kind.votes());
        let would_notice = |peer: NodeIndex| {
            let record = self.node(peer).record();
            record.is_some_and(|record| {
                let is_final = record.genesis.is_some_and(|genesis| genesis.is_final);
                is_final || record.storage == Storage::Replaced
            })
        };
        let mut others = self.members().filter(|&peer| peer != node && votes(peer)).peekable();
        others.peek().is_some() && others.all(would_notice)
    }

    /// A host claims that its replaced storage holds everything up to the end of its log.
    pub(crate) fn claim_rebuilt(&mut self, node: NodeIndex) {
        let entry = self.node(node).seat().hosted().position();
        let now = self.local(node);
        self.note(Some(node), || format!("claims to be rebuilt up to {entry:?}"));
        self.elector(node, now, |elector| elector.on_rebuilt(RebuiltTo { entry }, now));
    }
}
