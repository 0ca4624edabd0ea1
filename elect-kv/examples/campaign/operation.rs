//! What clients ask of a group of keys, and what an object that does one thing after another answers. Written from the
//! README's promises, without the server's code.

use std::fmt;

/// Keys of a group: operations on several keys stay inside one.
pub(crate) const KEYS: usize = 4;
/// Values that are written lie this far apart: no number of increments leads from one to another.
pub(crate) const STRIDE: i64 = 1_000_000;

/// The values of a group.
pub(crate) type State = [Option<i64>; KEYS];

/// One request, or one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Get(usize),
    GetMany(Vec<usize>),
    Exists(Vec<usize>),
    Write(Write),
    /// `MULTI … EXEC`.
    Transaction(Vec<Write>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Set(usize, i64),
    /// Only where there is nothing.
    SetNew(usize, i64),
    SetMany(Vec<(usize, i64)>),
    Increment(usize),
    Delete(Vec<usize>),
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    /// Nothing was set.
    Nothing,
    Number(i64),
    Values(Vec<Option<i64>>),
    All(Vec<Answer>),
}

impl Operation {
    /// Takes effect as a whole.
    pub(crate) fn apply(&self, state: &mut State) -> Answer {
        match self {
            Self::Get(key) => Answer::Values(vec![state[*key]]),
            Self::GetMany(keys) => Answer::Values(keys.iter().map(|key| state[*key]).collect()),
            Self::Exists(keys) => count(keys.iter().filter(|key| state[**key].is_some()).count()),
            Self::Write(write) => write.apply(state),
            Self::Transaction(writes) => Answer::All(writes.iter().map(|write| write.apply(state)).collect()),
        }
    }

    pub(crate) fn is_read(&self) -> bool {
        matches!(self, Self::Get(_) | Self::GetMany(_) | Self::Exists(_))
    }

    /// What it writes, if anything.
    pub(crate) fn writes(&self) -> &[Write] {
        match self {
            Self::Write(write) => std::slice::from_ref(write),
            Self::Transaction(writes) => writes,
            _ => &[],
        }
    }

    /// The keys that it reads one value of each.
    pub(crate) fn read_keys(&self) -> &[usize] {
        match self {
            Self::Get(key) => std::slice::from_ref(key),
            Self::GetMany(keys) => keys,
            _ => &[],
        }
    }

    /// Which keys it touches, one bit for each.
    pub(crate) fn keys(&self) -> u8 {
        match self {
            Self::Get(key) => 1 << key,
            Self::GetMany(keys) | Self::Exists(keys) => bits(keys),
            Self::Write(_) | Self::Transaction(_) => {
                self.writes().iter().fold(0, |found, write| found | write.keys())
            }
        }
    }
}

impl Write {
    fn apply(&self, state: &mut State) -> Answer {
        match self {
            Self::SetNew(key, _) if state[*key].is_some() => return Answer::Nothing,
            Self::Set(key, value) | Self::SetNew(key, value) => state[*key] = Some(*value),
            Self::SetMany(pairs) => pairs.iter().for_each(|(key, value)| state[*key] = Some(*value)),
            Self::Increment(key) => {
                let value = state[*key].unwrap_or(0) + 1;
                state[*key] = Some(value);
                return Answer::Number(value);
            }
            Self::Delete(keys) => {
                return count(keys.iter().filter(|key| state[**key].take().is_some()).count());
            }
        }
        Answer::Done
    }

    fn keys(&self) -> u8 {
        match self {
            Self::Set(key, _) | Self::SetNew(key, _) | Self::Increment(key) => 1 << key,
            Self::SetMany(pairs) => pairs.iter().fold(0, |found, (key, _)| found | 1 << key),
            Self::Delete(keys) => bits(keys),
        }
    }

    /// The value that this, where it took effect, gave to a key.
    pub(crate) fn value_for(&self, wanted: usize) -> Option<i64> {
        match self {
            Self::Set(key, value) | Self::SetNew(key, value) => (*key == wanted).then_some(*value),
            Self::SetMany(pairs) => {
                pairs.iter().rev().find(|(key, _)| *key == wanted).map(|(_, value)| *value)
            }
            Self::Increment(_) | Self::Delete(_) => None,
        }
    }
}

fn bits(keys: &[usize]) -> u8 {
    keys.iter().fold(0, |found, key| found | 1 << key)
}

fn count(number: usize) -> Answer {
    Answer::Number(i64::try_from(number).unwrap_or(i64::MAX))
}

/// As it was sent, with the keys' places in the group.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get(key) => write!(f, "GET {key}"),
            Self::GetMany(keys) => words(f, "MGET", keys),
            Self::Exists(keys) => words(f, "EXISTS", keys),
            Self::Write(write) => write.fmt(f),
            Self::Transaction(writes) => {
                f.write_str("MULTI")?;
                writes.iter().try_for_each(|write| write!(f, " · {write}"))?;
                f.write_str(" · EXEC")
            }
        }
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(key, value) => write!(f, "SET {key} {value}"),
            Self::SetNew(key, value) => write!(f, "SET {key} {value} NX"),
            Self::SetMany(pairs) => {
                f.write_str("MSET")?;
                pairs.iter().try_for_each(|(key, value)| write!(f, " {key} {value}"))
            }
            Self::Increment(key) => write!(f, "INCR {key}"),
            Self::Delete(keys) => words(f, "DEL", keys),
        }
    }
}

fn words(f: &mut fmt::Formatter<'_>, name: &str, keys: &[usize]) -> fmt::Result {
    f.write_str(name)?;
    keys.iter().try_for_each(|key| write!(f, " {key}"))
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("OK"),
            Self::Nothing => f.write_str("nil"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Values(values) => f.write_str(&shown(values)),
            Self::All(answers) => {
                let answers: Vec<_> = answers.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", answers.join(", "))
            }
        }
    }
}

/// Values in a row.
pub(crate) fn shown(values: &[Option<i64>]) -> String {
    let word = |value: &Option<i64>| value.map_or("nil".to_owned(), |value| value.to_string());
    format!("({})", values.iter().map(word).collect::<Vec<_>>().join(" "))
}
