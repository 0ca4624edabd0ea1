//! Runs the demo as its user does: real processes, a kill, a restart, a handover.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_elect-demo");

fn demo(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env("TMPDIR", directory);
    command
}

fn output(mut command: Command) -> Output {
    command.output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The only directory that a demo made in `parent`.
fn run_directory(parent: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(parent).expect("a directory");
    let only = entries.next().expect("the demo made a directory").expect("an entry").path();
    assert!(entries.next().is_none(), "one directory is enough");
    only
}

#[test]
fn a_timeline_that_cannot_be_written_is_refused_before_the_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = output(demo(directory.path(), &["--timeline", "/no/such/directory/timeline.html"]));
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("/no/such/directory/timeline.html"), "{}", text(&output.stderr));
    let made = std::fs::read_dir(directory.path()).expect("a directory").count();
    assert_eq!((made, text(&output.stdout)), (0, String::new()), "nothing was begun");
}

#[test]
fn demo_holds_and_says_so_to_machines() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = output(demo(directory.path(), &["--json"]));
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");

    let summary: serde_json::Value = serde_json::from_str(&stdout).expect("one JSON object");
    assert_eq!(summary["held"], true, "{stdout}");
    let checks = summary["checks"].as_array().expect("a list");
    assert_eq!(checks.len(), 8, "{stdout}");
    assert!(checks.iter().all(|check| check["held"] == true));
    let (failover, handover) = (&summary["failover"], &summary["handover"]);
    assert_ne!(failover["from"], failover["to"]);
    assert_eq!(handover["to"], failover["from"], "the node that was killed gets its office back");
    assert_eq!(handover["from"], failover["to"]);
    assert!(failover["epoch"].as_u64() < handover["epoch"].as_u64());
    // Whoever is silent for less than the detection time is not replaced: the last heartbeat may be one
    // interval old when the primary dies.
    assert!(failover["no_writes_ms"].as_f64().expect("a number") > 400.0, "{stdout}");
    assert!(handover["no_writes_ms"].as_f64() < failover["no_writes_ms"].as_f64(), "{stdout}");
    assert!(summary["acknowledged"].as_u64() >= Some(1000), "{stdout}");

    let run = run_directory(directory.path());
    assert_eq!(summary["timeline"], run.join("timeline.html").display().to_string());
    let page = std::fs::read_to_string(run.join("timeline.html")).expect("the timeline");
    for expected in ["everything held", "kill \u{2212}9", "Handover:"] {
        assert!(page.contains(expected), "no {expected:?} in the timeline");
    }
    for node in ["n1", "n2", "n3"] {
        assert!(run.join(format!("{node}.events.jsonl")).exists());
        assert!(!run.join(node).exists(), "the data of {node} is deleted");
    }
}

#[test]
fn crash_evidence_needs_no_detection_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = output(demo(directory.path(), &["--json", "--crash-evidence"]));
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    let summary: serde_json::Value = serde_json::from_str(&stdout).expect("one JSON object");
    assert!(summary["failover"]["elected_ms"].as_f64().expect("a number") < 400.0, "{stdout}");
}

#[test]
fn links_of_the_election_are_tls_with_one_flag() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = output(demo(directory.path(), &["--json", "--crash-evidence", "--tls"]));
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    let summary: serde_json::Value = serde_json::from_str(&stdout).expect("one JSON object");
    assert_eq!((&summary["held"], &summary["tls"]), (&true.into(), &true.into()), "{stdout}");
    assert!(summary["failover"]["elected_ms"].as_f64().expect("a number") < 400.0, "{stdout}");
    let certificates = run_directory(directory.path()).join("certs");
    for file in ["ca.pem", "ca.key", "n1.pem", "n1.key", "n3.pem", "n3.key"] {
        assert!(certificates.join(file).exists(), "{file}");
    }
}

#[test]
fn directory_that_is_missing_is_a_setup_problem() {
    let output = output(demo(Path::new("/nonexistent"), &[]));
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for expected in ["/nonexistent/elect-demo-", "No such file", "TMPDIR"] {
        assert!(stderr.contains(expected), "{stderr} should say {expected}");
    }
}

/// A demo that stays up; it is killed if the test fails.
struct Kept {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    told: String,
}

impl Kept {
    fn start(directory: &Path, stderr: Stdio) -> Self {
        let mut command = demo(directory, &["--keep"]);
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, output, told: String::new() }
    }

    /// Reads on until a line contains `word`.
    fn read_until(&mut self, word: &str) {
        loop {
            let mut line = String::new();
            let length = self.output.read_line(&mut line).expect("text");
            assert!(length > 0, "the demo ended before it said {word:?}:\n{}", self.told);
            self.told += &line;
            if line.contains(word) {
                return;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("an id"), signal).expect("it runs");
    }

    /// Where the node serves clients, from the line that introduces it.
    fn address(&self, node: &str) -> SocketAddr {
        let start = format!("{node} serves clients at ");
        let line = self.told.lines().find_map(|line| line.trim().strip_prefix(&start));
        line.and_then(|address| address.parse().ok()).expect("an address")
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // SIGTERM, so that the demo takes its nodes with it.
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

fn ask(address: SocketAddr, command: &redis::Cmd) -> redis::RedisResult<String> {
    let client = redis::Client::open(format!("redis://{address}/"))?;
    command.query(&mut client.get_connection()?)
}

#[test]
fn kept_cluster_serves_redirects_and_ends_with_its_demo() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut kept = Kept::start(directory.path(), Stdio::inherit());
    kept.read_until("The cluster stays up");
    kept.read_until("the primary");
    let nodes = ["n1", "n2", "n3"].map(|node| (node, kept.address(node)));
    let primary = kept.told.lines().last().and_then(|line| line.split("# ").nth(1)).expect("a comment");
    let primary = primary.split(',').next().expect("a name").to_owned();
    let (_, leader) = nodes.into_iter().find(|(node, _)| *node == primary).expect("a node of the demo");

    let set = redis::cmd("SET").arg("greeting").arg("hello").clone();
    assert_eq!(ask(leader, &set).expect("the primary takes writes"), "OK");
    assert_eq!(ask(leader, redis::cmd("GET").arg("greeting")).expect("and reads"), "hello");
    for (node, follower) in nodes.into_iter().filter(|(node, _)| *node != primary) {
        let error = ask(follower, &set).expect_err("a follower takes no writes");
        assert!(error.to_string().contains(&leader.to_string()), "{node} names the primary: {error}");
    }

    kept.signal(Signal::INT);
    let status = kept.child.wait().expect("it ends");
    let mut rest = String::new();
    kept.output.read_to_string(&mut rest).expect("text");
    assert_eq!(status.code(), Some(0), "{}{rest}", kept.told);
    for (node, address) in nodes {
        assert!(TcpListener::bind(address).is_ok(), "{node} still listens at {address}");
    }
}

#[test]
fn interrupted_demo_leaves_no_process_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut kept = Kept::start(directory.path(), Stdio::inherit());
    kept.read_until("acknowledges the first write");
    let nodes = ["n1", "n2", "n3"].map(|node| kept.address(node));
    kept.signal(Signal::INT);
    let status = kept.child.wait().expect("it ends");
    assert_eq!(status.code(), Some(1), "an interrupted demo has shown nothing");
    for address in nodes {
        assert!(TcpListener::bind(address).is_ok(), "a node still listens at {address}");
    }
}

#[test]
fn node_that_dies_by_itself_ends_the_demo_with_its_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut kept = Kept::start(directory.path(), Stdio::piped());
    kept.read_until("The cluster stays up");
    kill(process_of(kept.address("n2")));
    let status = kept.child.wait().expect("it ends");
    let mut error = String::new();
    kept.child.stderr.take().expect("a pipe").read_to_string(&mut error).expect("text");
    assert_eq!(status.code(), Some(1), "{error}");
    assert!(error.contains("n2 has ended by itself"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn killed_demo_takes_its_nodes_with_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut kept = Kept::start(directory.path(), Stdio::inherit());
    kept.read_until("acknowledges the first write");
    let nodes = ["n1", "n2", "n3"].map(|node| kept.address(node));
    kept.signal(Signal::KILL);
    kept.child.wait().expect("it ends");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !nodes.iter().all(|address| TcpListener::bind(address).is_ok()) {
        assert!(Instant::now() < deadline, "a node still listens");
        std::thread::yield_now();
    }
}

/// The id of the process that serves clients at `address`.
fn process_of(address: SocketAddr) -> Pid {
    let info = ask(address, redis::cmd("INFO").arg("server")).expect("it answers");
    let id = info.lines().find_map(|line| line.strip_prefix("process_id:")).expect("a line");
    id.trim().parse().ok().and_then(Pid::from_raw).expect("an id")
}

fn kill(process: Pid) {
    kill_process(process, Signal::KILL).expect("it runs");
}
