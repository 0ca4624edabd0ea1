//! What waits to be sent to one peer: the newest frame of each kind, never a backlog.
//!
//! One batch at most lies between the orchestrator, which fills it, and the peer's thread, which takes it whole. A
//! frame replaces an older one of its own kind and goes to the end, so frames leave in the order in which the elector
//! made them, an accept is not lost to the heartbeat after it, and a peer that does not read costs nine frames of
//! memory.

use crossbeam_channel::{Receiver, Sender, bounded};
use elect_core::{Frame, Time};

/// How many kinds of frames there are.
const KINDS: usize = 9;

/// A frame that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) frame: Frame,
    pub(crate) since: Time,
}

/// The frames that wait, in the order in which they leave.
pub(crate) type Batch = Vec<Waiting>;

/// The orchestrator's end.
#[derive(Debug)]
pub(crate) struct Outbox {
    batches: Sender<Batch>,
    /// Takes a batch back that the peer's thread has not taken yet.
    untaken: Receiver<Batch>,
    spare: Receiver<Batch>,
}

/// The peer thread's end.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) batches: Receiver<Batch>,
    spare: Sender<Batch>,
}

pub(crate) fn outbox() -> (Outbox, Outgoing) {
    let (batches, taken) = bounded(1);
    let (spare_in, spare_out) = bounded(1);
    (
        Outbox { batches, untaken: taken.clone(), spare: spare_out },
        Outgoing { batches: taken, spare: spare_in },
    )
}

impl Outbox {
    /// Adds a frame in place of an older one of its kind. Never blocks.
    pub(crate) fn put(&self, frame: &Frame, now: Time) {
        let batch = self.untaken.try_recv().or_else(|_| self.spare.try_recv());
        let mut batch = batch.unwrap_or_else(|_| Batch::with_capacity(KINDS));
        let kind = std::mem::discriminant(&frame.body);
        batch.retain(|waiting| std::mem::discriminant(&waiting.frame.body) != kind);
        batch.push(Waiting { frame: frame.clone(), since: now });
        // Nobody else sends, and the channel was just emptied, so it is not full; it may have lost its receiver.
        let _ = self.batches.try_send(batch);
    }
}

impl Outgoing {
    /// Gives a batch's memory back.
    pub(crate) fn recycle(&self, mut batch: Batch) {
        batch.clear();
        let _ = self.spare.try_send(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{accept, heartbeat, offer};

    const NOW: Time = Time::ZERO;

    /// The send times of the frames that would leave now, in order.
    fn taken(outgoing: &Outgoing) -> Vec<u64> {
        let Ok(batch) = outgoing.batches.try_recv() else { return Vec::new() };
        let sent = batch.iter().map(|waiting| waiting.frame.header.nonce.sent.as_nanos()).collect();
        outgoing.recycle(batch);
        sent
    }

    #[test]
    fn the_newest_heartbeat_waits_and_nothing_piles_up() {
        let (outbox, outgoing) = outbox();
        for sent in 0..100_000 {
            outbox.put(&heartbeat(sent), NOW);
        }
        assert_eq!(taken(&outgoing), [99_999]);
        assert!(taken(&outgoing).is_empty());
    }

    #[test]
    fn an_accept_is_not_lost_to_the_heartbeat_behind_it() {
        let (outbox, outgoing) = outbox();
        outbox.put(&heartbeat(1), NOW);
        outbox.put(&accept(2), NOW);
        outbox.put(&offer(3), NOW);
        outbox.put(&heartbeat(4), NOW);
        assert_eq!(taken(&outgoing), [2, 3, 4], "in the order in which the elector made them");
        outbox.put(&accept(5), NOW);
        outbox.put(&heartbeat(6), NOW);
        outbox.put(&accept(7), NOW);
        assert_eq!(taken(&outgoing), [6, 7], "only the newest accept counts");
    }

    #[test]
    fn what_is_taken_while_more_is_put_stays_in_order() {
        let (outbox, outgoing) = outbox();
        let taker = std::thread::spawn(move || {
            let mut last = 0;
            for batch in &outgoing.batches {
                for waiting in &batch {
                    let sent = waiting.frame.header.nonce.sent.as_nanos();
                    assert!(sent > last, "{sent} after {last}");
                    last = sent;
                }
                outgoing.recycle(batch);
            }
            last
        });
        for sent in 1..=30_000 {
            let frame = match sent % 3 {
                0 => heartbeat(sent),
                1 => accept(sent),
                _ => offer(sent),
            };
            outbox.put(&frame, NOW);
        }
        drop(outbox);
        assert_eq!(taker.join().unwrap(), 30_000, "the last batch is taken before the end is seen");
    }
}
