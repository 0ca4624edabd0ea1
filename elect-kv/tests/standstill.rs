//! A primary whose replication stands still while its election goes on: real processes, with proxies between their logs.

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod cluster;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cluster::{BOUND, Cluster};

/// Forwards to a port; while it is blocked every connection stands and nothing passes.
struct Proxy {
    port: u16,
    blocked: Arc<AtomicBool>,
}

impl Proxy {
    fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, blocked) = (listener.local_addr().unwrap().port(), Arc::<AtomicBool>::default());
        let proxy = Self { port, blocked: blocked.clone() };
        std::thread::spawn(move || {
            for dialled in listener.incoming().map_while(Result::ok) {
                let Ok(accepted) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                for (from, to) in [(&dialled, &accepted), (&accepted, &dialled)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let blocked = blocked.clone();
                    std::thread::spawn(move || forward(from, to, &blocked));
                }
            }
        });
        proxy
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, blocked: &AtomicBool) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        while blocked.load(Ordering::Relaxed) {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn a_primary_whose_replication_stands_gives_up_office_to_those_who_can_do_better() {
    let mut cluster = Cluster::new();
    // The smaller name dials.
    let pairs = [(0, 1), (0, 2), (1, 2)];
    let proxies = pairs.map(|(node, peer)| {
        let proxy = Proxy::start(cluster.replication_port(peer));
        cluster.redirect_replication(node, peer, proxy.port);
        proxy
    });
    cluster.start_all();
    let first = cluster.wait_primary();
    cluster.ask::<()>(first, &["SET", "before", "1"]).unwrap();
    for (proxy, _) in proxies.iter().zip(pairs).filter(|(_, (node, peer))| *node == first || *peer == first) {
        proxy.blocked.store(true, Ordering::Relaxed);
    }
    let error = cluster.ask::<()>(first, &["SET", "during", "1"]).unwrap_err();
    assert_eq!(error.code(), Some("UNKNOWN"), "{error}");
    let second = cluster.wait_primary();
    assert_ne!(second, first);
    cluster.ask::<()>(second, &["SET", "after", "1"]).unwrap();
    let told: Vec<_> = cluster.seen.iter().filter(|(_, event)| event["kind"] == "standstill").collect();
    assert_eq!(told.len(), 1, "one line: {told:#?}");
    assert!(
        told[0].0 == first && told[0].1["text"].as_str().unwrap().contains("has no replication stream"),
        "{told:#?}"
    );
    // Healed, everything is as before.
    for proxy in &proxies {
        proxy.blocked.store(false, Ordering::Relaxed);
    }
    let third = 3 - first - second;
    cluster.kill(third);
    let deadline = Instant::now() + BOUND;
    while let Err(error) = cluster.ask::<()>(second, &["SET", "healed", "1"]) {
        assert!(Instant::now() < deadline, "{error}");
    }
}

#[test]
fn two_voters_and_a_witness_say_that_they_need_both_voters_for_writes() {
    let mut cluster = Cluster::of(&["voter", "voter", "witness"]);
    cluster.start_all();
    let primary = cluster.wait_primary();
    cluster.ask::<()>(primary, &["SET", "before", "1"]).unwrap();
    let other = 1 - primary;
    cluster.kill(other);
    let error = cluster.ask::<()>(primary, &["SET", "during", "1"]).unwrap_err();
    assert_eq!(error.code(), Some("UNKNOWN"), "{error}");
    // Nobody could do better: it stays, serves reads, and refuses writes at once, which then never take effect.
    let error = cluster.ask::<()>(primary, &["SET", "refused", "1"]).unwrap_err();
    assert_eq!(error.code(), Some("NOREPLICAS"), "{error}");
    let name = cluster.name(other);
    assert!(error.detail().unwrap().contains(&format!("{name} has no replication stream")), "{error}");
    assert_eq!(cluster.ask::<String>(primary, &["GET", "before"]).unwrap(), "1");
    for words in [&["ELECT", "EXPLAIN"][..], &["INFO", "replication"]] {
        let text: String = cluster.ask(primary, words).unwrap();
        assert!(text.contains("no write was committed for"), "{text}");
    }
    cluster.start(other);
    let deadline = Instant::now() + BOUND;
    while let Err(error) = cluster.ask::<()>(primary, &["SET", "healed", "1"]) {
        assert!(Instant::now() < deadline, "{error}");
    }
    assert_eq!(cluster.ask::<Option<String>>(primary, &["GET", "refused"]).unwrap(), None);
    assert_eq!(cluster.ask::<String>(primary, &["GET", "during"]).unwrap(), "1", "it was in the log");
    assert!(!cluster.seen.iter().any(|(_, event)| event["kind"] == "stepped_down"), "{:#?}", cluster.seen);
}
