//! Golden vectors: version 1 never changes. Another layout is another version with a file of its own.

use core::fmt::Write as _;

use elect_core::wire::{self, FRAME_BYTES_MAX, RECORD_BYTES_MAX};

use crate::{bytes_of, reader, samples};

const FRAMES: &str = include_str!("../golden/frames_v1.txt");
const RECORDS: &str = include_str!("../golden/records_v1.txt");

fn line(name: &str, bytes: &[u8]) -> String {
    let mut line = format!("{name} ");
    for byte in bytes {
        write!(line, "{byte:02x}").unwrap();
    }
    line.push('\n');
    line
}

/// The bytes of each line of a golden file.
pub(crate) fn vectors(file: &str) -> Vec<(&str, Vec<u8>)> {
    file.lines()
        .map(|line| {
            let (name, hex) = line.split_once(' ').expect("a name, a space, the bytes in hex");
            let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (name, (0..hex.len()).step_by(2).map(byte).collect())
        })
        .collect()
}

pub(crate) fn frame_vectors() -> Vec<(&'static str, Vec<u8>)> {
    vectors(FRAMES)
}

pub(crate) fn record_vectors() -> Vec<(&'static str, Vec<u8>)> {
    vectors(RECORDS)
}

#[test]
fn frames_have_the_bytes_that_they_always_had() {
    let lines: String = samples::frames().iter().map(|(name, frame)| line(name, &bytes_of(frame))).collect();
    assert!(lines == FRAMES, "tests/golden/frames_v1.txt says otherwise:\n{lines}");
}

#[test]
fn records_have_the_bytes_that_they_always_had() {
    let encoded = |record| wire::encode_record(record);
    let lines: String =
        samples::records().iter().map(|(name, record)| line(name, &encoded(record))).collect();
    assert!(lines == RECORDS, "tests/golden/records_v1.txt says otherwise:\n{lines}");
}

#[test]
fn both_readers_read_the_golden_frames() {
    let samples = samples::frames();
    let vectors = frame_vectors();
    assert_eq!(samples.len(), vectors.len());
    for ((name, frame), (golden, bytes)) in samples.iter().zip(&vectors) {
        assert_eq!(name, golden);
        assert_eq!(wire::decode(bytes).as_ref(), Ok(frame), "{name}");
        assert_eq!(&reader::frame(bytes), frame, "{name}");
    }
}

#[test]
fn both_readers_read_the_golden_records() {
    let samples = samples::records();
    let vectors = record_vectors();
    assert_eq!(samples.len(), vectors.len());
    for ((name, record), (golden, bytes)) in samples.iter().zip(&vectors) {
        assert_eq!(name, golden);
        assert_eq!(wire::decode_record(bytes).as_ref(), Ok(record), "{name}");
        assert_eq!(&reader::record(bytes), record, "{name}");
    }
}

#[test]
fn a_heartbeat_with_names_of_eight_bytes_takes_at_most_96_bytes() {
    assert_eq!(bytes_of(&samples::followers_heartbeat()).len(), 85);
    assert_eq!(bytes_of(&samples::leaders_heartbeat()).len(), 80);
    assert_eq!(bytes_of(&samples::followers_heartbeat_with_less()).len(), 89);
    // A genesis costs 8 bytes.
    let (_, bytes) =
        frame_vectors().into_iter().find(|(name, _)| *name == "genesis_final_heartbeat_following").unwrap();
    assert_eq!(bytes.len(), 93);
}

#[test]
fn the_limits_are_those_of_the_longest() {
    assert_eq!(bytes_of(&samples::longest()).len(), FRAME_BYTES_MAX);
    assert!(
        samples::records().iter().all(|(_, record)| wire::encode_record(record).len() <= RECORD_BYTES_MAX)
    );
}
