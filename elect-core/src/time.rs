//! Points on one node's clock.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A point on the local clock, in nanoseconds since an origin that the driver chooses.
///
/// There is no `now()`: the driver passes the time into every input. The clock must not run backwards
/// (an earlier value is read as the latest one seen) and should go on while the machine is suspended
/// (`CLOCK_BOOTTIME` on Linux), so that a leader wakes up without a lease.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);
    /// A point that never comes: "no deadline".
    pub const NEVER: Self = Self(u64::MAX);

    /// The point `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was, zero if it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The following nanosecond.
    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    /// Saturates at [`Time::NEVER`].
    #[inline]
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    /// Saturates at [`Time::ZERO`].
    #[inline]
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            f.write_str("never")
        } else {
            write!(f, "{:?}", Duration::from_nanos(self.0))
        }
    }
}

/// A span as a person reads it: milliseconds up to ten seconds, then seconds, then minutes. Never rounded to nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readable(pub(crate) Duration);

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = nanos(self.0).div_ceil(100_000);
        match tenths {
            0..100 => write!(f, "{}.{} ms", tenths / 10, tenths % 10),
            100..100_000 => write!(f, "{} ms", tenths / 10),
            100_000..1_200_000 => write!(f, "{}.{} s", tenths / 10_000, tenths / 1_000 % 10),
            _ => write!(f, "{} min {} s", tenths / 600_000, tenths / 10_000 % 60),
        }
    }
}

/// A span in nanoseconds, saturating after 584 years.
#[inline]
pub(crate) fn nanos(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(span.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_a_person_says_them() {
        let table = [
            (0, "0.0 ms"),
            (1, "0.1 ms"),
            (300_000, "0.3 ms"),
            (9_900_000, "9.9 ms"),
            (494_000_123, "494 ms"),
            (9_999_000_000, "9999 ms"),
            (12_345_000_000, "12.3 s"),
            (119_900_000_000, "119.9 s"),
            (3_599_000_000_000, "59 min 59 s"),
        ];
        for (nanos, text) in table {
            assert_eq!(alloc::format!("{}", Readable(Duration::from_nanos(nanos))), text, "{nanos} ns");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Time::NEVER + Duration::MAX, Time::NEVER);
        assert_eq!(Time::ZERO - Duration::from_secs(1), Time::ZERO);
        assert_eq!(Time::from_nanos(5).since(Time::from_nanos(7)), Duration::ZERO);
        assert_eq!(Time::from_nanos(7).since(Time::from_nanos(5)), Duration::from_nanos(2));
    }
}
