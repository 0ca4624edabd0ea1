//! What came of a campaign: counts, and the worst that was seen of each part of liveness.

use std::collections::BTreeMap;

use elect_sim::{Counts, Liveness, Measured, Outcome};

/// What came of a campaign.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Summary {
    pub(crate) seeds: u64,
    pub(crate) failed: Vec<Outcome>,
    /// Simulated seconds per second of this machine, all threads together.
    pub(crate) times_real_time: f64,
    pub(crate) seconds: f64,
    /// How many threads worked.
    pub(crate) jobs: usize,
    counts: Counts,
    liveness: Vec<Line>,
    #[serde(skip)]
    measured: BTreeMap<Liveness, Vec<(Measured, u64)>>,
}

/// The measurements of one kind: in its unit, each in that of its own group.
#[derive(Debug, serde::Serialize)]
struct Line {
    property: &'static str,
    what: &'static str,
    unit: &'static str,
    measured: usize,
    median: f64,
    p99: f64,
    /// How many were above zero.
    above_zero: usize,
    /// The one that came closest to its bound, that bound if there is one, and the seed that showed it.
    worst: f64,
    bound: Option<f64>,
    seed: u64,
}

impl Line {
    fn of(what: Liveness, mut all: Vec<(Measured, u64)>) -> Option<Self> {
        all.sort_by(|(one, _), (other, _)| in_units(one.seen, one).total_cmp(&in_units(other.seen, other)));
        let at = |percent: usize| all.get((all.len().checked_sub(1)?) * percent / 100);
        let share = |measured: &Measured| {
            in_units(measured.seen, measured) / in_units(measured.bound.max(1), measured)
        };
        let (worst, seed) = all.iter().max_by(|(one, _), (other, _)| share(one).total_cmp(&share(other)))?;
        let (property, words) = what.describe();
        Some(Self {
            property,
            what: words,
            unit: what.unit().name(),
            measured: all.len(),
            median: at(50).map(|(one, _)| in_units(one.seen, one))?,
            p99: at(99).map(|(one, _)| in_units(one.seen, one))?,
            worst: in_units(worst.seen, worst),
            above_zero: all.iter().filter(|(one, _)| one.seen > 0).count(),
            bound: (worst.bound < u64::MAX).then(|| in_units(worst.bound, worst)),
            seed: *seed,
        })
    }

    fn print(&self) {
        let Self { property, what, unit, measured, above_zero, median, p99, worst, bound, seed } = self;
        let bound = bound.map_or("—".into(), |bound| format!("{bound:.2}"));
        println!(
            "  {property:<3}{what:<53}{worst:>8.2} {bound:>7} {median:>8.2} {p99:>8.2}  {unit:<19} {above_zero:>8} of {measured:<8} {seed:>8}"
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn in_units(value: u64, measured: &Measured) -> f64 {
    value as f64 / measured.one as f64
}

impl Summary {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.counts.add(&outcome.counts);
        for &measured in &outcome.measured {
            self.measured.entry(measured.what).or_default().push((measured, outcome.seed));
        }
        if outcome.violation.is_some() {
            self.failed.push(outcome);
        }
    }

    /// Sorts what was collected.
    pub(crate) fn finish(&mut self) {
        self.failed.sort_by_key(|outcome| outcome.seed);
        let measured = std::mem::take(&mut self.measured);
        self.liveness = measured.into_iter().filter_map(|(what, all)| Line::of(what, all)).collect();
    }

    pub(crate) fn print(&self) {
        let Counts {
            elections,
            behind,
            losses,
            raises,
            rebuilt,
            noticed,
            set_back,
            set_back_noticed,
            twins,
            twins_noticed,
            acknowledged,
            reads,
            faults,
            ..
        } = self.counts;
        println!(
            "{} seeds in {:.1} s, {:.0} × real time on {} threads",
            self.seeds, self.seconds, self.times_real_time, self.jobs
        );
        println!(
            "  {elections} elections ({behind} by a node that was behind), {losses} step-downs, {raises} epochs raised"
        );
        println!(
            "  {rebuilt} replaced disks earned their vote back, {noticed} second first boots were noticed"
        );
        println!(
            "  {set_back} disks set back to a copy, {set_back_noticed} of them noticed; {twins} twins, {twins_noticed} of them noticed"
        );
        println!("  {acknowledged} writes acknowledged, {reads} reads, {faults} faults");
        if self.liveness.is_empty() {
            return;
        }
        println!(
            "  {:<56}{:>8} {:>7} {:>8} {:>8}  {:<19} {:>8} {:<11} {:>8}",
            "liveness once the faults are over",
            "worst",
            "bound",
            "median",
            "p99",
            "in",
            "above 0",
            "of all",
            "seed"
        );
        self.liveness.iter().for_each(Line::print);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_what_came_closest_to_its_own_bound() {
        let measured = |seen, bound, one| Measured { what: Liveness::Settles, seen, bound, one };
        let all = vec![(measured(30, 40, 10), 1), (measured(35, 80, 10), 2), (measured(5, 40, 10), 3)];
        let worst = Line::of(Liveness::Settles, all).unwrap();
        assert_eq!((worst.seed, worst.measured), (1, 3));
        assert_eq!((worst.worst, worst.bound, worst.median), (3.0, Some(4.0), 3.0));
    }
}
