//! `client-output-buffer-limit` and `repl-backlog-size`, in redis' own words.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// How many bytes of replies a client may leave untaken: `normal <hard> <soft> <soft seconds>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// A reply of more bytes is refused.
    pub hard: usize,
    /// A client that leaves more than this many bytes untaken for [`soft_span`](Self::soft_span) is closed.
    pub soft: usize,
    /// See [`soft`](Self::soft).
    pub soft_span: Duration,
}

impl Default for OutputLimit {
    /// `normal 32mb 64kb 60`.
    fn default() -> Self {
        Self { hard: 32 << 20, soft: 64 << 10, soft_span: Duration::from_mins(1) }
    }
}

const FORM: &str =
    "must be `normal <hard> <soft> <soft seconds>`, sizes as in `32mb`, 1mb to 64mb for the hard one";

impl FromStr for OutputLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let words: Vec<_> = text.split_whitespace().collect();
        let [class, hard, soft, seconds] = words[..] else { return Err(FORM) };
        let (hard, soft) = (size(hard).ok_or(FORM)?, size(soft).ok_or(FORM)?);
        let seconds: u64 = seconds.parse().map_err(|_| FORM)?;
        if !class.eq_ignore_ascii_case("normal") || !(1 << 20..=64 << 20).contains(&hard) || seconds == 0 {
            return Err(FORM);
        }
        Ok(Self { hard, soft, soft_span: Duration::from_secs(seconds) })
    }
}

/// A number of bytes: `kb` is 1024, `k` is 1000, as in redis' file.
fn size(word: &str) -> Option<usize> {
    let word = word.to_ascii_lowercase();
    let digits = word.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &word[digits.len()..] {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

/// How much of the log is kept for followers that were away, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacklogSize(pub u64);

impl Default for BacklogSize {
    /// `64mb`.
    fn default() -> Self {
        Self(64 << 20)
    }
}

impl<'de> Deserialize<'de> for BacklogSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes =
            size(&String::deserialize(deserializer)?).filter(|bytes| (1 << 20..=1 << 40).contains(bytes));
        let rule = "must be a size as in `64mb`, 1mb to 1048576mb";
        bytes.map(|bytes| Self(bytes as u64)).ok_or_else(|| de::Error::custom(rule))
    }
}

impl<'de> Deserialize<'de> for OutputLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_in_redis() {
        let limit = |hard, soft, seconds| OutputLimit { hard, soft, soft_span: Duration::from_secs(seconds) };
        assert_eq!("normal 16mb 1m 30".parse(), Ok(limit(16 << 20, 1_000_000, 30)));
        assert_eq!("NORMAL 1048576 8KB 1".parse(), Ok(limit(1 << 20, 8 << 10, 1)));
        for text in [
            "",
            "normal 16mb 1mb",
            "replica 16mb 1mb 30",
            "normal 1kb 1kb 30",
            "normal 1gb 1mb 30",
            "normal 16mb 1mb 0",
        ] {
            assert_eq!(text.parse::<OutputLimit>(), Err(FORM), "{text}");
        }
    }
}
