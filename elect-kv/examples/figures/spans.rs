//! How long things took.

use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub(crate) struct Spans(Vec<Duration>);

impl Spans {
    pub(crate) const fn empty() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn note(&mut self, span: Duration) {
        self.0.push(span);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    /// The span that this part of them does not exceed, in milliseconds: `at(0.99)` is p99.
    pub(crate) fn millis(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let index = rank(sorted.len(), part);
        sorted.get(index).map_or(f64::NAN, |span| span.as_secs_f64() * 1_000.0)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "counts and parts of them"
)]
fn rank(count: usize, part: f64) -> usize {
    ((count as f64 * part).ceil() as usize).clamp(1, count.max(1)) - 1
}

/// The one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
