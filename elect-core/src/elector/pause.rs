//! Pausing failover for maintenance: visibly, group-wide, with an expiry. It stops automatic replacement, nothing
//! else.

use core::time::Duration;

use crate::elector::{Elector, Role};
use crate::epoch::Epoch;
use crate::event::{CampaignLost, HandoverAborted, Health, Ignored, Notice, RequestRefused, StepDown};
use crate::frame::{Body, Header, PauseNumber, PauseStamp};
use crate::handover::HandoverCause;
use crate::members::MemberIndex;
use crate::pause::{Noted, PAUSE_MAX, PauseRequest};
use crate::peer_state::PeerState;
use crate::step::{Requested, Step};
use crate::time::Time;
use crate::timers::Timer;

impl Elector {
    /// Pauses failover for `span` (1 ms to 24 h) in the whole group: the leader stays in office, and if it goes,
    /// nobody but it is elected until the pause ends or an operator hands over. Works on the leader and on whoever
    /// follows it.
    pub fn pause(&mut self, span: Duration, now: Time) -> Requested<'_> {
        self.begin_input(now);
        let paused = self.check_pause(span).map(|()| {
            if matches!(self.state.role, Role::Leader(_)) {
                self.take_pause(PauseNumber::default(), span, self.me);
            } else {
                let after = self.state.pause.number().unwrap_or_default();
                let asks_until = self.state.now + self.election_timeout();
                self.state.pause.ask(PauseRequest::Pause { after, until: self.state.now + span, asks_until });
                self.repeat_pause_request();
            }
        });
        self.end_input();
        Requested::new(Step::new(&mut self.out), paused)
    }

    /// Ends a pause in the whole group. Works on any node that reaches the others, leader or not.
    pub fn resume(&mut self, now: Time) -> Requested<'_> {
        self.begin_input(now);
        let resumed = self.is_running().map(|()| {
            let asked = self.state.pause.request().is_some();
            if self.state.pause.is_active() {
                self.end_pause();
            } else if asked || self.leader().is_none() {
                // It may have missed what it shall end. This takes the place of what was asked for.
                let asks_until = self.state.now + self.election_timeout();
                self.state.pause.ask(PauseRequest::Resume { asks_until });
            }
        });
        self.end_input();
        Requested::new(Step::new(&mut self.out), resumed)
    }

    fn check_pause(&self, span: Duration) -> Result<(), RequestRefused> {
        self.is_running()?;
        if !(Duration::from_millis(1)..=PAUSE_MAX).contains(&span) {
            return Err(RequestRefused::PauseSpan(span));
        }
        if self.leader().is_none() {
            return Err(RequestRefused::NoLeader);
        }
        Ok(())
    }

    /// R63: the leader takes a pause, newer than every one before, and shows it to everybody.
    fn take_pause(&mut self, than: PauseNumber, remaining: Duration, asker: MemberIndex) {
        let Role::Leader(leader) = &self.state.role else { return };
        let number = self.state.pause.next_number(leader.epoch(), than);
        let noted = self.state.pause.note(PauseStamp { number, remaining }, self.state.now);
        self.state.pause.note_asker(asker);
        self.heed(noted);
        self.broadcast();
    }

    /// R63: a resume is newer than the pause that it ends, whoever asked for it.
    fn end_pause(&mut self) {
        let number = self.state.pause.next_number(Epoch::ZERO, PauseNumber::default());
        let led = matches!(self.state.role, Role::Leader(_));
        let noted = self.state.pause.note(PauseStamp { number, remaining: Duration::ZERO }, self.state.now);
        self.heed(noted);
        // Whoever loses office by it says so, and perhaps who shall lead: no plain heartbeat overtakes that.
        if !led || matches!(self.state.role, Role::Leader(_)) {
            self.broadcast();
        }
    }

    /// R42: a request is repeated to the leader with the heartbeats, until a newer pause or resume is the answer, or
    /// nobody has given one in time.
    pub(super) fn repeat_pause_request(&mut self) {
        self.state.pause.limit_request(self.state.now);
        let Some(PauseRequest::Pause { after, until, .. }) = self.state.pause.request() else { return };
        let Some(leader) = self.followed().map(|followed| followed.leader) else { return };
        let remaining = until.since(self.state.now);
        if !remaining.is_zero() {
            self.send(leader, Body::Pause { after, remaining });
        }
    }

    /// R42: the leader takes a request as its own, unless it has known a newer pause or resume than the asking node.
    pub(super) fn on_pause(
        &mut self,
        peer: MemberIndex,
        header: &Header,
        after: PauseNumber,
        remaining: Duration,
    ) -> Result<(), Ignored> {
        self.check_fresh(header)?;
        let leads = matches!(self.state.role, Role::Leader(_));
        if !leads || remaining.is_zero() || remaining > PAUSE_MAX || after.epoch > self.state.epoch_hint {
            return Err(Ignored::NotItsPlace);
        }
        if self.state.pause.number().is_some_and(|known| known > after) {
            return Err(Ignored::OldRequest);
        }
        self.take_pause(after, remaining, peer);
        Ok(())
    }

    /// R63: what a fresh heartbeat says of a pause, and of whom it keeps in office.
    #[inline]
    pub(super) fn note_peers_pause(&mut self, header: &Header, stamp: Option<PauseStamp>) {
        let Some(stamp) = stamp else { return };
        if self.check_fresh(header).is_err() {
            return;
        }
        self.note_pause(stamp);
        // Only then anybody asks; what is noted earlier would do no harm.
        if self.state.pause.is_active() {
            self.note_peers_leader(stamp, header.state);
            self.withdraw_unless_reserved();
        }
    }

    /// R63: an accept in a pause is given to nobody but the leader that the pause keeps in office.
    pub(super) fn note_voters_pause(&mut self, stamp: Option<PauseStamp>) {
        let Some(stamp) = stamp else { return };
        self.note_pause(stamp);
        if !stamp.remaining.is_zero() {
            self.state.pause.learn_reservation(self.me);
        }
        self.withdraw_unless_reserved();
    }

    fn note_pause(&mut self, stamp: PauseStamp) {
        // No stamp counts of an epoch that nobody has told of: it would outlast all later ones.
        if stamp.number.epoch > self.state.epoch_hint {
            return;
        }
        self.state.pause.limit_request(self.state.now);
        let resumes = matches!(self.state.pause.request(), Some(PauseRequest::Resume { .. }));
        let noted = self.state.pause.note(stamp, self.state.now);
        let is_news = !matches!(noted, Noted::Nothing | Noted::Paused { is_new: false, .. });
        // Every heartbeat says the newest number: the last one is no answer to be repeated.
        if !matches!(noted, Noted::Nothing) {
            self.state.steady = None;
        }
        self.heed(noted);
        if resumes && matches!(noted, Noted::Paused { .. }) {
            self.end_pause();
        } else if is_news && matches!(self.state.role, Role::Leader(_)) {
            self.broadcast();
        }
    }

    fn note_peers_leader(&mut self, stamp: PauseStamp, state: PeerState) {
        match state {
            PeerState::Follower(leader, epoch) => {
                if let Some(leader) = self.config.members().index(leader) {
                    self.state.pause.note_leader(leader, epoch);
                }
            }
            PeerState::Reserved(leader) if self.state.pause.number() == Some(stamp.number) => {
                if let Some(leader) = self.config.members().index(leader) {
                    self.state.pause.learn_reservation(leader);
                }
            }
            _ => {}
        }
    }

    /// R62: a campaign goes on in a pause only if it is for the leader that the pause keeps in office.
    fn withdraw_unless_reserved(&mut self) {
        if self.state.pause.is_active() && !self.is_reserved_for(self.me) {
            self.withdraw_campaign(CampaignLost::Paused);
        }
    }

    /// What follows from a pause or a resume here.
    fn heed(&mut self, noted: Noted) {
        match noted {
            Noted::Nothing => {}
            Noted::Paused { until, is_new } => {
                self.state.timers.set(Timer::Pause, until);
                if is_new {
                    self.out.happened(Notice::Paused { until });
                    self.abort_preference();
                }
            }
            Noted::Resumed { was_paused } => {
                self.state.timers.clear(Timer::Pause);
                if was_paused {
                    self.out.happened(Notice::Resumed);
                    self.carry_out_what_was_put_off();
                }
            }
        }
    }

    /// R63: each clock ends a pause, and the first one that does ends it for everybody.
    pub(super) fn on_pause_over(&mut self) {
        let noted = self.state.pause.expire();
        self.heed(noted);
    }

    /// R64: preference is automatic replacement; what an operator asked for goes on.
    fn abort_preference(&mut self) {
        if let Role::Leader(leader) = &self.state.role
            && leader.handover().is_some_and(|handover| handover.cause == HandoverCause::Preference)
        {
            self.abort_handover(HandoverAborted::Paused);
        }
    }

    /// R64: what would have cost office while failover was paused costs it in the step that resumes.
    fn carry_out_what_was_put_off(&mut self) {
        if self.state.health == Health::Unfit {
            self.withdraw_unfit();
        }
        if self.state.durable.is_stalled() {
            self.lose_office_to_successor(StepDown::SaveStalled);
        }
        if matches!(&self.state.role, Role::Leader(leader) if leader.is_overdue()) {
            self.on_office_overdue();
        }
    }

    /// R62: for whom failover is paused, as far as this node knows: the last leader, or while its head start lasts the
    /// node that it handed over to.
    pub(super) fn reserved_for(&self) -> Option<MemberIndex> {
        let number = self.state.pause.number()?;
        let last = self.state.pause.reservation();
        if self.state.campaign.released() >= last.map_or(number.epoch, |last| last.epoch) {
            if self.state.pause.is_favoured(self.state.now) {
                return Some(self.me);
            }
            if let Some(head_start) = self.active_head_start() {
                return Some(head_start.target);
            }
        }
        last.map(|last| last.leader)
    }

    pub(super) fn is_reserved_for(&self, node: MemberIndex) -> bool {
        self.reserved_for() == Some(node)
    }

    /// R62: whether a pause keeps this node from accepting `candidate`.
    pub(super) fn is_barred(&self, candidate: MemberIndex) -> bool {
        // Whoever follows refuses everybody but its leader (R10).
        let follows = self.followed().is_some();
        self.state.pause.is_active() && !follows && !self.is_reserved_for(candidate)
    }
}
