//! Plain TCP.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use elect_core::{Address, NodeId};
use socket2::{SockRef, TcpKeepalive};

use crate::config::{Listen, NodeConfig};
use crate::transport::{DialError, Transport, socket_stream};

/// Plain TCP: for loopback, or for a network in which everybody is trusted.
#[derive(Debug)]
pub struct TcpTransport {
    /// Taken by `close`; the accepting thread holds the other reference while it is blocked.
    listener: Mutex<Option<Arc<TcpListener>>>,
    local: SocketAddr,
    closed: AtomicBool,
    peers: HashMap<NodeId, Peer>,
    allow_plaintext: bool,
    unacknowledged_max: Duration,
}

#[derive(Debug)]
struct Peer {
    address: String,
    /// A look-up that outlasted its dial.
    pending: Mutex<Option<Receiver<io::Result<Vec<SocketAddr>>>>>,
}

impl TcpTransport {
    /// Binds the configured address.
    pub(crate) fn bind(config: &NodeConfig) -> io::Result<Self> {
        let listener = match &config.listen {
            Listen::Address(address) => TcpListener::bind(address)?,
            Listen::Bound(listener) => listener.try_clone()?,
            Listen::Elsewhere => {
                return Err(io::Error::other("the configuration names no address to listen on"));
            }
        };
        let peers = config
            .peers
            .iter()
            .map(|(id, address)| (*id, Peer { address: address.clone(), pending: Mutex::default() }));
        Ok(Self {
            local: listener.local_addr()?,
            listener: Mutex::new(Some(Arc::new(listener))),
            closed: AtomicBool::new(false),
            peers: peers.collect(),
            allow_plaintext: config.allow_plaintext,
            unacknowledged_max: config.stall_timeout(),
        })
    }

    /// The address on which this node listens.
    pub const fn local_address(&self) -> SocketAddr {
        self.local
    }

    fn prepare(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        // A peer that vanished without closing its stream frees its reader within half a minute.
        let keepalive =
            TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5));
        socket.set_tcp_keepalive(&keepalive)?;
        // Without this a connection sits out TCP's own backoff after a cut has healed: tens of seconds.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_user_timeout(Some(self.unacknowledged_max))?;
        Ok(())
    }

    fn check_plaintext(&self, address: SocketAddr) -> io::Result<()> {
        if self.allow_plaintext || address.ip().is_loopback() {
            return Ok(());
        }
        let text = format!(
            "{address} is not on this machine, and plain TCP may not leave it without `allow_plaintext`"
        );
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    }
}

impl Transport for TcpTransport {
    type Stream = TcpStream;

    fn accept(&self) -> io::Result<TcpStream> {
        let closed = || io::Error::new(io::ErrorKind::NotConnected, "the listener is closed");
        let listener =
            self.listener.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)?;
        loop {
            let accepted = listener.accept();
            if self.closed.load(Ordering::SeqCst) {
                return Err(closed());
            }
            match accepted {
                // A stream that is gone before it is ready is no error of the listener.
                Ok((stream, _)) if self.prepare(&stream).is_ok() => return Ok(stream),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listener) = listener {
            // On Linux this wakes a blocked accept; elsewhere a connection of its own does.
            let _ = SockRef::from(&*listener).shutdown(Shutdown::Both);
            if cfg!(not(any(target_os = "linux", target_os = "android"))) {
                let _ = TcpStream::connect_timeout(&self.local, Duration::from_millis(100));
            }
        }
    }

    fn dial(&self, peer: NodeId, timeout: Duration) -> Result<TcpStream, DialError> {
        let deadline = Instant::now() + timeout;
        let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("no address is known for {peer}"));
        let addresses = self.peers.get(&peer).ok_or_else(unknown)?.resolve(timeout)?;
        let mut refused = !addresses.is_empty();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            self.check_plaintext(address)?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            match TcpStream::connect_timeout(&address, left) {
                Ok(stream) => {
                    self.prepare(&stream)?;
                    return Ok(stream);
                }
                Err(error) => {
                    refused &= error.kind() == io::ErrorKind::ConnectionRefused;
                    last = error;
                }
            }
        }
        // A name with several addresses is refused only if every one of them refuses.
        Err(if refused { DialError::Refused } else { DialError::Failed(last) })
    }
}

impl Peer {
    /// Looks the name up on a thread of its own: `getaddrinfo` cannot be woken and may block for minutes.
    fn resolve(&self, timeout: Duration) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = self.address.parse() {
            return Ok(vec![address]);
        }
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match pending.take() {
            Some(answer) => answer,
            None => look_up(self.address.clone())?,
        };
        match answer.recv_timeout(timeout) {
            Ok(addresses) => addresses,
            Err(RecvTimeoutError::Disconnected) => {
                Err(io::Error::other("the look-up thread ended without an answer"))
            }
            Err(RecvTimeoutError::Timeout) => {
                *pending = Some(answer);
                let text = format!("looking up {} takes longer than {timeout:?}", self.address);
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
        }
    }
}

fn look_up(address: String) -> io::Result<Receiver<io::Result<Vec<SocketAddr>>>> {
    let (sender, receiver) = bounded(1);
    thread::Builder::new().name("elect-resolve".into()).spawn(move || {
        let _ = sender.send(address.to_socket_addrs().map(Iterator::collect));
    })?;
    Ok(receiver)
}

socket_stream!(TcpStream, |stream| {
    let remote = stream.peer_addr().ok().and_then(|address| Address::new(&address.to_string()).ok());
    remote.unwrap_or_default()
});
