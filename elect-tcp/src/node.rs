//! Starting a node.

use std::io;
use std::sync::Arc;

use elect_core::{Floor, StartRefused};

use crate::config::NodeConfig;
use crate::event::Events;
use crate::handle::NodeHandle;
use crate::vote_file::VoteFileError;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The vote file is missing, damaged, in use or another node's.
    #[error(transparent)]
    VoteFile(#[from] VoteFileError),
    /// The elector refused the record.
    #[error(transparent)]
    Refused(#[from] StartRefused),
    /// The port could not be bound, or a thread not be started.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A node of a group: starts its threads.
#[derive(Debug)]
pub struct Node(());

impl Node {
    /// Starts a node on plain TCP.
    pub fn start<F: Floor + Send + Sync + 'static>(
        config: NodeConfig,
        floor: Arc<F>,
    ) -> Result<(NodeHandle, Events), StartError> {
        let _ = (config, floor);
        Err(StartError::Io { what: "not there yet".into(), source: io::ErrorKind::Unsupported.into() })
    }
}
