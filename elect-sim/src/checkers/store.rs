//! S6 and S7 on the model store: fences, acknowledged writes, reads.

use elect_core::{Epoch, Position, Stamp};

use super::{Checker, Checkers, Real};
use crate::ids::NodeIndex;
use crate::model_log::{Entries, EntryId, ModelLog};

impl Checkers {
    /// A commit raises the fence of `node`.
    pub(crate) fn fence_raised(&mut self, node: NodeIndex, floor: Epoch, kept: Option<Epoch>) {
        let watched = self.at(node);
        watched.floor = watched.floor.max(floor);
        watched.kept = kept;
    }

    /// A commit of `node` succeeded: its fence must stand at the durable epoch.
    pub(crate) fn committed(&mut self, at: Real, node: NodeIndex) {
        let watched = self.at(node);
        watched.known = watched.durable;
        let (floor, durable) = (watched.floor, watched.durable.map_or(Epoch::ZERO, |record| record.epoch));
        if floor < durable {
            self.fail(Checker::FenceAtApply, at, node, || {
                format!("the fence stands at {floor} after epoch {durable} was made durable")
            });
        }
    }

    /// A commit of `node` reports a `position`, its disk ends with the entry at `held`.
    pub(crate) fn reports(&mut self, at: Real, node: NodeIndex, position: Position, held: Position) {
        if position != held {
            self.fail(Checker::ClaimsDurable, at, node, || {
                format!("its log reports {position}, its disk ends with {held}")
            });
        }
    }

    /// A request with `stamp` was admitted, to be applied or acknowledged.
    pub(crate) fn admitted(&mut self, at: Real, node: NodeIndex, stamp: Stamp) {
        let watched = self.at(node);
        let (floor, kept, durable) = (watched.floor, watched.kept, watched.known);
        let epoch = stamp.epoch();
        if epoch != floor && (epoch > floor || kept != Some(epoch)) {
            self.fail(Checker::FenceAtApply, at, node, || {
                format!("a stamp of {epoch} passed a fence at {floor} (kept {kept:?})")
            });
            return;
        }
        // A stamp below the durable epoch passes only while its leader, and nobody else, has the node's promise.
        let Some(durable) = durable.filter(|durable| epoch < durable.epoch) else { return };
        let holder = durable.holder.and_then(|holder| NodeIndex::of(holder.node));
        let leader = self.led.get(&epoch).map(|(leader, _)| self.member(*leader));
        if holder.is_none() || holder != leader {
            self.fail(Checker::FenceAtApply, at, node, || {
                format!("a stamp of {epoch} passed although the disk holds {durable:?}")
            });
        }
    }

    /// How many writes are acknowledged.
    pub(crate) fn acknowledged_length(&self) -> u64 {
        self.acknowledged.len() as u64 - 1
    }

    /// A primary acknowledges everything up to `entry` under `stamp`.
    pub(crate) fn acknowledged(
        &mut self,
        at: Real,
        node: NodeIndex,
        stamp: Stamp,
        entry: EntryId,
        entries: &Entries,
    ) {
        let offset = entries.offset(entry);
        let known = self.acknowledged_length().min(offset);
        let agrees = entries.on_path(entry, known) == self.acknowledged.get(as_index(known)).copied();
        if !agrees {
            self.fail(Checker::AcknowledgedPresent, at, node, || {
                format!("acknowledges offset {offset} on a log without the write acknowledged at {known}")
            });
            return;
        }
        let (served, tip) = self.served;
        if served > stamp.epoch() && entries.on_path(tip, offset) != Some(entry) {
            self.fail(Checker::AcknowledgedPresent, at, node, || {
                format!(
                    "acknowledges offset {offset} under {stamp:?}, the primary of {served} serves without it"
                )
            });
            return;
        }
        let grown = self.acknowledged.len();
        let mut id = entry;
        while entries.offset(id) >= grown as u64 {
            self.acknowledged.push(id);
            id = entries.on_path(id, entries.offset(id) - 1).unwrap_or(0);
        }
        self.acknowledged[grown..].reverse();
    }

    /// A primary enters office with `log`.
    pub(crate) fn serves(&mut self, at: Real, node: NodeIndex, epoch: Epoch, log: &ModelLog) {
        let offset = self.acknowledged_length();
        if log.at(offset) != self.acknowledged.last().copied() {
            let held = log.len();
            self.fail(Checker::AcknowledgedPresent, at, node, || {
                format!(
                    "serves epoch {epoch} with a log of {held} without the write acknowledged at {offset}"
                )
            });
        }
        if epoch > self.served.0 {
            self.served = (epoch, log.tip());
        }
    }

    /// A read that began when `since` writes were acknowledged returns the state after `value` of them.
    pub(crate) fn read(&mut self, at: Real, node: NodeIndex, since: u64, value: u64) {
        if value < since {
            self.fail(Checker::ReadsFresh, at, node, || {
                format!("a read shows {value} writes, {since} were acknowledged before it began")
            });
        }
    }
}

fn as_index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
