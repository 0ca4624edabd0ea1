//! Where clients reach a node.

use alloc::sync::Arc;
use core::fmt;

/// The longest address, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 255;

/// Where clients reach a node, in the host's own notation. At most 255 bytes of UTF-8 without control characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(Arc<str>);

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is too long: so many bytes.
    #[error("an address may have at most {ADDRESS_BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// It holds a line break or another control character, which would garble a log or a terminal.
    #[error("an address may hold no line breaks and control characters, this one has one at byte {at}")]
    Control {
        /// Where, in bytes from the beginning.
        at: usize,
    },
}

impl Address {
    /// Copies an address.
    pub fn new(text: &str) -> Result<Self, AddressError> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(AddressError::TooLong(text.len()));
        }
        let is_control = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        match text.find(is_control) {
            Some(at) => Err(AddressError::Control { at }),
            None => Ok(Self(text.into())),
        }
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Address {
    fn default() -> Self {
        Self("".into())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(feature = "wire")]
impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn an_address_is_one_line_of_text() {
        for (text, at) in
            [("a\nb", 1), ("\u{1b}[31m", 0), ("kv-1:6379\r", 9), ("ü\u{7f}", 2), ("a\u{2028}", 1)]
        {
            let error = Address::new(text).unwrap_err();
            assert_eq!(error, AddressError::Control { at }, "{text:?}");
            assert!(error.to_string().contains(&at.to_string()));
        }
        assert_eq!(Address::new(&"x".repeat(256)), Err(AddressError::TooLong(256)));
        assert_eq!(Address::new("kv-1.example:6379 ü").unwrap().as_str(), "kv-1.example:6379 ü");
    }
}
