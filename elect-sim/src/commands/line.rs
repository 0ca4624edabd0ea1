//! A line on standard error that says how far long work is: rewritten in place on a terminal, now and then a new one
//! elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Where and when such a line is shown.
#[derive(Debug)]
pub(crate) struct Line {
    terminal: bool,
    every: Duration,
    shown: Instant,
}

impl Line {
    pub(crate) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let every = if terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
        Self { terminal, every, shown: Instant::now() }
    }

    /// Whether a person watches it.
    pub(crate) fn is_on_a_terminal(&self) -> bool {
        self.terminal
    }

    /// Shows what `line` says, if it is time for that.
    pub(crate) fn show(&mut self, line: impl FnOnce() -> String) {
        if self.shown.elapsed() < self.every {
            return;
        }
        self.shown = Instant::now();
        // Progress that cannot be shown is no reason to stop.
        let mut stderr = std::io::stderr();
        let _ = if self.terminal {
            write!(stderr, "\r\x1b[K{}", line()).and_then(|()| stderr.flush())
        } else {
            writeln!(stderr, "{}", line())
        };
    }

    /// Makes room for a report.
    pub(crate) fn clear(&self) {
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
