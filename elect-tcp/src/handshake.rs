//! The handshake on every stream: who dials, whom, for which cluster, in which versions.
//!
//! ```text
//! magic "elect-hs" | verdict u8 | oldest version u16 | newest version u16 | length u16 | body
//! body: cluster, node, addressee (each: length u8, bytes) | incarnation counter u32, random u32 | address (length u8,
//! bytes)
//! ```
//!
//! Numbers are little-endian. The dialler sends verdict 0; the answer is a welcome with the answering node's body, or
//! the number of a [`HandshakeRefusal`] without a body. Later versions may append to the body: what follows the
//! known fields is ignored.

use std::fmt;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use elect_core::{Address, ClusterId, Incarnation, NodeId};

use crate::measures::label;
use crate::transport::Stream;

/// The versions that this software supports.
pub(crate) const VERSIONS: (u16, u16) = (1, 1);

const MAGIC: [u8; 8] = *b"elect-hs";
const PREFIX_BYTES: usize = 8 + 1 + 2 + 2 + 2;
/// No greeting is longer: length is checked before anything else is read.
const BODY_BYTES_MAX: usize = 512;
const GREETING: u8 = 0;
const WELCOME: u8 = 1;

/// Why a node refused a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeRefusal {
    /// No common protocol version.
    Version,
    /// Another cluster.
    Cluster,
    /// The dialled node has another name than the dialler thinks: an address is wrong.
    Addressee,
    /// The dialler is not a member, or claims the dialled node's own name.
    NotAMember,
    /// The dialler is not who it claims to be.
    Identity,
    /// A reason that this version does not know.
    Unknown(u8),
}

impl HandshakeRefusal {
    const fn code(self) -> u8 {
        match self {
            Self::Version => 2,
            Self::Cluster => 3,
            Self::Addressee => 4,
            Self::NotAMember => 5,
            Self::Identity => 6,
            Self::Unknown(code) => code,
        }
    }

    const fn from_code(code: u8) -> Self {
        match code {
            2 => Self::Version,
            3 => Self::Cluster,
            4 => Self::Addressee,
            5 => Self::NotAMember,
            6 => Self::Identity,
            code => Self::Unknown(code),
        }
    }
}

impl fmt::Display for HandshakeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("there is no common protocol version"),
            Self::Cluster => f.write_str("it belongs to another cluster"),
            Self::Addressee => f.write_str("the node at that address has another name"),
            Self::NotAMember => f.write_str("the dialling node is no other member of the group"),
            Self::Identity => f.write_str("the dialling node is not who it claims to be"),
            Self::Unknown(code) => write!(f, "for reason {code}, which a later version gives"),
        }
    }
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the handshake was refused: {0}")]
    Refused(HandshakeRefusal),
    #[error("the other end does not speak this protocol: {0}")]
    Foreign(&'static str),
    #[error("the handshake did not finish: {0}")]
    Io(#[from] io::Error),
}

impl HandshakeError {
    /// The kind of failure, for metrics.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Refused(refusal) => label(refusal),
            other => label(other),
        }
    }
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub(crate) versions: (u16, u16),
    pub(crate) cluster: ClusterId,
    pub(crate) node: NodeId,
    pub(crate) addressee: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) address: Address,
}

impl Greeting {
    /// The version that both ends speak, if there is one.
    pub(crate) fn common_version(&self, other: &Self) -> Option<u16> {
        let newest = self.versions.1.min(other.versions.1);
        (newest >= self.versions.0.max(other.versions.0)).then_some(newest)
    }
}

/// The dialler's side: greets, and checks who answers.
pub(crate) fn dial<S: Stream>(
    stream: &mut S,
    own: &Greeting,
    timeout: Duration,
) -> Result<Greeting, HandshakeError> {
    let mut timed = Timed { stream, deadline: Instant::now() + timeout };
    timed.write_all(&encode(GREETING, own))?;
    let answer = match read(&mut timed)? {
        (WELCOME, greeting) => greeting.ok_or(HandshakeError::Foreign("a welcome without a name"))?,
        (code, _) => return Err(HandshakeError::Refused(HandshakeRefusal::from_code(code))),
    };
    if answer.common_version(own).is_none() {
        return Err(HandshakeError::Refused(HandshakeRefusal::Version));
    }
    if answer.cluster != own.cluster {
        return Err(HandshakeError::Refused(HandshakeRefusal::Cluster));
    }
    if answer.node != own.addressee {
        return Err(HandshakeError::Refused(HandshakeRefusal::Addressee));
    }
    if timed.stream.proven().is_some_and(|proven| proven != answer.node) {
        return Err(HandshakeError::Refused(HandshakeRefusal::Identity));
    }
    Ok(answer)
}

/// The listener's side: `judge` decides about the greeting and gives this node's own.
pub(crate) fn accept<S: Stream>(
    stream: &mut S,
    timeout: Duration,
    judge: impl FnOnce(&Greeting) -> Result<Greeting, HandshakeRefusal>,
) -> Result<Greeting, HandshakeError> {
    let mut timed = Timed { stream, deadline: Instant::now() + timeout };
    let (GREETING, Some(greeting)) = read(&mut timed)? else {
        return Err(HandshakeError::Foreign("no greeting"));
    };
    let proven = timed.stream.proven().is_none_or(|proven| proven == greeting.node);
    let verdict = if proven { judge(&greeting) } else { Err(HandshakeRefusal::Identity) };
    match verdict {
        Ok(own) => timed.write_all(&encode(WELCOME, &own))?,
        Err(refusal) => {
            timed.write_all(&refusal_bytes(refusal))?;
            return Err(HandshakeError::Refused(refusal));
        }
    }
    Ok(greeting)
}

/// A stream with one deadline over all its calls: a byte now and then does not move it.
struct Timed<'a, S> {
    stream: &'a mut S,
    deadline: Instant,
}

impl<S: Stream> Timed<'_, S> {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(in_time(io::ErrorKind::TimedOut.into())) } else { Ok(left) }
    }
}

impl<S: Stream> Read for Timed<'_, S> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.set_timeouts(Some(self.left()?), None)?;
        self.stream.read(bytes).map_err(in_time)
    }
}

impl<S: Stream> Write for Timed<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_timeouts(None, Some(self.left()?))?;
        self.stream.write(bytes).map_err(in_time)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Whether a call on a socket ended because its time was up.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// What an operator can read, where a socket only says that it would block.
fn in_time(error: io::Error) -> io::Error {
    if is_timeout(&error) {
        io::Error::new(io::ErrorKind::TimedOut, "the other end was too slow")
    } else {
        error
    }
}

fn encode(verdict: u8, greeting: &Greeting) -> Vec<u8> {
    let mut body = Vec::with_capacity(128);
    let names = [greeting.cluster.as_str(), greeting.node.as_str(), greeting.addressee.as_str()];
    for text in names {
        put(&mut body, text);
    }
    body.extend_from_slice(&greeting.incarnation.counter.to_le_bytes());
    body.extend_from_slice(&greeting.incarnation.random.to_le_bytes());
    put(&mut body, greeting.address.as_str());
    let mut bytes = prefix(verdict, greeting.versions, body.len());
    bytes.append(&mut body);
    bytes
}

fn refusal_bytes(refusal: HandshakeRefusal) -> Vec<u8> {
    prefix(refusal.code(), VERSIONS, 0)
}

fn prefix(verdict: u8, versions: (u16, u16), length: usize) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(verdict);
    bytes.extend_from_slice(&versions.0.to_le_bytes());
    bytes.extend_from_slice(&versions.1.to_le_bytes());
    bytes.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
    bytes
}

/// Names have at most 32 bytes, addresses at most 255: a byte holds each length.
fn put(body: &mut Vec<u8>, text: &str) {
    body.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    body.extend_from_slice(text.as_bytes());
}

fn read(stream: &mut impl Read) -> Result<(u8, Option<Greeting>), HandshakeError> {
    let mut prefix = [0; PREFIX_BYTES];
    stream.read_exact(&mut prefix)?;
    if prefix[..8] != MAGIC {
        return Err(HandshakeError::Foreign("wrong magic number"));
    }
    let number = |at: usize| u16::from_le_bytes([prefix[at], prefix[at + 1]]);
    let (verdict, versions, length) = (prefix[8], (number(9), number(11)), usize::from(number(13)));
    if length > BODY_BYTES_MAX {
        return Err(HandshakeError::Foreign("a greeting that is too long"));
    }
    let mut body = [0; BODY_BYTES_MAX];
    stream.read_exact(&mut body[..length])?;
    if length == 0 {
        return Ok((verdict, None));
    }
    let greeting = decode(versions, &body[..length]);
    Ok((verdict, Some(greeting.ok_or(HandshakeError::Foreign("a malformed greeting"))?)))
}

fn decode(versions: (u16, u16), body: &[u8]) -> Option<Greeting> {
    let mut rest = body;
    let cluster = ClusterId::from_bytes(take_text(&mut rest)?).ok()?;
    let node = NodeId::from_bytes(take_text(&mut rest)?).ok()?;
    let addressee = NodeId::from_bytes(take_text(&mut rest)?).ok()?;
    let counter = u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?);
    let random = u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?);
    let address = Address::new(std::str::from_utf8(take_text(&mut rest)?).ok()?).ok()?;
    let incarnation = Incarnation { counter, random };
    Some(Greeting { versions, cluster, node, addressee, incarnation, address })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::from(*take(rest, 1)?.first()?);
    take(rest, length)
}

#[cfg(all(test, unix))]
mod tests;
