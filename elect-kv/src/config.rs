//! The configuration file of one node.
//!
//! ```toml
//! cluster = "shop"                        # nodes of another cluster are refused
//! node = "a"                              # this node's name; the list below holds the others
//! data_dir = "a"                          # relative to this file; `elect-kv init` makes it
//! listen_election = "127.0.0.1:7101"      # other nodes: heartbeats and votes
//! listen_replication = "127.0.0.1:7201"   # other nodes: the log
//! listen_client = "127.0.0.1:7001"        # clients: RESP
//! advertise_client = "127.0.0.1:7001"     # where clients reach this node; default: listen_client
//! detection_ms = 500                      # how long silence lasts before a leader counts as gone; may differ between
//! nodes:
//!                                         # between any two the smaller one counts
//! heartbeat_ms = 50
//!
//! [[peer]]
//! node = "b"
//! election = "127.0.0.1:7102"
//! replication = "127.0.0.1:7202"
//! client = "127.0.0.1:7002"
//!
//! [[peer]]
//! node = "w"
//! kind = "witness"                        # "voter" (default), "witness" or "observer"
//! election = "127.0.0.1:7103"
//! ```

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use elect_core::{Address, ClusterId, Detection, Member, MemberKind, NodeId};
use serde::Deserialize;

/// A node's configuration file, checked. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// Where other nodes reach the log: `ip:port`.
    pub listen_replication: SocketAddr,
    /// Where clients connect: `ip:port`.
    pub listen_client: SocketAddr,
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
    /// A save of the vote file on a bad day, in ms: likewise. Default 20.
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
    /// Whether plain TCP may leave this machine. Default false: such addresses are refused.
    #[serde(default)]
    pub allow_plaintext: bool,
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
    /// Where clients reach it: `host:port`. Until its own word arrives, redirects name this address.
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

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// It cannot be read.
    #[error("{}: cannot be read: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no TOML, or a key is missing, unknown or of the wrong type.
    #[error("{}: {error}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Where and why.
        error: toml::de::Error,
    },
    /// A value is not allowed.
    #[error("{}: {key} = {value}: {rule}", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What is allowed.
        rule: String,
    },
}

/// Another node, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub id: NodeId,
    /// What it is.
    pub kind: MemberKind,
    /// Where its elector listens.
    pub election: String,
    /// Where its log listens.
    pub replication: Option<String>,
    /// Where clients reach it.
    pub client: Option<String>,
}

/// Everything that `serve` needs to know, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file as it was written.
    pub file: NodeFile,
    /// Where it was.
    pub path: PathBuf,
    /// The other nodes.
    pub peers: Vec<Peer>,
    /// Where clients reach this node.
    pub advertise_client: String,
    /// Directory of the vote file and the store.
    pub data_dir: PathBuf,
    /// The elector's configuration.
    pub elect: elect_core::Config,
}

impl Settings {
    /// Reads and checks a configuration file.
    pub fn read(path: &Path) -> Result<Self, ConfigFileError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigFileError::Unreadable { file: path.into(), error })?;
        Self::parse(&text, path)
    }

    /// Checks the text of a configuration file. `path` names it in errors and anchors relative paths.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigFileError> {
        let file: NodeFile =
            toml::from_str(text).map_err(|error| ConfigFileError::Malformed { file: path.into(), error })?;
        let check = Check { path };
        let node = check.node("node", &file.node)?;
        let peers = file.peers.iter().map(|peer| check.peer(peer)).collect::<Result<Vec<_>, _>>()?;
        check.plaintext(&file)?;
        let advertise_client =
            file.advertise_client.clone().unwrap_or_else(|| file.listen_client.to_string());
        check.host_port("advertise_client", &advertise_client)?;
        if file.advertise_client.is_none() && file.listen_client.ip().is_unspecified() {
            let rule =
                "is missing, and clients cannot be redirected to the wildcard address of listen_client";
            return Err(check.refused("advertise_client", &advertise_client, rule));
        }
        let elect = check.elect(&file, node, &peers, &advertise_client)?;
        let base = path.parent().unwrap_or(Path::new(""));
        let data_dir = base.join(&file.data_dir);
        Ok(Self { peers, advertise_client, data_dir, elect, path: path.into(), file })
    }

    /// This node.
    pub fn node(&self) -> NodeId {
        self.elect.node()
    }

    /// The file that holds this node's vote.
    pub fn vote_file(&self) -> PathBuf {
        self.data_dir.join("vote")
    }

    /// The directory of the log and the applied state.
    pub fn store_dir(&self) -> PathBuf {
        self.data_dir.join("store")
    }
}

/// Turns a value that is not allowed into an error that names the file.
struct Check<'a> {
    path: &'a Path,
}

impl Check<'_> {
    fn refused(&self, key: &str, value: &dyn fmt::Display, rule: &str) -> ConfigFileError {
        ConfigFileError::Refused {
            file: self.path.into(),
            key: key.into(),
            value: value.to_string(),
            rule: rule.into(),
        }
    }

    fn node(&self, key: &str, name: &str) -> Result<NodeId, ConfigFileError> {
        NodeId::new(name).map_err(|error| self.refused(key, &quoted(name), &error.to_string()))
    }

    fn host_port(&self, key: &str, address: &str) -> Result<(), ConfigFileError> {
        let port = address
            .rsplit_once(':')
            .filter(|(host, _)| !host.is_empty())
            .map(|(_, port)| port.parse::<u16>());
        match port {
            Some(Ok(port)) if port > 0 => Ok(()),
            _ => Err(self.refused(key, &quoted(address), "must be host:port with a port from 1 to 65535")),
        }
    }

    fn peer(&self, entry: &PeerEntry) -> Result<Peer, ConfigFileError> {
        let id = self.node("peer.node", &entry.node)?;
        let key = |field: &str| format!("peer {id}: {field}");
        self.host_port(&key("election"), &entry.election)?;
        if let Some(address) = &entry.client {
            self.host_port(&key("client"), address)?;
        }
        match (&entry.replication, entry.kind) {
            (Some(address), Kind::Voter | Kind::Observer) => self.host_port(&key("replication"), address)?,
            (None, Kind::Witness) => {}
            (Some(address), Kind::Witness) => {
                return Err(self.refused(
                    &key("replication"),
                    &quoted(address),
                    "a witness holds no data: leave it out",
                ));
            }
            (None, Kind::Voter | Kind::Observer) => {
                return Err(self.refused(
                    &key("replication"),
                    &"(missing)",
                    "must be host:port: this node holds data",
                ));
            }
        }
        Ok(Peer {
            id,
            kind: entry.kind.into(),
            election: entry.election.clone(),
            replication: entry.replication.clone(),
            client: entry.client.clone(),
        })
    }

    fn plaintext(&self, file: &NodeFile) -> Result<(), ConfigFileError> {
        let address = file.listen_replication;
        if file.allow_plaintext || address.ip().is_loopback() {
            return Ok(());
        }
        let rule = "plain TCP leaves this machine here: say allow_plaintext = true if the network is trusted";
        Err(self.refused("listen_replication", &address, rule))
    }

    fn elect(
        &self,
        file: &NodeFile,
        node: NodeId,
        peers: &[Peer],
        advertise_client: &str,
    ) -> Result<elect_core::Config, ConfigFileError> {
        let cluster = ClusterId::new(&file.cluster)
            .map_err(|error| self.refused("cluster", &quoted(&file.cluster), &error.to_string()))?;
        let address = Address::new(advertise_client).map_err(|error| {
            self.refused("advertise_client", &quoted(advertise_client), &error.to_string())
        })?;
        let others = peers.iter().map(|peer| Member { id: peer.id, kind: peer.kind });
        let mut builder = elect_core::Config::builder(cluster, node)
            .members([Member { id: node, kind: file.kind.into() }])
            .members(others)
            .address(address)
            .never_leader(file.never_leader)
            .crash_evidence(file.crash_evidence)
            .seed(fresh_seed());
        if let Some(name) = &file.preferred_leader {
            builder = builder.preferred_leader(self.node("preferred_leader", name)?);
        }
        macro_rules! set {
            ($($key:ident => $setter:ident($convert:expr),)*) => {
                $(if let Some(value) = file.$key {
                    builder = builder.$setter($convert(value));
                })*
            };
        }
        set! {
            detection_ms => detection(|ms| Detection::Fixed(Duration::from_millis(ms))),
            heartbeat_ms => heartbeat_interval(Duration::from_millis),
            drift_ppm => drift_ppm(|ppm| ppm),
            round_trip_ms => round_trip(Duration::from_millis),
            save_ms => save(Duration::from_millis),
            rank_step_ms => rank_step(Duration::from_millis),
            priority => priority(|priority| priority),
            fail_back_cooldown_ms => fail_back_cooldown(Duration::from_millis),
            handover_timeout_ms => handover_timeout(Duration::from_millis),
            office_timeout_ms => office_timeout(Duration::from_millis),
        }
        builder.build().map_err(|error| self.refused(key_of(error.field), &error.value, &error.rule))
    }
}

/// The key of this file that sets a field of the elector.
fn key_of(field: &'static str) -> &'static str {
    match field {
        "members" => "node and peer",
        "detection" => "detection_ms",
        "heartbeat_interval" => "heartbeat_ms",
        "round_trip" => "round_trip_ms",
        "save" => "save_ms",
        "rank_step" => "rank_step_ms",
        "fail_back_cooldown" => "fail_back_cooldown_ms",
        "handover_timeout" => "handover_timeout_ms",
        "office_timeout" => "office_timeout_ms",
        other => other,
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// Different at every start: the standard library keys its hashers from the operating system.
fn fresh_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        cluster = "shop"
        node = "a"
        data_dir = "data"
        listen_election = "127.0.0.1:7101"
        listen_replication = "127.0.0.1:7201"
        listen_client = "127.0.0.1:7001"
        heartbeat_ms = 20

        [[peer]]
        node = "b"
        election = "127.0.0.1:7102"
        replication = "127.0.0.1:7202"
        client = "127.0.0.1:7002"

        [[peer]]
        node = "w"
        kind = "witness"
        election = "127.0.0.1:7103"
    "#;

    fn parse(text: &str) -> Result<Settings, ConfigFileError> {
        Settings::parse(text, Path::new("/etc/elect/node.toml"))
    }

    #[test]
    fn a_good_file_is_taken_as_written() {
        let settings = parse(GOOD).unwrap();
        assert_eq!(settings.advertise_client, "127.0.0.1:7001");
        assert_eq!(settings.data_dir, Path::new("/etc/elect/data"));
        assert_eq!(settings.elect.heartbeat_interval(), Duration::from_millis(20));
        assert_eq!(settings.elect.members().quorum(), 2);
        assert_eq!(settings.peers[1].kind, MemberKind::Witness);
        assert_eq!(settings.elect.address().as_str(), "127.0.0.1:7001");
    }

    #[test]
    fn nonsense_is_refused_with_file_key_value_and_rule() {
        let table = [
            ("node = \"a\"", "node = \"a b\"", &["node = \"a b\"", "may hold only"][..]),
            ("heartbeat_ms = 20", "heartbeat = 20", &["unknown field `heartbeat`", "heartbeat_ms"]),
            ("heartbeat_ms = 20", "heartbeat_ms = 0", &["heartbeat_ms = 0ns", "1ms to 60s"]),
            ("heartbeat_ms = 20", "heartbeat_ms = -5", &["heartbeat_ms = -5", "invalid value"]),
            ("heartbeat_ms = 20", "detection_ms = 100", &["detection_ms = 100ms", "two heartbeats"]),
            (
                "heartbeat_ms = 20",
                "advertise_client = \"nowhere\"",
                &["advertise_client = \"nowhere\"", "host:port"],
            ),
            ("heartbeat_ms = 20", "preferred_leader = \"w\"", &["preferred_leader = w", "must be a voter"]),
            ("node = \"b\"", "node = \"a\"", &["node and peer", "a stands twice"]),
            ("kind = \"witness\"", "", &["peer w: replication = (missing)", "holds data"]),
            ("kind = \"witness\"", "kind = \"arbiter\"", &["arbiter", "witness"]),
            (
                "\"127.0.0.1:7202\"",
                "\"127.0.0.1:0\"",
                &["peer b: replication = \"127.0.0.1:0\"", "1 to 65535"],
            ),
            (
                "\"127.0.0.1:7201\"",
                "\"10.0.0.1:7201\"",
                &["listen_replication = 10.0.0.1:7201", "allow_plaintext"],
            ),
            ("\"127.0.0.1:7001\"", "\"0.0.0.0:7001\"", &["advertise_client", "wildcard"]),
            ("\"127.0.0.1:7001\"", "\"localhost\"", &["listen_client", "socket address"]),
        ];
        for (good, bad, expected) in table {
            let text = GOOD.replacen(good, bad, 1);
            assert_ne!(text, GOOD, "{good} stands in the file");
            let error = parse(&text).expect_err(bad).to_string();
            assert!(error.contains("/etc/elect/node.toml"), "{error}");
            for word in expected {
                assert!(error.contains(word), "{bad}: {error} should say {word}");
            }
        }
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(fresh_seed(), fresh_seed());
    }
}
