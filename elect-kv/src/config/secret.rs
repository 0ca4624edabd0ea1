//! A password that no log shows.

use std::fmt;

use serde::Deserialize;

/// A password. It is compared in a time that depends on its length only, and nothing prints it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Whether `other` is the same.
    pub fn equals(&self, other: &[u8]) -> bool {
        let own = self.0.as_bytes();
        let differ = own.iter().zip(other).fold(0, |differ, (one, two)| differ | (one ^ two));
        own.len() == other.len() && std::hint::black_box(differ) == 0
    }

    /// For whoever shows it to another node.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether nothing need be known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}
