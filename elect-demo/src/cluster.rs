//! The nodes of the demo: their ports, files and processes.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use elect_core::{ClusterId, NodeId};
use elect_tcp::DevCerts;

use super::clock::Clock;
use super::events;
use super::figures::Setting;
use super::ports;
use super::process::Process;
use super::recorder::{Recorder, Stop};
use super::trace::{EventKind, NodeEvent};
use elect_kv::config::Settings;

const NAMES: [&str; 3] = ["n1", "n2", "n3"];
/// How long `init` may take.
const INIT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a node may take to end after SIGTERM, before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// How many lines of a node's log an error shows.
const LOG_LINES: usize = 5;

/// Something outside the cluster kept it from being set up.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}\n  {fix}")]
pub(crate) struct SetupError {
    what: String,
    why: String,
    fix: &'static str,
}

impl SetupError {
    pub(crate) fn new(what: impl Into<String>, why: &dyn ToString, fix: &'static str) -> Self {
        Self { what: what.into(), why: why.to_string(), fix }
    }
}

/// Three nodes in one directory.
#[derive(Debug)]
pub(crate) struct Cluster {
    program: PathBuf,
    directory: PathBuf,
    nodes: Vec<Node>,
    recorder: Arc<Recorder>,
    clock: Clock,
    failover_at_most: Duration,
}

#[derive(Debug)]
struct Node {
    id: NodeId,
    client: SocketAddr,
    election: SocketAddr,
    replication: SocketAddr,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Process,
    /// Set before the demo ends it. A process that ends without is an error.
    end_is_wanted: Arc<AtomicBool>,
}

impl Cluster {
    /// Finds ports, writes configuration files and boots every node for the first time. None runs yet.
    pub(crate) fn prepare(
        directory: &Path,
        setting: &Setting,
        recorder: Arc<Recorder>,
    ) -> Result<Self, SetupError> {
        let program = std::env::current_exe().map_err(|error| {
            SetupError::new("the path of this program", &error, "start it by its full path")
        })?;
        let ports = ports::free_ports(3 * NAMES.len()).map_err(|error| {
            SetupError::new("ports on 127.0.0.1", &error, "end programs that listen there, and try again")
        })?;
        let nodes = NAMES.iter().zip(ports.chunks(3)).filter_map(|(name, ports)| {
            let (id, &[client, election, replication]) = (NodeId::new(name).ok()?, ports) else {
                return None;
            };
            Some(Node { id, client, election, replication, running: None })
        });
        let (directory, nodes, failover_at_most) = (directory.into(), nodes.collect(), Duration::ZERO);
        let clock = Clock::start();
        let mut cluster = Self { program, directory, nodes, recorder, clock, failover_at_most };
        if setting.tls {
            cluster.make_certificates()?;
        }
        for node in &cluster.nodes {
            cluster.write_config(node, setting)?;
            cluster.init(node)?;
        }
        cluster.failover_at_most = cluster.two_election_timeouts()?;
        Ok(cluster)
    }

    /// Starts the clock: nothing that comes before has a time.
    pub(crate) fn start_clock(&mut self) -> Clock {
        self.clock = Clock::start();
        self.clock
    }

    /// The longest that a failover may take: with a full mesh, two election timeouts.
    pub(crate) const fn failover_at_most(&self) -> Duration {
        self.failover_at_most
    }

    /// The nodes and where clients reach them.
    pub(crate) fn nodes(&self) -> Vec<(NodeId, SocketAddr)> {
        self.nodes.iter().map(|node| (node.id, node.client)).collect()
    }

    /// Where clients reach `node`.
    pub(crate) fn client_address(&self, node: NodeId) -> Option<SocketAddr> {
        self.nodes.iter().find(|known| known.id == node).map(|node| node.client)
    }

    /// Starts every node that does not run.
    pub(crate) fn start(&mut self) -> Result<(), SetupError> {
        for index in 0..self.nodes.len() {
            if self.nodes[index].running.is_none() {
                let running = self.serve(&self.nodes[index])?;
                self.nodes[index].running = Some(running);
            }
        }
        Ok(())
    }

    /// kill −9. Returns when it was sent.
    pub(crate) fn kill(&mut self, node: NodeId) -> Duration {
        let at = self.clock.now();
        if let Some(running) = self.take_running(node) {
            running.end_is_wanted.store(true, Ordering::SeqCst);
            running.process.kill();
        }
        at
    }

    /// Asks every node to end, waits for it, and kills those that do not.
    pub(crate) fn stop(&mut self) {
        let running: Vec<Running> = self.nodes.iter_mut().filter_map(|node| node.running.take()).collect();
        for running in &running {
            running.end_is_wanted.store(true, Ordering::SeqCst);
            running.process.terminate();
        }
        for running in running {
            running.process.wait(END_TIMEOUT);
        }
    }

    /// The ports of stopped nodes that something still listens on.
    pub(crate) fn ports_taken(&self) -> Vec<SocketAddr> {
        let all = self.nodes.iter().flat_map(|node| [node.client, node.election, node.replication]);
        ports::taken(all)
    }

    fn take_running(&mut self, node: NodeId) -> Option<Running> {
        self.nodes.iter_mut().find(|known| known.id == node)?.running.take()
    }

    fn make_certificates(&self) -> Result<(), SetupError> {
        let directory = self.directory.join("certs");
        let made = ClusterId::new("demo").map_err(io::Error::other).and_then(|cluster| {
            let authority = DevCerts::open(&directory, cluster)?;
            self.nodes.iter().try_for_each(|node| authority.issue(node.id).map(drop))
        });
        made.map_err(|error| unwritable(&directory, &error))
    }

    fn write_config(&self, node: &Node, setting: &Setting) -> Result<(), SetupError> {
        let mut text = format!(
            "cluster = \"demo\"\nnode = \"{0}\"\ndata_dir = \"{0}\"\nlisten_client = \"{1}\"\nlisten_election = \"{2}\"\n\
             listen_replication = \"{3}\"\ndetection_ms = {4}\nheartbeat_ms = {5}\ncrash_evidence = {6}\n",
            node.id,
            node.client,
            node.election,
            node.replication,
            setting.detection.as_millis(),
            setting.heartbeat.as_millis(),
            setting.crash_evidence,
        );
        if setting.tls {
            let _ = writeln!(
                text,
                "tls_cert = \"certs/{0}.pem\"\ntls_key = \"certs/{0}.key\"\ntls_ca = \"certs/ca.pem\"",
                node.id
            );
        }
        for peer in self.nodes.iter().filter(|peer| peer.id != node.id) {
            let _ = write!(
                text,
                "\n[[peer]]\nnode = \"{}\"\nclient = \"{}\"\nelection = \"{}\"\nreplication = \"{}\"\n",
                peer.id, peer.client, peer.election, peer.replication,
            );
        }
        let path = self.config(node.id);
        fs::write(&path, text).map_err(|error| unwritable(&path, &error))
    }

    fn two_election_timeouts(&self) -> Result<Duration, SetupError> {
        let path = self.config(self.nodes[0].id);
        let settings = Settings::read(&path).map_err(|error| {
            SetupError::new(path.display().to_string(), &error, "report this: the demo wrote that file")
        })?;
        Ok(settings.elect.election_timeout() * 2)
    }

    fn init(&self, node: &Node) -> Result<(), SetupError> {
        let mut command = self.command(node.id, "init")?;
        let failed = |why: &dyn ToString| {
            SetupError::new(
                format!("first boot of {}", node.id),
                why,
                "delete the directory, then try again; if it stays so, report it with this text",
            )
        };
        let process = Process::spawn(&mut command, |_| {}, || {}).map_err(|error| failed(&error))?;
        match process.wait(INIT_TIMEOUT) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(failed(&format!("{status}: {}", log_tail(&self.log(node.id))))),
            None => Err(failed(&format!("not done after {} s", INIT_TIMEOUT.as_secs()))),
        }
    }

    fn serve(&self, node: &Node) -> Result<Running, SetupError> {
        let id = node.id;
        let mut command = self.command(id, "serve")?;
        // Events come through a pipe: they are there at once, and waiting for them is no polling.
        command.args(["--events", "/dev/stdout", "--end-with"]).arg(std::process::id().to_string());
        let kept = self.directory.join(format!("{id}.events.jsonl"));
        let mut copy = append(&kept)?;
        let (recorder, clock) = (Arc::clone(&self.recorder), self.clock);
        let on_line = move |line: &str| {
            // The node greets on the same pipe before it serves.
            if !line.starts_with('{') {
                return;
            }
            let written = writeln!(copy, "{line}");
            match events::parse(id, line, clock) {
                Ok(event) => event.into_iter().for_each(|event| recorder.record_event(event)),
                Err(error) => recorder.stop(Stop::Failed(format!("an event of {id}: {error}: {line}"))),
            }
            if let Err(error) = written {
                recorder.stop(Stop::Failed(format!("{}: {error}", kept.display())));
            }
        };
        let end_is_wanted = Arc::new(AtomicBool::new(false));
        let (wanted, recorder, log) = (Arc::clone(&end_is_wanted), Arc::clone(&self.recorder), self.log(id));
        let on_end = move || {
            recorder.record_event(NodeEvent {
                at: clock.now(),
                node: id,
                kind: EventKind::Gone,
                text: format!("{id} is gone"),
            });
            if !wanted.load(Ordering::SeqCst) {
                recorder.stop(Stop::Failed(format!("{id} has ended by itself: {}", log_tail(&log))));
            }
        };
        self.recorder.record_event(NodeEvent {
            at: clock.now(),
            node: id,
            kind: EventKind::Started,
            text: format!("{id} starts"),
        });
        let process = Process::spawn(&mut command, on_line, on_end).map_err(|error| {
            SetupError::new(format!("start of {id}"), &error, "allow this user to start more processes")
        })?;
        Ok(Running { process, end_is_wanted })
    }

    fn command(&self, node: NodeId, subcommand: &str) -> Result<Command, SetupError> {
        let mut command = Command::new(&self.program);
        command.arg(subcommand).arg("--config").arg(self.config(node));
        command.stderr(Stdio::from(append(&self.log(node))?));
        Ok(command)
    }

    fn config(&self, node: NodeId) -> PathBuf {
        self.directory.join(format!("{node}.toml"))
    }

    fn log(&self, node: NodeId) -> PathBuf {
        self.directory.join(format!("{node}.log"))
    }

    /// Deletes what the nodes stored. Configurations, logs and events stay.
    pub(crate) fn delete_data(&self) -> io::Result<()> {
        self.nodes.iter().try_for_each(|node| fs::remove_dir_all(self.directory.join(node.id.as_str())))
    }
}

fn append(path: &Path) -> Result<File, SetupError> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> SetupError {
    SetupError::new(
        path.display().to_string(),
        error,
        "set TMPDIR to a directory with room that can be written to",
    )
}

/// The last lines of a log, for an error.
fn log_tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n  ");
    if tail.is_empty() {
        format!("{} is empty", path.display())
    } else {
        format!("{} ends with\n  {tail}", path.display())
    }
}
