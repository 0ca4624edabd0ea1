//! A progress line: rewritten in place on a terminal, now and then a plain one elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

const WIDTH: usize = 30;

/// Shows how far long work has come, on standard error.
#[derive(Debug)]
pub(crate) struct Progress {
    total: u64,
    done: u64,
    simulated: Duration,
    began: Instant,
    shown: Instant,
    terminal: bool,
    every: Duration,
}

impl Progress {
    pub(crate) fn new(total: u64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let every = if terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
        let now = Instant::now();
        Self { total, done: 0, simulated: Duration::ZERO, began: now, shown: now, terminal, every }
    }

    pub(crate) fn advance(&mut self, simulated: Duration) {
        self.done += 1;
        self.simulated += simulated;
    }

    pub(crate) fn show(&mut self) {
        if self.shown.elapsed() < self.every {
            return;
        }
        self.shown = Instant::now();
        let line = self.line(self.began.elapsed());
        if self.terminal {
            eprint!("\r\x1b[K{line}");
            // Progress that cannot be shown is no reason to stop.
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }

    /// Clears the line, so that a report can follow.
    pub(crate) fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// How much faster than real time it goes.
    pub(crate) fn speed(&self) -> f64 {
        self.simulated.as_secs_f64() / self.began.elapsed().as_secs_f64().max(1e-9)
    }

    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    fn line(&self, elapsed: Duration) -> String {
        let share = self.done as f64 / self.total.max(1) as f64;
        let rate = self.done as f64 / elapsed.as_secs_f64().max(1e-9);
        let left = (self.total - self.done) as f64 / rate.max(1e-9);
        let filled = usize::try_from(self.done * WIDTH as u64 / self.total.max(1)).unwrap_or(0);
        let bar = if self.terminal { format!("[{:<WIDTH$}] ", "=".repeat(filled)) } else { String::new() };
        let (total, speed) = (self.total, self.simulated.as_secs_f64() / elapsed.as_secs_f64().max(1e-9));
        let percent = share * 100.0;
        format!("{bar}{percent:>3.0} % of {total}, {rate:.0}/s, {speed:.0} × real time, {left:.0} s left")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        let mut progress = Progress { terminal: false, ..Progress::new(200) };
        (0..50).for_each(|_| progress.advance(Duration::from_mins(1)));
        let line = progress.line(Duration::from_secs(10));
        assert_eq!(line, " 25 % of 200, 5/s, 300 × real time, 30 s left");
        let bar = Progress { terminal: true, ..progress }.line(Duration::from_secs(10));
        assert!(bar.starts_with("[=======                       ] "), "{bar}");
    }
}
