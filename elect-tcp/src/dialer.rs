//! The thread of one peer: dials it, and sends what the orchestrator has for it.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select};
use elect_core::wire::FRAME_BYTES_MAX;
use elect_core::{LinkState, NodeId, Time};

use self::ask::{Asked, Asker};
pub(crate) use self::backoff::Backoff;
use self::backoff::{Budget, Patience};
pub(crate) use self::timeouts::Timeouts;
use crate::clock;
use crate::closers::{Closers, Registration};
use crate::counters::Counters;
use crate::handshake::{self, HandshakeError, HandshakeRefusal};
use crate::introduction::Introduction;
use crate::orchestrator::Input;
use crate::outbox::Outgoing;
use crate::roster::{Roster, Scope};
use crate::threads::Threads;
use crate::transport::{DialError, Stream, Transport, TrySend};

/// Dials one peer and sends to it.
pub(crate) struct Dialer<T> {
    pub(crate) peer: NodeId,
    pub(crate) transport: Arc<T>,
    pub(crate) introduction: Introduction,
    /// The groups that share the streams to this peer, where there may be many.
    pub(crate) roster: Option<Roster>,
    pub(crate) outgoing: Outgoing,
    /// The peer has dialled this node: it is there.
    pub(crate) woken: Receiver<()>,
    /// A frame said that this life of this node is over: the peer shall say so itself.
    pub(crate) doubted: Receiver<()>,
    /// Disconnected when the node ends.
    pub(crate) stop: Receiver<()>,
    /// Dropped with this value: then the last frame has left.
    pub(crate) flushing: Sender<()>,
    pub(crate) inbox: Sender<Input>,
    pub(crate) closers: Closers,
    pub(crate) threads: Threads,
    pub(crate) counters: Arc<Counters>,
    pub(crate) timeouts: Timeouts,
}

/// The node ends.
struct Stopped;

/// An established stream.
struct Connection<S> {
    stream: S,
    closed: Receiver<()>,
    /// What sends past this thread, if the stream can.
    sender: Option<Arc<dyn TrySend>>,
    /// Closes the stream with this value, and so ends the thread that watches it.
    _registration: Registration,
}

/// Why there is no stream.
enum ConnectError {
    Refused,
    Failed(String),
    /// The peer answered, and does not let this node in.
    Unwelcome(HandshakeRefusal),
    Stopped,
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<HandshakeError> for ConnectError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Refused(refusal) => Self::Unwelcome(refusal),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl<T: Transport> Dialer<T> {
    /// The thread.
    pub(crate) fn run(self) {
        // Ends when the node does.
        let Err(Stopped) = self.dial_for_ever();
        drop(self.flushing);
    }

    fn dial_for_ever(&self) -> Result<std::convert::Infallible, Stopped> {
        let (mut backoff, mut was_up, mut said) = (Backoff::default(), false, None);
        let (mut wakes, mut asked) = (Budget::of_wakes(), Asked::default());
        let mut patience = Patience::default();
        loop {
            self.wait_until_wanted()?;
            let attempt_began = clock::now();
            let wait = match self.connect(&mut patience) {
                Ok(connection) => {
                    self.report(LinkState::Up, None)?;
                    let up = Instant::now();
                    let end = self.serve(connection, &mut asked);
                    self.outgoing.end_direct();
                    let end = end?;
                    (was_up, said) = (true, None);
                    patience.after_close();
                    self.report(LinkState::Closed, Some(end))?;
                    backoff.after_close(up.elapsed(), Instant::now())
                }
                Err(ConnectError::Refused) if was_up => {
                    said = None;
                    self.report(LinkState::Refused { attempt_began }, None)?;
                    backoff.after_failure()
                }
                Err(ConnectError::Refused) => {
                    self.report_once(&mut said, NoStream::Failed("nobody listens there".into()))?;
                    backoff.after_failure()
                }
                Err(ConnectError::Failed(reason)) => {
                    self.report_once(&mut said, NoStream::Failed(reason))?;
                    backoff.after_failure()
                }
                Err(ConnectError::Unwelcome(refusal)) => {
                    if let Some(rejection) = refusal.rejection() {
                        self.inbox
                            .send(Input::Rejected { peer: self.peer, said: rejection })
                            .map_err(|_| Stopped)?;
                    }
                    self.report_once(&mut said, NoStream::Unwelcome(refusal))?;
                    backoff.after_failure()
                }
                Err(ConnectError::Stopped) => return Err(Stopped),
            };
            self.rest(wait, &mut wakes)?;
        }
    }

    /// Whether many groups might share the streams to this peer, and none does.
    fn is_unwanted(&self) -> bool {
        self.roster.as_ref().is_some_and(Roster::is_empty)
    }

    fn wait_until_wanted(&self) -> Result<(), Stopped> {
        while self.is_unwanted() {
            select! {
                recv(self.stop) -> _ => return Err(Stopped),
                recv(self.doubted) -> doubted => doubted.map_err(|_| Stopped)?,
            }
        }
        Ok(())
    }

    /// Waits before the next attempt, but not while the peer shows that it is there, unless it does so without end.
    fn rest(&self, wait: Duration, wakes: &mut Budget) -> Result<(), Stopped> {
        let until = Instant::now() + wait;
        loop {
            select! {
                recv(self.stop) -> _ => return Err(Stopped),
                // Without a listener nobody wakes it, and there is no waiting for that either.
                recv(self.woken) -> woken => if woken.is_err() || wakes.take(Instant::now()) {
                    return Ok(());
                },
                default(until.saturating_duration_since(Instant::now())) => return Ok(()),
            }
        }
    }

    fn connect(&self, patience: &mut Patience) -> Result<Connection<T::Stream>, ConnectError> {
        let mut stream = self.dial(patience)?;
        let registration = self.closers.register(stream.closer()?).ok_or(ConnectError::Stopped)?;
        let greeting = self.introduction.to(self.peer);
        handshake::dial(&mut stream, &greeting, self.timeouts.handshake)?;
        self.transport.welcomed(self.peer, &stream.remote());
        if let Some(roster) = &self.roster {
            let timeout = self.timeouts.handshake;
            roster.introduce(&mut stream, Scope::All, &greeting, &self.inbox, timeout)?;
        }
        stream.set_timeouts(None, Some(self.timeouts.stall))?;
        let closed = self.watch(&stream)?;
        let sender = stream.sender()?;
        Ok(Connection { stream, closed, sender, _registration: registration })
    }

    fn dial(&self, patience: &mut Patience) -> Result<T::Stream, ConnectError> {
        self.counters.dials.add(1);
        let began = Instant::now();
        match self.transport.dial(self.peer, patience.bound(self.timeouts.dial)) {
            Ok(stream) => {
                patience.answered(began.elapsed());
                Ok(stream)
            }
            Err(DialError::Refused) => Err(ConnectError::Refused),
            Err(DialError::Failed(error)) => {
                if handshake::is_timeout(&error) {
                    patience.unanswered();
                }
                Err(error.into())
            }
        }
    }

    /// A thread that says when the stream ends: the one that sends would notice only at its next frame.
    fn watch(&self, stream: &T::Stream) -> io::Result<Receiver<()>> {
        let mut watcher = stream.watcher()?;
        let (ended, closed) = bounded(0);
        let inbox = self.inbox.clone();
        let panicked = move |thread| drop(inbox.send(Input::Panicked { thread }));
        self.threads.spawn(format!("watch {}", self.peer), panicked, move || {
            watcher.wait();
            // Disconnects `closed`.
            drop::<Sender<()>>(ended);
        })?;
        Ok(closed)
    }

    /// Sends until the stream ends, and says how it did.
    fn serve(&self, mut connection: Connection<T::Stream>, asked: &mut Asked) -> Result<String, Stopped> {
        let mut bytes = Vec::with_capacity(2 * FRAME_BYTES_MAX);
        // What waited while there was no stream describes the past.
        let mut oldest = clock::now() - self.timeouts.stale;
        // That was said of an earlier stream.
        let _ = self.outgoing.renew.try_recv();
        loop {
            // Nothing waits for this thread: what comes next may leave without it.
            self.outgoing.open_direct(connection.sender.as_ref());
            let batch = select! {
                recv(self.outgoing.batches) -> batch => batch,
                recv(connection.closed) -> _ => return Ok("the peer closed it".into()),
                recv(self.outgoing.renew) -> _ => {
                    return Ok("it takes everything, and the peer hears nothing of that".into());
                }
                recv(self.doubted) -> doubted => {
                    // Without an orchestrator there are no batches either.
                    doubted.map_err(|_| Stopped)?;
                    if !self.is_unwanted() {
                        self.asker().ask(asked);
                        continue;
                    }
                    // The last frames may wait.
                    let Ok(batch) = self.outgoing.batches.try_recv() else {
                        return Ok("no group needs it".into());
                    };
                    Ok(batch)
                },
            };
            self.counters.sender_wakes.add(1);
            // Without an orchestrator the last batch has left, and so has this node.
            let batch = batch.map_err(|_| Stopped)?;
            let count = self.outgoing.encode(batch, oldest, &mut bytes);
            if let Err(error) = connection.stream.write_all(&bytes) {
                return Ok(if handshake::is_timeout(&error) {
                    "the peer takes nothing".into()
                } else {
                    error.to_string()
                });
            }
            self.counters.frames_sent.add(count);
            if self.is_unwanted() {
                return Ok("no group needs it".into());
            }
            oldest = Time::ZERO;
        }
    }

    fn report(&self, state: LinkState, reason: Option<String>) -> Result<(), Stopped> {
        self.inbox.send(Input::Link { peer: self.peer, state, reason }).map_err(|_| Stopped)
    }

    /// Tells why there is no stream, unless that is known.
    fn report_once(&self, said: &mut Option<NoStream>, reason: NoStream) -> Result<(), Stopped> {
        let kind = reason.kind();
        if said.as_ref() == Some(&kind) {
            return Ok(());
        }
        *said = Some(kind);
        let (reason, refusal) = match reason {
            NoStream::Failed(reason) => (reason, None),
            NoStream::Unwelcome(refusal) => {
                (format!("the handshake was refused: {refusal}; {}", refusal.advice()), Some(refusal))
            }
        };
        let input = Input::Unreachable { peer: self.peer, reason, refusal: refusal.map(Box::new) };
        self.inbox.send(input).map_err(|_| Stopped)
    }

    fn asker(&self) -> Asker<T> {
        Asker {
            peer: self.peer,
            transport: Arc::clone(&self.transport),
            introduction: self.introduction.clone(),
            roster: self.roster.clone(),
            inbox: self.inbox.clone(),
            closers: self.closers.clone(),
            threads: self.threads.clone(),
            counters: Arc::clone(&self.counters),
            timeouts: self.timeouts,
        }
    }
}

/// Why there is no stream, as it was reported.
#[derive(Debug, PartialEq, Eq)]
enum NoStream {
    Failed(String),
    Unwelcome(HandshakeRefusal),
}

impl NoStream {
    /// Without what differs from attempt to attempt.
    fn kind(&self) -> Self {
        match self {
            Self::Failed(reason) => Self::Failed(reason.clone()),
            Self::Unwelcome(refusal) => Self::Unwelcome(refusal.kind()),
        }
    }
}

mod ask;
mod backoff;
#[cfg(all(test, unix))]
mod tests;
mod timeouts;
