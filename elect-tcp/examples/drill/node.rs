//! One node of a drill: a process of its own, started by the drill itself.

use std::env;
use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use elect_core::{ClusterId, Config, Detection, Fence, LogSync, NodeId, Record};
use elect_tcp::{
    DevCerts, Node, NodeConfig, OpenStore, TcpTransport, TlsConfig, TlsTransport, VoteFile, random_seed,
};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::disk::{Disk, Store};
use crate::host::Host;
use crate::leases::LeaseLog;
use crate::log::Entries;

/// The variable in which a node finds its [`Seat`].
const VARIABLE: &str = "ELECT_DRILL_NODE";

/// What one node is told by the process that starts it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Seat {
    pub(crate) name: String,
    /// Name and address of each, the same on every node. Replication takes the same port, over UDP.
    pub(crate) members: Vec<(String, SocketAddr)>,
    /// Where this node listens: a twin listens elsewhere than its list says.
    pub(crate) listen: SocketAddr,
    /// Where the files of all nodes lie.
    pub(crate) directory: PathBuf,
    pub(crate) crash_evidence: bool,
    pub(crate) detection_ms: u64,
    /// A write per millisecond in office; without it only what office itself takes.
    pub(crate) writes: bool,
    /// Links are TLS, with the certificates in `directory`.
    pub(crate) tls: bool,
    /// The process that starts it, and with which it ends.
    pub(crate) parent: u32,
}

impl Seat {
    pub(crate) fn vote_file(&self) -> PathBuf {
        self.file("vote")
    }

    pub(crate) fn file(&self, kind: &str) -> PathBuf {
        self.directory.join(format!("{}.{kind}", self.name))
    }

    pub(crate) fn disk(&self) -> Disk {
        Disk::new(&self.directory, &self.name)
    }

    /// The variable that makes a process this node.
    pub(crate) fn variable(&self) -> Result<(&'static str, String), serde_json::Error> {
        Ok((VARIABLE, serde_json::to_string(self)?))
    }

    pub(crate) fn elect(&self) -> Result<Config, Box<dyn Error>> {
        let mut builder = Config::builder(ClusterId::new("drill")?, NodeId::new(&self.name)?)
            .detection(Detection::Fixed(Duration::from_millis(self.detection_ms)))
            .heartbeat_interval(Duration::from_millis(self.detection_ms / 10))
            .crash_evidence(self.crash_evidence)
            // What is written here survives the process, not the machine.
            .log_sync(LogSync::Asynchronous)
            .seed(random_seed());
        for (name, _) in &self.members {
            builder = builder.voters([NodeId::new(name)?]);
        }
        Ok(builder.build()?)
    }

    pub(crate) fn config(&self) -> Result<NodeConfig, Box<dyn Error>> {
        let mut config = NodeConfig::builder(self.elect()?, self.vote_file()).allow_plaintext(true);
        if self.tls {
            let authorities = self.directory.join("ca.pem");
            config =
                config.tls(TlsConfig::files(self.file("pem"), self.file("key")).authorities(authorities));
        }
        for (peer, address) in &self.members {
            config = config.peer(NodeId::new(peer)?, address.to_string());
        }
        Ok(config.listen(self.listen).build()?)
    }

    /// A first boot.
    pub(crate) fn init(&self) -> Result<(), Box<dyn Error>> {
        if self.tls {
            DevCerts::open(&self.directory, ClusterId::new("drill")?)?.issue(NodeId::new(&self.name)?)?;
        }
        Ok(VoteFile::init(self.vote_file(), &self.elect()?)?)
    }
}

/// The present on the clock that all nodes share, in nanoseconds.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let nanos = |part| u64::try_from(part).unwrap_or_default();
    nanos(time.tv_sec) * 1_000_000_000 + nanos(time.tv_nsec)
}

/// Tells the drill what happened, in one line with its time. A drill that is gone is told nothing.
pub(crate) fn tell(what: &str, words: impl IntoIterator<Item = String>) {
    let mut line = format!("\n{}\t{what}", now());
    for word in words {
        line.push('\t');
        line.push_str(&word.replace(['\t', '\n'], " "));
    }
    line.push('\n');
    let mut out = io::stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

/// Runs this process as the node that it was started as, if it was: does not return before the node ends.
pub(crate) fn run_if_started_as_one() -> Result<bool, Box<dyn Error>> {
    let Ok(seat) = env::var(VARIABLE) else { return Ok(false) };
    let seat: Seat = serde_json::from_str(&seat)?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid().is_none_or(|parent| parent.as_raw_nonzero().get().unsigned_abs() != seat.parent) {
        return Err("the drill is gone".into());
    }
    let ended = run(&seat);
    if let Err(error) = &ended {
        tell("failed", [error.to_string()]);
    }
    ended.map(|()| true)
}

fn run(seat: &Seat) -> Result<(), Box<dyn Error>> {
    let config = seat.config()?;
    let file = VoteFile::open(seat.vote_file(), config.elect())?;
    let record: Record = *file.record();
    let store = OpenStore::new(Store { file, disk: seat.disk() }, record);
    let fence = Arc::new(Fence::new(Entries::open(&seat.file("log"), seat.disk())?));
    let leases = Mutex::new(LeaseLog::open(&seat.file("leases"))?);
    let (node, events) = if seat.tls {
        let transport = TlsTransport::bind(&config)?;
        Node::start_with(config, store, Arc::clone(&fence), transport)?
    } else {
        let transport = TcpTransport::bind(&config)?;
        Node::start_with(config, store, Arc::clone(&fence), transport)?
    };
    tell("started", []);
    Host::new(seat, node, fence, leases)?.run(&events)
}

/// A lock that a panic elsewhere does not close.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
