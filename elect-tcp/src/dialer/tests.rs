use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use elect_core::{Body, Frame, Incarnation};

use super::*;
use crate::frames::Frames;
use crate::local::{LocalNetwork, LocalTransport};
use crate::outbox::{Outbox, outbox};
use crate::testing::{accept, greeting, heartbeat, id, introduction};

const BOUND: Duration = Duration::from_secs(20);
/// What has waited longer is stale; far above what a test takes between two of its lines.
const STALE: Duration = Duration::from_secs(5);

/// A dialling thread of `a` for `b`, whose part the test plays.
struct Bench {
    network: LocalNetwork,
    listener: LocalTransport,
    outbox: Option<Outbox>,
    inbox: Receiver<Input>,
    wake: Sender<()>,
    doubt: Sender<()>,
    stop: Option<Sender<()>>,
    closers: Closers,
    counters: Arc<Counters>,
    thread: JoinHandle<()>,
}

impl Bench {
    fn new(stall: Duration) -> Self {
        Self::with(stall, |transport| transport)
    }

    /// It dials through what `wrap` makes of its transport.
    fn with<T: Transport>(stall: Duration, wrap: impl FnOnce(LocalTransport) -> T) -> Self {
        let network = LocalNetwork::new();
        let (own, listener) = (network.join(id("a")), network.join(id("b")));
        let (inbox_in, inbox) = bounded(64);
        let ((wake, woken), (doubt, doubted)) = (bounded(1), bounded(1));
        let (stopper, stop) = bounded(0);
        let (closers, counters) = (Closers::default(), Arc::<Counters>::default());
        let (outbox, outgoing) = outbox(Arc::clone(&counters));
        let dialer = Dialer {
            peer: id("b"),
            transport: Arc::new(wrap(own)),
            introduction: introduction("a"),
            roster: None,
            outgoing,
            woken,
            doubted,
            stop,
            flushing: bounded(0).0,
            inbox: inbox_in,
            closers: closers.clone(),
            threads: Threads::default(),
            counters: Arc::clone(&counters),
            timeouts: Timeouts { dial: BOUND, handshake: BOUND, stall, stale: STALE },
        };
        let thread = thread::spawn(move || dialer.run());
        Self {
            network,
            listener,
            outbox: Some(outbox),
            inbox,
            wake,
            doubt,
            stop: Some(stopper),
            closers,
            counters,
            thread,
        }
    }

    /// Takes the next stream as `b`.
    fn welcome(&self) -> UnixStream {
        let mut stream = self.listener.accept().unwrap();
        handshake::accept(&mut stream, BOUND, |_| Ok(greeting("b", "a"))).unwrap();
        stream.set_timeouts(Some(BOUND), None).unwrap();
        stream
    }

    fn put(&self, frame: &Frame, since: Time) {
        self.outbox.as_ref().unwrap().put(frame, since);
    }

    /// The next report of a link.
    fn state(&self) -> LinkState {
        loop {
            match self.inbox.recv_timeout(BOUND).unwrap() {
                Input::Link { state, .. } => return state,
                Input::Unreachable { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn end(mut self) {
        self.outbox = None;
        self.stop = None;
        self.closers.close_all();
        self.listener.close();
        self.thread.join().unwrap();
    }
}

fn next(frames: &mut Frames<UnixStream>) -> Frame {
    loop {
        if let Some(frame) = frames.buffered().unwrap() {
            return frame;
        }
        frames.fill().unwrap();
    }
}

/// Dials as the test says: with the number of the dial, and how long it may last.
struct Dials<F> {
    within: LocalTransport,
    made: AtomicUsize,
    dial: F,
}

impl<F> Transport for Dials<F>
where
    F: Fn(&LocalTransport, usize, Duration) -> Result<UnixStream, DialError> + Send + Sync + 'static,
{
    type Stream = UnixStream;

    fn accept(&self) -> io::Result<UnixStream> {
        self.within.accept()
    }

    fn close(&self) {
        self.within.close();
    }

    fn dial(&self, _: NodeId, timeout: Duration) -> Result<UnixStream, DialError> {
        (self.dial)(&self.within, self.made.fetch_add(1, Ordering::SeqCst), timeout)
    }
}

impl Bench {
    fn dialling(
        dial: impl Fn(&LocalTransport, usize, Duration) -> Result<UnixStream, DialError> + Send + Sync + 'static,
    ) -> Self {
        Self::with(BOUND, |within| Dials { within, made: AtomicUsize::new(0), dial })
    }
}

/// One run in some hundred took as long as a dial may last: the listener of the dying process had dropped it.
#[test]
fn a_dial_after_a_close_does_not_wait_for_long() {
    let (bounds, seen) = bounded(64);
    let bench = Bench::dialling(move |within, number, timeout| {
        bounds.send(timeout).unwrap();
        match number {
            // Lost, as by a listener that is just being closed.
            1 => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            _ => within.dial(id("b"), timeout),
        }
    });
    let first = bench.welcome();
    assert_eq!(bench.state(), LinkState::Up);
    drop(first);
    assert_eq!(bench.state(), LinkState::Closed);
    let _second = bench.welcome();
    assert_eq!(bench.state(), LinkState::Up);
    let bounds: Vec<_> = seen.try_iter().collect();
    let [first, hasty, longer] = bounds[..] else { panic!("{bounds:?}") };
    assert_eq!(first, BOUND, "nothing is known of the peer yet");
    assert!(hasty < BOUND, "{bounds:?}");
    assert_eq!(longer, hasty * 2, "{bounds:?}");
    bench.end();
}

#[test]
fn stale_queue() {
    let bench = Bench::new(BOUND);
    let now = clock::now();
    let long_ago = now - STALE * 2;
    for sent in 0..1000 {
        bench.put(&heartbeat(sent), long_ago);
    }
    bench.put(&accept(1000), now + BOUND);
    let mut frames = Frames::new(bench.welcome());
    assert_eq!(next(&mut frames), accept(1000), "a thousand heartbeats of the past are not sent");
    bench.put(&heartbeat(1001), long_ago);
    assert_eq!(next(&mut frames), heartbeat(1001), "while the stream stands nothing is too old");
    bench.end();
}

#[test]
fn a_closed_stream_is_noticed_without_sending_and_dialled_anew() {
    let bench = Bench::new(BOUND);
    let first = bench.welcome();
    assert_eq!(bench.state(), LinkState::Up);
    drop(first);
    assert_eq!(bench.state(), LinkState::Closed);
    let mut frames = Frames::new(bench.welcome());
    assert_eq!(bench.state(), LinkState::Up);
    bench.put(&heartbeat(5), clock::now());
    assert_eq!(next(&mut frames), heartbeat(5));
    bench.end();
}

#[test]
fn a_refusal_counts_after_a_connection_only_and_says_when_it_began() {
    let bench = Bench::new(BOUND);
    let stream = bench.welcome();
    assert_eq!(bench.state(), LinkState::Up);
    bench.listener.close();
    let closed = clock::now();
    drop(stream);
    assert_eq!(bench.state(), LinkState::Closed);
    for _ in 0..3 {
        let LinkState::Refused { attempt_began } = bench.state() else { panic!("not refused") };
        assert!(attempt_began >= closed, "it began after the process was gone");
        assert!(attempt_began <= clock::now());
    }
    bench.end();
}

/// What failed for the same reason as before a refusal was not told: the link went on to say that it was refused.
#[test]
fn the_same_reason_after_a_refusal_is_news() {
    let bench = Bench::dialling(|within, number, timeout| match number {
        0 => within.dial(id("b"), timeout),
        _ if number.is_multiple_of(2) => Err(DialError::Refused),
        _ => Err(io::Error::other("it is moody").into()),
    });
    drop(bench.welcome());
    assert_eq!([bench.state(), bench.state()], [LinkState::Up, LinkState::Closed]);
    for _ in 0..3 {
        match bench.inbox.recv_timeout(BOUND).unwrap() {
            Input::Unreachable { reason, .. } => assert_eq!(reason, "it is moody"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(bench.state(), LinkState::Refused { .. }));
    }
    bench.end();
}

#[test]
fn a_peer_that_never_was_there_is_no_crash() {
    let bench = Bench::new(BOUND);
    // The stream that may be waiting already is closed without an answer, and so is the listener.
    bench.listener.close();
    loop {
        match bench.inbox.recv_timeout(BOUND).unwrap() {
            Input::Unreachable { reason, .. } if reason == "nobody listens there" => break,
            Input::Unreachable { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    bench.end();
}

#[test]
fn a_peer_that_dials_is_dialled_at_once() {
    let bench = Bench::new(BOUND);
    bench.listener.close();
    // By now the waits are long.
    let deadline = Instant::now() + BOUND;
    while bench.counters.read().dials < backoff::WAITS.len() as u64 {
        assert!(Instant::now() < deadline, "it stopped dialling");
        thread::yield_now();
    }
    let returned = bench.network.join(id("b"));
    bench.wake.send(()).unwrap();
    let mut stream = returned.accept().unwrap();
    handshake::accept(&mut stream, BOUND, |_| Ok(greeting("b", "a"))).unwrap();
    assert_eq!(bench.state(), LinkState::Up);
    bench.end();
}

/// The peer takes each greeting, closes the stream and dials in: it was dialled as fast as it could close.
#[test]
fn a_peer_that_wakes_and_closes_is_not_dialled_without_end() {
    let bench = Bench::new(BOUND);
    let began = Instant::now();
    let mut taken = 0;
    while began.elapsed() < Duration::from_secs(1) {
        drop(bench.welcome());
        let _ = bench.wake.try_send(());
        taken += 1;
        bench.inbox.try_iter().for_each(drop);
    }
    assert!(taken <= 40, "{taken} dials in a second");
    bench.end();
}

/// The refusal of a life.
fn over() -> (HandshakeRefusal, Body) {
    let (rejected, known) = (greeting("a", "b").incarnation, Incarnation { counter: 9, random: 9 });
    let (dialler, known_at) = <_>::default();
    (HandshakeRefusal::Life { rejected, known, dialler, known_at }, Body::Reject { rejected, known })
}

#[test]
fn a_refusal_is_told_once_and_one_of_its_life_reaches_the_elector_each_time() {
    let bench = Bench::new(BOUND);
    let (refusal, body) = over();
    let refuse = || {
        let mut stream = bench.listener.accept().unwrap();
        handshake::accept(&mut stream, BOUND, |_| Err(refusal.clone().into())).unwrap_err();
    };
    let rejected = || match bench.inbox.recv_timeout(BOUND).unwrap() {
        Input::Rejected { peer, said } => assert_eq!((peer, &said), (id("b"), &body)),
        other => panic!("{other:?}"),
    };
    refuse();
    rejected();
    match bench.inbox.recv_timeout(BOUND).unwrap() {
        Input::Unreachable { reason, refusal: told, .. } => {
            assert_eq!(told.as_deref(), Some(&refusal));
            assert!(reason.contains(refusal.advice()), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    refuse();
    rejected();
    refuse();
    rejected();
    bench.end();
}

#[test]
fn a_doubt_is_asked_beside_the_stream_that_stands() {
    let bench = Bench::new(BOUND);
    let mut frames = Frames::new(bench.welcome());
    assert_eq!(bench.state(), LinkState::Up);
    bench.doubt.send(()).unwrap();
    let mut asked = bench.listener.accept().unwrap();
    bench.put(&heartbeat(1), clock::now());
    assert_eq!(next(&mut frames), heartbeat(1), "while the peer is being asked");
    let (refusal, body) = over();
    handshake::accept(&mut asked, BOUND, |_| Err(refusal.into())).unwrap_err();
    match bench.inbox.recv_timeout(BOUND).unwrap() {
        Input::Rejected { peer, said } => assert_eq!((peer, said), (id("b"), body)),
        other => panic!("{other:?}"),
    }
    bench.put(&heartbeat(2), clock::now());
    assert_eq!(next(&mut frames), heartbeat(2), "the stream still stands");
    bench.end();
}

/// Fills the buffers towards a peer that does not read, until the thread no longer takes what is put.
///
/// A thread that has sent nothing in the last 1000 looks is in its write. Between the later ones it gets 0.1 ms, in which
/// it reports nothing: its stream goes on.
fn fill(bench: &Bench) {
    let mut quiet = 0;
    while quiet < 1000 {
        let before = bench.counters.read().frames_sent;
        bench.put(&heartbeat(before), clock::now());
        thread::yield_now();
        quiet = if bench.counters.read().frames_sent == before { quiet + 1 } else { 0 };
        if quiet > 100 {
            bench.inbox.recv_timeout(Duration::from_micros(100)).unwrap_err();
        }
    }
}

#[test]
fn a_peer_that_stops_reading_is_given_up_after_the_stall_timeout() {
    let bench = Bench::new(Duration::from_millis(200));
    let _unread = bench.welcome();
    assert_eq!(bench.state(), LinkState::Up);
    let put = thread::scope(|scope| {
        let closed = scope.spawn(|| bench.state());
        let mut put = 0;
        while !closed.is_finished() {
            bench.put(&heartbeat(put), clock::now());
            put += 1;
        }
        assert_eq!(closed.join().unwrap(), LinkState::Closed);
        put
    });
    assert!(bench.counters.read().frames_sent < put);
    let mut frames = Frames::new(bench.welcome());
    let first = next(&mut frames).header.nonce.sent.as_nanos();
    assert_eq!(first, put - 1, "the newest, and none of what waited before it");
    bench.end();
}

#[test]
fn a_stalled_write_ends_when_the_node_does() {
    let bench = Bench::new(BOUND * 10);
    let mut unread = bench.welcome();
    assert_eq!(bench.state(), LinkState::Up);
    fill(&bench);
    bench.end();
    // Everything that had left is still there, then the stream ends.
    let mut rest = Vec::new();
    unread.read_to_end(&mut rest).unwrap();
    assert!(!rest.is_empty());
}
