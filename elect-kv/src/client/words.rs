//! The words of commands.

use bytes::Bytes;

/// A word in upper case; what is not text matches no command.
pub(super) fn upper(word: &Bytes) -> String {
    String::from_utf8_lossy(word).to_ascii_uppercase()
}
