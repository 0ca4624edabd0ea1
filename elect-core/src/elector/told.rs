//! The position that everybody was told last: what this node is ranked by, here and at its peers.

use crate::elector::Elector;
use crate::elector::standing::Stance;
use crate::epoch::Position;
use crate::members::MemberKind;

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

impl Elector {
    /// R32: the position that ranks this node: the one that its last broadcast told, since that is what its rivals
    /// rank it by. A change of standing is told at the end of the very step that brings it, with the position of that
    /// step; whoever told nobody of an entry has the position of now.
    pub(super) fn ranked_position(&self) -> Option<Position> {
        let is_told = self.notices.is_broadcast(self.stance(), self.record.epoch);
        if is_told { self.told_position.get().or(self.position) } else { self.position }
    }

    /// The host's last durable entry. R32: a first one ranks this node before it is told.
    pub(super) fn note_position(&mut self, position: Option<Position>) {
        if self.position.is_none() {
            self.told_position.renew(position);
        }
        self.position = position;
    }

    /// The position that a heartbeat tells. R32: a free node repeats what it is ranked by, whomever it answers.
    pub(super) fn heartbeat_position(&self) -> Option<Position> {
        // The steady path answers a leader: it asks for no stance.
        if self.followed().is_none() && self.kind != MemberKind::Witness && self.stance() == Stance::Free {
            self.ranked_position()
        } else {
            self.position
        }
    }
}
