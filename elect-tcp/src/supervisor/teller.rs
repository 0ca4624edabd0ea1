//! The thread of one peer: keeps a stream to it, and tells it which lives have ended.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use elect_core::{Incarnation, NodeId};

use crate::closers::{Closers, Registration};
use crate::dialer::{Backoff, Timeouts};
use crate::handshake::{self, Greeting, HandshakeError};
use crate::introduction::Introduction;
use crate::threads::Threads;
use crate::transport::{Stream, Transport, Watch};

/// A life has ended.
#[derive(Debug)]
pub(super) struct News {
    pub(super) incarnation: Incarnation,
    /// Takes the peer's name as soon as it has been told.
    pub(super) done: Sender<NodeId>,
}

/// Why there is no stream. Cheap to clone; the clones show the same.
#[derive(Clone, Debug)]
pub(super) struct Standing(Arc<Mutex<Option<String>>>);

impl Default for Standing {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some("not dialled yet".into()))))
    }
}

impl Standing {
    pub(super) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, reason: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

/// Tells one peer.
pub(super) struct Teller<T> {
    pub(super) peer: NodeId,
    pub(super) transport: Arc<T>,
    pub(super) introduction: Introduction,
    pub(super) news: Receiver<News>,
    pub(super) standing: Standing,
    /// Disconnected when the supervisor ends.
    pub(super) stop: Receiver<()>,
    pub(super) closers: Closers,
    pub(super) threads: Threads,
    pub(super) timeouts: Timeouts,
}

/// The supervisor ends.
struct Stopped;

/// An established stream.
struct Connection<S> {
    stream: S,
    closed: Receiver<()>,
    _registration: Registration,
}

impl<T: Transport> Teller<T> {
    /// The thread.
    pub(super) fn run(self) {
        let Err(Stopped) = self.dial_for_ever();
    }

    fn dial_for_ever(&self) -> Result<std::convert::Infallible, Stopped> {
        let (mut backoff, mut untold) = (Backoff::default(), None);
        loop {
            let wait = match self.connect() {
                Ok(connection) => {
                    self.standing.set(None);
                    let up = Instant::now();
                    let reason = self.serve(connection, &mut untold)?;
                    self.standing.set(Some(reason));
                    backoff.after_close(up.elapsed(), Instant::now())
                }
                Err(reason) => {
                    self.standing.set(Some(reason));
                    backoff.after_failure()
                }
            };
            if self.stop.recv_timeout(wait).is_err_and(|error| error.is_disconnected()) {
                return Err(Stopped);
            }
        }
    }

    fn connect(&self) -> Result<Connection<T::Stream>, String> {
        let mut stream =
            self.transport.dial(self.peer, self.timeouts.dial).map_err(|error| error.to_string())?;
        let ending = || "the supervisor ends".to_owned();
        let registration = stream.closer().map(|closer| self.closers.register(closer));
        let registration = registration.map_err(|error| error.to_string())?.ok_or_else(ending)?;
        let greeting = Greeting { is_supervisor: true, ..self.introduction.to(self.peer) };
        handshake::dial(&mut stream, &greeting, self.timeouts.handshake).map_err(|error| match error {
            HandshakeError::Refused(refusal) => {
                format!("the handshake was refused: {refusal}; {}", refusal.advice())
            }
            error => error.to_string(),
        })?;
        let opened = stream.set_timeouts(None, Some(self.timeouts.stall)).and_then(|()| self.watch(&stream));
        let closed = opened.map_err(|error| error.to_string())?;
        Ok(Connection { stream, closed, _registration: registration })
    }

    /// A thread that says when the stream ends: it must stand again before there is something to tell.
    fn watch(&self, stream: &T::Stream) -> io::Result<Receiver<()>> {
        let mut watcher: Box<dyn Watch> = stream.watcher()?;
        let (ended, closed) = bounded(0);
        self.threads.spawn(format!("watch {}", self.peer), drop, move || {
            watcher.wait();
            // Disconnects `closed`.
            drop::<Sender<()>>(ended);
        })?;
        Ok(closed)
    }

    /// Tells what there is to tell until the stream ends, and says how it did.
    fn serve(
        &self,
        mut connection: Connection<T::Stream>,
        untold: &mut Option<News>,
    ) -> Result<String, Stopped> {
        loop {
            let news = if let Some(news) = untold.take() {
                news
            } else {
                select! {
                    recv(self.news) -> news => news.map_err(|_| Stopped)?,
                    recv(connection.closed) -> _ => return Ok("the peer closed it".into()),
                    recv(self.stop) -> _ => return Err(Stopped),
                }
            };
            let Incarnation { counter, random } = news.incarnation;
            let bytes = [counter.to_le_bytes(), random.to_le_bytes()].concat();
            if let Err(error) = connection.stream.write_all(&bytes).and_then(|()| connection.stream.flush()) {
                *untold = Some(news);
                return Ok(error.to_string());
            }
            let _ = news.done.try_send(self.peer);
        }
    }
}
