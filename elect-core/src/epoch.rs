//! Epochs, log positions and fencing tokens.

use core::fmt;

/// R3: an epoch merely heard of counts as at most this far above mine.
pub(crate) const HINT_DISTANCE_MAX: u64 = 1 << 20;
/// R7: one frame raises the durable epoch by at most this much.
pub(crate) const RAISE_DISTANCE_MAX: u64 = 1 << 32;
/// An offer's floor is at most this far above the own epoch: so that a voter that is a little behind may still adopt
/// it in one step (R7).
pub(crate) const FLOOR_DISTANCE_MAX: u64 = RAISE_DISTANCE_MAX - HINT_DISTANCE_MAX;

/// The number of a leadership. At most one node ever leads an epoch (S1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Epoch(u64);

impl Epoch {
    /// Before every election: nobody ever leads it.
    pub const ZERO: Self = Self(0);

    /// The epoch with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The following epoch, `None` at the end of the number space.
    pub(crate) const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The preceding epoch, saturating at zero.
    pub(crate) const fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The epoch `distance` above, saturating.
    pub(crate) const fn above(self, distance: u64) -> Self {
        Self(self.0.saturating_add(distance))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The last *durable* entry of a node's log: the epoch that wrote it, then its offset.
///
/// Ordered by epoch first, so that a deposed primary's longer fork never beats acknowledged data.
/// A host without a log, and a witness, has no position (`None`), which is not the same as zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Position {
    /// Epoch of the entry.
    pub epoch: Epoch,
    /// Offset of the entry, in the host's unit.
    pub offset: u64,
}

impl Position {
    /// The position of an empty log.
    pub const EMPTY: Self = Self { epoch: Epoch::ZERO, offset: 0 };

    /// The position of the entry at `offset` written in `epoch`.
    pub const fn new(epoch: Epoch, offset: u64) -> Self {
        Self { epoch, offset }
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}@{}", self.epoch, self.offset)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {} of epoch {}", self.offset, self.epoch)
    }
}

/// The fencing token of a request: the epoch of the leadership that sends it.
///
/// Not the epoch of the entries inside: a new leader lawfully sends old entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Stamp(Epoch);

impl Stamp {
    /// A stamp as it was read from a request.
    ///
    /// A leader takes its own stamps from its [`Office`](crate::Office).
    pub const fn received(epoch: Epoch) -> Self {
        Self(epoch)
    }

    /// The epoch of the leadership.
    pub const fn epoch(self) -> Epoch {
        self.0
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stamp {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_ranked_by_epoch_first() {
        let acknowledged = Position::new(Epoch::new(2), 1);
        let longer_fork = Position::new(Epoch::new(1), 900);
        assert!(acknowledged > longer_fork);
        assert!(Position::new(Epoch::new(2), 2) > acknowledged);
    }
}
