//! Leading: the lease, the heartbeats, the way into office.

use alloc::boxed::Box;
use core::time::Duration;

use crate::config::Detection;
use crate::duty::Duty;
use crate::elector::transition::Transition;
use crate::elector::{Elector, Role};
use crate::epoch::Epoch;
use crate::event::{StepDown, SteppedDown};
use crate::frame::Header;
use crate::leader::Leader;
use crate::members::MemberIndex;
use crate::offer::Offer;
use crate::office::{Elected, Office, Source};
use crate::peer_state::PeerState;
use crate::step::Step;
use crate::time::Time;
use crate::timers::Timer;

impl Elector {
    /// R30: a winner that is behind a voter of its accepting quorum learns whom to catch up from.
    pub(super) fn become_leader(&mut self, won: &Offer, detection: Duration, lease_end: Time) {
        let (epoch, source) = (won.epoch(), self.catch_up_source(won));
        self.choose_genesis(won);
        let leader = Box::new(Leader::new(won, detection, lease_end, self.state.position));
        let office_by = self.state.now + self.config.office_timeout();
        self.apply(Transition::Lead { leader, lease_end, office_by });
        self.state.campaign.won();
        self.state.pause.withdraw_request();
        self.state.pause.end_favour();
        // R62: a pause keeps whoever led last in office.
        self.state.pause.note_leader(self.me, epoch);
        self.state.connected_floor = Time::ZERO;
        self.authority.grant(epoch, lease_end);
        let elected = Elected::new(self.authority.clone(), epoch, source);
        self.out.act(Duty::Elected(elected));
        self.announce();
        self.note_voters_above();
    }

    /// The accept with the highest position above this node's own, as the gate pulled it or the host has caught up
    /// since.
    pub(super) fn catch_up_source(&self, won: &Offer) -> Option<Source> {
        let own = self.state.durable.fenced_position().max(self.state.position);
        self.voting_peers()
            .filter_map(|peer| {
                let position = won.ballot(peer)?.position?;
                (Some(position) > own).then(|| Source { peer: self.config.members().id(peer), position })
            })
            .max_by_key(|source| source.position)
    }

    /// R37: a heartbeat is an announcement until its addressee has acknowledged one.
    pub(super) fn announce(&mut self) {
        if let Role::Leader(leader) = &mut self.state.role {
            leader.announce_again();
        }
        // One nonce, one epoch: what this step has sent before belongs to another state.
        self.renew_nonce();
        self.broadcast();
    }

    /// R22: an acknowledgement counts only if it says that the peer follows me in the epoch I lead, and echoes a
    /// nonce that left in an offer or a heartbeat of that very epoch.
    pub(super) fn on_acknowledgement(
        &mut self,
        peer: MemberIndex,
        header: &Header,
        epoch: Epoch,
        detection: Duration,
    ) {
        let Some(echo) = header.echo.filter(|echo| self.is_own(echo)) else { return };
        let Role::Leader(leader) = &mut self.state.role else { return };
        if !leader.is_answered_by(epoch, echo.sent) {
            return;
        }
        leader.note_announced(peer);
        // R50: what an observer promises would carry nothing either; R41: nor is its link of interest.
        if self.config.members().get(peer).kind.votes() {
            self.grant(peer, echo.sent, detection);
        }
        self.proceed_with_handover();
    }

    /// R21: a grant runs until the send time of the frame echoed + L(D of that very frame), as the peer says it. R65:
    /// no grant of a peer whose promise cannot carry this node's lease.
    pub(super) fn grant(&mut self, peer: MemberIndex, sent: Time, detection: Duration) {
        if !self.is_counted(peer) {
            return;
        }
        let Role::Leader(leader) = &mut self.state.role else { return };
        let until = sent + self.config.lease_span(detection);
        if matches!(self.config.detection(), Detection::Adaptive { .. }) {
            leader.note_acknowledgement(peer, sent, self.state.now, self.config.detection().ceiling());
        }
        if leader.note_grant(peer, until) {
            self.extend_lease();
        }
    }

    /// Recounts the lease. It only ever grows: grants do.
    fn extend_lease(&mut self) {
        let Role::Leader(leader) = &self.state.role else { return };
        let own = self.state.now + self.config.lease_span(leader.detection());
        let grants = self.config.voting_peers().map(|peer| leader.grant(peer));
        let end = self.tally.lease_end(self.config.members().quorum(), own, grants);
        let Role::Leader(leader) = &mut self.state.role else { return };
        if leader.extend_lease(end) {
            self.authority.extend(end);
            self.state.timers.set(Timer::Lease, end);
        }
    }

    /// R24: a leader without a quorum steps down at the end of its lease, and falls silent as leader.
    pub(super) fn on_lease_over(&mut self) {
        self.lose_office(StepDown::LeaseOver);
        // R33: only an echo of what it says from here on makes a peer connected. Otherwise an isolated leader would
        // count everybody as connected for the rest of D, campaign, and add an epoch (L4).
        self.state.connected_floor = self.state.nonces.last();
    }

    /// R24: exactly one step-down for each leadership. The lease cell falls here, before anything leaves and
    /// before any save that goes with the loss.
    pub(super) fn lose_office(&mut self, reason: StepDown) {
        let Role::Leader(leader) = &self.state.role else { return };
        let epoch = leader.epoch();
        self.apply(Transition::StepDown);
        self.silence(|state| matches!(state, PeerState::Leader(_)));
        self.lost(SteppedDown { epoch, reason });
    }

    /// R24: what the same step has queued under a state that is over does not leave; what follows has a newer
    /// nonce.
    pub(super) fn silence(&mut self, is_over: impl Fn(PeerState) -> bool) {
        self.out.retain_frames(|frame| !is_over(frame.header.state));
        self.renew_nonce();
    }

    /// A leader's regular work.
    pub(super) fn on_leader_heartbeat_due(&mut self) {
        self.adapt_detection();
        self.extend_lease();
        self.consider_fail_back();
        self.broadcast();
        self.re_offer_if_wanted();
    }

    /// R41: the detection time follows the network, at any heartbeat.
    fn adapt_detection(&mut self) {
        if let Role::Leader(leader) = &mut self.state.role {
            leader.adapt_detection(&self.config);
        }
    }

    /// The host serves (R31): the deadline of the way into office is met. An office of an earlier epoch is
    /// ignored.
    pub fn on_office(&mut self, office: &Office, now: Time) -> Step<'_> {
        self.begin_input(now);
        if let Role::Leader(leader) = &mut self.state.role
            && office.is_of(&self.authority)
        {
            leader.enter_office();
            self.state.timers.clear(Timer::Office);
            self.state.campaign.note_office();
        }
        self.end_input();
        Step::new(&mut self.out)
    }

    /// The node that this leader should catch up from is lost, or no longer has what it reported: the leader
    /// re-offers itself for a fresh quorum of positions at its next heartbeat (R30). Ignored in office.
    pub fn on_source_lost(&mut self, now: Time) -> Step<'_> {
        self.begin_input(now);
        if let Role::Leader(leader) = &mut self.state.role
            && !leader.is_in_office()
        {
            leader.want_positions();
        }
        self.end_input();
        Step::new(&mut self.out)
    }

    /// R31: whoever does not serve by the deadline resigns, and campaigns behind the others until its position moves.
    pub(super) fn on_office_overdue(&mut self) {
        // R64: in a pause it is told as unhealthy, and resigns when that ends.
        if self.state.pause.is_active()
            && let Role::Leader(leader) = &mut self.state.role
        {
            leader.note_overdue();
            return self.broadcast();
        }
        self.state.campaign.note_failed_way(self.state.position);
        self.lose_office(StepDown::NeverServed);
    }
}
