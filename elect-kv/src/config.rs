//! The configuration file of one node.
//!
//! ```toml
#![doc = include_str!("../example.toml")]
//! ```

mod acknowledge;
mod check;
mod file;
mod output_limit;
mod places;
mod secret;

use std::path::{Path, PathBuf};

use elect_core::NodeId;
use elect_tcp::{ConfigError, NodeConfig, TlsConfig, TlsTransport};
use tracing_subscriber::filter::LevelFilter;

pub use self::acknowledge::Acknowledge;
use self::check::Check;
pub use self::check::{ConfigFileError, Peer};
pub use self::file::{Kind, NodeFile, PeerEntry};
pub use self::output_limit::{BacklogSize, OutputLimit};
pub use self::secret::Secret;

/// A file with every key, explained.
pub(crate) const EXAMPLE: &str = include_str!("../example.toml");

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
    /// What the log tells.
    pub log_level: LevelFilter,
    /// The elector's configuration.
    pub elect: elect_core::Config,
    /// The TLS of the links between nodes; `None`: they are plain.
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
        check.http(&file)?;
        check.places(&file)?;
        let log_level = check.log_level(&file)?;
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
        let settings =
            Self { peers, advertise_client, data_dir, log_level, elect, tls, path: path.into(), file };
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

    /// Checks the files that the configuration names, as `serve` does at its start.
    pub(crate) fn check_files(&self) -> Result<(), ConfigFileError> {
        if self.tls.is_none() {
            return Ok(());
        }
        let check = Check { path: &self.path };
        let config = self.node_config().map_err(|error| check.of_node(&self.peers, &error))?;
        TlsTransport::check(&config).map_err(|error| {
            let certificate = self.file.tls_cert.as_deref().unwrap_or(Path::new(""));
            check.refused("tls_cert", &certificate.display(), &error.to_string())
        })
    }

    /// What is allowed, and may not be meant.
    pub(crate) fn notes(&self) -> Vec<String> {
        let notes = self.elect.warnings().iter().map(ToString::to_string);
        notes.chain(self.file.acknowledge.warning().map(String::from)).collect()
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
