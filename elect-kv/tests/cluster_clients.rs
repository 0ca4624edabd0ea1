//! Cluster clients that others wrote follow a failover without a line of change.

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod cluster;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use cluster::{BOUND, Cluster};

/// Set where the test must not be left out: in CI.
const REQUIRED: &str = "ELECT_KV_REQUIRE_PYTHON";

fn ports(cluster: &Cluster) -> Vec<u16> {
    (0..3).map(|node| cluster.client_port(node)).collect()
}

/// `pip install redis==5.2.1`; `PYTHON` names the interpreter that has it.
#[test]
fn redis_py_follows_a_failover() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let is_there = succeeds(Command::new(&python).args(["-c", "import redis"]));
    if is_there_or_left_out("redis-py", is_there, REQUIRED) {
        follows_a_failover(Command::new(&python).arg(client("python/follow.py")));
    }
}

/// `npm install ioredis@6.0.0`; `NODE_PATH` names the `node_modules` that has it.
#[test]
fn ioredis_follows_a_failover() {
    let is_there = succeeds(Command::new("node").args(["-e", "require('ioredis')"]));
    if is_there_or_left_out("ioredis", is_there, "ELECT_KV_REQUIRE_NODE") {
        follows_a_failover(Command::new("node").arg(client("node/follow.js")));
    }
}

fn client(file: &str) -> String {
    format!("{}/tests/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Whether a client is there. Where it is not, that is said, and is an error where `required` is set.
#[expect(clippy::print_stdout, reason = "what was left out is said")]
fn is_there_or_left_out(name: &str, is_there: bool, required: &str) -> bool {
    if !is_there {
        assert!(std::env::var_os(required).is_none(), "there is no {name}, and {required} is set");
        println!("left out: there is no {name}");
    }
    is_there
}

/// A client in a process of its own says `ready`, hears that the primary is gone, and says `followed`.
fn follows_a_failover(client: &mut Command) {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let primary = cluster.wait_primary();
    let mut client = client
        .args(ports(&cluster).iter().map(ToString::to_string))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().transpose().unwrap().as_deref(), Some("ready"));
    cluster.kill(primary);
    client.stdin.take().unwrap().write_all(b"gone\n").unwrap();
    assert_eq!(lines.next().transpose().unwrap().as_deref(), Some("followed"));
    assert!(client.wait().unwrap().success());
}

/// This client looks around by itself, unlike the one without async.
#[tokio::test]
async fn the_redis_crate_follows_a_failover() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let primary = cluster.wait_primary();
    let nodes: Vec<_> = ports(&cluster).into_iter().map(|port| format!("redis://127.0.0.1:{port}")).collect();
    let client = redis::cluster::ClusterClient::new(nodes).unwrap();
    let deadline = Instant::now() + BOUND * 2;
    let again = |error: &dyn std::fmt::Display| assert!(Instant::now() < deadline, "{error}");
    let mut connection = loop {
        match client.get_async_connection().await {
            Ok(connection) => break connection,
            Err(error) => again(&error),
        }
    };
    let before = increments(&mut connection, again).await;
    cluster.kill(primary);
    let after = increments(&mut connection, again).await;
    let (number, taken): (i64, i64) = loop {
        let mut both = redis::pipe();
        match both
            .atomic()
            .set("{counter}.seen", after)
            .ignore()
            .incr("counter", 1)
            .del("{counter}.seen")
            .query_async(&mut connection)
            .await
        {
            Ok(both) => break both,
            Err(error) => again(&error),
        }
    };
    assert!(number > after && taken == 1, "a transaction goes to the primary of now");
    assert!(after >= before + 20, "nothing that was acknowledged is lost: {before}, then {after}");
}

/// Twenty, each until it is acknowledged: what became of the others is not known.
async fn increments(
    connection: &mut redis::cluster_async::ClusterConnection,
    again: impl Fn(&dyn std::fmt::Display),
) -> i64 {
    let mut last = 0;
    for _ in 0..20 {
        last = loop {
            match redis::cmd("INCR").arg("counter").query_async::<i64>(connection).await {
                Ok(number) => break number,
                Err(error) => again(&error),
            }
        };
    }
    last
}

/// A connection of the client without async asks a primary that was killed for ever, whatever the server: its map of slots is
/// made anew only when a node answers that it moved. A new connection finds the next primary.
#[test]
fn the_redis_crates_client_without_async_follows_with_a_new_connection() {
    let mut cluster = Cluster::new();
    cluster.start_all();
    let primary = cluster.wait_primary();
    let nodes: Vec<_> = ports(&cluster).into_iter().map(|port| format!("redis://127.0.0.1:{port}")).collect();
    let client = redis::cluster::ClusterClient::new(nodes).unwrap();
    let deadline = Instant::now() + BOUND * 2;
    let increments = || {
        let (mut connection, mut last, mut done) = (None, 0, 0);
        while done < 20 {
            let incremented = match &mut connection {
                Some(connection) => redis::cmd("INCR").arg("counter").query::<i64>(connection),
                place => client
                    .get_connection()
                    .and_then(|new| redis::cmd("INCR").arg("counter").query(place.insert(new))),
            };
            match incremented {
                Ok(number) => (last, done) = (number, done + 1),
                Err(error) => {
                    assert!(Instant::now() < deadline, "{error}");
                    connection = None;
                }
            }
        }
        last
    };
    let before = increments();
    cluster.kill(primary);
    let after = increments();
    assert!(after >= before + 20, "nothing that was acknowledged is lost: {before}, then {after}");
}
