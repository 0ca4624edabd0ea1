//! The writes of clients: admitted under a stamp, answered once a quorum holds them, given up when office is lost.

use std::collections::BTreeMap;

use bytes::Bytes;
use elect_core::Epoch;
use elect_tcp::NodeHandle;

use super::input::{WriteFailed, WriteReply};
use super::promotion::Promotion;
use super::replicated::ReplicatedState;
use crate::replication::{Journal, WriteRefused};
use crate::store::{CommandResult, StoreError};

/// Every write that a client waits for.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// In the log, by offset, and not yet committed.
    pending: BTreeMap<u64, WriteReply>,
    /// Committed, but the lease of the known office is over: a raised epoch or the loss is on its way.
    committed: Vec<(CommandResult, WriteReply)>,
    /// Not yet admitted, for the same reason.
    waiting: Vec<(Bytes, WriteReply)>,
}

impl Writes {
    /// Admits a batch of writes under one stamp, or refuses it.
    pub(super) fn admit(
        &mut self,
        writes: Vec<(Bytes, WriteReply)>,
        promotion: &Promotion,
        replicated: Option<&mut ReplicatedState>,
        handle: &NodeHandle,
    ) {
        if writes.is_empty() {
            return;
        }
        // Over, or of a raised epoch: the elector is about to report which.
        if let Promotion::InOffice(office, stamp) = promotion
            && office.check_write(*stamp, handle.now()).is_err()
        {
            self.waiting.extend(writes);
            return;
        }
        let (commands, replies): (Vec<_>, Vec<_>) = writes.into_iter().unzip();
        let stamp = match promotion {
            // It may be raised between these two looks: then the fence finds it stale.
            Promotion::InOffice(office, led) => office.stamp(handle.now()).map(|_| *led).map_err(Some),
            Promotion::NotElected | Promotion::Elected(_) | Promotion::CaughtUp(_) => Err(None),
        };
        let admitted = stamp.map_err(WriteFailed::NotAdmitted).and_then(|stamp| {
            let Some(replicated) = replicated else { return Err(WriteFailed::NotAdmitted(None)) };
            let proposed = replicated.replica.propose(stamp, commands, &mut replicated.journal);
            proposed.map_err(|refused| not_written(refused, stamp.epoch()))
        });
        match admitted {
            Ok(first) => self.pending.extend((first..).zip(replies)),
            Err(failed) => {
                for reply in replies {
                    // A client that has gone needs no reply.
                    let _ = reply.send(Err(failed));
                }
            }
        }
    }

    /// Applies what is committed up to `offset`. The clients that wait for it are answered by
    /// [`acknowledge`](Self::acknowledge).
    pub(super) fn commit(&mut self, offset: u64, replicated: &ReplicatedState) -> Result<(), StoreError> {
        replicated.store.apply(offset, |offset, result| {
            self.committed.extend(self.pending.remove(&offset).map(|reply| (result, reply)));
        })
    }

    /// The last act before clients are told: the fence still admits the stamp, and the lease still runs. If not,
    /// they wait until the elector reports which it is, a raised epoch or a lost office.
    pub(super) fn acknowledge(
        &mut self,
        promotion: &Promotion,
        replicated: Option<&ReplicatedState>,
        handle: &NodeHandle,
    ) {
        let (Some(replicated), Promotion::InOffice(office, stamp)) = (replicated, promotion) else { return };
        let stamp = *stamp;
        for (result, reply) in std::mem::take(&mut self.committed) {
            if replicated.journal.ack(stamp).is_ok() && office.check_write(stamp, handle.now()).is_ok() {
                // A client that has gone needs no reply.
                let _ = reply.send(Ok(result));
            } else {
                self.committed.push((result, reply));
            }
        }
    }

    /// Takes the writes that were not admitted because the epoch was about to be raised.
    pub(super) fn take_waiting(&mut self) -> Vec<(Bytes, WriteReply)> {
        std::mem::take(&mut self.waiting)
    }

    /// Whether every admitted write is answered.
    pub(super) fn are_answered(&self) -> bool {
        self.pending.is_empty() && self.committed.is_empty()
    }

    /// Office is lost: whether a quorum will hold these writes is for the next primary to see.
    pub(super) fn abandon(&mut self, epoch: Epoch) {
        let pending = std::mem::take(&mut self.pending).into_values();
        let committed = std::mem::take(&mut self.committed).into_iter().map(|(_, reply)| reply);
        for reply in pending.chain(committed) {
            let _ = reply.send(Err(WriteFailed::Unknown(epoch)));
        }
        for (_, reply) in std::mem::take(&mut self.waiting) {
            let _ = reply.send(Err(WriteFailed::NotAdmitted(None)));
        }
    }
}

/// What the clients are told whose writes were not appended. Where the storage failed, part of it may be on the disk and
/// come back with the next start: only what was refused before it got there never takes effect.
fn not_written(refused: WriteRefused, epoch: Epoch) -> WriteFailed {
    match refused {
        WriteRefused::Failed => WriteFailed::Unknown(epoch),
        WriteRefused::Fenced(_) | WriteRefused::NotLeading => WriteFailed::NotAdmitted(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_whose_append_failed_may_take_effect() {
        let epoch = Epoch::new(3);
        assert_eq!(not_written(WriteRefused::Failed, epoch), WriteFailed::Unknown(epoch));
        assert_eq!(not_written(WriteRefused::NotLeading, epoch), WriteFailed::NotAdmitted(None));
    }
}
