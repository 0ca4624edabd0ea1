//! Times for machines: milliseconds as plain numbers, whatever else they are inside.

use core::time::Duration;

use serde::{Serialize, Serializer};

use crate::time::{Time, nanos};

/// Milliseconds with at most three decimals: whole microseconds.
struct Millis(u64);

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let micros = self.0 / 1_000;
        if micros.is_multiple_of(1_000) {
            serializer.serialize_u64(micros / 1_000)
        } else {
            #[expect(clippy::cast_precision_loss, reason = "exact for the first 285 years")]
            serializer.serialize_f64(micros as f64 / 1_000.0)
        }
    }
}

/// A span, in milliseconds.
pub(crate) fn span<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    Millis(nanos(*span)).serialize(serializer)
}

/// A span, in milliseconds, or none.
#[expect(clippy::ref_option, reason = "what serde calls")]
pub(crate) fn maybe_span<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(|span| Millis(nanos(span))).serialize(serializer)
}

impl Serialize for Time {
    /// For people's formats milliseconds on the node's clock, nothing for [`Time::NEVER`]; in binary ones nanoseconds.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            serializer.serialize_u64(self.as_nanos())
        } else if *self == Self::NEVER {
            serializer.serialize_none()
        } else {
            Millis(self.as_nanos()).serialize(serializer)
        }
    }
}
