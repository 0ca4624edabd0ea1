//! Office needs work: a storage that hangs makes its node unfit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use elect_core::{Health, Time};
use elect_tcp::NodeHandle;
use tokio::time::{MissedTickBehavior, interval};

/// Since when the storage is busy with one sync.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    /// Zero while it is idle.
    since: AtomicU64,
}

impl Stall {
    pub(crate) fn begin(&self, now: Time) {
        self.since.store(now.as_nanos().max(1), Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// What the storage says of the node's fitness: a sync that takes longer than `bound` counts as hung.
    fn health(&self, now: Time, bound: Duration) -> Health {
        match self.since.load(Ordering::Relaxed) {
            0 => Health::Healthy,
            since if now.since(Time::from_nanos(since)) > bound => Health::Unfit,
            _ => Health::Healthy,
        }
    }
}

/// Looks at the storage once in each `bound`, the detection time, and reports changes to the elector. Ends with the
/// runtime.
pub(super) async fn watch(stall: Arc<Stall>, handle: NodeHandle, bound: Duration) {
    let mut ticks = interval(bound);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reported = Health::Healthy;
    loop {
        ticks.tick().await;
        let health = stall.health(handle.now(), bound);
        if health != reported {
            reported = health;
            handle.set_health(health);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_that_takes_too_long_makes_unfit_until_it_ends() {
        let stall = Stall::default();
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        let health = |now| stall.health(now, Duration::from_secs(2));
        assert_eq!(health(at(9)), Health::Healthy, "idle");
        stall.begin(at(10));
        assert_eq!(health(at(12)), Health::Healthy);
        assert_eq!(health(at(13)), Health::Unfit);
        stall.end();
        assert_eq!(health(at(14)), Health::Healthy);
    }
}
