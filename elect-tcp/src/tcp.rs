//! Plain TCP.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use elect_core::{Address, NodeId};
use socket2::{Domain, Protocol, SockRef, TcpKeepalive, Type};

use self::whereabouts::{Proof, Whereabouts};
use crate::config::{Listen, NodeConfig};
use crate::socket_stream;
use crate::transport::{DialError, Transport};

/// Plain TCP: for loopback, or for a network in which everybody is trusted.
#[derive(Debug)]
pub struct TcpTransport {
    /// Taken by `close`; the accepting thread holds the other reference while it is blocked.
    listener: Mutex<Option<Arc<TcpListener>>>,
    local: SocketAddr,
    advertised: Address,
    closed: AtomicBool,
    peers: HashMap<NodeId, Whereabouts>,
    allow_plaintext: bool,
    unacknowledged_max: Duration,
}

impl TcpTransport {
    /// Binds the configured address: the transport of [`Node::start`](crate::Node::start), for
    /// [`Node::start_with`](crate::Node::start_with).
    /// A configuration that wants TLS is refused: it would be plain.
    pub fn bind(config: &NodeConfig) -> io::Result<Self> {
        #[cfg(feature = "tls")]
        if config.tls.is_some() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the configuration wants TLS: bind a TlsTransport",
            ));
        }
        Self::bind_unchecked(config)
    }

    fn bind_unchecked(config: &NodeConfig) -> io::Result<Self> {
        let listener = Self::listener(config)?;
        let local = listener.local_addr()?;
        Ok(Self { listener: Mutex::new(Some(Arc::new(listener))), ..Self::dialling(config, local) })
    }

    fn listener(config: &NodeConfig) -> io::Result<TcpListener> {
        Ok(match &config.listen {
            Listen::Address(address) => listen(*address, config.listen_backlog)?,
            Listen::Bound(listener) => {
                SockRef::from(listener).listen(backlog(config.listen_backlog))?;
                listener.try_clone()?
            }
            Listen::Elsewhere => {
                return Err(io::Error::other("the configuration names no address to listen on"));
            }
        })
    }

    /// One that only dials.
    fn dialling(config: &NodeConfig, local: SocketAddr) -> Self {
        let peers = config.peers.iter().map(|(id, address)| (*id, Whereabouts::new(address.clone())));
        let is_given = !config.advertise.as_str().is_empty();
        Self {
            local,
            advertised: if is_given { config.advertise.clone() } else { address_of(local) },
            listener: Mutex::default(),
            closed: AtomicBool::new(false),
            peers: peers.collect(),
            allow_plaintext: config.allow_plaintext,
            unacknowledged_max: config.stall_timeout(),
        }
    }

    /// The same below TLS, which may leave this machine.
    #[cfg(feature = "tls")]
    pub(crate) fn bind_for_tls(config: &NodeConfig) -> io::Result<Self> {
        Ok(Self { allow_plaintext: true, ..Self::bind_unchecked(config)? })
    }

    /// The same without a listener.
    #[cfg(feature = "tls")]
    pub(crate) fn dialling_for_tls(config: &NodeConfig) -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self { allow_plaintext: true, ..Self::dialling(config, nowhere) }
    }

    /// The host of a peer's configured address, without its port.
    #[cfg(feature = "tls")]
    pub(crate) fn host_of(&self, peer: NodeId) -> String {
        let configured = self.peers.get(&peer).map_or("", Whereabouts::configured);
        let host = configured.rsplit_once(':').map_or(configured, |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']').to_owned()
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

    fn own_address(&self) -> Address {
        self.advertised.clone()
    }

    fn learn(&self, peer: NodeId, address: &Address, remote: &Address) {
        if let Some(whereabouts) = self.peers.get(&peer) {
            whereabouts.learn(address, remote);
        }
    }

    fn welcomed(&self, peer: NodeId, remote: &Address) {
        if let (Some(whereabouts), Ok(address)) = (self.peers.get(&peer), remote.as_str().parse()) {
            whereabouts.stood(address);
        }
    }

    fn dial(&self, peer: NodeId, timeout: Duration) -> Result<TcpStream, DialError> {
        let deadline = Instant::now() + timeout;
        let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("no address is known for {peer}"));
        let whereabouts = self.peers.get(&peer).ok_or_else(unknown)?;
        let (addresses, unresolved) = whereabouts.addresses(timeout)?;
        let told = whereabouts.told_besides(&addresses);
        let failed = match self.dial_each(whereabouts, &addresses, deadline, told.into_iter().count()) {
            Ok(stream) => return Ok(stream),
            Err(failed) => failed,
        };
        // A name that cannot be resolved may have moved: who refuses where it was proves nothing.
        if let Some(unresolved) = unresolved {
            let text = format!("{unresolved}; and where it was before: {}", failed.last);
            return Err(io::Error::new(failed.last.kind(), text).into());
        }
        // A name with several addresses is refused only if every one of them refuses.
        let all_refuse = !addresses.is_empty() && failed.refused.len() == addresses.len();
        let proof = whereabouts.judge(all_refuse, &failed.refused);
        if proof == Proof::New {
            return Err(DialError::Refused);
        }
        let mut last = failed.last;
        if let Some(told) = told {
            match self.dial_each(whereabouts, &[told], deadline, 0) {
                Ok(stream) => return Ok(stream),
                Err(there) => {
                    let text = format!("{last}; and where it says that it is, {told}: {}", there.last);
                    last = io::Error::new(last.kind(), text);
                }
            }
        }
        Err(if proof == Proof::None { DialError::Failed(last) } else { DialError::Refused })
    }
}

/// What became of addresses none of which took a connection.
struct Failures {
    refused: Vec<SocketAddr>,
    last: io::Error,
}

impl TcpTransport {
    /// Dials one address after the other. Each has its share of the time, and so have `spare` more that come afterwards: one
    /// that is silent does not use up what the others need.
    fn dial_each(
        &self,
        whereabouts: &Whereabouts,
        addresses: &[SocketAddr],
        deadline: Instant,
        spare: usize,
    ) -> Result<TcpStream, Failures> {
        let mut refused = Vec::new();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for (&address, shares) in addresses.iter().zip((1 + spare..=addresses.len() + spare).rev()) {
            match self.connect(address, deadline, shares) {
                Ok(stream) => {
                    whereabouts.worked(address);
                    return Ok(stream);
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    refused.push(address);
                    last = io::Error::new(error.kind(), "nobody listens there");
                }
                Err(error) => last = error,
            }
        }
        Err(Failures { refused, last })
    }

    /// Dials one address, for a part of the time that is left.
    fn connect(&self, address: SocketAddr, deadline: Instant, shares: usize) -> io::Result<TcpStream> {
        self.check_plaintext(address)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(shares).unwrap_or(u32::MAX);
        if share.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let stream = TcpStream::connect_timeout(&address, share)?;
        self.prepare(&stream)?;
        Ok(stream)
    }
}

/// As the standard library binds a listener, with another backlog.
fn listen(address: SocketAddr, connections: u32) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows this would let another process take the port over.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog(connections))?;
    Ok(socket.into())
}

fn backlog(connections: u32) -> i32 {
    i32::try_from(connections).unwrap_or(i32::MAX)
}

fn address_of(address: SocketAddr) -> Address {
    Address::new(&address.to_string()).unwrap_or_default()
}

socket_stream!(TcpStream, |stream| { stream.peer_addr().map(address_of).unwrap_or_default() });

#[cfg(test)]
mod tests;
mod whereabouts;
