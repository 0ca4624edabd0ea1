//! Sections: runs of fixed-width integers, written and read one after the other. Only this file names bincode.

#![expect(
    clippy::inline_always,
    reason = "measured: without it a heartbeat decodes in 36 ns instead of 21 in a release build without LTO"
)]

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use bincode::serde::{borrow_decode_from_slice, encode_into_slice};
use serde::{Deserialize, Serialize};

use super::WireError;
use crate::name::NAME_BYTES_MAX;

/// No section is longer.
const SECTION_BYTES_MAX: usize = 64;

const FIXED: Configuration<LittleEndian, Fixint, Limit<SECTION_BYTES_MAX>> =
    bincode::config::standard().with_fixed_int_encoding().with_limit();

/// Appends sections to a buffer that the caller has dimensioned for the largest value there is.
pub(super) struct Writer<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// Writes `bytes` from `at` on.
    pub(super) fn new(bytes: &'a mut [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// How many bytes were written.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Appends integers.
    #[inline]
    pub(super) fn section<T: Serialize>(&mut self, section: T) {
        self.at += encode_into_slice(section, &mut self.bytes[self.at..], FIXED)
            .expect("the buffer holds the largest value, and integers always encode");
    }

    /// Appends a name: its length and its bytes.
    #[inline]
    pub(super) fn name(&mut self, padded: &[u8; NAME_BYTES_MAX]) {
        let length = name_length(padded);
        self.bytes[self.at] = length;
        // All 32 bytes, which costs less than as many as there are: what follows overwrites the padding.
        self.bytes[self.at + 1..][..NAME_BYTES_MAX].copy_from_slice(padded);
        self.at += 1 + usize::from(length);
    }

    /// Appends at most 255 bytes: how many there are, and they.
    pub(super) fn counted(&mut self, counted: &[u8]) {
        self.bytes[self.at] = u8::try_from(counted.len()).expect("the type of what is written limits it");
        self.bytes[self.at + 1..][..counted.len()].copy_from_slice(counted);
        self.at += 1 + counted.len();
    }
}

/// How many bytes of a zero-padded name are not padding.
fn name_length(padded: &[u8; NAME_BYTES_MAX]) -> u8 {
    let (words, _) = padded.as_chunks::<8>();
    let padding: u32 = words.iter().map(|word| u64::from_le_bytes(*word).leading_zeros() / 8).sum();
    #[expect(clippy::cast_possible_truncation, reason = "at most 32")]
    let length = NAME_BYTES_MAX as u8 - padding as u8;
    length
}

/// Takes sections from bytes that came from outside.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from `at` on.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The byte that comes next.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Takes integers.
    #[inline(always)]
    pub(super) fn section<T: Deserialize<'a>>(&mut self) -> Result<T, WireError> {
        match borrow_decode_from_slice(&self.bytes[self.at..], FIXED) {
            Ok((section, length)) => {
                self.at += length;
                Ok(section)
            }
            // Every integer is one: the only thing that can be wrong is that there are too few bytes.
            Err(_) => Err(self.short()),
        }
    }

    /// Takes a name and makes it one.
    #[inline(always)]
    pub(super) fn name<T>(
        &mut self,
        parse: impl FnOnce(&[u8]) -> Result<T, crate::name::NameError>,
    ) -> Result<T, WireError> {
        let at = self.at;
        parse(self.counted()?).map_err(|rule| WireError::Name { at, rule })
    }

    /// Takes a text.
    pub(super) fn text(&mut self) -> Result<&'a str, WireError> {
        let at = self.at;
        core::str::from_utf8(self.counted()?)
            .map_err(|error| WireError::Address { at, valid: error.valid_up_to() })
    }

    /// Everything must have been taken.
    pub(super) fn end(self) -> Result<(), WireError> {
        let end = self.bytes.len();
        if self.at == end { Ok(()) } else { Err(WireError::Trailing { at: self.at, end }) }
    }

    /// Takes a length and so many bytes.
    #[inline(always)]
    pub(super) fn counted(&mut self) -> Result<&'a [u8], WireError> {
        let counted = match self.bytes[self.at..] {
            [length, ref rest @ ..] => rest.get(..usize::from(length)),
            [] => None,
        };
        let counted = counted.ok_or_else(|| self.short())?;
        self.at += 1 + counted.len();
        Ok(counted)
    }

    fn short(&self) -> WireError {
        WireError::Short { at: self.at, end: self.bytes.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::NodeId;

    #[test]
    fn the_length_of_a_name_excludes_its_padding() {
        for length in 1..=NAME_BYTES_MAX {
            for letter in ["x", "-"] {
                let name = NodeId::new(&letter.repeat(length)).unwrap();
                assert_eq!(usize::from(name_length(name.as_padded_bytes())), length);
            }
        }
    }
}
