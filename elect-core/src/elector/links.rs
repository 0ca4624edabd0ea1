//! Connections: what the driver learned about them, and who counts as connected.

use crate::elector::{Elector, Lifecycle, Role};
use crate::event::{LeaderLost, LinkState};
use crate::members::MemberIndex;
use crate::nonce::Incarnation;
use crate::time::Time;

impl Elector {
    pub(super) fn note_link(&mut self, peer: MemberIndex, state: LinkState) {
        match state {
            LinkState::Up => {
                self.state.peers.pair_mut(peer).open_link();
                if self.state.lifecycle == Lifecycle::Running {
                    self.send_heartbeat(peer);
                }
            }
            LinkState::Closed => self.disconnect(peer),
            LinkState::Refused { attempt_began } => {
                self.disconnect(peer);
                self.note_crash_evidence(peer, attempt_began);
            }
            LinkState::Ended { incarnation } => self.note_end(peer, incarnation),
        }
    }

    /// R17: a closed connection ends *connected* at once.
    fn disconnect(&mut self, peer: MemberIndex) {
        self.state.peers.pair_mut(peer).close_link();
        if let Role::Leader(leader) = &mut self.state.role {
            leader.note_disconnect(peer);
        }
    }

    /// R16: a process whose address refuses a connection is dead, in the incarnation known before the attempt:
    /// a promise to it that was last renewed before the attempt ends, and its frames still under way count for
    /// nothing.
    fn note_crash_evidence(&mut self, peer: MemberIndex, attempt_began: Time) {
        if !self.config.crash_evidence() {
            return;
        }
        let pair = self.state.peers.pair_mut(peer);
        let Some((_, since)) = pair.life() else { return };
        if since >= attempt_began {
            return;
        }
        pair.note_death();
        if self.promise().is_some_and(|promise| promise.to == peer && promise.renewed_at < attempt_began) {
            self.end_promise(LeaderLost::Dead);
        }
    }

    /// R16: that life is over, says who held its process. The link is left alone: it may lead to the next life already.
    fn note_end(&mut self, peer: MemberIndex, incarnation: Incarnation) {
        let pair = self.state.peers.pair_mut(peer);
        if pair.life().is_none_or(|(known, _)| known != incarnation) {
            return;
        }
        pair.note_death();
        if self.promise().is_some_and(|promise| promise.to == peer) {
            self.end_promise(LeaderLost::Dead);
        }
    }

    /// R17: its link is up and it echoed a nonce that left within the last D.
    #[inline]
    pub(super) fn is_connected(&self, peer: MemberIndex) -> bool {
        self.is_connected_at(peer, self.state.now)
    }

    /// Since when `peer` has been connected without interruption, if it is at `now`.
    pub(super) fn connected_since(&self, peer: MemberIndex, now: Time) -> Option<Time> {
        self.state.peers.pair(peer).connected_since().filter(|_| self.is_connected_at(peer, now))
    }

    #[inline]
    pub(super) fn is_connected_at(&self, peer: MemberIndex, now: Time) -> bool {
        let pair = self.state.peers.pair(peer);
        pair.is_reachable()
            && pair.echoed().is_some_and(|sent| {
                sent >= self.state.connected_floor && now <= sent + self.detection_in_use()
            })
    }
}
