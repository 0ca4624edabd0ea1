//! A transport that misbehaves on demand, for tests: around any other one.
//!
//! ```
//! use elect_tcp::{Fault, FaultyTransport, LocalNetwork};
//! # use elect_core::NodeId;
//! # let (a, b) = (NodeId::new("a")?, NodeId::new("b")?);
//! let (transport, faults) = FaultyTransport::new(LocalNetwork::new().join(a));
//! faults.set(b, Fault::HalfOpen); // what `a` sends to `b` vanishes from now on
//! faults.lose_stream(b);          // and the stream that stands breaks, once
//! faults.set(b, Fault::None);
//! # drop(transport);
//! # Ok::<(), elect_core::NameError>(())
//! ```

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use elect_core::{Address, NodeId};

use crate::transport::{Close, DialError, Stream, Tell, Transport, TrySend, Watch};

/// What happens to everything that a node sends to one peer. Each direction has its own: a node only sends on the streams
/// that it dials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Every dial and every write waits this long, and then happens. What a node has to say meanwhile waits behind it,
    /// and only the newest of it leaves.
    Delay(Duration),
    /// Bytes leave one at a time, this long after one another: of a handshake too, which has a deadline. The first of a
    /// frame may leave at once.
    Trickle(Duration),
    /// What is sent vanishes without an error, the other end's words and its end are not noticed, and a dial is not
    /// answered: a machine that is gone, or a cable. A stream that has lost bytes breaks as soon as the fault is over.
    HalfOpen,
    /// Streams break, and a dial fails at once, which proves nothing about the peer.
    Cut,
}

/// Sets what happens to the streams of a [`FaultyTransport`], from any thread and at any time. Cheap to clone.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<HashMap<NodeId, Arc<Path>>>>);

impl Faults {
    /// Sets what happens from now on to what the node sends to `peer`.
    pub fn set(&self, peer: NodeId, fault: Fault) {
        let path = self.path(peer);
        path.state().fault = fault;
        path.changed.notify_all();
        if fault == Fault::Cut {
            path.break_streams();
        }
    }

    /// Breaks the stream that stands to `peer`. It may be dialled anew at once.
    pub fn lose_stream(&self, peer: NodeId) {
        self.path(peer).break_streams();
    }

    fn path(&self, peer: NodeId) -> Arc<Path> {
        let mut paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(paths.entry(peer).or_default())
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_map().entries(paths.iter().map(|(peer, path)| (peer, path.state().fault))).finish()
    }
}

/// The way from this node to one peer.
#[derive(Default)]
struct Path {
    state: Mutex<PathState>,
    /// The fault changed, or a stream was closed.
    changed: Condvar,
}

#[derive(Default)]
struct PathState {
    fault: Fault,
    streams: Vec<Arc<Ending>>,
}

impl Path {
    fn state(&self) -> MutexGuard<'_, PathState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self) -> Fault {
        self.state().fault
    }

    fn break_streams(&self) {
        let streams = std::mem::take(&mut self.state().streams);
        for stream in streams {
            stream.close();
        }
    }

    /// Waits until `is_over` holds of the fault or the time is up, and says whether it holds.
    fn wait(&self, timeout: Option<Duration>, is_over: impl Fn(Fault) -> bool) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.state();
        while !is_over(state.fault) {
            state = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return false,
                Some(left) => {
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        true
    }
}

/// What closes one stream, and remembers that it did.
struct Ending {
    path: Arc<Path>,
    inner: Arc<dyn Close>,
    is_closed: AtomicBool,
}

impl Ending {
    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }
}

impl Close for Ending {
    fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        // Under the lock: whoever is about to wait has looked before, or is woken.
        let state = self.path.state();
        self.path.changed.notify_all();
        drop(state);
        self.inner.close();
    }
}

/// A transport whose streams suffer what [`Faults`] says.
#[derive(Debug)]
pub struct FaultyTransport<T> {
    inner: T,
    faults: Faults,
}

impl<T: Transport> FaultyTransport<T> {
    /// Wraps `inner`, which works as it always did until a fault is set.
    pub fn new(inner: T) -> (Self, Faults) {
        let faults = Faults::default();
        (Self { inner, faults: faults.clone() }, faults)
    }
}

impl<T: Transport> Transport for FaultyTransport<T> {
    type Stream = FaultyStream<T::Stream>;

    fn accept(&self) -> io::Result<Self::Stream> {
        // What comes in suffers at the node that sends it.
        FaultyStream::new(self.inner.accept()?, Arc::default())
    }

    fn close(&self) {
        self.inner.close();
    }

    fn own_address(&self) -> Address {
        self.inner.own_address()
    }

    fn learn(&self, peer: NodeId, address: &Address, remote: &Address) {
        self.inner.learn(peer, address, remote);
    }

    fn tell(&self, tell: Tell) {
        self.inner.tell(tell);
    }

    fn welcomed(&self, peer: NodeId, remote: &Address) {
        self.inner.welcomed(peer, remote);
    }

    fn dial(&self, peer: NodeId, timeout: Duration) -> Result<Self::Stream, DialError> {
        let (path, began) = (self.faults.path(peer), Instant::now());
        let unanswered = || DialError::Failed(io::ErrorKind::TimedOut.into());
        match path.fault() {
            Fault::HalfOpen if !path.wait(Some(timeout), |fault| fault != Fault::HalfOpen) => {
                return Err(unanswered());
            }
            Fault::Delay(delay) => {
                let fault = Fault::Delay(delay);
                if !path.wait(Some(delay.min(timeout)), |now| now != fault) && delay > timeout {
                    return Err(unanswered());
                }
            }
            Fault::Cut => return Err(DialError::Failed(io::ErrorKind::NetworkUnreachable.into())),
            Fault::None | Fault::Trickle(_) | Fault::HalfOpen => {}
        }
        let left = timeout.saturating_sub(began.elapsed()).max(Duration::from_millis(1));
        let stream = FaultyStream::new(self.inner.dial(peer, left)?, Arc::clone(&path))?;
        let mut state = path.state();
        state.streams.retain(|stream| !stream.is_closed());
        state.streams.push(Arc::clone(&stream.ending));
        Ok(stream)
    }
}

/// A stream of a [`FaultyTransport`].
pub struct FaultyStream<S> {
    inner: S,
    path: Arc<Path>,
    ending: Arc<Ending>,
    read_timeout: Cell<Option<Duration>>,
    /// Shared with what sends past the stream.
    has_lost_bytes: Arc<AtomicBool>,
}

impl<S: Stream> FaultyStream<S> {
    fn new(inner: S, path: Arc<Path>) -> io::Result<Self> {
        let closer = inner.closer()?;
        let ending = Ending { path: Arc::clone(&path), inner: closer, is_closed: AtomicBool::new(false) };
        let (ending, read_timeout) = (Arc::new(ending), Cell::new(None));
        Ok(Self { inner, path, ending, read_timeout, has_lost_bytes: Arc::default() })
    }

    /// Waits as long as `fault` asks for, unless it is over earlier.
    fn linger(&self, fault: Fault, span: Duration) -> io::Result<()> {
        self.path.wait(Some(span), |now| now != fault || self.ending.is_closed());
        if self.ending.is_closed() { Err(io::ErrorKind::NotConnected.into()) } else { Ok(()) }
    }
}

impl<S> Drop for FaultyStream<S> {
    fn drop(&mut self) {
        // Nobody needs to close it any more.
        self.path.state().streams.retain(|stream| !Arc::ptr_eq(stream, &self.ending));
    }
}

impl<S: Stream> Read for FaultyStream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = if self.path.fault() == Fault::HalfOpen { None } else { Some(self.inner.read(buffer)) };
        if self.path.fault() != Fault::HalfOpen {
            return read.unwrap_or_else(|| self.inner.read(buffer));
        }
        let is_over = |fault| fault != Fault::HalfOpen || self.ending.is_closed();
        if !self.path.wait(self.read_timeout.get(), is_over) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // What came meanwhile is lost, and with it the stream.
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl<S: Stream> Write for FaultyStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fault = self.path.fault();
        match fault {
            Fault::HalfOpen => {
                self.has_lost_bytes.store(true, Ordering::SeqCst);
                return Ok(bytes.len());
            }
            Fault::Cut => return Err(io::ErrorKind::ConnectionReset.into()),
            _ if self.has_lost_bytes.load(Ordering::SeqCst) => {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Fault::None => {}
            Fault::Delay(span) => self.linger(fault, span)?,
            Fault::Trickle(span) => {
                self.linger(fault, span)?;
                return self.inner.write(&bytes[..bytes.len().min(1)]);
            }
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<S: Stream> Stream for FaultyStream<S> {
    fn closer(&self) -> io::Result<Arc<dyn Close>> {
        Ok(Arc::clone(&self.ending) as Arc<dyn Close>)
    }

    fn watcher(&self) -> io::Result<Box<dyn Watch>> {
        Ok(Box::new(Watcher { inner: self.inner.watcher()?, ending: Arc::clone(&self.ending) }))
    }

    fn sender(&self) -> io::Result<Option<Arc<dyn TrySend>>> {
        let Some(inner) = self.inner.sender()? else { return Ok(None) };
        let (path, has_lost_bytes) = (Arc::clone(&self.path), Arc::clone(&self.has_lost_bytes));
        Ok(Some(Arc::new(Sender { inner, path, has_lost_bytes })))
    }

    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.read_timeout.set(read);
        self.inner.set_timeouts(read, write)
    }

    fn proven(&self) -> Option<NodeId> {
        self.inner.proven()
    }

    fn remote(&self) -> Address {
        self.inner.remote()
    }
}

impl<S: fmt::Debug> fmt::Debug for FaultyStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStream")
            .field("inner", &self.inner)
            .field("fault", &self.path.fault())
            .finish_non_exhaustive()
    }
}

/// Sends without blocking what the fault lets through, and leaves to the stream what has to wait.
struct Sender {
    inner: Arc<dyn TrySend>,
    path: Arc<Path>,
    has_lost_bytes: Arc<AtomicBool>,
}

impl TrySend for Sender {
    fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.path.fault() {
            Fault::HalfOpen => {
                self.has_lost_bytes.store(true, Ordering::SeqCst);
                Ok(bytes.len())
            }
            Fault::Cut => Err(io::ErrorKind::ConnectionReset.into()),
            _ if self.has_lost_bytes.load(Ordering::SeqCst) => Err(io::ErrorKind::ConnectionReset.into()),
            Fault::None => self.inner.try_send(bytes),
            Fault::Delay(_) => Err(io::ErrorKind::WouldBlock.into()),
            Fault::Trickle(_) => self.inner.try_send(&bytes[..bytes.len().min(1)]),
        }
    }
}

struct Watcher {
    inner: Box<dyn Watch>,
    ending: Arc<Ending>,
}

impl Watch for Watcher {
    fn wait(&mut self) {
        self.inner.wait();
        // Of a machine that is gone nobody hears that it closed anything.
        let ending = &self.ending;
        ending.path.wait(None, |fault| fault != Fault::HalfOpen || ending.is_closed());
    }
}
