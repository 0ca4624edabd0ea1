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

#[test]
fn a_transaction_is_one_write() {
    let cluster = one("");
    let mut connection = cluster.connect(0);
    let (set, number, absent): (String, i64, i64) =
        redis::pipe().atomic().set("a", 1).incr("a", 4).set_nx("a", "never").query(&mut connection).unwrap();
    assert_eq!((set.as_str(), number, absent), ("OK", 5, 0));
    // One entry of the log for all of them.
    let offset = || {
        let info: String = cluster.ask(0, &["INFO", "replication"]).unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix("applied_offset:")).unwrap();
        line.parse::<u64>().unwrap()
    };
    let before = offset();
    redis::pipe().atomic().set("b", 1).del("a").set("c", 2).exec(&mut connection).unwrap();
    assert_eq!(offset(), before + 1);
    let mut raw = Raw::connect(&cluster, 0);
    // One that fails when it is executed keeps none of the others from its effect, as in redis.
    let failed = raw.ask("MULTI\r\nSET word x\r\nINCR word\r\nINCR n\r\nEXEC\r\n", 8);
    let expected = "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n:1\r\n";
    assert_eq!(failed, expected);
    assert_eq!(
        raw.ask("MULTI\r\nSET b 9\r\nDISCARD\r\nGET b\r\n", 5),
        "+OK\r\n+QUEUED\r\n+OK\r\n$1\r\n1\r\n"
    );
    assert_eq!(
        raw.ask("MULTI\r\nMULTI\r\nEXEC\r\n", 3),
        "+OK\r\n-ERR MULTI calls can not be nested\r\n*0\r\n"
    );
    assert_eq!(
        raw.ask("EXEC\r\nDISCARD\r\n", 2),
        "-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n"
    );
    for open in ["", "MULTI\r\n"] {
        let refused = raw.ask(&format!("{open}WATCH a\r\n"), 1 + usize::from(!open.is_empty()));
        assert!(refused.contains("-ERR this server knows no WATCH"), "{refused}");
    }
    assert_eq!(raw.ask("EXEC\r\n", 1), "*0\r\n", "as in redis, neither aborts");
    assert_eq!(
        raw.ask("UNWATCH\r\nMULTI x\r\n", 2),
        "+OK\r\n-ERR wrong number of arguments for 'multi' command\r\n"
    );
}

#[test]
fn what_cannot_be_queued_aborts_the_transaction() {
    let cluster = one("");
    let mut raw = Raw::connect(&cluster, 0);
    let long = format!("SET {} v", "k".repeat((32 << 10) + 1));
    let refused = [
        ("GET a", "-ERR GET inside MULTI"),
        ("SET a 1 GET", "-ERR SET with GET inside MULTI"),
        ("SET a", "-ERR wrong number of arguments for 'set'"),
        ("SET a 1 EX 5", "-ERR this server knows no expiry"),
        ("INCRBY a x", "-ERR value is not an integer"),
        ("NONSENSE a", "-ERR unknown command 'NONSENSE'"),
        (&long, "-ERR a key of 32769 bytes"),
    ];
    for (line, error) in refused {
        assert_eq!(raw.ask("MULTI\r\nSET b 1\r\n", 2), "+OK\r\n+QUEUED\r\n");
        let words: Vec<_> = line.split(' ').collect();
        let bulk = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
        let request = format!("*{}\r\n{}", words.len(), words.iter().map(bulk).collect::<String>());
        let answer = raw.ask(&request, 1);
        assert!(answer.starts_with(error), "{line}: {answer}");
        let aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
        assert_eq!(raw.ask("SET b 2\r\nEXEC\r\n", 2), format!("+QUEUED\r\n{aborted}"), "{line}");
    }
    assert_eq!(raw.ask("EXISTS a b\r\n", 1), ":0\r\n");
}

#[test]
fn transactions_have_a_limit_for_one_client_and_one_for_all() {
    let cluster = one("");
    let value = "x".repeat(500_000);
    let set = format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$500000\r\n{value}\r\n");
    let mut raw = Raw::connect(&cluster, 0);
    assert_eq!(raw.ask(&format!("MULTI\r\n{set}{set}"), 3), "+OK\r\n+QUEUED\r\n+QUEUED\r\n");
    assert_eq!(raw.ask(&set, 1), "-ERR a transaction of more than 1048576 bytes\r\n");
    assert!(raw.ask("EXEC\r\n", 1).starts_with("-EXECABORT"));
    let mut others = Vec::new();
    let refused = loop {
        let mut raw = Raw::connect(&cluster, 0);
        let answer = raw.ask(&format!("MULTI\r\n{set}{set}"), 3);
        others.push(raw);
        if !answer.ends_with("+QUEUED\r\n") {
            break answer;
        }
    };
    assert!(refused.contains("-OOM transactions that are not executed yet hold all of"), "{refused}");
    assert!((15..=18).contains(&others.len()), "{} of a megabyte each", others.len());
    // A single write needs no room among them, and what ends gives it back.
    assert_eq!(raw.ask("SET b 1\r\n", 1), "+OK\r\n");
    assert_eq!(others[0].ask("EXEC\r\n", 3), "*2\r\n+OK\r\n+OK\r\n");
    assert_eq!(raw.ask(&format!("MULTI\r\n{set}EXEC\r\n"), 4), "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
}

#[test]
fn a_follower_sends_a_transaction_to_the_primary() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let primary = cluster.wait_primary();
    let follower = (primary + 1) % 3;
    if !cluster.seen.iter().any(|(from, event)| *from == follower && event["kind"] == "following") {
        cluster.wait_kind(follower, "following");
    }
    let mut raw = Raw::connect(&cluster, follower);
    let answer = raw.ask("MULTI\r\nSET a 1\r\nEXEC\r\n", 3);
    let port = cluster.client_port(primary);
    let aborted = "-EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(answer, format!("+OK\r\n-MOVED 15495 127.0.0.1:{port}\r\n{aborted}\r\n"));
}
