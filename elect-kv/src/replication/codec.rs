//! The bytes of replication messages: fixed-width little-endian fields, every length checked before use.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use elect_core::{Epoch, Position, Stamp};

use super::message::{Cursor, Entry, Message, Part};

/// The longest message, in bytes. An append holds about 256 KiB, or one larger entry.
pub const FRAME_BYTES_MAX: usize = 4 << 20;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("the message ends too early")]
    Truncated,
    /// They go on after the end.
    #[error("{0} bytes follow the message")]
    Trailing(usize),
    /// No message begins like this.
    #[error("no message has kind {0}")]
    Kind(u8),
    /// A flag is neither 0 nor 1.
    #[error("a flag is {0}, it must be 0 or 1")]
    Flag(u8),
    /// A part of a state is not what was sent.
    #[error("the checksum of a part of a state is wrong")]
    Checksum,
}

const FOLLOW: u8 = 1;
const APPEND: u8 = 2;
const ACK: u8 = 3;
const PULL: u8 = 4;
const PULLED: u8 = 5;
const PULL_MISSED: u8 = 6;
const PULL_LOST: u8 = 7;
const REBUILT: u8 = 8;
const BEHIND: u8 = 9;
const FETCH: u8 = 10;
const PART: u8 = 11;

/// Appends the bytes of `message` to `out`.
pub fn encode(message: &Message, out: &mut BytesMut) {
    let mut begin = |kind, stamp: Stamp| {
        out.put_u8(kind);
        out.put_u64_le(stamp.epoch().number());
    };
    match message {
        Message::Follow { stamp, attempt, last, intact } => {
            begin(FOLLOW, *stamp);
            out.put_u64_le(*attempt);
            put_position(out, *last);
            out.put_u8(u8::from(*intact));
        }
        Message::Append { stamp, attempt, prev, entries, commit } => {
            begin(APPEND, *stamp);
            out.put_u64_le(*attempt);
            out.put_u64_le(*commit);
            put_position(out, *prev);
            put_entries(out, entries);
        }
        Message::Ack { stamp, matched } => {
            begin(ACK, *stamp);
            out.put_u64_le(*matched);
        }
        Message::Pull { stamp, want, after } => {
            begin(PULL, *stamp);
            put_position(out, *want);
            put_position(out, *after);
        }
        Message::Pulled { stamp, after, entries } => {
            begin(PULLED, *stamp);
            put_position(out, *after);
            put_entries(out, entries);
        }
        Message::PullMissed { stamp, shared } => {
            begin(PULL_MISSED, *stamp);
            put_position(out, *shared);
        }
        Message::PullLost { stamp } => begin(PULL_LOST, *stamp),
        Message::Rebuilt { stamp, entry } => {
            begin(REBUILT, *stamp);
            put_position(out, *entry);
        }
        Message::Behind { stamp, attempt } => {
            begin(BEHIND, *stamp);
            out.put_u64_le(*attempt);
        }
        Message::Fetch { stamp, attempt, from } => {
            begin(FETCH, *stamp);
            out.put_u64_le(*attempt);
            put_cursor(out, from);
        }
        Message::Part { stamp, attempt, part } => {
            begin(PART, *stamp);
            out.put_u64_le(*attempt);
            put_part(out, part);
        }
    }
}

fn put_cursor(out: &mut BytesMut, cursor: &Cursor) {
    put_position(out, cursor.state);
    put_bytes(out, &cursor.after);
}

/// The checksum of what follows it comes first.
fn put_part(out: &mut BytesMut, part: &Part) {
    let start = out.len();
    out.put_u32_le(0);
    out.put_u64_le(part.keys);
    out.put_u8(u8::from(part.is_last));
    put_cursor(out, &part.from);
    for (key, value) in &part.pairs {
        put_bytes(out, key);
        put_bytes(out, value);
    }
    let checksum = crc32fast::hash(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32_le(u32::try_from(bytes.len()).expect("keys, values and commands are far shorter than 4 GiB"));
    out.put_slice(bytes);
}

fn put_position(out: &mut BytesMut, position: Position) {
    out.put_u64_le(position.epoch.number());
    out.put_u64_le(position.offset);
}

fn put_entries(out: &mut BytesMut, entries: &[Entry]) {
    for entry in entries {
        out.put_u64_le(entry.epoch.number());
        put_bytes(out, &entry.command);
    }
}

/// Reads one message that fills `bytes`. Entries share its memory.
pub fn decode(mut bytes: Bytes) -> Result<Message, DecodeError> {
    let kind = u8_of(&mut bytes)?;
    let stamp = Stamp::received(Epoch::new(u64_of(&mut bytes)?));
    let bytes = &mut bytes;
    let message = match kind {
        FOLLOW => Message::Follow {
            stamp,
            attempt: u64_of(bytes)?,
            last: position_of(bytes)?,
            intact: flag_of(bytes)?,
        },
        APPEND => {
            let (attempt, commit) = (u64_of(bytes)?, u64_of(bytes)?);
            Message::Append { stamp, attempt, commit, prev: position_of(bytes)?, entries: entries_of(bytes)? }
        }
        ACK => Message::Ack { stamp, matched: u64_of(bytes)? },
        PULL => Message::Pull { stamp, want: position_of(bytes)?, after: position_of(bytes)? },
        PULLED => Message::Pulled { stamp, after: position_of(bytes)?, entries: entries_of(bytes)? },
        PULL_MISSED => Message::PullMissed { stamp, shared: position_of(bytes)? },
        PULL_LOST => Message::PullLost { stamp },
        REBUILT => Message::Rebuilt { stamp, entry: position_of(bytes)? },
        BEHIND => Message::Behind { stamp, attempt: u64_of(bytes)? },
        FETCH => Message::Fetch { stamp, attempt: u64_of(bytes)?, from: cursor_of(bytes)? },
        PART => Message::Part { stamp, attempt: u64_of(bytes)?, part: part_of(bytes)? },
        other => return Err(DecodeError::Kind(other)),
    };
    if bytes.has_remaining() { Err(DecodeError::Trailing(bytes.remaining())) } else { Ok(message) }
}

fn u8_of(bytes: &mut Bytes) -> Result<u8, DecodeError> {
    bytes.try_get_u8().map_err(|_| DecodeError::Truncated)
}

fn u32_of(bytes: &mut Bytes) -> Result<u32, DecodeError> {
    bytes.try_get_u32_le().map_err(|_| DecodeError::Truncated)
}

fn u64_of(bytes: &mut Bytes) -> Result<u64, DecodeError> {
    bytes.try_get_u64_le().map_err(|_| DecodeError::Truncated)
}

fn flag_of(bytes: &mut Bytes) -> Result<bool, DecodeError> {
    match u8_of(bytes)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(DecodeError::Flag(other)),
    }
}

fn position_of(bytes: &mut Bytes) -> Result<Position, DecodeError> {
    Ok(Position::new(Epoch::new(u64_of(bytes)?), u64_of(bytes)?))
}

fn entries_of(bytes: &mut Bytes) -> Result<Vec<Entry>, DecodeError> {
    let mut entries = Vec::new();
    while bytes.has_remaining() {
        entries.push(Entry { epoch: Epoch::new(u64_of(bytes)?), command: bytes_of(bytes)? });
    }
    Ok(entries)
}

fn bytes_of(bytes: &mut Bytes) -> Result<Bytes, DecodeError> {
    let length = u32_of(bytes)? as usize;
    if length > bytes.remaining() { Err(DecodeError::Truncated) } else { Ok(bytes.split_to(length)) }
}

fn cursor_of(bytes: &mut Bytes) -> Result<Cursor, DecodeError> {
    Ok(Cursor { state: position_of(bytes)?, after: bytes_of(bytes)? })
}

fn part_of(bytes: &mut Bytes) -> Result<Part, DecodeError> {
    if u32_of(bytes)? != crc32fast::hash(bytes) {
        return Err(DecodeError::Checksum);
    }
    let (keys, is_last, from) = (u64_of(bytes)?, flag_of(bytes)?, cursor_of(bytes)?);
    let mut pairs = Vec::new();
    while bytes.has_remaining() {
        pairs.push((bytes_of(bytes)?, bytes_of(bytes)?));
    }
    Ok(Part { from, pairs, keys, is_last })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn position() -> impl Strategy<Value = Position> {
        any::<(u64, u64)>().prop_map(|(epoch, offset)| Position::new(Epoch::new(epoch), offset))
    }

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let entry = (any::<u64>(), proptest::collection::vec(any::<u8>(), 0..40));
        let entry =
            entry.prop_map(|(epoch, command)| Entry { epoch: Epoch::new(epoch), command: command.into() });
        proptest::collection::vec(entry, 0..5)
    }

    fn part() -> impl Strategy<Value = Part> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from);
        let pairs = proptest::collection::vec((bytes(), bytes()), 0..5);
        (position(), bytes(), pairs, any::<(u64, bool)>()).prop_map(
            |(state, after, pairs, (keys, is_last))| Part {
                from: Cursor { state, after },
                pairs,
                keys,
                is_last,
            },
        )
    }

    fn message() -> impl Strategy<Value = Message> {
        let stamp = any::<u64>().prop_map(|epoch| Stamp::received(Epoch::new(epoch)));
        (0_u8..11, stamp, any::<(u64, u64, bool)>(), position(), position(), entries(), part()).prop_map(
            |(kind, stamp, (one, two, intact), last, other, entries, part)| match kind {
                0 => Message::Follow { stamp, attempt: one, last, intact },
                1 => Message::Append { stamp, attempt: one, prev: last, entries, commit: two },
                2 => Message::Ack { stamp, matched: one },
                3 => Message::Pull { stamp, want: last, after: other },
                4 => Message::Pulled { stamp, after: last, entries },
                5 => Message::PullMissed { stamp, shared: last },
                6 => Message::PullLost { stamp },
                7 => Message::Behind { stamp, attempt: one },
                8 => Message::Fetch { stamp, attempt: one, from: part.from },
                9 => Message::Part { stamp, attempt: one, part },
                _ => Message::Rebuilt { stamp, entry: last },
            },
        )
    }

    proptest! {
        #[test]
        fn every_message_survives_the_wire(message in message()) {
            let mut bytes = BytesMut::new();
            encode(&message, &mut bytes);
            prop_assert_eq!(decode(bytes.freeze()), Ok(message));
        }

        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..120), kind in 0_u8..12) {
            let bytes = Bytes::from([vec![kind], bytes].concat());
            if let Ok(message) = decode(bytes.clone()) {
                let mut again = BytesMut::new();
                encode(&message, &mut again);
                prop_assert_eq!(again.freeze(), bytes);
            }
        }
    }

    #[test]
    fn broken_bytes_are_refused() {
        assert_eq!(decode(Bytes::new()), Err(DecodeError::Truncated));
        assert_eq!(decode(Bytes::from_static(&[12; 9])), Err(DecodeError::Kind(12)));
        assert_eq!(
            decode(Bytes::from_static(&[PULL_LOST, 0, 0, 0, 0, 0, 0, 0, 0, 5])),
            Err(DecodeError::Trailing(1))
        );
        let mut long = BytesMut::new();
        encode(
            &Message::Pulled {
                stamp: Stamp::received(Epoch::new(1)),
                after: Position::EMPTY,
                entries: vec![],
            },
            &mut long,
        );
        long.put_u64_le(1);
        long.put_u32_le(u32::MAX);
        assert_eq!(decode(long.freeze()), Err(DecodeError::Truncated));
    }
}
