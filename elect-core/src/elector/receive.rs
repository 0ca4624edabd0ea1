//! What every frame goes through before its body counts: the shared rules first, then the role.

use core::time::Duration;

use crate::elector::genesis::as_replaced;
use crate::elector::{Elector, Lifecycle, Role};
use crate::epoch::{Epoch, HINT_DISTANCE_MAX, RAISE_DISTANCE_MAX};
use crate::event::{Ignored, LeaderLost};
use crate::follower::Followed;
use crate::frame::{Body, Frame, Header, Heartbeat};
use crate::members::{MemberIndex, MemberKind};
use crate::name::NodeId;
use crate::nonce::Nonce;
use crate::peer_state::PeerState;
use crate::time::Time;

impl Elector {
    /// Either the frame counted, or the reason why it did not.
    #[inline]
    pub(super) fn receive(&mut self, from: NodeId, frame: &Frame) -> Result<(), Ignored> {
        let peer = self.check_membership(from, &frame.header)?;
        match self.state.lifecycle {
            Lifecycle::Running => {}
            Lifecycle::Starting => return Err(Ignored::Starting),
            Lifecycle::Stopped(_) => return Err(Ignored::Stopped),
        }
        // R59: before incarnations, hints and rejections.
        if self.judge_genesis(peer, &frame.header)? {
            return self.receive_judged(peer, &as_replaced(frame)?);
        }
        self.receive_judged(peer, frame)
    }

    #[inline]
    fn receive_judged(&mut self, peer: MemberIndex, frame: &Frame) -> Result<(), Ignored> {
        self.check_incarnation(peer, frame)?;
        self.hear_longest(&frame.body);
        self.note_maxima(peer, frame)?;
        // A leader that raised its own epoch goes on leading: its followers see whether its claim holds first.
        let raised = self.is_raised_by(peer, &frame.header);
        if !raised {
            self.end_what_is_over(peer);
        }
        let result = self.receive_newest(peer, frame);
        if raised && !self.state.durable.is_saving_for(peer) {
            self.end_what_is_over(peer);
        }
        result
    }

    #[inline]
    fn receive_newest(&mut self, peer: MemberIndex, frame: &Frame) -> Result<(), Ignored> {
        self.check_order(peer, &frame.header)?;
        let was_connected = self.is_connected(peer);
        let allows_less = self.note_frame(peer, frame);
        let has_connected = !was_connected && self.is_connected(peer);
        if !was_connected {
            self.state.peers.pair_mut(peer).note_connected(has_connected, self.state.now);
        }
        if allows_less || has_connected {
            self.speak_sooner();
        }
        let result = self.dispatch(peer, frame);
        // R35: whoever is not connected is answered at once, so that it and this node become so.
        if !was_connected {
            self.answer(peer);
        }
        result
    }

    fn is_raised_by(&self, peer: MemberIndex, header: &Header) -> bool {
        let raised = |followed: &Followed| {
            followed.leader == peer
                && matches!(header.state, PeerState::Leader(epoch) if epoch > followed.epoch)
        };
        self.followed().is_some_and(raised)
    }

    /// R1: only frames of members of this very group count; `from` is what the transport authenticated.
    fn check_membership(&self, from: NodeId, header: &Header) -> Result<MemberIndex, Ignored> {
        let peer = self.config.members().index(from).ok_or(Ignored::Stranger)?;
        if peer == self.me {
            return Err(Ignored::OwnName);
        }
        if header.members != self.config.digest() || header.group != self.config.group() {
            return Err(Ignored::OtherGroup);
        }
        Ok(peer)
    }

    /// R3: even an old frame proves maxima: the epochs its sender has ended, and the epochs it has heard of. A
    /// durable epoch that no honest group can have reached is a broken frame's (R7): a hint, and nothing else.
    #[inline]
    fn note_maxima(&mut self, peer: MemberIndex, frame: &Frame) -> Result<(), Ignored> {
        let claimed = match (&frame.header.state, &frame.body) {
            (_, &(Body::Offer { epoch, .. } | Body::Accept { epoch, .. }))
            | (&(PeerState::Leader(epoch) | PeerState::Candidate(epoch) | PeerState::Stopped(epoch)), _) => {
                epoch.max(frame.header.epoch)
            }
            _ => frame.header.epoch,
        };
        self.state.epoch_hint =
            self.state.epoch_hint.max(claimed.min(self.state.durable.epoch().above(HINT_DISTANCE_MAX)));
        self.check_distance(frame.header.epoch)?;
        let pair = self.state.peers.pair_mut(peer);
        pair.note_ended(&frame.header);
        Ok(())
    }

    /// R5: a promise to (ℓ, e), and following it, end at once on ended(ℓ) ≥ e.
    pub(super) fn end_what_is_over(&mut self, peer: MemberIndex) {
        let ended = self.state.peers.pair(peer).ended();
        if self.followed().is_some_and(|followed| followed.leader == peer && followed.epoch <= ended) {
            self.unfollow(LeaderLost::Ended);
        }
        self.end_promise_if_over(peer);
    }

    pub(super) fn end_promise_if_over(&mut self, peer: MemberIndex) {
        let ended = self.state.peers.pair(peer).ended();
        if self.promise().is_some_and(|promise| promise.to == peer && promise.epoch <= ended) {
            self.end_promise(LeaderLost::Ended);
        }
    }

    /// R4: a frame older than one already seen from this peer changes nothing but maxima.
    fn check_order(&self, peer: MemberIndex, header: &Header) -> Result<(), Ignored> {
        let pair = self.state.peers.pair(peer);
        if pair.newest().is_some_and(|newest| header.nonce.sent < newest.sent) {
            return Err(Ignored::Older);
        }
        Ok(())
    }

    /// Whether the peer allows shorter promises than this node has asked it for.
    #[inline]
    fn note_frame(&mut self, peer: MemberIndex, frame: &Frame) -> bool {
        let echoed = frame.header.echo.filter(|nonce| self.is_own(nonce)).map(|nonce| nonce.sent);
        let is_another = self.state.peers.pair(peer).newest() != Some(frame.header.nonce);
        self.note_echo(peer, frame.header.nonce, echoed);
        self.note_receipt(peer, frame.header.nonce, echoed);
        self.note_genesis(peer, &frame.header);
        let before = self.state.peers.view_mut(peer).note_header(&frame.header, is_another);
        // R67: no newer frame has overtaken this one.
        if let Some(profile) = &frame.profile {
            self.note_profile(peer, profile);
        }
        if let Body::Heartbeat(heartbeat) | Body::Announce { heartbeat, .. } = &frame.body {
            self.note_heartbeat(peer, heartbeat);
        }
        let allows_less = self.note_terms(peer, &frame.body);
        self.note_state(peer, before, frame.header.state, allows_less);
        allows_less
    }

    #[inline]
    pub(super) fn note_receipt(&mut self, peer: MemberIndex, nonce: Nonce, echoed: Option<Time>) {
        self.state.peers.pair_mut(peer).note_receipt(nonce, echoed, self.state.now);
    }

    #[inline]
    fn note_heartbeat(&mut self, peer: MemberIndex, heartbeat: &Heartbeat) {
        let view = self.state.peers.view_mut(peer);
        view.note_heartbeat(heartbeat);
        if !heartbeat.healthy {
            view.preference_mut().forget_handed();
        }
    }

    #[inline]
    fn note_state(&mut self, peer: MemberIndex, before: PeerState, after: PeerState, allows_less: bool) {
        self.note_head_start(peer, before, after);
        match &self.state.role {
            // R34: while the campaign lasts, an offer is repeated to a voter that becomes free. R65: and, with less, to
            // one that allows less.
            Role::Candidate(_) if allows_less || (after != before && self.is_free_here(after)) => {
                self.repeat_offer(peer);
            }
            Role::Leader(_) => {
                self.note_voter_above(peer);
                if allows_less {
                    self.repeat_re_offer_to(peer);
                }
            }
            _ => {}
        }
    }

    fn is_free_here(&self, state: PeerState) -> bool {
        match state {
            PeerState::Free => true,
            PeerState::Reserved(leader) => leader == self.config.node(),
            _ => false,
        }
    }

    #[inline]
    fn dispatch(&mut self, peer: MemberIndex, frame: &Frame) -> Result<(), Ignored> {
        let header = &frame.header;
        self.check_place(peer, frame)?;
        match &frame.body {
            Body::Heartbeat(heartbeat) => self.on_heartbeat(peer, header, heartbeat),
            Body::Announce { heartbeat, address } => {
                self.on_heartbeat(peer, header, heartbeat)?;
                self.note_address(peer, address);
                Ok(())
            }
            &Body::Offer { epoch, detection, .. } => self.on_offer(peer, header, epoch, detection),
            Body::Accept { .. } => self.on_accept(peer, header, &frame.body),
            &Body::Refuse { epoch, refusal, .. } => self.on_refuse(peer, header, epoch, refusal),
            &Body::Release { epoch, target } => self.on_release(peer, header, epoch, target),
            &Body::Pause { after, remaining } => self.on_pause(peer, header, after, remaining),
            Body::Reject { .. } | Body::WentBack { .. } => self.on_rejection(peer, header.nonce, &frame.body),
        }
    }

    /// R50: witnesses and observers never lead or campaign; observers do not vote.
    #[inline]
    fn check_place(&self, peer: MemberIndex, frame: &Frame) -> Result<(), Ignored> {
        let kind = self.config.members().get(peer).kind;
        let needs_voter = matches!(frame.header.state, PeerState::Leader(_) | PeerState::Candidate(_))
            || matches!(frame.body, Body::Offer { .. } | Body::Announce { .. } | Body::Release { .. });
        let needs_vote = matches!(frame.body, Body::Accept { .. });
        if (needs_voter && kind != MemberKind::Voter) || (needs_vote && !kind.votes()) {
            return Err(Ignored::NotItsPlace);
        }
        Ok(())
    }

    #[inline]
    fn on_heartbeat(
        &mut self,
        peer: MemberIndex,
        header: &Header,
        heartbeat: &Heartbeat,
    ) -> Result<(), Ignored> {
        self.note_peers_pause(header, heartbeat.pause);
        match header.state {
            PeerState::Leader(epoch) => self.on_leader(peer, header, epoch, heartbeat),
            PeerState::Follower(leader, epoch) if leader == self.config.node() => {
                self.on_acknowledgement(peer, header, epoch, self.acknowledged_detection(heartbeat));
                Ok(())
            }
            _ => {
                self.proceed_with_handover();
                Ok(())
            }
        }
    }

    /// R6: what asks for something counts only if its frame echoes a nonce that left within the own maximum.
    /// Returns that nonce's send time.
    pub(super) fn check_fresh(&self, header: &Header) -> Result<Time, Ignored> {
        self.fresh_at(header, self.config.detection().ceiling(), self.state.now).ok_or(Ignored::NotFresh)
    }

    /// R6: a claim to lead and an offer must be fresh within the detection time that they carry, too. R35: one that is
    /// not, or that carries more than R47 allows, is answered whether its sender is connected or not: the answer is
    /// what the next one can echo.
    #[inline]
    pub(super) fn check_claimed(
        &mut self,
        peer: MemberIndex,
        header: &Header,
        detection: Duration,
    ) -> Result<Time, Ignored> {
        let fresh = self.fresh_at(header, detection, self.state.now).ok_or(Ignored::NotFresh);
        let checked = self.check_detection(detection).and(fresh);
        if checked.is_err() {
            self.answer(peer);
        }
        checked
    }

    #[inline]
    pub(super) fn fresh_at(&self, header: &Header, within: Duration, now: Time) -> Option<Time> {
        let echo = header.echo.as_ref()?;
        (self.is_own(echo) && now <= echo.sent + within).then_some(echo.sent)
    }

    /// R7: one frame raises the durable epoch by at most 2³².
    pub(super) fn check_distance(&self, epoch: Epoch) -> Result<(), Ignored> {
        if epoch > self.state.durable.epoch().above(RAISE_DISTANCE_MAX) {
            Err(Ignored::EpochTooFar(epoch))
        } else {
            Ok(())
        }
    }

    /// R47: a detection time above this node's maximum is ignored: no promise outlasts what the record says.
    pub(super) fn check_detection(&self, detection: Duration) -> Result<(), Ignored> {
        if detection.is_zero() || detection > self.config.detection().ceiling() {
            return Err(Ignored::Detection(detection));
        }
        Ok(())
    }

    /// At most one answer to an unconnected peer per half heartbeat interval.
    pub(super) fn may_answer(&mut self, peer: MemberIndex) -> bool {
        let pause = self.config.heartbeat_interval() / 2;
        self.state.peers.pair_mut(peer).may_answer(pause, self.state.now)
    }

    pub(super) fn answer(&mut self, peer: MemberIndex) {
        if self.state.lifecycle == Lifecycle::Running && self.may_answer(peer) {
            self.send_heartbeat(peer);
        }
    }
}
