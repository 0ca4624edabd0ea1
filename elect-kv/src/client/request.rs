//! Requests: flat arrays of bulk strings, or one inline line.
//!
//! Read by hand rather than by a general decoder: a request never nests, so nothing here recurses, and every
//! length is checked before anything is kept.

use bytes::{Buf, Bytes, BytesMut};

use super::words::number;

/// The longest request, in bytes.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;
/// The most words in a request.
pub const WORDS_MAX: usize = 4096;
/// The longest inline request and the longest length line, in bytes.
const LINE_BYTES_MAX: usize = 4 << 10;

/// Bytes that are no request: the connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A line without an end.
    #[error("Protocol error: a line of more than {LINE_BYTES_MAX} bytes")]
    Line,
    /// Not a number of words.
    #[error("Protocol error: invalid multibulk length")]
    Words,
    /// Not a length, or not a bulk string.
    #[error("Protocol error: invalid bulk length")]
    Bulk,
    /// A quote in a line is never closed, or something follows its end at once.
    #[error("Protocol error: unbalanced quotes in request")]
    Quotes,
    /// Too long as a whole.
    #[error("Protocol error: a request of more than {REQUEST_BYTES_MAX} bytes")]
    TooLong,
}

/// Takes the next request off the buffer: its words, none for an empty line. `Ok(None)` if it is not whole yet.
pub fn take_request(buffer: &mut BytesMut) -> Result<Option<Vec<Bytes>>, Malformed> {
    match buffer.first() {
        None => Ok(None),
        Some(b'*') => take_array(buffer),
        Some(_) => take_inline(buffer),
    }
}

fn take_array(buffer: &mut BytesMut) -> Result<Option<Vec<Bytes>>, Malformed> {
    let Some((count, mut at)) = number_after(buffer, 0, Malformed::Words)? else { return Ok(None) };
    if count > WORDS_MAX {
        return Err(Malformed::Words);
    }
    // First only the places: the buffer is left alone until the request is whole.
    let mut places = Vec::with_capacity(count);
    for _ in 0..count {
        match buffer.get(at) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(_) => return Err(Malformed::Bulk),
        }
        let Some((length, start)) = number_after(buffer, at, Malformed::Bulk)? else { return Ok(None) };
        if length > REQUEST_BYTES_MAX || start + length > REQUEST_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        let end = start + length;
        match buffer.get(end..end + 2) {
            None => return Ok(None),
            Some(b"\r\n") => {}
            Some(_) => return Err(Malformed::Bulk),
        }
        places.push(start..end);
        at = end + 2;
    }
    let request = buffer.split_to(at).freeze();
    Ok(Some(places.into_iter().map(|place| request.slice(place)).collect()))
}

/// The number in the line that begins one byte after `at`, and where the next line begins.
fn number_after(
    buffer: &BytesMut,
    at: usize,
    malformed: Malformed,
) -> Result<Option<(usize, usize)>, Malformed> {
    let line = &buffer[at + 1..];
    let Some(end) = line.iter().take(24).position(|byte| *byte == b'\n') else {
        return if line.len() < 24 { Ok(None) } else { Err(malformed) };
    };
    let digits = line[..end].strip_suffix(b"\r").ok_or(malformed)?;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(malformed);
    }
    Ok(Some((number(digits).ok_or(malformed)?, at + 1 + end + 1)))
}

fn take_inline(buffer: &mut BytesMut) -> Result<Option<Vec<Bytes>>, Malformed> {
    let Some(end) = buffer.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\n') else {
        return if buffer.len() < LINE_BYTES_MAX { Ok(None) } else { Err(Malformed::Line) };
    };
    let line = buffer.split_to(end);
    buffer.advance(1);
    words_of(&line).map(Some)
}

/// The words of a line. Quotes keep spaces, as in Redis: `"…"` with escapes, `'…'` without.
fn words_of(mut line: &[u8]) -> Result<Vec<Bytes>, Malformed> {
    let mut words = Vec::new();
    loop {
        line = line.trim_ascii_start();
        if line.is_empty() {
            return Ok(words);
        }
        let mut word = Vec::new();
        while let [byte, rest @ ..] = line
            && !byte.is_ascii_whitespace()
        {
            line = match byte {
                b'"' | b'\'' => quoted(*byte, rest, &mut word)?,
                _ => {
                    word.push(*byte);
                    rest
                }
            };
        }
        words.push(word.into());
    }
}

/// Reads on to the closing quote. What follows it.
fn quoted<'a>(quote: u8, mut line: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], Malformed> {
    loop {
        line = match line {
            [end, rest @ ..] if *end == quote => {
                let ends = rest.first().is_none_or(u8::is_ascii_whitespace);
                return if ends { Ok(rest) } else { Err(Malformed::Quotes) };
            }
            [b'\\', b'x', high, low, rest @ ..]
                if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                word.push(hexadecimal(*high) << 4 | hexadecimal(*low));
                rest
            }
            [b'\\', escaped, rest @ ..] if quote == b'"' || *escaped == b'\'' => {
                word.push(if quote == b'"' { unescaped(*escaped) } else { *escaped });
                rest
            }
            [byte, rest @ ..] => {
                word.push(*byte);
                rest
            }
            [] => return Err(Malformed::Quotes),
        };
    }
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

fn hexadecimal(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn take(bytes: &[u8]) -> Result<Option<Vec<Bytes>>, Malformed> {
        take_request(&mut BytesMut::from(bytes))
    }

    #[test]
    fn requests_come_as_arrays_or_lines() {
        let words = |words: &[&'static str]| Ok(Some(words.iter().map(|word| Bytes::from(*word)).collect()));
        assert_eq!(take(b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n"), words(&["GET", ""]));
        assert_eq!(take(b"PING  hello\r\n"), words(&["PING", "hello"]));
        assert_eq!(take(b"\r\n"), words(&[]));
        assert_eq!(take(b"*0\r\n"), words(&[]));
    }

    #[test]
    fn quotes_in_a_line_keep_spaces() {
        let table: [(&str, Result<&[&str], Malformed>); 9] = [
            (r#"SET "a key" 'a value'"#, Ok(&["SET", "a key", "a value"])),
            (r#"SET "" ''"#, Ok(&["SET", "", ""])),
            (r#"SET a "\x41\n\"\\\q\x4""#, Ok(&["SET", "a", "A\n\"\\qx4"])),
            (r"SET a 'it\'s \n'", Ok(&["SET", "a", "it's \\n"])),
            (r#"SET fi"x b"ar"#, Err(Malformed::Quotes)),
            (r#"SET fi"x b" x"#, Ok(&["SET", "fix b", "x"])),
            (r#"SET "a"b"#, Err(Malformed::Quotes)),
            (r#"SET "a"#, Err(Malformed::Quotes)),
            (r"SET 'a\", Err(Malformed::Quotes)),
        ];
        for (line, expected) in table {
            let words = take(format!("{line}\r\n").as_bytes());
            let expected = expected.map(|words| Some(words.iter().map(|word| Bytes::from(*word)).collect()));
            assert_eq!(words, expected, "{line}");
        }
    }

    #[test]
    fn broken_requests_are_refused() {
        let table: [(&[u8], Malformed); 10] = [
            (b"*-1\r\n", Malformed::Words),
            (b"*x\r\n", Malformed::Words),
            (b"*\r\n", Malformed::Words),
            (b"*5000\r\n", Malformed::Words),
            (b"*99999999999999999999999999999", Malformed::Words),
            (b"*1\r\n*1\r\n", Malformed::Bulk),
            (b"*1\r\n$-1\r\n", Malformed::Bulk),
            (b"*1\r\n$2\r\nabc\r\n", Malformed::Bulk),
            (b"*1\r\n$2000000\r\n", Malformed::TooLong),
            (&[b'x'; LINE_BYTES_MAX], Malformed::Line),
        ];
        for (bytes, malformed) in table {
            assert_eq!(take(bytes), Err(malformed), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        #[test]
        fn a_request_is_the_same_however_it_arrives(words in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..6), cut in any::<usize>()) {
            let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
            for word in &words {
                bytes.extend(format!("${}\r\n", word.len()).into_bytes());
                bytes.extend(word);
                bytes.extend(b"\r\n");
            }
            let cut = cut % bytes.len();
            let mut buffer = BytesMut::from(&bytes[..cut]);
            prop_assert_eq!(take_request(&mut buffer), Ok(None));
            buffer.extend_from_slice(&bytes[cut..]);
            buffer.extend_from_slice(b"rest");
            let words: Vec<_> = words.into_iter().map(Bytes::from).collect();
            prop_assert_eq!(take_request(&mut buffer), Ok(Some(words)));
            prop_assert_eq!(&buffer[..], b"rest");
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = take(&[b"*", &bytes[..]].concat());
            let _ = take(&bytes);
        }
    }
}
