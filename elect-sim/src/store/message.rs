//! What the hosts of the built-in store tell each other, and its bytes.

use elect_core::{Epoch, Position};

use crate::ids::Life;
use crate::model_log::EntryId;

/// What hosts tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// Make your log hold this tip. Its entries are thought to be inside.
    Append { stamp: Epoch, tip: EntryId },
    /// My log holds this tip durably.
    Acknowledged { stamp: Epoch, offset: u64 },
    /// I was elected and you hold more: send me everything up to here.
    Pull { stamp: Epoch, position: Position },
    /// Here it is; `None` if this log no longer holds it.
    Pulled { stamp: Epoch, position: Position, tip: Option<EntryId> },
    /// My storage was replaced: tell me an entry that was appended after this.
    Rejoin { stamp: Epoch, life: Life },
    /// This one; and whether it is on a write quorum.
    Marker { stamp: Epoch, entry: EntryId, committed: bool },
}

/// The longest message: its kind and four numbers.
pub(super) const BYTES: usize = 33;

impl Message {
    /// Five numbers of eight bytes would do for all; none needs more than four.
    pub(super) fn encode(self) -> [u8; BYTES] {
        let number = |epoch: Epoch| epoch.number();
        let (kind, numbers) = match self {
            Self::Append { stamp, tip } => (0, [number(stamp), u64::from(tip), 0, 0]),
            Self::Acknowledged { stamp, offset } => (1, [number(stamp), offset, 0, 0]),
            Self::Pull { stamp, position } => {
                (2, [number(stamp), number(position.epoch), position.offset, 0])
            }
            Self::Pulled { stamp, position, tip } => {
                // An entry that is there is told as its number and one.
                let tip = tip.map_or(0, |tip| u64::from(tip) + 1);
                (3, [number(stamp), number(position.epoch), position.offset, tip])
            }
            Self::Rejoin { stamp, life } => (4, [number(stamp), u64::from(life), 0, 0]),
            Self::Marker { stamp, entry, committed } => {
                (5, [number(stamp), u64::from(entry), u64::from(committed), 0])
            }
        };
        let mut bytes = [0; BYTES];
        bytes[0] = kind;
        for (place, number) in bytes[1..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        let (words, _) = rest.as_chunks::<8>();
        let word = |index: usize| words.get(index).map(|word| u64::from_le_bytes(*word));
        let stamp = Epoch::new(word(0)?);
        let small = |index| word(index).and_then(|number| u32::try_from(number).ok());
        Some(match kind {
            0 => Self::Append { stamp, tip: small(1)? },
            1 => Self::Acknowledged { stamp, offset: word(1)? },
            2 => Self::Pull { stamp, position: Position::new(Epoch::new(word(1)?), word(2)?) },
            3 => {
                let position = Position::new(Epoch::new(word(1)?), word(2)?);
                let tip = small(3)?.checked_sub(1);
                Self::Pulled { stamp, position, tip }
            }
            4 => Self::Rejoin { stamp, life: small(1)? },
            5 => Self::Marker { stamp, entry: small(1)?, committed: word(2)? != 0 },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_arrives_as_it_left() {
        let (stamp, position) = (Epoch::new(7), Position::new(Epoch::new(5), 9));
        let messages = [
            Message::Append { stamp, tip: 3 },
            Message::Acknowledged { stamp, offset: 8 },
            Message::Pull { stamp, position },
            Message::Pulled { stamp, position, tip: None },
            Message::Pulled { stamp, position, tip: Some(0) },
            Message::Rejoin { stamp, life: 4 },
            Message::Marker { stamp, entry: 6, committed: true },
        ];
        for message in messages {
            assert_eq!(Message::decode(&message.encode()), Some(message));
        }
        assert_eq!((Message::decode(&[]), Message::decode(&[9; BYTES])), (None, None));
    }
}
