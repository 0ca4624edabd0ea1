//! How far a campaign is: a bar, the rate, the speed and the time left.

use std::time::{Duration, Instant};

use super::line::Line;

const WIDTH: usize = 30;

/// Shows how far long work has come, on standard error.
#[derive(Debug)]
pub(crate) struct Progress {
    work: Work,
    began: Instant,
    line: Line,
}

#[derive(Debug)]
struct Work {
    total: u64,
    done: u64,
    simulated: Duration,
}

impl Progress {
    pub(crate) fn new(total: u64) -> Self {
        let work = Work { total, done: 0, simulated: Duration::ZERO };
        Self { work, began: Instant::now(), line: Line::new() }
    }

    pub(crate) fn advance(&mut self, simulated: Duration) {
        self.work.done += 1;
        self.work.simulated += simulated;
    }

    pub(crate) fn show(&mut self) {
        let bar = self.line.is_on_a_terminal();
        self.line.show(|| self.work.text(self.began.elapsed(), bar));
    }

    /// Clears the line, so that a report can follow.
    pub(crate) fn clear(&self) {
        self.line.clear();
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// How much faster than real time it goes.
    pub(crate) fn speed(&self) -> f64 {
        self.work.speed(self.began.elapsed())
    }
}

impl Work {
    fn speed(&self, elapsed: Duration) -> f64 {
        self.simulated.as_secs_f64() / elapsed.as_secs_f64().max(1e-9)
    }

    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    fn text(&self, elapsed: Duration, bar: bool) -> String {
        let Self { total, done, .. } = *self;
        let percent = done as f64 / total.max(1) as f64 * 100.0;
        let rate = done as f64 / elapsed.as_secs_f64().max(1e-9);
        let left = (total - done) as f64 / rate.max(1e-9);
        let filled = usize::try_from(done * WIDTH as u64 / total.max(1)).unwrap_or(0);
        let bar = if bar { format!("[{:<WIDTH$}] ", "=".repeat(filled)) } else { String::new() };
        let speed = self.speed(elapsed);
        format!("{bar}{percent:>3.0} % of {total}, {rate:.0}/s, {speed:.0} × real time, {left:.0} s left")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        let work = Work { total: 200, done: 50, simulated: Duration::from_mins(50) };
        let line = work.text(Duration::from_secs(10), false);
        assert_eq!(line, " 25 % of 200, 5/s, 300 × real time, 30 s left");
        let bar = work.text(Duration::from_secs(10), true);
        assert!(bar.starts_with("[=======                       ] "), "{bar}");
    }
}
