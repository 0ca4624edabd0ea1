//! Frame and record bytes (interface first).
use alloc::vec::Vec;

use crate::{Frame, Record};

/// No frame is longer.
pub const FRAME_BYTES_MAX: usize = 512;
/// Every record has this many bytes or fewer.
pub const RECORD_BYTES_MAX: usize = 256;
/// The frame's length field, with all before it, fits in this prefix.
pub const PREFIX_BYTES: usize = 5;

/// Why bytes are not a frame or a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a frame")]
pub struct WireError;

/// The frame's bytes in a fixed buffer: no heap. Returns how many bytes were written.
pub fn encode(_frame: &Frame, _bytes: &mut [u8; FRAME_BYTES_MAX]) -> usize {
    0
}
/// Decodes exactly one frame.
pub fn decode(_bytes: &[u8]) -> Result<Frame, WireError> {
    Err(WireError)
}
/// Length of the whole frame that starts with `prefix`: checked against the limit before anything is allocated.
pub fn frame_length(_prefix: [u8; PREFIX_BYTES]) -> Result<usize, WireError> {
    Err(WireError)
}
/// The record's bytes.
pub fn encode_record(_record: &Record) -> Vec<u8> {
    Vec::new()
}
/// Decodes exactly one record.
pub fn decode_record(_bytes: &[u8]) -> Result<Record, WireError> {
    Err(WireError)
}
