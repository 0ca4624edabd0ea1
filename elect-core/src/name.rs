//! Names of nodes and clusters.

#![expect(
    clippy::inline_always,
    reason = "measured: without it, the table, the alignment and whole words a follower's heartbeat decodes in 32 ns instead of 25"
)]

use core::fmt;
use core::str::FromStr;

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 32;

/// Why a name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name has no bytes.
    #[error("a name must have 1 to {NAME_BYTES_MAX} bytes, this one is empty")]
    Empty,
    /// The name is too long.
    #[error("a name must have 1 to {NAME_BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// A byte is not allowed.
    #[error("a name may hold only A-Z a-z 0-9 . _ and -, byte {index} is {byte:#04x}")]
    Forbidden {
        /// Index of the byte.
        index: usize,
        /// The byte.
        byte: u8,
    },
}

/// Which bytes a name may have.
const IS_ALLOWED: [bool; 256] = {
    let mut is_allowed = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        is_allowed[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        byte += 1;
    }
    is_allowed
};

#[cold]
fn forbidden(text: &[u8]) -> NameError {
    let mut named = text.iter().copied().enumerate().filter(|&(_, byte)| !IS_ALLOWED[usize::from(byte)]);
    let (index, byte) = named.next().unwrap_or_default();
    NameError::Forbidden { index, byte }
}

/// The bytes of a name, zero-padded, so that byte order is string order. Aligned, so that it is copied in words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(align(8))]
struct Name([u8; NAME_BYTES_MAX]);

impl Name {
    #[inline(always)]
    fn parse(text: &[u8]) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong(text.len()));
        }
        let mut bytes = [0; NAME_BYTES_MAX];
        let mut all_allowed = true;
        // Whole words, because whoever copies the name next waits for stores of single bytes.
        for (slot, chunk) in bytes.as_chunks_mut().0.iter_mut().zip(text.chunks(8)) {
            let mut word = 0;
            for &byte in chunk.iter().rev() {
                all_allowed &= IS_ALLOWED[usize::from(byte)];
                word = word << 8 | u64::from(byte);
            }
            *slot = word.to_le_bytes();
        }
        if all_allowed { Ok(Self(bytes)) } else { Err(forbidden(text)) }
    }

    fn len(&self) -> usize {
        self.0.iter().position(|&byte| byte == 0).unwrap_or(NAME_BYTES_MAX)
    }

    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0[..self.len()]).unwrap_or_default()
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Name);

        impl $type {
            /// Checks and copies a name: 1 to 32 bytes of `A-Z a-z 0-9 . _ -`.
            pub fn new(name: &str) -> Result<Self, NameError> {
                Self::from_bytes(name.as_bytes())
            }

            /// The same from bytes that came from outside.
            #[inline(always)]
            pub fn from_bytes(name: &[u8]) -> Result<Self, NameError> {
                Name::parse(name).map(Self)
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The name's bytes, zero-padded: for constant-size comparison and hashing.
            pub const fn as_padded_bytes(&self) -> &[u8; NAME_BYTES_MAX] {
                &self.0.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        #[cfg(feature = "wire")]
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        #[cfg(feature = "wire")]
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::new(&name).map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type! {
    /// The name of a node: what operators read in logs. `Copy`, ordered, no heap.
    ///
    /// ```
    /// use elect_core::NodeId;
    ///
    /// let node = NodeId::new("berlin-1")?;
    /// assert_eq!(node.as_str(), "berlin-1");
    /// assert!(NodeId::new("no spaces").is_err());
    /// # Ok::<(), elect_core::NameError>(())
    /// ```
    NodeId
}

name_type! {
    /// The name of a cluster. Frames of another cluster count for nothing.
    ClusterId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let longest = "x".repeat(NAME_BYTES_MAX);
        assert_eq!(NodeId::new(&longest).map(|id| id.as_str().len()), Ok(NAME_BYTES_MAX));
        assert_eq!(NodeId::new(""), Err(NameError::Empty));
        assert_eq!(NodeId::new(&"x".repeat(33)), Err(NameError::TooLong(33)));
        assert_eq!(NodeId::new("a b"), Err(NameError::Forbidden { index: 1, byte: b' ' }));
        assert_eq!(NodeId::from_bytes(b"a\0"), Err(NameError::Forbidden { index: 1, byte: 0 }));
    }

    #[test]
    fn every_byte_is_judged_at_every_place() {
        for index in 0..NAME_BYTES_MAX {
            for byte in 0..=u8::MAX {
                let mut text = [b'x'; NAME_BYTES_MAX];
                text[index] = byte;
                let allowed = byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
                let expected = if allowed { Ok(text) } else { Err(NameError::Forbidden { index, byte }) };
                assert_eq!(NodeId::from_bytes(&text).map(|id| *id.as_padded_bytes()), expected);
            }
        }
    }

    #[test]
    fn order_is_string_order() {
        let names = ["a", "a-", "aa", "b", "ba"].map(|name| NodeId::new(name).unwrap());
        assert!(names.is_sorted());
    }
}
