//! A disk that hangs or is full on demand, and the vote store on it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use elect_core::{Record, VoteStore};
use elect_tcp::{VoteFile, VoteFileError};

use crate::node::tell;

/// How often a disk that hangs is looked at again.
const HANGING: Duration = Duration::from_millis(2);

/// What a node's disk does now. Told by a file beside the node's own, so that it needs no channel.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    hung: PathBuf,
    full: PathBuf,
}

impl Disk {
    pub(crate) fn new(directory: &Path, name: &str) -> Self {
        Self { hung: directory.join(format!("{name}.hung")), full: directory.join(format!("{name}.full")) }
    }

    /// Makes it hang or go on.
    pub(crate) fn hang(&self, hangs: bool) -> io::Result<()> {
        mark(&self.hung, hangs)
    }

    /// Makes it full, or makes room.
    pub(crate) fn fill(&self, full: bool) -> io::Result<()> {
        mark(&self.full, full)
    }

    /// What each write goes through.
    pub(crate) fn touch(&self) -> io::Result<()> {
        while self.hung.exists() {
            thread::sleep(HANGING);
        }
        if self.full.exists() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

fn mark(path: &Path, on: bool) -> io::Result<()> {
    if on {
        return fs::write(path, []);
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The vote file on that disk. It says how long each save took.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) file: VoteFile,
    pub(crate) disk: Disk,
}

/// A save that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error(transparent)]
    File(#[from] VoteFileError),
    #[error(transparent)]
    Disk(#[from] io::Error),
}

impl VoteStore for Store {
    type Error = StoreError;

    fn save(&mut self, record: &Record) -> Result<(), StoreError> {
        let began = Instant::now();
        self.disk.touch()?;
        self.file.save(record)?;
        tell("saved", [record.epoch.number().to_string(), began.elapsed().as_nanos().to_string()]);
        Ok(())
    }
}
