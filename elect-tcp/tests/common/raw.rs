//! Greetings byte by byte, as the head of `handshake.rs` describes them: what no node would send.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use elect_core::wire::{FRAME_BYTES_MAX, encode};
use elect_core::{Config, Frame, Incarnation};

use super::BOUND;

/// What a greeting says.
#[derive(Clone, Debug)]
pub(crate) struct RawGreeting {
    pub(crate) verdict: u8,
    pub(crate) versions: (u16, u16),
    pub(crate) cluster: String,
    pub(crate) node: String,
    pub(crate) addressee: String,
    pub(crate) incarnation: Incarnation,
    pub(crate) group: u32,
    pub(crate) members: u64,
    pub(crate) birth: Vec<u8>,
}

impl RawGreeting {
    /// What a node with this configuration says.
    pub(crate) fn of(config: &Config, addressee: &str, incarnation: Incarnation) -> Self {
        Self {
            verdict: 0,
            versions: (1, 1),
            cluster: config.cluster().to_string(),
            node: config.node().to_string(),
            addressee: addressee.into(),
            incarnation,
            group: config.group(),
            members: config.digest().to_bits(),
            birth: vec![0],
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for text in [&self.cluster, &self.node, &self.addressee] {
            put(&mut body, text);
        }
        body.extend(self.incarnation.counter.to_le_bytes());
        body.extend(self.incarnation.random.to_le_bytes());
        body.extend(self.group.to_le_bytes());
        body.extend(self.members.to_le_bytes());
        put(&mut body, "");
        put(&mut body, "");
        body.extend(&self.birth);
        let mut bytes = b"elect-hs".to_vec();
        bytes.push(self.verdict);
        bytes.extend(self.versions.0.to_le_bytes());
        bytes.extend(self.versions.1.to_le_bytes());
        bytes.extend(u16::try_from(body.len()).unwrap().to_le_bytes());
        bytes.extend(body);
        bytes
    }

    /// Dials and greets; the stream, and the verdict of the answer.
    pub(crate) fn greet(&self, address: SocketAddr) -> (TcpStream, u8) {
        let mut stream = dial(address, &self.bytes());
        let mut prefix = [0; 15];
        stream.read_exact(&mut prefix).unwrap();
        let mut body = vec![0; usize::from(u16::from_le_bytes([prefix[13], prefix[14]]))];
        stream.read_exact(&mut body).unwrap();
        (stream, prefix[8])
    }
}

fn put(body: &mut Vec<u8>, text: &str) {
    body.push(u8::try_from(text.len()).unwrap());
    body.extend(text.as_bytes());
}

/// Dials, and sends these bytes.
pub(crate) fn dial(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

pub(crate) fn send(stream: &mut TcpStream, frame: &Frame) {
    let mut buffer = [0; FRAME_BYTES_MAX];
    let length = encode(frame, &mut buffer);
    stream.write_all(&buffer[..length]).unwrap();
}
