//! Freezing failover for maintenance: visibly, group-wide, with an expiry.

use core::time::Duration;

use crate::elector::{Elector, Role};
use crate::event::{Ignored, Notice, RequestRefused};
use crate::frame::{Body, Header};

use crate::step::{Requested, Step};
use crate::time::Time;
use crate::timers::Timer;

/// A freeze or thaw that this node's operator asked for and the group does not show yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PauseRequest {
    /// Until when failover shall be frozen; `None` to thaw it.
    pub(crate) until: Option<Time>,
    /// When this node stops asking.
    pub(crate) asks_until: Time,
}

const PAUSE_MAX: Duration = Duration::from_hours(24);

impl Elector {
    /// Freezes failover for `span` (1 ms to 24 h) in the whole group: nobody stands and nobody accepts. A leader
    /// that dies meanwhile is not replaced until the freeze ends. Works on the leader and on whoever follows it.
    pub fn pause(&mut self, span: Duration, now: Time) -> Requested<'_> {
        self.begin(now);
        let paused = self.check_pause(span).map(|()| {
            let until = self.now + span;
            if matches!(self.role, Role::Leader(_)) {
                self.pause_request = None;
                self.freeze(until);
                self.broadcast();
            } else {
                self.ask(Some(until), self.election_timeout());
            }
        });
        self.settle();
        Requested::new(Step::new(&mut self.out), paused)
    }

    /// Ends a freeze in the whole group. Works on any node that reaches the others, leader or not.
    pub fn resume(&mut self, now: Time) -> Requested<'_> {
        self.begin(now);
        let resumed = self.is_running().map(|()| {
            let frozen_for = self.paused_until.map_or(Duration::ZERO, |until| until.since(self.now));
            self.thaw();
            if matches!(self.role, Role::Leader(_)) {
                self.pause_request = None;
                self.broadcast();
            } else {
                self.ask(None, frozen_for.max(self.election_timeout()));
            }
        });
        self.settle();
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

    fn ask(&mut self, until: Option<Time>, asks_for: Duration) {
        self.pause_request = Some(PauseRequest { until, asks_until: self.now + asks_for });
        self.repeat_pause_request();
    }

    /// R42: a request is repeated with the heartbeats until the leader's heartbeat shows it: to the leader, or to
    /// everybody when there is none.
    pub(crate) fn repeat_pause_request(&mut self) {
        let Some(request) = self.pause_request else { return };
        if self.now >= request.asks_until {
            self.pause_request = None;
            return;
        }
        let remaining = request.until.map_or(Duration::ZERO, |until| until.since(self.now));
        let leader = self.followed().map(|followed| followed.leader);
        for peer in self.other_members().filter(|&peer| leader.is_none_or(|leader| leader == peer)) {
            self.send(peer, Body::Pause { remaining });
        }
    }

    /// R42: the leader takes a request as its own; without a leader everybody may be thawed, nobody frozen.
    pub(crate) fn on_pause(&mut self, header: &Header, remaining: Duration) -> Result<(), Ignored> {
        self.check_fresh(header)?;
        let leads = matches!(self.role, Role::Leader(_));
        if remaining.is_zero() && self.followed().is_none() {
            self.thaw();
        } else if leads && remaining <= PAUSE_MAX {
            self.freeze(self.now + remaining);
        } else {
            return Err(Ignored::NotItsPlace);
        }
        self.pause_request = None;
        if leads {
            self.broadcast();
        }
        Ok(())
    }

    /// R42: once there is a leader, a request that it does not take in time is old: it must not undo a later one.
    pub(crate) fn limit_pause_request(&mut self) {
        let latest = self.now + self.election_timeout();
        if let Some(request) = &mut self.pause_request {
            request.asks_until = request.asks_until.min(latest);
        }
    }

    /// R42: a follower's freeze is its leader's.
    pub(crate) fn note_pause(&mut self, paused_for: Duration) {
        let frozen = !paused_for.is_zero();
        if frozen {
            self.freeze(self.now + paused_for.min(PAUSE_MAX));
        } else if self.paused_until.is_some() {
            self.thaw();
        }
        if self.pause_request.is_some_and(|request| request.until.is_some() == frozen) {
            self.pause_request = None;
        }
    }

    fn freeze(&mut self, until: Time) {
        let was = self.paused_until.replace(until);
        self.timers.set(Timer::Pause, until);
        if was.is_none() {
            self.out.happened(Notice::Paused { until });
        }
    }

    pub(crate) fn thaw(&mut self) {
        self.timers.clear(Timer::Pause);
        if self.paused_until.take().is_some() {
            self.out.happened(Notice::Resumed);
        }
    }
}
