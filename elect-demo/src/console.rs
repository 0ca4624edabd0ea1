//! What the demo prints while it runs, and its summary.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use super::figures::Figures;
use super::format::milliseconds;
use super::verdict::Verdict;

/// How the demo prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Not at all: the summary for machines comes instead.
    Silent,
    /// Without colour.
    Plain,
    /// For a terminal.
    Colour,
}

impl Style {
    /// Colour only on a terminal, and not where `NO_COLOR` says no.
    pub(crate) fn for_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if io::stdout().is_terminal() && !refused { Self::Colour } else { Self::Plain }
    }
}

/// Prints line by line.
#[derive(Debug)]
pub(crate) struct Console<W> {
    out: W,
    style: Style,
}

/// What kind of line is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineKind {
    /// What goes as it should.
    Progress,
    /// What the demo does to the cluster.
    Action,
    /// A figure to remember.
    Figure,
}

impl<W: Write> Console<W> {
    pub(crate) const fn new(out: W, style: Style) -> Self {
        Self { out, style }
    }

    /// A line without a time.
    pub(crate) fn print(&mut self, text: &str) {
        if self.style != Style::Silent {
            // A reader that went away does not stop the demo: its exit code still says whether it held.
            let _ = writeln!(self.out, "{text}");
            let _ = self.out.flush();
        }
    }

    /// What happened, and when.
    pub(crate) fn print_at(&mut self, at: Duration, kind: LineKind, text: &str) {
        let (mark, code) = match kind {
            LineKind::Progress => (' ', ""),
            LineKind::Action => ('!', "1;31"),
            LineKind::Figure => ('=', "1"),
        };
        let text = self.painted(&format!("{mark} {text}"), code);
        self.print(&format!("{:>8} ms {text}", milliseconds(at)));
    }

    /// What was measured and what held.
    pub(crate) fn print_summary(&mut self, figures: &Figures, verdict: &Verdict) {
        self.print("");
        for (name, value, note) in figures.cards() {
            let value = self.painted(&format!("{value:>10}"), "1");
            self.print(&format!("  {name:<32} {value}  {note}"));
        }
        self.print("");
        for check in &verdict.checks {
            let (word, code, text) = match &check.outcome {
                Ok(text) => ("held  ", "32", text.clone()),
                Err(broken) => ("BROKEN", "1;31", broken.to_string()),
            };
            let word = self.painted(word, code);
            self.print(&format!("  {word} {}: {text}", check.name));
        }
        self.print("");
    }

    fn painted(&self, text: &str, code: &str) -> String {
        if self.style == Style::Colour && !code.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Broken, Check};

    fn printed(style: Style, print: impl FnOnce(&mut Console<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        print(&mut Console::new(&mut out, style));
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn plain_lines_have_no_control_characters_and_actions_are_marked() {
        let line = |style| {
            printed(style, |console| console.print_at(Duration::from_secs(1), LineKind::Action, "kill"))
        };
        assert_eq!(line(Style::Plain), "   1,000 ms ! kill\n");
        assert_eq!(line(Style::Colour), "   1,000 ms \u{1b}[1;31m! kill\u{1b}[0m\n");
        assert_eq!(line(Style::Silent), "");
    }

    #[test]
    fn what_broke_is_printed_with_its_reason() {
        let outcome = Err(Broken::NothingKilled);
        let verdict = Verdict { checks: vec![Check { name: "failover after the kill", outcome }] };
        let figures = crate::figures::tests::nothing();
        let text = printed(Style::Plain, |console| console.print_summary(&figures, &verdict));
        assert!(text.contains("  BROKEN failover after the kill: nobody was killed\n"), "{text}");
    }
}
