//! Whatever decodes re-encodes to the same bytes: there is one way to write a frame, and one to write a record.
#![no_main]

use elect_core::wire::{self, FRAME_BYTES_MAX};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = wire::decode(bytes) {
        let mut buffer = [0xa5; FRAME_BYTES_MAX];
        let length = wire::encode(&frame, &mut buffer);
        assert_eq!(&buffer[..length], bytes, "{frame:?}");
        let prefix = *bytes.first_chunk().expect("a frame is longer than its prefix");
        assert_eq!(wire::frame_length(prefix), Ok(length), "{frame:?}");
    }
    if let Ok(record) = wire::decode_record(bytes) {
        assert_eq!(wire::encode_record(&record), bytes, "{record:?}");
    }
});
