//! The steady state: the leader says again what it said last, and nothing else has happened since.
//!
//! Most rules ask only what a frame says and what this node is, so they would decide about such a frame as they
//! did about the one before. What time changes is looked at again, by the same functions: the nonce's order (R4),
//! the echo's age (R6, R17) and the promise (R12). It is a short way to the same result and no rule of its own:
//! `steady/tests.rs` compares it, step by step, with electors that never take it.

use crate::elector::{Elector, Role};
use crate::epoch::Epoch;
use crate::event::Notice;
use crate::follower::{Followed, LeaderClaim};
use crate::frame::{Body, Frame, Header, Heartbeat, Lead};
use crate::members::MemberIndex;
use crate::name::NodeId;
use crate::nonce::Nonce;
use crate::pace::EchoAge;
use crate::peer_state::PeerState;
use crate::steady::Steady;
use crate::time::Time;
use crate::timers::Timer;

impl Elector {
    /// The claim in `frame`, if it only repeats the last one and nothing is due before it.
    #[inline]
    pub(super) fn repeated(&self, from: NodeId, frame: &Frame, now: Time) -> Option<LeaderClaim> {
        let steady = self.state.steady.as_ref().filter(|_| self.state.is_steady)?;
        let (leader, nonce, received) = (steady.claim.leader, frame.header.nonce, self.state.now.max(now));
        let newest = self.state.peers.pair(leader).newest()?;
        if received >= self.state.timers.deadline()
            || !self.out.is_empty()
            || nonce.sent <= newest.sent
            || !steady.is_said_again(from, frame)
            || !self.is_connected_at(leader, received)
        {
            return None;
        }
        let echoed = self.fresh_at(&frame.header, steady.claim.detection, received)?;
        if self.is_news_of_pace(leader, nonce, echoed, received) {
            return None;
        }
        Some(LeaderClaim { nonce, echoed, received, ..steady.claim })
    }

    /// Whether the echo says something new of the round trip.
    #[inline]
    fn is_news_of_pace(&self, leader: MemberIndex, nonce: Nonce, echoed: Time, received: Time) -> bool {
        let pair = self.state.peers.pair(leader);
        let age = EchoAge::new(nonce, pair.newest(), echoed, received);
        Some(echoed) > pair.echoed()
            && self.measures(age)
            && pair.round_trip().is_news(age, self.config.round_trip())
    }

    /// Promises on, and answers what it answered before. The detection time is the one in use already,
    /// failover is not paused, and a nonce newer than all before it is not covered yet.
    #[inline]
    pub(super) fn on_repeated(&mut self, claim: &LeaderClaim) {
        self.state.now = claim.received;
        let pair = self.state.peers.pair_mut(claim.leader);
        pair.note_receipt(claim.nonce, Some(claim.echoed), claim.received);
        pair.cover(claim.nonce, claim.detection);
        if let Role::Follower(follower) = &mut self.state.role
            && let Some(until) = follower.follow_on(claim)
        {
            self.state.timers.set(Timer::Promise, until);
        }
        let sent = self.renew_nonce();
        let answer = self.out.same_frame_again();
        answer.header.nonce.sent = sent;
        answer.header.echo = Some(claim.nonce);
    }

    /// A frame that says something new, or comes after something else has changed. Called cold for the sake of the
    /// short way, which the compiler would otherwise take for the less likely one and not inline.
    #[cold]
    pub(super) fn on_news(&mut self, from: NodeId, frame: &Frame, now: Time) {
        let was_steady = self.state.is_steady;
        self.begin_input(now);
        let result = self.receive(from, frame);
        if let Err(reason) = result {
            self.out.happened(Notice::Ignored { from, reason });
        }
        self.end_input();
        // R67: what a host says of itself is news.
        if result.is_ok()
            && frame.profile.is_none()
            && let Body::Heartbeat(heartbeat) = frame.body
        {
            self.note_steady(from, frame, heartbeat, was_steady);
        }
    }

    /// Whether the leader's next heartbeat will find everything as it is now.
    fn note_steady(&mut self, from: NodeId, frame: &Frame, heartbeat: Heartbeat, was_steady: bool) {
        let header = &frame.header;
        match header.state {
            PeerState::Leader(epoch) => {
                if frame.birth.is_none()
                    && let Some(claim) = self.steady_claim(from, header, heartbeat, epoch)
                {
                    self.state.steady = Some(Steady { from, header: *header, heartbeat, claim });
                    self.state.is_steady = true;
                }
            }
            // Others are heard without consequence for it, as long as this node has nothing to say.
            PeerState::Follower(..) | PeerState::Free | PeerState::Promised => {
                let is_leader = self.state.steady.as_ref().is_some_and(|steady| steady.from == from);
                self.state.is_steady = was_steady && !is_leader && self.out.is_empty();
            }
            _ => {}
        }
    }

    fn steady_claim(
        &self,
        from: NodeId,
        header: &Header,
        heartbeat: Heartbeat,
        epoch: Epoch,
    ) -> Option<LeaderClaim> {
        let Lead { detection } = heartbeat.lead?;
        let Followed { leader, epoch: followed, .. } = *self.followed()?;
        // Neither tells the other of itself any more.
        let is_told = self.state.peers.pair(leader).telling().is_known();
        let is_followed = epoch == followed && from == self.config.members().id(leader);
        // What is left of a pause is less in each heartbeat.
        // R59: what differs is said by two frames.
        let is_one_history = header.genesis == self.told_genesis();
        let is_quiet = is_one_history
            && !self.is_replaced()
            && !self.state.pause.is_active()
            && self.out.holds_one_frame();
        let (nonce, now) = (header.nonce, self.state.now);
        let binds_for = self.config.promise_span(detection);
        let claim = LeaderClaim { leader, epoch, nonce, echoed: now, received: now, detection, binds_for };
        (is_followed && is_quiet && is_told).then_some(claim)
    }
}

#[cfg(test)]
mod tests;
