//! The part of the run that a chart shows, and where its moments lie.

use std::time::Duration;

/// The width of a chart in its own units.
pub(super) const WIDTH: f64 = 1160.0;
/// Where the plot begins: the names of the lanes stand before it.
pub(super) const LEFT: f64 = 64.0;
pub(super) const RIGHT: f64 = WIDTH - 16.0;

/// The part of the run that a chart shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from: Duration,
    pub(super) to: Duration,
    /// Where the axis reads 0.
    pub(super) zero: Duration,
}

impl Window {
    /// Whether it shows this moment.
    pub(super) const fn contains(self, at: Duration) -> bool {
        at.as_nanos() >= self.from.as_nanos() && at.as_nanos() <= self.to.as_nanos()
    }

    /// Where this moment lies; what is outside lies at the border.
    pub(super) fn x(self, at: Duration) -> f64 {
        let length = self.to.saturating_sub(self.from).as_secs_f64().max(1e-6);
        let into = at.clamp(self.from, self.to).saturating_sub(self.from).as_secs_f64();
        LEFT + (RIGHT - LEFT) * into / length
    }
}
