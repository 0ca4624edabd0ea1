use std::io::Read;
use std::os::unix::net::UnixStream;
use std::thread;

use crossbeam_channel::bounded;
use elect_core::{Address, ClusterId};

use super::*;
use crate::handshake::HandshakeError;
use crate::local::{LocalNetwork, LocalTransport};
use crate::testing::{config, heartbeat, id};

const BOUND: Duration = Duration::from_secs(20);

/// The inbound side of `a` in a group of `a`, `b` and `c`.
struct Bench {
    caller: LocalTransport,
    transport: Arc<LocalTransport>,
    connections: Arc<InboundConnections>,
    inbox: Receiver<Input>,
    woken: Receiver<()>,
    stop: Option<Sender<()>>,
}

impl Bench {
    fn new() -> Self {
        let network = LocalNetwork::new();
        let (transport, caller) = (Arc::new(network.join(id("a"))), network.join(id("b")));
        let (inbox_in, inbox) = bounded(64);
        let (wake, woken) = bounded(1);
        let (stopper, stop) = bounded(0);
        let connections = Arc::new(InboundConnections {
            config: config("a"),
            own_address: OwnAddress::new(Address::default()),
            incarnation: Incarnation { counter: 4, random: 4 },
            handshake_timeout: BOUND * 10,
            inbox: inbox_in,
            wake_dialer: [(id("b"), wake), (id("c"), bounded(1).0)].into(),
            closers: Closers::default(),
            threads: Threads::default(),
            counters: Arc::default(),
            slots: Slots::default().into(),
        });
        let inbound =
            Inbound { transport: Arc::clone(&transport), connections: Arc::clone(&connections), stop };
        connections.threads.spawn("listen", drop, move || inbound.run()).unwrap();
        Self { caller, transport, connections, inbox, woken, stop: Some(stopper) }
    }

    fn dial(&self) -> UnixStream {
        let stream = self.caller.dial(id("a"), BOUND).unwrap();
        stream.set_timeouts(Some(BOUND), None).unwrap();
        stream
    }

    fn greet(&self, greeting: &Greeting) -> Result<(UnixStream, Greeting), HandshakeError> {
        let mut stream = self.dial();
        let answer = handshake::dial(&mut stream, greeting, BOUND)?;
        Ok((stream, answer))
    }

    fn end(mut self) {
        self.stop = None;
        self.connections.closers.close_all();
        self.transport.close();
        self.connections.threads.join_all(BOUND).unwrap();
        assert_eq!(self.connections.slots().threads, 0);
    }
}

fn greeting(node: &str) -> Greeting {
    crate::testing::greeting(node, "a")
}

/// Blocks until the other end has closed the stream.
fn assert_closed(mut stream: UnixStream) {
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_member_is_heard_and_announced() {
    let bench = Bench::new();
    let (mut stream, answer) = bench.greet(&greeting("b")).unwrap();
    assert_eq!((answer.node, answer.incarnation.counter), (id("a"), 4));
    match bench.inbox.recv_timeout(BOUND).unwrap() {
        Input::Greeted { peer, incarnation, address } => {
            let said = greeting("b");
            assert_eq!((peer, incarnation, address), (said.node, said.incarnation, said.address));
        }
        other => panic!("{other:?}"),
    }
    bench.woken.recv_timeout(BOUND).expect("the thread that dials b learns that b is there");
    let mut buffer = [0; elect_core::wire::FRAME_BYTES_MAX];
    let length = elect_core::wire::encode(&heartbeat(1), &mut buffer);
    io::Write::write_all(&mut stream, &buffer[..length]).unwrap();
    match bench.inbox.recv_timeout(BOUND).unwrap() {
        Input::Frame { from, frame } => assert_eq!((from, frame), (id("b"), heartbeat(1))),
        other => panic!("{other:?}"),
    }
    bench.end();
}

#[test]
fn strangers_are_refused_with_the_reason() {
    let bench = Bench::new();
    let refusal = |greeting: Greeting| match bench.greet(&greeting) {
        Err(HandshakeError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal(greeting("d")), HandshakeRefusal::NotAMember);
    assert_eq!(refusal(greeting("a")), HandshakeRefusal::NotAMember, "nobody is this node but itself");
    let cluster = ClusterId::new("bank").unwrap();
    assert_eq!(refusal(Greeting { cluster, ..greeting("b") }), HandshakeRefusal::Cluster);
    assert_eq!(refusal(Greeting { addressee: id("c"), ..greeting("b") }), HandshakeRefusal::Addressee);
    assert_eq!(refusal(Greeting { versions: (2, 3), ..greeting("b") }), HandshakeRefusal::Version);
    assert!(bench.inbox.is_empty());
    bench.end();
}

#[test]
fn a_members_newest_stream_replaces_its_older_one() {
    let bench = Bench::new();
    let (first, _) = bench.greet(&greeting("b")).unwrap();
    let (other, _) = bench.greet(&greeting("c")).unwrap();
    let (second, _) = bench.greet(&greeting("b")).unwrap();
    assert_closed(first);
    assert_eq!(bench.connections.slots().members.len(), 2);
    drop((other, second));
    bench.end();
}

#[test]
fn silent_streams_lose_their_slots_to_newer_ones() {
    let bench = Bench::new();
    let silent: Vec<_> = (0..HANDSHAKES_MAX + 10).map(|_| bench.dial()).collect();
    let (_member, _) = bench.greet(&greeting("b")).unwrap();
    let mut silent = silent.into_iter();
    // The member's handshake took one more slot, and gave it back.
    for stream in silent.by_ref().take(11) {
        assert_closed(stream);
    }
    assert!(bench.connections.slots().handshakes.len() < HANDSHAKES_MAX);
    assert_eq!(bench.connections.counters.read().inbound_refused, 11);
    assert!(bench.connections.threads.count() <= 1 + bench.connections.threads_max());
    bench.end();
    silent.for_each(assert_closed);
}

#[test]
fn garbage_from_a_member_ends_its_stream_only() {
    let bench = Bench::new();
    let (mut stream, _) = bench.greet(&greeting("b")).unwrap();
    io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\n\r\n").unwrap();
    // Unread bytes may turn the end into a reset.
    let end = thread::spawn(move || stream.read(&mut [0]));
    assert!(!matches!(end.join().unwrap(), Ok(1..)));
    let (_again, _) = bench.greet(&greeting("b")).unwrap();
    bench.end();
}
