//! What waits to be sent to one peer: the newest frame of each kind, in each group, never a backlog.
//!
//! One batch at most lies between the orchestrator, which fills it, and the peer's thread, which takes it whole. A
//! frame replaces an older one of its own kind and goes to the end, so frames leave in the order in which the elector
//! made them, an accept is not lost to the heartbeat after it, and a peer that does not read costs nine frames of
//! memory for each group.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use elect_core::wire::{self, FRAME_BYTES_MAX};
use elect_core::{Frame, Time};

use crate::counters::Counters;
use crate::direct::{Direct, Sent};
use crate::transport::TrySend;

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
    direct: Direct,
    renew: Sender<()>,
    counters: Arc<Counters>,
}

/// The peer thread's end.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) batches: Receiver<Batch>,
    spare: Sender<Batch>,
    direct: Direct,
    /// The peer does not hear what this stream takes.
    pub(crate) renew: Receiver<()>,
    /// So that the end of the node is seen by `batches` alone, after the last of them.
    _renew: Sender<()>,
}

pub(crate) fn outbox(counters: Arc<Counters>) -> (Outbox, Outgoing) {
    let direct = Direct::default();
    let (batches, taken) = bounded(1);
    let (spare_in, spare_out) = bounded(1);
    let (renew, renewed) = bounded(1);
    let outgoing = Outgoing {
        batches: taken.clone(),
        spare: spare_in,
        direct: direct.clone(),
        renew: renewed,
        _renew: renew.clone(),
    };
    (Outbox { batches, untaken: taken, spare: spare_out, direct, renew, counters }, outgoing)
}

impl Outbox {
    /// Sends a frame, or adds it in place of an older one of its kind to what waits. Never blocks.
    pub(crate) fn put(&self, frame: &Frame, now: Time) {
        // Held until the frame waits: whoever opens the way has seen that none does.
        let mut way = self.direct.lock();
        match way.send(frame) {
            Sent::Whole => self.counters.frames_sent.add(1),
            Sent::Partly => {
                self.counters.frames_sent.add(1);
                self.wait(Batch::new());
            }
            Sent::No => self.wait_with(frame, now),
        }
    }

    /// Gives the stream up, if one stands: the peer does not hear what it takes.
    pub(crate) fn renew(&self) {
        let _ = self.renew.try_send(());
    }

    fn wait_with(&self, frame: &Frame, now: Time) {
        let batch = self.untaken.try_recv().or_else(|_| self.spare.try_recv());
        let mut batch = batch.unwrap_or_else(|_| Batch::with_capacity(KINDS));
        let kind = |frame: &Frame| (frame.header.group, std::mem::discriminant(&frame.body));
        batch.retain(|waiting| kind(&waiting.frame) != kind(frame));
        batch.push(Waiting { frame: frame.clone(), since: now });
        self.wait(batch);
    }

    /// Nobody else sends, and the channel is empty, so it is not full; it may have lost its receiver.
    fn wait(&self, batch: Batch) {
        let _ = self.batches.try_send(batch);
    }
}

impl Outgoing {
    /// Lets frames leave through `sender`, unless some wait.
    pub(crate) fn open_direct(&self, sender: Option<&Arc<dyn TrySend>>) {
        let mut way = self.direct.lock();
        if let Some(sender) = sender.filter(|_| self.batches.is_empty()) {
            way.open(Arc::clone(sender));
        }
    }

    /// What the peer's thread writes next, in place of what is in `bytes`: the rest of a frame of which the socket took
    /// only the beginning, and those frames of the batch that have waited since `oldest` or later, whose number it
    /// returns. Until the way is opened again every frame waits.
    pub(crate) fn encode(&self, batch: Batch, oldest: Time, bytes: &mut Vec<u8>) -> u64 {
        bytes.clear();
        self.direct.lock().close_into(bytes);
        let mut count = 0;
        for waiting in batch.iter().filter(|waiting| waiting.since >= oldest) {
            let mut buffer = [0; FRAME_BYTES_MAX];
            let length = wire::encode(&waiting.frame, &mut buffer);
            bytes.extend_from_slice(&buffer[..length]);
            count += 1;
        }
        self.recycle(batch);
        count
    }

    /// The stream has ended.
    pub(crate) fn end_direct(&self) {
        self.direct.lock().end();
    }

    /// Gives a batch's memory back.
    fn recycle(&self, mut batch: Batch) {
        batch.clear();
        let _ = self.spare.try_send(batch);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

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
        let (outbox, outgoing) = outbox(Arc::default());
        for sent in 0..100_000 {
            outbox.put(&heartbeat(sent), NOW);
        }
        assert_eq!(taken(&outgoing), [99_999]);
        assert!(taken(&outgoing).is_empty());
    }

    #[test]
    fn an_accept_is_not_lost_to_the_heartbeat_behind_it() {
        let (outbox, outgoing) = outbox(Arc::default());
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
    fn a_frame_takes_the_place_of_none_of_another_group() {
        let (outbox, outgoing) = outbox(Arc::default());
        let of = |group, sent| {
            let mut frame = heartbeat(sent);
            frame.header.group = group;
            frame
        };
        for (group, sent) in [(1, 1), (2, 2), (3, 3), (2, 4), (1, 5)] {
            outbox.put(&of(group, sent), NOW);
        }
        assert_eq!(taken(&outgoing), [3, 4, 5]);
    }

    #[test]
    fn what_is_taken_while_more_is_put_stays_in_order() {
        let (outbox, outgoing) = outbox(Arc::default());
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

    /// Takes so many bytes, then none.
    struct Socket {
        room: Mutex<usize>,
        taken: Mutex<Vec<u8>>,
    }

    impl Socket {
        fn with_room(room: usize) -> Arc<Self> {
            Arc::new(Self { room: Mutex::new(room), taken: Mutex::default() })
        }
    }

    impl TrySend for Socket {
        fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
            let mut room = self.room.lock().unwrap();
            let count = bytes.len().min(*room);
            *room -= count;
            self.taken.lock().unwrap().extend_from_slice(&bytes[..count]);
            if count > 0 { Ok(count) } else { Err(io::ErrorKind::WouldBlock.into()) }
        }
    }

    fn bytes_of(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in frames {
            let mut buffer = [0; FRAME_BYTES_MAX];
            let length = wire::encode(frame, &mut buffer);
            bytes.extend_from_slice(&buffer[..length]);
        }
        bytes
    }

    #[test]
    fn a_frame_wakes_nobody_while_the_socket_takes_it() {
        let counters = Arc::<Counters>::default();
        let (outbox, outgoing) = outbox(Arc::clone(&counters));
        let socket = Socket::with_room(usize::MAX);
        let sender: Arc<dyn TrySend> = Arc::clone(&socket) as _;
        outbox.put(&heartbeat(1), NOW);
        outgoing.open_direct(Some(&sender));
        outbox.put(&heartbeat(2), NOW);
        assert_eq!(taken(&outgoing), [2], "one waited, so none overtakes it");
        outgoing.open_direct(None);
        outbox.put(&heartbeat(3), NOW);
        assert_eq!(taken(&outgoing), [3], "this stream cannot");
        outgoing.open_direct(Some(&sender));
        let frames = [heartbeat(4), accept(5), heartbeat(6)];
        for frame in &frames {
            outbox.put(frame, NOW);
        }
        assert!(outgoing.batches.is_empty());
        assert_eq!((*socket.taken.lock().unwrap()).clone(), bytes_of(&frames));
        assert_eq!(counters.read().frames_sent, 3);
        outgoing.end_direct();
        outbox.put(&heartbeat(7), NOW);
        assert_eq!(taken(&outgoing), [7]);
    }

    /// Wherever the socket stops to take bytes, the peer's thread goes on at that very byte, in order.
    #[test]
    fn a_full_socket_neither_loses_nor_doubles_a_byte() {
        let frames = [heartbeat(1), accept(2), offer(3), accept(4)];
        let length = bytes_of(&frames).len();
        for room in 0..length {
            let (outbox, outgoing) = outbox(Arc::default());
            let socket = Socket::with_room(room);
            let sender: Arc<dyn TrySend> = Arc::clone(&socket) as _;
            outgoing.open_direct(Some(&sender));
            for frame in &frames {
                outbox.put(frame, NOW);
            }
            // There is room again, but what waits for the thread is older.
            *socket.room.lock().unwrap() = usize::MAX;
            outbox.put(&heartbeat(5), NOW);
            let (mut bytes, mut written) = (socket.taken.lock().unwrap().clone(), Vec::new());
            assert_eq!(bytes.len(), room);
            outgoing.encode(outgoing.batches.try_recv().expect("the thread is woken"), NOW, &mut written);
            bytes.extend(written);
            // What has begun to leave is not replaced any more; what waits is, by a newer one of its kind.
            let begun = (0..4).find(|count| bytes_of(&frames[..*count]).len() >= room).unwrap_or(4);
            let mut expected = frames[..begun].to_vec();
            let waits = |index: &usize| match index {
                0 => false,
                1 => begun > 3,
                _ => true,
            };
            expected.extend((begun..4).filter(waits).map(|index| frames[index].clone()));
            expected.push(heartbeat(5));
            assert_eq!(bytes, bytes_of(&expected), "room for {room}");
        }
    }

    #[test]
    fn the_rest_of_a_frame_does_not_go_into_the_next_stream() {
        let (outbox, outgoing) = outbox(Arc::default());
        let sender: Arc<dyn TrySend> = Socket::with_room(3) as _;
        outgoing.open_direct(Some(&sender));
        outbox.put(&heartbeat(1), NOW);
        outgoing.end_direct();
        let mut bytes = Vec::new();
        assert_eq!(outgoing.encode(outgoing.batches.recv().unwrap(), NOW, &mut bytes), 0);
        assert!(bytes.is_empty());
    }
}
