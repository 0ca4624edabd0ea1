//! Which commands change the key space, and what they stand for in the log.

use bytes::Bytes;

use super::reply::Reply;
use super::words;
use crate::store::{Command, CommandResult, KEY_BYTES_MAX, SetCondition, SetReply};

/// A write as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) key: Bytes,
    pub(super) command: Command,
}

/// The write that a request asks for; `Ok(None)` if it is not a write.
pub(super) fn parse_write(name: &str, words: &[Bytes]) -> Result<Option<Write>, Reply> {
    let arguments = &words[1..];
    let command = match (name, arguments) {
        ("SET", [key, value, options @ ..]) => {
            let (condition, reply) = set_options(options)?;
            Command::Set { key: key.clone(), value: value.clone(), condition, reply }
        }
        ("SETNX", [key, value]) => Command::Set {
            key: key.clone(),
            value: value.clone(),
            condition: SetCondition::Absent,
            reply: SetReply::Number,
        },
        ("MSET", [_, _, ..]) if arguments.len().is_multiple_of(2) => {
            let pairs = arguments.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
            Command::SetMany { pairs: pairs.collect() }
        }
        ("DEL" | "UNLINK", [_, ..]) => Command::Delete { keys: arguments.to_vec() },
        ("INCR", [key]) => Command::Add { key: key.clone(), amount: 1 },
        ("DECR", [key]) => Command::Add { key: key.clone(), amount: -1 },
        ("INCRBY", [key, amount]) => Command::Add { key: key.clone(), amount: number(amount)? },
        ("DECRBY", [key, amount]) => {
            Command::Add { key: key.clone(), amount: number(amount)?.checked_neg().ok_or_else(not_a_number)? }
        }
        ("SET" | "SETNX" | "MSET" | "DEL" | "UNLINK" | "INCR" | "DECR" | "INCRBY" | "DECRBY", _) => {
            return Err(wrong_number(name));
        }
        _ => return Ok(None),
    };
    let keys: Vec<&Bytes> = match name {
        "DEL" | "UNLINK" => arguments.iter().collect(),
        "MSET" => arguments.iter().step_by(2).collect(),
        _ => vec![&arguments[0]],
    };
    if let Some(key) = keys.iter().find(|key| key.len() > KEY_BYTES_MAX) {
        return Err(Reply::error(format!(
            "ERR a key of {} bytes: at most {KEY_BYTES_MAX} are allowed",
            key.len()
        )));
    }
    Ok(Some(Write { key: keys[0].clone(), command }))
}

/// The reply to a committed write.
pub(super) fn reply_to(result: CommandResult) -> Reply {
    match result {
        CommandResult::Done => Reply::OK,
        CommandResult::Nothing => Reply::Null,
        CommandResult::Number(number) => Reply::Number(number),
        CommandResult::Value(value) => Reply::Bulk(value),
        CommandResult::NotANumber => not_a_number(),
        CommandResult::All(results) => Reply::Array(results.into_iter().map(reply_to).collect()),
    }
}

fn set_options(options: &[Bytes]) -> Result<(SetCondition, SetReply), Reply> {
    let (mut condition, mut reply) = (SetCondition::Always, SetReply::Done);
    for option in options {
        match option.to_ascii_uppercase().as_slice() {
            b"NX" if condition == SetCondition::Always => condition = SetCondition::Absent,
            b"XX" if condition == SetCondition::Always => condition = SetCondition::Present,
            b"GET" => reply = SetReply::Old,
            b"EX" | b"PX" | b"EXAT" | b"PXAT" | b"KEEPTTL" => {
                return Err(Reply::error("ERR this server knows no expiry: SET takes NX, XX and GET only"));
            }
            _ => return Err(Reply::error("ERR syntax error")),
        }
    }
    Ok((condition, reply))
}

fn number(word: &Bytes) -> Result<i64, Reply> {
    words::number(word).ok_or_else(not_a_number)
}

fn not_a_number() -> Reply {
    Reply::error("ERR value is not an integer or out of range")
}

pub(super) fn wrong_number(name: &str) -> Reply {
    Reply::error(format!("ERR wrong number of arguments for '{}' command", name.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &'static str) -> Result<Option<Command>, Reply> {
        let words: Vec<_> = line.split(' ').map(Bytes::from).collect();
        parse_write(line.split(' ').next().unwrap(), &words).map(|write| write.map(|write| write.command))
    }

    #[test]
    fn writes_become_commands() {
        let key = || Bytes::from("k");
        let set = |condition, reply| Command::Set { key: key(), value: "v".into(), condition, reply };
        let table = [
            ("SET k v", Some(set(SetCondition::Always, SetReply::Done))),
            ("SET k v nx get", Some(set(SetCondition::Absent, SetReply::Old))),
            ("SETNX k v", Some(set(SetCondition::Absent, SetReply::Number))),
            ("MSET k v", Some(Command::SetMany { pairs: vec![(key(), "v".into())] })),
            ("DEL k l", Some(Command::Delete { keys: vec![key(), "l".into()] })),
            ("DECRBY k 5", Some(Command::Add { key: key(), amount: -5 })),
            ("GET k", None),
        ];
        for (line, command) in table {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_not_supported_is_said() {
        let table = [
            ("SET k v EX 5", "no expiry"),
            ("SET k v NX XX", "syntax error"),
            ("SET k", "wrong number of arguments for 'set'"),
            ("MSET k v l", "wrong number of arguments for 'mset'"),
            ("INCRBY k x", "not an integer"),
            ("DECRBY k -9223372036854775808", "out of range"),
        ];
        for (line, expected) in table {
            let Err(Reply::Error(text)) = parse(line) else { panic!("{line} should be refused") };
            assert!(text.contains(expected), "{line}: {text}");
        }
    }
}
