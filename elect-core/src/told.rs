//! The position that everybody was told last: what this node is ranked by, here and at its peers.

use crate::epoch::Position;

/// What the last heartbeat to everybody said of this node's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ToldPosition(Option<Position>);

impl ToldPosition {
    /// Every peer is being told of `position`.
    pub(crate) fn renew(&mut self, position: Option<Position>) {
        self.0 = position;
    }

    /// What was told; `None` if nothing was, or that there is no entry.
    pub(crate) const fn get(self) -> Option<Position> {
        self.0
    }
}
