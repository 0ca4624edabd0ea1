//! What TLS costs beside plain TCP, in one run: processor time per frame, of a quiet group, and kill −9 of the leader.
//!
//! `cargo run --release -p elect-tcp --features dev-certs --example tls_cost -- SECONDS KILLS`, by default 10 and 50.
#![allow(clippy::print_stdout, reason = "it prints what it measures, and what its nodes tell it")]
#![allow(clippy::cast_precision_loss, reason = "figures of three digits")]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use elect_core::{ClusterId, Config, Duty, NoLog, NodeId, Notice, Raised};
use elect_tcp::{
    DevCerts, Events, HostEvent, Node, NodeConfig, NodeHandle, NodeNotice, TlsConfig, VoteFile, random_seed,
};

const NAMES: [&str; 3] = ["node-one", "node-two", "node-six"];
const BOUND: Duration = Duration::from_secs(20);

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [directory, name, links, ports @ ..] = &arguments[..]
        && ports.len() == NAMES.len()
    {
        let ports = ports.iter().map(|port| port.parse()).collect::<Result<Vec<_>, _>>()?;
        return run_node(Path::new(directory), name, links == "TLS", &ports);
    }
    let number = |index: usize, default| arguments.get(index).map_or(Ok(default), |text| text.parse());
    let (seconds, kills) = (number(0, 10)?, number(1, 50)?);
    let directory = env::temp_dir().join(format!("elect-tls-cost-{}", process::id()));
    for links in ["plain", "TLS"] {
        let directory = directory.join(links);
        fs::create_dir_all(&directory)?;
        println!("{links}:");
        for heartbeat in [Duration::from_millis(50), Duration::from_millis(5)] {
            frames(&directory, links == "TLS", heartbeat, Duration::from_secs(seconds))?;
        }
        failovers(&directory, links, kills)?;
    }
    fs::remove_dir_all(directory)?;
    Ok(())
}

/// Three nodes in this process that have nothing to do but heartbeats.
fn frames(directory: &Path, is_tls: bool, heartbeat: Duration, span: Duration) -> Outcome<()> {
    let listeners = NAMES.map(|_| TcpListener::bind("127.0.0.1:0"));
    let listeners = listeners.into_iter().collect::<Result<Vec<_>, _>>()?;
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
    let mut nodes = Vec::new();
    for (name, listener) in NAMES.iter().zip(&listeners) {
        let (node, events) =
            start(directory, name, is_tls, &addresses, heartbeat, Some(listener.try_clone()?))?;
        let host = node.clone();
        thread::spawn(move || serve(&host, &events, |_| {}));
        nodes.push(node);
    }
    while !nodes.iter().any(NodeHandle::is_leader) {
        thread::yield_now();
    }
    thread::sleep(Duration::from_secs(1));
    let sent = || nodes.iter().map(|node| node.counts().frames_sent).sum::<u64>();
    let (began, sent_before, used_before) = (Instant::now(), sent(), processor_time()?);
    thread::sleep(span);
    let (sent, used) = (sent() - sent_before, processor_time()?.saturating_sub(used_before));
    println!(
        "  heartbeat {heartbeat:?}: {:.1} µs of processor time per frame (sent, received, decided); {:.2} CPU s/min per node",
        used.as_secs_f64() * 1e6 / sent as f64,
        used.as_secs_f64() / began.elapsed().as_secs_f64() * 60.0 / 3.0,
    );
    for node in &nodes {
        node.shutdown()?;
    }
    for name in NAMES {
        fs::remove_file(directory.join(format!("{name}.vote")))?;
    }
    Ok(())
}

/// Three processes, whose leader is killed again and again.
fn failovers(directory: &Path, links: &str, kills: u64) -> Outcome<()> {
    let listeners = NAMES.map(|_| TcpListener::bind("127.0.0.1:0"));
    let ports =
        listeners.into_iter().map(|listener| listener?.local_addr()).collect::<Result<Vec<_>, _>>()?;
    let (told, heard) = channel();
    let spawn = |index| Running::spawn(directory, index, links, &ports, &told);
    let mut running = [spawn(0)?, spawn(1)?, spawn(2)?];
    let mut said = Said { heard, last: NAMES.map(|_| String::new()) };
    let mut spans = Vec::new();
    for _ in 0..kills {
        // Two follow a third.
        let leader = said.wait(|last| (0..3).find(|leader| is_led_by(last, *leader)))?.0;
        thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        running[leader].0.kill()?;
        let next = said.wait(|last| (0..3).find(|index| *index != leader && last[*index] == "leads"))?;
        spans.push(next.1.saturating_duration_since(began));
        running[leader].0.wait()?;
        said.last[leader].clear();
        running[leader] = spawn(leader)?;
    }
    spans.sort_unstable();
    let at = |part: usize| spans[(spans.len() - 1) * part / 100].as_secs_f64() * 1000.0;
    if !spans.is_empty() {
        println!(
            "  kill -9 with crash evidence, {kills} times: a new leader after {:.1} ms (median), {:.1} (p99), {:.1} (most)",
            at(50),
            at(99),
            at(100),
        );
    }
    Ok(())
}

/// What a node's process says: its index, when it was heard, and the line.
type Line = (usize, Instant, String);

/// A node's process, killed with this value.
struct Running(Child);

impl Running {
    fn spawn(
        directory: &Path,
        index: usize,
        links: &str,
        ports: &[SocketAddr],
        told: &Sender<Line>,
    ) -> Outcome<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(directory).args([NAMES[index], links]).args(ports.iter().map(ToString::to_string));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let (output, told) = (child.stdout.take(), told.clone());
        thread::spawn(move || {
            let read = output.into_iter().flat_map(|output| BufReader::new(output).lines());
            for line in read.map_while(Result::ok) {
                let _ = told.send((index, Instant::now(), line));
            }
        });
        Ok(Self(child))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What each node said last.
struct Said {
    heard: Receiver<Line>,
    last: [String; 3],
}

impl Said {
    /// Listens until `found` finds something, and says when that was.
    fn wait<T>(&mut self, found: impl Fn(&[String; 3]) -> Option<T>) -> Outcome<(T, Instant)> {
        let mut at = Instant::now();
        loop {
            if let Some(found) = found(&self.last) {
                return Ok((found, at));
            }
            let (index, heard_at, line) = self.heard.recv_timeout(BOUND)?;
            (self.last[index], at) = (line, heard_at);
        }
    }
}

fn is_led_by(last: &[String; 3], leader: usize) -> bool {
    let follows = format!("follows {}", NAMES[leader]);
    let is_in_place = |index: usize| last[index] == if index == leader { "leads" } else { &follows };
    (0..3).all(is_in_place)
}

/// One node, in a process of its own.
fn run_node(directory: &Path, name: &str, is_tls: bool, ports: &[SocketAddr]) -> Outcome<()> {
    let (node, events) = start(directory, name, is_tls, ports, Duration::from_millis(50), None)?;
    serve(&node, &events, |line| println!("{line}"));
    Ok(())
}

fn start(
    directory: &Path,
    name: &str,
    is_tls: bool,
    addresses: &[SocketAddr],
    heartbeat: Duration,
    listener: Option<TcpListener>,
) -> Outcome<(NodeHandle, Events)> {
    let names = NAMES.map(NodeId::new).into_iter().collect::<Result<Vec<_>, _>>()?;
    let (cluster, own) = (ClusterId::new("cost")?, NodeId::new(name)?);
    let elect = Config::builder(cluster, own)
        .voters(names.iter().copied())
        .heartbeat_interval(heartbeat)
        .crash_evidence(true)
        .seed(random_seed())
        .build()?;
    let vote_file = directory.join(format!("{name}.vote"));
    if !vote_file.exists() {
        VoteFile::init(&vote_file, &elect)?;
    }
    let peers = names.iter().copied().zip(addresses.iter().map(ToString::to_string));
    let mut config = NodeConfig::builder(elect, vote_file).peers(peers);
    if is_tls {
        config = config.tls(certificates(directory, cluster, &names, own)?);
    }
    let index = names.iter().position(|known| *known == own).unwrap_or_default();
    let config = match listener {
        Some(listener) => config.listener(listener),
        None => config.listen(addresses[index]),
    };
    Ok(Node::start(config.build()?, Arc::new(NoLog))?)
}

/// Made by whoever comes first.
fn certificates(directory: &Path, cluster: ClusterId, names: &[NodeId], own: NodeId) -> Outcome<TlsConfig> {
    let file = |name: String| -> PathBuf { directory.join("certs").join(name) };
    if !file("ca.pem".into()).exists() {
        let authority = DevCerts::open(directory.join("certs"), cluster)?;
        names.iter().try_for_each(|name| authority.issue(*name).map(drop))?;
    }
    Ok(TlsConfig::files(file(format!("{own}.pem")), file(format!("{own}.key")))
        .authorities(file("ca.pem".into())))
}

/// A host without a log.
fn serve(node: &NodeHandle, events: &Events, say: impl Fn(&str)) {
    for event in events {
        match event {
            HostEvent::Act(
                Duty::Elected(elected) | Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. },
            ) => {
                node.on_office(&elected.serve_without_log_forgetting_earlier_writes());
                say("leads");
            }
            HostEvent::Act(Duty::HandoverBegan { .. }) => node.on_drained(),
            HostEvent::Happened(NodeNotice::Elector(Notice::Following { leader, .. })) => {
                say(&format!("follows {leader}"));
            }
            _ => {}
        }
    }
}

/// Of this process, as Linux counts it, in hundredths of a second.
fn processor_time() -> Outcome<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    Ok(Duration::from_millis(10 * (fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)))
}
