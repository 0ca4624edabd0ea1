//! The position that ranks this node, and the one that its heartbeats tell.

use crate::elector::Elector;
use crate::epoch::Position;
use crate::peer_state::PeerState;

impl Elector {
    /// R32: the position that ranks this node: the one that its last broadcast told, since that is what its rivals
    /// rank it by. A change of state is told at the end of the very step that brings it, with the position of that
    /// step; whoever told nobody of an entry has the position of now.
    pub(super) fn ranked_position(&self) -> Option<Position> {
        let is_told = self.state.notices.is_broadcast(self.own_state(), self.state.durable.epoch());
        if is_told { self.state.told_position.get() } else { self.state.position }
    }

    /// The host's last durable entry. R32: a first one ranks this node before it is told.
    pub(super) fn note_position(&mut self, position: Option<Position>) {
        if self.state.position.is_none() {
            self.state.told_position.renew(position);
        }
        self.state.position = position;
    }

    /// The position that a heartbeat tells. R32: a free node repeats what it is ranked by, whomever it answers.
    pub(super) fn heartbeat_position(&self) -> Option<Position> {
        // The steady path answers a leader: it asks for no own_state.
        if self.followed().is_none() && self.own_state() == PeerState::Free {
            self.ranked_position()
        } else {
            self.state.position
        }
    }
}
