//! How far a campaign is: a bar, the rate, the speed and the time left.

use std::time::Duration;

use super::line::Line;

/// Shows how far long work has come, on standard error.
#[derive(Debug)]
pub(crate) struct Progress {
    line: Line,
    simulated: Duration,
}

impl Progress {
    pub(crate) fn new(total: u64) -> Self {
        Self { line: Line::of(total), simulated: Duration::ZERO }
    }

    pub(crate) fn advance(&mut self, simulated: Duration) {
        self.simulated += simulated;
        self.line.advance();
    }

    pub(crate) fn show(&mut self) {
        let simulated = self.simulated;
        self.line.show(|line| {
            let (done, total, rate, left) = line.work();
            text(done, total, rate, speed(simulated, line.elapsed()), left)
        });
    }

    /// Makes room for what is printed by `report`.
    pub(crate) fn aside(&self, report: impl FnOnce()) {
        self.line.aside(report);
    }

    /// Clears the line, so that a report can follow.
    pub(crate) fn clear(&self) {
        self.line.clear();
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.line.elapsed()
    }

    /// How much faster than real time it goes.
    pub(crate) fn speed(&self) -> f64 {
        speed(self.simulated, self.elapsed())
    }
}

fn speed(simulated: Duration, elapsed: Duration) -> f64 {
    simulated.as_secs_f64() / elapsed.as_secs_f64().max(1e-9)
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn text(done: u64, total: u64, rate: f64, speed: f64, left: Duration) -> String {
    let percent = done as f64 / total.max(1) as f64 * 100.0;
    let left = left.as_secs();
    format!("{percent:>3.0} % of {total}, {rate:.0}/s, {speed:.0} × real time, {left} s left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        let speed = speed(Duration::from_mins(50), Duration::from_secs(10));
        let line = text(50, 200, 5.0, speed, Duration::from_secs(30));
        assert_eq!(line, " 25 % of 200, 5/s, 300 × real time, 30 s left");
    }
}
