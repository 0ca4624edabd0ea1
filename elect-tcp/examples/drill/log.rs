//! The smallest replicated log: entries without content, of which only the last position counts.
//!
//! A write takes a stamp, goes into the log under the fence, and is sent to the peers, who apply it under theirs and answer.
//! The position outlives the process, as the page cache does.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use elect_core::{Epoch, Log, Position, Stamp};

use crate::disk::Disk;

/// The last entry, on a disk that may misbehave.
#[derive(Debug)]
pub(crate) struct Entries {
    file: File,
    disk: Disk,
    last: Option<Position>,
}

impl Entries {
    pub(crate) fn open(path: &Path, disk: Disk) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)?;
        let mut bytes = [0; 16];
        let last = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Some(position(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        Ok(Self { file, disk, last })
    }

    /// One more entry, of that epoch.
    pub(crate) fn append(&mut self, epoch: Epoch) -> io::Result<Position> {
        let next = Position::new(epoch, self.last.map_or(0, |last| last.offset) + 1);
        self.reach(next)?;
        Ok(next)
    }

    /// Everything up to there. Entries have no content, so this is all that catching up takes.
    pub(crate) fn reach(&mut self, position: Position) -> io::Result<()> {
        if self.last.is_some_and(|last| last >= position) {
            return Ok(());
        }
        self.disk.touch()?;
        self.file.write_all_at(&bytes(position), 0)?;
        self.last = Some(position);
        Ok(())
    }
}

impl Log for Entries {
    fn last_durable(&self) -> Option<Position> {
        self.last
    }
}

fn bytes(position: Position) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&position.epoch.number().to_le_bytes());
    bytes[8..].copy_from_slice(&position.offset.to_le_bytes());
    bytes
}

fn position(bytes: &[u8; 16]) -> Position {
    let number = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(word)
    };
    Position::new(Epoch::new(number(0)), number(8))
}

/// What goes from a leader to its peers, and back as an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) is_answer: bool,
    /// Whose answer it is: a number in the list.
    pub(crate) from: u8,
    pub(crate) stamp: Stamp,
    pub(crate) last: Position,
}

impl Message {
    pub(crate) const BYTES: usize = 26;

    pub(crate) fn encode(self) -> [u8; Self::BYTES] {
        let mut encoded = [0; Self::BYTES];
        (encoded[0], encoded[1]) = (u8::from(self.is_answer), self.from);
        encoded[2..10].copy_from_slice(&self.stamp.epoch().number().to_le_bytes());
        encoded[10..].copy_from_slice(&bytes(self.last));
        encoded
    }

    pub(crate) fn decode(encoded: &[u8]) -> Option<Self> {
        let encoded: &[u8; Self::BYTES] = encoded.try_into().ok()?;
        let stamp = u64::from_le_bytes(encoded[2..10].try_into().ok()?);
        Some(Self {
            is_answer: encoded[0] == 1,
            from: encoded[1],
            stamp: Stamp::received(Epoch::new(stamp)),
            last: position(encoded[10..].try_into().ok()?),
        })
    }
}
