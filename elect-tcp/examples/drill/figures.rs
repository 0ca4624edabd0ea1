//! What many runs took.

use serde::Serialize;
use serde_json::{Value, json};

/// Spans of one kind, in nanoseconds.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Figures(Vec<u64>);

impl Figures {
    pub(crate) fn note(&mut self, nanos: u64) {
        let at = self.0.partition_point(|other| *other < nanos);
        self.0.insert(at, nanos);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The span that so many in ten thousand do not exceed.
    pub(crate) fn at(&self, per_10_000: usize) -> u64 {
        let rank = (self.0.len() * per_10_000).div_ceil(10_000).max(1) - 1;
        self.0.get(rank.min(self.0.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    pub(crate) fn max(&self) -> u64 {
        self.at(10_000)
    }

    /// One line for a person.
    pub(crate) fn line(&self) -> String {
        let ms = |per_10_000| millis(self.at(per_10_000));
        format!(
            "median {:>8}  p95 {:>8}  p99 {:>8}  p99.9 {:>8}  max {:>8}  ({} runs)",
            ms(5_000),
            ms(9_500),
            ms(9_900),
            ms(9_990),
            ms(10_000),
            self.count()
        )
    }

    /// The same for machines, in nanoseconds.
    pub(crate) fn json(&self) -> Value {
        json!({
            "runs": self.count(), "median": self.at(5_000), "p95": self.at(9_500), "p99": self.at(9_900),
            "p99.9": self.at(9_990), "max": self.max(),
        })
    }
}

/// With two digits after the point.
pub(crate) fn millis(nanos: u64) -> String {
    format!("{}.{:02} ms", nanos / 1_000_000, nanos % 1_000_000 / 10_000)
}

/// The load of this machine in the last minute: no figure means anything without it.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
