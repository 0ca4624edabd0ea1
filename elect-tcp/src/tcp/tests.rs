use std::sync::atomic::AtomicUsize;

use super::*;
use crate::testing::{config, id};

const BOUND: Duration = Duration::from_secs(20);

fn fails(_: &str) -> io::Result<Vec<SocketAddr>> {
    Err(io::Error::other("no name server"))
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

fn transport(look_up: fn(&str) -> io::Result<Vec<SocketAddr>>) -> TcpTransport {
    let config = NodeConfig::builder(config("a"), "a.vote")
        .listen(at("127.0.0.1:0"))
        .peer(id("b"), "b.example:1")
        .peer(id("c"), "127.0.0.1:1")
        .build()
        .unwrap();
    let mut transport = TcpTransport::bind(&config).unwrap();
    transport.peers.insert(id("b"), Whereabouts::with("b.example:1".into(), look_up));
    transport
}

/// The kinds of error of a dial: refused, or the text.
fn dialled(transport: &TcpTransport) -> Result<SocketAddr, String> {
    match transport.dial(id("b"), BOUND) {
        Ok(stream) => Ok(stream.peer_addr().unwrap()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn while_a_name_cannot_be_looked_up_the_last_address_that_worked_is_dialled() {
    static PORT: AtomicUsize = AtomicUsize::new(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let listens = listener.local_addr().unwrap();
    PORT.store(usize::from(listens.port()), Ordering::SeqCst);
    let transport = transport(|name| match PORT.load(Ordering::SeqCst) {
        0 => fails(name),
        port => Ok(vec![at(&format!("127.0.0.1:{port}"))]),
    });
    assert_eq!(dialled(&transport), Ok(listens));
    PORT.store(0, Ordering::SeqCst);
    assert_eq!(dialled(&transport), Ok(listens));
    drop(listener);
    // It may have moved: this is no evidence of a crash.
    let text = dialled(&transport).unwrap_err();
    assert!(
        text.starts_with("looking up b.example:1 failed: no name server; and where it was before:"),
        "{text}"
    );
}

#[test]
fn then_the_address_that_the_peer_told_is_dialled() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let listens = listener.local_addr().unwrap();
    let transport = transport(fails);
    assert_eq!(dialled(&transport).unwrap_err(), "looking up b.example:1 failed: no name server");
    let told = address(&listens.to_string());
    transport.learn(id("x"), &told, &told);
    transport.learn(id("b"), &Address::default(), &told);
    dialled(&transport).expect_err("a port that it dials from says nothing");
    transport.learn(id("b"), &told, &address("127.0.0.9:50000"));
    assert_eq!(dialled(&transport), Ok(listens));
}

#[test]
fn a_peer_that_listens_on_every_address_is_where_it_dials_from() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let listens = listener.local_addr().unwrap();
    let (transport, port) = (transport(fails), listens.port());
    transport.learn(id("b"), &address("0.0.0.0:1"), &address("127.0.0.1:50000"));
    transport.learn(id("b"), &address(&format!("0.0.0.0:{port}")), &address("127.0.0.1:50000"));
    assert_eq!(dialled(&transport), Ok(listens));
}

#[test]
fn what_a_peer_tells_leads_no_plain_stream_off_this_machine() {
    let transport = transport(fails);
    transport.learn(id("b"), &address("192.0.2.1:7"), &Address::default());
    let text = dialled(&transport).unwrap_err();
    assert!(text.contains("192.0.2.1:7 is not on this machine"), "{text}");
}

#[test]
fn a_node_says_where_it_is_dialled() {
    let transport = transport(fails);
    assert_eq!(transport.own_address().as_str(), transport.local_address().to_string());
    let config = NodeConfig::builder(config("a"), "a.vote")
        .listen(at("127.0.0.1:0"))
        .peer(id("b"), "127.0.0.1:1")
        .peer(id("c"), "127.0.0.1:1")
        .advertise(address("a.example:7001"))
        .build()
        .unwrap();
    assert_eq!(TcpTransport::bind(&config).unwrap().own_address().as_str(), "a.example:7001");
}

/// As many as dial at once after a power cut; the standard library lets 128 wait.
#[test]
#[cfg(target_os = "linux")]
fn hundreds_may_wait_to_be_accepted() {
    let bound = TcpListener::bind("127.0.0.1:0").unwrap();
    let built = |builder: crate::NodeConfigBuilder| {
        let builder = builder.peer(id("b"), "127.0.0.1:1").peer(id("c"), "127.0.0.1:1");
        TcpTransport::bind(&builder.build().unwrap()).unwrap()
    };
    let begin = || NodeConfig::builder(config("a"), "a.vote");
    for transport in [built(begin().listen(at("127.0.0.1:0"))), built(begin().listener(bound))] {
        let connect = |_| TcpStream::connect_timeout(&transport.local_address(), BOUND / 20);
        let waiting: Result<Vec<_>, _> = (0..300).map(connect).collect();
        waiting.unwrap();
    }
    let few = built(begin().listen(at("127.0.0.1:0")).listen_backlog(1));
    let connect = |_| TcpStream::connect_timeout(&few.local_address(), Duration::from_millis(50));
    let waiting: Result<Vec<_>, _> = (0..10).map(connect).collect();
    waiting.expect_err("it is what was asked for");
}

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Where the name of `b` leads in a test: each has its own port, by its number.
static LEADS_TO: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];

fn leads<const TEST: usize>(address: SocketAddr) {
    LEADS_TO[TEST].store(usize::from(address.port()), Ordering::SeqCst);
}

fn looked_up<const TEST: usize>(name: &str) -> io::Result<Vec<SocketAddr>> {
    match LEADS_TO[TEST].load(Ordering::SeqCst) {
        0 => fails(name),
        port => Ok(vec![at(&format!("127.0.0.1:{port}"))]),
    }
}

fn is_refused(transport: &TcpTransport) -> bool {
    matches!(transport.dial(id("b"), BOUND), Err(DialError::Refused))
}

/// The name was led elsewhere before the process moved, and nobody listens there yet.
#[test]
fn a_name_that_leads_elsewhere_is_no_evidence_of_a_crash() {
    let lives = TcpListener::bind("127.0.0.1:0").unwrap();
    let listens = lives.local_addr().unwrap();
    leads::<0>(listens);
    let transport = transport(looked_up::<0>);
    assert_eq!(dialled(&transport), Ok(listens));
    transport.welcomed(id("b"), &address(&listens.to_string()));
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    leads::<0>(elsewhere.local_addr().unwrap());
    assert!(!is_refused(&transport), "somebody listens there");
    drop(elsewhere);
    assert!(!is_refused(&transport), "whoever took that connection was not the peer");
    leads::<0>(listens);
    assert_eq!(dialled(&transport), Ok(listens));
    drop(lives);
    assert!(is_refused(&transport), "where it lived");
    assert!(is_refused(&transport), "and for as long as it does");
}

#[test]
fn an_address_that_never_led_to_the_peer_is_no_evidence_of_a_crash() {
    leads::<1>(nobody());
    let transport = transport(looked_up::<1>);
    assert_eq!(dialled(&transport).unwrap_err(), "nobody listens there");
    assert!(!is_refused(&transport));
}

/// A refusal is told first: a crash is known at once, however silent the address is that the peer told.
#[test]
fn a_peer_that_has_moved_is_dialled_where_it_says_that_it_is() {
    let old = TcpListener::bind("127.0.0.1:0").unwrap();
    let was = old.local_addr().unwrap();
    leads::<2>(was);
    let transport = transport(looked_up::<2>);
    transport.welcomed(id("b"), &address(&was.to_string()));
    let new = TcpListener::bind("127.0.0.1:0").unwrap();
    let is = new.local_addr().unwrap();
    transport.learn(id("b"), &address(&is.to_string()), &address("127.0.0.1:9"));
    assert_eq!(dialled(&transport), Ok(was));
    drop(old);
    assert!(is_refused(&transport));
    assert_eq!(dialled(&transport), Ok(is));
    // Only told, and refused.
    drop(new);
    assert!(is_refused(&transport), "still: nobody listens where it stood");
    transport.welcomed(id("b"), &address(&is.to_string()));
    assert!(!is_refused(&transport), "what a peer tells is no evidence");
}

/// The old host is gone without a word: its address takes no connection and refuses none.
#[test]
#[cfg(target_os = "linux")]
fn a_silent_address_leaves_time_for_the_others() {
    let silent = listen(at("127.0.0.1:0"), 1).unwrap();
    let gone = silent.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&gone, Duration::from_millis(300)) {
        held.push(stream);
    }
    let lives = TcpListener::bind("127.0.0.1:0").unwrap();
    let listens = lives.local_addr().unwrap();
    let transport = transport(fails);
    transport.peers[&id("b")].worked(gone);
    transport.learn(id("b"), &address(&listens.to_string()), &address("127.0.0.1:9"));
    let stream = transport.dial(id("b"), Duration::from_secs(2)).unwrap();
    assert_eq!(stream.peer_addr().unwrap(), listens);
}
