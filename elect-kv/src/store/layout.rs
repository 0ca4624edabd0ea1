//! How one generation of the store lies in the engine: one key space, so that one journal and one table of keys in memory
//! hold all of it.

use bytes::{Buf, BufMut, Bytes};
use elect_core::{Epoch, Position};

/// What is applied, and how many keys there are then. A generation without it is not whole.
pub(super) const APPLIED: &[u8] = b"a";
/// After which entry the log begins.
pub(super) const BEGIN: &[u8] = b"b";
const SPAN: u8 = b'e';
const DATA: u8 = b'k';
const LOG: u8 = b'l';
/// What an entry takes besides its command.
const ENTRY_OVERHEAD: u64 = 48;

/// A client's key. The engine knows no empty keys, clients do.
pub(super) fn data_key(key: &[u8]) -> Vec<u8> {
    [&[DATA], key].concat()
}

/// All data keys after `after`, itself a data key; an empty one lies before all.
pub(super) fn data_after(after: &[u8]) -> std::ops::Range<Vec<u8>> {
    // The key that follows immediately has one more zero byte.
    let start = if after.is_empty() { vec![DATA] } else { [after, &[0]].concat() };
    start..vec![DATA + 1]
}

/// Whether this may be the key of data.
pub(super) fn is_data(key: &[u8]) -> bool {
    key.first() == Some(&DATA)
}

fn numbered(kind: u8, number: u64) -> [u8; 9] {
    let mut key = [kind; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

/// The run that begins at an offset.
pub(super) fn log_key(offset: u64) -> [u8; 9] {
    numbered(LOG, offset)
}

/// The epoch whose first entry lies at an offset.
pub(super) fn span_key(first: u64) -> [u8; 9] {
    numbered(SPAN, first)
}

/// The offset in a key of the log or of a span.
pub(super) fn offset_of(key: &[u8]) -> Option<u64> {
    number(key.get(1..)?)
}

pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

fn numbers<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    rest.is_empty()
        .then(|| numbers.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect::<Vec<_>>())?
        .try_into()
        .ok()
}

/// How much is applied, and how many keys there are then.
pub(super) fn counts(applied: &[u8]) -> Option<(u64, u64)> {
    numbers(applied).map(|[applied, keys]| (applied, keys))
}

/// Where the log begins: its first entry is the one after `position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begin {
    pub(super) position: Position,
    /// What all entries up to there took.
    pub(super) weight: u64,
}

impl Begin {
    pub(super) fn encode(self) -> [u8; 24] {
        let numbers = [self.position.epoch.number(), self.position.offset, self.weight];
        let mut bytes = [0; 24];
        bytes
            .as_chunks_mut::<8>()
            .0
            .iter_mut()
            .zip(numbers)
            .for_each(|(part, number)| *part = number.to_be_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let [epoch, offset, weight] = numbers(bytes)?;
        Some(Self { position: Position::new(Epoch::new(epoch), offset), weight })
    }
}

/// Entries of one epoch that follow each other, stored as one: the engine's journal is read back the faster the fewer it
/// holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// The offset of the first.
    pub(super) first: u64,
    pub(super) epoch: Epoch,
    /// What all entries up to the last one took, since the log was made: so a part of the log is weighed by its two ends.
    pub(super) weight: u64,
    pub(super) commands: Vec<Bytes>,
}

impl Run {
    /// The offset of the last.
    pub(super) fn last(&self) -> u64 {
        self.first + self.commands.len() as u64 - 1
    }

    pub(super) fn push(&mut self, command: Bytes) {
        self.weight += Self::weight_of(&command);
        self.commands.push(command);
    }

    /// Cuts everything after the entry at `keep`, which it holds.
    pub(super) fn cut(&mut self, keep: u64) {
        while self.last() > keep {
            self.weight -= self.commands.pop().map_or(0, |command| Self::weight_of(&command));
        }
    }

    fn weight_of(command: &Bytes) -> u64 {
        ENTRY_OVERHEAD + command.len() as u64
    }

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        16 + self.commands.iter().map(|command| 4 + command.len()).sum::<usize>()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes());
        bytes.put_u64(self.epoch.number());
        bytes.put_u64(self.weight);
        for command in &self.commands {
            bytes.put_u32(u32::try_from(command.len()).expect("commands are far shorter than 4 GiB"));
            bytes.put_slice(command);
        }
        bytes
    }

    /// The run under this key. Its commands share one memory.
    pub(super) fn decode(key: &[u8], bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes::copy_from_slice(bytes);
        let (first, epoch) = (offset_of(key)?, Epoch::new(bytes.try_get_u64().ok()?));
        let (weight, mut commands) = (bytes.try_get_u64().ok()?, Vec::new());
        while bytes.has_remaining() {
            let length = bytes.try_get_u32().ok()? as usize;
            commands.push((length <= bytes.remaining()).then(|| bytes.split_to(length))?);
        }
        (!commands.is_empty()).then_some(Self { first, epoch, weight, commands })
    }
}
