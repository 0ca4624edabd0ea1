//! What the log holds: commands that every replica applies alike.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A change of the key space. Its result depends on nothing but the state it is applied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Sets a key.
    Set {
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
        /// When it takes effect.
        condition: SetCondition,
        /// What it replies.
        reply: SetReply,
    },
    /// Sets keys, all of them at once; of a key that stands twice the last value counts.
    SetMany {
        /// Keys and their new values.
        pairs: Vec<(Bytes, Bytes)>,
    },
    /// Removes keys; answers how many there were.
    Delete {
        /// The keys.
        keys: Vec<Bytes>,
    },
    /// Adds to a decimal number; answers the sum.
    Add {
        /// The key; absent counts as zero.
        key: Bytes,
        /// What to add.
        amount: i64,
    },
    /// Several commands at once, in order; answers what each of them answers.
    Transaction {
        /// The commands. None of them is a transaction.
        commands: Vec<Command>,
    },
}

/// When a `Set` takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetCondition {
    /// Always.
    Always,
    /// If the key is absent.
    Absent,
    /// If the key is present.
    Present,
}

/// What a `Set` replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetReply {
    /// Whether it took effect.
    Done,
    /// The same, as a number.
    Number,
    /// The value before it.
    Old,
}

/// What a command answers its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandResult {
    /// Done.
    Done,
    /// Nothing: the condition did not hold, or there was no value.
    Nothing,
    /// A number.
    Number(i64),
    /// A value.
    Value(Bytes),
    /// The value is not a number, or the sum leaves the range of 64 bits.
    NotANumber,
    /// What each command of a transaction answers.
    All(Vec<CommandResult>),
}

/// Bytes in the log that are no command: the log is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry of the log is not a command")]
pub struct NotACommand;

const SET: u8 = 1;
const DELETE: u8 = 2;
const ADD: u8 = 3;
const SET_MANY: u8 = 4;
const TRANSACTION: u8 = 5;

impl Command {
    /// What it answers, if that does not depend on what was there before.
    pub fn known_result(&self) -> Option<CommandResult> {
        match self {
            Self::Set { condition: SetCondition::Always, reply: SetReply::Done, .. }
            | Self::SetMany { .. } => Some(CommandResult::Done),
            Self::Transaction { commands } => {
                commands.iter().map(Self::known_result).collect::<Option<_>>().map(CommandResult::All)
            }
            Self::Set { .. } | Self::Delete { .. } | Self::Add { .. } => None,
        }
    }

    /// The command as it stands in the log.
    pub fn encode(&self) -> Bytes {
        let mut out = match self {
            Self::Set { key, value, .. } => BytesMut::with_capacity(3 + 4 + key.len() + value.len()),
            _ => BytesMut::new(),
        };
        match self {
            Self::Set { key, value, condition, reply } => {
                out.put_u8(SET);
                out.put_u8(match condition {
                    SetCondition::Always => 0,
                    SetCondition::Absent => 1,
                    SetCondition::Present => 2,
                });
                out.put_u8(match reply {
                    SetReply::Done => 0,
                    SetReply::Old => 1,
                    SetReply::Number => 2,
                });
                put_bytes(&mut out, key);
                out.put_slice(value);
            }
            Self::Delete { keys } => {
                out.put_u8(DELETE);
                for key in keys {
                    put_bytes(&mut out, key);
                }
            }
            Self::SetMany { pairs } => {
                out.put_u8(SET_MANY);
                for (key, value) in pairs {
                    put_bytes(&mut out, key);
                    put_bytes(&mut out, value);
                }
            }
            Self::Add { key, amount } => {
                out.put_u8(ADD);
                out.put_i64_le(*amount);
                out.put_slice(key);
            }
            Self::Transaction { commands } => {
                out.put_u8(TRANSACTION);
                for command in commands {
                    put_bytes(&mut out, &command.encode());
                }
            }
        }
        out.freeze()
    }

    /// Reads a command from the log.
    pub fn decode(mut bytes: Bytes) -> Result<Self, NotACommand> {
        match bytes.try_get_u8().map_err(|_| NotACommand)? {
            SET => {
                let condition = match bytes.try_get_u8() {
                    Ok(0) => SetCondition::Always,
                    Ok(1) => SetCondition::Absent,
                    Ok(2) => SetCondition::Present,
                    _ => return Err(NotACommand),
                };
                let reply = match bytes.try_get_u8() {
                    Ok(0) => SetReply::Done,
                    Ok(1) => SetReply::Old,
                    Ok(2) => SetReply::Number,
                    _ => return Err(NotACommand),
                };
                let key = bytes_of(&mut bytes)?;
                Ok(Self::Set { key, value: bytes, condition, reply })
            }
            DELETE => {
                let mut keys = Vec::new();
                while bytes.has_remaining() {
                    keys.push(bytes_of(&mut bytes)?);
                }
                Ok(Self::Delete { keys })
            }
            SET_MANY => {
                let mut pairs = Vec::new();
                while bytes.has_remaining() {
                    pairs.push((bytes_of(&mut bytes)?, bytes_of(&mut bytes)?));
                }
                Ok(Self::SetMany { pairs })
            }
            ADD => {
                let amount = bytes.try_get_i64_le().map_err(|_| NotACommand)?;
                Ok(Self::Add { key: bytes, amount })
            }
            TRANSACTION => {
                let mut commands = Vec::new();
                while bytes.has_remaining() {
                    let command = bytes_of(&mut bytes)?;
                    // One level, so that no entry is too deep.
                    if command.first() == Some(&TRANSACTION) {
                        return Err(NotACommand);
                    }
                    commands.push(Self::decode(command)?);
                }
                Ok(Self::Transaction { commands })
            }
            _ => Err(NotACommand),
        }
    }
}

fn put_bytes(out: &mut BytesMut, bytes: &Bytes) {
    out.put_u32_le(u32::try_from(bytes.len()).expect("keys and values are far shorter than 4 GiB"));
    out.put_slice(bytes);
}

fn bytes_of(bytes: &mut Bytes) -> Result<Bytes, NotACommand> {
    let length = bytes.try_get_u32_le().map_err(|_| NotACommand)? as usize;
    if length > bytes.remaining() { Err(NotACommand) } else { Ok(bytes.split_to(length)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn command() -> impl Strategy<Value = Command> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from);
        let condition =
            prop_oneof![Just(SetCondition::Always), Just(SetCondition::Absent), Just(SetCondition::Present)];
        let reply = prop_oneof![Just(SetReply::Done), Just(SetReply::Old), Just(SetReply::Number)];
        let single =
            prop_oneof![
                (bytes(), bytes(), condition, reply)
                    .prop_map(|(key, value, condition, reply)| Command::Set { key, value, condition, reply }),
                proptest::collection::vec(bytes(), 0..4).prop_map(|keys| Command::Delete { keys }),
                proptest::collection::vec((bytes(), bytes()), 0..4)
                    .prop_map(|pairs| Command::SetMany { pairs }),
                (bytes(), any::<i64>()).prop_map(|(key, amount)| Command::Add { key, amount }),
            ];
        let several = proptest::collection::vec(single.clone(), 0..4);
        prop_oneof![single, several.prop_map(|commands| Command::Transaction { commands })]
    }

    #[test]
    fn no_transaction_holds_another() {
        let none = Command::Transaction { commands: Vec::new() };
        let nested = Command::Transaction { commands: vec![none] };
        assert_eq!(Command::decode(nested.encode()), Err(NotACommand));
    }

    proptest! {
        #[test]
        fn every_command_survives_the_log(command in command()) {
            prop_assert_eq!(Command::decode(command.encode()), Ok(command));
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let bytes = Bytes::from(bytes);
            if let Ok(command) = Command::decode(bytes.clone()) {
                prop_assert_eq!(command.encode(), bytes);
            }
        }
    }
}
