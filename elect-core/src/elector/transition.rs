//! The one place where the role changes: with a role its timers begin and end, and the period of its heartbeats.

use alloc::boxed::Box;

use crate::candidate::Candidate;
use crate::elector::{Elector, Role};
use crate::follower::Follower;
use crate::leader::Leader;
use crate::time::Time;
use crate::timers::Timer;

/// What may become of a node: the arrows of the state diagram in PROTOCOL.md that lead from one role to another. What a
/// follower promises, and whom it follows, is the follower's own.
pub(super) enum Transition {
    /// A free follower campaigns; its campaign is over at this point at the latest.
    Campaign(Candidate, Time),
    /// R21: a candidate has won; R27: or a re-offer, before which somebody else has led, and which ended the leadership
    /// that made it in this very step.
    Lead { leader: Box<Leader>, lease_end: Time, office_by: Time },
    /// R24: a leader leads no more, or R25: a candidate campaigns no more.
    StepDown,
}

impl Elector {
    pub(super) fn apply(&mut self, transition: Transition) {
        match (&self.state.role, transition) {
            (Role::Follower(Follower::Free), Transition::Campaign(candidate, until)) => {
                self.state.timers.clear(Timer::Campaign);
                self.state.timers.set(Timer::Round, until);
                self.state.role = Role::Candidate(candidate);
            }
            (
                Role::Candidate(_) | Role::Follower(Follower::Free),
                Transition::Lead { leader, lease_end, office_by },
            ) => {
                self.state.timers.clear(Timer::Round);
                self.state.timers.set(Timer::Lease, lease_end);
                self.state.timers.set(Timer::Office, office_by);
                self.state.role = Role::Leader(leader);
            }
            (Role::Candidate(_) | Role::Leader(_), Transition::StepDown) => {
                for timer in [Timer::Round, Timer::Lease, Timer::Office, Timer::Handover] {
                    self.state.timers.clear(timer);
                }
                self.state.role = Role::Follower(Follower::Free);
            }
            (role, _) => unreachable!("no arrow of the state diagram leaves {role:?} so"),
        }
        self.reset_heartbeat();
    }
}
