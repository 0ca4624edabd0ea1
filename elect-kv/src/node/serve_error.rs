//! Why a node does not start, or did not end well.

use std::io;
use std::path::PathBuf;

use elect_tcp::{StartError, VoteFileError};

use crate::store::StoreError;

/// Why a node does not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The vote file.
    #[error(transparent)]
    VoteFile(#[from] VoteFileError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The elector's configuration.
    #[error(transparent)]
    Config(#[from] elect_tcp::ConfigError),
    /// The elector.
    #[error(transparent)]
    Start(#[from] StartError),
    /// `init` found a node that is ready.
    #[error(
        "{} exists already: this node was initialised, so start it with `elect-kv serve`", path.display()
    )]
    IsReady {
        /// Its vote file.
        path: PathBuf,
    },
    /// `init` found what only a node leaves that has run.
    #[error(
        "{} is {what}: this node has run before, and its vote file is gone. Put the file back, or say with \
         `elect-kv replace-lost` that it is lost: with `init` the votes that it gave would be forgotten", path.display()
    )]
    HasRun {
        /// Where.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A file or a socket.
    #[error("{what}: {error}")]
    Io {
        /// Which.
        what: String,
        /// Why.
        error: io::Error,
    },
    /// It failed while it ran.
    #[error("{0}")]
    Failed(String),
    /// Threads are still busy.
    #[error(transparent)]
    Shutdown(#[from] elect_tcp::ShutdownError),
}

pub(super) fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> ServeError {
    let what = what.into();
    |error| ServeError::Io { what, error }
}
