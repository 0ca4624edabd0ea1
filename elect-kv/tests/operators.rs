//! What an operator has: commands for running nodes, the log, signals.

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod cluster;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use cluster::{Cluster, elect_kv};
use serde_json::Value;

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn row<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(name));
    line.unwrap_or_else(|| panic!("no row for {name}: {table}")).split_whitespace().collect()
}

/// Waits until `elect-kv status` has this exit code.
fn status(cluster: &mut Cluster, code: i32) -> String {
    cluster.until("exit code", |cluster| {
        let output = elect_kv(&["status"], &cluster.config(0));
        if output.status.code() == Some(code) { Ok(text(&output)) } else { Err(format!("{output:?}")) }
    })
}

#[test]
fn one_table_shows_all_nodes_and_what_is_wrong() {
    let mut cluster = Cluster::new();
    let none = status(&mut cluster, 4);
    assert!(none.contains("no node answers") && none.contains("Connection refused"), "{none}");
    cluster.start_all();
    let primary = cluster.wait_primary();
    cluster.ask::<()>(primary, &["SET", "key", "value"]).unwrap();
    let followers = [(primary + 1) % 3, (primary + 2) % 3];
    let bound = cluster::BOUND.as_millis().to_string();
    assert_eq!(cluster.ask::<i64>(primary, &["WAIT", "2", &bound]).unwrap(), 2);
    let table = status(&mut cluster, 0);
    let name = cluster.name(primary);
    let words = row(&table, name);
    assert_eq!(words[1..3], ["voter", "primary"], "{table}");
    assert!(words[4].parse::<u64>().is_ok_and(|ms| ms <= 1_000) && words[5] == "ms", "{table}");
    for follower in followers {
        let words = row(&table, cluster.name(follower));
        assert_eq!(words[1..7], ["voter", "replica", row(&table, name)[3], "–", "0", "2/2"], "{table}");
    }
    let gone = (primary + 1) % 3;
    // One that hangs costs its bound, and nobody else's answer.
    let stop = Command::new("kill").args(["-STOP", &cluster.process(gone).to_string()]).status().unwrap();
    assert!(stop.success());
    let began = Instant::now();
    let table = status(&mut cluster, 3);
    assert!(table.contains("no answer within 2 s") && began.elapsed() < cluster::BOUND, "{table}");
    cluster.kill(gone);
    let table = status(&mut cluster, 3);
    assert_eq!(row(&table, cluster.name(gone))[1..4], ["–", "no", "answer"], "{table}");
    assert!(table.contains(&format!("{name} says: {}: not sent to", cluster.name(gone))), "{table}");

    let json = elect_kv(&["status", "--json"], &cluster.config(primary));
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["nodes"].as_array().unwrap().len(), 3);
    let own = &json["nodes"][0]["status"];
    assert_eq!((&own["node"], &own["kv"]["serves"]), (&name.into(), &"primary".into()));
    let kinds: Vec<_> =
        own["kv"]["transitions"].as_array().unwrap().iter().map(|told| &told["kind"]).collect();
    assert_eq!(kinds.first(), Some(&&"started".into()), "{kinds:?}");
    assert!(kinds.contains(&&"in_office".into()), "{kinds:?}");
}

#[test]
fn office_is_handed_over_and_failover_paused_from_a_command_line() {
    let mut cluster = Cluster::new();
    for node in 0..3 {
        cluster.configure(node, "password = \"c\"\noperator_password = \"o\"");
    }
    cluster.start_all();
    let primary = cluster.wait_primary();
    status(&mut cluster, 0);
    let target = cluster.name((primary + 1) % 3);
    // From any node's file: the primary is found.
    let config = cluster.config((primary + 2) % 3);
    // Until the next heartbeat tells how far it is, the target counts as behind.
    let until = Instant::now() + cluster::BOUND;
    let done = loop {
        let done = elect_kv(&["handover", target], &config);
        if !text(&done).contains("is behind") || Instant::now() > until {
            break done;
        }
    };
    assert!(done.status.success(), "{done:?}");
    assert_eq!(
        text(&done),
        format!("{target} serves as the primary in place of {}\n", cluster.name(primary))
    );
    status(&mut cluster, 0);
    let refused = elect_kv(&["handover", target], &config);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains(&format!("{target} already leads")), "{refused:?}");

    assert!(elect_kv(&["pause", "10m"], &config).status.success());
    let explained = elect_kv(&["status", "--json"], &config);
    let pause = &serde_json::from_slice::<Value>(&explained.stdout).unwrap()["nodes"][0]["status"]["pause"];
    assert!(pause["remaining_ms"].as_f64().is_some_and(|ms| ms > 590_000.0), "{pause}");
    assert!(elect_kv(&["resume"], &config).status.success());
    for (arguments, code) in
        [(&["pause", "soon"][..], 2), (&["pause", "25h"], 1), (&["handover", "--force"], 2)]
    {
        assert_eq!(elect_kv(arguments, &config).status.code(), Some(code), "{arguments:?}");
    }
    // As SIGTERM does, which the tests of failovers send.
    let leads = (primary + 1) % 3;
    let interrupt =
        Command::new("kill").args(["-INT", &cluster.process(leads).to_string()]).status().unwrap();
    assert!(interrupt.success());
    cluster.wait_kind(leads, "handover_began");
    let (next, _) = cluster.wait("a primary", |_, event| event["kind"] == "in_office");
    assert_ne!(next, leads);
}

#[test]
fn a_configuration_is_checked_without_a_start() {
    let cluster = Cluster::new();
    let good = elect_kv(&["check-config"], &cluster.config(0));
    assert!(good.status.success() && text(&good).contains("node a of cluster test, 3 nodes"), "{good:?}");
    cluster.configure(1, "tls_cert = \"no.pem\"\ntls_key = \"no.key\"\ntls_ca = \"no.ca\"");
    let files = elect_kv(&["check-config"], &cluster.config(1));
    assert_eq!(files.status.code(), Some(1));
    assert!(
        text(&files).contains("tls_cert = no.pem: ") && text(&files).contains("No such file"),
        "{files:?}"
    );
    cluster.configure(2, "log_level = \"loud\"");
    let loud = elect_kv(&["check-config"], &cluster.config(2));
    assert!(text(&loud).contains("log_level = \"loud\": must be"), "{loud:?}");

    let example = Command::new(env!("CARGO_BIN_EXE_elect-kv")).arg("example-config").output().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let file = empty.path().join("example.toml");
    fs::write(&file, example.stdout).unwrap();
    let checked = elect_kv(&["check-config"], &file);
    assert!(checked.status.success(), "{checked:?}");
    assert!(text(&checked).contains("there is no vote file at"), "{checked:?}");
    assert!(!text(&good).contains("note:"), "{good:?}");
}

/// What comes into a file, and into the next one of that name. Ends with its value.
struct Tail {
    process: Child,
    lines: Receiver<String>,
}

impl Tail {
    fn of(path: &Path) -> Self {
        let mut process = Command::new("tail");
        let process = process.args(["-n", "+1", "-F"]).arg(path).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = process.spawn().unwrap();
        let (out, (told, lines)) = (BufReader::new(process.stdout.take().unwrap()), channel());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        Self { process, lines }
    }

    fn wait(&mut self, words: &str) -> String {
        let deadline = Instant::now() + cluster::BOUND;
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if line.contains(words) {
                return line;
            }
            seen.push(line);
        }
        panic!("no {words} in {seen:#?}");
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A node that nobody votes for says so, and why; its file of events is opened again; it ends when it is told to.
#[test]
fn the_log_says_why_there_is_no_primary_and_signals_are_heard() {
    let mut cluster = Cluster::new();
    cluster.configure(0, "log_format = \"json\"");
    let (log, events) = (cluster.config(0).with_extension("log"), cluster.config(0).with_extension("events"));
    let file = fs::File::create(&log).unwrap();
    let rotated = events.with_extension("1");
    let (mut told, mut logged) = (Tail::of(&events), Tail::of(&log));
    cluster.start_with(0, |command| {
        *command = Command::new(env!("CARGO_BIN_EXE_elect-kv"));
        command.args(["serve", "--events"]).arg(&events).arg("--config").stderr(Stdio::from(file));
    });
    told.wait("\"started\"");
    fs::rename(&events, &rotated).unwrap();
    let signal =
        |name: &str| Command::new("kill").arg(name).arg(cluster.process(0).to_string()).status().unwrap();
    assert!(signal("-HUP").success());
    told.wait("no primary for 10 s");
    assert!(!fs::read_to_string(&rotated).unwrap().contains("no primary"));
    let line: Value = serde_json::from_str(&logged.wait("\"no_primary\"")).unwrap();
    assert_eq!((&line["level"], &line["node"]), (&"WARN".into(), &"a".into()));
    let (message, timestamp) = (line["message"].as_str().unwrap(), line["timestamp"].as_str().unwrap());
    assert!(message.contains("only 1 of the 2 voting members it needs are connected"), "{message}");
    // 2026-11-30T20:14:21.123+01:00
    assert!(timestamp.len() == 29 && timestamp[23..].contains(':'), "{timestamp}");
    assert!(cluster.terminate(0).success());
    logged.wait("a ends in good order");
}

/// systemd's `Type=notify`: a node alone votes, though nobody leads.
#[test]
fn a_service_manager_hears_when_a_node_votes_and_when_it_ends() {
    let mut cluster = Cluster::new();
    let path = cluster.config(0).with_extension("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(cluster::BOUND)).unwrap();
    cluster.start_with(0, |command| {
        command.env("NOTIFY_SOCKET", &path);
    });
    let told = || {
        let mut text = [0; 256];
        let length = manager.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    assert_eq!(told(), "READY=1");
    assert!(cluster.ask::<String>(0, &["ELECT", "EXPLAIN"]).unwrap().contains("knows no leader"));
    assert!(cluster.terminate(0).success());
    assert!(told().starts_with("STOPPING=1"), "once, and then the end");
}
