//! What a life began with, as its disk said, and who has been told.

use core::fmt;
use core::time::Duration;

use crate::epoch::{Epoch, Position};
use crate::time::Time;

/// What a life of a node began with. It tells its peers with every frame until they have answered one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Birth {
    /// The counter of the first life on this storage: another one is another storage.
    pub first_life: u32,
    /// The durable epoch.
    pub epoch: Epoch,
    /// The last durable entry; `None` from a witness, or where the host keeps no log.
    pub position: Option<Position>,
    /// Whether entries that were told as durable survive a crash.
    pub log: LogSync,
    /// The shortest detection time that the node's configuration can lead with (R54), which no storage holds.
    pub detection_min: Duration,
}

/// Whether the entries that a host names as its last durable ones survive a crash of its machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogSync {
    /// They do: a position is told only once it is on the disk.
    #[default]
    Synchronous,
    /// They may not: the host syncs its log now and then.
    Asynchronous,
}

/// What was durable on a node's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct Durable {
    /// The durable epoch.
    pub epoch: Epoch,
    /// The last durable entry, where it is known.
    pub position: Option<Position>,
}

/// What a life lacks of what its storage is known to have held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    Epoch,
    Entries,
}

impl Birth {
    /// What it says of the storage.
    pub const fn durable(&self) -> Durable {
        Durable { epoch: self.epoch, position: self.position }
    }

    /// R60: what this life lacks of what the same storage held before. Entries of earlier epochs may be cut lawfully,
    /// so only those of the durable epoch are compared; and a position that was never told says nothing.
    pub(crate) fn lacks(&self, known: Durable) -> Option<Lack> {
        if self.epoch < known.epoch {
            return Some(Lack::Epoch);
        }
        let held = known.position.filter(|held| self.epoch == known.epoch && held.epoch == known.epoch)?;
        self.position.is_some_and(|began| began < held).then_some(Lack::Entries)
    }

    /// R60: whether that shows that the storage went back. Where the log is not synced at once, lost entries do not.
    pub(crate) fn is_disproved_by(&self, known: Durable) -> bool {
        match self.lacks(known) {
            None => false,
            Some(Lack::Epoch) => true,
            Some(Lack::Entries) => self.log == LogSync::Synchronous,
        }
    }
}

impl fmt::Display for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {}", self.epoch)?;
        match self.position {
            Some(position) => write!(f, " and {position}"),
            None => Ok(()),
        }
    }
}

/// Whether a peer, in its present life, knows what this node says of itself: what its present life began with (R60),
/// and its host's profile (R67).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Telling {
    /// Frames whose nonce is this one or newer tell it, until one of them was echoed.
    from: Time,
    is_known: bool,
}

impl Telling {
    /// Another life of either side begins, or the profile changes: frames from this nonce on tell it.
    pub(crate) const fn begin(from: Time) -> Self {
        Self { from, is_known: false }
    }

    #[inline]
    pub(crate) const fn is_known(self) -> bool {
        self.is_known
    }

    /// The peer has echoed the nonce of this time.
    #[inline]
    pub(crate) fn note_echo(&mut self, echoed: Option<Time>) {
        if !self.is_known {
            self.is_known = echoed.is_some_and(|sent| sent >= self.from);
        }
    }

    #[cfg(feature = "explore")]
    pub(crate) fn from(self) -> Option<Time> {
        (!self.is_known).then_some(self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "a position may be missing wherever one is expected")]
    fn at(epoch: u64, offset: u64) -> Option<Position> {
        Some(Position::new(Epoch::new(epoch), offset))
    }

    #[test]
    fn only_durable_epochs_and_entries_of_the_same_epoch_are_compared() {
        let table = [
            (4, at(4, 9), 5, None, Some(Lack::Epoch)),
            (5, at(5, 8), 5, at(5, 9), Some(Lack::Entries)),
            (5, at(4, 99), 5, at(5, 1), Some(Lack::Entries)),
            (5, at(5, 9), 5, at(5, 9), None),
            (5, None, 5, at(5, 9), None),
            (5, at(5, 0), 5, None, None),
            (5, at(3, 0), 5, at(4, 9), None),
            (6, at(3, 0), 5, at(5, 9), None),
        ];
        for (epoch, position, known, held, lack) in table {
            let began = Birth { epoch: Epoch::new(epoch), position, ..Birth::default() };
            let known = Durable { epoch: Epoch::new(known), position: held };
            assert_eq!(began.lacks(known), lack, "{began:?} of {known:?}");
        }
    }

    #[test]
    fn only_an_echo_of_what_told_it_shows_that_it_is_known() {
        let at = Time::from_nanos;
        let mut telling = Telling::begin(at(5));
        telling.note_echo(None);
        telling.note_echo(Some(at(4)));
        assert!(!telling.is_known());
        telling.note_echo(Some(at(5)));
        telling.note_echo(None);
        assert!(telling.is_known());
    }
}
