//! Seeds that are kept for ever: those that failed once, and the worst that held.

use crate::clock::{Real, SECOND};
use crate::options::Options;

/// A seed of the repository's list, with how it is run and why it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorpusSeed {
    /// The seed.
    pub seed: u64,
    /// Members, if they are not drawn.
    pub nodes: Option<usize>,
    /// Simulated seconds.
    pub seconds: u64,
    /// Whether clocks are far outside their bound.
    pub wild_clocks: bool,
    /// Why it is kept.
    pub why: String,
}

/// The list: comments, and lines of seed, nodes, seconds, mode and reason.
pub const CORPUS: &str = include_str!("../seeds/kept.txt");

impl CorpusSeed {
    /// Reads a list.
    ///
    /// # Errors
    /// The first line that is not understood.
    pub fn parse(text: &str) -> Result<Vec<Self>, String> {
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        lines.map(|line| Self::line(line).ok_or_else(|| format!("`{line}` is not understood"))).collect()
    }

    fn line(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let seed = words.next()?.parse().ok()?;
        let nodes = match words.next()? {
            "drawn" => None,
            count => Some(count.parse().ok().filter(|count| (3..=7).contains(count))?),
        };
        let seconds = words.next()?.parse().ok().filter(|&seconds| seconds >= 3)?;
        let wild_clocks = match words.next()? {
            "storm" => false,
            "wild-clocks" => true,
            _ => return None,
        };
        let why = words.collect::<Vec<_>>().join(" ");
        (!why.is_empty()).then_some(Self { seed, nodes, seconds, wild_clocks, why })
    }

    /// The line of the list.
    pub fn to_line(&self) -> String {
        let nodes = self.nodes.map_or_else(|| "drawn".to_owned(), |nodes| nodes.to_string());
        let mode = if self.wild_clocks { "wild-clocks" } else { "storm" };
        format!("{} {nodes} {} {mode} {}", self.seed, self.seconds, self.why)
    }

    /// What its run is made of.
    pub fn options(&self) -> Options {
        let draw = if self.wild_clocks { Options::wild } else { Options::swarm };
        let length: Real = self.seconds * SECOND;
        draw(self.seed, self.nodes, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_nonsense_is_refused() {
        for line in ["7 drawn 60 storm it failed", "8 5 600 wild-clocks the worst one"] {
            assert_eq!(CorpusSeed::parse(line).unwrap()[0].to_line(), line);
        }
        for line in [
            "7",
            "x drawn 60 storm why",
            "7 9 60 storm why",
            "7 3 60 rain why",
            "7 3 60 storm",
            "7 3 1 storm why",
        ] {
            assert!(CorpusSeed::parse(line).is_err(), "{line}");
        }
    }
}
