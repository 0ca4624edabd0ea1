//! Why bytes were refused.

use core::time::Duration;

use crate::address::ADDRESS_BYTES_MAX;
use crate::name::NameError;
use crate::profile::HostDataError;

/// Why bytes are not a frame or a record: what was found, at which byte, and what is allowed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The first byte is another format's.
    #[error("byte 0 is {found:#04x}, but this format starts with {allowed:#04x}")]
    Magic {
        /// The first byte.
        found: u8,
        /// What it must be.
        allowed: u8,
    },
    /// The format's version is not known.
    #[error("byte 1 says version {found}, only version {allowed} is known")]
    Version {
        /// The version.
        found: u8,
        /// What it must be.
        allowed: u8,
    },
    /// The kind of frame is not known.
    #[error("byte 2 says kind {found}, kinds are 1 to {max}")]
    Kind {
        /// The kind.
        found: u8,
        /// The largest known one.
        max: u8,
    },
    /// The length field is outside what this kind of bytes can have.
    #[error("the length field says {found} bytes, {min} to {max} are allowed")]
    Length {
        /// The length field.
        found: usize,
        /// The smallest allowed.
        min: usize,
        /// The largest allowed.
        max: usize,
    },
    /// There are more or fewer bytes than the length field says.
    #[error("the length field says {declared} bytes, there are {given}")]
    Given {
        /// The length field.
        declared: usize,
        /// How many bytes there are.
        given: usize,
    },
    /// The bytes end within a part.
    #[error("the bytes end at {end}, within the part that starts at byte {at}")]
    Short {
        /// Where the part starts.
        at: usize,
        /// How many bytes there are.
        end: usize,
    },
    /// Bytes are left over.
    #[error("everything ends at byte {at}, but there are {end} bytes")]
    Trailing {
        /// Where the last part ends.
        at: usize,
        /// How many bytes there are.
        end: usize,
    },
    /// A tag says a state that is not known.
    #[error("the tag at byte {at} says state {found}, states are 0 to {max}")]
    State {
        /// Where the tag is.
        at: usize,
        /// The state.
        found: u16,
        /// The largest known one.
        max: u16,
    },
    /// A tag has flags that do not belong there.
    #[error("the tag at byte {at} has flags {found:#018b}, only {allowed:#018b} belong here")]
    Flags {
        /// Where the tag is.
        at: usize,
        /// The flags.
        found: u16,
        /// Those that may be set.
        allowed: u16,
    },
    /// An epoch that is said although it is the durable one, which is what its absence says.
    #[error("the epoch at byte {at} is the durable one, which must be left out")]
    Repeated {
        /// Where the epoch starts.
        at: usize,
    },
    /// A refusal's reason is not known.
    #[error("byte {at} says reason {found}, reasons are 0 to {max}")]
    Refusal {
        /// Where the reason is.
        at: usize,
        /// The reason.
        found: u8,
        /// The largest known one.
        max: u8,
    },
    /// A name is none.
    #[error("the name at byte {at}: {rule}")]
    Name {
        /// Where the name starts, its length included.
        at: usize,
        /// What is allowed.
        rule: NameError,
    },
    /// A detection time is longer than any configuration allows.
    #[error("the detection time at byte {at} is {found:?}, at most {max:?} is allowed")]
    Detection {
        /// Where it starts.
        at: usize,
        /// The detection time.
        found: Duration,
        /// The longest allowed.
        max: Duration,
    },
    /// A host's bytes are too many.
    #[error("the host's data at byte {at}: {rule}")]
    HostData {
        /// Where they start, their length included.
        at: usize,
        /// How many there are, and how many are allowed.
        rule: HostDataError,
    },
    /// An address is no text, or holds control characters.
    #[error(
        "the address at byte {at} must be at most {ADDRESS_BYTES_MAX} bytes of UTF-8 without control characters, only the first \
         {valid} are"
    )]
    Address {
        /// Where the address starts, its length included.
        at: usize,
        /// How many of its bytes are.
        valid: usize,
    },
}
