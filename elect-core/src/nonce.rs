//! Incarnations and nonces: how a frame proves that it is recent.

use core::fmt;

use crate::time::Time;

/// One life of a node, from start to stop. Saved before its first frame (S13).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Incarnation {
    /// Grows by one at each start, where storage was replaced beyond what its peers know; zero before the first.
    pub counter: u32,
    /// Drawn at each start: two disks with the same counter and another random part are a clone.
    pub random: u32,
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{:08x}", self.counter, self.random)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a frame carries so that its echo proves when it left.
///
/// It holds its own send time, as TCP timestamps do, so nothing is looked up when it comes back. Within
/// an incarnation nonces strictly increase; across incarnations they never repeat.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct Nonce {
    /// The life of the sender.
    pub incarnation: Incarnation,
    /// When the frame left, on the sender's clock.
    pub sent: Time,
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}@{:?}", self.incarnation, self.sent)
    }
}
