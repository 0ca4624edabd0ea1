//! Three real nodes on loopback, and what is done to their processes and disks.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::library;
use super::network::{NODES, Network, Plane};
use super::ports::free_port;

/// A node's name.
pub(crate) const NAMES: [&str; NODES] = ["a", "b", "c"];
/// How long silence lasts before a primary counts as gone.
pub(crate) const DETECTION_MS: u64 = 500;

#[derive(Debug)]
pub(crate) struct Cluster {
    program: PathBuf,
    directory: PathBuf,
    /// Makes disks hang or be full.
    library: PathBuf,
    nodes: [Node; NODES],
    network: Arc<Network>,
}

#[derive(Debug, Default)]
struct Node {
    /// Election, replication, client.
    ports: [u16; 3],
    process: Option<Child>,
}

/// How the nodes say that they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// Somebody serves, everybody follows, and every link stands.
    pub(crate) is_well: bool,
    pub(crate) primary: Option<usize>,
}

impl Cluster {
    /// Three initialised voters below `directory`, none of which runs. `program` takes the arguments of elect-kv, `acknowledge` is
    /// that key of their files.
    pub(crate) fn prepare(program: &Path, directory: &Path, acknowledge: &str) -> io::Result<Self> {
        let directory = directory.canonicalize()?;
        let library = library::build(&directory)?;
        // Held until all are chosen, so that none is given twice.
        let held: Vec<_> = (0..3 * NODES).map(|_| free_port()).collect();
        let mut nodes: [Node; NODES] = Default::default();
        for (node, held) in nodes.iter_mut().zip(held.chunks(3)) {
            for (port, listener) in node.ports.iter_mut().zip(held) {
                *port = listener.local_addr()?.port();
            }
        }
        let network = Arc::<Network>::default();
        let cluster = Self { program: program.into(), directory, library, nodes, network };
        for node in 0..NODES {
            fs::write(cluster.config(node), cluster.toml(node, acknowledge)?)?;
        }
        drop(held);
        for node in 0..NODES {
            cluster.command(node, &["init"])?;
        }
        Ok(cluster)
    }

    /// What a node's file says: it reaches the others through proxies.
    fn toml(&self, own: usize, acknowledge: &str) -> io::Result<String> {
        let [election, replication, client] = self.nodes[own].ports;
        let name = NAMES[own];
        let mut toml = format!(
            "cluster = \"campaign\"\nnode = \"{name}\"\ndata_dir = \"{name}\"\n\
             listen_election = \"127.0.0.1:{election}\"\nlisten_replication = \"127.0.0.1:{replication}\"\n\
             listen_client = \"127.0.0.1:{client}\"\ndetection_ms = {DETECTION_MS}\nrepl_backlog_size = \"1mb\"\n\
             acknowledge = \"{acknowledge}\"\n"
        );
        for peer in (0..NODES).filter(|peer| *peer != own) {
            let [election, replication, client] = self.nodes[peer].ports;
            let [election, replication] = [(Plane::Election, election), (Plane::Replication, replication)]
                .map(|(plane, port)| {
                    let proxy = free_port();
                    let own_port = proxy.local_addr()?.port();
                    self.network.before(proxy, plane, (own, peer), port).map(|()| own_port)
                });
            write!(
                toml,
                "[[peer]]\nnode = \"{}\"\nelection = \"127.0.0.1:{}\"\nreplication = \"127.0.0.1:{}\"\n\
                 client = \"127.0.0.1:{client}\"\n",
                NAMES[peer], election?, replication?
            )
            .map_err(io::Error::other)?;
        }
        Ok(toml)
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Where clients reach each node.
    pub(crate) fn client_ports(&self) -> [u16; NODES] {
        [0, 1, 2].map(|node| self.nodes[node].ports[2])
    }

    pub(crate) fn start(&mut self, node: usize) -> io::Result<()> {
        if self.nodes[node].process.is_some() {
            return Ok(());
        }
        // What it tells lies beside its data, on another disk.
        let log = OpenOptions::new().create(true).append(true).open(self.file(node, "log"))?;
        let mut command = Command::new(&self.program);
        command.args(["serve", "--end-with", &std::process::id().to_string(), "--events"]);
        command.arg(self.file(node, "events")).arg("--config").arg(self.config(node));
        command.env("LD_PRELOAD", &self.library).env("HANG_BELOW", self.data_dir(node).join(""));
        command.env("HANG_WHILE", self.file(node, "hung")).env("FULL_WHILE", self.file(node, "full"));
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        self.nodes[node].process = Some(process);
        Ok(())
    }

    /// `kill -9`, and waits for the end.
    pub(crate) fn kill(&mut self, node: usize) -> io::Result<()> {
        let Some(mut process) = self.nodes[node].process.take() else { return Ok(()) };
        process.kill()?;
        process.wait().map(drop)
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn terminate(&mut self, node: usize) -> io::Result<()> {
        self.signal(node, Signal::TERM)?;
        let Some(mut process) = self.nodes[node].process.take() else { return Ok(()) };
        process.wait().map(drop)
    }

    /// Stops the process, or lets it go on.
    pub(crate) fn stop(&self, node: usize, is_stopped: bool) -> io::Result<()> {
        self.signal(node, if is_stopped { Signal::STOP } else { Signal::CONT })
    }

    fn signal(&self, node: usize, signal: Signal) -> io::Result<()> {
        let Some(process) = &self.nodes[node].process else { return Ok(()) };
        let id = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        // One that has ended is not waited for yet: its number is still its own.
        id.map_or(Ok(()), |id| kill_process(id, signal).map_err(Into::into))
    }

    /// The nodes that have ended by themselves.
    pub(crate) fn ended(&mut self) -> Vec<usize> {
        let mut ended = Vec::new();
        for (index, node) in self.nodes.iter_mut().enumerate() {
            if node.process.as_mut().is_some_and(|process| !matches!(process.try_wait(), Ok(None))) {
                node.process = None;
                ended.push(index);
            }
        }
        ended
    }

    /// Makes the disk hang, or lets it go on.
    pub(crate) fn hang(&self, node: usize, hangs: bool) -> io::Result<()> {
        mark(&self.file(node, "hung"), hangs)
    }

    /// Fills the disk, or makes room.
    pub(crate) fn fill(&self, node: usize, is_full: bool) -> io::Result<()> {
        mark(&self.file(node, "full"), is_full)
    }

    /// Copies the data of a node that does not run.
    pub(crate) fn back_up(&self, node: usize) -> io::Result<()> {
        let copy = self.file(node, "backup");
        if copy.exists() {
            fs::remove_dir_all(&copy)?;
        }
        copy_directory(&self.data_dir(node), &copy)
    }

    pub(crate) fn has_backup(&self, node: usize) -> bool {
        self.file(node, "backup").exists()
    }

    /// Sets the disk of a node that does not run back to its copy, and does what an operator does then.
    pub(crate) fn restore(&self, node: usize) -> io::Result<()> {
        fs::remove_dir_all(self.data_dir(node))?;
        copy_directory(&self.file(node, "backup"), &self.data_dir(node))?;
        self.command(node, &["replace-lost"]).map(drop)
    }

    /// Loses the disk of a node that does not run, and does what an operator does then.
    pub(crate) fn wipe(&self, node: usize) -> io::Result<()> {
        fs::remove_dir_all(self.data_dir(node))?;
        self.command(node, &["replace-lost"]).map(drop)
    }

    /// Asks the cluster for something. What it says when it refuses is the error.
    pub(crate) fn command(&self, node: usize, arguments: &[&str]) -> io::Result<Output> {
        let output = self.run(node, arguments)?;
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(io::Error::other(format!("elect-kv {}: {said}", arguments.join(" "))))
    }

    fn run(&self, node: usize, arguments: &[&str]) -> io::Result<Output> {
        Command::new(&self.program).args(arguments).arg("--config").arg(self.config(node)).output()
    }

    /// What an operator asks before the next step.
    pub(crate) fn health(&self) -> io::Result<Health> {
        let output = self.run(0, &["status", "--json"])?;
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let serves = |node: &&str| {
            let mut nodes = told["nodes"].as_array().into_iter().flatten();
            nodes.any(|told| told["node"] == **node && told["status"]["kv"]["serves"] == "primary")
        };
        Ok(Health { is_well: output.status.success(), primary: NAMES.iter().position(serves) })
    }

    /// The table of `status`.
    pub(crate) fn table(&self) -> String {
        let output = self.run(0, &["status"]);
        output.map_or_else(
            |error| error.to_string(),
            |output| String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    }

    /// What a node told of itself.
    pub(crate) fn events(&self, node: usize) -> io::Result<File> {
        File::open(self.file(node, "events"))
    }

    fn config(&self, node: usize) -> PathBuf {
        self.file(node, "toml")
    }

    fn data_dir(&self, node: usize) -> PathBuf {
        self.directory.join(NAMES[node])
    }

    fn file(&self, node: usize, extension: &str) -> PathBuf {
        self.directory.join(NAMES[node]).with_extension(extension)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in 0..NODES {
            // It may have ended by itself.
            let _ = self.kill(node);
        }
    }
}

fn mark(path: &Path, on: bool) -> io::Result<()> {
    if on {
        return fs::write(path, []);
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_directory(&path, &copy)?;
        } else {
            fs::copy(&path, &copy)?;
        }
    }
    Ok(())
}
