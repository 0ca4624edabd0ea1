//! What a node needs of a network: byte streams between members, dialled and accepted.
//!
//! Each node dials every peer and only *sends* on that stream; what it receives comes in on the streams that its peers
//! dialled. One writer and one reader per stream need no lock, and a link that works in one direction only is seen
//! as what it is.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use elect_core::{Address, NodeId};

/// Dials and accepts streams. [`TcpTransport`](crate::TcpTransport) is one; TLS, QUIC streams, pipes in a test and a
/// wrapper that injects faults are others.
pub trait Transport: Send + Sync + 'static {
    /// What it dials and accepts.
    type Stream: Stream;

    /// Blocks until somebody dials this node, or until [`close`](Self::close).
    fn accept(&self) -> io::Result<Self::Stream>;

    /// Ends a blocked `accept` and every later one, and frees the address: from now on dialling it is refused.
    fn close(&self);

    /// Dials `peer`, giving up after `timeout` in all. Blocks the caller for no longer than that.
    fn dial(&self, peer: NodeId, timeout: Duration) -> Result<Self::Stream, DialError>;

    /// Where peers dial this node, for its greetings; empty if the transport does not know.
    fn own_address(&self) -> Address {
        Address::default()
    }

    /// A peer was heard that says that it is dialled at `address` (empty if it does not say), and that dialled from
    /// [`Stream::remote`]. For where nothing better is known: on a transport that proves nobody it is a claim.
    fn learn(&self, peer: NodeId, address: &Address, remote: &Address) {
        let _ = (peer, address, remote);
    }

    /// A stream that was dialled leads to `peer`: it has answered as that node. [`Stream::remote`] was `remote`. Where a
    /// peer is looked for at several addresses, only a refusal from this one shows that its process is gone.
    fn welcomed(&self, peer: NodeId, remote: &Address) {
        let _ = (peer, remote);
    }

    /// Whom to tell what the host should know of the transport. Called once, before anything else.
    fn tell(&self, tell: Tell) {
        drop(tell);
    }
}

/// What takes the notices of a transport, on any of its threads.
pub type Tell = Box<dyn Fn(TransportNotice) + Send + Sync>;

/// What a transport tells its host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportNotice {
    /// Certificates, keys or pins were replaced: the new ones are in force in every later handshake. Streams that stand go on.
    CredentialsRenewed,
    /// Certificates, keys or pins were replaced, and cannot be used: the old ones stay in force until the files change again.
    CredentialsKept {
        /// The file, and what is wrong with it.
        reason: String,
    },
    /// The dates of this node's own certificate: it ends soon, is over or not valid yet, as its authorities are asked. Looked at
    /// at the start, at each renewal and in handshakes, there once an hour.
    CertificateDates {
        /// What is wrong, and what to do.
        text: &'static str,
    },
}

impl fmt::Display for TransportNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CredentialsRenewed => f.write_str("new certificates or pins are in force"),
            Self::CredentialsKept { reason } => {
                write!(f, "new certificates or pins cannot be used, and the old ones stay in force: {reason}")
            }
            Self::CertificateDates { text } => f.write_str(text),
        }
    }
}

/// What a stream's first reads and writes end with when it cannot be proven who is at the other end: an [`io::Error`] that
/// the node tells its host as such, and not as a stream that broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unproven(String);

impl Unproven {
    /// What was wrong, for an operator.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// That of an error, if it is one.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Unproven> for io::Error {
    fn from(unproven: Unproven) -> Self {
        Self::new(io::ErrorKind::InvalidData, unproven)
    }
}

/// Why dialling failed.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nobody listens where the last stream to the peer led: its process is dead, where crash evidence is configured. Not
    /// for an address to which none has led.
    #[error("the connection is refused")]
    Refused,
    /// Anything else, which proves nothing.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

/// A stream of bytes between two nodes.
pub trait Stream: Read + Write + Send + 'static {
    /// What closes this stream from another thread.
    fn closer(&self) -> io::Result<Arc<dyn Close>>;

    /// What waits on another thread until this stream, which the owner only writes, is closed.
    fn watcher(&self) -> io::Result<Box<dyn Watch>>;

    /// What sends on this stream without ever blocking, from another thread, at times when the owner does not write.
    ///
    /// It spares a frame the way over the thread that may block. `None`, as of a stream that cannot do it: every frame
    /// takes that way.
    fn sender(&self) -> io::Result<Option<Arc<dyn TrySend>>> {
        Ok(None)
    }

    /// Sets how long one read and one write may block; `None` is for ever.
    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()>;

    /// The node at the other end if the transport has proved who it is, as TLS does. `None`: the name in the handshake
    /// is trusted. Asked once bytes have come from there; a transport that proves nodes fails ([`Unproven`]) before it gives bytes of
    /// somebody whom it cannot name.
    fn proven(&self) -> Option<NodeId> {
        None
    }

    /// Where the other end is, for an operator to read; empty if that is not known.
    fn remote(&self) -> Address {
        Address::default()
    }
}

/// Closes a stream.
pub trait Close: Send + Sync {
    /// Closes both directions and wakes whoever is blocked on the stream. May be called often.
    fn close(&self);
}

/// Sends without blocking.
pub trait TrySend: Send + Sync {
    /// Sends as many of `bytes` as the stream takes at this moment, and says how many. [`WouldBlock`] where it takes
    /// none.
    ///
    /// [`WouldBlock`]: io::ErrorKind::WouldBlock
    fn try_send(&self, bytes: &[u8]) -> io::Result<usize>;
}

/// Waits for the end of a stream.
pub trait Watch: Send {
    /// Blocks until the stream is closed by either end or breaks.
    fn wait(&mut self);
}

/// What [`socket_stream!`](crate::socket_stream) needs of the operating system.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[doc(hidden)]
pub fn send_without_blocking(socket: impl std::os::fd::AsFd, bytes: &[u8]) -> io::Result<usize> {
    use rustix::net::{SendFlags, send};

    Ok(send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
}

/// Makes a [`Stream`] of a socket type: `socket_stream!(MyStream);`, or, with what tells where its other end is,
/// `socket_stream!(MyStream, |stream| …)`.
///
/// The type reads and writes ([`Read`], [`Write`]), may be sent to another thread, and has the methods of the sockets of
/// the standard library: `try_clone(&self) -> io::Result<Self>`, `set_read_timeout` and `set_write_timeout` of an
/// `Option<Duration>`, and `shutdown(&self, Shutdown)`, which wakes whoever is blocked on any clone. On Linux it gives its
/// descriptor (`AsFd`). `TcpStream` and, on Unix, `UnixStream` are streams already.
///
/// A transport that lies outside this crate: `examples/unix-transport` in the repository.
#[macro_export]
macro_rules! socket_stream {
    ($type:ty) => {
        $crate::socket_stream!($type, |_| ::std::default::Default::default());
    };
    ($type:ty, $remote:expr) => {
        const _: () = {
            impl $crate::Stream for $type {
                fn closer(&self) -> ::std::io::Result<::std::sync::Arc<dyn $crate::Close>> {
                    Ok(::std::sync::Arc::new(Socket(self.try_clone()?)))
                }

                fn watcher(&self) -> ::std::io::Result<::std::boxed::Box<dyn $crate::Watch>> {
                    Ok(::std::boxed::Box::new(Socket(self.try_clone()?)))
                }

                #[cfg(any(target_os = "linux", target_os = "android"))]
                fn sender(
                    &self,
                ) -> ::std::io::Result<::std::option::Option<::std::sync::Arc<dyn $crate::TrySend>>> {
                    Ok(::std::option::Option::Some(::std::sync::Arc::new(Socket(self.try_clone()?))))
                }

                fn set_timeouts(
                    &self,
                    read: ::std::option::Option<::std::time::Duration>,
                    write: ::std::option::Option<::std::time::Duration>,
                ) -> ::std::io::Result<()> {
                    self.set_read_timeout(read)?;
                    self.set_write_timeout(write)
                }

                fn remote(&self) -> $crate::Address {
                    let remote: fn(&$type) -> $crate::Address = $remote;
                    remote(self)
                }
            }

            /// A second handle to a stream's socket.
            struct Socket($type);

            impl $crate::Close for Socket {
                fn close(&self) {
                    let _ = self.0.shutdown(::std::net::Shutdown::Both);
                }
            }

            #[cfg(any(target_os = "linux", target_os = "android"))]
            impl $crate::TrySend for Socket {
                fn try_send(&self, bytes: &[u8]) -> ::std::io::Result<usize> {
                    $crate::send_without_blocking(&self.0, bytes)
                }
            }

            impl $crate::Watch for Socket {
                fn wait(&mut self) {
                    use ::std::io::{ErrorKind, Read};

                    // The other end never sends here: whatever comes, bytes, an end or an error, ends the stream.
                    while matches!(self.0.read(&mut [0]), Err(error) if error.kind() == ErrorKind::Interrupted)
                    {}
                }
            }
        };
    };
}
