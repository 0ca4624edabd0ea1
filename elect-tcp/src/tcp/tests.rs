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
