//! A file that no second process may have.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::error::{VoteFileError, failed};
use super::paired_copies::{Disk, FILE_BYTES};

/// A locked file. Its lock ends with this value, also where a child process has been started meanwhile that holds the
/// same open file until it becomes another program.
#[derive(Debug)]
pub(super) struct Locked(File);

impl Locked {
    pub(super) fn new(file: File, path: &Path) -> Result<Self, VoteFileError> {
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => VoteFileError::InUse { path: path.into() },
            TryLockError::Error(source) => failed("lock", path, source),
        })?;
        Ok(Self(file))
    }

    pub(super) const fn file(&self) -> &File {
        &self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl Disk for Locked {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut content = Vec::with_capacity(FILE_BYTES + 1);
        self.0.seek(SeekFrom::Start(0))?;
        // One byte more than a sound file has is enough to see that it is not.
        (&self.0).take(FILE_BYTES as u64 + 1).read_to_end(&mut content)?;
        Ok(content)
    }

    fn write_at(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(offset as u64))?;
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}
