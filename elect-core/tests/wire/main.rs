//! The bytes of frames and records: pinned, canonical, and read alike by a second reader that shares no code.
#![cfg(feature = "wire")]

mod allocations;
mod arbitrary;
mod golden;
mod hostile;
mod reader;
mod round_trip;
mod samples;

use elect_core::Frame;
use elect_core::wire::{self, FRAME_BYTES_MAX};

/// The frame's bytes.
fn bytes_of(frame: &Frame) -> Vec<u8> {
    // Not zero: `encode` must not rely on what the buffer held before.
    let mut buffer = [0xa5; FRAME_BYTES_MAX];
    let length = wire::encode(frame, &mut buffer);
    buffer[..length].to_vec()
}
