//! How far long work is, on standard error: a bar or a line on a terminal, now and then a line in a log.

use std::io::Write as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is shown that a person watches, and one in a log.
const ON_A_TERMINAL: Duration = Duration::from_millis(200);
const IN_A_LOG: Duration = Duration::from_secs(10);

/// A line that is shown again and again.
#[derive(Debug)]
pub(crate) struct Line {
    bar: ProgressBar,
    shown: Instant,
}

impl Line {
    /// Of work whose end nobody knows.
    pub(crate) fn new() -> Self {
        Self::styled(ProgressBar::new_spinner(), "{msg}")
    }

    /// Of so much work, with a bar.
    pub(crate) fn of(total: u64) -> Self {
        Self::styled(ProgressBar::new(total), "[{bar:30}] {msg}")
    }

    fn styled(bar: ProgressBar, template: &str) -> Self {
        let style = ProgressStyle::with_template(template).expect("the template is understood");
        Self { bar: bar.with_style(style.progress_chars("== ")), shown: Instant::now() }
    }

    /// A piece of the work is done.
    pub(crate) fn advance(&self) {
        self.bar.inc(1);
    }

    /// How many pieces are done, how many there are, how many come in a second, and how long the rest takes.
    pub(crate) fn work(&self) -> (u64, u64, f64, Duration) {
        (self.bar.position(), self.bar.length().unwrap_or(0), self.bar.per_sec(), self.bar.eta())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.bar.elapsed()
    }

    /// Shows what `line` says, if it is time for that.
    pub(crate) fn show(&mut self, line: impl FnOnce(&Self) -> String) {
        let every = if self.bar.is_hidden() { IN_A_LOG } else { ON_A_TERMINAL };
        if self.shown.elapsed() < every {
            return;
        }
        self.shown = Instant::now();
        if self.bar.is_hidden() {
            // Progress that cannot be shown is no reason to stop.
            let _ = writeln!(std::io::stderr(), "{}", line(self));
        } else {
            self.bar.set_message(line(self));
        }
    }

    /// Makes room for what is printed by `report`.
    pub(crate) fn aside(&self, report: impl FnOnce()) {
        self.bar.suspend(report);
    }

    /// Makes room for good.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
