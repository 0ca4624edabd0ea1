//! The vote file: the durable record of one node.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use elect_core::wire::{self, WireError};
use elect_core::{Config, Record, StartRefused, VoteStore};

use crate::event::NodeNotice;

#[cfg(test)]
mod faults;
mod paired_copies;

use paired_copies::{Disk, PairedCopies, Unreadable};

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

/// The durable record of one node, locked against a second process for as long as it is open.
///
/// A save takes two small writes and one `fdatasync`. It survives a crash at any byte of a save and the loss of
/// any one copy, and never falls back to an older record: a file that may have held a newer one is refused.
#[derive(Debug)]
pub struct VoteFile {
    path: PathBuf,
    copies: PairedCopies<File>,
    record: Record,
    repaired: usize,
}

impl VoteFile {
    /// Makes the file of a node that never ran before: an operator's explicit act, once.
    ///
    /// Refuses an existing file. After a crash the file is there whole, or not at all.
    pub fn init(path: impl AsRef<Path>, config: &Config) -> Result<(), VoteFileError> {
        create(path.as_ref(), &Record::first_boot(config))
    }

    /// Makes the file of a node whose storage was lost, rotted, cloned or restored from a backup: such a node
    /// counts for nothing until it has caught up (S13).
    ///
    /// A file that is still there is kept beside it, with `.lost` appended to its name.
    pub fn replace_lost(path: impl AsRef<Path>, config: &Config) -> Result<(), VoteFileError> {
        let path = path.as_ref();
        match File::open(path) {
            Ok(file) => {
                lock(&file, path)?;
                let mut aside = path.as_os_str().to_owned();
                aside.push(".lost");
                fs::rename(path, aside).map_err(|source| failed("move aside", path, source))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(failed("open", path, source)),
        }
        create(path, &Record::replacement(config))
    }

    /// Opens and locks the file of a node, and repairs a torn or rotted copy.
    pub fn open(path: impl AsRef<Path>, config: &Config) -> Result<Self, VoteFileError> {
        let path = path.as_ref();
        let file = open_locked(path)?;
        let opened = PairedCopies::open(file).map_err(|source| failed("read", path, source))?;
        let (copies, found) = opened.map_err(|unreadable| match unreadable {
            Unreadable::Damaged(what) => VoteFileError::Damaged { path: path.into(), what: what.into() },
            Unreadable::Version(version) => VoteFileError::Version { path: path.into(), version },
        })?;
        let record = wire::decode_record(&found.record).map_err(|error: WireError| {
            VoteFileError::Damaged { path: path.into(), what: format!("its record cannot be read: {error}") }
        })?;
        if let Some(refused) = mismatch(&record, config) {
            return Err(VoteFileError::Foreign { path: path.into(), refused });
        }
        Ok(Self { path: path.into(), copies, record, repaired: found.torn })
    }

    /// The newest durable record.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// How many of the four copies had to be restored on opening: more than zero after a crash during a save,
    /// or where the disk rots.
    pub const fn repaired(&self) -> usize {
        self.repaired
    }

    /// What was found on opening that a host should know.
    pub(crate) fn notices(&self) -> Vec<NodeNotice> {
        let repaired = (self.repaired > 0).then_some(NodeNotice::VoteFileRepaired { copies: self.repaired });
        repaired.into_iter().collect()
    }
}

impl VoteStore for VoteFile {
    type Error = VoteFileError;

    fn save(&mut self, record: &Record) -> Result<(), Self::Error> {
        let saved = self.copies.save(&wire::encode_record(record));
        saved.map_err(|source| failed("save a record to", &self.path, source))?;
        self.record = *record;
        Ok(())
    }
}

impl Disk for File {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut content = Vec::with_capacity(paired_copies::FILE_BYTES + 1);
        self.seek(SeekFrom::Start(0))?;
        // One byte more than a sound file has is enough to see that it is not.
        self.take(paired_copies::FILE_BYTES as u64 + 1).read_to_end(&mut content)?;
        Ok(content)
    }

    fn write_at(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset as u64))?;
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> VoteFileError {
    VoteFileError::Io { action, path: path.into(), source }
}

fn mismatch(record: &Record, config: &Config) -> Option<StartRefused> {
    if record.cluster != config.cluster() {
        Some(StartRefused::OtherCluster { record: record.cluster, config: config.cluster() })
    } else if record.node != config.node() {
        Some(StartRefused::OtherNode { record: record.node, config: config.node() })
    } else if record.members != config.digest() {
        Some(StartRefused::OtherMembers { record: record.members, config: config.digest() })
    } else {
        None
    }
}

/// Writes a whole file under another name, syncs it, and gives it its name only then, unless that is taken.
fn create(path: &Path, record: &Record) -> Result<(), VoteFileError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".draft-{}", std::process::id()));
    let draft = PathBuf::from(draft);
    let written = write_draft(&draft, record).map_err(|source| failed("write", &draft, source));
    let named = written.and_then(|()| match fs::hard_link(&draft, path) {
        Ok(()) => sync_directory(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(VoteFileError::Exists { path: path.into() })
        }
        Err(source) => Err(failed("create", path, source)),
    });
    // The draft has served, or is of no use: what is left of it harms nobody.
    let _ = fs::remove_file(&draft);
    named
}

fn write_draft(draft: &Path, record: &Record) -> io::Result<()> {
    let mut file = File::create(draft)?;
    file.write_all(&paired_copies::initial(&wire::encode_record(record)))?;
    file.sync_all()
}

/// Makes a name durable.
fn sync_directory(path: &Path) -> Result<(), VoteFileError> {
    if !cfg!(unix) {
        return Ok(());
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| failed("sync the directory", directory, source))
}

fn open_locked(path: &Path) -> Result<File, VoteFileError> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(VoteFileError::Missing { path: path.into() });
        }
        Err(source) => return Err(failed("open", path, source)),
    };
    lock(&file, path)?;
    // Between open and lock a `replace_lost` may have put another file in this one's place.
    if is_named(&file, path).map_err(|source| failed("open", path, source))? {
        Ok(file)
    } else {
        Err(VoteFileError::InUse { path: path.into() })
    }
}

fn lock(file: &File, path: &Path) -> Result<(), VoteFileError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => VoteFileError::InUse { path: path.into() },
        TryLockError::Error(source) => failed("lock", path, source),
    })
}

/// Whether `path` still names this very file.
#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let (open, named) = (file.metadata()?, fs::metadata(path)?);
    Ok((open.dev(), open.ino()) == (named.dev(), named.ino()))
}

/// Whether `path` still names this very file: elsewhere a file that is open cannot be replaced.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the unix variant can fail")]
fn is_named(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests;
