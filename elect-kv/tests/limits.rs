//! What clients may take: descriptors, memory, time. Real processes.
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod cluster;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cluster::{BOUND, Cluster};

/// Three nodes, one line more in each file, and each process with this many descriptors.
fn cluster_with(line: &str, descriptors: Option<u32>) -> (Cluster, usize) {
    let mut cluster = Cluster::new();
    for node in 0..3 {
        cluster.configure(node, line);
        cluster.start_with(node, |command| {
            if let Some(descriptors) = descriptors {
                *command = Command::new("sh");
                let script = format!(
                    "ulimit -n {descriptors}; exec '{}' serve --log-level warn --events /dev/stdout --config \"$0\"",
                    env!("CARGO_BIN_EXE_elect-kv")
                );
                command.args(["-c", &script]);
            }
        });
    }
    let primary = cluster.wait_primary();
    (cluster, primary)
}

fn connect(cluster: &Cluster, node: usize) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", cluster.client_port(node))).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream
}

/// Everything that comes until the other side closes.
fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn ask(stream: &mut TcpStream, line: &str) -> String {
    stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    let mut answer = [0; 4096];
    let count = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

/// Resident memory of a process, in bytes.
fn memory_of(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn idle_connections_leave_descriptors_for_the_store_and_a_place_for_the_operator() {
    let (cluster, primary) = cluster_with("", Some(400));
    // 400 less what the store, the other nodes and the operator get.
    let mut before = connect(&cluster, primary);
    assert!(ask(&mut before, "INFO clients").contains("maxclients:136"));
    let mut idle: Vec<_> = (0..450).map(|_| connect(&cluster, primary)).collect();
    // Those who have a place are served, the others are told why not; none is left without an answer.
    let (mut served, mut refused) = (0, 0);
    for stream in &mut idle {
        stream.write_all(b"GET key\r\n").unwrap_or_default();
        let mut answer = [0; 64];
        match stream.read(&mut answer) {
            Ok(count) if answer[..count].starts_with(b"$-1") => served += 1,
            Ok(count) => {
                let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
                assert!(count == 0 || answer.starts_with("-ERR max number of clients reached"), "{answer}");
                refused += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert_eq!((served, refused), (135, 315));
    // The store can open whatever it needs: 67 MB go in, on a connection that was there.
    let value = "x".repeat(700_000);
    for number in 0..96 {
        let set = format!("*3\r\n$3\r\nSET\r\n$4\r\nk{number:03}\r\n$700000\r\n{value}");
        assert_eq!(ask(&mut before, &set), "+OK\r\n");
    }
    // Whoever operates it gets in, for that and nothing else.
    let mut operator = connect(&cluster, primary);
    assert!(ask(&mut operator, "ELECT STATUS").contains("\"node\""));
    assert!(ask(&mut operator, "GET key").starts_with("-ERR max number of clients reached"));
    assert_eq!(rest(operator), "");
    // And nobody keeps these places by saying nothing.
    let silent = connect(&cluster, primary);
    assert_eq!(rest(silent), "-ERR max number of clients reached\r\n");
}

#[test]
fn a_client_that_asks_nothing_is_closed_after_the_timeout() {
    let (cluster, primary) = cluster_with("timeout = 1", None);
    let idle = connect(&cluster, primary);
    let began = Instant::now();
    assert_eq!(rest(idle), "");
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[test]
fn replies_and_requests_take_bounded_memory_whatever_clients_do() {
    let (cluster, primary) = cluster_with("", None);
    let value = vec![b'x'; 900_000];
    let mut connection = cluster.connect(primary);
    for number in 0..40 {
        redis::cmd("SET").arg(format!("key{number}")).arg(&value).exec(&mut connection).unwrap();
    }
    let keys: Vec<_> = (0..400).map(|number| format!("key{}", number % 40)).collect();
    let before = memory_of(cluster.process(primary));
    // What is too much for one client is refused; the connection goes on.
    for _ in 0..3 {
        let Err(error) = redis::cmd("MGET").arg(&keys).query::<Vec<Vec<u8>>>(&mut connection) else {
            panic!("a reply of 360 MB")
        };
        assert!(error.to_string().contains("client-output-buffer-limit"), "{error}");
    }
    let some: Vec<Vec<u8>> = redis::cmd("MGET").arg(&keys[..20]).query(&mut connection).unwrap();
    assert!(some.len() == 20 && some.iter().all(|one| *one == value));
    // Clients that ask and take nothing: some replies wait, the others are refused, or their clients closed.
    let mget = redis::cmd("MGET").arg(&keys[..20]).get_packed_command();
    let mut takers: Vec<_> = (0..20).map(|_| connect(&cluster, primary)).collect();
    for taker in &mut takers {
        taker.write_all(&mget).unwrap();
    }
    // Requests that never become whole.
    let mut halves: Vec<_> = (0..200).map(|_| connect(&cluster, primary)).collect();
    for half in &mut halves {
        half.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        let _ = half.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$900000\r\n");
        let _ = half.write_all(&value[..800_000]);
    }
    // Others are served meanwhile.
    assert_eq!(ask(&mut connect(&cluster, primary), "SET small 1"), "+OK\r\n");
    let after = memory_of(cluster.process(primary));
    assert!(after < before + (200 << 20), "{before} {after}");
    // And long requests again once those that are not whole have had their time.
    drop(takers);
    redis::cmd("SET").arg("again").arg(&value).exec(&mut connection).unwrap();
}

#[test]
fn a_reader_of_the_events_that_stalls_does_not_stall_the_primary() {
    let mut cluster = Cluster::new();
    // A pipe that nobody reads, opened for both so that the open does not wait.
    let fifo = cluster.config(0).with_extension("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _reader = fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    for node in 1..3 {
        cluster.configure(node, "never_leader = true");
        cluster.start(node);
    }
    cluster.start_with(0, |command| {
        *command = Command::new(env!("CARGO_BIN_EXE_elect-kv"));
        command.args(["serve", "--log-level", "off", "--events"]).arg(&fifo).arg("--config");
    });
    cluster.wait("a leader", |_, event| event["kind"] == "following");
    let mut client = connect(&cluster, 0);
    let deadline = Instant::now() + BOUND;
    while ask(&mut client, "SET key value") != "+OK\r\n" {
        assert!(Instant::now() < deadline);
    }
    // More than the pipe and the lines that may wait take together.
    for _ in 0..1_000 {
        ask(&mut client, "ELECT PAUSE 60000");
        ask(&mut client, "ELECT RESUME");
    }
    assert_eq!(ask(&mut client, "SET key value"), "+OK\r\n");
    let info = ask(&mut client, "INFO server");
    let dropped = info.lines().find_map(|line| line.strip_prefix("events_dropped:")).unwrap();
    assert!(dropped.parse::<u64>().unwrap() > 0, "{info}");
    assert!(cluster.terminate(0).success());
}

#[test]
fn a_closed_standard_output_is_no_panic() {
    let cluster = Cluster::new();
    fs::remove_dir_all(cluster.data_dir(0)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_elect-kv"));
    let mut child = command
        .args(["init", "--config"])
        .arg(cluster.config(0))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn values_that_writes_return_take_bounded_memory() {
    let (cluster, primary) = cluster_with("", None);
    let value = vec![b'x'; 900_000];
    let mut connection = cluster.connect(primary);
    redis::cmd("SET").arg("big").arg(&value).exec(&mut connection).unwrap();
    let before: Vec<_> = (0..3).map(|node| memory_of(cluster.process(node))).collect();
    // Requests of a few bytes, each with a reply of 900 kB. Nobody takes any.
    let mut get = redis::cmd("SET");
    let requests = get.arg("big").arg("y").arg("NX").arg("GET").get_packed_command().repeat(300);
    let mut takers: Vec<_> = (0..4).map(|_| connect(&cluster, primary)).collect();
    for taker in &mut takers {
        taker.write_all(&requests).unwrap();
    }
    assert_eq!(ask(&mut connect(&cluster, primary), "SET small 1"), "+OK\r\n");
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        for (node, before) in before.iter().enumerate() {
            let now = memory_of(cluster.process(node));
            assert!(now < before + (200 << 20), "node {node}: {before} {now}");
        }
    }
    // Whoever takes them gets all of them, in order, and others get theirs.
    let mut taken = vec![0; 300 * 900_011];
    takers[0].read_exact(&mut taken).unwrap();
    assert!(
        taken.chunks(900_011).all(|reply| reply.starts_with(b"$900000\r\nx") && reply.ends_with(b"x\r\n"))
    );
    drop(takers);
    let old: Vec<u8> = get.query(&mut connection).unwrap();
    assert!(old == value);
}

#[test]
fn before_auth_nobody_takes_a_place_for_long_requests() {
    let (cluster, primary) = cluster_with("password = \"secret\"\n", None);
    // As many as there are places for long requests, and more: each sends the beginning of one.
    let strangers: Vec<_> = (0..30)
        .map(|_| {
            let mut stranger = connect(&cluster, primary);
            stranger.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000\r\n").unwrap();
            let _ = stranger.write_all(&vec![b'x'; 40_000]);
            stranger
        })
        .collect();
    for stranger in strangers {
        let text = rest(stranger);
        assert!(text.starts_with("-ERR Protocol error: before AUTH a request is short"), "{text}");
    }
    let mut client = connect(&cluster, primary);
    assert!(ask(&mut client, "AUTH secret").starts_with("+OK"));
    let value = "x".repeat(500_000);
    let answer = ask(&mut client, &format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000\r\n{value}"));
    assert!(answer.starts_with("+OK"), "{answer}");
}
