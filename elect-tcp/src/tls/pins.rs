//! Keys that are pinned for nodes.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use elect_core::NodeId;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The SHA-256 of a key's `SubjectPublicKeyInfo`. As text: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyPin([u8; 32]);

/// Why a file of pins cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinsError {
    /// Not `NODE sha256:HEX`.
    #[error("line {line} of the pins does not have the form `NODE sha256:` and 64 hexadecimal digits")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// A key that is pinned for two nodes proves neither.
    #[error("line {line} of the pins gives {node} the key of {other}")]
    Shared {
        /// Counted from 1.
        line: usize,
        /// Whose line it is.
        node: NodeId,
        /// Whose key it was.
        other: NodeId,
    },
    /// An empty file, as a disk that is full leaves it, pins nobody: that would be less than the host asked for.
    #[error("there is no pin in it")]
    Empty,
    /// A certificate that is none.
    #[error("the certificate cannot be read: {0}")]
    Certificate(String),
}

impl KeyPin {
    /// That of the key of a certificate in DER.
    pub fn of_certificate(certificate: &[u8]) -> Result<Self, PinsError> {
        let certificate = CertificateDer::from(certificate);
        let parsed = EndEntityCert::try_from(&certificate)
            .map_err(|error| PinsError::Certificate(error.to_string()))?;
        Ok(Self::of(&parsed))
    }

    pub(super) fn of(certificate: &EndEntityCert<'_>) -> Self {
        let key = certificate.subject_public_key_info();
        let hash = ring::digest::digest(&ring::digest::SHA256, key.as_ref());
        let mut pin = [0; 32];
        pin.copy_from_slice(hash.as_ref());
        Self(pin)
    }
}

impl FromStr for KeyPin {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.strip_prefix("sha256:").ok_or(())?;
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(());
        }
        let mut pin = [0; 32];
        for (byte, at) in pin.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| ())?;
        }
        Ok(Self(pin))
    }
}

impl fmt::Display for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whose key is whose.
#[derive(Clone, Debug, Default)]
pub(super) struct Pins(HashMap<KeyPin, NodeId>);

impl Pins {
    pub(super) fn parse(text: &str) -> Result<Self, PinsError> {
        let mut pins = HashMap::new();
        let is_said = |line: &str| !line.is_empty() && !line.starts_with('#');
        let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| is_said(line));
        for (text, line) in lines {
            let mut words = text.split_whitespace();
            let (Some(node), Some(pin), None) = (words.next(), words.next(), words.next()) else {
                return Err(PinsError::Line { line });
            };
            let node = NodeId::new(node).map_err(|_| PinsError::Line { line })?;
            let pin: KeyPin = pin.parse().map_err(|()| PinsError::Line { line })?;
            if let Some(other) = pins.insert(pin, node).filter(|other| *other != node) {
                return Err(PinsError::Shared { line, node, other });
            }
        }
        if pins.is_empty() { Err(PinsError::Empty) } else { Ok(Self(pins)) }
    }

    pub(super) fn node_of(&self, pin: KeyPin) -> Option<NodeId> {
        self.0.get(&pin).copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, node: NodeId) -> bool {
        self.0.values().any(|pinned| *pinned == node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::id;

    #[test]
    fn lines_are_read_and_nonsense_is_refused_with_its_line() {
        let (one, two) = ("00".repeat(32), "Ab".repeat(32));
        let text = format!("# keys\n\n a sha256:{one}\na  sha256:{two} \n");
        let pins = Pins::parse(&text).unwrap();
        let pin: KeyPin = format!("sha256:{two}").parse().unwrap();
        assert_eq!((pins.node_of(pin), pins.has(id("a")), pins.has(id("b"))), (Some(id("a")), true, false));
        assert_eq!(pin.to_string(), format!("sha256:{}", two.to_lowercase()));
        let shared = format!("a sha256:{one}\nb sha256:{one}");
        let expected = PinsError::Shared { line: 2, node: id("b"), other: id("a") };
        assert_eq!(Pins::parse(&shared).unwrap_err(), expected);
        for text in ["", "# none\n\n"] {
            assert_eq!(Pins::parse(text).unwrap_err(), PinsError::Empty);
        }
        for line in [
            "a",
            "a sha256:",
            "a sha1:00",
            "? sha256:00",
            &format!("a sha256:{one} b"),
            &format!("a sha256:{}", "é".repeat(32)),
        ] {
            assert_eq!(Pins::parse(&format!("\n{line}")).unwrap_err(), PinsError::Line { line: 2 }, "{line}");
        }
    }
}
