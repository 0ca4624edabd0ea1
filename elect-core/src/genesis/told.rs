//! What tells one history of a group from another under the same name, list and addresses.

use core::fmt;

use crate::epoch::Epoch;

/// 64 random bits that the first leader of a group draws, and that everybody keeps from then on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Genesis(u64);

impl Genesis {
    /// The genesis with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its bits.
    pub const fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Genesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Genesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Genesis({self})")
    }
}

#[cfg(feature = "wire")]
impl serde::Serialize for Genesis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A genesis as a record holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedGenesis {
    /// Which one.
    pub genesis: Genesis,
    /// The epoch that this node led or followed when it saved it: of two tentative ones the one of the higher epoch
    /// counts.
    pub epoch: Epoch,
    /// Whether it is final: every voter and witness of the list is known to have held it.
    pub is_final: bool,
}

impl SavedGenesis {
    /// What frames tell of it.
    pub(crate) const fn told(&self) -> ToldGenesis {
        ToldGenesis { genesis: self.genesis, is_final: self.is_final }
    }
}

/// A genesis as a frame tells it: what is durable at its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldGenesis {
    /// Which one.
    pub genesis: Genesis,
    /// Whether the sender knows it to be final.
    pub is_final: bool,
}
