//! Replication connections over TLS: who is let in, and what both sides say of who is not.

use std::path::Path;

use crossbeam_channel::Receiver;
use elect_core::{ClusterId, Config, Epoch, Stamp};
use elect_tcp::{DevCerts, NodeConfig, TlsEnds};

use super::tests::{name, next, peers};
use super::*;

const NODES: [&str; 3] = ["a", "b", "c"];

/// What a node has whose certificate an authority in that directory has issued.
fn links(directory: &Path, node: &str) -> Links {
    let cluster = ClusterId::new("shop").unwrap();
    let tls = DevCerts::open(directory, cluster).unwrap().issue(name(node)).unwrap();
    let elect = Config::builder(cluster, name(node)).voters(NODES.map(name)).build().unwrap();
    let others = NODES.iter().filter(|other| **other != node);
    let config = NodeConfig::builder_without_file(elect)
        .listen("127.0.0.1:0".parse().unwrap())
        .peers(others.map(|other| (name(other), "127.0.0.1:1".to_owned())))
        .tls(tls)
        .build()
        .unwrap();
    Links::Tls(Arc::new(TlsEnds::open(&config, PROTOCOL).unwrap()))
}

/// Node `c`, listening, and where.
fn listening(links: Links) -> (Peers, Receiver<Input>, String) {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (mut c, inputs) = peers("c", 7, &[("a", &address), ("b", &address)]);
    c.links = links;
    c.clone().start(listener).unwrap();
    (c, inputs, address)
}

#[tokio::test]
async fn messages_flow_both_ways_between_those_who_have_proved_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let (_c, at_c, address) = listening(links(directory.path(), "c"));
    let (mut a, at_a) = peers("a", 7, &[("c", &address)]);
    a.links = links(directory.path(), "a");
    a.start(StdListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let (Input::Up { outbox: to_c, .. }, Input::Up { outbox: to_a, peer, .. }) =
        (next(&at_a).await, next(&at_c).await)
    else {
        panic!("both sides learn of the connection first")
    };
    assert_eq!(peer, name("a"));
    // Longer than the records of TLS.
    let entry = crate::replication::Entry { epoch: Epoch::new(1), command: vec![7; 1 << 20].into() };
    let (stamp, after) = (Stamp::received(Epoch::new(1)), elect_core::Position::EMPTY);
    let long = Message::Pulled { stamp, after, entries: vec![entry] };
    let short = Message::Ack { stamp, matched: 1 };
    for message in [&long, &short] {
        to_c.try_send(message.clone()).unwrap();
        to_a.try_send(message.clone()).unwrap();
    }
    for inputs in [&at_a, &at_c] {
        for expected in [&long, &short] {
            let Input::Message { message, .. } = next(inputs).await else { panic!("messages come") };
            assert_eq!(message, *expected);
        }
    }
}

/// Each mistake, what the dialler says and what the other side notes.
#[tokio::test]
async fn nobody_is_let_in_without_a_certificate_of_the_name_that_he_gives() {
    let [own, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let own = |node| links(own.path(), node);
    let table = [
        (
            "without TLS",
            Links::Plain,
            own("c"),
            "it speaks TLS, and this node does not",
            "does not speak TLS",
        ),
        (
            "to one without",
            own("a"),
            Links::Plain,
            "refuses this node",
            "it speaks TLS, and this node does not",
        ),
        (
            "another's name",
            own("b"),
            own("c"),
            "refuses this node",
            "certificate is that of b, and it says that it is a",
        ),
        (
            "another authority",
            links(other.path(), "a"),
            own("c"),
            "another authority of the same name",
            "(DecryptError)",
        ),
        ("another node there", own("a"), own("b"), "certificate is that of b, and it says that it is c", ""),
    ];
    for (what, here, there, says_here, says_there) in table {
        let (c, at_c, address) = listening(there);
        let (mut a, _) = peers("a", 7, &[("c", &address)]);
        a.links = here;
        let refused = match a.dial(name("c"), &address).await {
            Err(refused) => refused.to_string(),
            Ok(_) => panic!("{what}: let in"),
        };
        assert!(refused.contains(says_here), "{what}: {refused}");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !c.problems.lines().concat().contains(says_there) {
            assert!(Instant::now() < deadline, "{what}: {:?}", c.problems.lines());
            tokio::task::yield_now().await;
        }
        assert!(at_c.try_iter().all(|input| !matches!(input, Input::Message { .. })), "{what}");
    }
}
