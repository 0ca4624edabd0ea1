//! Real processes on loopback, told by their events.

mod ports;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use redis::{Connection, RedisError};
use serde_json::Value;

pub(crate) use self::ports::free_port;

/// Longer than anything here takes on a busy machine.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

pub(crate) struct Cluster {
    dir: tempfile::TempDir,
    nodes: Vec<Node>,
    lines: Receiver<(usize, Value)>,
    sender: Sender<(usize, Value)>,
    /// Every event so far.
    pub(crate) seen: Vec<(usize, Value)>,
}

struct Node {
    name: &'static str,
    kind: &'static str,
    /// Election, replication, client.
    ports: [u16; 3],
    child: Option<Child>,
}

pub(crate) fn elect_kv(arguments: &[&str], config: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elect-kv"));
    command.args(arguments).arg("--config").arg(config).output().unwrap()
}

impl Cluster {
    /// Three initialised voters; none runs yet.
    pub(crate) fn new() -> Self {
        Self::of(&["voter", "voter", "voter"])
    }

    pub(crate) fn of(kinds: &[&'static str]) -> Self {
        // All are held until all are chosen, so that no port is given twice.
        let held: Vec<_> = (0..kinds.len() * 3).map(|_| free_port()).collect();
        let ports: Vec<_> = held.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        let node = |(index, kind): (usize, &&'static str)| Node {
            name: ["a", "b", "c", "d", "e"][index],
            kind,
            ports: ports[index * 3..][..3].try_into().unwrap(),
            child: None,
        };
        let (sender, lines) = channel();
        let nodes = kinds.iter().enumerate().map(node).collect();
        let cluster = Self { dir: tempfile::tempdir().unwrap(), nodes, lines, sender, seen: Vec::new() };
        drop(held);
        for index in 0..cluster.nodes.len() {
            fs::write(cluster.config(index), cluster.toml(index)).unwrap();
            let made = elect_kv(&["init"], &cluster.config(index));
            assert!(made.status.success(), "{made:?}");
        }
        cluster
    }

    fn toml(&self, own: usize) -> String {
        let Node { name, kind, ports: [election, replication, client], .. } = &self.nodes[own];
        let mut toml = format!(
            "cluster = \"test\"\nnode = \"{name}\"\nkind = \"{kind}\"\ndata_dir = \"{name}\"\n\
             listen_election = \"127.0.0.1:{election}\"\nlisten_replication = \"127.0.0.1:{replication}\"\n\
             listen_client = \"127.0.0.1:{client}\"\ndetection_ms = 1000\n"
        );
        for (index, node) in self.nodes.iter().enumerate().filter(|(index, _)| *index != own) {
            let Node { name, kind, ports: [election, replication, client], .. } = node;
            let log = if *kind == "witness" {
                String::new()
            } else {
                format!("replication = \"127.0.0.1:{replication}\"\n")
            };
            writeln!(
                toml,
                "[[peer]] # {index}\nnode = \"{name}\"\nkind = \"{kind}\"\nelection = \"127.0.0.1:{election}\"\n\
                 client = \"127.0.0.1:{client}\"\n{log}"
            )
            .unwrap();
        }
        toml
    }

    pub(crate) fn config(&self, node: usize) -> PathBuf {
        self.dir.path().join(format!("{}.toml", self.nodes[node].name))
    }

    pub(crate) fn data_dir(&self, node: usize) -> PathBuf {
        self.dir.path().join(self.nodes[node].name)
    }

    pub(crate) fn name(&self, node: usize) -> &'static str {
        self.nodes[node].name
    }

    /// The process of a node that runs.
    pub(crate) fn process(&self, node: usize) -> u32 {
        self.nodes[node].child.as_ref().unwrap().id()
    }

    /// Adds lines to the configuration of a node that does not run: keys before the first peer.
    pub(crate) fn configure(&self, node: usize, lines: &str) {
        let toml = fs::read_to_string(self.config(node)).unwrap();
        fs::write(self.config(node), format!("{lines}\n{toml}")).unwrap();
    }

    /// Where the elector of a node listens.
    pub(crate) fn election_port(&self, node: usize) -> u16 {
        self.nodes[node].ports[0]
    }

    /// Where the log of a node listens.
    pub(crate) fn replication_port(&self, node: usize) -> u16 {
        self.nodes[node].ports[1]
    }

    /// Makes `node` dial the log of `peer` at another port.
    pub(crate) fn redirect_replication(&self, node: usize, peer: usize, port: u16) {
        let toml = fs::read_to_string(self.config(node)).unwrap();
        let address = |port| format!("replication = \"127.0.0.1:{port}\"\n");
        let (old, new) = (address(self.replication_port(peer)), address(port));
        // The own `listen_replication` ends in the same words, but has another port.
        assert!(toml.contains(&old));
        fs::write(self.config(node), toml.replace(&old, &new)).unwrap();
    }

    pub(crate) fn client_port(&self, node: usize) -> u16 {
        self.nodes[node].ports[2]
    }

    pub(crate) fn start(&mut self, node: usize) {
        self.start_with(node, |_| {});
    }

    /// Starts a node whose process `prepare` changes before.
    pub(crate) fn start_with(&mut self, node: usize, prepare: impl FnOnce(&mut Command)) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elect-kv"));
        command.args(["serve", "--events", "/dev/stdout", "--config"]);
        prepare(&mut command);
        let mut child =
            command.arg(self.config(node)).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // What is no event is the banner.
                if let Ok(event) = serde_json::from_str(&line) {
                    let _ = sender.send((node, event));
                }
            }
        });
        self.nodes[node].child = Some(child);
    }

    pub(crate) fn start_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.start(node);
        }
    }

    /// Kills without warning.
    pub(crate) fn kill(&mut self, node: usize) {
        let mut child = self.nodes[node].child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks to end, and waits for the end.
    pub(crate) fn terminate(&mut self, node: usize) -> ExitStatus {
        let mut child = self.nodes[node].child.take().unwrap();
        let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        child.wait().unwrap()
    }

    /// Waits for an event that comes after everything seen so far.
    pub(crate) fn wait(
        &mut self,
        what: &str,
        mut is_it: impl FnMut(usize, &Value) -> bool,
    ) -> (usize, Value) {
        let deadline = Instant::now() + BOUND;
        loop {
            let (node, event) = self.next(deadline, what);
            if is_it(node, &event) {
                return (node, event);
            }
        }
    }

    fn next(&mut self, deadline: Instant, awaited: &str) -> (usize, Value) {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                self.seen.push(line.clone());
                line
            }
            Err(RecvTimeoutError::Timeout) => panic!("no {awaited} within {BOUND:?}: {:#?}", self.seen),
            Err(RecvTimeoutError::Disconnected) => unreachable!("the cluster holds a sender"),
        }
    }

    /// Waits until something holds: looks now, and again after each event. What a node tells of is so by then.
    pub(crate) fn until<T>(&mut self, what: &str, mut holds: impl FnMut(&Self) -> Result<T, String>) -> T {
        let deadline = Instant::now() + BOUND;
        loop {
            match holds(self) {
                Ok(found) => return found,
                Err(missing) => self.next(deadline, &format!("{what} ({missing})")),
            };
        }
    }

    pub(crate) fn wait_primary(&mut self) -> usize {
        self.wait("primary", |_, event| event["kind"] == "in_office").0
    }

    pub(crate) fn wait_kind(&mut self, node: usize, kind: &str) -> Value {
        self.wait(kind, |from, event| from == node && event["kind"] == kind).1
    }

    pub(crate) fn connect(&self, node: usize) -> Connection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.client_port(node))).unwrap();
        let connection = client.get_connection_with_timeout(BOUND).unwrap();
        connection.set_read_timeout(Some(BOUND)).unwrap();
        connection
    }

    /// One request to one node.
    pub(crate) fn ask<T: redis::FromRedisValue>(&self, node: usize, words: &[&str]) -> Result<T, RedisError> {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query(&mut self.connect(node))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Some(mut child) = node.child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
