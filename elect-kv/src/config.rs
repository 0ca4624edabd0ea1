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
//! password = "…"                          # clients show it: it, or allow_open_clients = true, must be there where
//!                                         # other machines reach listen_client
//! operator_password = "…"                 # ELECT and FAILOVER need it where it is set
//! detection_ms = 500                      # how long silence lasts before a leader counts as gone; may differ between
//!                                         # nodes: between any two the smaller one counts
//! heartbeat_ms = 50
//! tls_cert = "certs/a.pem"                # links of the election are TLS; `elect-kv dev-certs` makes such files for
//! tls_key = "certs/a.key"                 # development. They are read again when they change. The log stays plain TCP.
//! tls_ca = "certs/ca.pem"                 # who vouches for certificates, and their names elect://shop/a …
//! tls_pins = "certs/pins"                 # … or lines `b sha256:…`: keys, instead of an authority or beside it
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

mod check;
mod file;
mod output_limit;
mod places;
mod secret;

use std::path::{Path, PathBuf};

use elect_core::NodeId;
use elect_tcp::{ConfigError, NodeConfig, TlsConfig};

use self::check::Check;
pub use self::check::{ConfigFileError, Peer};
pub use self::file::{Kind, NodeFile, PeerEntry};
pub use self::output_limit::OutputLimit;
pub use self::secret::Secret;

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
    /// The TLS of the election's links; `None`: they are plain.
    pub tls: Option<TlsConfig>,
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
        check.passwords(&file)?;
        check.places(&file)?;
        let tls = check.tls(&file)?;
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
        let settings = Self { peers, advertise_client, data_dir, elect, tls, path: path.into(), file };
        // What `serve` would refuse is refused by every command.
        settings.node_config().map_err(|error| check.of_node(&settings.peers, &error))?;
        Ok(settings)
    }

    /// The configuration of the elector's node.
    pub fn node_config(&self) -> Result<NodeConfig, ConfigError> {
        let config = NodeConfig::builder_without_file(self.elect.clone())
            .listen(self.file.listen_election)
            .peers(self.peers.iter().map(|peer| (peer.id, peer.election.clone())))
            .allow_plaintext(self.file.allow_plaintext);
        match &self.tls {
            Some(tls) => config.tls(tls.clone()).build(),
            None => config.build(),
        }
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

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::example;
