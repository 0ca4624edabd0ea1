//! A cluster of real processes: writes, redirects, a kill, a restart, a handover, a lost disk.

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod cluster;

use std::fs;
use std::time::{Duration, Instant};

use cluster::{Cluster, elect_kv};
use redis::ErrorKind;

fn others(node: usize) -> [usize; 2] {
    [(node + 1) % 3, (node + 2) % 3]
}

/// Scenario `wrong-port`: what a client is told to dial is the primary's client port, nothing else.
#[test]
fn wrong_port_followers_redirect_to_the_primarys_client_port() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let primary = cluster.wait_primary();
    cluster.ask::<()>(primary, &["SET", "key", "value"]).unwrap();
    assert_eq!(cluster.ask::<String>(primary, &["GET", "key"]).unwrap(), "value");
    for follower in others(primary) {
        if !cluster.seen.iter().any(|(node, event)| *node == follower && event["kind"] == "following") {
            cluster.wait_kind(follower, "following");
        }
        for words in [&["SET", "key", "other"][..], &["GET", "key"]] {
            let error = cluster.ask::<String>(follower, words).unwrap_err();
            // CRC16 of "key" modulo 16384 is 12539.
            let port = cluster.client_port(primary);
            assert_eq!(error.code(), Some("MOVED"), "{error}");
            assert_eq!(error.detail(), Some(format!("12539 127.0.0.1:{port}").as_str()));
            assert_eq!(
                error.redirect_node().map(|(address, slot)| (address.to_owned(), slot)),
                Some((format!("127.0.0.1:{port}"), 12539))
            );
        }
        let info: String = cluster.ask(follower, &["INFO", "replication"]).unwrap();
        assert!(info.contains("role:slave"), "{info}");
        assert!(
            info.contains(&format!("leader_address:127.0.0.1:{}", cluster.client_port(primary))),
            "{info}"
        );
    }
    let info: String = cluster.ask(primary, &["INFO"]).unwrap();
    assert!(info.contains("role:master") && info.contains("lease_remaining_ms:"), "{info}");
}

#[test]
fn a_client_finds_its_commands() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let primary = cluster.wait_primary();
    let mut connection = cluster.connect(primary);
    let mut ask = |line: &str| -> redis::RedisResult<redis::Value> {
        let mut words = line.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query(&mut connection)
    };
    let int = redis::Value::Int;
    let bulk = |text: &str| redis::Value::BulkString(text.into());
    assert_eq!(ask("SET n 41"), Ok(redis::Value::Okay));
    assert_eq!(ask("INCR n"), Ok(int(42)));
    assert_eq!(ask("DECRBY n 2"), Ok(int(40)));
    assert_eq!(ask("SET n 1 NX"), Ok(redis::Value::Nil));
    assert_eq!(ask("SET m word GET"), Ok(redis::Value::Nil));
    assert_eq!(ask("GET m"), Ok(bulk("word")));
    assert_eq!(ask("EXISTS n m nothing n"), Ok(int(3)));
    assert_eq!(ask("DBSIZE"), Ok(int(2)));
    assert_eq!(ask("KEYS m*"), Ok(redis::Value::Array(vec![bulk("m")])));
    assert_eq!(ask("DEL m nothing"), Ok(int(1)));
    assert_eq!(ask("GET m"), Ok(redis::Value::Nil));
    assert_eq!(ask("SCAN 0"), Ok(redis::Value::Array(vec![bulk("0"), redis::Value::Array(vec![bulk("n")])])));
    assert_eq!(ask("PING"), Ok(redis::Value::SimpleString("PONG".into())));
    assert_eq!(ask("SELECT 0"), Ok(redis::Value::Okay));
    for (line, expected) in [
        ("SET n 1 EX 5", "knows no expiry"),
        ("SELECT 1", "database 0 only"),
        ("INCRBY n word", "not an integer"),
        ("FLUSHALL", "unknown command"),
        ("GET", "wrong number of arguments"),
    ] {
        let error = ask(line).unwrap_err();
        assert!(error.to_string().contains(expected), "{line}: {error}");
    }
    let explanation: String = cluster.ask(primary, &["ELECT", "EXPLAIN"]).unwrap();
    assert!(explanation.contains(cluster.name(primary)), "{explanation}");
}

#[test]
fn a_pipeline_is_answered_in_order_and_reads_its_writes() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let primary = cluster.wait_primary();
    let mut pipeline = redis::pipe();
    for number in 1..=300 {
        pipeline.cmd("INCR").arg("n");
        if number % 50 == 0 {
            pipeline.cmd("GET").arg("n");
        }
    }
    let replies: Vec<i64> = pipeline.query(&mut cluster.connect(primary)).unwrap();
    let expected =
        (1..=300_i64).flat_map(|number| std::iter::repeat_n(number, if number % 50 == 0 { 2 } else { 1 }));
    assert_eq!(replies, expected.collect::<Vec<_>>());
}

#[test]
fn a_killed_primary_loses_no_acknowledged_write_and_catches_up() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let first = cluster.wait_primary();
    let mut connection = cluster.connect(first);
    for number in 1..=200_i64 {
        assert_eq!(redis::cmd("INCR").arg("counter").query(&mut connection), Ok(number));
    }
    cluster.kill(first);
    let second = cluster.wait_primary();
    assert_ne!(second, first);
    assert_eq!(cluster.ask::<i64>(second, &["GET", "counter"]).unwrap(), 200);
    for number in 201..=300_i64 {
        assert_eq!(cluster.ask::<i64>(second, &["INCR", "counter"]).unwrap(), number);
    }
    // The third node goes too: from here on nothing is acknowledged without the one that was killed.
    let third = 3 - first - second;
    cluster.start(first);
    cluster.wait_kind(first, "following");
    cluster.kill(third);
    for number in 301..=400_i64 {
        assert_eq!(cluster.ask::<i64>(second, &["INCR", "counter"]).unwrap(), number);
    }
    cluster.start(third);
    cluster.wait_kind(third, "following");
    cluster.kill(second);
    let last = cluster.wait_primary();
    assert_eq!(cluster.ask::<i64>(last, &["GET", "counter"]).unwrap(), 400);
}

#[test]
fn a_terminated_primary_hands_over_and_ends_well() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let first = cluster.wait_primary();
    for node in others(first) {
        if !cluster.seen.iter().any(|(from, event)| *from == node && event["kind"] == "following") {
            cluster.wait_kind(node, "following");
        }
    }
    cluster.ask::<()>(first, &["SET", "key", "value"]).unwrap();
    assert!(cluster.terminate(first).success());
    let second = cluster.wait_primary();
    assert_eq!(cluster.ask::<String>(second, &["GET", "key"]).unwrap(), "value");
    let first_said =
        |kind: &str| cluster.seen.iter().any(|(node, event)| *node == first && event["kind"] == kind);
    assert!(first_said("handover_began") && first_said("stepped_down"), "{:#?}", cluster.seen);
}

#[test]
fn a_handover_on_request_moves_the_primary() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let first = cluster.wait_primary();
    let target = others(first)[1];
    if !cluster.seen.iter().any(|(node, event)| *node == target && event["kind"] == "following") {
        cluster.wait_kind(target, "following");
    }
    // Until the target holds an entry of this epoch it is refused, with the figures.
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(refused) = cluster.ask::<()>(first, &["FAILOVER", "TO", cluster.name(target)]) {
        assert!(refused.to_string().contains("is behind") && Instant::now() < deadline, "{refused}");
    }
    assert_eq!(cluster.wait_primary(), target);
    cluster.ask::<()>(target, &["SET", "key", "value"]).unwrap();
    let refused = cluster.ask::<()>(first, &["ELECT", "HANDOVER"]).unwrap_err();
    assert!(refused.to_string().contains("does not lead"), "{refused}");
}

#[test]
fn without_a_quorum_a_client_is_told_why() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let primary = cluster.wait_primary();
    for node in others(primary) {
        cluster.kill(node);
    }
    // The write may or may not take effect, and that is what the client is told.
    let error = cluster.ask::<()>(primary, &["SET", "key", "value"]).unwrap_err();
    assert!(matches!(error.code(), Some("UNKNOWN" | "NOLEADER")), "{error}");
    if !cluster.seen.iter().any(|(node, event)| *node == primary && event["kind"] == "stepped_down") {
        cluster.wait_kind(primary, "stepped_down");
    }
    let error = cluster.ask::<()>(primary, &["GET", "key"]).unwrap_err();
    assert_eq!(error.code(), Some("NOLEADER"), "{error}");
    for name in others(primary).map(|node| cluster.name(node)) {
        assert!(error.detail().unwrap().contains(name), "{error} should name {name}");
    }
    assert_ne!(error.kind(), ErrorKind::Io);
}

#[test]
fn a_witness_votes_and_redirects() {
    let mut cluster = Cluster::of(&["voter", "voter", "witness"]);
    cluster.start_all();
    let primary = cluster.wait_primary();
    assert_ne!(primary, 2, "a witness never leads");
    cluster.ask::<()>(primary, &["SET", "key", "value"]).unwrap();
    if !cluster.seen.iter().any(|(node, event)| *node == 2 && event["kind"] == "following") {
        cluster.wait_kind(2, "following");
    }
    let error = cluster.ask::<()>(2, &["SET", "key", "other"]).unwrap_err();
    assert_eq!(error.code(), Some("MOVED"), "{error}");
}

#[test]
fn a_lost_disk_is_no_first_boot_and_earns_its_vote_back() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let primary = cluster.wait_primary();
    cluster.ask::<()>(primary, &["SET", "key", "value"]).unwrap();
    let [lost, other] = others(primary);
    cluster.kill(lost);
    fs::remove_dir_all(cluster.data_dir(lost)).unwrap();
    let refused = elect_kv(&["serve"], &cluster.config(lost));
    assert!(!refused.status.success(), "a start without a record is refused");
    let replaced = elect_kv(&["replace-lost"], &cluster.config(lost));
    assert!(replaced.status.success(), "{replaced:?}");
    let twice = elect_kv(&["init"], &cluster.config(lost));
    assert!(!twice.status.success(), "an existing vote file is refused");
    cluster.start(lost);
    cluster.wait_kind(lost, "rebuilt");
    // It counts again: without the other voter nothing else could confirm this write.
    cluster.kill(other);
    cluster.ask::<()>(primary, &["SET", "key", "later"]).unwrap();
    assert_eq!(cluster.ask::<String>(primary, &["GET", "key"]).unwrap(), "later");
}

#[test]
fn a_vote_file_that_was_moved_or_torn_is_told_and_can_be_adopted() {
    let mut cluster = Cluster::new();
    let vote_file = cluster.data_dir(0).join("vote");
    let (aside, mut content) = (vote_file.with_extension("aside"), fs::read(&vote_file).unwrap());
    content[40] ^= 1;
    fs::write(&aside, &content).unwrap();
    fs::rename(&aside, &vote_file).unwrap();
    let adopted = elect_kv(&["adopt"], &cluster.config(0));
    assert!(adopted.status.success(), "{adopted:?}");
    let text = String::from_utf8(adopted.stdout).unwrap();
    assert!(text.contains("a is at home in") && text.contains("1 of four copies"), "{text}");

    // Without that, and before a reboot was seen, it is a warning, and so is a copy that was torn.
    content = fs::read(&vote_file).unwrap();
    content[40] ^= 1;
    fs::write(&aside, &content).unwrap();
    fs::rename(&aside, &vote_file).unwrap();
    cluster.start(0);
    cluster.wait("torn copy", |_, event| {
        event["kind"] == "warning" && event.to_string().contains("of four copies")
    });
    cluster.start(1);
    cluster.start(2);
    cluster.wait_primary();
    if fs::metadata(&vote_file).unwrap().created().is_ok() && cfg!(target_os = "linux") {
        let moved =
            |(_, event): &(usize, serde_json::Value)| event.to_string().contains("`elect-kv replace-lost`");
        assert!(cluster.seen.iter().any(moved), "{:#?}", cluster.seen);
    }

    fs::remove_file(&vote_file).unwrap();
    cluster.kill(0);
    let refused = elect_kv(&["adopt"], &cluster.config(0));
    assert!(!refused.status.success(), "there is nothing to adopt");
}

#[test]
fn an_init_that_was_killed_is_only_begun_again() {
    let cluster = Cluster::new();
    for turn in 0..12_u32 {
        let dir = cluster.data_dir(0);
        fs::remove_dir_all(&dir).unwrap();
        let mut init = std::process::Command::new(env!("CARGO_BIN_EXE_elect-kv"))
            .args(["init", "--config"])
            .arg(cluster.config(0))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Killed at another point each time: by what it has made so far, then a little later.
        let steps = ["", "store.draft", "store", "vote"];
        let seen = dir.join(steps[turn as usize % steps.len()]);
        while !seen.exists() && init.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        (0..turn * 20_000).for_each(|_| std::hint::spin_loop());
        let _ = init.kill();
        init.wait().unwrap();
        let again = elect_kv(&["init"], &cluster.config(0));
        let text = String::from_utf8_lossy(&again.stderr).into_owned();
        assert!(again.status.success() || text.contains("elect-kv serve"), "turn {turn}: {text}");
        // Either way it is whole: what cannot be opened is not ready.
        assert!(elect_kv(&["adopt"], &cluster.config(0)).status.success());
        let twice = elect_kv(&["init"], &cluster.config(0));
        assert!(String::from_utf8_lossy(&twice.stderr).contains("elect-kv serve"), "{twice:?}");
    }
}
