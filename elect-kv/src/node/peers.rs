//! Replication connections: one per pair of data-holding nodes, dialled by the smaller name.
//!
//! A connection begins with a greeting in both directions; then messages of [`crate::replication`], each after
//! its length. Whatever is wrong closes the connection; the dialler comes back, at most ten times a second.
//!
//! What waits for the log's thread is bounded: beyond that nothing is read, so that TCP holds the other side back, and no
//! new connection of that peer is told of.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use crossbeam_channel::Sender;
use elect_core::{Digest, NodeId};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};

use super::input::Input;
use crate::replication::{FRAME_BYTES_MAX, Message, decode, encode};

const MAGIC: &[u8; 4] = b"ekr1";
const GREETING_BYTES_MAX: usize = 128;
const GREETING_TIMEOUT: Duration = Duration::from_secs(2);
const DIAL_TIMEOUT: Duration = Duration::from_secs(2);
const REDIAL_MIN: Duration = Duration::from_millis(10);
const REDIAL_MAX: Duration = Duration::from_millis(100);
/// Connections that have not greeted yet.
const HANDSHAKES_MAX: usize = 16;
/// Unacknowledged bytes for this long close a connection.
const SILENCE_MAX: Duration = Duration::from_secs(5);

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
    /// The other data-holding nodes and where their logs listen.
    pub(crate) addresses: Arc<Vec<(NodeId, String)>>,
    pub(crate) inbox: Sender<Input>,
    pub(crate) sessions: Arc<AtomicU64>,
    pub(crate) places: Arc<Places>,
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

/// Why a connection is not used.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("no greeting in time")]
    Late,
    #[error("not a replica of this protocol version")]
    Stranger,
    #[error("its cluster or member list differs")]
    OtherMembers,
    #[error("it is not the node that was expected")]
    OtherNode,
    #[error("a message of {0} bytes exceeds the limit")]
    TooLong(usize),
    #[error(transparent)]
    Decode(#[from] crate::replication::DecodeError),
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
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors, mostly: the next attempt needs some to be closed first.
                sleep(REDIAL_MAX).await;
                continue;
            };
            let peers = self.clone();
            tokio::spawn(async move {
                let greeted = peers.greet(stream, None).await;
                drop(permit);
                if let Ok((peer, stream)) = greeted
                    && peers.node > peer
                {
                    peers.run(peer, stream).await;
                }
            });
        }
    }

    async fn dial_for_ever(self, peer: NodeId, address: String) {
        let mut pause = REDIAL_MIN;
        loop {
            if let Ok(Ok(stream)) = timeout(DIAL_TIMEOUT, TcpStream::connect(&address)).await
                && let Ok((peer, stream)) = self.greet(stream, Some(peer)).await
            {
                self.run(peer, stream).await;
                pause = REDIAL_MIN;
            }
            sleep(pause).await;
            pause = (pause * 2).min(REDIAL_MAX);
        }
    }

    /// Exchanges greetings. A dialler says whom it expects, so that a mixed-up address is noticed on both sides.
    async fn greet(
        &self,
        mut stream: TcpStream,
        expected: Option<NodeId>,
    ) -> Result<(NodeId, TcpStream), Refused> {
        prepare(&stream)?;
        let exchange = async {
            if let Some(peer) = expected {
                stream.write_all(&self.greeting(peer)).await?;
                let found = self.read_greeting(&mut stream).await?;
                if found == peer { Ok((peer, stream)) } else { Err(Refused::OtherNode) }
            } else {
                let peer = self.read_greeting(&mut stream).await?;
                stream.write_all(&self.greeting(peer)).await?;
                Ok((peer, stream))
            }
        };
        timeout(GREETING_TIMEOUT, exchange).await.map_err(|_| Refused::Late)?
    }

    /// Length, magic, members' digest, own name, addressee's name.
    fn greeting(&self, to: NodeId) -> Bytes {
        let mut body = BytesMut::new();
        body.put_slice(MAGIC);
        body.put_u64_le(self.members.to_bits());
        for name in [self.node, to] {
            body.put_u8(u8::try_from(name.as_str().len()).expect("names are at most 32 bytes"));
            body.put_slice(name.as_str().as_bytes());
        }
        let mut frame = BytesMut::new();
        frame.put_u32_le(u32::try_from(body.len()).expect("a greeting is short"));
        frame.put_slice(&body);
        frame.freeze()
    }

    async fn read_greeting(&self, stream: &mut TcpStream) -> Result<NodeId, Refused> {
        let length = stream.read_u32_le().await? as usize;
        if length > GREETING_BYTES_MAX {
            return Err(Refused::Stranger);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let mut body = Bytes::from(body);
        if body.len() < 12 || &body.split_to(4)[..] != MAGIC {
            return Err(Refused::Stranger);
        }
        if body.get_u64_le() != self.members.to_bits() {
            return Err(Refused::OtherMembers);
        }
        let from = name_of(&mut body)?;
        let to = name_of(&mut body)?;
        let known = self.addresses.iter().any(|(peer, _)| *peer == from);
        if known && to == self.node && body.is_empty() { Ok(from) } else { Err(Refused::OtherNode) }
    }

    /// Carries messages until the connection ends.
    async fn run(&self, peer: NodeId, stream: TcpStream) {
        let Some(place) = self.places.take(peer).await else { return };
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        let (reader, writer) = stream.into_split();
        let (outbox, messages) = mpsc::channel(OUTBOX_MAX);
        if self.inbox.send(Input::Up { peer, session, outbox }).is_err() {
            return;
        }
        tokio::select! {
            _ = self.read_for_ever(peer, session, reader) => {}
            _ = write_for_ever(messages, writer) => {}
        }
        let _ = self.inbox.send(Input::Down { peer, session, _place: Some(place) });
    }

    async fn read_for_ever(
        &self,
        peer: NodeId,
        session: u64,
        mut reader: OwnedReadHalf,
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
            if reader.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
    }
}

async fn write_for_ever(mut messages: mpsc::Receiver<Message>, mut writer: OwnedWriteHalf) -> io::Result<()> {
    let (mut batch, mut bytes) = (Vec::new(), BytesMut::new());
    while messages.recv_many(&mut batch, 64).await > 0 {
        for message in batch.drain(..) {
            let start = bytes.len();
            bytes.put_u32_le(0);
            encode(&message, &mut bytes);
            let length = bytes.len() - start - 4;
            let prefix = u32::try_from(length).map_err(io::Error::other)?;
            bytes[start..start + 4].copy_from_slice(&prefix.to_le_bytes());
        }
        writer.write_all_buf(&mut bytes).await?;
    }
    Ok(())
}

/// The next message, and how many bytes it had.
fn take_message(buffer: &mut BytesMut) -> Result<Option<(Message, usize)>, Refused> {
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

fn name_of(body: &mut Bytes) -> Result<NodeId, Refused> {
    let length = body.try_get_u8().map_err(|_| Refused::Stranger)? as usize;
    if length > body.len() {
        return Err(Refused::Stranger);
    }
    NodeId::from_bytes(&body.split_to(length)).map_err(|_| Refused::Stranger)
}

/// No delays, and an end for connections whose other side has vanished without a word.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new().with_time(SILENCE_MAX).with_interval(Duration::from_secs(1)),
    )?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SILENCE_MAX))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::{Receiver, unbounded};
    use elect_core::{Epoch, Stamp};

    fn name(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    fn peers(own: &str, members: u64, addresses: &[(&str, &str)]) -> (Peers, Receiver<Input>) {
        let (inbox, inputs) = unbounded();
        let addresses = addresses.iter().map(|(peer, address)| (name(peer), (*address).to_owned())).collect();
        let members = Digest::from_bits(members);
        let peers = Peers {
            node: name(own),
            members,
            addresses: Arc::new(addresses),
            places: Places::of(["a", "b"].map(name)),
            inbox,
            sessions: Arc::default(),
        };
        (peers, inputs)
    }

    /// Node `b` of cluster 7, listening; what it tells its host; where.
    fn listening() -> (Receiver<Input>, String) {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (peers, inputs) = peers("b", 7, &[("a", &address)]);
        peers.start(listener).unwrap();
        (inputs, address)
    }

    async fn next(inputs: &Receiver<Input>) -> Input {
        let inputs = inputs.clone();
        tokio::task::spawn_blocking(move || inputs.recv_timeout(Duration::from_secs(20)).unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_smaller_name_dials_and_messages_flow_both_ways() {
        let (at_b, address) = listening();
        let (a, at_a) = peers("a", 7, &[("b", &address)]);
        a.start(StdListener::bind("127.0.0.1:0").unwrap()).unwrap();
        let (Input::Up { outbox: outbox_of_a, .. }, Input::Up { outbox: to_a, session, peer }) =
            (next(&at_a).await, next(&at_b).await)
        else {
            panic!("both sides learn of the connection first")
        };
        assert_eq!(peer, name("a"));
        let ack = |matched| Message::Ack { stamp: Stamp::received(Epoch::new(1)), matched };
        outbox_of_a.try_send(ack(1)).unwrap();
        to_a.try_send(ack(2)).unwrap();
        let (Input::Message { message: to_b, .. }, Input::Message { message: to_a, .. }) =
            (next(&at_b).await, next(&at_a).await)
        else {
            panic!("then messages come")
        };
        assert_eq!((to_b, to_a), (ack(1), ack(2)));
        drop(outbox_of_a);
        let (Input::Down { .. }, Input::Down { session: down, .. }) = (next(&at_a).await, next(&at_b).await)
        else {
            panic!("a host that lets a connection go closes it on both sides")
        };
        assert_eq!(down, session);
    }

    #[tokio::test]
    async fn strangers_never_reach_the_host() {
        let (at_b, address) = listening();
        let hello =
            |own: &str, members, to: &str| peers(own, members, &[("b", &address)]).0.greeting(name(to));
        let good = hello("a", 7, "b");
        let mut other_version = BytesMut::from(&good[..]);
        other_version[4] = b'x';
        let table: [(&str, Bytes); 7] = [
            ("another cluster or member list", hello("a", 8, "b")),
            ("not a member", hello("x", 7, "b")),
            ("a node that does not hold data", hello("w", 7, "b")),
            ("meant for another node", hello("a", 7, "c")),
            ("another version", other_version.freeze()),
            ("too long", Bytes::from_static(&[255; 200])),
            ("a client", Bytes::from_static(b"*1\r\n$4\r\nPING\r\n")),
        ];
        for (what, greeting) in table {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(&greeting).await.unwrap();
            let mut answer = Vec::new();
            // Closed by the other side; a reset is as good.
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.is_empty(), "{what} gets no greeting");
        }
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(&good).await.unwrap();
        stream.write_all(&u32::MAX.to_le_bytes()).await.unwrap();
        assert!(matches!(next(&at_b).await, Input::Up { .. }), "the first that is told of is the member");
        assert!(matches!(next(&at_b).await, Input::Down { .. }), "an oversized message ends its connection");
    }

    /// A log's thread that waits for its disk takes nothing: neither messages nor connections pile up.
    #[tokio::test]
    async fn a_log_that_hangs_pushes_back() {
        let (at_b, address) = listening();
        let hello = peers("a", 7, &[("b", &address)]).0.greeting(name("b"));
        let mut frame = BytesMut::new();
        frame.put_u32_le(0);
        let entry = crate::replication::Entry { epoch: Epoch::new(1), command: vec![7; 1 << 20].into() };
        let (stamp, after) = (Stamp::received(Epoch::new(1)), elect_core::Position::EMPTY);
        encode(&Message::Pulled { stamp, after, entries: vec![entry] }, &mut frame);
        let length = u32::try_from(frame.len() - 4).unwrap();
        frame[..4].copy_from_slice(&length.to_le_bytes());
        let (mut streams, mut blocked) = (Vec::new(), 0);
        for _ in 0..2 * SESSIONS_MAX {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(&hello).await.unwrap();
            let flood = async {
                for _ in 0..64 {
                    stream.write_all(&frame).await?;
                }
                io::Result::Ok(())
            };
            blocked += usize::from(timeout(Duration::from_millis(500), flood).await.is_err());
            streams.push(stream);
        }
        assert_eq!(blocked, streams.len(), "every one is held back");
        let (mut ups, mut bytes) = (0, 0);
        for input in at_b.try_iter() {
            match input {
                Input::Up { .. } => ups += 1,
                Input::Message { .. } => bytes += 1 << 20,
                Input::Down { .. } => {}
            }
            assert!(ups <= SESSIONS_MAX && bytes <= SESSIONS_MAX * INBOX_BYTES_MAX, "{ups} {bytes}");
            // What was handled makes room: only what waited before is looked at.
            if ups == SESSIONS_MAX && bytes > 0 {
                break;
            }
        }
        assert_eq!(ups, SESSIONS_MAX);
    }

    #[test]
    fn messages_are_taken_whole_and_bounded() {
        let mut buffer = BytesMut::new();
        let message = Message::Ack { stamp: Stamp::received(Epoch::new(2)), matched: 7 };
        buffer.put_u32_le(17);
        encode(&message, &mut buffer);
        let mut part = BytesMut::from(&buffer[..20]);
        assert!(take_message(&mut part).unwrap().is_none());
        assert_eq!(part.len(), 20, "nothing is taken before it is whole");
        assert_eq!(take_message(&mut buffer).unwrap(), Some((message, 17)));
        assert!(buffer.is_empty());
        let mut long = BytesMut::new();
        long.put_u32_le(u32::MAX);
        assert!(matches!(take_message(&mut long), Err(Refused::TooLong(_))));
    }
}
