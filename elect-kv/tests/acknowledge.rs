//! Who must hold a write before it is acknowledged.

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod cluster;

use std::process::Command;
use std::time::{Duration, Instant};

use cluster::Cluster;

fn cluster(acknowledge: &str) -> (Cluster, usize) {
    let mut cluster = Cluster::new();
    for node in 0..3 {
        cluster.configure(node, &format!("acknowledge = \"{acknowledge}\""));
    }
    cluster.start_all();
    let primary = cluster.wait_primary();
    // Until each follower has its stream.
    let deadline = Instant::now() + cluster::BOUND;
    while cluster.ask::<i64>(primary, &["WAIT", "2", "1000"]).unwrap() < 2 {
        assert!(Instant::now() < deadline);
        let _ = cluster.ask::<()>(primary, &["SET", "first", "value"]);
    }
    (cluster, primary)
}

fn signal(cluster: &Cluster, node: usize, name: &str) {
    let pid = cluster.process(node).to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

#[test]
fn all_waits_for_every_voter() {
    let (mut cluster, primary) = cluster("all");
    cluster.ask::<()>(primary, &["SET", "key", "1"]).unwrap();
    let info: String = cluster.ask(primary, &["INFO", "replication"]).unwrap();
    assert!(info.contains("acknowledge:all\r\nacknowledge_warning:"), "{info}");
    let away = (primary + 1) % 3;
    cluster.kill(away);
    // A quorum holds it, and applies it; one voter does not.
    let error = cluster.ask::<()>(primary, &["SET", "key", "2"]).unwrap_err();
    assert_eq!(error.code(), Some("UNKNOWN"), "{error}");
    let error = cluster.ask::<()>(primary, &["SET", "key", "3"]).unwrap_err();
    assert_eq!(error.code(), Some("NOREPLICAS"), "{error}");
    assert_eq!(cluster.ask::<String>(primary, &["GET", "key"]).unwrap(), "2", "reads go on");
    cluster.start(away);
    let bound = cluster::BOUND.as_millis().to_string();
    assert_eq!(cluster.ask::<i64>(primary, &["WAIT", "2", &bound]).unwrap(), 2, "it is back");
    cluster.ask::<()>(primary, &["SET", "key", "4"]).unwrap();
}

#[test]
fn one_waits_for_nobody_and_says_what_that_costs() {
    let (cluster, primary) = cluster("one");
    let info: String = cluster.ask(primary, &["INFO", "replication"]).unwrap();
    assert!(info.contains("acknowledge:one\r\nacknowledge_warning:") && info.contains("may lose"), "{info}");
    let mut connections = [cluster.connect(primary), cluster.connect(primary)];
    for follower in [(primary + 1) % 3, (primary + 2) % 3] {
        signal(&cluster, follower, "-STOP");
    }
    let began = Instant::now();
    redis::cmd("SET").arg("key").arg("lost?").exec(&mut connections[0]).unwrap();
    let took = began.elapsed();
    // What it answers is known only once it is applied.
    let error = redis::cmd("INCR").arg("number").query::<i64>(&mut connections[1]).unwrap_err();
    assert_eq!(error.code(), Some("UNKNOWN"), "{error}");
    for follower in [(primary + 1) % 3, (primary + 2) % 3] {
        signal(&cluster, follower, "-CONT");
    }
    assert!(took < Duration::from_millis(900), "{took:?}: the lease was still running");
}
