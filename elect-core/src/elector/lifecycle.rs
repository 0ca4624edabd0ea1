//! The life of an elector: a start, and the end for good.

use alloc::string::ToString;

use crate::duty::Duty;
use crate::elector::{Elector, Lifecycle};
use crate::event::{CampaignLost, LeaderLost, RequestRefused, StepDown, Stopped};
use crate::promise::Promise;

impl Elector {
    /// R15: a restart is a promise to the record's holder, for the longest time that may have been promised
    /// before. A promise to oneself is over at once; at a first boot there is none.
    pub(super) fn promise_of_restart(&mut self) {
        let holder =
            self.state.durable.record().holder.and_then(|holder| self.config.members().index(holder.node));
        let Some(to) = holder.filter(|&to| to != self.me) else { return };
        let until = self.state.now + self.config.promise_span(self.state.durable.record().detection_max);
        let promise =
            Promise { to, epoch: self.state.durable.epoch(), life: None, until, renewed_at: self.state.now };
        self.give_promise(promise);
    }

    /// R44: after a storage error, or as a clone, nothing is voted, offered or led, what the same step has queued
    /// included; the step-down and a last frame that says so still go out.
    pub(super) fn stop(&mut self, reason: Stopped) {
        self.lose_office(match reason {
            Stopped::StorageFailed(_) => StepDown::StorageFailed,
            Stopped::Cloned { .. } | Stopped::WentBack { .. } | Stopped::EntriesAhead { .. } => {
                StepDown::Cloned
            }
        });
        self.give_up_campaign(CampaignLost::Stopped);
        self.end_promise(LeaderLost::Stopped);
        self.tell_host();
        let spoke = self.state.lifecycle == Lifecycle::Running;
        self.state.lifecycle = Lifecycle::Stopped(reason.clone());
        self.state.durable.stop();
        // R48: a node whose incarnation is not durable would speak as its last life, or as its clone.
        self.out.take_back_frames_and_gate();
        if spoke {
            self.renew_nonce();
            self.broadcast();
        }
        self.state.timers.clear_all();
        self.out.act(Duty::Stopped { reason });
    }

    pub(super) fn is_running(&self) -> Result<(), RequestRefused> {
        match self.state.lifecycle {
            Lifecycle::Starting => Err(RequestRefused::Starting),
            Lifecycle::Running => Ok(()),
            Lifecycle::Stopped(_) => Err(RequestRefused::Stopped),
        }
    }

    pub(super) fn storage_error(error: &impl core::fmt::Display) -> Stopped {
        Stopped::StorageFailed(error.to_string())
    }
}

impl Drop for Elector {
    /// R24: no lease outlives its elector. The host's threads see that at once, so the next life may free the
    /// followers, and whoever closes the node's listener after this gives no false evidence of a crash.
    fn drop(&mut self) {
        self.authority.revoke();
    }
}
