//! Why a node does not start.

use std::io;

use elect_core::{StartRefused, StorageFailed};

use crate::config::ConfigError;
use crate::vote_file::VoteFileError;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The vote file is missing, damaged, in use or another node's.
    #[error(transparent)]
    VoteFile(#[from] VoteFileError),
    /// The configuration names no vote file, and no store was given.
    #[error("the configuration names no vote file: start this node with its store (`Node::start_with`)")]
    NoVoteFile,
    /// The elector refused the record.
    #[error(transparent)]
    Refused(#[from] StartRefused),
    /// The new incarnation could not be saved.
    #[error(transparent)]
    Storage(#[from] StorageFailed),
    /// The port could not be bound, or a thread not be started.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Why a group did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartGroupError {
    /// The group's configuration does not fit this process.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A group of that number runs in this process, or its last save is not over.
    #[error("group {0} runs in this process, or its last save is not over")]
    Taken(u32),
    /// The process' groups have ended.
    #[error("the groups of this process have ended")]
    Ended,
    /// The node of this group did not start.
    #[error(transparent)]
    Start(#[from] StartError),
}
