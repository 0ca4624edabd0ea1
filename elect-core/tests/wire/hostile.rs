//! Bytes that no honest peer sends: each refusal says what, where and what is allowed.

use elect_core::wire::{self, FRAME_BYTES_MAX, PREFIX_BYTES, WireError};
use elect_core::{Frame, HostDataError, NameError};

use crate::golden::{frame_vectors, record_vectors};
use crate::{bytes_of, samples};

const TAG_AT: usize = 25;

fn golden(name: &str) -> Vec<u8> {
    let found = frame_vectors().into_iter().find(|(golden, _)| *golden == name);
    found.unwrap_or_else(|| panic!("no golden frame {name}")).1
}

/// The golden frame with one byte changed.
fn bent(name: &str, at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = golden(name);
    bytes[at] = byte;
    bytes
}

/// Sets the length field of a frame to the length that it has.
pub(crate) fn relength(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    bytes[3..5].copy_from_slice(&length.to_le_bytes());
    bytes
}

#[test]
fn every_truncation_is_refused_whatever_the_length_field_says() {
    for (name, bytes) in frame_vectors() {
        for end in 0..bytes.len() {
            assert!(wire::decode(&bytes[..end]).is_err(), "{name} cut to {end}");
            if end >= PREFIX_BYTES {
                let cut = relength(bytes[..end].to_vec());
                assert!(wire::decode(&cut).is_err(), "{name} cut to {end}, and saying so");
            }
        }
    }
    for (name, bytes) in record_vectors() {
        for end in 0..bytes.len() {
            assert!(wire::decode_record(&bytes[..end]).is_err(), "{name} cut to {end}");
            if end >= 4 {
                let mut cut = bytes[..end].to_vec();
                cut[2..4].copy_from_slice(&u16::try_from(end).unwrap().to_le_bytes());
                assert!(wire::decode_record(&cut).is_err(), "{name} cut to {end}, and saying so");
            }
        }
    }
}

#[test]
fn every_appended_byte_is_refused_whatever_the_length_field_says() {
    for (name, mut bytes) in frame_vectors() {
        let at = bytes.len();
        for byte in 0..=u8::MAX {
            bytes.push(byte);
            assert_eq!(wire::decode(&bytes), Err(WireError::Given { declared: at, given: at + 1 }), "{name}");
            if at < FRAME_BYTES_MAX {
                let trailing = WireError::Trailing { at, end: at + 1 };
                assert_eq!(wire::decode(&relength(bytes.clone())), Err(trailing), "{name}");
            }
            bytes.pop();
        }
    }
    for (name, mut bytes) in record_vectors() {
        let at = bytes.len();
        for byte in 0..=u8::MAX {
            bytes.push(byte);
            let given = WireError::Given { declared: at, given: at + 1 };
            assert_eq!(wire::decode_record(&bytes), Err(given), "{name}");
            let mut long = bytes.clone();
            long[2..4].copy_from_slice(&u16::try_from(at + 1).unwrap().to_le_bytes());
            assert_eq!(wire::decode_record(&long), Err(WireError::Trailing { at, end: at + 1 }), "{name}");
            bytes.pop();
        }
    }
}

#[test]
fn every_changed_byte_is_refused_or_reencodes_to_itself() {
    for (name, bytes) in frame_vectors() {
        for at in 0..bytes.len() {
            for byte in 0..=u8::MAX {
                let mut bent = bytes.clone();
                bent[at] = byte;
                if let Ok(frame) = wire::decode(&bent) {
                    assert_eq!(bytes_of(&frame), bent, "{name}, byte {at} = {byte:#04x}");
                }
            }
        }
    }
    for (name, bytes) in record_vectors() {
        for at in 0..bytes.len() {
            for byte in 0..=u8::MAX {
                let mut bent = bytes.clone();
                bent[at] = byte;
                if let Ok(record) = wire::decode_record(&bent) {
                    assert_eq!(wire::encode_record(&record), bent, "{name}, byte {at} = {byte:#04x}");
                }
            }
        }
    }
}

#[test]
fn another_format_is_refused_by_its_first_bytes() {
    let refused = |at, byte| {
        let bytes = bent("heartbeat_leading", at, byte);
        let prefix = bytes[..PREFIX_BYTES].try_into().unwrap();
        let error = wire::frame_length(prefix).unwrap_err();
        assert_eq!(wire::decode(&bytes), Err(error));
        error
    };
    assert_eq!(refused(0, b'G'), WireError::Magic { found: b'G', allowed: 0xec });
    assert_eq!(refused(1, 2), WireError::Version { found: 2, allowed: 1 });
    assert_eq!(refused(2, 0), WireError::Kind { found: 0, max: 9 });
    assert_eq!(refused(2, 10), WireError::Kind { found: 10, max: 9 });
}

#[test]
fn hostile_lengths_are_refused_before_anything_is_read_for_them() {
    let prefix = |length: u16| {
        let [low, high] = length.to_le_bytes();
        wire::frame_length([0xec, 1, 1, low, high])
    };
    for length in 0..=u16::MAX {
        let found = usize::from(length);
        let expected = if (52..=FRAME_BYTES_MAX).contains(&found) {
            Ok(found)
        } else {
            Err(WireError::Length { found, min: 52, max: FRAME_BYTES_MAX })
        };
        assert_eq!(prefix(length), expected);
    }
}

/// The tag of a golden frame.
fn tag_of(name: &str) -> u16 {
    let [low, high] = golden(name)[TAG_AT..TAG_AT + 2].try_into().unwrap();
    u16::from_le_bytes([low, high])
}

/// What decoding a golden frame with another tag says.
fn with_tag(name: &str, tag: u16) -> Result<Frame, WireError> {
    let mut bytes = golden(name);
    bytes[TAG_AT..TAG_AT + 2].copy_from_slice(&tag.to_le_bytes());
    wire::decode(&bytes)
}

#[test]
fn flags_that_do_not_belong_to_the_kind_are_refused() {
    /// An echo, a genesis, the birth and the profile may be in every frame; that a genesis is final only beside one.
    const ALWAYS: u16 = 1 << 4 | 1 << 9 | 1 << 12 | 1 << 15;
    for (name, allowed) in [
        ("heartbeat_quiet_free", 0b1001_1011_1111_0000),
        ("heartbeat_quiet_leader", 0b1011_1011_1111_0000),
        ("heartbeat_leading", 0b1111_1011_1111_0000),
        ("offer", 1 << 13 | ALWAYS),
        ("accept", 1 << 14 | 1 << 11 | 1 << 5 | ALWAYS),
        ("accept_without_position", 1 << 11 | 1 << 5 | ALWAYS),
        ("refuse_bound", ALWAYS),
        ("release", ALWAYS),
        ("pause", ALWAYS),
        ("reject", ALWAYS),
        ("went_back", 1 << 5 | ALWAYS),
        ("genesis_offer", 1 << 13 | 1 << 10 | ALWAYS),
        ("genesis_final_heartbeat_following", 0b1111_1111_1111_0000),
    ] {
        let tag = tag_of(name);
        for bit in (4..16).map(|bit| 1 << bit).filter(|bit| allowed & bit == 0) {
            let error = WireError::Flags { at: TAG_AT, found: tag & !15 | bit, allowed };
            assert_eq!(with_tag(name, tag | bit), Err(error), "{name}");
        }
    }
}

#[test]
fn an_epoch_that_is_the_durable_one_is_refused_where_it_is_said() {
    let durable = 41_u64.to_le_bytes();
    for (name, at) in [("offer", TAG_AT + 2), ("accept", golden("accept").len() - 32)] {
        let mut bytes = golden(name);
        bytes[at..at + 8].copy_from_slice(&durable);
        assert_eq!(wire::decode(&bytes), Err(WireError::Repeated { at }), "{name}");
    }
}

#[test]
fn unknown_values_are_refused_with_their_place() {
    let state = WireError::State { at: TAG_AT, found: 15, max: 7 };
    assert_eq!(with_tag("heartbeat_quiet_free", 15), Err(state));

    let at = golden("refuse_replaced").len() - 5;
    let refusal = WireError::Refusal { at, found: 7, max: 6 };
    assert_eq!(wire::decode(&bent("refuse_replaced", at, 7)), Err(refusal));
}

#[test]
fn names_that_are_none_are_refused_with_the_rule() {
    // The leader's name follows the tag, since its epoch is the durable one; the frame is rebuilt around each name.
    let name_at = TAG_AT + 2;
    let with_name = |name: &[u8]| {
        let frame = golden("heartbeat_following");
        let length = u8::try_from(name.len()).unwrap();
        let bytes = [&frame[..name_at], &[length], name, &frame[name_at + 9..]].concat();
        wire::decode(&relength(bytes))
    };
    let refused = |rule| Err(WireError::Name { at: name_at, rule });
    assert!(with_name(b"x").is_ok());
    assert!(with_name(&[b'x'; 32]).is_ok());
    assert_eq!(with_name(b""), refused(NameError::Empty));
    assert_eq!(with_name(&[b'x'; 33]), refused(NameError::TooLong(33)));
    assert_eq!(with_name(b"a b"), refused(NameError::Forbidden { index: 1, byte: b' ' }));
    // Padding would be a second way to write the name "a".
    assert_eq!(with_name(b"a\0"), refused(NameError::Forbidden { index: 1, byte: 0 }));
    // A length beyond the end is no reason to look there.
    let beyond = WireError::Short { at: name_at, end: 85 };
    assert_eq!(wire::decode(&bent("heartbeat_following", name_at, 255)), Err(beyond));
}

#[test]
fn an_address_that_is_no_text_is_refused() {
    let bytes = golden("announce");
    let at = bytes.len() - "kv-1.example:6379 ü".len() - 1;
    // The last character loses its second byte.
    let cut = [&bytes[..at], &[19], &bytes[at + 1..bytes.len() - 1]].concat();
    assert_eq!(wire::decode(&relength(cut)), Err(WireError::Address { at, valid: 18 }));
    let mut broken = bytes.clone();
    broken[at + 5] = b'\n';
    assert_eq!(wire::decode(&broken), Err(WireError::Address { at, valid: 4 }), "a line break");
}

#[test]
fn more_than_64_bytes_of_a_host_are_refused_with_the_limit() {
    let bytes = golden("profile_heartbeat");
    // The data follows the version, and its first length; the frame is rebuilt around other lengths.
    let at = bytes.windows(4).position(|window| window == 0x6162_6364_u32.to_le_bytes()).unwrap() + 4;
    assert_eq!(bytes[at], 3);
    let with_data = |length: u8| {
        let data = vec![0xab; length.into()];
        relength([&bytes[..at], &[length], &data, &bytes[at + 4..]].concat())
    };
    for length in 0..=64 {
        let frame = wire::decode(&with_data(length)).unwrap();
        assert_eq!(frame.profile.unwrap().data.as_bytes().len(), usize::from(length));
    }
    for length in [65, 66, 255] {
        let rule = HostDataError { length: length.into() };
        assert_eq!(wire::decode(&with_data(length)), Err(WireError::HostData { at, rule }));
    }
    let error = wire::decode(&with_data(65)).unwrap_err();
    let says = format!("the host's data at byte {at}: a host's data may have at most 64 bytes, these are 65");
    assert_eq!(error.to_string(), says);
    // A length beyond the end is no reason to look there.
    let short = WireError::Short { at, end: bytes.len() };
    assert_eq!(wire::decode(&bent("profile_heartbeat", at, 64)), Err(short));
}

#[test]
fn the_address_of_a_profile_is_text() {
    let bytes = golden("profile_heartbeat");
    let at = bytes.windows(4).position(|window| window == b"kv-1").unwrap() - 1;
    let refused = |broken: &[u8]| assert_eq!(wire::decode(broken), Err(WireError::Address { at, valid: 4 }));
    for byte in [b'\n', 0x1b, 0xff] {
        refused(&bent("profile_heartbeat", at + 5, byte));
    }
}

#[test]
fn a_record_of_another_format_is_refused() {
    let golden = record_vectors().into_iter().find(|(name, _)| *name == "first_boot").unwrap().1;
    let refused = |at: usize, byte| {
        let mut bytes = golden.clone();
        bytes[at] = byte;
        wire::decode_record(&bytes).unwrap_err()
    };
    assert_eq!(refused(0, 0xec), WireError::Magic { found: 0xec, allowed: 0xed });
    assert_eq!(refused(1, 0), WireError::Version { found: 0, allowed: 1 });
    assert_eq!(refused(2, 44), WireError::Length { found: 44, min: 45, max: 156 });
    assert_eq!(refused(3, 1), WireError::Length { found: 256 + golden.len(), min: 45, max: 156 });
    // A vote for nobody, and a flag that means nothing.
    assert_eq!(refused(40, 0b100), WireError::Flags { at: 40, found: 0b100, allowed: 0b1011 });
    assert_eq!(refused(40, 0b10_0010), WireError::Flags { at: 40, found: 0b10_0010, allowed: 0b1111 });
    // A final one that is none.
    assert_eq!(refused(40, 0b1_0000), WireError::Flags { at: 40, found: 0b1_0000, allowed: 0b1011 });
    // A promise of centuries.
    let WireError::Detection { at: 32, found, max } = refused(39, 0x7f) else { panic!("believed") };
    assert_eq!(max, std::time::Duration::from_hours(1));
    assert!(found > std::time::Duration::from_hours(24 * 365 * 200));
}

#[test]
fn errors_say_what_where_and_what_is_allowed() {
    let says = |error: WireError, sentence: &str| assert_eq!(error.to_string(), sentence);
    let hostile = wire::frame_length([0xec, 1, 1, 0xff, 0xff]).unwrap_err();
    says(hostile, "the length field says 65535 bytes, 52 to 767 are allowed");
    let tag = with_tag("pause", 0b0100_0000_0001_0000).unwrap_err();
    says(tag, "the tag at byte 25 has flags 0b0100000000010000, only 0b1001001000010000 belong here");
    let name = wire::decode(&bent("heartbeat_following", 28, b'/')).unwrap_err();
    says(name, "the name at byte 27: a name may hold only A-Z a-z 0-9 . _ and -, byte 0 is 0x2f");
    let longest = bytes_of(&samples::longest());
    let cut = wire::decode(&longest[..99]).unwrap_err();
    says(cut, &format!("the length field says {} bytes, there are 99", longest.len()));
}
