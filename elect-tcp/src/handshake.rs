//! The handshake on every stream: who dials, whom, for which group, in which versions, and in which life.
//!
//! ```text
//! magic "elect-hs" | verdict u8 | oldest version u16 | newest version u16 | length u16 | body
//! greeting and welcome: cluster, node, addressee | life | group u32 | digest of the member list u64
//!                       | address of clients, address of peers | birth
//! life: counter u32, random u32
//! birth: flags u8 (1 position, 2 asynchronous log, 4 told) | first life u32 | epoch u64 | position: epoch u64, offset u64
//! ```
//!
//! Numbers are little-endian; a name or an address is its length (u8) and its bytes. Of a birth that is not told there is
//! only the byte 0. The dialler sends verdict 0; the answer is a welcome (1) with the answering node's body, or the
//! number of a [`HandshakeRefusal`] and a body that says what was wrong:
//!
//! ```text
//!  2 version: four u16, the dialler's oldest and newest, then the listener's     7 group: u32 of each
//!  3 cluster: of each                                                            8 members: u64 of each
//!  4 addressee: whom the dialler wanted, who listens                             9 own name: wanted, the name of both
//!  5 unknown name      6 identity: claimed, proven      12 stopped: the listener
//! 10 life: that of the greeting, that known | where the dialler was seen, where the known life was
//! 11 went back: the life | epoch u64 | offset: u8 1 and u64, or u8 0     13 no group: its number u32
//! 14 unproven supervisor: of whom
//! ```
//!
//! A node's supervisor sends verdict 128 and a life of zeroes. Once it is welcome, it sends each life of the node that has
//! ended, and nothing else.
//!
//! A node of many groups greets, and is answered, as [`MANY_GROUPS`], with a life that nobody judges. On that stream it
//! then greets once for each group, which is welcome or refused by itself, and once more as the process: frames follow. If
//! it closes the stream instead, it has only asked. Between greetings it may say of groups that they no longer run there (13),
//! which nobody answers.
//!
//! The versions come before all else and never move: a body is read only where there is a common one. Later versions may
//! append to a body: what follows the known fields is ignored.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use elect_core::NodeId;

use self::bytes::{GREETING, Message, NO_GROUP, SUPERVISOR, WELCOME, greeting_bytes, refusal_bytes};
use self::greeting::check_versions;
pub(crate) use self::greeting::{Greeting, VERSIONS};
pub use self::refusal::HandshakeRefusal;
pub(crate) use self::refusal::{HandshakeError, MANY_GROUPS};
use crate::transport::Stream;

/// The dialler's side: greets, and checks who answers.
pub(crate) fn dial<S: Stream>(
    stream: &mut S,
    own: &Greeting,
    timeout: Duration,
) -> Result<Greeting, HandshakeError> {
    let mut timed = Timed { stream, deadline: Instant::now() + timeout };
    let verdict = if own.is_supervisor { SUPERVISOR } else { GREETING };
    timed.write_all(&greeting_bytes(verdict, own))?;
    hear(&mut timed, own)
}

/// The same for several greetings at once, each of which is answered by itself.
pub(crate) fn dial_each<S: Stream>(
    stream: &mut S,
    greetings: &[Greeting],
    timeout: Duration,
) -> Result<Vec<Result<Greeting, HandshakeRefusal>>, HandshakeError> {
    let mut timed = Timed { stream, deadline: Instant::now() + timeout };
    let bytes: Vec<_> = greetings.iter().flat_map(|own| greeting_bytes(GREETING, own)).collect();
    timed.write_all(&bytes)?;
    let answer = |own| match hear(&mut timed, own) {
        Err(HandshakeError::Refused(refusal)) => Ok(Err(refusal)),
        other => other.map(Ok),
    };
    greetings.iter().map(answer).collect()
}

/// Says of groups that they do not run here any more. Nobody answers.
pub(crate) fn tell_gone<S: Stream>(
    stream: &mut S,
    groups: &[u32],
    timeout: Duration,
) -> Result<(), HandshakeError> {
    let bytes: Vec<_> =
        groups.iter().flat_map(|group| refusal_bytes(&HandshakeRefusal::NoGroup(*group))).collect();
    let mut timed = Timed { stream, deadline: Instant::now() + timeout };
    Ok(timed.write_all(&bytes)?)
}

/// The answer to a greeting.
fn hear<S: Stream>(timed: &mut Timed<'_, S>, own: &Greeting) -> Result<Greeting, HandshakeError> {
    let message = Message::read(timed)?;
    // Another node than was meant is believed only that it is another.
    let other = timed.stream.proven().filter(|proven| *proven != own.addressee);
    let identity = other.map(|proven| HandshakeRefusal::Identity { claimed: own.addressee, proven });
    if message.verdict != WELCOME {
        let said = message.refusal();
        let is_believed =
            matches!(said, HandshakeRefusal::Addressee { .. } | HandshakeRefusal::OwnName { .. });
        return Err(identity.filter(|_| !is_believed).unwrap_or(said).into());
    }
    if let Some(identity) = identity {
        return Err(identity.into());
    }
    check_versions(own.versions, message.versions)?;
    let answer = message.greeting()?;
    own.check(&answer)?;
    own.check_members(&answer)?;
    Ok(answer)
}

/// The listener's side: `judge` decides about the greeting and gives this node's own. The name that the dialler claims
/// stands beside the error, if it came to that.
pub(crate) fn accept<S: Stream>(
    stream: &mut S,
    timeout: Duration,
    judge: impl FnOnce(&Greeting) -> Result<Greeting, HandshakeError>,
) -> Result<Greeting, (HandshakeError, Option<NodeId>)> {
    let mut timed = Timed { stream, deadline: Instant::now() + timeout };
    let greeting = match read_greeting(&mut timed) {
        Ok(greeting) => greeting,
        Err(error) => return Err((tell(&mut timed, error), None)),
    };
    let claimed = greeting.node;
    let verdict = match timed.stream.proven() {
        Some(proven) if proven != claimed => Err(HandshakeRefusal::Identity { claimed, proven }.into()),
        None if greeting.is_supervisor => Err(HandshakeRefusal::UnprovenSupervisor(claimed).into()),
        _ => judge(&greeting),
    };
    let answered = match verdict {
        Ok(own) => timed.write_all(&greeting_bytes(WELCOME, &own)).map_err(HandshakeError::Io),
        Err(error) => Err(tell(&mut timed, error)),
    };
    answered.map(|()| greeting).map_err(|error| (error, Some(claimed)))
}

fn read_greeting(stream: &mut impl Read) -> Result<Greeting, HandshakeError> {
    let message = Message::read(stream)?;
    let is_greeting = matches!(message.verdict, GREETING | SUPERVISOR);
    if !is_greeting && message.verdict != NO_GROUP {
        return Err(HandshakeError::Foreign("no greeting"));
    }
    // The body may be another version's.
    check_versions(message.versions, VERSIONS)?;
    if is_greeting {
        return message.greeting();
    }
    match message.refusal() {
        HandshakeRefusal::NoGroup(group) => Err(HandshakeError::Gone(group)),
        _ => Err(HandshakeError::Foreign("no greeting")),
    }
}

/// Tells the dialler that it is refused, if it is. Whether it hears it changes nothing.
fn tell(stream: &mut impl Write, error: HandshakeError) -> HandshakeError {
    if let HandshakeError::Refused(refusal) = &error {
        let _ = stream.write_all(&refusal_bytes(refusal));
    }
    error
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

mod bytes;
mod greeting;
mod refusal;
#[cfg(all(test, unix))]
mod tests;
