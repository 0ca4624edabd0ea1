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
#[expect(clippy::print_stdout, reason = "what was left out is said")]
fn redis_py_follows_a_failover() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let found = Command::new(&python).args(["-c", "import redis"]).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os(REQUIRED).is_none(), "{python} has no redis-py, and {REQUIRED} is set");
        return println!("left out: {python} has no redis-py");
    }
    let mut cluster = Cluster::new();
    cluster.start_all();
    let primary = cluster.wait_primary();
    let mut client = Command::new(&python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/follow.py"))
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

/// Its client without async asks a primary that was killed for ever, whatever the server; this one looks around.
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
