//! The words of commands.

use std::str::FromStr;

use bytes::Bytes;

/// The number that a word stands for.
pub(super) fn number<T: FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// A word in upper case; what is not text matches no command.
pub(super) fn upper(word: &Bytes) -> String {
    String::from_utf8_lossy(word).to_ascii_uppercase()
}
