//! A file that lines are appended to, and that is opened again on request: what rotates logs has renamed it then.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The file, for the thread that writes it.
#[derive(Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
    reopen: Arc<AtomicBool>,
}

impl EventFile {
    /// Opens `path`, made if it is missing. Before the first line that comes after `reopen` was set it is opened again.
    pub(super) fn open(path: &Path, reopen: Arc<AtomicBool>) -> io::Result<Self> {
        Ok(Self { file: append_to(path)?, path: path.into(), reopen })
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

impl Write for EventFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.reopen.swap(false, Ordering::Relaxed) {
            match append_to(&self.path) {
                Ok(file) => self.file = file,
                // What is open goes on to be written: lines in the wrong place are better than none.
                Err(error) => {
                    tracing::warn!(target: "elect_kv", "{}: cannot be opened again: {error}", self.path.display());
                }
            }
        }
        self.file.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
