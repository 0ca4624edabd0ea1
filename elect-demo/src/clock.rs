//! The demo's clock: the clock that stamps the nodes' events, counted from the demo's start.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Counts from the demo's start.
///
/// Events, acknowledgements and the demo's own actions are all read from the machine's one wall clock, so that they
/// can be subtracted from each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began: Duration,
}

impl Clock {
    /// Starts to count.
    pub(crate) fn start() -> Self {
        Self { began: since_epoch() }
    }

    /// How long it has been running.
    pub(crate) fn now(self) -> Duration {
        self.at(since_epoch())
    }

    /// Where a moment lies that is counted from 1970.
    pub(crate) const fn at(self, since_epoch: Duration) -> Duration {
        since_epoch.saturating_sub(self.began)
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
