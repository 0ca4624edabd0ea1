//! The example `replicated` as three real processes: its primary is killed under writes, and what was acknowledged is there.
#![allow(dead_code, reason = "the example's `main` is not called")]

#[path = "../examples/replicated.rs"]
mod replicated;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use tempfile::TempDir;

/// Longer than anything here takes on a machine that works.
const BOUND: Duration = Duration::from_secs(30);
const NAMES: [&str; 3] = ["a", "b", "c"];
/// What makes this test's process a node.
const VARIABLE: &str = "ELECT_REPLICATED";

/// The process of a node: this test, started again.
#[test]
fn a_node() {
    if let Ok(arguments) = env::var(VARIABLE) {
        let arguments: Vec<_> = arguments.split(' ').map(String::from).collect();
        replicated::start(&arguments).unwrap();
    }
}

struct Group {
    directory: TempDir,
    first_port: u16,
    nodes: [Option<Node>; 3],
    teller: Sender<(usize, String)>,
    told: Receiver<(usize, String)>,
    acknowledged: Vec<String>,
    unknown: BTreeSet<String>,
}

struct Node {
    child: Child,
    input: ChildStdin,
}

impl Group {
    fn start() -> Self {
        let (teller, told) = channel();
        let directory = tempfile::tempdir().unwrap();
        let first_port = free_ports();
        let (acknowledged, unknown) = (Vec::new(), BTreeSet::new());
        let nodes = Default::default();
        let mut group = Self { directory, first_port, nodes, teller, told, acknowledged, unknown };
        for node in 0..3 {
            assert!(group.command("init", node).status().unwrap().success());
            group.run(node);
        }
        group
    }

    fn command(&self, command: &str, node: usize) -> Command {
        let mut process = Command::new(env::current_exe().unwrap());
        process
            .args(["a_node", "--exact", "--nocapture"])
            .env(VARIABLE, format!("{command} {} {}", NAMES[node], self.first_port))
            .env("TMPDIR", self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        process
    }

    fn run(&mut self, node: usize) {
        let mut process = self.command("run", node);
        let mut child = process.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let teller = self.teller.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = teller.send((node, line));
            }
        });
        self.nodes[node] = Some(Node { child, input });
    }

    fn type_line(&mut self, node: usize, line: &str) {
        writeln!(self.nodes[node].as_mut().unwrap().input, "{line}").unwrap();
    }

    /// The next thing that is told and that `wanted` takes. Acknowledgements are noted on the way.
    fn hear<T>(&mut self, what: &str, wanted: impl Fn(usize, &str) -> Option<T>) -> T {
        let until = Instant::now() + BOUND;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (node, line) = self.told.recv_timeout(left).unwrap_or_else(|_| panic!("no {what}"));
            if let Some(line) = line.strip_prefix("acknowledged: ") {
                self.acknowledged.push(line.into());
            } else if let Some(line) = line.strip_prefix("unknown: ") {
                self.unknown.insert(line.into());
            }
            if let Some(found) = wanted(node, &line) {
                return found;
            }
        }
    }

    fn hear_primary(&mut self) -> usize {
        self.hear("primary", |node, line| line.starts_with("in office").then_some(node))
    }

    /// Types lines ahead of their acknowledgements, until so many are acknowledged.
    fn write(&mut self, primary: usize, round: usize, count: usize) {
        let before = self.acknowledged.len();
        for number in 0..count + 20 {
            self.type_line(primary, &format!("{round}.{number}"));
        }
        while self.acknowledged.len() < before + count {
            self.hear("acknowledgement", |_, line| line.starts_with("acknowledged").then_some(()));
        }
    }

    fn signal(&self, node: usize, signal: &str) {
        let process = self.nodes[node].as_ref().unwrap().child.id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    fn kill(&mut self, node: usize) {
        let mut killed = self.nodes[node].take().unwrap();
        killed.child.kill().unwrap();
        killed.child.wait().unwrap();
    }

    /// A node whose log went with its process.
    fn replace(&mut self, node: usize) {
        assert!(
            !self.command("run", node).stderr(Stdio::null()).status().unwrap().success(),
            "it has run before"
        );
        assert!(self.command("replace-lost", node).status().unwrap().success());
        self.run(node);
        self.hear("rebuilt node", |told, line| (told == node && line.contains("votes again")).then_some(()));
    }

    /// Everything acknowledged is there once, in order. All that is there.
    fn check(&mut self, primary: usize) -> Vec<String> {
        self.type_line(primary, "?");
        let held = self.hear("lines", |node, line| {
            let lines = line.strip_prefix("holds: ").filter(|_| node == primary)?;
            Some(lines.split(", ").map(String::from).collect::<Vec<_>>())
        });
        let once: BTreeSet<_> = held.iter().collect();
        assert_eq!(once.len(), held.len(), "a line is there twice");
        let acknowledged: BTreeSet<_> = self.acknowledged.iter().collect();
        let found: Vec<_> = held.iter().filter(|line| acknowledged.contains(line)).collect();
        assert_eq!(found, self.acknowledged.iter().collect::<Vec<_>>());
        held
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for node in self.nodes.iter_mut().flatten() {
            let _ = node.child.kill();
            let _ = node.child.wait();
        }
    }
}

/// The first of the ports that the nodes will take: below those that the system gives to whoever dials.
fn free_ports() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    loop {
        let block = u16::try_from(std::process::id() % 1000).unwrap() + TAKEN.fetch_add(1, Ordering::SeqCst);
        let first = 10_240 + block % 1000 * 20;
        if [0, 1, 2, 10, 11, 12].iter().all(|above| is_free(first + above)) {
            return first;
        }
    }
}

#[test]
fn what_was_acknowledged_outlives_every_primary() {
    let mut group = Group::start();
    let mut primary = group.hear_primary();
    for round in 0..3 {
        group.write(primary, round, 30 + 20 * round);
        let killed = primary;
        group.kill(killed);
        primary = group.hear_primary();
        assert_ne!(primary, killed);
        group.check(primary);
        group.replace(killed);
    }
    group.check(primary);
    assert!(group.acknowledged.len() >= 150, "{}", group.acknowledged.len());
}

#[test]
fn what_nobody_acknowledged_is_cut_where_a_later_primary_has_something_else() {
    let mut group = Group::start();
    let primary = group.hear_primary();
    group.write(primary, 0, 10);
    let [other, last] = [1, 2].map(|step| (primary + step) % 3);
    for follower in [other, last] {
        group.signal(follower, "-STOP");
    }
    // Far more than the messages hold that are under way to followers that have not stopped yet, or find them later.
    for number in 0..2000 {
        group.type_line(primary, &format!("alone.{number}"));
    }
    for _ in 0..2000 {
        group.hear("end of the lease", |node, line| {
            let is_answer = line.contains("alone") || line.starts_with("refused");
            (node == primary && is_answer).then_some(())
        });
    }
    group.signal(primary, "-STOP");
    for follower in [other, last] {
        group.signal(follower, "-CONT");
    }
    let next = group.hear_primary();
    assert_ne!(next, primary);
    group.write(next, 1, 10);
    group.signal(primary, "-CONT");
    // Without the third one, what is acknowledged is acknowledged by the one that was stopped.
    let third = other + last - next;
    group.signal(third, "-STOP");
    group.write(next, 2, 10);
    group.kill(next);
    group.signal(third, "-CONT");
    // It leads, or the third one that catches up with it.
    let primary = group.hear_primary();
    let held = group.check(primary);
    let kept: Vec<_> = held.iter().filter(|line| line.starts_with("alone")).collect();
    assert!(kept.len() <= 1024, "{} were sent", kept.len());
    assert!(kept.iter().enumerate().all(|(number, line)| **line == format!("alone.{number}")), "{kept:?}");
}

#[test]
fn a_primary_that_ends_in_order_answers_what_was_typed_and_hands_over() {
    let mut group = Group::start();
    let primary = group.hear_primary();
    group.write(primary, 0, 10);
    let Node { mut child, input } = group.nodes[primary].take().unwrap();
    drop(input);
    let next = group.hear_primary();
    assert!(child.wait().unwrap().success());
    group.check(next);
    assert_eq!((group.acknowledged.len(), group.unknown.len()), (30, 0), "each line was answered");
    group.type_line(next, "one more");
    group.hear("acknowledgement", |_, line| (line == "acknowledged: one more").then_some(()));
    let refused = 3 - primary - next;
    group.type_line(refused, "one for a follower");
    let named = format!("refused: {} leads", NAMES[next]);
    group.hear("refusal", |node, line| (node == refused && line.contains(&named)).then_some(()));
}

#[test]
fn what_the_walk_quotes_is_in_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let files = ["replicated.rs", "replicated/log.rs", "replicated/streams.rs"];
    let example = files.map(|file| read(&format!("examples/{file}")));
    let walk = read("../docs/EMBEDDING.md");
    let quoted: Vec<_> =
        walk.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(quoted.len() >= 10, "{} quotes", quoted.len());
    for lines in quoted {
        assert!(example.iter().any(|file| file.contains(lines)), "not in the example:\n{lines}");
    }
    assert!(example[0].lines().count() <= 300, "it is to be read in one go");
}
