//! What a campaign found, and what it measured.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::history::{History, millis};

/// One or two things that went wrong together.
#[derive(Clone, Debug)]
pub(crate) struct Episode {
    /// In nanoseconds of the campaign.
    pub(crate) began: u64,
    /// When everything was well again.
    pub(crate) well: u64,
    /// What counts, and how it is told.
    pub(crate) faults: Vec<(&'static str, String)>,
}

/// Figures, and what must not happen and did.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) episodes: Vec<Episode>,
    pub(crate) refused: BTreeMap<String, usize>,
    pub(crate) acknowledged: usize,
    pub(crate) written: usize,
    pub(crate) open: usize,
    pub(crate) took: Duration,
    pub(crate) groups: usize,
    pub(crate) bent: usize,
    pub(crate) noticed: usize,
    /// Between two acknowledged operations, and when.
    pub(crate) longest_gap: Gap,
    pub(crate) wrong: Vec<String>,
    /// The longest gap while something of this kind went wrong.
    gaps: BTreeMap<&'static str, u64>,
}

/// A time without an acknowledged operation, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Gap {
    pub(crate) span: u64,
    pub(crate) began: u64,
}

impl Findings {
    /// What the whole history says; the times after the end of the last fault are the audit's.
    pub(crate) fn measure(&mut self, history: &History, until: u64) {
        (self.acknowledged, self.written) = history.acknowledged();
        self.open = history.open();
        self.groups = history.groups().count();
        let returns = history.returns();
        let gaps = returns.windows(2).map(|pair| Gap { span: pair[1] - pair[0], began: pair[0] });
        for gap in gaps.filter(|gap| gap.began < until) {
            self.longest_gap = self.longest_gap.max(gap);
            let ended = gap.began + gap.span;
            for episode in self.episodes.iter().filter(|one| gap.began < one.well && ended > one.began) {
                for (kind, _) in &episode.faults {
                    let longest = self.gaps.entry(kind).or_default();
                    *longest = gap.span.max(*longest);
                }
            }
        }
    }

    /// How often each kind of fault was.
    fn kinds(&self) -> BTreeMap<&'static str, usize> {
        let mut kinds = BTreeMap::new();
        for (kind, _) in self.episodes.iter().flat_map(|episode| &episode.faults) {
            *kinds.entry(*kind).or_default() += 1;
        }
        kinds
    }

    fn faults(&self) -> usize {
        self.episodes.iter().map(|episode| episode.faults.len()).sum()
    }

    /// What went wrong at a time.
    pub(crate) fn at(&self, moment: u64) -> String {
        let during = self.episodes.iter().filter(|one| one.began <= moment && moment < one.well);
        let told = during.flat_map(|episode| episode.faults.iter().map(|(_, told)| told.as_str()));
        let told: Vec<_> = told.collect();
        if told.is_empty() { "in quiet".into() } else { format!("during {}", told.join(" and ")) }
    }

    /// For people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let refused: usize = self.refused.values().sum();
        let mut lines = vec![
            format!(
                "{} operations acknowledged, {} of them writes; {refused} refused, {} left open; {} groups of keys, {} s",
                self.acknowledged,
                self.written,
                self.open,
                self.groups,
                self.took.as_secs()
            ),
            format!(
                "{} faults in {} episodes; longest time without an acknowledged operation:",
                self.faults(),
                self.episodes.len()
            ),
        ];
        for (kind, count) in self.kinds() {
            let gap = self.gaps.get(kind).copied().unwrap_or_default();
            lines.push(format!("  {kind:24} {count:>4} {:>14} ms", millis(gap)));
        }
        lines.push(format!(
            "longest of all {} ms, {}",
            millis(self.longest_gap.span),
            self.at(self.longest_gap.began + self.longest_gap.span / 2)
        ));
        lines.push(format!("planted in this history: {} bends, {} noticed", self.bent, self.noticed));
        let verdict = if self.wrong.is_empty() { "linearizable, nothing lost" } else { "not as promised" };
        lines.push(format!("verdict: {verdict}"));
        lines
    }

    /// For machines.
    pub(crate) fn json(&self, seed: u64) -> Value {
        let kinds: serde_json::Map<_, _> = self
            .kinds()
            .into_iter()
            .map(|(kind, count)| {
                let gap = self.gaps.get(kind).copied().unwrap_or_default();
                (kind.to_owned(), json!({ "count": count, "longest_gap_nanos": gap }))
            })
            .collect();
        json!({
            "seed": seed, "acknowledged": self.acknowledged, "writes": self.written, "refused": self.refused,
            "open": self.open, "groups": self.groups, "seconds": self.took.as_secs(), "faults": kinds,
            "episodes": self.episodes.len(), "longest_gap_nanos": self.longest_gap.span,
            "bent": self.bent, "noticed": self.noticed, "wrong": self.wrong,
        })
    }
}
