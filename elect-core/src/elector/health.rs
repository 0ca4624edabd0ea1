//! Health that ends unless it is renewed: a host that hangs cannot say so.

use crate::elector::{Elector, Lifecycle};
use crate::event::Health;
use crate::step::Step;
use crate::time::Time;
use crate::timers::Timer;

impl Elector {
    /// The host became fit or unfit for office (R43), until it says otherwise.
    pub fn set_health(&mut self, health: Health, now: Time) -> Step<'_> {
        self.begin_input(now);
        self.state.timers.clear(Timer::Health);
        self.become_fit_or_unfit(health);
        self.end_input();
        Step::new(&mut self.out)
    }

    /// The host is fit for office until `until` on this node's clock, and counts as unfit from then on unless it has
    /// said so again. In the past, it is unfit at once.
    ///
    /// Renew it from whatever does the host's work, in every role: a node that does not lead is watched too, since it
    /// would lead as badly. A host that never calls this counts as fit until it says otherwise.
    pub fn set_healthy_until(&mut self, until: Time, now: Time) -> Step<'_> {
        // R66: what ended before this renewal came has ended: `begin_input` tells its loss.
        self.begin_input(now);
        let lasts = until > self.state.now;
        if !matches!(self.state.lifecycle, Lifecycle::Stopped(_)) {
            self.state.timers.set(Timer::Health, if lasts { until } else { Time::NEVER });
        }
        self.become_fit_or_unfit(if lasts { Health::Healthy } else { Health::Unfit });
        self.end_input();
        Step::new(&mut self.out)
    }

    /// R66: nobody has said for too long that the host is well: it is unfit, in whatever role.
    pub(super) fn on_health_over(&mut self) {
        self.become_fit_or_unfit(Health::Unfit);
    }

    fn become_fit_or_unfit(&mut self, health: Health) {
        if self.state.health == health {
            return;
        }
        self.state.health = health;
        if health == Health::Unfit {
            self.state.campaign.end_favour();
            self.withdraw_unfit();
        }
        if self.state.lifecycle == Lifecycle::Running {
            self.broadcast();
        }
    }
}
