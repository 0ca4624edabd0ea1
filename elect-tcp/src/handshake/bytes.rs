//! The bytes of a handshake: see the head of [`handshake`](super).

use std::io::Read;

use elect_core::{Address, Birth, ClusterId, Digest, Epoch, Incarnation, LogSync, NodeId, Position};

use super::greeting::{Greeting, VERSIONS};
use super::refusal::{HandshakeError, HandshakeRefusal};

const MAGIC: [u8; 8] = *b"elect-hs";
pub(super) const PREFIX_BYTES: usize = 8 + 1 + 2 + 2 + 2;
/// No greeting and no refusal is longer: length is checked before anything else is read.
const BODY_BYTES_MAX: usize = 1024;
pub(super) const GREETING: u8 = 0;
pub(super) const WELCOME: u8 = 1;
pub(super) const NO_GROUP: u8 = 13;
/// In place of 0, of a node's supervisor.
pub(super) const SUPERVISOR: u8 = 128;

/// Flags of a birth.
const POSITION: u8 = 1;
const ASYNCHRONOUS: u8 = 2;
const BORN: u8 = 4;

/// A message whose body has not been looked at.
pub(super) struct Message {
    pub(super) verdict: u8,
    pub(super) versions: (u16, u16),
    body: [u8; BODY_BYTES_MAX],
    length: usize,
}

impl Message {
    pub(super) fn read(stream: &mut impl Read) -> Result<Self, HandshakeError> {
        let mut prefix = [0; PREFIX_BYTES];
        stream.read_exact(&mut prefix)?;
        if prefix[..8] != MAGIC {
            return Err(HandshakeError::Foreign(foreign(prefix)));
        }
        let number = |at: usize| u16::from_le_bytes([prefix[at], prefix[at + 1]]);
        let (verdict, versions, length) = (prefix[8], (number(9), number(11)), usize::from(number(13)));
        if length > BODY_BYTES_MAX {
            return Err(HandshakeError::Foreign("a greeting that is too long"));
        }
        let mut body = [0; BODY_BYTES_MAX];
        stream.read_exact(&mut body[..length])?;
        Ok(Self { verdict, versions, body, length })
    }

    /// The body of a greeting or a welcome.
    pub(super) fn greeting(&self) -> Result<Greeting, HandshakeError> {
        take_greeting(&mut Reader(&self.body[..self.length]), self.versions)
            .map(|greeting| Greeting { is_supervisor: self.verdict == SUPERVISOR, ..greeting })
            .ok_or(HandshakeError::Foreign("a malformed greeting"))
    }

    /// The body of a refusal. One that a later version has changed is a refusal all the same.
    pub(super) fn refusal(&self) -> HandshakeRefusal {
        take_refusal(&mut Reader(&self.body[..self.length]), self.verdict)
            .unwrap_or(HandshakeRefusal::Unknown(self.verdict))
    }
}

/// What an operator can make of the first bytes.
fn foreign(prefix: [u8; PREFIX_BYTES]) -> &'static str {
    // An alert or a handshake record, of any version.
    if matches!(prefix, [0x15 | 0x16, 3, 0..=4, ..]) {
        return "it speaks TLS";
    }
    let is_http = ["GET ", "HEAD ", "POST ", "HTTP/"].iter().any(|word| prefix.starts_with(word.as_bytes()));
    if is_http { "it speaks HTTP" } else { "wrong magic number" }
}

pub(super) fn greeting_bytes(verdict: u8, greeting: &Greeting) -> Vec<u8> {
    let mut body = Writer(Vec::with_capacity(256));
    body.text(greeting.cluster.as_str());
    body.text(greeting.node.as_str());
    body.text(greeting.addressee.as_str());
    body.incarnation(greeting.incarnation);
    body.put(&greeting.group.to_le_bytes());
    body.put(&greeting.members.to_bits().to_le_bytes());
    body.text(greeting.address.as_str());
    body.text(greeting.listen.as_str());
    body.birth(greeting.birth);
    framed(verdict, greeting.versions, &body.0)
}

pub(super) fn refusal_bytes(refusal: &HandshakeRefusal) -> Vec<u8> {
    let mut body = Writer(Vec::new());
    match refusal {
        HandshakeRefusal::Version { dialler, listener } => {
            for version in [dialler.0, dialler.1, listener.0, listener.1] {
                body.put(&version.to_le_bytes());
            }
        }
        HandshakeRefusal::Cluster { dialler, listener } => {
            body.text(dialler.as_str());
            body.text(listener.as_str());
        }
        HandshakeRefusal::Group { dialler, listener } => {
            body.put(&dialler.to_le_bytes());
            body.put(&listener.to_le_bytes());
        }
        HandshakeRefusal::Members { dialler, listener } => {
            body.put(&dialler.to_bits().to_le_bytes());
            body.put(&listener.to_bits().to_le_bytes());
        }
        HandshakeRefusal::Addressee { wanted: one, listener: other }
        | HandshakeRefusal::OwnName { wanted: one, name: other }
        | HandshakeRefusal::Identity { claimed: one, proven: other } => {
            body.text(one.as_str());
            body.text(other.as_str());
        }
        HandshakeRefusal::UnknownName(name)
        | HandshakeRefusal::Stopped(name)
        | HandshakeRefusal::UnprovenSupervisor(name) => body.text(name.as_str()),
        HandshakeRefusal::Life { rejected, known, dialler, known_at } => {
            body.incarnation(*rejected);
            body.incarnation(*known);
            body.text(dialler.as_str());
            body.text(known_at.as_str());
        }
        HandshakeRefusal::WentBack { rejected, epoch, offset } => {
            body.incarnation(*rejected);
            body.put(&epoch.number().to_le_bytes());
            body.put(&[u8::from(offset.is_some())]);
            if let Some(offset) = offset {
                body.put(&offset.to_le_bytes());
            }
        }
        HandshakeRefusal::NoGroup(group) => body.put(&group.to_le_bytes()),
        HandshakeRefusal::Unknown(_) => {}
    }
    framed(code(refusal), VERSIONS, &body.0)
}

const fn code(refusal: &HandshakeRefusal) -> u8 {
    match refusal {
        HandshakeRefusal::Version { .. } => 2,
        HandshakeRefusal::Cluster { .. } => 3,
        HandshakeRefusal::Addressee { .. } => 4,
        HandshakeRefusal::UnknownName(_) => 5,
        HandshakeRefusal::Identity { .. } => 6,
        HandshakeRefusal::Group { .. } => 7,
        HandshakeRefusal::Members { .. } => 8,
        HandshakeRefusal::OwnName { .. } => 9,
        HandshakeRefusal::Life { .. } => 10,
        HandshakeRefusal::WentBack { .. } => 11,
        HandshakeRefusal::Stopped(_) => 12,
        HandshakeRefusal::NoGroup(_) => NO_GROUP,
        HandshakeRefusal::UnprovenSupervisor(_) => 14,
        HandshakeRefusal::Unknown(code) => *code,
    }
}

fn take_refusal(body: &mut Reader<'_>, code: u8) -> Option<HandshakeRefusal> {
    Some(match code {
        2 => HandshakeRefusal::Version {
            dialler: (body.u16()?, body.u16()?),
            listener: (body.u16()?, body.u16()?),
        },
        3 => HandshakeRefusal::Cluster { dialler: body.cluster()?, listener: body.cluster()? },
        4 => HandshakeRefusal::Addressee { wanted: body.node()?, listener: body.node()? },
        5 => HandshakeRefusal::UnknownName(body.node()?),
        6 => HandshakeRefusal::Identity { claimed: body.node()?, proven: body.node()? },
        7 => HandshakeRefusal::Group { dialler: body.u32()?, listener: body.u32()? },
        8 => HandshakeRefusal::Members {
            dialler: Digest::from_bits(body.u64()?),
            listener: Digest::from_bits(body.u64()?),
        },
        9 => HandshakeRefusal::OwnName { wanted: body.node()?, name: body.node()? },
        10 => HandshakeRefusal::Life {
            rejected: body.incarnation()?,
            known: body.incarnation()?,
            dialler: body.address()?,
            known_at: body.address()?,
        },
        11 => HandshakeRefusal::WentBack {
            rejected: body.incarnation()?,
            epoch: Epoch::new(body.u64()?),
            offset: match body.u8()? {
                0 => None,
                _ => Some(body.u64()?),
            },
        },
        12 => HandshakeRefusal::Stopped(body.node()?),
        NO_GROUP => HandshakeRefusal::NoGroup(body.u32()?),
        14 => HandshakeRefusal::UnprovenSupervisor(body.node()?),
        _ => return None,
    })
}

fn take_greeting(body: &mut Reader<'_>, versions: (u16, u16)) -> Option<Greeting> {
    Some(Greeting {
        versions,
        cluster: body.cluster()?,
        node: body.node()?,
        addressee: body.node()?,
        incarnation: body.incarnation()?,
        group: body.u32()?,
        members: Digest::from_bits(body.u64()?),
        address: body.address()?,
        listen: body.address()?,
        birth: body.birth()?,
        is_supervisor: false,
    })
}

fn framed(verdict: u8, versions: (u16, u16), body: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(verdict);
    bytes.extend_from_slice(&versions.0.to_le_bytes());
    bytes.extend_from_slice(&versions.1.to_le_bytes());
    bytes.extend_from_slice(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

struct Writer(Vec<u8>);

impl Writer {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Names have at most 32 bytes, addresses at most 255: a byte holds each length.
    fn text(&mut self, text: &str) {
        self.put(&[u8::try_from(text.len()).unwrap_or(u8::MAX)]);
        self.put(text.as_bytes());
    }

    fn incarnation(&mut self, incarnation: Incarnation) {
        self.put(&incarnation.counter.to_le_bytes());
        self.put(&incarnation.random.to_le_bytes());
    }

    fn birth(&mut self, birth: Option<Birth>) {
        let Some(birth) = birth else { return self.put(&[0]) };
        let log = if birth.log == LogSync::Asynchronous { ASYNCHRONOUS } else { 0 };
        self.put(&[BORN | log | if birth.position.is_some() { POSITION } else { 0 }]);
        self.put(&birth.first_life.to_le_bytes());
        self.put(&birth.epoch.number().to_le_bytes());
        if let Some(position) = birth.position {
            self.put(&position.epoch.number().to_le_bytes());
            self.put(&position.offset.to_le_bytes());
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(length)?;
        self.0 = left;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.u8()?);
        self.take(length)
    }

    fn cluster(&mut self) -> Option<ClusterId> {
        ClusterId::from_bytes(self.text()?).ok()
    }

    fn node(&mut self) -> Option<NodeId> {
        NodeId::from_bytes(self.text()?).ok()
    }

    fn address(&mut self) -> Option<Address> {
        Address::new(std::str::from_utf8(self.text()?).ok()?).ok()
    }

    fn incarnation(&mut self) -> Option<Incarnation> {
        Some(Incarnation { counter: self.u32()?, random: self.u32()? })
    }

    #[expect(clippy::option_option, reason = "a birth that is not told is no malformed one")]
    fn birth(&mut self) -> Option<Option<Birth>> {
        let flags = self.u8()?;
        if flags & BORN == 0 {
            return Some(None);
        }
        let (first_life, epoch) = (self.u32()?, Epoch::new(self.u64()?));
        let position = match flags & POSITION {
            0 => None,
            _ => Some(Position::new(Epoch::new(self.u64()?), self.u64()?)),
        };
        let log = if flags & ASYNCHRONOUS == 0 { LogSync::Synchronous } else { LogSync::Asynchronous };
        Some(Some(Birth { first_life, epoch, position, log, ..Birth::default() }))
    }
}
