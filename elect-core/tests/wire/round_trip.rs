//! Whatever is written is read back, by both readers; whatever is read is written back to the same bytes.

use core::time::Duration;

use elect_core::wire::{self, FRAME_BYTES_MAX, PREFIX_BYTES, RECORD_BYTES_MAX};
use elect_core::{Body, Frame, Lead};
use proptest::prelude::*;

use crate::{arbitrary, bytes_of, reader, samples};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn frames_come_back(frame in arbitrary::frame()) {
        let bytes = bytes_of(&frame);
        prop_assert!(bytes.len() <= FRAME_BYTES_MAX);
        prop_assert_eq!(wire::frame_length(bytes[..PREFIX_BYTES].try_into().unwrap()), Ok(bytes.len()));
        prop_assert_eq!(&reader::frame(&bytes), &frame);
        prop_assert_eq!(wire::decode(&bytes), Ok(frame));
    }

    #[test]
    fn records_come_back(record in arbitrary::record()) {
        let bytes = wire::encode_record(&record);
        prop_assert!(bytes.len() <= RECORD_BYTES_MAX);
        prop_assert_eq!(&reader::record(&bytes), &record);
        prop_assert_eq!(wire::decode_record(&bytes), Ok(record));
    }

    #[test]
    fn a_bent_frame_is_refused_or_canonical(frame in arbitrary::frame(), at: prop::sample::Index, byte: u8) {
        let mut bytes = bytes_of(&frame);
        *at.get_mut(&mut bytes) = byte;
        if let Ok(read) = wire::decode(&bytes) {
            prop_assert_eq!(bytes_of(&read), bytes);
        }
    }

    #[test]
    fn a_bent_record_is_refused_or_canonical(record in arbitrary::record(), at: prop::sample::Index, byte: u8) {
        let mut bytes = wire::encode_record(&record);
        *at.get_mut(&mut bytes) = byte;
        if let Ok(read) = wire::decode_record(&bytes) {
            prop_assert_eq!(wire::encode_record(&read), bytes);
        }
    }

    #[test]
    fn spans_are_rounded_up_and_never_turn_into_nothing(nanos in 0..200_000_000_000_u64) {
        let span = Duration::from_nanos(nanos);
        let (detection, pause) = through_the_wire(span);
        prop_assert!(detection >= span && detection < span + Duration::from_micros(1));
        prop_assert!(pause >= span && pause < span + Duration::from_millis(1));
    }
}

/// What a span becomes as a leader's detection time and as its pause.
fn through_the_wire(span: Duration) -> (Duration, Duration) {
    let mut frame = samples::paused_heartbeat();
    let Body::Heartbeat(heartbeat) = &mut frame.body else { unreachable!() };
    heartbeat.lead = Some(Lead { detection: span });
    heartbeat.pause.as_mut().unwrap().remaining = span;
    let Ok(Frame { body: Body::Heartbeat(read), .. }) = wire::decode(&bytes_of(&frame)) else {
        unreachable!()
    };
    (read.lead.unwrap().detection, read.pause.unwrap().remaining)
}

#[test]
fn spans_beyond_their_field_saturate_above_every_limit() {
    for span in [Duration::MAX, Duration::from_secs(u64::MAX / 1_000), Duration::from_secs(5_000_000)] {
        let (detection, pause) = through_the_wire(span);
        assert_eq!(detection, Duration::from_micros(u32::MAX.into()));
        assert_eq!(pause, Duration::from_millis(u32::MAX.into()));
        assert!(detection > Duration::from_hours(1), "above what a configuration allows");
        assert!(pause > Duration::from_hours(24), "above what may be asked for");
    }
}
