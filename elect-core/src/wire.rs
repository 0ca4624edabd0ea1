//! The bytes of frames and records, for any transport and any store.
//!
//! One versioned format. Every integer is little-endian and of fixed width, every optional part is announced by a
//! flag, and there is exactly one way to write a value: whatever decodes re-encodes to the same bytes. Unknown flags,
//! names that are no names, bytes that are missing and bytes that are left over are refused with the place and with
//! what is allowed there. A frame is read without allocating (an announcement's address, a birth and a profile aside), and its
//! length is known, and checked, after [`PREFIX_BYTES`] bytes.
//!
//! ```
//! use elect_core::wire::{self, FRAME_BYTES_MAX, PREFIX_BYTES};
//! # use elect_core::{Body, Digest, Epoch, Frame, Header, Incarnation, NodeId, Nonce, PeerState, Time};
//! # let incarnation = Incarnation { counter: 1, random: 7 };
//! # let nonce = Nonce { incarnation, sent: Time::from_nanos(5) };
//! # let header = Header {
//! #     group: 0, members: Digest::from_bits(1), epoch: Epoch::new(3), state: PeerState::Free, nonce, echo: None,
//! #     genesis: None,
//! # };
//! let body = Body::Release { epoch: Epoch::new(3), target: NodeId::new("b")? };
//! let frame = Frame { header, birth: None, profile: None, body };
//! let mut buffer = [0; FRAME_BYTES_MAX];
//! let length = wire::encode(&frame, &mut buffer);
//!
//! let prefix: [u8; PREFIX_BYTES] = buffer[..PREFIX_BYTES].try_into()?;
//! assert_eq!(wire::frame_length(prefix), Ok(length));
//! assert_eq!(wire::decode(&buffer[..length]), Ok(frame));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A frame, version 1
//!
//! | part | bytes | present |
//! |---|---|---|
//! | magic `0xec` | 1 | always |
//! | version `1` | 1 | always |
//! | kind | 1 | always |
//! | length of the whole frame | 2 | always |
//! | group | 4 | always |
//! | members digest | 8 | always |
//! | durable epoch | 8 | always |
//! | tag | 2 | always |
//! | epoch of the state | 8 | tag bit 13 |
//! | leader's name | 1 + n | following, reserved |
//! | nonce: incarnation's counter 4 and random 4, time sent 8 in ns | 16 | always |
//! | echo: likewise | 16 | tag bit 4 |
//! | genesis | 8 | tag bit 9 |
//! | birth: counter of the storage's first life 4, epoch 8, shortest detection time 4 in µs, log 1 (bit 0: a position follows, bit 1: not synced at once), position 16 (epoch, offset) if so | 17 or 33 | tag bit 12 |
//! | profile: the host's version 4, its data 1 + n (n at most 64), the address 1 + n | 6 to 325 | tag bit 15 |
//! | body | | by kind |
//!
//! The tag's bits 0–3 are the state: 0 free, 1 promised, 2 follower, 3 candidate, 4 leader, 5 replaced, 6 stopped,
//! 7 reserved.
//! Bit 4: an echo is present; bit 5: a position is present; bit 6: eligible; bit 7: healthy; bit 8: a detection time is
//! present; bit 9: the genesis is present; bit 10: it is final; bit 11: a pause is present; bit 12: the birth is
//! present; bit 15: the profile is present; bit 13: the epoch that is led, campaigned in or followed, or that a stopped
//! node offered last, is not the durable one, and follows; bit 14: likewise for the epoch of the position. Without them
//! it is the durable one, and must not be written. A flag that does not belong to the kind, or to the state, or bit 14
//! without bit 5, or bit 10 without bit 9, is zero.
//!
//! A position is its epoch, 8 bytes if bit 14 says so, and its offset, 8 bytes. A pause is its number (epoch 8, count
//! 4) and how long it remains, 4 in ms: zero for a resume.
//!
//! | kind | body | flags |
//! |---|---|---|
//! | 1 heartbeat | position if flagged, priority 1, application 4, the sender's longest detection time 4 in µs, detection 4 in µs if flagged, pause if flagged | 4–12, 14, 15 |
//! | 2 offer | epoch 8, detection 4 in µs, the sender's longest 4 in µs | 4, 9, 10, 12, 15 |
//! | 3 accept | epoch 8, detection 4 in µs, position if flagged, pause if flagged, epoch 8 under which the genesis was saved if tag bit 9 | 4, 5, 9–12, 14, 15 |
//! | 4 refuse | epoch 8, reason 1: 0 promised, 1 epoch too low, 2 vote spent, 3 own office, 4 paused, 5 replaced, 6 detection too long; the sender's longest detection time 4 in µs | 4, 9, 10, 12, 15 |
//! | 5 announce | as a heartbeat, then the address 1 + n | 4–12, 14, 15 |
//! | 6 release | epoch 8, target's name 1 + n | 4, 9, 10, 12, 15 |
//! | 7 pause | pause: the number that it follows, and the remainder asked for | 4, 9, 10, 12, 15 |
//! | 8 reject | rejected incarnation 8, known incarnation 8 (each: counter 4, random 4) | 4, 9, 10, 12, 15 |
//! | 9 went back | rejected incarnation 8, known epoch 8, known offset 8 if flagged | 4, 5, 9, 10, 12, 15 |
//!
//! A name is its length, 1 to 32, and so many bytes of `A-Z a-z 0-9 . _ -`. An address is its length and so many bytes
//! of UTF-8 without control characters, U+2028 and U+2029.
//!
//! # Spans
//!
//! A detection time is whole microseconds and at most an hour, which [`ConfigBuilder`](crate::ConfigBuilder) checks;
//! a pause is at most 24 hours and counted in whole milliseconds. Encoding rounds up, so that a promise is never
//! shorter than its leader assumes and a pause never ends early nor turns into its own end. A span beyond the field,
//! which no elector makes, is written as the field's largest value: 71 minutes of detection, which is above every
//! configured maximum and so ignored by every receiver, or 49 days of pause.
//!
//! # A record, version 1
//!
//! | part | bytes | present |
//! |---|---|---|
//! | magic `0xed` | 1 | always |
//! | version `1` | 1 | always |
//! | length of the whole record | 2 | always |
//! | members digest | 8 | always |
//! | incarnation: counter 4, random 4 | 8 | always |
//! | counter of the first life on this storage | 4 | always |
//! | durable epoch | 8 | always |
//! | longest detection time, in ns, at most an hour | 8 | always |
//! | tag: bit 0 storage replaced, bit 1 a holder is present, bit 2 its promise is a vote, bit 3 a genesis is present, bit 4 it is final | 1 | always |
//! | cluster's name | 1 + n | always |
//! | node's name | 1 + n | always |
//! | holder's name | 1 + n | tag bit 1 |
//! | genesis 8, epoch under which it was saved 8 | 16 | tag bit 3 |
//!
//! It carries no checksum: a store that can rot adds its own.

mod error;
mod frame_v1;
mod record_v1;
mod section;

use alloc::vec::Vec;

pub use error::WireError;

use crate::frame::Frame;
use crate::record::Record;

/// The longest frame: an announcement by a follower with a name of 32 bytes, everything present, 255 bytes of
/// address twice, 64 bytes of its host.
pub const FRAME_BYTES_MAX: usize = frame_v1::BYTES_MAX;
/// No record is longer, nor will one of a later version be: a store may reserve this much.
pub const RECORD_BYTES_MAX: usize = 256;
/// The frame's length field, with all before it, fits in this prefix.
pub const PREFIX_BYTES: usize = 5;

/// Writes the frame's bytes to the front of a fixed buffer: no heap. Returns how many bytes were written; what
/// lies behind them is undefined.
#[must_use = "the buffer is longer than the frame"]
pub fn encode(frame: &Frame, bytes: &mut [u8; FRAME_BYTES_MAX]) -> usize {
    frame_v1::encode(frame, bytes)
}

/// Decodes exactly one frame: bytes that are missing or left over are refused.
pub fn decode(bytes: &[u8]) -> Result<Frame, WireError> {
    frame_v1::decode(bytes)
}

/// Length in bytes of the whole frame that starts with `prefix`, prefix included.
///
/// At most [`FRAME_BYTES_MAX`]: a stream is read into a buffer of that size, and a peer that announces more, or that
/// does not speak this format at all, is refused before anything is read or allocated for it.
pub fn frame_length(prefix: [u8; PREFIX_BYTES]) -> Result<usize, WireError> {
    frame_v1::Prefix::read(prefix).map(|prefix| prefix.length)
}

/// The record's bytes: at most [`RECORD_BYTES_MAX`].
pub fn encode_record(record: &Record) -> Vec<u8> {
    record_v1::encode(record)
}

/// Decodes exactly one record: bytes that are missing or left over are refused.
pub fn decode_record(bytes: &[u8]) -> Result<Record, WireError> {
    record_v1::decode(bytes)
}
