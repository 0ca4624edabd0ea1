//! A transport that lies outside elect-tcp: nodes on one machine, over Unix sockets in a directory.
//!
//! It shows all that elect-tcp asks of a network: [`Transport`] dials and accepts, a [`Stream`](elect_tcp::Stream) reads,
//! writes and closes, and what the transport knows of the other end is told by `Stream::proven`. Here the directory's
//! permissions say who may connect, and names are trusted.

use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use elect_core::NodeId;
use elect_tcp::{DialError, Transport, socket_stream};

/// One node's socket in a directory that all of them share.
#[derive(Debug)]
pub struct UnixTransport {
    directory: PathBuf,
    own: PathBuf,
    listener: UnixListener,
    is_closed: AtomicBool,
    /// Held by whoever removes the socket's name, so that it is removed once.
    closing: Mutex<()>,
}

impl UnixTransport {
    /// Listens in `directory`, which is made for this user alone if it is not there. A socket that an earlier process
    /// has left is removed; that no other process of this name runs is the vote file's lock to say, so open that first.
    pub fn bind(directory: impl Into<PathBuf>, node: NodeId) -> io::Result<Self> {
        let directory = directory.into();
        DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let own = socket(&directory, node);
        match fs::remove_file(&own) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&own)?;
        Ok(Self { directory, own, listener, is_closed: AtomicBool::new(false), closing: Mutex::default() })
    }
}

fn socket(directory: &Path, node: NodeId) -> PathBuf {
    directory.join(format!("{node}.sock"))
}

impl Transport for UnixTransport {
    type Stream = LocalStream;

    fn accept(&self) -> io::Result<LocalStream> {
        let is_closed = || self.is_closed.load(Ordering::SeqCst);
        if is_closed() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let accepted = self.listener.accept();
        if is_closed() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        accepted.map(|(stream, _)| LocalStream(stream))
    }

    fn close(&self) {
        let Ok(_closing) = self.closing.lock() else { return };
        if self.is_closed.swap(true, Ordering::SeqCst) {
            return;
        }
        // A connection of its own wakes a blocked accept, which then looks whether it is closed.
        let _ = UnixStream::connect(&self.own);
        let _ = fs::remove_file(&self.own);
    }

    fn dial(&self, peer: NodeId, _: Duration) -> Result<LocalStream, DialError> {
        match UnixStream::connect(socket(&self.directory, peer)) {
            Ok(stream) => Ok(LocalStream(stream)),
            // Nobody listens: the process that made the socket is gone, or has said so by removing it.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) =>
            {
                Err(DialError::Refused)
            }
            Err(error) => Err(DialError::Failed(error)),
        }
    }
}

/// A stream between two processes of this machine. A type of its own, as one for TLS or for a serial line would be: with
/// the methods of a socket, [`socket_stream!`](elect_tcp::socket_stream) does the rest.
#[derive(Debug)]
pub struct LocalStream(UnixStream);

impl LocalStream {
    fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_write_timeout(timeout)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }
}

impl Read for LocalStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for LocalStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

socket_stream!(LocalStream);
