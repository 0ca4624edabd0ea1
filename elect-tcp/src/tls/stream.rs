//! A stream of TLS over a socket.

use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use elect_core::{Address, NodeId};
use rustls::Connection;

use super::credentials::{Credentials, End};
use super::reason;
use crate::transport::{Close, Stream, Unproven, Watch};

/// After a refused handshake this much of what still comes is read, so that its alert is not lost in a reset.
const LINGER_BYTES: usize = 64 * 1024;

/// TLS over TCP.
///
/// Its handshake is part of the first read or write, whose timeout is then that of all of it: a call blocks for no longer than
/// its timeout, however the bytes of a record trickle in. A record that is half read when the time is up is read on by the
/// next call. After a failed write nothing can be written any more.
///
/// Nothing is said at the end (`close_notify`), and none is waited for: frames say their length, and an end proves nothing.
pub struct TlsStream {
    socket: TcpStream,
    side: Side,
    credentials: Arc<Credentials>,
    established: Option<Established>,
    is_broken: bool,
    timeouts: Timeouts,
}

/// Which end this is.
#[derive(Debug)]
pub(super) enum Side {
    /// This node dialled the peer, at this host.
    Dialling {
        host: String,
    },
    Accepting,
}

/// After the handshake.
struct Established {
    connection: Connection,
    proven: NodeId,
}

/// How long calls may block, and what the socket was last told.
#[derive(Debug, Default)]
struct Timeouts {
    read: Cell<Option<Duration>>,
    write: Cell<Option<Duration>>,
    socket_read: Cell<Option<Duration>>,
    socket_write: Cell<Option<Duration>>,
}

impl Timeouts {
    fn tell_read(&self, socket: &TcpStream, timeout: Option<Duration>) -> io::Result<()> {
        if self.socket_read.get() != timeout {
            socket.set_read_timeout(timeout)?;
            self.socket_read.set(timeout);
        }
        Ok(())
    }
}

impl TlsStream {
    pub(super) fn new(socket: TcpStream, side: Side, credentials: Arc<Credentials>) -> Self {
        Self { socket, side, credentials, established: None, is_broken: false, timeouts: Timeouts::default() }
    }

    /// The handshake, if it is still to come.
    fn establish(&mut self, patience: &Patience) -> io::Result<&mut Connection> {
        if self.established.is_none() {
            if self.is_broken {
                return Err(ErrorKind::BrokenPipe.into());
            }
            // Unless it succeeds.
            self.is_broken = true;
            self.established = Some(self.shake_hands(patience)?);
            self.is_broken = false;
        }
        let established = self.established.as_mut().map(|established| &mut established.connection);
        established.ok_or_else(|| ErrorKind::NotConnected.into())
    }

    fn shake_hands(&self, patience: &Patience) -> io::Result<Established> {
        let end = match &self.side {
            Side::Dialling { host } => self.credentials.dialling(host),
            Side::Accepting => self.credentials.accepting(),
        };
        let mut end = end.map_err(|error| reason::refusal(&error, None))?;
        let mut wire = Wire { socket: &self.socket, timeouts: &self.timeouts, patience };
        let proven = match complete(&mut end, &mut wire) {
            Ok(()) => self.credentials.proven(&end.connection, &end.material),
            Err(error) => Err(error),
        };
        match proven {
            Ok(proven) => Ok(Established { connection: end.connection, proven }),
            Err(error) => {
                if Unproven::of(&error).is_some() {
                    farewell(&mut end.connection, &mut wire);
                }
                Err(error)
            }
        }
    }
}

impl Read for TlsStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let patience = Patience::new(self.timeouts.read.get());
        self.establish(&patience)?;
        let Some(Established { connection, .. }) = &mut self.established else { return Ok(0) };
        let mut wire = Wire { socket: &self.socket, timeouts: &self.timeouts, patience: &patience };
        loop {
            match connection.reader().read(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
            match connection.read_tls(&mut wire) {
                Ok(0) => return Ok(0),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            connection.process_new_packets().map_err(|error| reason::afterwards(&error))?;
        }
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let patience = Patience::new(self.timeouts.write.get());
        self.establish(&patience)?;
        let Some(Established { connection, .. }) = &mut self.established else { return Ok(0) };
        if self.is_broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let count = connection.writer().write(bytes)?;
        let mut wire = Wire { socket: &self.socket, timeouts: &self.timeouts, patience: &patience };
        // A part of a record may have left: there is no way to say the bytes again.
        send(connection, &mut wire).inspect_err(|_| self.is_broken = true)?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for TlsStream {
    fn closer(&self) -> io::Result<Arc<dyn Close>> {
        self.socket.closer()
    }

    fn watcher(&self) -> io::Result<Box<dyn Watch>> {
        // The end may have come with the last bytes that were read.
        if self.established.as_ref().is_some_and(|established| !established.connection.wants_read()) {
            return Ok(Box::new(Ended));
        }
        // Otherwise whatever comes next on the socket ends the stream, a record as much as its close: who answers says
        // nothing after its answer.
        self.socket.watcher()
    }

    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.timeouts.read.set(read);
        self.timeouts.write.set(write);
        // At once: the thread that watches this socket reads from it, too.
        self.timeouts.tell_read(&self.socket, read)
    }

    fn proven(&self) -> Option<NodeId> {
        self.established.as_ref().map(|established| established.proven)
    }

    fn remote(&self) -> Address {
        Stream::remote(&self.socket)
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("socket", &self.socket)
            .field("side", &self.side)
            .field("proven", &self.proven())
            .finish_non_exhaustive()
    }
}

/// Nothing is left to wait for.
struct Ended;

impl Watch for Ended {
    fn wait(&mut self) {}
}

/// How long a call may still take.
struct Patience {
    timeout: Option<Duration>,
    /// Nothing was waited for yet: the socket may still know the whole timeout, and need not be told.
    is_fresh: Cell<bool>,
    /// `None`: for ever.
    deadline: Option<Instant>,
}

impl Patience {
    fn new(timeout: Option<Duration>) -> Self {
        Self {
            timeout,
            is_fresh: Cell::new(true),
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
        }
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let Some(deadline) = self.deadline else { return Ok(None) };
        if self.is_fresh.replace(false) {
            return Ok(self.timeout);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

/// The socket, for one call.
struct Wire<'a> {
    socket: &'a TcpStream,
    timeouts: &'a Timeouts,
    patience: &'a Patience,
}

impl Read for Wire<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.timeouts.tell_read(self.socket, self.patience.left()?)?;
        self.socket.read(bytes)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.patience.left()?;
        if self.timeouts.socket_write.get() != left {
            self.socket.set_write_timeout(left)?;
            self.timeouts.socket_write.set(left);
        }
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends what rustls has to say.
fn send(connection: &mut Connection, wire: &mut Wire<'_>) -> io::Result<()> {
    while connection.wants_write() {
        match connection.write_tls(wire) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The handshake, until both ends have proved themselves as far as this one can know.
fn complete(end: &mut End, wire: &mut Wire<'_>) -> io::Result<()> {
    let connection = &mut end.connection;
    loop {
        send(connection, wire)?;
        if !connection.is_handshaking() {
            return Ok(());
        }
        match connection.read_tls(wire) {
            Ok(0) => {
                return Err(io::Error::new(
                    ErrorKind::UnexpectedEof,
                    "it closed the stream in the handshake of TLS",
                ));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        let processed = connection.process_new_packets();
        processed.map_err(|error| reason::refusal(&error, end.presented.text().as_deref()))?;
    }
}

/// Lets the other end read why it was refused. Whether it does changes nothing.
fn farewell(connection: &mut Connection, wire: &mut Wire<'_>) {
    connection.send_close_notify();
    if send(connection, wire).is_err() || wire.socket.shutdown(Shutdown::Write).is_err() {
        return;
    }
    // Bytes that nobody has read would turn the end into a reset, which overtakes the alert.
    let (mut bytes, mut left) = ([0; 1024], LINGER_BYTES);
    while let Ok(count @ 1..) = wire.read(&mut bytes) {
        left = left.saturating_sub(count);
        if left == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
