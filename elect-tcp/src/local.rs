//! Nodes in one process, for tests: no port, no address, nothing leaves the process.

use std::collections::HashMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use elect_core::NodeId;

use crate::transport::{DialError, Transport, socket_stream};

/// At most this many streams wait to be accepted, as in a listening socket's backlog.
const BACKLOG: usize = 64;

/// A network inside this process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LocalNetwork(Arc<Mutex<HashMap<NodeId, Sender<UnixStream>>>>);

impl LocalNetwork {
    /// A network without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The transport of `node`, in the place of an earlier one of that name.
    pub fn join(&self, node: NodeId) -> LocalTransport {
        let (listener, dialled) = bounded(BACKLOG);
        self.listeners().insert(node, listener.clone());
        LocalTransport {
            network: self.clone(),
            node,
            listener: Mutex::new(Some(listener)),
            dialled,
            closed: AtomicBool::new(false),
        }
    }

    fn listeners(&self) -> MutexGuard<'_, HashMap<NodeId, Sender<UnixStream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One node's place in a [`LocalNetwork`].
#[derive(Debug)]
pub struct LocalTransport {
    network: LocalNetwork,
    node: NodeId,
    /// Taken by `close`: without it, and without the network's, `dialled` disconnects.
    listener: Mutex<Option<Sender<UnixStream>>>,
    dialled: Receiver<UnixStream>,
    closed: AtomicBool,
}

impl Transport for LocalTransport {
    type Stream = UnixStream;

    fn accept(&self) -> io::Result<UnixStream> {
        match self.dialled.recv() {
            Ok(stream) if !self.closed.load(Ordering::SeqCst) => Ok(stream),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let Some(own) = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let mut listeners = self.network.listeners();
        // A node that was started anew under this name keeps its listener.
        if listeners.get(&self.node).is_some_and(|listener| listener.same_channel(&own)) {
            listeners.remove(&self.node);
        }
        // What nobody has accepted is closed, as a listening socket closes its backlog.
        self.dialled.try_iter().for_each(drop);
    }

    fn dial(&self, peer: NodeId, _: Duration) -> Result<UnixStream, DialError> {
        let listener = self.network.listeners().get(&peer).cloned().ok_or(DialError::Refused)?;
        let (near, far) = UnixStream::pair()?;
        match listener.try_send(far) {
            Ok(()) => Ok(near),
            Err(TrySendError::Full(_)) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            Err(TrySendError::Disconnected(_)) => Err(DialError::Refused),
        }
    }
}

socket_stream!(UnixStream, |_| elect_core::Address::default());
