//! What happened: always as a hash, on request as lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::clock::Real;
use crate::ids::{Link, NodeIndex};
use crate::network::Trouble;
use crate::random::mix;

/// How much a trace keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Only the hash.
    Hash,
    /// Elections, losses, faults and what else a person wants to see.
    Events,
    /// Every frame too.
    Frames,
}

/// One remarkable thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, in nanoseconds of simulated time.
    pub at: Real,
    /// Where; `None` for the world.
    pub node: Option<NodeIndex>,
    /// What.
    pub text: String,
}

/// One thing to draw.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) at: Real,
    pub(crate) node: Option<NodeIndex>,
    pub(crate) what: Marked,
    /// What the node said of itself then.
    pub(crate) why: String,
}

/// What there is to draw.
#[derive(Clone, Debug)]
pub(crate) enum Marked {
    Starts,
    Dies,
    Pauses,
    GoesOn,
    Stops,
    Free,
    Stands(u64),
    Follows(NodeIndex, u64),
    Leads(u64),
    Serves(u64),
    /// A lease of this epoch that runs until then.
    Lease(u64, Real),
    Network(String),
    /// A link changed.
    Link {
        link: Link,
        trouble: Option<Trouble>,
    },
    Message {
        to: NodeIndex,
        kind: &'static str,
        arrives: Option<Real>,
    },
}

/// The record of a run. Two runs with equal hashes went through the same steps with the same bytes.
#[derive(Clone, Debug)]
pub struct Trace {
    hash: u64,
    detail: Detail,
    lines: Vec<Line>,
    marks: Vec<Mark>,
    /// The links in trouble, as marked.
    links: BTreeMap<Link, Trouble>,
}

impl Trace {
    pub(crate) fn new(detail: Detail) -> Self {
        Self { hash: 0, detail, lines: Vec::new(), marks: Vec::new(), links: BTreeMap::new() }
    }

    /// The hash of everything so far.
    pub fn hash(&self) -> u64 {
        mix(self.hash)
    }

    /// The remarkable things so far.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(crate) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    pub(crate) fn mark(&mut self, at: Real, node: Option<NodeIndex>, what: Marked, why: String) {
        // A lease that is extended stays one bar.
        if let Marked::Lease(epoch, end) = what
            && let Some(Mark { what: Marked::Lease(known, known_end), .. }) = self
                .marks
                .iter_mut()
                .rev()
                .find(|mark| mark.node == node && matches!(mark.what, Marked::Lease(..)))
            && *known == epoch
        {
            *known_end = end;
            return;
        }
        self.marks.push(Mark { at, node, what, why });
    }

    /// Marks a link unless it is as it was.
    pub(crate) fn mark_link(&mut self, at: Real, link: Link, trouble: Option<Trouble>) {
        let before = match trouble {
            Some(trouble) => self.links.insert(link, trouble),
            None => self.links.remove(&link),
        };
        if before != trouble {
            self.mark(at, None, Marked::Link { link, trouble }, String::new());
        }
    }

    /// The lines as text, one per line.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let node = line.node.map_or_else(|| "*".to_owned(), |node| node.to_string());
            let seconds = line.at / 1_000_000_000;
            let micros = line.at / 1_000 % 1_000_000;
            // Writing to a string does not fail.
            let _ = writeln!(text, "{seconds:>4}.{micros:06} {node} {}", line.text);
        }
        text
    }

    pub(crate) fn absorb(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    pub(crate) fn absorb_bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.absorb(u64::from_le_bytes(*word));
        }
        for &byte in rest {
            self.absorb(u64::from(byte));
        }
    }

    pub(crate) fn wants(&self, detail: Detail) -> bool {
        self.detail >= detail
    }

    pub(crate) fn note(&mut self, at: Real, node: Option<NodeIndex>, text: impl FnOnce() -> String) {
        if self.wants(Detail::Events) {
            self.lines.push(Line { at, node, text: text() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_depends_on_order_and_content_and_not_on_the_detail() {
        let hash = |words: &[u64], detail| {
            let mut trace = Trace::new(detail);
            for &word in words {
                trace.absorb(word);
            }
            trace.note(1, Some(NodeIndex::new(0)), || "a line".into());
            trace.hash()
        };
        assert_eq!(hash(&[1, 2], Detail::Hash), hash(&[1, 2], Detail::Frames));
        assert_ne!(hash(&[1, 2], Detail::Hash), hash(&[2, 1], Detail::Hash));
    }

    #[test]
    fn lines_name_time_and_place() {
        let mut trace = Trace::new(Detail::Events);
        trace.note(1_002_003_000, Some(NodeIndex::new(2)), || "elected in 7".into());
        trace.note(1_002_003_000, None, || "cut a→b".into());
        assert_eq!(trace.to_text(), "   1.002003 c elected in 7\n   1.002003 * cut a→b\n");
    }
}
