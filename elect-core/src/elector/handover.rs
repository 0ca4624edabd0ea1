//! Handing office over: on request, by preference, or because the host is unfit.

use core::time::Duration;

use crate::duty::Duty;
use crate::elector::{Elector, Role};
use crate::epoch::Epoch;
use crate::event::{CampaignLost, HandoverAborted, Health, Ignored, RequestRefused, StepDown, Unfit};
use crate::frame::{Body, Header};
use crate::handover::HandoverCause;
use crate::handover::{HANDOVER_TIMEOUTS, Handover, HandoverRequest, HeadStart, Lag};
use crate::leader::Leader;
use crate::members::{MemberIndex, MemberKind};
use crate::name::NodeId;
use crate::peer_state::PeerState;
use crate::ranking::{Merit, lag, rank};
use crate::step::{Requested, Step};
use crate::time::Time;
use crate::timers::Timer;

impl Elector {
    /// Hands office over to `to`, or to the best member that is fit (S9). Asking twice is one handover. A pause does
    /// not keep an operator from it: then it is for the new leader.
    ///
    /// The host sees [`Duty::HandoverBegan`], admits nothing new, finishes what began and calls
    /// [`on_drained`](Self::on_drained). Refused with the figures if the target is behind by more than the tolerance
    /// and will not have caught up by the deadline, unless it is forced.
    pub fn request_handover(&mut self, request: impl Into<HandoverRequest>, now: Time) -> Requested<'_> {
        let request = request.into();
        let timeout = request.timeout.unwrap_or(self.config.handover_timeout());
        self.begin_input(now);
        let begun = self.check_handover(request, timeout).map(|target| {
            if let Some(target) = target {
                self.begin_handover(target, timeout, HandoverCause::Requested);
            }
        });
        self.end_input();
        Requested::new(Step::new(&mut self.out), begun)
    }

    /// Takes a handover back: the host admits again. Refused once this node has stepped down, or where none is under
    /// way.
    pub fn cancel_handover(&mut self, now: Time) -> Requested<'_> {
        self.begin_input(now);
        let cancelled = self.check_cancel().map(|()| self.abort_handover(HandoverAborted::Cancelled));
        self.end_input();
        Requested::new(Step::new(&mut self.out), cancelled)
    }

    fn check_cancel(&self) -> Result<(), RequestRefused> {
        self.is_running()?;
        match &self.state.role {
            Role::Leader(leader) if leader.handover().is_some() => Ok(()),
            _ => Err(RequestRefused::NoHandover),
        }
    }

    /// R38: which target to begin with; `None` if that very handover is already under way.
    fn check_handover(
        &self,
        request: HandoverRequest,
        timeout: Duration,
    ) -> Result<Option<MemberIndex>, RequestRefused> {
        let to = request.target;
        self.is_running()?;
        if !HANDOVER_TIMEOUTS.contains(&timeout) {
            return Err(RequestRefused::HandoverTimeout(timeout));
        }
        let Role::Leader(leader) = &self.state.role else {
            return Err(RequestRefused::NotLeader(self.leader().map(|(leader, _)| leader)));
        };
        if let Some(handover) = leader.handover() {
            let target = self.config.members().id(handover.target);
            return if to.is_none_or(|to| to == target) {
                Ok(None)
            } else {
                Err(RequestRefused::HandingOver(target))
            };
        }
        let target = match to {
            Some(to) => self.check_target(to)?,
            None => self.successor().ok_or(RequestRefused::NoTarget)?,
        };
        match self.lag_of(target, timeout, leader) {
            Some(lag) if !request.force => {
                Err(RequestRefused::TargetLags(self.config.members().id(target), lag))
            }
            _ => Ok(Some(target)),
        }
    }

    fn check_target(&self, to: NodeId) -> Result<MemberIndex, RequestRefused> {
        let target = self.config.members().index(to).ok_or(RequestRefused::NotAMember(to))?;
        if target == self.me {
            return Err(RequestRefused::AlreadyLeads(to));
        }
        match self.unfit(target) {
            Some(unfit) => Err(RequestRefused::TargetUnfit(to, unfit)),
            None => Ok(target),
        }
    }

    /// R38: how far `target` is behind, if it will not have caught up within `timeout`: its last entry is of another
    /// epoch, or it does not keep up with this leader and what it gains
    /// does not suffice. A rate that is not known yet is none to refuse by.
    fn lag_of(&self, target: MemberIndex, timeout: Duration, leader: &Leader) -> Option<Lag> {
        let view = self.state.peers.view(target);
        let lagging = |rate| Lag { target: view.position(), own: self.state.position, rate, timeout };
        // Whoever has told of no entry yet is not known well enough either.
        let theirs = view.position()?;
        let Some(behind) = lag(Some(theirs), self.state.position) else { return Some(lagging(None)) };
        if behind <= self.config.lag_tolerance() || self.keeps_up(target, leader.past_position()) {
            return None;
        }
        let rate = leader.progress(target).rate(theirs, self.state.now)?;
        let closed = u128::from(rate) * timeout.as_nanos() / 1_000_000_000;
        (closed < u128::from(behind)).then(|| lagging(Some(rate)))
    }

    pub(super) fn begin_handover(&mut self, target: MemberIndex, timeout: Duration, cause: HandoverCause) {
        let deadline = self.state.now + timeout;
        if let Role::Leader(leader) = &mut self.state.role {
            leader.begin_handover(Handover::new(target, cause));
            self.authority.set_draining(true);
            self.state.timers.set(Timer::Handover, deadline);
            let target = self.config.members().id(target);
            self.out.act(Duty::HandoverBegan { target, deadline, cause });
        }
    }

    /// Everything that the host admitted before [`Duty::HandoverBegan`] is finished, and its position reported.
    pub fn on_drained(&mut self, now: Time) -> Step<'_> {
        self.begin_input(now);
        if let Role::Leader(leader) = &mut self.state.role {
            leader.note_drained();
        }
        self.proceed_with_handover();
        if let Role::Leader(leader) = &self.state.role
            && let Some(handover) = leader.handover()
        {
            // The answer says how far its log reaches: without this its next heartbeat would.
            self.send_heartbeat(handover.target);
        }
        self.end_input();
        Step::new(&mut self.out)
    }

    /// R38: stop admitting → drain → target durable → step down → the target offers.
    #[inline]
    pub(super) fn proceed_with_handover(&mut self) {
        if let Role::Leader(leader) = &self.state.role
            && let Some(handover) = leader.handover()
            && handover.is_drained()
        {
            self.finish_handover(handover);
        }
    }

    fn finish_handover(&mut self, handover: Handover) {
        if let Some(unfit) = self.unfit(handover.target) {
            self.abort_handover(HandoverAborted::TargetUnfit(unfit));
        } else if self.state.peers.view(handover.target).position() >= self.state.position {
            let reason = StepDown::HandedOver(self.config.members().id(handover.target));
            self.release(handover.target, reason);
            if handover.cause == HandoverCause::Preference {
                self.state.peers.view_mut(handover.target).preference_mut().note_handed(self.state.now);
            }
        }
    }

    /// R38: the deadline aborts a handover, but never after the step-down.
    pub(super) fn on_handover_overdue(&mut self) {
        self.abort_handover(HandoverAborted::DeadlinePassed);
    }

    pub(super) fn abort_handover(&mut self, reason: HandoverAborted) {
        let now = self.state.now;
        if let Role::Leader(leader) = &mut self.state.role
            && let Some(handover) = leader.abort_handover(now)
        {
            self.state.timers.clear(Timer::Handover);
            self.authority.set_draining(false);
            let target = self.config.members().id(handover.target);
            self.out.act(Duty::HandoverAborted { target, reason });
        }
    }

    /// Steps down, then names the successor to everybody. The lease cell falls before anything leaves.
    fn release(&mut self, target: MemberIndex, reason: StepDown) {
        let Role::Leader(leader) = &self.state.role else { return };
        let epoch = leader.epoch();
        self.lose_office(reason);
        self.state.campaign.release(epoch, target, self.state.now + self.election_timeout());
        self.repeat_release();
        // It says the new state too: no plain heartbeat of this step may overtake it.
        self.state.notices.note_broadcast(self.own_state(), self.state.durable.epoch());
    }

    /// R38: names the target again instead of a heartbeat, as long as the head start that it got lasts.
    pub(super) fn repeat_release(&mut self) -> bool {
        let Some(HeadStart { target, released: Some(epoch), .. }) = self.active_head_start() else {
            return false;
        };
        let target = self.config.members().id(target);
        for peer in self.other_members() {
            self.send(peer, Body::Release { epoch, target });
        }
        true
    }

    /// R39: once per released epoch the others leave the target a head start of one election timeout, and the
    /// target needs no rank delay. That the leadership is over, the header has already said.
    pub(super) fn on_release(
        &mut self,
        peer: MemberIndex,
        header: &Header,
        epoch: Epoch,
        target: NodeId,
    ) -> Result<(), Ignored> {
        self.check_fresh(header)?;
        if epoch > self.state.peers.pair(peer).ended() || !self.state.campaign.is_new_release(epoch) {
            return Err(Ignored::Ended(epoch));
        }
        self.state.campaign.note_release(epoch);
        let Some(target) = self.config.members().index(target) else { return Ok(()) };
        if self.leader().is_some() {
            return Ok(()); // Late: somebody leads again.
        }
        let until = self.state.now + self.election_timeout();
        if target == self.me {
            self.note_returned_office();
            let is_free = matches!(self.state.role, Role::Follower(_)) && self.promise().is_none();
            self.state.campaign.become_target(until, is_free && self.state.health == Health::Healthy);
            // R62: in a pause it campaigns in the place of the last leader.
            self.state.pause.favour(until);
        } else {
            self.state.campaign.leave_alone(target, until);
        }
        Ok(())
    }

    /// R39: a head start ends early when its target declines or fails; `active_head_start` sees a disconnect.
    pub(super) fn note_head_start(&mut self, peer: MemberIndex, before: PeerState, after: PeerState) {
        if self.state.campaign.head_start().is_none_or(|head_start| head_start.target != peer) {
            return;
        }
        let view = self.state.peers.view(peer);
        let declines = !view.eligible() || !view.healthy();
        let failed = matches!(before, PeerState::Candidate(_))
            && !matches!(after, PeerState::Candidate(_) | PeerState::Leader(_));
        if declines || failed {
            self.state.campaign.end_head_start();
        }
    }

    /// The target that this node leaves a head start now.
    pub(super) fn active_head_start(&self) -> Option<HeadStart> {
        self.state
            .campaign
            .head_start()
            .filter(|head_start| self.state.now < head_start.until && self.is_connected(head_start.target))
    }

    /// Why `peer` cannot lead now.
    pub(super) fn unfit(&self, peer: MemberIndex) -> Option<Unfit> {
        let view = self.state.peers.view(peer);
        if self.config.members().get(peer).kind != MemberKind::Voter || !view.eligible() {
            Some(Unfit::Ineligible)
        } else if !self.is_connected(peer) {
            Some(Unfit::NotConnected)
        } else if !view.healthy() {
            Some(Unfit::Unhealthy)
        } else if !self.could_elect(peer) {
            Some(Unfit::TooFewVotes)
        } else {
            None
        }
    }

    /// R65: whether a quorum is left for `peer` without those that it leaves out. Where nobody is left out there is
    /// one to be had, though voters are missing at this moment: who is missing may be back before the offer comes.
    fn could_elect(&self, peer: MemberIndex) -> bool {
        let Some(birth) = self.state.peers.pair(peer).birth() else { return true };
        // What it allows itself suffices (R54).
        let carries = |voter| self.state.peers.pair(voter).terms().suffices(birth.detection_min);
        let own_carries = self.config.detection().ceiling() >= birth.detection_min;
        let connected = self.voting_peers().filter(|&voter| self.is_connected(voter));
        if own_carries && connected.clone().all(carries) {
            return true;
        }
        let elects =
            |voter: &MemberIndex| carries(*voter) && self.state.peers.view(*voter).state().may_vote();
        usize::from(own_carries) + connected.filter(elects).count() >= self.config.members().quorum()
    }

    /// The best member that is fit.
    fn successor(&self) -> Option<MemberIndex> {
        let fit = || self.other_members().filter(|&peer| self.unfit(peer).is_none());
        fit().min_by_key(|&peer| {
            // Nobody comes before itself.
            rank(self.merit(peer), fit().map(|other| self.merit(other)), self.config.lag_tolerance())
        })
    }

    pub(super) fn merit(&self, peer: MemberIndex) -> Merit {
        let view = self.state.peers.view(peer);
        Merit {
            id: self.config.members().id(peer),
            priority: view.priority(),
            position: view.position(),
            campaigns: false,
        }
    }

    /// Gives office up at once, for the best member that is fit if there is one (R43).
    pub(super) fn lose_office_to_successor(&mut self, reason: StepDown) {
        match self.successor() {
            Some(successor) => self.release(successor, reason),
            None => self.lose_office(reason),
        }
    }

    /// R43: a host that reports itself unfit loses or declines office. R64: in a pause that is only told, and costs
    /// office when it ends.
    pub(super) fn withdraw_unfit(&mut self) {
        if self.state.pause.is_active() {
            return;
        }
        self.withdraw_campaign(CampaignLost::Withdrawn);
        self.lose_office_to_successor(StepDown::Unhealthy);
    }

    /// Gives office up, or the campaign, and leaves the others one election timeout to elect somebody else. In a pause
    /// they elect nobody, and this node campaigns again after it.
    pub fn resign(&mut self, now: Time) -> Requested<'_> {
        self.begin_input(now);
        let resigned = self.check_resign().map(|()| {
            let wait = self.election_timeout();
            self.state.campaign.wait_until(self.state.now + wait);
            self.lose_campaign(wait, CampaignLost::Withdrawn);
            // R64: in a pause nobody is named, since nobody but an operator replaces the leader.
            if self.state.pause.is_active() {
                self.lose_office(StepDown::Resigned);
            } else {
                self.lose_office_to_successor(StepDown::Resigned);
            }
        });
        self.end_input();
        Requested::new(Step::new(&mut self.out), resigned)
    }

    fn check_resign(&self) -> Result<(), RequestRefused> {
        self.is_running()?;
        match &self.state.role {
            Role::Follower(_) => Err(RequestRefused::NotLeader(self.leader().map(|(leader, _)| leader))),
            _ => Ok(()),
        }
    }
}
