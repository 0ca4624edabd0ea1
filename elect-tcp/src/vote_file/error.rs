//! What can go wrong with a vote file, and what to do then.

use std::io;
use std::path::{Path, PathBuf};

use elect_core::StartRefused;

/// Why a vote file cannot be made, opened or written.
#[derive(Debug, thiserror::Error)]
pub enum VoteFileError {
    /// There is no file.
    #[error(
        "there is no vote file at {}. If this node has never run, make one with `init`. If it has run, its storage is \
         lost: make one with `replace-lost`, and never with `init`, or votes that it gave are forgotten", .path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// `init` found a file.
    #[error("{} exists already: this node has run before, so start it without `init`", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error("{} is in use by another process: a node may run only once", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// What it holds is no longer known.
    #[error(
        "{} is damaged: {what}. Votes that this node gave may be lost with it: check the disk, then make a new file with \
         `replace-lost`", .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A later version of this software wrote it.
    #[error("{} has format version {version}, this software knows version 1: start a newer one", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u16,
    },
    /// It is another node's, or of another member list.
    #[error("{} does not fit the configuration: {refused}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What differs.
        refused: StartRefused,
    },
    /// A copy: the file system has been seen to keep its numbers over reboots of this machine, and this file has others.
    #[error(
        "{} is not the file that this node wrote last: it was restored from a backup, copied, or moved. Votes that the \
         node gave since may be missing. `adopt` it if this is the only copy and the newest, else make a new one with \
         `replace-lost`", .path.display()
    )]
    Moved {
        /// The file.
        path: PathBuf,
    },
    /// The name no longer stands for the file that is open.
    #[error(
        "{} was removed, renamed or replaced while the node ran: a vote that is saved now would be lost with the next \
         start. Put the file back, or make a new one with `replace-lost`", .path.display()
    )]
    Gone {
        /// The name.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> VoteFileError {
    VoteFileError::Io { action, path: path.into(), source }
}
