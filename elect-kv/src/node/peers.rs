//! Replication connections: one per pair of data-holding nodes, dialled by the smaller name, over TLS where this node has a
//! certificate (`link`).
//!
//! A connection begins with a greeting in both directions; then messages of [`crate::replication`], each after
//! its length; an empty one is a sign of life, and silence for the detection time ends a connection. Whatever is wrong
//! closes the connection and is noted; the dialler comes back, at most ten times a second.
//!
//! What waits for the log's thread is bounded: beyond that nothing is read, so that TCP holds the other side back, and no
//! new connection of that peer is told of.

mod greeting;
mod link;
mod refused;

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use crossbeam_channel::Sender;
use elect_core::{Digest, NodeId};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};

use super::input::Input;
use super::problems::Problems;
use super::redial::Redial;
use crate::event_log::{EventLog, Kind};
use crate::replication::{FRAME_BYTES_MAX, Message, decode, encode};
use greeting::Greeting;
use link::{Link, Reader, Writer};
pub(crate) use link::{Links, PROTOCOL};
use refused::{DIAL_TIMEOUT, GREETING_TIMEOUT, Refused};

const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Connections that have not greeted yet.
const HANDSHAKES_MAX: usize = 16;
/// Silence for the detection time ends a connection, within these: a busy machine is late by some of it.
const SILENCE_MIN: Duration = Duration::from_millis(200);
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// A side that has nothing to say says so this often in each span of silence that the other allows.
const SIGNS_OF_LIFE: u32 = 4;

/// Messages that wait for one connection; one that takes no more is let go.
const OUTBOX_MAX: usize = 1024;
/// Messages of one connection that wait for the log's thread hold at most this many bytes: more than a leader's window of
/// appends.
const INBOX_BYTES_MAX: usize = 8 << 20;
/// What a message costs besides its bytes.
const OVERHEAD_BYTES: usize = 128;
/// Connections of one peer that the log's thread has not seen the end of.
const SESSIONS_MAX: usize = 4;

/// What replication connections need to know.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    pub(crate) node: NodeId,
    pub(crate) members: Digest,
    /// The detection time of this node. Between two nodes the smaller one counts.
    pub(crate) detection: Duration,
    /// The other data-holding nodes and where their logs listen.
    pub(crate) addresses: Arc<Vec<(NodeId, String)>>,
    pub(crate) inbox: Sender<Input>,
    pub(crate) sessions: Arc<AtomicU64>,
    /// Rings when an election link came up: its replication connection is dialled at once.
    pub(crate) news: Arc<Notify>,
    pub(crate) problems: Arc<Problems>,
    pub(crate) log: Arc<EventLog>,
    pub(crate) places: Arc<Places>,
    pub(crate) links: Links,
}

/// For each peer: how many more of its connections may be told of.
#[derive(Debug)]
pub(crate) struct Places(BTreeMap<NodeId, Arc<Semaphore>>);

impl Places {
    pub(crate) fn of(peers: impl IntoIterator<Item = NodeId>) -> Arc<Self> {
        Arc::new(Self(peers.into_iter().map(|peer| (peer, Arc::new(Semaphore::new(SESSIONS_MAX)))).collect()))
    }

    async fn take(&self, peer: NodeId) -> Option<OwnedSemaphorePermit> {
        self.0.get(&peer)?.clone().acquire_owned().await.ok()
    }
}

impl Peers {
    /// Accepts and dials until the runtime ends.
    pub(crate) fn start(self, listener: StdListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        for (peer, address) in self.addresses.iter() {
            if self.node < *peer {
                tokio::spawn(self.clone().dial_for_ever(*peer, address.clone()));
            }
        }
        tokio::spawn(self.accept_for_ever(listener));
        Ok(())
    }

    async fn accept_for_ever(self, listener: TcpListener) {
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        loop {
            // Beyond the limit connections wait in the kernel's queue until a handshake has ended or timed out.
            let Ok(permit) = handshakes.clone().acquire_owned().await else { return };
            let Ok((stream, from)) = listener.accept().await else {
                // Out of descriptors, mostly: the next attempt needs some to be closed first.
                sleep(ACCEPT_AGAIN).await;
                continue;
            };
            let peers = self.clone();
            tokio::spawn(async move {
                let greeted = peers.greet(stream, None).await;
                drop(permit);
                match greeted {
                    Ok((greeting, stream)) if peers.node > greeting.from => {
                        let what = format!("replication from {}", greeting.from);
                        peers.problems.forget(&format!("replication from {}", from.ip()));
                        let ended = peers.run(greeting, stream, &what).await;
                        peers.note(&what, &ended);
                    }
                    // Only the smaller name dials.
                    Ok(_) => {}
                    Err(refused) => peers.note(&format!("replication from {}", from.ip()), &refused),
                }
            });
        }
    }

    async fn dial_for_ever(self, peer: NodeId, address: String) {
        let mut redial = Redial::new(self.detection);
        let what = format!("replication to {peer} at {address}");
        loop {
            let (ended, lasted) = match self.dial(peer, &address).await {
                Ok((greeting, stream)) => {
                    let began = Instant::now();
                    let ended = self.run(greeting, stream, &what).await;
                    (ended, Some(began.elapsed()))
                }
                Err(refused) => (refused, None),
            };
            self.note(&what, &ended);
            tokio::select! {
                () = sleep(redial.pause_after(lasted)) => {}
                () = self.news.notified() => redial.begin_again(),
            }
        }
    }

    async fn dial(&self, peer: NodeId, address: &str) -> Result<(Greeting, Link), Refused> {
        let connected = timeout(DIAL_TIMEOUT, TcpStream::connect(address)).await;
        let stream = connected.map_err(|_| Refused::Unreachable)??;
        self.greet(stream, Some((peer, address))).await
    }

    /// Once for each reason in turn: it repeats with every attempt.
    fn note(&self, what: &str, why: &Refused) {
        let why = why.to_string();
        if self.problems.note(what, why.clone()) {
            self.log.tell(Kind::LinkDown, None, None, &format!("{what}: {why}"));
        }
    }

    /// Exchanges greetings. A dialler says whom it expects, so that a mixed-up address is noticed on both sides.
    async fn greet(
        &self,
        stream: TcpStream,
        expected: Option<(NodeId, &str)>,
    ) -> Result<(Greeting, Link), Refused> {
        prepare(&stream, self.detection)?;
        let exchange = async {
            match expected {
                Some((peer, address)) => {
                    self.greet_first(
                        self.links.dialled(stream, address).await.map_err(Refused::before_greeting)?,
                        peer,
                    )
                    .await
                }
                None => {
                    self.greet_back(self.links.accepted(stream).await.map_err(Refused::before_greeting)?)
                        .await
                }
            }
        };
        timeout(GREETING_TIMEOUT, exchange).await.map_err(|_| Refused::Late)?
    }

    async fn greet_first(&self, mut link: Link, expected: NodeId) -> Result<(Greeting, Link), Refused> {
        link.send(&self.greeting(expected)).await?;
        let found = Greeting::read(&mut link, self.members).await?;
        if found.from == expected {
            Ok((found, link))
        } else {
            Err(Refused::OtherNode { expected, found: found.from })
        }
    }

    async fn greet_back(&self, mut link: Link) -> Result<(Greeting, Link), Refused> {
        let found = Greeting::read(&mut link, self.members).await?;
        if !self.addresses.iter().any(|(peer, _)| *peer == found.from) {
            return Err(Refused::Unknown(found.from));
        }
        // Told even to one who looks for another: then it can say who is here.
        link.send(&self.greeting(found.from)).await?;
        if found.to == self.node { Ok((found, link)) } else { Err(Refused::Mistaken(found.to)) }
    }

    fn greeting(&self, to: NodeId) -> Bytes {
        Greeting { members: self.members, detection: self.detection, from: self.node, to }.bytes()
    }

    /// Carries messages until the connection ends, and says why it did.
    async fn run(&self, greeting: Greeting, link: Link, what: &str) -> Refused {
        let peer = greeting.from;
        let Some(place) = self.places.take(peer).await else { return Refused::Unknown(peer) };
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        let silence = self.detection.min(greeting.detection).clamp(SILENCE_MIN, SILENCE_MAX);
        let (outbox, messages) = mpsc::channel(OUTBOX_MAX);
        if self.inbox.send(Input::Up { peer, session, outbox }).is_err() {
            return Refused::Closed;
        }
        self.problems.forget(what);
        let ended = tokio::select! {
            read = self.read_for_ever(peer, session, link.reader, silence) => read.err(),
            written = write_for_ever(messages, link.writer, silence / SIGNS_OF_LIFE) => written.err().map(Refused::Io),
        };
        let _ = self.inbox.send(Input::Down { peer, session, _place: Some(place) });
        ended.unwrap_or_else(|| Refused::Io(io::Error::other("the connection ended")))
    }

    async fn read_for_ever(
        &self,
        peer: NodeId,
        session: u64,
        mut reader: Reader,
        silence: Duration,
    ) -> Result<(), Refused> {
        let mut buffer = BytesMut::new();
        let inbox_room = Arc::new(Semaphore::new(INBOX_BYTES_MAX));
        loop {
            while let Some((message, bytes)) = take_message(&mut buffer)? {
                let bytes =
                    u32::try_from(bytes + OVERHEAD_BYTES).expect("a message is far shorter than 4 GiB");
                let Ok(room) = inbox_room.clone().acquire_many_owned(bytes).await else { return Ok(()) };
                if self.inbox.send(Input::Message { peer, session, message, _room: room }).is_err() {
                    return Ok(());
                }
            }
            buffer.reserve(16 << 10);
            let read = timeout(silence, reader.read_buf(&mut buffer)).await;
            if read.map_err(|_| Refused::Silent(silence))?? == 0 {
                return Ok(());
            }
        }
    }
}

/// Sends messages as they come, and an empty one where none came for `quiet`: a sign of life.
async fn write_for_ever(
    mut messages: mpsc::Receiver<Message>,
    mut writer: Writer,
    quiet: Duration,
) -> io::Result<()> {
    let (mut batch, mut bytes) = (Vec::new(), BytesMut::new());
    loop {
        match timeout(quiet, messages.recv_many(&mut batch, 64)).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(_) => bytes.put_u32_le(0),
        }
        for message in batch.drain(..) {
            let start = bytes.len();
            bytes.put_u32_le(0);
            encode(&message, &mut bytes);
            let length = bytes.len() - start - 4;
            let prefix = u32::try_from(length).map_err(io::Error::other)?;
            bytes[start..start + 4].copy_from_slice(&prefix.to_le_bytes());
        }
        writer.write_all_buf(&mut bytes).await?;
        // A record of TLS that the socket did not take whole is still here.
        writer.flush().await?;
    }
}

/// The next message, and how many bytes it had.
fn take_message(buffer: &mut BytesMut) -> Result<Option<(Message, usize)>, Refused> {
    while buffer.first_chunk::<4>() == Some(&[0; 4]) {
        buffer.advance(4);
    }
    let Some(prefix) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*prefix) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(Refused::TooLong(length));
    }
    if buffer.len() < 4 + length {
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some((decode(buffer.split_to(length).freeze())?, length)))
}

/// No delays, and an end for connections whose other side takes nothing any more.
fn prepare(stream: &TcpStream, detection: Duration) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(detection.clamp(SILENCE_MIN, SILENCE_MAX) * 2))?;
    #[cfg(not(target_os = "linux"))]
    let _ = detection;
    Ok(())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
