//! The vote file: the durable record of one node.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use elect_core::wire::{self, WireError};
use elect_core::{Config, Incarnation, Record, StartRefused, VoteStore};

use crate::event::NodeNotice;

mod error;
#[cfg(test)]
mod faults;
mod home;
mod locked;
mod make;
mod paired_copies;

pub use self::error::VoteFileError;
use self::error::failed;
use self::home::{Home, Identity, Judgement, Machine};
use self::locked::Locked;
pub use self::paired_copies::VoteSyncs;
use self::paired_copies::{PairedCopies, Unreadable};

/// The durable record of one node, locked against a second process for as long as it is open.
///
/// A save takes two small writes and one `fdatasync`, or two ([`VoteSyncs`]). It survives a crash at any byte of a save
/// and the loss of any one copy, and never falls back to an older record: a file that may have held a newer one is
/// refused.
///
/// On Linux the file knows itself: its number in the file system and the moment of its making stand in it, with the
/// boot of the machine at which they were last seen. Where they have been seen to outlast two reboots in a row, a file that
/// differs is a copy, and is refused ([`VoteFileError::Moved`]); where that is not known yet, the node starts and tells its host
/// ([`NodeNotice::VoteFileMoved`]). On other systems, and on file systems that do not know when a file was made, nothing
/// is compared. A copy knows as much as was known when it was made: a backup from before those reboots is told, not
/// refused. Neither is noticed: old content written back into the same file, and a whole disk set back to a snapshot.
/// For these there are the group's own checks of lives that go back.
#[derive(Debug)]
pub struct VoteFile {
    /// Absolute: the host may change its directory.
    path: PathBuf,
    identity: Identity,
    copies: PairedCopies<Locked>,
    record: Record,
    repaired: usize,
    is_moved: bool,
}

impl VoteFile {
    /// Makes the file of a node that never ran before: an operator's explicit act, once.
    ///
    /// Refuses an existing file, and follows a symbolic link. After a crash the file is there whole, or not at all.
    pub fn init(path: impl AsRef<Path>, config: &Config) -> Result<(), VoteFileError> {
        make::first(path.as_ref(), &Record::first_boot(config), &Machine::this())
    }

    /// Makes the file of a node whose storage was lost, rotted, cloned or restored from a backup: such a node
    /// counts for nothing until it has caught up (S13).
    ///
    /// Follows a symbolic link. A file that is still there is kept beside it, with `.lost` appended to its name (`.lost.2`
    /// and so on where that is taken), and the answer says where. The new file is whole and durable before the old one is
    /// touched, and takes its name in one step: at every moment the name stands for one of them.
    ///
    /// On a full disk, where no new file can be made, the old one is overwritten in place and is not kept: the answer is
    /// `None`. That needs a file of the full length whose blocks may be overwritten, so it cannot help where the file is
    /// shorter, or where the file system writes everything anew (btrfs, ZFS). A crash in between leaves the old record,
    /// the new one, or, if the old could not be read, a file that is still refused.
    pub fn replace_lost(path: impl AsRef<Path>, config: &Config) -> Result<Option<PathBuf>, VoteFileError> {
        make::replacement(path.as_ref(), &Record::replacement(config), &Machine::this())
    }

    /// Says that a file which was moved is the only copy and the newest, and opens it where it lies now: an operator's
    /// explicit act. If it is neither, votes are forgotten: then it is [`replace_lost`](Self::replace_lost) that is needed.
    pub fn adopt(path: impl AsRef<Path>, config: &Config) -> Result<Self, VoteFileError> {
        Self::adopt_on(&Machine::this(), path.as_ref(), config)
    }

    /// Opens and locks the file of a node, and repairs a torn or rotted copy.
    pub fn open(path: impl AsRef<Path>, config: &Config) -> Result<Self, VoteFileError> {
        Self::open_on(&Machine::this(), path.as_ref(), config)
    }

    fn open_on(machine: &Machine, path: &Path, config: &Config) -> Result<Self, VoteFileError> {
        let found = Found::read(machine, path, config)?;
        match found.judgement {
            Judgement::Moved => Err(VoteFileError::Moved { path: found.file.path }),
            Judgement::AtHome | Judgement::PerhapsMoved => found.settle(),
        }
    }

    fn adopt_on(machine: &Machine, path: &Path, config: &Config) -> Result<Self, VoteFileError> {
        let mut adopted = Found::read(machine, path, config)?.settle()?;
        adopted.is_moved = false;
        Ok(adopted)
    }

    /// The life that the file names, which is over unless another process has the file: then this is
    /// [`VoteFileError::InUse`]. Writes nothing.
    pub(crate) fn life(path: &Path, config: &Config) -> Result<Incarnation, VoteFileError> {
        Ok(Found::read(&Machine::this(), path, config)?.file.record.incarnation)
    }

    /// How a save is made durable; [`VoteSyncs::One`] unless this is called.
    pub fn with_syncs(mut self, syncs: VoteSyncs) -> Self {
        self.copies.set_syncs(syncs);
        self
    }

    /// The newest durable record.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// How many of the four copies had to be restored on opening: more than zero after a crash during a save,
    /// or where the disk rots. Whoever opens the file first learns of it: the next one finds it repaired.
    pub const fn repaired(&self) -> usize {
        self.repaired
    }

    /// Whether the file lies elsewhere than when it was last opened, on a file system of which it is not known whether
    /// it keeps its numbers over a reboot. Whoever opens the file first learns of it.
    pub const fn is_moved(&self) -> bool {
        self.is_moved
    }

    /// Looks whether the file still has its name: a check for a host's health report. Every save does the same, and then
    /// the node stops.
    pub fn check(&self) -> Result<(), VoteFileError> {
        self.name().check()
    }

    /// What another thread needs to look after the file's name.
    pub(crate) fn name(&self) -> VoteFileName {
        VoteFileName { path: self.path.clone(), identity: self.identity }
    }

    /// What was found on opening that a host should know.
    pub(crate) fn notices(&self) -> Vec<NodeNotice> {
        let moved = self.is_moved.then(|| NodeNotice::VoteFileMoved { path: self.path.clone() });
        let repaired = (self.repaired > 0).then_some(NodeNotice::VoteFileRepaired { copies: self.repaired });
        moved.into_iter().chain(repaired).collect()
    }
}

impl VoteStore for VoteFile {
    type Error = VoteFileError;

    fn save(&mut self, record: &Record) -> Result<(), Self::Error> {
        let saved = self.copies.save(&wire::encode_record(record));
        saved.map_err(|source| failed("save a record to", &self.path, source))?;
        // Afterwards: what was saved under a name that has gone is not acknowledged.
        if let Err(gone) = self.check() {
            self.copies.give_up();
            return Err(gone);
        }
        self.record = *record;
        Ok(())
    }
}

/// The name of an open vote file, and which file it should stand for.
#[derive(Clone, Debug)]
pub(crate) struct VoteFileName {
    path: PathBuf,
    identity: Identity,
}

impl VoteFileName {
    pub(crate) fn check(&self) -> Result<(), VoteFileError> {
        match self.identity.is_named(&self.path) {
            Ok(true) => Ok(()),
            Ok(false) => Err(VoteFileError::Gone { path: self.path.clone() }),
            // A process that has given up its rights since the start cannot look any more.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Err(source) => Err(failed("look for", &self.path, source)),
        }
    }
}

/// A file that is locked, readable and this node's, before anything is written to it.
struct Found {
    file: VoteFile,
    judgement: Judgement,
    was: Option<Home>,
    is: Option<Home>,
}

impl Found {
    fn read(machine: &Machine, path: &Path, config: &Config) -> Result<Self, VoteFileError> {
        let path = std::path::absolute(path).map_err(|source| failed("open", path, source))?;
        let (file, identity) = open_locked(&path)?;
        let is = machine.home(file.file());
        let opened = PairedCopies::open(file).map_err(|source| failed("read", &path, source))?;
        let (copies, found) = opened.map_err(|unreadable| match unreadable {
            Unreadable::Damaged(what) => VoteFileError::Damaged { path: path.clone(), what: what.into() },
            Unreadable::Version(version) => VoteFileError::Version { path: path.clone(), version },
        })?;
        let record = wire::decode_record(&found.record).map_err(|error: WireError| {
            VoteFileError::Damaged { path: path.clone(), what: format!("its record cannot be read: {error}") }
        })?;
        if let Some(refused) = mismatch(&record, config) {
            return Err(VoteFileError::Foreign { path, refused });
        }
        let was = Home::decode(&found.home);
        let (judgement, is) = Home::judge(was, is);
        let is_moved = judgement == Judgement::PerhapsMoved;
        let file = VoteFile { path, identity, copies, record, repaired: found.torn, is_moved };
        Ok(Self { file, judgement, was, is })
    }

    /// Writes what opening has to write: copies that are damaged, and where the file lies now.
    fn settle(self) -> Result<VoteFile, VoteFileError> {
        let Self { mut file, was, is, .. } = self;
        file.copies.set_home(Home::encode(is));
        let record = wire::encode_record(&file.record);
        let written = if file.repaired > 0 {
            file.copies.repair(&record)
        } else if was != is {
            file.copies.renew(&record)
        } else {
            Ok(())
        };
        written.map_err(|source| failed("repair", &file.path, source))?;
        Ok(file)
    }
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

fn open_locked(path: &Path) -> Result<(Locked, Identity), VoteFileError> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(VoteFileError::Missing { path: path.into() });
        }
        Err(source) => return Err(failed("open", path, source)),
    };
    let file = Locked::new(file, path)?;
    let metadata = file.file().metadata().map_err(|source| failed("open", path, source))?;
    let identity = Identity::of(&metadata);
    // Between open and lock a `replace_lost` may have put another file in this one's place.
    if identity.is_named(path).map_err(|source| failed("open", path, source))? {
        Ok((file, identity))
    } else {
        Err(VoteFileError::InUse { path: path.into() })
    }
}

#[cfg(test)]
mod tests;
