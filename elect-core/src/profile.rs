//! What a node's host says of itself: a version with a few bytes, and where clients reach it.

use core::fmt;

use crate::address::Address;

/// The most bytes that a host may have carried to the other members.
pub const HOST_DATA_BYTES_MAX: usize = 64;

/// What a node's host says of itself. Each node tells every other one with all frames until one of them was echoed, and
/// again after each change (R67).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The host's version number.
    pub version: u32,
    /// The bytes that belong to this version.
    pub data: HostData,
    /// Where clients reach the node.
    pub address: Address,
}

impl Profile {
    /// R67: whether the host of a node that is at version `own` is told of this one, when it was told of `told` before:
    /// what is newer must be to be had somewhere.
    pub(crate) fn is_news(&self, own: u32, told: u32) -> bool {
        self.version > own.max(told) && !self.address.as_str().is_empty()
    }
}

/// Bytes of the host's own: at most 64, and the protocol never looks at them. `Copy`, no heap.
///
/// ```
/// use elect_core::HostData;
///
/// let data = HostData::new(b"config 7")?;
/// assert_eq!(data.as_bytes(), b"config 7");
/// assert!(HostData::new(&[0; 65]).is_err());
/// # Ok::<(), elect_core::HostDataError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HostData {
    length: u8,
    /// Zero-padded.
    bytes: [u8; HOST_DATA_BYTES_MAX],
}

/// Bytes that are too many for a host's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host's data may have at most {HOST_DATA_BYTES_MAX} bytes, these are {length}")]
pub struct HostDataError {
    /// How many there are.
    pub length: usize,
}

impl HostData {
    /// Copies bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, HostDataError> {
        let mut data = Self::default();
        let too_long = HostDataError { length: bytes.len() };
        data.bytes.get_mut(..bytes.len()).ok_or(too_long)?.copy_from_slice(bytes);
        data.length = u8::try_from(bytes.len()).map_err(|_| too_long)?;
        Ok(data)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl Default for HostData {
    fn default() -> Self {
        Self { length: 0, bytes: [0; HOST_DATA_BYTES_MAX] }
    }
}

/// In hexadecimal, two digits a byte.
impl fmt::Display for HostData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for HostData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostData({self})")
    }
}

#[cfg(feature = "wire")]
impl serde::Serialize for HostData {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn data_has_at_most_64_bytes_of_any_kind() {
        let longest = [0xff; HOST_DATA_BYTES_MAX];
        assert_eq!(HostData::new(&longest).unwrap().as_bytes(), longest);
        let error = HostData::new(&[0; 65]).unwrap_err();
        assert_eq!(error, HostDataError { length: 65 });
        assert_eq!(error.to_string(), "a host's data may have at most 64 bytes, these are 65");
        assert_eq!(HostData::new(&[1; 1000]), Err(HostDataError { length: 1000 }));
        assert_ne!(HostData::new(&[0]), HostData::new(&[]), "a zero is a byte");
        assert_eq!(HostData::new(&[0, 0x0a, 0xff]).unwrap().to_string(), "000aff");
    }

    #[test]
    fn only_a_version_above_both_that_is_to_be_had_somewhere_is_news() {
        let at = |version, address| Profile {
            version,
            address: Address::new(address).unwrap(),
            ..Profile::default()
        };
        for (profile, own, told, is_news) in [
            (at(5, "b:1"), 4, 4, true),
            (at(5, "b:1"), 5, 0, false),
            (at(5, "b:1"), 0, 5, false),
            (at(5, ""), 4, 4, false),
            (at(0, "b:1"), 0, 0, false),
        ] {
            assert_eq!(profile.is_news(own, told), is_news, "{profile:?} at {own}, told of {told}");
        }
    }
}
