//! The mistakes that are made with names, lists, addresses, versions and disks, and what each side says of them.
//!
//! A group of three runs the whole time, and none of them disturbs it.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::raw::{RawGreeting, dial, send};
use common::{Cluster, id, spin};
use elect_core::{Body, ClusterId, Config, Epoch, Frame, Header, Incarnation, NoLog, Nonce, PeerState};
use elect_tcp::{HostEvent, Node, NodeConfig, NodeNotice, VoteFile};

/// The group, and who makes mistakes beside it.
struct Scene {
    cluster: Cluster,
    /// For names of vote files.
    started: usize,
    /// The digest of the list of the node that made the last mistake.
    digest: String,
}

/// The configuration of a node beside the group. It is that of `c` unless something is wrong with it.
struct Wrong {
    name: &'static str,
    cluster: &'static str,
    group: u32,
    voters: Vec<&'static str>,
    witnesses: Vec<&'static str>,
    /// Where it looks for `a`.
    address: String,
    handshake_timeout: Duration,
}

impl Scene {
    fn address(&self, index: usize) -> SocketAddr {
        self.cluster.addresses[index]
    }

    fn wrong(&self) -> Wrong {
        Wrong {
            name: "c",
            cluster: "test",
            group: 0,
            voters: vec!["a", "b", "c"],
            witnesses: vec![],
            address: self.address(0).to_string(),
            handshake_timeout: Duration::from_secs(5),
        }
    }

    /// Starts the node, and gives what its link to `a` says of the stream that it dials.
    fn dialled_by(&mut self, wrong: &Wrong) -> String {
        let names = |names: &[&str]| names.iter().map(|name| id(name)).collect::<Vec<_>>();
        let elect = Config::builder(ClusterId::new(wrong.cluster).unwrap(), id(wrong.name))
            .voters(names(&wrong.voters))
            .witnesses(names(&wrong.witnesses))
            .group(wrong.group)
            .build()
            .unwrap();
        self.started += 1;
        self.digest = format!("{:?}", elect.digest());
        let vote_file = self.cluster.directory.path().join(format!("wrong-{}.vote", self.started));
        VoteFile::init(&vote_file, &elect).unwrap();
        let others = elect.members().iter().map(|member| member.id).filter(|name| *name != id(wrong.name));
        let addresses: Vec<_> = others
            .map(|name| {
                let index = self.cluster.names.iter().position(|other| *other == name);
                let known = index.map_or("127.0.0.1:1".into(), |index| self.address(index).to_string());
                (name, if name == id("a") { wrong.address.clone() } else { known })
            })
            .collect();
        let own = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = addresses.into_iter().map(|(name, address)| {
            let itself = address == "itself" && name == id("a");
            (name, if itself { own.local_addr().unwrap().to_string() } else { address })
        });
        let config = NodeConfig::builder(elect.clone(), &vote_file)
            .peers(addresses.collect::<Vec<_>>())
            .handshake_timeout(wrong.handshake_timeout)
            .listener(own.try_clone().unwrap())
            .build()
            .unwrap();
        let (handle, _events) = Node::start(config, Arc::new(NoLog)).unwrap();
        let mut said = None;
        spin("reason", || {
            let links = handle.links().unwrap();
            let link = links.into_iter().find(|link| link.peer == id("a")).unwrap();
            assert!(!link.outbound.is_up, "it was let in: {link:?}");
            said = link.outbound.reason.filter(|reason| reason != "it was not dialled yet");
            // So does the explanation; between the two the next attempt may have come to something else.
            said.as_ref().is_some_and(|said| handle.explain().unwrap().to_string().contains(said))
        });
        handle.shutdown().unwrap();
        said.unwrap()
    }

    fn life(&self, index: usize) -> Incarnation {
        self.cluster.handle(index).status().unwrap().incarnation
    }

    /// What `c` says to `a`.
    fn greeting(&self) -> RawGreeting {
        RawGreeting::of(&self.cluster.elect(2), "a", self.life(2))
    }

    /// Greets `a`, and gives the verdict.
    fn verdict(&self, greeting: &RawGreeting) -> String {
        format!("verdict {}", greeting.greet(self.address(0)).1)
    }

    /// Sends `a` something else, and waits for the end of the stream.
    fn ended(&self, bytes: &[u8]) -> String {
        read_to_end(dial(self.address(0), bytes))
    }

    /// Greets `a` well, sends that, and waits for the end of the stream.
    fn ended_after_greeting(&self, say: impl FnOnce(&mut TcpStream)) -> String {
        let (mut stream, verdict) = self.greeting().greet(self.address(0));
        assert_eq!(verdict, 1);
        say(&mut stream);
        read_to_end(stream)
    }

    fn frame(&self, incarnation: Incarnation) -> Frame {
        let header = Header {
            group: 0,
            members: self.cluster.elect(2).digest(),
            epoch: Epoch::new(1),
            state: PeerState::Free,
            nonce: Nonce { incarnation, sent: elect_tcp::now() },
            echo: None,
            genesis: None,
        };
        let rejected = Incarnation { counter: 77, random: 0 };
        Frame { header, birth: None, profile: None, body: Body::Reject { rejected, known: rejected } }
    }
}

fn read_to_end(mut stream: TcpStream) -> String {
    match stream.read_to_end(&mut Vec::new()) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            "nothing, and the stream stands".into()
        }
        // Unread bytes may turn the end into a reset.
        Ok(_) => "the end".into(),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => "the end".into(),
        Err(error) => error.to_string(),
    }
}

/// Somebody else's server, for as long as the test runs.
fn foreign(serve: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap())));
    address
}

/// Answers a greeting with these bytes, and waits for the end.
fn answers(bytes: &'static [u8]) -> String {
    foreign(move |mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// What is wrong, how it is done, what the dialler says, what the listener says. Empty: there is no such side. `DIGEST`
/// is that of the wrong node's list.
type Mistake = (&'static str, fn(&mut Scene) -> String, &'static str, &'static str);

const BY_NODES: &[Mistake] = &[
    (
        "another cluster",
        |scene| scene.dialled_by(&Wrong { cluster: "bank", ..scene.wrong() }),
        "the dialler belongs to cluster bank, the listener to test; correct the cluster name",
        "a dialler named c at 127.0.0.1:* was refused*: the dialler belongs to cluster bank, the listener to test",
    ),
    (
        "another group",
        |scene| scene.dialled_by(&Wrong { group: 7, ..scene.wrong() }),
        "the dialler is of group 7, the listener of group 0; give both the same group number",
        "the dialler is of group 7, the listener of group 0",
    ),
    (
        "a list that lacks a node",
        |scene| scene.dialled_by(&Wrong { voters: vec!["a", "c"], ..scene.wrong() }),
        "the member lists differ: the dialler's has the digest DIGEST, the listener's *; give every node the same list",
        "the member lists differ: the dialler's has the digest DIGEST, the listener's *",
    ),
    (
        "a list with a node too many",
        |scene| scene.dialled_by(&Wrong { voters: vec!["a", "b", "c", "d"], ..scene.wrong() }),
        "the member lists differ: the dialler's has the digest DIGEST",
        "the member lists differ: the dialler's has the digest DIGEST",
    ),
    (
        "a list with another kind",
        |scene| {
            let (voters, witnesses) = (vec!["a", "c"], vec!["b"]);
            scene.dialled_by(&Wrong { voters, witnesses, ..scene.wrong() })
        },
        "the member lists differ: the dialler's has the digest DIGEST",
        "the dialler's has the digest DIGEST, the listener's *; give every node the same list of names and kinds",
    ),
    (
        "a name that is not in the list",
        |scene| scene.dialled_by(&Wrong { name: "d", voters: vec!["a", "b", "d"], ..scene.wrong() }),
        "d is no member of the listener's list; add it to the list of every node, or correct its name",
        "a dialler named d at 127.0.0.1:* was refused*: d is no member of the listener's list",
    ),
    (
        "addresses that are swapped",
        |scene| {
            // It knows `a` where `b` listens: `b` says so as well.
            scene.dialled_by(&Wrong { address: scene.address(1).to_string(), ..scene.wrong() })
        },
        "the dialler wanted a, and b listens there; correct the dialler's address for that peer",
        "",
    ),
    (
        "an address that leads back",
        |scene| scene.dialled_by(&Wrong { address: "itself".into(), ..scene.wrong() }),
        "the dialler wanted a, and both are named c; correct the dialler's address",
        "",
    ),
    (
        "a second process with a disk of its own",
        |scene| scene.dialled_by(&scene.wrong()),
        "incarnation 1#* at 127.0.0.1:* is a twin of incarnation 1#* at 127.0.0.1:* under the same name; stop the \
         process that should not run",
        "a dialler named c at 127.0.0.1:* was refused*: incarnation 1#* at 127.0.0.1:* is a twin of incarnation 1#*",
    ),
    (
        "a port where nobody listens",
        |scene| scene.dialled_by(&Wrong { address: "127.0.0.1:1".into(), ..scene.wrong() }),
        "nobody listens there",
        "",
    ),
    (
        "a name that no name server knows",
        |scene| scene.dialled_by(&Wrong { address: "nowhere.invalid:1".into(), ..scene.wrong() }),
        "looking up nowhere.invalid:1",
        "",
    ),
    (
        "a web server at that address",
        |scene| {
            let address = answers(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
            scene.dialled_by(&Wrong { address, ..scene.wrong() })
        },
        "the other end does not speak this protocol: it speaks HTTP",
        "",
    ),
    (
        "a TLS server at that address",
        |scene| {
            let address = answers(b"\x15\x03\x01\x00\x02\x02\x46 and so on, and so on");
            scene.dialled_by(&Wrong { address, ..scene.wrong() })
        },
        "the other end does not speak this protocol: it speaks TLS",
        "",
    ),
    (
        "a server that hangs up",
        |scene| scene.dialled_by(&Wrong { address: foreign(drop), ..scene.wrong() }),
        "the handshake did not finish: ",
        "",
    ),
    (
        "a server that says nothing",
        |scene| {
            let address = foreign(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
            let handshake_timeout = Duration::from_millis(50);
            scene.dialled_by(&Wrong { address, handshake_timeout, ..scene.wrong() })
        },
        "the handshake did not finish: the other end was too slow",
        "",
    ),
    (
        "a later version that answers with a reason of its own",
        |scene| {
            let address = answers(b"elect-hs\xc8\x01\0\x07\0\0\0");
            scene.dialled_by(&Wrong { address, ..scene.wrong() })
        },
        "for reason 200, which a later version gives; look at the other node, which is newer",
        "",
    ),
    (
        "a node that has stopped",
        |scene| {
            let address = answers(b"elect-hs\x0c\x01\0\x01\0\x02\0\x01a");
            scene.dialled_by(&Wrong { address, ..scene.wrong() })
        },
        "a has stopped for good; look there for the reason, and start it again",
        "",
    ),
];

const BY_BYTES: &[Mistake] = &[
    (
        "a web browser",
        |scene| scene.ended(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        "the end",
        "a dialler without a name at 127.0.0.1:* was refused*: it does not speak this protocol: it speaks HTTP; find out",
    ),
    (
        "a TLS client",
        |scene| scene.ended(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on"),
        "the end",
        "it does not speak this protocol: it speaks TLS",
    ),
    (
        "bytes of no protocol",
        |scene| scene.ended(&[0; 64]),
        "the end",
        "it does not speak this protocol: wrong magic number",
    ),
    (
        "a health check",
        |scene| {
            drop(dial(scene.address(0), b""));
            "the end".into()
        },
        "the end",
        "the stream ended before the handshake was over; nothing, if it is a health check",
    ),
    (
        "a greeting without an end",
        |scene| {
            let mut bytes = scene.greeting().bytes();
            bytes[13..15].fill(0xff);
            scene.ended(&bytes)
        },
        "the end",
        "it does not speak this protocol: a greeting that is too long",
    ),
    (
        "a name that is none",
        |scene| {
            let node = "c c".into();
            scene.ended(&RawGreeting { node, ..scene.greeting() }.bytes())
        },
        "the end",
        "it does not speak this protocol: a malformed greeting",
    ),
    (
        "a welcome in place of a greeting",
        |scene| scene.ended(&RawGreeting { verdict: 1, ..scene.greeting() }.bytes()),
        "the end",
        "it does not speak this protocol: no greeting",
    ),
    (
        "a later version",
        |scene| scene.verdict(&RawGreeting { versions: (2, 5), ..scene.greeting() }),
        "verdict 2",
        "there is no common protocol version: the dialler speaks 2 to 5, the listener 1 to 1; upgrade the older",
    ),
    (
        "an earlier version",
        |scene| scene.verdict(&RawGreeting { versions: (0, 0), ..scene.greeting() }),
        "verdict 2",
        "there is no common protocol version: the dialler speaks 0 to 0, the listener 1 to 1",
    ),
    (
        "the listener's own name",
        |scene| scene.verdict(&RawGreeting { node: "a".into(), ..scene.greeting() }),
        "verdict 9",
        "the dialler wanted a, and both are named a",
    ),
    (
        "somebody else's address",
        |scene| scene.verdict(&RawGreeting { addressee: "b".into(), ..scene.greeting() }),
        "verdict 4",
        "the dialler wanted b, and a listens there",
    ),
    (
        "a backup of the disk",
        |scene| {
            let incarnation = Incarnation { counter: 0, random: 5 };
            scene.verdict(&RawGreeting { incarnation, ..scene.greeting() })
        },
        "verdict 10",
        "incarnation 0#00000005 at 127.0.0.1:* is older than incarnation 1#* at 127.0.0.1:* under the same name",
    ),
    (
        "a disk that was set back and started twice",
        |scene| {
            let life = scene.life(2);
            let incarnation = Incarnation { counter: life.counter + 1, random: 5 };
            // Told, on the same storage, below the epoch of the first election.
            let mut birth = vec![4];
            birth.extend(life.counter.to_le_bytes());
            birth.extend(0_u64.to_le_bytes());
            scene.verdict(&RawGreeting { incarnation, birth, ..scene.greeting() })
        },
        "verdict 11",
        "began below epoch 1*, which its storage held before; start it as a replacement",
    ),
    (
        "no frames after the greeting",
        |scene| scene.ended_after_greeting(|stream| stream.write_all(&[0xff; 64]).unwrap()),
        "the end",
        "a dialler named c at 127.0.0.1:* was refused*: its frames cannot be read: *; find out what dials under that name",
    ),
    (
        "frames of another life than the greeting",
        |scene| {
            let other = Incarnation { counter: 9, random: 9 };
            scene.ended_after_greeting(|stream| send(stream, &scene.frame(other)))
        },
        "the end",
        "its frames bear another incarnation than its greeting; find out what dials under that name",
    ),
];

/// Whether `text` contains the parts of `pattern` between its stars, in that order.
fn says(text: &str, pattern: &str) -> bool {
    let mut rest = text;
    pattern.split('*').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

#[test]
fn each_side_says_what_is_wrong_and_what_to_do() {
    assert!(BY_NODES.len() + BY_BYTES.len() >= 25);
    let mut cluster = Cluster::start(&["a", "b", "c"]);
    let (leader, epoch) = cluster.wait_for_leader(Epoch::ZERO);
    cluster.wait_for_followers(leader);
    let mut scene = Scene { cluster, started: 0, digest: String::new() };
    let mut wanted = Vec::new();
    for (mistake, make, dialler, listener) in BY_NODES.iter().chain(BY_BYTES) {
        // What an earlier mistake has left says nothing about this one.
        let before = scene.cluster.handle(0).refused_diallers().unwrap();
        let said = make(&mut scene);
        let (dialler, listener) =
            (dialler.replace("DIGEST", &scene.digest), listener.replace("DIGEST", &scene.digest));
        assert!(says(&said, &dialler), "{mistake}: the dialler says {said:?} in place of {dialler:?}");
        let told = || {
            let now = scene.cluster.handle(0).refused_diallers().unwrap();
            now.into_iter().filter(|refused| !before.contains(refused)).collect::<Vec<_>>()
        };
        spin(mistake, || listener.is_empty() || told().iter().any(|told| says(&told.to_string(), &listener)));
        wanted.push((mistake, listener));
    }
    // Its host has heard of each.
    let told: Vec<_> = scene.cluster.member(0).events.try_iter().collect();
    let told: Vec<_> = told.iter().filter_map(refused).collect();
    for (mistake, listener) in &wanted {
        assert!(told.iter().any(|told| says(told, listener)), "{mistake}: {told:#?}");
    }
    // … and `links` and `explain` show who claimed to be `c`.
    let handle = scene.cluster.handle(0);
    let links = handle.links().unwrap();
    let link = links.iter().find(|link| link.peer == id("c")).unwrap();
    assert!(link.refused.as_ref().is_some_and(|refused| refused.claimed == Some(id("c"))), "{link:?}");
    assert!(handle.explain().unwrap().to_string().contains("a dialler named c"));
    let status = serde_json::to_value(handle.status().unwrap()).unwrap();
    assert_eq!(status["node"], "a", "beside what the elector says");
    let link = status["links"].as_array().unwrap().iter().find(|link| link["peer"] == "c").unwrap();
    assert_eq!((&link["inbound"]["is_up"], &link["outbound"]["reason"]), (&true.into(), &().into()));
    assert!(link["inbound"]["since_ms"].is_number() && link["refused"]["count"].is_number(), "{link}");
    assert!(link["refused"]["failure"].is_string() && status["refused"].as_array().is_some(), "{link}");
    scene.cluster.catch_up();
    // It may have raised its own epoch for a voter that campaigned at the boot: that is no step-down.
    let lease = scene.cluster.handle(leader).lease();
    assert!(lease.is_some_and(|lease| lease.epoch >= epoch), "nobody was disturbed: {lease:?}");
}

fn refused(event: &HostEvent) -> Option<String> {
    match event {
        HostEvent::Happened(NodeNotice::DiallerRefused(refused)) => Some(refused.to_string()),
        HostEvent::Lost(loss) => panic!("{loss}"),
        _ => None,
    }
}
