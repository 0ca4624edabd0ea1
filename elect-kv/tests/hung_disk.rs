//! A primary whose disk hangs: real processes, whose reads, writes and syncs hang while a file exists.
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod cluster;
#[path = "hung_disk/library.rs"]
mod library;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cluster::{BOUND, Cluster};

/// Three nodes; while `flag(node)` exists, the disk of `node` hangs.
struct Hanging {
    cluster: Cluster,
    dir: tempfile::TempDir,
}

impl Hanging {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let library = library::build(dir.path()).unwrap();
        let mut hanging = Self { cluster: Cluster::new(), dir };
        for node in 0..3 {
            let (flag, below) = (hanging.flag(node), hanging.cluster.data_dir(node));
            hanging.cluster.start_with(node, |command| {
                command.env("LD_PRELOAD", &library).env("HANG_WHILE", flag).env("HANG_BELOW", below);
            });
        }
        hanging
    }

    fn flag(&self, node: usize) -> PathBuf {
        self.dir.path().join(format!("hang-{node}"))
    }

    fn hang(&self, node: usize) {
        fs::write(self.flag(node), "").unwrap();
    }

    fn heal(&self, node: usize) {
        fs::remove_file(self.flag(node)).unwrap();
    }
}

/// Resident memory of a process, in bytes.
fn memory_of(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn a_primary_whose_disk_hangs_demotes_answers_everybody_and_ends_when_asked() {
    let mut hanging = Hanging::start();
    let first = hanging.cluster.wait_primary();
    for node in [(first + 1) % 3, (first + 2) % 3] {
        if !hanging.cluster.seen.iter().any(|(from, event)| *from == node && event["kind"] == "following") {
            hanging.cluster.wait_kind(node, "following");
        }
    }
    hanging.cluster.ask::<()>(first, &["SET", "before", "1"]).unwrap();
    hanging.hang(first);
    // What is under way is answered, by the loss: nobody knows whether it will take effect.
    let began = Instant::now();
    let error = hanging.cluster.ask::<()>(first, &["SET", "during", "1"]).unwrap_err();
    assert_eq!(error.code(), Some("UNKNOWN"), "{error}");
    let second = hanging.cluster.wait_primary();
    assert_ne!(second, first);
    hanging.cluster.ask::<()>(second, &["SET", "after", "1"]).unwrap();

    // What comes later is refused at once, and reads are; nobody believes that it is a master.
    for words in [&["SET", "later", "1"][..], &["GET", "before"]] {
        let error = hanging.cluster.ask::<String>(first, words).unwrap_err();
        assert!(matches!(error.code(), Some("MOVED" | "NOLEADER")), "{error}");
    }
    let info: String = hanging.cluster.ask(first, &["INFO", "replication"]).unwrap();
    assert!(info.contains("role:slave"), "{info}");
    let explanation: String = hanging.cluster.ask(first, &["ELECT", "EXPLAIN"]).unwrap();
    assert!(explanation.contains("the storage has not answered"), "{explanation}");
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());

    // Asked to end, it ends, although its disk still hangs.
    let began = Instant::now();
    hanging.cluster.terminate(first);
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    hanging.cluster.ask::<()>(second, &["SET", "after", "2"]).unwrap();
}

#[test]
fn clients_that_write_to_a_hung_primary_and_go_do_not_fill_its_memory() {
    let mut hanging = Hanging::start();
    let first = hanging.cluster.wait_primary();
    hanging.cluster.ask::<()>(first, &["SET", "before", "1"]).unwrap();
    let before = memory_of(hanging.cluster.process(first));
    // In a pause nobody takes over: the primary leads on, although its disk hangs.
    hanging.cluster.ask::<()>(first, &["ELECT", "PAUSE", "60000"]).unwrap();
    hanging.hang(first);
    let value = vec![b'x'; 900_000];
    let mut clients = Vec::new();
    for _ in 0..300 {
        let mut connection = hanging.cluster.connect(first);
        connection.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let set = redis::cmd("SET").arg("key").arg(&value).get_packed_command();
        // It may be held back.
        let _ = connection.send_packed_command(&set);
        if clients.len() < 10 {
            clients.push(connection);
        }
    }
    let after = memory_of(hanging.cluster.process(first));
    assert!(after < before + (160 << 20), "{before} {after}");
    // Those who stay are told.
    for mut connection in clients {
        let error = connection.recv_response().and_then(redis::Value::extract_error).unwrap_err();
        assert!(matches!(error.code(), Some("UNKNOWN" | "NOREPLICAS" | "NOLEADER" | "MOVED")), "{error}");
    }
    hanging.heal(first);
    let deadline = Instant::now() + BOUND;
    while let Err(error) = hanging.cluster.ask::<()>(first, &["SET", "healed", "1"]) {
        assert!(Instant::now() < deadline, "{error}");
    }
}

#[test]
fn reads_that_hang_stop_nobody_else_and_end_office() {
    let mut hanging = Hanging::start();
    let first = hanging.cluster.wait_primary();
    // More than the engine keeps in memory: what was written first comes from the disk.
    let value = vec![b'x'; 900_000];
    let mut writer = hanging.cluster.connect(first);
    for key in 0..50 {
        redis::cmd("SET").arg(key).arg(&value).query::<()>(&mut writer).unwrap();
    }
    hanging.hang(first);
    let began = Instant::now();
    let mut readers: Vec<_> = (0..8)
        .map(|key| {
            let mut reader = hanging.cluster.connect(first);
            reader.send_packed_command(&redis::cmd("GET").arg(key).get_packed_command()).unwrap();
            reader
        })
        .collect();
    let pong: String = hanging.cluster.ask(first, &["PING"]).unwrap();
    assert_eq!(pong, "PONG");
    // Nobody writes, and still it is seen: another takes over, and those who wait are told.
    let second = hanging.cluster.wait_primary();
    assert_ne!(second, first);
    let mut closed = 0;
    for reader in &mut readers {
        let error = reader.recv_response().and_then(redis::Value::extract_error).unwrap_err();
        let is_told = matches!(error.code(), Some("MOVED" | "NOLEADER"));
        // Two were read for on the clients' own threads, which wait for the disk.
        closed += usize::from(error.is_connection_dropped());
        assert!(is_told || error.is_connection_dropped(), "{error}");
    }
    assert!(closed <= 2, "{closed}");
    let explanation: String = hanging.cluster.ask(first, &["ELECT", "EXPLAIN"]).unwrap();
    assert!(explanation.contains("the storage has not answered"), "{explanation}");
    let error = hanging.cluster.ask::<String>(first, &["GET", "9"]).unwrap_err();
    assert!(matches!(error.code(), Some("MOVED" | "NOLEADER")), "{error}");
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    let read: Vec<u8> = hanging.cluster.ask(second, &["GET", "9"]).unwrap();
    assert_eq!(read, value);
    hanging.heal(first);
}
