//! Streams that others dialled: a bounded number of handshakes, and one reader per authenticated peer.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use elect_core::{Address, Body, NodeId};

pub(crate) use self::judge::{Judge, judge};
pub(crate) use self::slots::{GREETED_MAX, HANDSHAKES_MAX, PROCESSES_MAX, Slots};
use self::slots::{Guest, home};
use crate::clock;
use crate::closers::Closers;
use crate::counters::Counters;
use crate::frames::Frames;
use crate::handshake::{self, Greeting, HandshakeError, HandshakeRefusal};
use crate::introduction::Introduction;
use crate::judgement::{Claim, Judgement, Sample};
use crate::link::InboundFailure;
use crate::measures::label;
use crate::orchestrator::Input;
use crate::refusals::Refusals;
use crate::roster::Many;
use crate::threads::Threads;
use crate::transport::{Close, Stream, Transport, Unproven};

/// How long the listener rests after an error that is not its own end, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Takes a peer, where it says that it is dialled, and where it dials from.
pub(crate) type Learn = Box<dyn Fn(NodeId, &Address, &Address) + Send + Sync>;

/// Accepts streams and reads from those of members.
pub(crate) struct Inbound<T> {
    pub(crate) transport: Arc<T>,
    pub(crate) connections: Arc<InboundConnections>,
    /// Disconnected when the node ends.
    pub(crate) stop: Receiver<()>,
}

/// The streams that others dialled, and what their threads need.
pub(crate) struct InboundConnections {
    pub(crate) introduction: Introduction,
    pub(crate) handshake_timeout: Duration,
    pub(crate) inbox: Sender<Input>,
    /// Asks the elector about a life.
    pub(crate) judge: Judge,
    /// Tells the transport where a peer that was heard is.
    pub(crate) learn: Learn,
    /// Tells a peer's dialling thread that the peer is there.
    pub(crate) wake_dialer: HashMap<NodeId, Sender<()>>,
    pub(crate) refusals: Refusals,
    pub(crate) closers: Closers,
    pub(crate) threads: Threads,
    pub(crate) counters: Arc<Counters>,
    pub(crate) slots: Mutex<Slots>,
    /// Where streams carry many groups.
    pub(crate) many: Option<Many>,
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
        let admitted = self.slots().admit(Arc::clone(&closer), &stream.remote(), self.threads_max());
        if admitted.is_none_or(|(_, in_place_of_another)| in_place_of_another) {
            self.counters.inbound_refused.add(1);
        }
        let Some((number, _)) = admitted else { return };
        let (connections, inbox) = (Arc::clone(self), self.inbox.clone());
        let slot_guard = SlotGuard { connections: Arc::clone(self), number };
        // Kept until the thread is off the list of those that run: a slot that is free has no thread.
        let panicked = move |thread| {
            let _slot_guard = slot_guard;
            drop(inbox.send(Input::Panicked { thread }));
        };
        // If no thread can be started the closures are dropped, and with them the slot and the stream.
        let _ = self.threads.spawn("elect-in", panicked, move || {
            connections.receive(stream, &closer, number);
        });
    }

    /// Twice what a quiet node needs: room for those that are closed and about to end.
    fn threads_max(&self) -> usize {
        let peers = self.wake_dialer.len();
        (2 * (HANDSHAKES_MAX + peers)).max(HANDSHAKES_MAX + (2 + PROCESSES_MAX + GREETED_MAX) * peers)
    }

    fn receive<S: Stream>(&self, mut stream: S, closer: &Arc<dyn Close>, number: u64) {
        let Some(_registration) = self.closers.register(Arc::clone(closer)) else { return };
        let from = stream.remote();
        let accepted = handshake::accept(&mut stream, self.handshake_timeout, |greeting| {
            self.judge(greeting, &from, closer, number)
        });
        let greeting = match accepted {
            Ok(greeting) => greeting,
            Err((HandshakeError::Ending, _)) => return,
            Err((error, claimed)) => return self.on_failure(from, claimed, error.into()),
        };
        if greeting.is_supervisor {
            return self.hear_supervisor(stream, greeting.node);
        }
        let (peer, incarnation) = (greeting.node, greeting.incarnation);
        let hello = Input::Greeted { peer, incarnation, address: greeting.address.clone() };
        if stream.set_timeouts(None, None).is_err() || self.inbox.send(hello).is_err() {
            return;
        }
        if let Some(wake) = self.wake_dialer.get(&peer) {
            let _ = wake.try_send(());
        }
        // However it ends, the peer dials again; its absence is seen on the stream that this node dialled.
        let guest = guest(&greeting, &from, closer, number);
        let end = match &self.many {
            None => self.read(stream, &guest, &greeting, &from),
            Some(many) => self.read_groups(stream, &guest, &greeting, &from, many),
        };
        let reason = match end {
            End::Asked => return,
            End::Closed(reason) => reason,
            End::Failed(failure) => {
                let reason = format!("{failure}; {}", failure.advice());
                self.on_failure(from, Some(peer), failure);
                reason
            }
        };
        let _ = self.inbox.send(Input::Unheard { peer, stream: number, reason });
    }

    /// Reads frames of one group until the stream ends, and says why it did.
    fn read<S: Stream>(&self, stream: S, guest: &Guest, greeting: &Greeting, from: &Address) -> End {
        let (mut received, mut is_heard) = (0_u64, false);
        self.read_frames(stream, |sample| {
            if sample.frame.header.nonce.incarnation != guest.incarnation {
                return Err(End::Failed(InboundFailure::OtherLife));
            }
            received += 1;
            // Seldom for one whose frames do not count: each question is waited for.
            if is_heard || !received.is_power_of_two() {
                return self.pass_on(guest.peer, sample);
            }
            is_heard = self.has_counted(guest, greeting, from, sample)?;
            Ok(())
        })
    }

    /// Gives `take` each frame of a stream, until it ends or `take` ends it, and says why that was.
    fn read_frames<S: Stream>(&self, stream: S, mut take: impl FnMut(Sample) -> Result<(), End>) -> End {
        let is_proven = stream.proven().is_some();
        let mut frames = Frames::new(stream);
        loop {
            if let Err(error) = frames.fill() {
                return End::of(&error);
            }
            self.counters.reader_wakes.add(1);
            loop {
                let frame = match frames.buffered() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(error) => return End::Failed(InboundFailure::Unreadable(error.to_string())),
                };
                self.counters.frames_received.add(1);
                if let Err(end) = take(Sample { frame, is_proven }) {
                    return end;
                }
            }
        }
    }

    /// A frame that nobody asks about.
    fn pass_on(&self, from: NodeId, Sample { frame, is_proven }: Sample) -> Result<(), End> {
        self.inbox.send(Input::Frame { from, frame, is_proven }).map_err(|_| End::ending())
    }

    /// Passes a frame of that stream on; whether it has counted. The first that does takes the place of the stream heard
    /// before.
    fn has_counted(
        &self,
        guest: &Guest,
        greeting: &Greeting,
        from: &Address,
        sample: Sample,
    ) -> Result<bool, HandshakeError> {
        match self.judged(greeting, from, Some(sample))? {
            Judgement::Known => {
                let (peer, stream) = (guest.peer, guest.number);
                let change = self.slots().hear(guest);
                if let Some(change) = change {
                    (self.learn)(peer, &greeting.listen, from);
                    let _ = self.inbox.send(Input::Heard { peer, stream, change });
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Decides about a greeting. Nobody is displaced by one.
    fn judge(
        &self,
        greeting: &Greeting,
        from: &Address,
        closer: &Arc<dyn Close>,
        number: u64,
    ) -> Result<Greeting, HandshakeError> {
        let own = self.introduction.to(greeting.node);
        greeting.check(&own)?;
        if !self.wake_dialer.contains_key(&greeting.node) {
            return Err(HandshakeRefusal::UnknownName(greeting.node).into());
        }
        greeting.check_members(&own)?;
        if greeting.is_supervisor {
            self.slots().supervise(guest(greeting, from, closer, number));
            return Ok(own);
        }
        self.judged(greeting, from, None)?;
        self.slots().greet(guest(greeting, from, closer, number));
        Ok(own)
    }

    /// What the elector says of the dialler's life, unless it is over.
    fn judged(
        &self,
        greeting: &Greeting,
        from: &Address,
        sample: Option<Sample>,
    ) -> Result<Judgement, HandshakeError> {
        let (peer, incarnation, birth) = (greeting.node, greeting.incarnation, greeting.birth);
        let refusal = match (self.judge)(Claim { peer, group: greeting.group, incarnation, birth }, sample) {
            // It has not stopped for good: its peers find it gone, or started again.
            None => return Err(HandshakeError::Ending),
            Some(Judgement::Stopped) => HandshakeRefusal::Stopped(greeting.addressee),
            Some(Judgement::Over(Body::Reject { rejected, known })) => {
                let known_at = self.slots().home(peer, known);
                HandshakeRefusal::Life { rejected, known, dialler: from.clone(), known_at }
            }
            Some(Judgement::Over(Body::WentBack { rejected, epoch, offset })) => {
                HandshakeRefusal::WentBack { rejected, epoch, offset }
            }
            Some(judgement) => return Ok(judgement),
        };
        Err(refusal.into())
    }

    /// Counts a dialler that was not let in, and tells the host of it once in a while.
    fn on_failure(&self, from: Address, claimed: Option<NodeId>, failure: InboundFailure) {
        self.counters.handshakes_failed.add(1);
        self.counters.measures.on_handshake_refused(kind_of(&failure));
        if let Some(refused) = self.refusals.note(from, claimed, failure, clock::now()) {
            let _ = self.inbox.send(Input::Refused(Box::new(refused)));
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn guest(greeting: &Greeting, from: &Address, closer: &Arc<dyn Close>, number: u64) -> Guest {
    Guest {
        number,
        peer: greeting.node,
        incarnation: greeting.incarnation,
        home: home(&greeting.listen, from),
        closer: Arc::clone(closer),
    }
}

/// The kind of failure, for metrics.
pub(crate) fn kind_of(failure: &InboundFailure) -> String {
    match failure {
        InboundFailure::Refused(refusal) => label(refusal),
        other => label(other),
    }
}

impl From<HandshakeError> for InboundFailure {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Refused(refusal) => Self::Refused(refusal),
            HandshakeError::Foreign(what) => Self::Foreign(what),
            // Only among greetings of many groups.
            HandshakeError::Gone(_) => Self::Foreign("no greeting"),
            HandshakeError::Io(error) if Unproven::of(&error).is_some() => Self::Unproven(error.to_string()),
            HandshakeError::Io(error) if handshake::is_timeout(&error) => Self::Slow,
            HandshakeError::Io(_) | HandshakeError::Ending => Self::Closed,
        }
    }
}

/// How a stream of frames ended.
enum End {
    /// It was only for a question.
    Asked,
    Closed(String),
    /// By this node, because of what came.
    Failed(InboundFailure),
}

impl End {
    fn ending() -> Self {
        Self::Closed("this node ends".into())
    }

    fn of(error: &io::Error) -> Self {
        Self::Closed(match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                "the peer closed it, or a newer stream of its own took its place".into()
            }
            _ => error.to_string(),
        })
    }
}

impl From<HandshakeError> for End {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Ending => Self::ending(),
            error => Self::Failed(error.into()),
        }
    }
}

/// Frees the slot of a connection when its thread ends, or never starts.
struct SlotGuard {
    connections: Arc<InboundConnections>,
    number: u64,
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        self.connections.slots().leave(self.number);
    }
}

mod groups;
mod judge;
mod slots;
mod supervisor;
#[cfg(all(test, unix))]
mod tests;
