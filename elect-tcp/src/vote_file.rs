//! The vote file: the durable record of one node.

use std::path::{Path, PathBuf};

use elect_core::{Config, Record, VoteStore};

/// Why a vote file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VoteFileError {
    /// There is no file.
    #[error("there is no vote file at {}: run `init` if this node has never run, `replace-lost` if it has", .path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
}

/// The durable record of one node, locked against a second process for as long as it is open.
#[derive(Debug)]
pub struct VoteFile {}

impl VoteFile {
    /// Makes the file of a node that never ran before: an operator's explicit act, once. Refuses an existing file.
    pub fn init(path: impl AsRef<Path>, config: &Config) -> Result<(), VoteFileError> {
        let _ = config;
        Err(VoteFileError::Missing { path: path.as_ref().into() })
    }

    /// Makes the file of a node whose storage was lost: it counts for nothing until it has caught up.
    pub fn replace_lost(path: impl AsRef<Path>, config: &Config) -> Result<(), VoteFileError> {
        let _ = config;
        Err(VoteFileError::Missing { path: path.as_ref().into() })
    }

    /// Opens and locks the file of a node that ran before.
    pub fn open(path: impl AsRef<Path>, config: &Config) -> Result<Self, VoteFileError> {
        let _ = config;
        Err(VoteFileError::Missing { path: path.as_ref().into() })
    }
}

impl VoteStore for VoteFile {
    type Error = VoteFileError;

    fn save(&mut self, record: &Record) -> Result<(), Self::Error> {
        let _ = record;
        Err(VoteFileError::Missing { path: PathBuf::new() })
    }
}
