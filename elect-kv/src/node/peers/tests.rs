use super::*;
use crossbeam_channel::{Receiver, unbounded};
use elect_core::{Epoch, Stamp};

pub(super) fn name(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

pub(super) fn peers(own: &str, members: u64, addresses: &[(&str, &str)]) -> (Peers, Receiver<Input>) {
    let (inbox, inputs) = unbounded();
    let addresses = addresses.iter().map(|(peer, address)| (name(peer), (*address).to_owned())).collect();
    let members = Digest::from_bits(members);
    let peers = Peers {
        node: name(own),
        members,
        addresses: Arc::new(addresses),
        inbox,
        sessions: Arc::default(),
        detection: Duration::from_millis(300),
        news: Arc::default(),
        problems: Arc::default(),
        log: Arc::new(EventLog::open(name(own), None).unwrap()),
        places: Places::of(["a", "b", "c", "d"].map(name)),
        links: Links::Plain,
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

pub(super) async fn next(inputs: &Receiver<Input>) -> Input {
    let inputs = inputs.clone();
    tokio::task::spawn_blocking(move || inputs.recv_timeout(Duration::from_secs(20)).unwrap()).await.unwrap()
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
    let hello = |own: &str, members, to: &str| peers(own, members, &[("b", &address)]).0.greeting(name(to));
    let good = hello("a", 7, "b");
    let mut other_version = BytesMut::from(&good[..]);
    other_version[4] = b'x';
    let table: [(&str, Bytes); 6] = [
        ("another cluster or member list", hello("a", 8, "b")),
        ("not a member", hello("x", 7, "b")),
        ("a node that does not hold data", hello("w", 7, "b")),
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

#[tokio::test]
async fn every_mistake_is_named_on_both_sides() {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (d, _at_d) = peers("d", 7, &[("a", &address), ("c", &address)]);
    d.clone().start(listener).unwrap();
    let closed = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let table = [
        ("a", 7, "c", &*address, "node d answers where c was expected", Some("takes this node for c")),
        ("a", 8, "d", &address, "refuses this node", Some("member list differs")),
        ("x", 7, "d", &address, "refuses this node", Some("x is not a node")),
        ("a", 7, "d", &closed, "refused", None),
        ("a", 7, "d", "no-such-host.invalid:1", "lookup", None),
    ];
    for (own, members, peer, address, here, there) in table {
        let dialler = peers(own, members, &[(peer, address)]).0;
        let error = dialler.dial(name(peer), address).await.unwrap_err().to_string();
        assert!(error.contains(here), "{own} to {peer}: {error}");
        let noted = || d.problems.lines().concat();
        let deadline = Instant::now() + Duration::from_secs(20);
        while !there.is_none_or(|there| noted().contains(there)) {
            assert!(Instant::now() < deadline, "{own} to {peer}: {}", noted());
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn silence_for_the_detection_time_ends_a_connection_and_signs_of_life_keep_it() {
    let (at_b, address) = listening();
    let (a, _at_a) = peers("a", 7, &[("b", &address)]);
    let (greeting, stream) = a.dial(name("b"), &address).await.unwrap();
    assert_eq!(greeting.detection, Duration::from_millis(300));
    let Input::Up { outbox: _kept, .. } = next(&at_b).await else { panic!("it is told first") };
    // Nothing is said on this side: the other one says so three times at least, then it gives up.
    let began = Instant::now();
    let Link { mut reader, writer, .. } = stream;
    let mut heard = Vec::new();
    let _ = reader.read_to_end(&mut heard).await;
    assert!(heard.len() >= 12 && heard.iter().all(|byte| *byte == 0), "{heard:?}");
    assert!(began.elapsed() >= Duration::from_millis(290) && began.elapsed() < Duration::from_secs(4));
    assert!(matches!(next(&at_b).await, Input::Down { .. }));
    drop(writer);

    // Two that only give signs of life stay connected.
    let (mut a, at_a) = peers("a", 7, &[("b", &address)]);
    a.detection = Duration::from_mins(1);
    a.start(StdListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let (Input::Up { outbox: _one, .. }, Input::Up { outbox: _other, .. }) =
        (next(&at_a).await, next(&at_b).await)
    else {
        panic!("both sides learn of it")
    };
    let ended = tokio::task::spawn_blocking(move || at_b.recv_timeout(Duration::from_millis(1_200)));
    assert!(ended.await.unwrap().is_err(), "the smaller detection time counts on both sides");
}

#[tokio::test]
async fn a_connection_that_ends_at_once_is_not_dialled_a_hundred_times_a_second() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (a, at_a) = peers("a", 7, &[("b", &address)]);
    std::thread::spawn(move || at_a.iter().for_each(drop));
    let b = peers("b", 7, &[("a", &address)]).0;
    a.start(StdListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let began = Instant::now();
    for _ in 0..9 {
        let (stream, _) = listener.accept().await.unwrap();
        drop(b.greet(stream, None).await.unwrap());
    }
    // 10, 20, 40, 80 and then 150 ms each.
    assert!(began.elapsed() >= Duration::from_millis(700), "{:?}", began.elapsed());
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
