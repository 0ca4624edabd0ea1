//! What is true after every input, whatever it was.

use crate::elector::{Elector, Lifecycle, Role};
use crate::time::Time;
use crate::timers::Timer;

impl Elector {
    /// Looked at where somebody tests: in debug builds, and under the model check and the simulator.
    pub(super) fn assert_invariants(&self) {
        if let Role::Leader(leader) = &self.state.role {
            assert!(
                leader.epoch() <= self.state.durable.epoch(),
                "S2: leads {} above the durable epoch",
                leader.epoch()
            );
        }
        if cfg!(any(debug_assertions, feature = "explore")) {
            self.assert_words();
            self.assert_gate();
            self.assert_leading();
            if self.state.lifecycle == Lifecycle::Running {
                self.assert_waits();
                self.assert_timers();
                self.assert_told();
            }
        }
    }

    /// Whom this node follows or has promised.
    fn assert_words(&self) {
        if let Some(promise) = self.promise() {
            assert!(promise.to != self.me, "a promise to oneself is a role");
            if let Some(followed) = self.followed() {
                let keeps = promise.to == followed.leader && promise.epoch >= followed.epoch;
                assert!(keeps, "following is a promise to that very leader");
            }
        }
    }

    /// The save under way, and what waits for it.
    fn assert_gate(&self) {
        assert!(
            self.out.gate().is_none_or(|gate| self.state.durable.is_gate(gate.ticket.number)),
            "the gate is that of the save"
        );
        assert!(
            self.state.durable.is_saving() || self.state.durable.deferred().is_none(),
            "an offer waits only while a save runs"
        );
        assert!(
            self.state
                .durable
                .exempt_epoch()
                .is_none_or(|exempt_epoch| exempt_epoch < self.state.durable.epoch()),
            "what passes the floor is below it"
        );
    }

    /// What a leader has that others have not, and the other way round.
    fn assert_leading(&self) {
        let Role::Leader(leader) = &self.state.role else {
            assert!(!self.authority.is_draining(), "who does not lead drains nothing");
            return;
        };
        assert!(self.authority.is_draining() == leader.handover().is_some(), "what drains is a handover");
        assert!(self.state.campaign.favour().until().is_none(), "a leader needs no favour");
        assert!(self.state.campaign.waits_until(self.state.now).is_none(), "a leader waits for nothing");
        assert!(self.state.campaign.campaigns_lost() == 0, "a leader has lost no campaigns");
        assert!(self.state.campaign.head_start().is_none(), "a leader leaves nobody a head start");
        assert!(self.state.pause.request().is_none(), "a leader asks nobody for a pause");
        assert!(self.state.connected_floor == Time::ZERO, "to a leader every fresh echo counts");
    }

    fn assert_waits(&self) {
        let is_free = self.promise().is_none() && matches!(self.state.role, Role::Follower(_));
        assert!(self.state.campaign.turn().is_none() || is_free, "a turn exists in a free follower alone");
    }

    /// A timer is set exactly while what it is for exists.
    fn assert_timers(&self) {
        let leader = match &self.state.role {
            Role::Leader(leader) => Some(leader),
            _ => None,
        };
        let saves = self.state.durable.is_busy() && !self.state.durable.is_stalled();
        for (timer, is_for) in [
            (Timer::Lease, leader.is_some()),
            (Timer::Office, leader.is_some_and(|leader| !leader.is_in_office() && !leader.is_overdue())),
            (Timer::Handover, leader.is_some_and(|leader| leader.handover().is_some())),
            (Timer::Round, matches!(self.state.role, Role::Candidate(_))),
            (Timer::Promise, self.promise().is_some()),
            (Timer::Pause, self.state.pause.is_active()),
            (Timer::Save, saves),
            (Timer::Heartbeat, true),
        ] {
            let is_set = self.state.timers.get(timer) != Time::NEVER;
            assert!(is_set == is_for, "{timer:?} is set exactly while there is something to wait for");
        }
        let waits = self.state.timers.get(Timer::Campaign) != Time::NEVER;
        assert!(waits || self.state.campaign.turn().is_none(), "whoever has a turn waits for it");
    }

    /// R36, R57: what everybody and the host were told is what is.
    fn assert_told(&self) {
        assert!(
            self.state.notices.is_broadcast(self.own_state(), self.state.durable.epoch()),
            "everybody was told"
        );
        let followed = self.followed().map(|followed| (followed.leader, followed.epoch));
        assert!(self.state.notices.reported() == followed, "the host was told");
    }
}
