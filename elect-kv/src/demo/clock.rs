//! The demo's clock: the nodes' clock, counted from the demo's start.

use std::time::Duration;

use elect_core::Time;

/// Counts from the demo's start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began: Time,
}

impl Clock {
    /// Starts to count.
    pub(crate) fn start() -> Self {
        Self { began: elect_tcp::now() }
    }

    /// How long it has been running.
    pub(crate) fn now(self) -> Duration {
        self.at(elect_tcp::now())
    }

    /// Where a moment of this machine's clock lies.
    pub(crate) const fn at(self, time: Time) -> Duration {
        time.since(self.began)
    }
}
