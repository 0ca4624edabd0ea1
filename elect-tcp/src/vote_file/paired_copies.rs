//! The layout of a vote file: two pairs of copies, of which a save overwrites the older.
//!
//! ```text
//! block 0: pair 0, copy 0     block 1: pair 1, copy 0     block 2: pair 0, copy 1     block 3: pair 1, copy 1
//! ```
//!
//! Record number *n* lies in pair *n* mod 2, in both of its copies. A save writes both copies of the older pair
//! and syncs once, so the newest durable record is never overwritten, and has two copies as soon as its save
//! returns. Beside the record each copy holds where the file lies ([`home`](super::home)).
//!
//! Reading takes the newest copy that is whole. It is the newest *durable* record unless both copies of a newer
//! one are damaged, and then the other pair has no whole copy at all: that file is refused. A save that was cut
//! off damages at most the copy that was being written, because a copy lies within one sector; the other copy of
//! its pair is still whole, old or new, and proves that the save had not returned. A power cut may tear both at once
//! where the disk does not write a sector whole or writes both at a time ([`VoteSyncs`]); then the file is refused.

use std::io;

use super::home::HOME_BYTES;

/// Copies lie so far apart that no sector, and no page, holds two of them.
pub(super) const BLOCK_BYTES: usize = 4096;
/// A copy fits into the smallest sector.
pub(super) const COPY_BYTES: usize = 512;
pub(super) const COPIES: usize = 4;
pub(super) const FILE_BYTES: usize = BLOCK_BYTES * COPIES;

const MAGIC: [u8; 8] = *b"elect-vf";
const VERSION: u16 = 1;
/// Magic, version, block, padding, record length, sequence.
const HEADER_BYTES: usize = 8 + 2 + 1 + 1 + 4 + 8;
const CHECKSUM_AT: usize = COPY_BYTES - 4;
const RECORD_AT: usize = HEADER_BYTES + HOME_BYTES;
const RECORD_BYTES_MAX: usize = CHECKSUM_AT - RECORD_AT;

const _: () = assert!(elect_core::wire::RECORD_BYTES_MAX <= RECORD_BYTES_MAX);

/// How a save becomes durable, and what a power cut in the middle of one may cost.
///
/// A save overwrites the two copies of the older record, never those of the newest. Disks promise to write a sector whole
/// or not at all; where one breaks that promise, or a layer between (a RAID controller without a battery, some flash, a
/// virtual disk that writes larger blocks), a power cut tears what is in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VoteSyncs {
    /// Both copies are written, then synced once. A cut that tears *both* leaves a file whose newest record cannot be
    /// known, and which is refused: the node needs `replace_lost`, and counts for nothing until it has caught up with
    /// the others. If that strikes a quorum at once, as when a whole site loses power, the group stays without leader
    /// until an operator has looked. A crash of the process or of the system alone never tears a copy.
    #[default]
    One,
    /// One copy is written and synced after the other, so that a cut can tear only one, and the file opens with the old
    /// record or the new one. A save takes two syncs: about twice as long, and so does the part of a failover that waits
    /// for it. What opening a file writes (a repair, where the file lies) is always synced so.
    Two,
}

/// What a vote file needs of a file. Tests put a failing one in its place.
pub(super) trait Disk {
    /// The whole content.
    fn read(&mut self) -> io::Result<Vec<u8>>;
    /// Overwrites a part of it.
    fn write_at(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()>;
    /// Returns once everything written is durable.
    fn sync(&mut self) -> io::Result<()>;
}

impl<D: Disk> Disk for &mut D {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        (**self).read()
    }

    fn write_at(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        (**self).write_at(offset, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        (**self).sync()
    }
}

/// Why the content of a file is no record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// What is wrong with it.
    Damaged(&'static str),
    /// A whole copy of another format.
    Version(u16),
}

/// An open vote file: the algorithm without paths and locks.
#[derive(Debug)]
pub(super) struct PairedCopies<D> {
    disk: D,
    sequence: u64,
    home: [u8; HOME_BYTES],
    syncs: VoteSyncs,
    failed: bool,
}

/// What was found on opening.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The bytes of the newest durable record.
    pub(super) record: Vec<u8>,
    /// Where the file lay.
    pub(super) home: [u8; HOME_BYTES],
    /// How many copies were damaged, or left behind by a save that was cut off.
    pub(super) torn: usize,
}

impl<D: Disk> PairedCopies<D> {
    /// Reads the newest record. Changes nothing.
    pub(super) fn open(mut disk: D) -> io::Result<Result<(Self, Found), Unreadable>> {
        let content = disk.read()?;
        Ok(newest(&content).map(|(sequence, found)| {
            let copies =
                Self { disk, sequence, home: found.home, syncs: VoteSyncs::default(), failed: false };
            (copies, found)
        }))
    }

    #[cfg(test)]
    pub(super) const fn disk(&self) -> &D {
        &self.disk
    }

    /// Sets what the next saves write of where the file lies.
    pub(super) const fn set_home(&mut self, home: [u8; HOME_BYTES]) {
        self.home = home;
    }

    pub(super) const fn set_syncs(&mut self, syncs: VoteSyncs) {
        self.syncs = syncs;
    }

    /// Restores all four copies. One save for each pair, the older first: a single copy never stands alone.
    pub(super) fn repair(&mut self, record: &[u8]) -> io::Result<()> {
        self.renew(record)?;
        self.renew(record)
    }

    /// Saves what is known already, on opening: always with two syncs. It happens after a power cut, at all nodes at once,
    /// and nobody has said yet how saves are to be made durable.
    pub(super) fn renew(&mut self, record: &[u8]) -> io::Result<()> {
        self.write(record, VoteSyncs::Two)
    }

    /// Makes every later save fail.
    pub(super) const fn give_up(&mut self) {
        self.failed = true;
    }

    /// Makes `record` durable. After an error nothing is known of the disk, and every later save fails too (S11).
    pub(super) fn save(&mut self, record: &[u8]) -> io::Result<()> {
        self.write(record, self.syncs)
    }

    fn write(&mut self, record: &[u8], syncs: VoteSyncs) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier save failed, so what the disk holds is unknown"));
        }
        self.failed = true;
        let sequence =
            self.sequence.checked_add(1).ok_or_else(|| io::Error::other("the sequence is exhausted"))?;
        for (copy, block) in blocks_of(sequence).into_iter().enumerate() {
            self.disk.write_at(block * BLOCK_BYTES, &encode(sequence, block, record, &self.home))?;
            if copy == 1 || syncs == VoteSyncs::Two {
                self.disk.sync()?;
            }
        }
        self.sequence = sequence;
        self.failed = false;
        Ok(())
    }
}

/// The content of a new file: both pairs hold `record`.
pub(super) fn initial(record: &[u8], home: &[u8; HOME_BYTES]) -> Vec<u8> {
    let mut content = vec![0; FILE_BYTES];
    for sequence in [1, 2] {
        for block in blocks_of(sequence) {
            content[block * BLOCK_BYTES..][..COPY_BYTES]
                .copy_from_slice(&encode(sequence, block, record, home));
        }
    }
    content
}

/// Puts `record` into a file that cannot be read: no copy of another one may lie beside a new one at any moment.
pub(super) fn overwrite(disk: &mut impl Disk, record: &[u8], home: &[u8; HOME_BYTES]) -> io::Result<()> {
    disk.write_at(0, &vec![0; FILE_BYTES])?;
    disk.sync()?;
    disk.write_at(0, &initial(record, home))?;
    disk.sync()
}

/// The blocks of the pair that holds the record with this number.
fn blocks_of(sequence: u64) -> [usize; 2] {
    let pair = usize::from(!sequence.is_multiple_of(2));
    [pair, pair + 2]
}

fn encode(sequence: u64, block: usize, record: &[u8], home: &[u8; HOME_BYTES]) -> [u8; COPY_BYTES] {
    assert!(record.len() <= RECORD_BYTES_MAX, "a record of {} bytes does not fit", record.len());
    let mut copy = [0; COPY_BYTES];
    copy[..8].copy_from_slice(&MAGIC);
    copy[8..10].copy_from_slice(&VERSION.to_le_bytes());
    copy[10] = u8::try_from(block).unwrap_or(u8::MAX);
    copy[12..16].copy_from_slice(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes());
    copy[16..24].copy_from_slice(&sequence.to_le_bytes());
    copy[HEADER_BYTES..RECORD_AT].copy_from_slice(home);
    copy[RECORD_AT..][..record.len()].copy_from_slice(record);
    let checksum = crc32fast::hash(&copy[..CHECKSUM_AT]);
    copy[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
    copy
}

/// A whole copy.
struct Copy<'a> {
    sequence: u64,
    home: [u8; HOME_BYTES],
    record: &'a [u8],
}

enum Read<'a> {
    Whole(Copy<'a>),
    Damaged,
    OtherVersion(u16),
}

fn decode(copy: &[u8], block: usize) -> Read<'_> {
    let number = |range: std::ops::Range<usize>| {
        copy[range].iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte))
    };
    let checksum = u64::from(crc32fast::hash(&copy[..CHECKSUM_AT]));
    if copy[..8] != MAGIC || number(CHECKSUM_AT..COPY_BYTES) != checksum {
        return Read::Damaged;
    }
    let version = u16::try_from(number(8..10)).unwrap_or(u16::MAX);
    if version != VERSION {
        return Read::OtherVersion(version);
    }
    let (length, sequence) = (usize::try_from(number(12..16)).unwrap_or(usize::MAX), number(16..24));
    if usize::from(copy[10]) != block || length > RECORD_BYTES_MAX || !blocks_of(sequence).contains(&block) {
        return Read::Damaged;
    }
    let mut home = [0; HOME_BYTES];
    home.copy_from_slice(&copy[HEADER_BYTES..RECORD_AT]);
    Read::Whole(Copy { sequence, home, record: &copy[RECORD_AT..][..length] })
}

fn newest(content: &[u8]) -> Result<(u64, Found), Unreadable> {
    if content.len() != FILE_BYTES {
        return Err(Unreadable::Damaged("it is not 16384 bytes long"));
    }
    let mut copies: [Option<Copy<'_>>; COPIES] = [const { None }; COPIES];
    for (block, copy) in copies.iter_mut().enumerate() {
        *copy = match decode(&content[block * BLOCK_BYTES..][..COPY_BYTES], block) {
            Read::Whole(whole) => Some(whole),
            Read::Damaged => None,
            Read::OtherVersion(version) => return Err(Unreadable::Version(version)),
        };
    }
    let sequence = copies.iter().flatten().map(|copy| copy.sequence).max();
    let sequence = sequence.ok_or(Unreadable::Damaged("none of its four copies is whole"))?;
    let has = |sequence: u64| blocks_of(sequence).map(|block| copies[block].as_ref());
    if has(sequence + 1).iter().all(Option::is_none) {
        return Err(Unreadable::Damaged("both copies of what may be its newest record are damaged"));
    }
    let mut current = has(sequence).into_iter().flatten().filter(|copy| copy.sequence == sequence);
    let (record, home) = current.next().map_or((&[][..], [0; HOME_BYTES]), |copy| (copy.record, copy.home));
    if current.any(|copy| copy.record != record || copy.home != home) {
        return Err(Unreadable::Damaged("two copies with the same number differ"));
    }
    let expected = |block: usize, copy: &Option<Copy<'_>>| {
        let wanted = if blocks_of(sequence).contains(&block) { sequence } else { sequence - 1 };
        copy.as_ref().is_some_and(|copy| copy.sequence == wanted)
    };
    let torn = copies.iter().enumerate().filter(|(block, copy)| !expected(*block, copy)).count();
    Ok((sequence, Found { record: record.to_vec(), home, torn }))
}

#[cfg(test)]
mod tests;
