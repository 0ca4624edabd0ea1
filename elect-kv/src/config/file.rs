//! The keys of a configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;

use elect_core::MemberKind;
use serde::Deserialize;

use super::acknowledge::Acknowledge;
use super::output_limit::{BacklogSize, OutputLimit};
use super::secret::Secret;
use crate::logging::LogFormat;

/// A node's configuration file, checked. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "keys of a file, each for itself")]
pub struct NodeFile {
    /// Name of the cluster: 1 to 32 of `[A-Za-z0-9._-]`.
    pub cluster: String,
    /// Name of this node: 1 to 32 of `[A-Za-z0-9._-]`.
    pub node: String,
    /// What this node is: `"voter"` (default), `"witness"` or `"observer"`.
    #[serde(default)]
    pub kind: Kind,
    /// Directory of the vote file and the store. A relative path starts at the configuration file's directory.
    pub data_dir: PathBuf,
    /// Where other nodes reach the elector: `ip:port`.
    pub listen_election: SocketAddr,
    /// Where other nodes reach the log: `ip:port`. A witness has no log, and needs none.
    pub listen_replication: Option<SocketAddr>,
    /// Where clients connect: `ip:port`.
    pub listen_client: SocketAddr,
    /// Where HTTP is answered: health, metrics, a page for people. Default: nowhere.
    pub listen_http: Option<SocketAddr>,
    /// Whether everybody who reaches `listen_http` from another machine may see what the node says of itself. Default false.
    #[serde(default)]
    pub allow_open_http: bool,
    /// Where clients reach this node, `host:port`: shown in redirects. Default: `listen_client`.
    pub advertise_client: Option<String>,
    /// The other nodes.
    #[serde(default, rename = "peer")]
    pub peers: Vec<PeerEntry>,
    /// How long silence lasts before a leader counts as gone, in ms. Default 500.
    pub detection_ms: Option<u64>,
    /// How often a leader sends heartbeats, in ms. Default 50.
    pub heartbeat_ms: Option<u64>,
    /// How far the clock's rate may be off, in parts per million. Default 10,000.
    pub drift_ppm: Option<u32>,
    /// A round trip between nodes on a bad day, in ms: dimensions leases and delays. Default 20.
    pub round_trip_ms: Option<u64>,
    /// A save of the vote file on a bad day, in ms: dimensions delays too. Default 20.
    pub save_ms: Option<u64>,
    /// Delay per rank in an election, in ms. Default: twice a round trip and a save.
    pub rank_step_ms: Option<u64>,
    /// Among equally fresh candidates the higher one wins, 0 to 255. Default 100.
    pub priority: Option<u8>,
    /// This node votes but never leads. Default false.
    #[serde(default)]
    pub never_leader: bool,
    /// The node that should lead whenever it is fit. Default: none.
    pub preferred_leader: Option<String>,
    /// How long a preferred node must have been fit before the leader hands over to it, in ms. Default 120,000.
    pub fail_back_cooldown_ms: Option<u64>,
    /// Deadline of a handover, in ms. Default 5,000.
    pub handover_timeout_ms: Option<u64>,
    /// How long an elected node may take to enter office, in ms. Default 30,000.
    pub office_timeout_ms: Option<u64>,
    /// Whether a closed connection to an address that refuses a new one proves a process dead: replaces a killed
    /// primary in milliseconds. Sound where nothing else ever refuses at a node's address. Default false.
    #[serde(default)]
    pub crash_evidence: bool,
    /// Who must hold a write before it is acknowledged: `"quorum"` (default), `"all"` or `"one"`.
    #[serde(default)]
    pub acknowledge: Acknowledge,
    /// Clients at a time. Default 10,000; fewer where the process may not open as many files.
    pub maxclients: Option<usize>,
    /// After how many seconds a client that asks nothing is closed. Default 0: never.
    #[serde(default)]
    pub timeout: u64,
    /// What of its replies a client may leave untaken. Default `"normal 32mb 64kb 60"`: a reply of more than 32 MiB is
    /// refused, and a client that leaves more than 64 KiB untaken for 60 s is closed.
    #[serde(default, alias = "client-output-buffer-limit")]
    pub client_output_buffer_limit: OutputLimit,
    /// How much of the log is kept for followers that were away. Default `"64mb"`. Whoever lacks more is sent the state.
    #[serde(default, alias = "repl-backlog-size")]
    pub repl_backlog_size: BacklogSize,
    /// Whether plain TCP may leave this machine. Default false: such addresses are refused.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// What clients must show (`AUTH password`). Default: none, which is refused where `listen_client` can be reached
    /// from other machines.
    pub password: Option<Secret>,
    /// What whoever uses `ELECT …` and `FAILOVER` must show (`AUTH operator password`). Default: what clients must.
    pub operator_password: Option<Secret>,
    /// Whether everybody who reaches `listen_client` from another machine may read and write. Default false.
    #[serde(default)]
    pub allow_open_clients: bool,
    /// What the log on standard error tells: `"off"`, `"error"`, `"warn"`, `"info"` (default), `"debug"`.
    pub log_level: Option<String>,
    /// How: `"text"` (default) or `"json"`.
    #[serde(default)]
    pub log_format: LogFormat,
    /// This node's certificate in PEM, then those that lead to the authority. With it the links between nodes are TLS. Relative paths
    /// start at the configuration file's directory, here and below.
    pub tls_cert: Option<PathBuf>,
    /// Its key in PEM.
    pub tls_key: Option<PathBuf>,
    /// The authorities whose certificates are believed, in PEM.
    pub tls_ca: Option<PathBuf>,
    /// Pinned keys, a line each: `NODE sha256:HEX`.
    pub tls_pins: Option<PathBuf>,
    /// SPIFFE ids that name nodes, such as `spiffe://example.org/{cluster}/{node}`. Default: only `elect://CLUSTER/NODE`.
    pub tls_spiffe: Option<String>,
}

/// One `[[peer]]` of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerEntry {
    /// Its name.
    pub node: String,
    /// What it is. Default `"voter"`.
    #[serde(default)]
    pub kind: Kind,
    /// Where its elector listens: `host:port`.
    pub election: String,
    /// Where its log listens: `host:port`. A witness has none.
    pub replication: Option<String>,
    /// Where clients reach it: `host:port`. Until it reports its own, redirects name this address.
    pub client: Option<String>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Votes, holds data, may lead.
    #[default]
    Voter,
    /// Votes only.
    Witness,
    /// Holds data only.
    Observer,
}

impl From<Kind> for MemberKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Voter => Self::Voter,
            Kind::Witness => Self::Witness,
            Kind::Observer => Self::Observer,
        }
    }
}
