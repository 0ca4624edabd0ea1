//! The layout of a vote file: two pairs of copies, of which a save overwrites the older.
//!
//! ```text
//! block 0: pair 0, copy 0     block 1: pair 1, copy 0     block 2: pair 0, copy 1     block 3: pair 1, copy 1
//! ```
//!
//! Record number *n* lies in pair *n* mod 2, in both of its copies. A save writes both copies of the older pair
//! and syncs once, so the newest durable record is never overwritten, and has two copies as soon as its save
//! returns.
//!
//! Reading takes the newest copy that is whole. It is the newest *durable* record unless both copies of a newer
//! one are damaged, and then the other pair has no whole copy at all: that file is refused. A save that was cut
//! off damages at most the copy that was being written, because a copy lies within one sector; the other copy of
//! its pair is still whole, old or new, and proves that the save had not returned.

use std::io;

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
const RECORD_BYTES_MAX: usize = CHECKSUM_AT - HEADER_BYTES;

const _: () = assert!(elect_core::wire::RECORD_BYTES_MAX <= RECORD_BYTES_MAX);

/// What a vote file needs of a file. Tests put a failing one in its place.
pub(super) trait Disk {
    /// The whole content.
    fn read(&mut self) -> io::Result<Vec<u8>>;
    /// Overwrites a part of it.
    fn write_at(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()>;
    /// Returns once everything written is durable.
    fn sync(&mut self) -> io::Result<()>;
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
    failed: bool,
}

/// What was found on opening.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The bytes of the newest durable record.
    pub(super) record: Vec<u8>,
    /// How many copies were damaged, or left behind by a save that was cut off.
    pub(super) torn: usize,
}

impl<D: Disk> PairedCopies<D> {
    /// Reads the newest record and restores all four copies if one is damaged.
    pub(super) fn open(mut disk: D) -> io::Result<Result<(Self, Found), Unreadable>> {
        let content = disk.read()?;
        let (sequence, found) = match newest(&content) {
            Ok(newest) => newest,
            Err(unreadable) => return Ok(Err(unreadable)),
        };
        let mut copies = Self { disk, sequence, failed: false };
        if found.torn > 0 {
            // One save for each pair, the older first: a single copy never stands alone.
            copies.save(&found.record)?;
            copies.save(&found.record)?;
        }
        Ok(Ok((copies, found)))
    }

    /// Makes `record` durable. After an error nothing is known of the disk, and every later save fails too (S11).
    pub(super) fn save(&mut self, record: &[u8]) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier save failed, so what the disk holds is unknown"));
        }
        self.failed = true;
        let sequence =
            self.sequence.checked_add(1).ok_or_else(|| io::Error::other("the sequence is exhausted"))?;
        for block in blocks_of(sequence) {
            self.disk.write_at(block * BLOCK_BYTES, &encode(sequence, block, record))?;
        }
        self.disk.sync()?;
        self.sequence = sequence;
        self.failed = false;
        Ok(())
    }
}

/// The content of a new file: both pairs hold `record`.
pub(super) fn initial(record: &[u8]) -> Vec<u8> {
    let mut content = vec![0; FILE_BYTES];
    for sequence in [1, 2] {
        for block in blocks_of(sequence) {
            content[block * BLOCK_BYTES..][..COPY_BYTES].copy_from_slice(&encode(sequence, block, record));
        }
    }
    content
}

/// The blocks of the pair that holds the record with this number.
fn blocks_of(sequence: u64) -> [usize; 2] {
    let pair = usize::from(!sequence.is_multiple_of(2));
    [pair, pair + 2]
}

fn encode(sequence: u64, block: usize, record: &[u8]) -> [u8; COPY_BYTES] {
    assert!(record.len() <= RECORD_BYTES_MAX, "a record of {} bytes does not fit", record.len());
    let mut copy = [0; COPY_BYTES];
    copy[..8].copy_from_slice(&MAGIC);
    copy[8..10].copy_from_slice(&VERSION.to_le_bytes());
    copy[10] = u8::try_from(block).unwrap_or(u8::MAX);
    copy[12..16].copy_from_slice(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes());
    copy[16..24].copy_from_slice(&sequence.to_le_bytes());
    copy[HEADER_BYTES..][..record.len()].copy_from_slice(record);
    let checksum = crc32fast::hash(&copy[..CHECKSUM_AT]);
    copy[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
    copy
}

/// A whole copy.
struct Copy<'a> {
    sequence: u64,
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
    Read::Whole(Copy { sequence, record: &copy[HEADER_BYTES..][..length] })
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
    let record = current.next().map_or(&[][..], |copy| copy.record);
    if current.any(|copy| copy.record != record) {
        return Err(Unreadable::Damaged("two copies with the same number differ"));
    }
    let expected = |block: usize, copy: &Option<Copy<'_>>| {
        let wanted = if blocks_of(sequence).contains(&block) { sequence } else { sequence - 1 };
        copy.as_ref().is_some_and(|copy| copy.sequence == wanted)
    };
    let torn = copies.iter().enumerate().filter(|(block, copy)| !expected(*block, copy)).count();
    Ok((sequence, Found { record: record.to_vec(), torn }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vote_file::faults::{Faulty, Memory};

    fn memory(record: &[u8]) -> Memory {
        Memory { content: initial(record) }
    }

    fn open(disk: Memory) -> Result<(PairedCopies<Memory>, Found), Unreadable> {
        PairedCopies::open(disk).expect("a disk in memory does not fail")
    }

    fn record_of(content: &[u8]) -> Result<Vec<u8>, Unreadable> {
        open(Memory { content: content.to_vec() }).map(|(_, found)| found.record)
    }

    /// A file after saves of `records`, with the last one durable.
    fn saved(records: &[&[u8]]) -> Vec<u8> {
        let (mut copies, _) = open(memory(b"first")).unwrap();
        for record in records {
            copies.save(record).unwrap();
        }
        copies.disk.content
    }

    #[test]
    fn the_newest_record_comes_back() {
        assert_eq!(record_of(&initial(b"first")), Ok(b"first".to_vec()));
        assert_eq!(record_of(&saved(&[b"one"])), Ok(b"one".to_vec()));
        assert_eq!(record_of(&saved(&[b"one", b"two"])), Ok(b"two".to_vec()));
        assert_eq!(record_of(&saved(&[b"one", b"two", &[7; 256]])), Ok(vec![7; 256]));
    }

    #[test]
    fn a_flipped_bit_in_any_copy_is_survived_and_repaired() {
        let content = saved(&[b"one", b"two", b"three"]);
        for block in 0..COPIES {
            for bit in 0..COPY_BYTES * 8 {
                let mut rotted = content.clone();
                rotted[block * BLOCK_BYTES + bit / 8] ^= 1 << (bit % 8);
                let (copies, found) = open(Memory { content: rotted }).unwrap();
                assert_eq!(found, Found { record: b"three".to_vec(), torn: 1 }, "block {block}, bit {bit}");
                let (_, repaired) = open(copies.disk).unwrap();
                assert_eq!(
                    repaired,
                    Found { record: b"three".to_vec(), torn: 0 },
                    "block {block}, bit {bit}"
                );
            }
        }
    }

    #[test]
    fn a_truncated_file_is_refused_at_every_length() {
        let content = saved(&[b"one", b"two", b"three"]);
        for length in 0..FILE_BYTES {
            assert!(matches!(record_of(&content[..length]), Err(Unreadable::Damaged(_))), "{length}");
        }
        assert!(record_of(&[&content[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_copy_cut_off_at_any_byte_is_survived() {
        let content = saved(&[b"one", b"two", b"three"]);
        for block in 0..COPIES {
            for kept in 0..COPY_BYTES {
                let mut cut = content.clone();
                cut[block * BLOCK_BYTES..][kept..COPY_BYTES].fill(0);
                assert_eq!(record_of(&cut), Ok(b"three".to_vec()), "block {block}, {kept} bytes kept");
            }
        }
    }

    #[test]
    fn a_save_torn_at_any_byte_leaves_the_old_or_the_new_record() {
        for rounds in 0..4 {
            let before: Vec<&[u8]> = [&b"a"[..], b"b", b"old"][..rounds].to_vec();
            let old = before.last().copied().unwrap_or(b"first").to_vec();
            let content = saved(&before);
            for cut in 0..=COPY_BYTES * 2 {
                // Either copy may reach the disk first.
                for order in [[0, 1], [1, 0]] {
                    let torn = torn_save(&content, rounds as u64 + 3, b"new!", cut, order);
                    let got = record_of(&torn).unwrap_or_else(|error| panic!("{cut} {order:?}: {error:?}"));
                    assert!(got == old || got == b"new!", "{cut} {order:?}: {got:?}");
                    assert!(cut < COPY_BYTES * 2 || got == b"new!", "a finished save counts");
                }
            }
        }
    }

    /// `content` after a save that was cut off when `cut` bytes of its two copies had arrived.
    fn torn_save(content: &[u8], sequence: u64, record: &[u8], cut: usize, order: [usize; 2]) -> Vec<u8> {
        let mut torn = content.to_vec();
        let mut left = cut;
        for copy in order {
            let block = blocks_of(sequence)[copy];
            let arrived = left.min(COPY_BYTES);
            torn[block * BLOCK_BYTES..][..arrived]
                .copy_from_slice(&encode(sequence, block, record)[..arrived]);
            left -= arrived;
        }
        torn
    }

    #[test]
    fn saves_go_on_after_a_torn_one() {
        for cut in 0..=COPY_BYTES * 2 {
            let torn = torn_save(&saved(&[b"old"]), 4, b"new", cut, [0, 1]);
            let (mut copies, _) = open(Memory { content: torn }).unwrap();
            copies.save(b"next").unwrap();
            assert_eq!(record_of(&copies.disk.content), Ok(b"next".to_vec()), "{cut}");
        }
    }

    #[test]
    fn losing_both_copies_of_the_newest_record_is_no_way_back_to_an_older_one() {
        let content = saved(&[b"one", b"two", b"three"]);
        for pair in [0, 1] {
            let mut rotted = content.clone();
            for block in blocks_of(pair) {
                rotted[block * BLOCK_BYTES + 30] ^= 1;
            }
            assert!(matches!(record_of(&rotted), Err(Unreadable::Damaged(_))), "pair {pair}");
        }
    }

    #[test]
    fn another_version_is_not_taken_for_damage() {
        let mut content = saved(&[]);
        content[8] = 9;
        let checksum = crc32fast::hash(&content[..CHECKSUM_AT]);
        content[CHECKSUM_AT..COPY_BYTES].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(record_of(&content), Err(Unreadable::Version(9)));
    }

    #[test]
    fn a_failure_of_any_call_leaves_the_old_or_the_new_record_and_ends_all_saving() {
        for failing in 0..3 {
            for written in [0, 1, 100, COPY_BYTES] {
                let disk = Faulty::new(memory(b"old"), failing, written);
                let (mut copies, _) = PairedCopies::open(disk).unwrap().unwrap();
                copies.save(b"new").unwrap_err();
                copies
                    .save(b"later")
                    .expect_err("fail stop: the disk works again, but what it holds is unknown");
                let got = record_of(&copies.disk.inner.content).unwrap();
                assert!(got == b"old" || got == b"new", "{failing} {written}: {got:?}");
            }
        }
    }

    #[test]
    fn a_save_syncs_once_and_after_its_writes() {
        let (mut copies, _) = PairedCopies::open(Faulty::healthy(memory(b"old"))).unwrap().unwrap();
        copies.save(b"new").unwrap();
        assert_eq!(copies.disk.calls, ["write", "write", "sync"]);
    }
}
