//! The running story on the terminal.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use super::figures::Figures;
use super::format::milliseconds;
use super::verdict::Verdict;

/// How the story is told.
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

/// Tells the story line by line.
#[derive(Debug)]
pub(crate) struct Story<W> {
    out: W,
    style: Style,
}

/// How much a line of the story matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// What goes as it should.
    Calm,
    /// What the demo does to the cluster.
    Deed,
    /// A figure to remember.
    Figure,
}

impl<W: Write> Story<W> {
    pub(crate) const fn new(out: W, style: Style) -> Self {
        Self { out, style }
    }

    /// A line without a time.
    pub(crate) fn say(&mut self, text: &str) {
        if self.style != Style::Silent {
            // A reader that went away does not stop the demo: its exit code still tells.
            let _ = writeln!(self.out, "{text}");
            let _ = self.out.flush();
        }
    }

    /// What happened, and when.
    pub(crate) fn tell(&mut self, at: Duration, tone: Tone, text: &str) {
        let (mark, code) = match tone {
            Tone::Calm => (' ', ""),
            Tone::Deed => ('!', "1;31"),
            Tone::Figure => ('=', "1"),
        };
        let text = self.painted(&format!("{mark} {text}"), code);
        self.say(&format!("{:>8} ms {text}", milliseconds(at)));
    }

    /// What was measured and what held.
    pub(crate) fn conclude(&mut self, figures: &Figures, verdict: &Verdict) {
        self.say("");
        for (name, value, note) in figures.cards() {
            let value = self.painted(&format!("{value:>10}"), "1");
            self.say(&format!("  {name:<32} {value}  {note}"));
        }
        self.say("");
        for check in &verdict.checks {
            let (word, code, text) = match &check.outcome {
                Ok(text) => ("held  ", "32", text.clone()),
                Err(broken) => ("BROKEN", "1;31", broken.to_string()),
            };
            let word = self.painted(word, code);
            self.say(&format!("  {word} {}: {text}", check.name));
        }
        self.say("");
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
    use crate::demo::verdict::{Broken, Check};

    fn told(style: Style, tell: impl FnOnce(&mut Story<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        tell(&mut Story::new(&mut out, style));
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn plain_story_has_no_control_characters_and_marks_deeds() {
        let line = |style| told(style, |story| story.tell(Duration::from_secs(1), Tone::Deed, "kill"));
        assert_eq!(line(Style::Plain), "   1,000 ms ! kill\n");
        assert_eq!(line(Style::Colour), "   1,000 ms \u{1b}[1;31m! kill\u{1b}[0m\n");
        assert_eq!(line(Style::Silent), "");
    }

    #[test]
    fn what_broke_is_told_with_its_reason() {
        let outcome = Err(Broken::NothingKilled);
        let verdict = Verdict { checks: vec![Check { name: "failover after the kill", outcome }] };
        let figures = crate::demo::figures::tests::nothing();
        let text = told(Style::Plain, |story| story.conclude(&figures, &verdict));
        assert!(text.contains("  BROKEN failover after the kill: nobody was killed\n"), "{text}");
    }
}
