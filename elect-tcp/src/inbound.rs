//! Streams that others dialled: a bounded number of handshakes, and one reader per authenticated peer.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use elect_core::{Config, Incarnation, NodeId};

use crate::closers::Closers;
use crate::counters::Counters;
use crate::frames::Frames;
use crate::handshake::{self, Greeting, HandshakeRefusal, VERSIONS};
use crate::orchestrator::Input;
use crate::own_address::OwnAddress;
use crate::threads::Threads;
use crate::transport::{Close, Stream, Transport};

/// At most this many streams are in handshake. One more closes the oldest: a member needs a round trip, a stranger that
/// holds its stream open loses its slot, and nobody can fill the slots for good.
pub(crate) const HANDSHAKES_MAX: usize = 16;

/// How long the listener rests after an error that is not its own end, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts streams and reads from those of members.
pub(crate) struct Inbound<T> {
    pub(crate) transport: Arc<T>,
    pub(crate) connections: Arc<InboundConnections>,
    /// Disconnected when the node ends.
    pub(crate) stop: Receiver<()>,
}

/// The streams that others dialled, and what their threads need.
pub(crate) struct InboundConnections {
    pub(crate) config: Config,
    pub(crate) own_address: OwnAddress,
    pub(crate) incarnation: Incarnation,
    pub(crate) handshake_timeout: Duration,
    pub(crate) inbox: Sender<Input>,
    /// Tells a peer's dialling thread that the peer is there.
    pub(crate) wake_dialer: HashMap<NodeId, Sender<()>>,
    pub(crate) closers: Closers,
    pub(crate) threads: Threads,
    pub(crate) counters: Arc<Counters>,
    pub(crate) slots: Mutex<Slots>,
}

/// The streams that have a slot, and the threads that read them.
#[derive(Default)]
pub(crate) struct Slots {
    next: u64,
    /// Threads, those included whose stream is closed but that have not ended yet.
    threads: usize,
    handshakes: VecDeque<(u64, Arc<dyn Close>)>,
    members: HashMap<NodeId, (u64, Arc<dyn Close>)>,
}

impl<T: Transport> Inbound<T> {
    /// The listener thread.
    pub(crate) fn run(&self) {
        loop {
            let accepted = self.transport.accept();
            self.connections.counters.listener_wakes.add(1);
            match accepted {
                Ok(stream) => self.connections.admit(stream),
                // A sleep that the end of the node cuts short.
                Err(_)
                    if self.stop.recv_timeout(ACCEPT_PAUSE).is_err_and(|error| error.is_disconnected()) =>
                {
                    return;
                }
                Err(_) => {}
            }
        }
    }
}

impl InboundConnections {
    fn admit<S: Stream>(self: &Arc<Self>, stream: S) {
        let Ok(closer) = stream.closer() else { return };
        let mut slots = self.slots();
        if slots.threads >= self.threads_max() {
            self.counters.inbound_refused.add(1);
            return;
        }
        if slots.handshakes.len() >= HANDSHAKES_MAX
            && let Some((_, oldest)) = slots.handshakes.pop_front()
        {
            self.counters.inbound_refused.add(1);
            oldest.close();
        }
        let number = slots.next;
        slots.next += 1;
        slots.threads += 1;
        slots.handshakes.push_back((number, Arc::clone(&closer)));
        drop(slots);
        let (connections, inbox) = (Arc::clone(self), self.inbox.clone());
        let slot_guard = SlotGuard { connections: Arc::clone(self), number };
        let panicked = move |thread| drop(inbox.send(Input::Panicked { thread }));
        // If no thread can be started the closure is dropped, and with it the slot and the stream.
        let _ = self.threads.spawn("elect-in", panicked, move || {
            connections.receive(stream, &closer, number);
            drop(slot_guard);
        });
    }

    /// Twice what a quiet node needs: room for those that are closed and about to end.
    fn threads_max(&self) -> usize {
        2 * (HANDSHAKES_MAX + self.wake_dialer.len())
    }

    fn receive<S: Stream>(&self, mut stream: S, closer: &Arc<dyn Close>, number: u64) {
        let Some(_registration) = self.closers.register(Arc::clone(closer)) else { return };
        let greeting = handshake::accept(&mut stream, self.handshake_timeout, |greeting| {
            self.judge(greeting, closer, number)?;
            Ok(self.answer(greeting.node))
        });
        let greeting = match greeting {
            Ok(greeting) => greeting,
            Err(error) => {
                self.counters.measures.on_handshake_refused(error.label());
                return self.counters.handshakes_failed.add(1);
            }
        };
        let peer = greeting.node;
        let hello = Input::Greeted { peer, incarnation: greeting.incarnation, address: greeting.address };
        if stream.set_timeouts(None, None).is_err() || self.inbox.send(hello).is_err() {
            return;
        }
        if let Some(wake) = self.wake_dialer.get(&peer) {
            let _ = wake.try_send(());
        }
        // However it ends, the peer dials again; its absence is seen on the stream that this node dialled.
        let _ = self.read(stream, peer);
    }

    fn read<S: Stream>(&self, stream: S, peer: NodeId) -> io::Result<()> {
        let mut frames = Frames::new(stream);
        loop {
            frames.fill()?;
            self.counters.reader_wakes.add(1);
            while let Some(frame) = frames.buffered()? {
                self.counters.frames_received.add(1);
                if self.inbox.send(Input::Frame { from: peer, frame }).is_err() {
                    return Ok(());
                }
            }
        }
    }

    /// Decides about a greeting; a member takes its slot, and its earlier stream is closed.
    fn judge(
        &self,
        greeting: &Greeting,
        closer: &Arc<dyn Close>,
        number: u64,
    ) -> Result<(), HandshakeRefusal> {
        let own = self.answer(greeting.node);
        own.common_version(greeting).ok_or(HandshakeRefusal::Version)?;
        if greeting.cluster != own.cluster {
            return Err(HandshakeRefusal::Cluster);
        }
        if greeting.addressee != own.node {
            return Err(HandshakeRefusal::Addressee);
        }
        if !self.wake_dialer.contains_key(&greeting.node) {
            return Err(HandshakeRefusal::NotAMember);
        }
        let mut slots = self.slots();
        slots.handshakes.retain(|(other, _)| *other != number);
        // The newest stream counts: the earlier one may be half open, left by a process that is long gone. Whose
        // incarnation is over is for the elector to say.
        if let Some((_, earlier)) = slots.members.insert(greeting.node, (number, Arc::clone(closer))) {
            earlier.close();
        }
        Ok(())
    }

    fn answer(&self, addressee: NodeId) -> Greeting {
        Greeting {
            versions: VERSIONS,
            cluster: self.config.cluster(),
            node: self.config.node(),
            addressee,
            incarnation: self.incarnation,
            address: self.own_address.get(),
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Frees the slot of a connection when its thread ends, or never starts.
struct SlotGuard {
    connections: Arc<InboundConnections>,
    number: u64,
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        let mut slots = self.connections.slots();
        slots.threads -= 1;
        slots.handshakes.retain(|(number, _)| *number != self.number);
        slots.members.retain(|_, (number, _)| *number != self.number);
    }
}

#[cfg(all(test, unix))]
mod tests;
