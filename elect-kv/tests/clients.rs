//! What clients see besides their data: broken requests, passwords, what they ask a server about itself.

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod cluster;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use cluster::{BOUND, Cluster};
use redis::Value;

/// A connection without a client library.
struct Raw(TcpStream);

impl Raw {
    fn connect(cluster: &Cluster, node: usize) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", cluster.client_port(node))).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// What comes back until so many lines are there.
    fn ask(&mut self, request: &str, lines: usize) -> String {
        self.0.write_all(request.as_bytes()).unwrap();
        let (mut answer, mut byte, mut ends) = (Vec::new(), [0], 0);
        while ends < lines {
            self.0.read_exact(&mut byte).unwrap();
            answer.extend(byte);
            ends += usize::from(byte == [b'\n']);
        }
        String::from_utf8(answer).unwrap()
    }

    /// What comes back until the server closes.
    fn rest(mut self) -> String {
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }
}

/// One voter: it elects itself.
fn one(lines: &str) -> Cluster {
    let mut cluster = Cluster::of(&["voter"]);
    cluster.configure(0, lines);
    cluster.start_all();
    cluster.wait_primary();
    cluster
}

#[test]
fn a_web_page_cannot_write() {
    let cluster = one("");
    for first in ["POST / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", "post x\n", "Host: a\r\n"] {
        let mut raw = Raw::connect(&cluster, 0);
        // The other side may have closed already.
        let _ = raw.0.write_all(format!("{first}\r\nSET page was-here\r\n").as_bytes());
        let mut answer = Vec::new();
        let _ = raw.0.read_to_end(&mut answer);
        assert!(!String::from_utf8_lossy(&answer).contains("+OK"), "{first}");
    }
    assert_eq!(cluster.ask::<Value>(0, &["GET", "page"]), Ok(Value::Nil));
}

#[test]
fn a_request_that_is_too_long_gets_its_error_before_the_end() {
    let cluster = one("");
    let mut raw = Raw::connect(&cluster, 0);
    let value = vec![b'x'; 30 << 20];
    raw.0.write_all(format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n${}\r\n", value.len()).as_bytes()).unwrap();
    raw.0.write_all(&value).unwrap();
    raw.0.write_all(b"\r\n").unwrap();
    raw.0.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = raw.rest();
    assert!(answer.starts_with("-ERR Protocol error: a request of more than 1048576 bytes"), "{answer}");
}

#[test]
fn lines_take_quotes() {
    let cluster = one("");
    let mut raw = Raw::connect(&cluster, 0);
    assert_eq!(raw.ask("SET \"a key\" 'a value'\r\n", 1), "+OK\r\n");
    assert_eq!(raw.ask("GET 'a key'\r\n", 2), "$7\r\na value\r\n");
    raw.0.write_all(b"SET \"a\r\n").unwrap();
    assert_eq!(raw.rest(), "-ERR Protocol error: unbalanced quotes in request\r\n");
}

#[test]
fn a_hello_that_is_refused_changes_nothing() {
    let cluster = one("password = \"secret\"\n");
    let mut raw = Raw::connect(&cluster, 0);
    for refused in ["HELLO 3\r\n", "HELLO 3 AUTH default wrong\r\n", "HELLO 3 AUTH default secret WHAT\r\n"] {
        assert!(raw.ask(refused, 1).starts_with('-'), "{refused}");
        assert!(raw.ask("GET a\r\n", 1).starts_with("-NOAUTH"), "after {refused}");
    }
    assert_eq!(raw.ask("AUTH secret\r\n", 1), "+OK\r\n");
    assert!(raw.ask("HELLO 4\r\n", 1).starts_with("-NOPROTO"));
    assert_eq!(raw.ask("GET a\r\n", 1), "$-1\r\n", "RESP2 still");
    assert!(raw.ask("HELLO 3 SETNAME me\r\n", 1).starts_with('%'));
}

#[test]
fn passwords_are_asked_for() {
    let cluster = one("password = \"secret\"\noperator_password = \"other\"\n");
    let mut raw = Raw::connect(&cluster, 0);
    for line in ["PING", "SET a 1", "GET a", "INFO", "ELECT STATUS", "CLUSTER SLOTS"] {
        assert_eq!(raw.ask(&format!("{line}\r\n"), 1), "-NOAUTH Authentication required.\r\n", "{line}");
    }
    assert!(raw.ask("AUTH wrong\r\n", 1).starts_with("-WRONGPASS"));
    assert_eq!(raw.ask("AUTH secret\r\n", 1), "+OK\r\n");
    assert_eq!(raw.ask("SET a 1\r\n", 1), "+OK\r\n");
    assert!(raw.ask("ELECT STATUS\r\n", 1).starts_with("-NOPERM"));
    assert!(raw.ask("FAILOVER\r\n", 1).starts_with("-NOPERM"));
    assert_eq!(raw.ask("AUTH operator other\r\n", 1), "+OK\r\n");
    assert!(raw.ask("ELECT STATUS\r\n", 1).starts_with('$'));
}

#[test]
fn what_every_client_asks_for() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let primary = cluster.wait_primary();
    let mut connection = cluster.connect(primary);
    let mut ask = |line: &str| {
        let mut words = line.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query::<Value>(&mut connection)
    };
    let bulk = |text: &str| Value::BulkString(text.into());
    let table = [
        ("MSET a 1 b 22 a 3", Value::Okay),
        ("MGET a b c", Value::Array(vec![bulk("3"), bulk("22"), Value::Nil])),
        ("STRLEN b", Value::Int(2)),
        ("STRLEN c", Value::Int(0)),
        ("TYPE a", Value::SimpleString("string".into())),
        ("TYPE c", Value::SimpleString("none".into())),
        ("TTL a", Value::Int(-1)),
        ("PTTL c", Value::Int(-2)),
        ("READONLY", Value::Okay),
        ("CONFIG GET append*only", Value::Array(vec![bulk("appendonly"), bulk("yes")])),
        ("CLUSTER KEYSLOT key", Value::Int(12_539)),
        ("COMMAND DOCS nothing", Value::Array(vec![])),
    ];
    for (line, expected) in table {
        assert_eq!(ask(line), Ok(expected), "{line}");
    }
    for (line, expected) in [
        ("MSET a", "wrong number of arguments"),
        ("EXPIRE a 5", "no expiry"),
        ("CONFIG SET save x", "CONFIG takes GET"),
        ("WAIT x 0", "not an integer"),
        ("CLUSTER FORGET x", "CLUSTER takes SLOTS"),
    ] {
        let error = ask(line).unwrap_err().to_string();
        assert!(error.contains(expected), "{line}: {error}");
    }
    let Ok(Value::Array(commands)) = ask("COMMAND") else { panic!() };
    let Ok(Value::Int(count)) = ask("COMMAND COUNT") else { panic!() };
    assert!(commands.len() == usize::try_from(count).unwrap() && count > 30);
    let Ok(Value::Array(found)) = ask("COMMAND INFO mset nothing") else { panic!() };
    assert!(matches!(&found[..], [Value::Array(_), Value::Nil]), "{found:?}");
    let Ok(Value::Array(docs)) = ask("COMMAND DOCS get") else { panic!() };
    assert_eq!(docs[0], bulk("get"));
}

#[test]
fn wait_counts_the_followers_that_hold_what_was_acknowledged() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let primary = cluster.wait_primary();
    let mut connection = cluster.connect(primary);
    for _ in 0..20 {
        redis::cmd("SET").arg("key").arg("value").exec(&mut connection).unwrap();
        let held = redis::cmd("WAIT").arg(1).arg(20_000).query::<i64>(&mut connection).unwrap();
        assert!(held >= 1, "a quorum held it when it was acknowledged");
    }
    let both = redis::cmd("WAIT").arg(2).arg(20_000).query::<i64>(&mut connection);
    assert_eq!(both, Ok(2));
    cluster.kill((primary + 1) % 3);
    cluster.ask::<()>(primary, &["SET", "key", "later"]).unwrap();
    let one = redis::cmd("WAIT").arg(2).arg(50).query::<i64>(&mut connection);
    assert_eq!(one, Ok(1), "the other one is gone, and the time is up");
    let refused = cluster.ask::<i64>((primary + 2) % 3, &["WAIT", "0", "0"]).unwrap_err();
    assert!(matches!(refused.code(), Some("MOVED" | "NOLEADER")), "{refused}");
}

#[test]
fn cluster_clients_are_shown_one_shard() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let primary = cluster.wait_primary();
    for node in 0..3 {
        if node != primary
            && !cluster.seen.iter().any(|(from, event)| *from == node && event["kind"] == "following")
        {
            cluster.wait_kind(node, "following");
        }
        let port = i64::from(cluster.client_port(primary));
        let slots: Vec<Vec<Value>> = cluster.ask(node, &["CLUSTER", "SLOTS"]).unwrap();
        assert_eq!(slots.len(), 1);
        assert_eq!(slots[0][..2], [Value::Int(0), Value::Int(16_383)]);
        let Value::Array(first) = &slots[0][2] else { panic!("{slots:?}") };
        assert_eq!(first[1], Value::Int(port), "the primary stands first");
        assert_eq!(slots[0].len(), 5, "and two replicas follow");
        let own: String = cluster.ask(node, &["CLUSTER", "MYID"]).unwrap();
        let nodes: String = cluster.ask(node, &["CLUSTER", "NODES"]).unwrap();
        assert!(nodes.lines().any(|line| line.starts_with(&own) && line.contains("myself,")), "{nodes}");
        assert!(nodes.contains(&format!("127.0.0.1:{port}@")) && nodes.contains("0-16383"), "{nodes}");
        let info: String = cluster.ask(node, &["CLUSTER", "INFO"]).unwrap();
        assert!(info.contains("cluster_state:ok"), "{info}");
        assert!(cluster.ask::<Value>(node, &["CLUSTER", "SHARDS"]).is_ok());
    }
    // Between two primaries clients are shown the one that was: an empty list breaks them.
    let [other, last] = [1, 2].map(|step| (primary + step) % 3);
    let port = Value::Int(cluster.client_port(primary).into());
    cluster.kill(primary);
    cluster.kill(other);
    if !cluster.seen.iter().any(|(from, event)| *from == last && event["kind"] == "leader_lost") {
        cluster.wait_kind(last, "leader_lost");
    }
    let slots: Vec<Vec<Value>> = cluster.ask(last, &["CLUSTER", "SLOTS"]).unwrap();
    let Value::Array(first) = &slots[0][2] else { panic!("{slots:?}") };
    assert_eq!(first[1], port);
    let info: String = cluster.ask(last, &["CLUSTER", "INFO"]).unwrap();
    assert!(info.contains("cluster_state:fail"), "{info}");
}

#[test]
fn a_broken_link_is_named_where_one_looks() {
    let mut cluster = Cluster::new();
    // Its peers disagree about who is in the cluster.
    let text = std::fs::read_to_string(cluster.config(2)).unwrap();
    std::fs::write(cluster.config(2), text.replacen("\"test\"", "\"other\"", 1)).unwrap();
    std::fs::remove_dir_all(cluster.data_dir(2)).unwrap();
    assert!(cluster::elect_kv(&["init"], &cluster.config(2)).status.success());
    cluster.start_all();
    let primary = cluster.wait_primary();
    let names_it = |node: usize, event: &serde_json::Value| {
        node != 2
            && event["kind"] == "link"
            && event.to_string().contains("to cluster test, the listener to other")
    };
    if !cluster.seen.iter().any(|(node, event)| names_it(*node, event)) {
        cluster.wait("the reason", names_it);
    }
    let deadline = std::time::Instant::now() + BOUND;
    for words in [&["ELECT", "EXPLAIN"][..], &["ELECT", "STATUS"], &["INFO", "replication"]] {
        while !cluster.ask::<String>(primary, words).unwrap().contains("other") {
            assert!(std::time::Instant::now() < deadline, "{words:?} names the other cluster");
        }
    }
}
