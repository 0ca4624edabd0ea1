use super::*;
use crate::vote_file::faults::{Faulty, Memory, PowerCut};

const HOME: [u8; HOME_BYTES] = [5; HOME_BYTES];

fn memory(record: &[u8]) -> Memory {
    Memory { content: initial(record, &HOME) }
}

fn found(record: &[u8], torn: usize) -> Found {
    Found { record: record.to_vec(), home: HOME, torn }
}

/// Opens and, where that is needed, repairs.
fn open(disk: Memory) -> Result<(PairedCopies<Memory>, Found), Unreadable> {
    let (mut copies, found) = PairedCopies::open(disk).expect("a disk in memory does not fail")?;
    if found.torn > 0 {
        copies.repair(&found.record).unwrap();
    }
    Ok((copies, found))
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
    assert_eq!(record_of(&initial(b"first", &HOME)), Ok(b"first".to_vec()));
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
            let (copies, seen) = open(Memory { content: rotted }).unwrap();
            assert_eq!(seen, found(b"three", 1), "block {block}, bit {bit}");
            let (_, repaired) = open(copies.disk).unwrap();
            assert_eq!(repaired, found(b"three", 0), "block {block}, bit {bit}");
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
            .copy_from_slice(&encode(sequence, block, record, &HOME)[..arrived]);
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
            copies.save(b"later").expect_err("fail stop: the disk works again, but what it holds is unknown");
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

#[test]
fn with_two_syncs_each_copy_is_durable_before_the_next_is_written() {
    let (mut copies, _) = PairedCopies::open(Faulty::healthy(memory(b"old"))).unwrap().unwrap();
    copies.set_syncs(VoteSyncs::Two);
    copies.save(b"new").unwrap();
    assert_eq!(copies.disk.calls, ["write", "sync", "write", "sync"]);
}

/// What was written and not synced yet when the power went is torn: neither old nor new.
#[test]
fn a_power_cut_that_tears_what_is_in_flight_costs_the_file_with_one_sync_and_nothing_with_two() {
    for (syncs, calls) in [(VoteSyncs::One, 3), (VoteSyncs::Two, 4)] {
        let mut refused = 0;
        for cut in 0..=calls {
            let mut disk = PowerCut::new(memory(b"old"));
            let (mut copies, _) = PairedCopies::open(&mut disk).unwrap().unwrap();
            copies.set_syncs(syncs);
            copies.disk.left = cut;
            let saved = copies.save(b"new").is_ok();
            match record_of(&disk.after_the_cut()) {
                Ok(record) => assert!(record == b"new" || (!saved && record == b"old"), "{syncs:?} {cut}"),
                Err(Unreadable::Damaged(_)) if !saved => refused += 1,
                Err(error) => panic!("{syncs:?} {cut}: {error:?}"),
            }
        }
        assert_eq!(refused, usize::from(syncs == VoteSyncs::One), "{syncs:?}");
    }
}

/// After a cut all nodes open their files at once, and the power may go again.
#[test]
fn no_power_cut_during_a_repair_costs_the_file() {
    for cut in 0..=8 {
        let mut torn = memory(b"old");
        torn.content[BLOCK_BYTES + 40] ^= 1;
        let mut disk = PowerCut::new(torn);
        let (mut copies, found) = PairedCopies::open(&mut disk).unwrap().unwrap();
        assert_eq!(found.torn, 1);
        copies.disk.left = cut;
        assert_eq!(copies.repair(b"old").is_ok(), cut == 8);
        assert_eq!(record_of(&disk.after_the_cut()).unwrap(), b"old", "{cut}");
    }
}

#[test]
fn homes_that_differ_are_told_apart_and_saved() {
    let (mut copies, _) = open(memory(b"old")).unwrap();
    copies.set_home([9; HOME_BYTES]);
    copies.save(b"old").unwrap();
    let (_, seen) = open(copies.disk).unwrap();
    assert_eq!(seen, Found { record: b"old".to_vec(), home: [9; HOME_BYTES], torn: 0 });
}

#[test]
fn an_unreadable_file_is_overwritten_without_a_moment_at_which_an_older_record_counts() {
    // The older pair is whole, and must not come to stand beside a new copy.
    let mut content = saved(&[b"one", b"two", b"three"]);
    for block in blocks_of(5) {
        content[block * BLOCK_BYTES + 30] ^= 1;
    }
    assert!(record_of(&content).is_err());
    for failing in 0..=4 {
        for written in (0..=FILE_BYTES).step_by(256) {
            let inner = Memory { content: content.clone() };
            let mut disk = Faulty::new(inner, failing, written);
            let done = overwrite(&mut disk, b"fresh", &HOME);
            match record_of(&disk.inner.content) {
                Ok(record) => assert_eq!(record, b"fresh", "{failing} {written}"),
                Err(_) => assert!(done.is_err(), "{failing} {written}"),
            }
        }
    }
}
