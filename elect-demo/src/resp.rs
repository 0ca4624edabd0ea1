//! A small blocking client connection: one command, one reply, every wait bounded.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::encode::extend_encode;
use redis_protocol::resp2::types::OwnedFrame;

/// How long a connection attempt may take: nodes of the demo run on this machine.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// A connection to one node.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    timeout: Duration,
}

impl Connection {
    /// Connects. A reply may take as long as `timeout`.
    pub(crate) fn open(address: SocketAddr, timeout: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT.min(timeout))?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Self { stream, received: Vec::new(), timeout })
    }

    /// Sends a command and waits for its reply. After an error the connection is of no use any more.
    pub(crate) fn call(&mut self, command: &[&str]) -> io::Result<OwnedFrame> {
        let words = command.iter().map(|word| OwnedFrame::BulkString(word.as_bytes().to_vec())).collect();
        let mut bytes = bytes::BytesMut::new();
        extend_encode(&mut bytes, &OwnedFrame::Array(words).into_bytes_frame(), false)
            .map_err(io::Error::other)?;
        self.stream.write_all(&bytes)?;
        let deadline = Instant::now() + self.timeout;
        let mut chunk = [0; 4096];
        loop {
            if let Some((reply, consumed)) = decode(&self.received).map_err(io::Error::other)? {
                self.received.drain(..consumed);
                return Ok(reply);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => self.received.extend_from_slice(&chunk[..length]),
            }
        }
    }
}
