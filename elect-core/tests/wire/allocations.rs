//! Frames are written and read without the heap, but for the address of an announcement, a birth and a profile.

use std::hint::black_box;

use allocation_counter::measure;
use elect_core::Body;
use elect_core::wire::{self, FRAME_BYTES_MAX, PREFIX_BYTES};

use crate::hostile::relength;
use crate::{bytes_of, samples};

#[test]
fn only_an_address_and_what_a_sender_tells_of_itself_are_allocated() {
    for (name, frame) in samples::frames() {
        let mut buffer = [0; FRAME_BYTES_MAX];
        let encoding = measure(|| {
            black_box(wire::encode(black_box(&frame), &mut buffer));
        });
        assert_eq!(encoding.count_total, 0, "{name} encoded");

        let bytes = bytes_of(&frame);
        let decoding = measure(|| {
            black_box(wire::decode(black_box(&bytes))).unwrap();
        });
        let address = u64::from(matches!(frame.body, Body::Announce { .. }));
        // A profile has an address of its own.
        let profile = if frame.profile.is_some() { 2 } else { 0 };
        let birth = u64::from(frame.birth.is_some());
        assert_eq!(decoding.count_total, address + birth + profile, "{name} decoded");
    }
}

#[test]
fn a_refusal_allocates_nothing() {
    let bytes = bytes_of(&samples::longest());
    for end in PREFIX_BYTES..bytes.len() {
        let cut = relength(bytes[..end].to_vec());
        let refusing = measure(|| {
            black_box(wire::decode(black_box(&cut))).unwrap_err();
        });
        assert_eq!(refusing.count_total, 0, "cut to {end}");
    }
}
