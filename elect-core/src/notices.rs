//! What was said last: to everybody, and to the host.

use crate::epoch::Epoch;
use crate::event::LeaderLost;
use crate::members::MemberIndex;
use crate::peer_state::PeerState;

/// After every input, what was said is what is: R36 and R57.
#[derive(Clone, Debug)]
pub(crate) struct Notices {
    /// What everybody was told last.
    broadcast: Option<(PeerState<MemberIndex>, Epoch)>,
    /// Whom the host was told last that this node follows.
    reported: Option<(MemberIndex, Epoch)>,
    /// The leader that the host was told of has another address since.
    has_moved: bool,
    /// Why the last leader is not followed any more.
    leader_lost: LeaderLost,
}

impl Notices {
    pub(crate) const fn new() -> Self {
        Self { broadcast: None, reported: None, has_moved: false, leader_lost: LeaderLost::Silent }
    }

    pub(crate) fn note_broadcast(&mut self, own_state: PeerState<MemberIndex>, epoch: Epoch) {
        self.broadcast = Some((own_state, epoch));
    }

    /// Whether everybody knows this state of this node, at that durable epoch.
    #[inline]
    pub(crate) fn is_broadcast(&self, own_state: PeerState<MemberIndex>, epoch: Epoch) -> bool {
        self.broadcast == Some((own_state, epoch))
    }

    #[inline]
    pub(crate) const fn reported(&self) -> Option<(MemberIndex, Epoch)> {
        self.reported
    }

    /// The host is being told of `current`; returns what it was told before.
    pub(crate) fn report(&mut self, current: Option<(MemberIndex, Epoch)>) -> Option<(MemberIndex, Epoch)> {
        self.has_moved = false;
        core::mem::replace(&mut self.reported, current)
    }

    /// The leader that the host was told of has told another address.
    pub(crate) fn note_moved(&mut self) {
        self.has_moved = true;
    }

    #[inline]
    pub(crate) const fn has_moved(&self) -> bool {
        self.has_moved
    }

    pub(crate) fn note_told_where(&mut self) {
        self.has_moved = false;
    }

    pub(crate) fn note_leader_lost(&mut self, reason: LeaderLost) {
        self.leader_lost = reason;
    }

    pub(crate) const fn leader_lost(&self) -> LeaderLost {
        self.leader_lost
    }

    /// The durable epoch that was broadcast last.
    #[cfg(feature = "explore")]
    pub(crate) fn broadcast_epoch(&self) -> Option<Epoch> {
        self.broadcast.map(|(_, epoch)| epoch)
    }
}
