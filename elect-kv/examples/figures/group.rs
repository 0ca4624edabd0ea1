//! Nodes of elect-kv on this machine, each a process.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::Outcome;
use super::client::{self, BOUND};
use super::process::Process;
use super::setting::Setting;

const NAMES: [&str; 3] = ["a", "b", "c"];
/// Where a part says nothing of it: long, so that no busy machine brings a failover into what is measured.
const CALM: &str = "detection_ms = 2000\n";
/// How often it is asked again whether something has come about.
const AGAIN: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Group {
    binary: PathBuf,
    dir: PathBuf,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    name: &'static str,
    /// Election, replication, client.
    ports: [u16; 3],
    process: Option<Process>,
}

impl Group {
    /// So many voters that have been made and do not run; `keys` stands in the configuration file of each.
    pub(crate) fn prepare(setting: &Setting, name: &str, voters: usize, keys: &str) -> Outcome<Self> {
        let ports = super::ports::free(voters * 3)?;
        let (triples, _) = ports.as_chunks::<3>();
        let node = |(name, ports): (&&'static str, &[u16; 3])| Node { name, ports: *ports, process: None };
        let nodes: Vec<_> = NAMES.iter().zip(triples).map(node).collect();
        let dir = setting.dir.join(name);
        fs::create_dir(&dir)?;
        let group = Self { binary: setting.binary.clone(), dir, nodes };
        for node in 0..voters {
            fs::write(group.config(node), group.text(node, keys)?)?;
            let made = group.command("init", node).output()?;
            if !made.status.success() {
                return Err(String::from_utf8_lossy(&made.stderr).into());
            }
        }
        Ok(group)
    }

    /// The same, started, and led by somebody: the group and its primary.
    pub(crate) fn start(setting: &Setting, name: &str, voters: usize, keys: &str) -> Outcome<(Self, usize)> {
        let mut group = Self::prepare(setting, name, voters, keys)?;
        (0..voters).try_for_each(|node| group.start_node(node))?;
        let primary = group.wait_level()?;
        Ok((group, primary))
    }

    fn text(&self, own: usize, keys: &str) -> Outcome<String> {
        let Node { name, ports: [election, replication, client], .. } = &self.nodes[own];
        let calm = if keys.contains("detection_ms") { "" } else { CALM };
        let mut text = format!(
            "cluster = \"figures\"\nnode = \"{name}\"\ndata_dir = \"{name}\"\nlisten_election = \"127.0.0.1:{election}\"\n\
             listen_replication = \"127.0.0.1:{replication}\"\nlisten_client = \"127.0.0.1:{client}\"\n{keys}{calm}"
        );
        for Node { name, ports: [election, replication, client], .. } in
            self.nodes.iter().filter(|node| node.name != *name)
        {
            write!(
                text,
                "\n[[peer]]\nnode = \"{name}\"\nelection = \"127.0.0.1:{election}\"\n\
                 replication = \"127.0.0.1:{replication}\"\nclient = \"127.0.0.1:{client}\"\n"
            )?;
        }
        Ok(text)
    }

    fn config(&self, node: usize) -> PathBuf {
        self.dir.join(format!("{}.toml", self.nodes[node].name))
    }

    fn command(&self, subcommand: &str, node: usize) -> Command {
        let mut command = Command::new(&self.binary);
        command.args([subcommand, "--config"]).arg(self.config(node));
        command
    }

    pub(crate) fn start_node(&mut self, node: usize) -> Outcome<()> {
        let mut command = self.command("serve", node);
        command.args(["--log-level", "off", "--end-with"]).arg(std::process::id().to_string());
        self.nodes[node].process = Some(Process::spawn(&mut command)?);
        Ok(())
    }

    /// kill −9.
    pub(crate) fn kill(&mut self, node: usize) -> Outcome<()> {
        self.nodes[node].process.take().map_or(Ok(()), Process::kill)
    }

    /// The process of a node that runs.
    pub(crate) fn process(&self, node: usize) -> Outcome<&Process> {
        self.nodes[node]
            .process
            .as_ref()
            .ok_or_else(|| format!("{} does not run", self.nodes[node].name).into())
    }

    pub(crate) fn voters(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn data_dir(&self, node: usize) -> PathBuf {
        self.dir.join(self.nodes[node].name)
    }

    /// Where clients reach a node.
    pub(crate) fn port(&self, node: usize) -> u16 {
        self.nodes[node].ports[2]
    }

    /// Waits for a node that serves.
    pub(crate) fn primary(&mut self) -> Outcome<usize> {
        let deadline = Instant::now() + BOUND;
        loop {
            for node in 0..self.nodes.len() {
                self.nodes[node].process.as_mut().map_or(Ok(()), Process::check)?;
                if client::is_primary(self.port(node)) {
                    return Ok(node);
                }
            }
            wait_until(deadline, "no primary")?;
        }
    }

    /// Waits until every other voter holds what the primary does: the primary.
    pub(crate) fn wait_level(&mut self) -> Outcome<usize> {
        let deadline = Instant::now() + BOUND;
        loop {
            let primary = self.primary()?;
            // Another may lead by now.
            if self.is_level(primary).unwrap_or(false) {
                return Ok(primary);
            }
            wait_until(deadline, "not every voter is level")?;
        }
    }

    fn is_level(&self, primary: usize) -> redis::RedisResult<bool> {
        let (mut connection, others) = (client::connect(self.port(primary))?, self.nodes.len() - 1);
        redis::cmd("SET").arg("level").arg(1).exec(&mut connection)?;
        Ok(redis::cmd("WAIT").arg(others).arg(1_000).query::<usize>(&mut connection)? >= others)
    }
}

/// A moment, or the end of patience.
pub(crate) fn wait_until(deadline: Instant, what: &str) -> Outcome<()> {
    if Instant::now() >= deadline {
        return Err(format!("{what} within {} s", BOUND.as_secs()).into());
    }
    std::thread::sleep(AGAIN);
    Ok(())
}
