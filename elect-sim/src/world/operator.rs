//! What an operator does to a machine besides asking its elector.

use elect_core::RebuiltTo;

use super::World;
use crate::ids::NodeIndex;

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
        let (record, data) = restored.backup().ok_or("there is no backup")?;
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

    /// A host claims that its replaced storage holds everything up to the end of its log.
    pub(crate) fn claim_rebuilt(&mut self, node: NodeIndex) {
        let entry = self.node(node).seat().hosted().position();
        let now = self.local(node);
        self.note(Some(node), || format!("claims to be rebuilt up to {entry:?}"));
        self.elector(node, now, |elector| elector.on_rebuilt(RebuiltTo { entry }, now));
    }
}
