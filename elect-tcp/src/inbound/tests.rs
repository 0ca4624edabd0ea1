use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use crossbeam_channel::bounded;
use elect_core::{ClusterId, Digest, Frame, Incarnation};

use super::*;
use crate::link::RefusedDialler;
use crate::local::{LocalNetwork, LocalTransport};
use crate::testing::{heartbeat, id, introduction};

const BOUND: Duration = Duration::from_secs(20);

/// The lives that a frame has borne, as the elector of these tests knows them: the newest, or the first of one counter.
type Lives = Arc<Mutex<HashMap<NodeId, Incarnation>>>;

/// The inbound side of `a` in a group of `a`, `b` and `c`.
struct Bench {
    caller: LocalTransport,
    transport: Arc<LocalTransport>,
    connections: Arc<InboundConnections>,
    inbox: Receiver<Input>,
    woken: Receiver<()>,
    stop: Option<Sender<()>>,
    lives: Lives,
    learnt: Receiver<(NodeId, Address)>,
}

impl Bench {
    fn new() -> Self {
        let lives = Lives::default();
        let judged = Arc::clone(&lives);
        Self::with(|inbox| judge(judged, inbox), lives)
    }

    fn with(judge: impl FnOnce(Sender<Input>) -> Judge, lives: Lives) -> Self {
        let network = LocalNetwork::new();
        let (transport, caller) = (Arc::new(network.join(id("a"))), network.join(id("b")));
        let (inbox_in, inbox) = bounded(64);
        let (wake, woken) = bounded(1);
        let (stopper, stop) = bounded(0);
        let (learning, learnt) = bounded(64);
        let connections = Arc::new(InboundConnections {
            introduction: introduction("a"),
            handshake_timeout: BOUND * 10,
            judge: judge(inbox_in.clone()),
            inbox: inbox_in,
            learn: Box::new(move |peer, address, _| learning.send((peer, address.clone())).unwrap()),
            wake_dialer: [(id("b"), wake), (id("c"), bounded(1).0)].into(),
            refusals: Refusals::new(["a", "b", "c"].map(id).into_iter()),
            closers: Closers::default(),
            threads: Threads::default(),
            counters: Arc::default(),
            slots: Slots::new(false).into(),
            many: None,
        });
        let inbound =
            Inbound { transport: Arc::clone(&transport), connections: Arc::clone(&connections), stop };
        connections.threads.spawn("listen", drop, move || inbound.run()).unwrap();
        Self { caller, transport, connections, inbox, woken, stop: Some(stopper), lives, learnt }
    }

    /// The elector takes `life` for that of `peer` when it gets the next frame.
    fn knows(&self, peer: &str, life: Incarnation) {
        self.lives.lock().unwrap().insert(id(peer), life);
    }

    /// The next input that is no greeting.
    fn input(&self) -> Input {
        loop {
            match self.inbox.recv_timeout(BOUND).unwrap() {
                Input::Greeted { .. } => {}
                other => return other,
            }
        }
    }

    /// Waits until a frame of `peer` has counted.
    fn wait_until_heard(&self, peer: &str) {
        loop {
            if let Input::Heard { peer: heard, .. } = self.input() {
                return assert_eq!(heard, id(peer));
            }
        }
    }

    fn refusal(&self, greeting: &Greeting) -> HandshakeRefusal {
        match self.greet(greeting) {
            Err(HandshakeError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
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
        assert_eq!(self.connections.slots().counts(), (0, 0, 0, 0));
    }
}

/// Frames show in the inbox, whether the elector was asked about them or not; a rejection does not count.
fn judge(lives: Lives, inbox: Sender<Input>) -> Judge {
    Box::new(move |claim, sample| {
        let is_news =
            !sample.as_ref().is_some_and(|Sample { frame, .. }| matches!(frame.body, Body::Reject { .. }));
        if let Some(Sample { frame, is_proven }) = sample {
            inbox.send(Input::Frame { from: claim.peer, frame, is_proven }).unwrap();
        }
        let known = lives.lock().unwrap().get(&claim.peer).copied();
        let rejected = claim.incarnation;
        Some(match known {
            Some(known) if known == rejected => Judgement::Known.given(is_news),
            Some(known) if known.counter >= rejected.counter => {
                Judgement::Over(Body::Reject { rejected, known })
            }
            _ => Judgement::Possible,
        })
    })
}

fn greeting(node: &str) -> Greeting {
    crate::testing::greeting(node, "a")
}

/// `b` in this life.
fn living(counter: u32, random: u32) -> Greeting {
    Greeting { incarnation: Incarnation { counter, random }, ..greeting("b") }
}

fn send(stream: &mut UnixStream, frame: &Frame) {
    let mut buffer = [0; elect_core::wire::FRAME_BYTES_MAX];
    let length = elect_core::wire::encode(frame, &mut buffer);
    stream.write_all(&buffer[..length]).unwrap();
}

/// A heartbeat in the life of that greeting.
fn beat(greeting: &Greeting) -> Frame {
    let mut frame = heartbeat(1);
    frame.header.nonce.incarnation = greeting.incarnation;
    frame
}

/// Blocks until the other end has closed the stream.
fn assert_closed(mut stream: UnixStream) {
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_member_is_heard_and_announced() {
    let bench = Bench::new();
    let (mut stream, answer) = bench.greet(&greeting("b")).unwrap();
    assert_eq!((answer.node, answer.incarnation.counter), (id("a"), 3));
    match bench.inbox.recv_timeout(BOUND).unwrap() {
        Input::Greeted { peer, incarnation, address } => {
            let said = greeting("b");
            assert_eq!((peer, incarnation, address), (said.node, said.incarnation, said.address));
        }
        other => panic!("{other:?}"),
    }
    bench.woken.recv_timeout(BOUND).expect("the thread that dials b learns that b is there");
    let frame = beat(&greeting("b"));
    bench.knows("b", greeting("b").incarnation);
    send(&mut stream, &frame);
    match bench.input() {
        Input::Frame { from, frame: received, is_proven } => {
            assert_eq!((from, received, is_proven), (id("b"), frame, false));
        }
        other => panic!("{other:?}"),
    }
    bench.wait_until_heard("b");
    drop(stream);
    match bench.input() {
        Input::Unheard { peer, reason, .. } => {
            assert_eq!(peer, id("b"));
            assert!(reason.starts_with("the peer closed it"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    bench.end();
}

#[test]
fn strangers_are_refused_with_the_reason_and_the_host_hears_of_each() {
    let bench = Bench::new();
    let (own, cluster) = (greeting("b"), ClusterId::new("bank").unwrap());
    let table = [
        (greeting("d"), HandshakeRefusal::UnknownName(id("d"))),
        (greeting("a"), HandshakeRefusal::OwnName { wanted: id("a"), name: id("a") }),
        (
            Greeting { cluster, ..greeting("b") },
            HandshakeRefusal::Cluster { dialler: cluster, listener: own.cluster },
        ),
        (
            Greeting { addressee: id("c"), ..greeting("b") },
            HandshakeRefusal::Addressee { wanted: id("c"), listener: id("a") },
        ),
        (Greeting { group: 2, ..greeting("b") }, HandshakeRefusal::Group { dialler: 2, listener: 0 }),
        (
            Greeting { members: Digest::from_bits(1), ..greeting("b") },
            HandshakeRefusal::Members { dialler: Digest::from_bits(1), listener: own.members },
        ),
        (
            Greeting { versions: (2, 3), ..greeting("b") },
            HandshakeRefusal::Version { dialler: (2, 3), listener: handshake::VERSIONS },
        ),
    ];
    for (greeting, wanted) in table {
        assert_eq!(bench.refusal(&greeting), wanted);
        let Input::Refused(refused) = bench.input() else { panic!("the host does not hear of {wanted}") };
        assert_eq!(refused.failure, InboundFailure::Refused(wanted));
        let is_readable = greeting.versions == handshake::VERSIONS;
        assert_eq!(refused.claimed, is_readable.then_some(greeting.node));
        assert_eq!(bench.refusal(&greeting), bench.connections.refusals.all().pop().unwrap().refusal());
    }
    assert!(bench.inbox.is_empty(), "the same again is not told");
    assert_eq!(bench.connections.slots().counts().3, 0);
    let refusals = bench.connections.refusals.clone();
    bench.end();
    assert!(refusals.all().iter().all(|refused| refused.count == 2));
}

impl RefusedDialler {
    fn refusal(self) -> HandshakeRefusal {
        match self.failure {
            InboundFailure::Refused(refusal) => refusal,
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_members_newer_stream_takes_the_place_of_the_older_with_its_first_frame() {
    let bench = Bench::new();
    bench.knows("b", greeting("b").incarnation);
    let (mut first, _) = bench.greet(&greeting("b")).unwrap();
    send(&mut first, &beat(&greeting("b")));
    bench.wait_until_heard("b");
    let (mut second, _) = bench.greet(&greeting("b")).unwrap();
    send(&mut first, &beat(&greeting("b")));
    assert!(matches!(bench.input(), Input::Frame { .. }), "a greeting displaces nobody");
    send(&mut second, &beat(&greeting("b")));
    bench.wait_until_heard("b");
    assert_closed(first);
    assert_eq!(bench.connections.slots().counts().3, 1);
    bench.end();
}

#[test]
fn who_greets_and_falls_silent_displaces_nobody_and_costs_two_streams() {
    let bench = Bench::new();
    bench.knows("b", greeting("b").incarnation);
    let (mut stream, _) = bench.greet(&greeting("b")).unwrap();
    send(&mut stream, &beat(&greeting("b")));
    bench.wait_until_heard("b");
    let mut silent: VecDeque<_> = (0..GREETED_MAX).map(|_| bench.greet(&greeting("b")).unwrap().0).collect();
    for _ in 0..5 {
        silent.push_back(bench.greet(&greeting("b")).unwrap().0);
        assert_closed(silent.pop_front().unwrap());
    }
    // Another member is not crowded out either.
    let (_other, _) = bench.greet(&greeting("c")).unwrap();
    send(&mut stream, &beat(&greeting("b")));
    while !matches!(bench.input(), Input::Frame { .. }) {}
    assert_eq!(bench.connections.slots().counts().3, 1);
    bench.end();
}

#[test]
fn an_older_life_and_a_twin_are_refused_with_both_addresses() {
    let bench = Bench::new();
    let listen = Address::new("b.example:7001").unwrap();
    let known = Greeting { listen: listen.clone(), ..living(5, 5) };
    bench.knows("b", known.incarnation);
    let (mut stream, _) = bench.greet(&known).unwrap();
    send(&mut stream, &beat(&known));
    bench.wait_until_heard("b");
    assert_eq!(bench.learnt.recv_timeout(BOUND).unwrap(), (id("b"), listen.clone()));
    for life in [living(4, 4), living(5, 4), living(0, 0)] {
        let wanted = HandshakeRefusal::Life {
            rejected: life.incarnation,
            known: known.incarnation,
            dialler: Address::default(),
            known_at: listen.clone(),
        };
        assert_eq!(bench.refusal(&life), wanted);
    }
    bench.end();
}

/// R61: a life that no honest node gets to so soon counts from its second frame on.
#[test]
fn a_newer_life_takes_over_once_the_elector_counts_it() {
    let bench = Bench::new();
    let (known, newer) = (living(5, 5), living(6, 1));
    bench.knows("b", known.incarnation);
    let (mut stream, _) = bench.greet(&known).unwrap();
    send(&mut stream, &beat(&known));
    bench.wait_until_heard("b");
    let (mut later, _) = bench.greet(&newer).unwrap();
    send(&mut later, &beat(&newer));
    assert!(matches!(bench.input(), Input::Frame { .. }));
    send(&mut stream, &beat(&known));
    assert!(matches!(bench.input(), Input::Frame { .. }), "the known life is still heard");
    bench.knows("b", newer.incarnation);
    send(&mut later, &beat(&newer));
    bench.wait_until_heard("b");
    assert_closed(stream);
    bench.end();
}

/// Two processes of one name greet before either has sent a frame.
#[test]
fn a_stream_whose_life_turns_out_to_be_over_is_closed_and_not_heard() {
    let bench = Bench::new();
    let (mut late, _) = bench.greet(&living(5, 4)).unwrap();
    let (mut stream, _) = bench.greet(&living(5, 5)).unwrap();
    bench.knows("b", living(5, 5).incarnation);
    send(&mut stream, &beat(&living(5, 5)));
    bench.wait_until_heard("b");
    send(&mut late, &beat(&living(5, 4)));
    assert_closed(late);
    assert_eq!(bench.connections.slots().counts().3, 1);
    bench.end();
}

#[test]
fn frames_of_another_life_than_the_greeting_end_the_stream_unread() {
    let bench = Bench::new();
    let (mut stream, _) = bench.greet(&living(5, 5)).unwrap();
    send(&mut stream, &beat(&living(6, 6)));
    assert_closed(stream);
    let Input::Refused(refused) = bench.input() else { panic!("the host does not hear of it") };
    assert_eq!((refused.claimed, refused.failure), (Some(id("b")), InboundFailure::OtherLife));
    assert!(matches!(bench.input(), Input::Unheard { reason, .. } if reason.contains("another incarnation")));
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
    assert!(bench.connections.slots().counts().1 < HANDSHAKES_MAX);
    assert_eq!(bench.connections.counters.read().inbound_refused, 11);
    assert!(bench.connections.threads.count() <= 1 + bench.connections.threads_max());
    bench.end();
    silent.for_each(assert_closed);
}

#[test]
fn garbage_from_a_member_ends_its_stream_only() {
    let bench = Bench::new();
    let (mut stream, _) = bench.greet(&greeting("b")).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    // Unread bytes may turn the end into a reset.
    let end = thread::spawn(move || stream.read(&mut [0]));
    assert!(!matches!(end.join().unwrap(), Ok(1..)));
    let Input::Refused(refused) = bench.input() else { panic!("the host does not hear of it") };
    assert!(matches!(refused.failure, InboundFailure::Unreadable(_)), "{refused}");
    assert!(matches!(bench.input(), Input::Unheard { reason, .. } if reason.contains("cannot be read")));
    let (_again, _) = bench.greet(&greeting("b")).unwrap();
    bench.end();
}

/// A peer that is told to look after it, and to start it again, would cry at every restart.
#[test]
fn a_node_that_ends_closes_the_stream_and_refuses_nobody() {
    let bench = Bench::with(|_| Box::new(|_, _| None), Lives::default());
    let end = bench.greet(&greeting("b")).unwrap_err();
    assert!(
        matches!(&end, HandshakeError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof),
        "{end}"
    );
    assert!(bench.inbox.is_empty() && bench.connections.refusals.all().is_empty());
    assert_eq!(bench.connections.counters.read().handshakes_failed, 0);
    bench.end();
}

mod samples;
