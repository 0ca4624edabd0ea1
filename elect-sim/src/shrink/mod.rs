//! Shrinking: from a run that fails to a short scenario that fails by the same checker.
//!
//! A run is its options and the list of what was done to it. Both are made smaller, one change at a time, and a change
//! stays if the same checker still fails. What chance does between two actions is drawn from the seed, and the least
//! change lets it fall otherwise: so a change is tried with a few more seeds before it is given up.

mod passes;
mod plan;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::campaign::Run;
use crate::checkers::{Checker, Violation};
use crate::clock::{Real, SECOND};
use crate::fault::Fault;
use crate::options::Options;
use crate::scenario::Scenario;
use crate::trace::Detail;
use plan::Plan;

/// How long a run goes on after the moment at which it should fail: after a change it may fail later.
const SLACK: Real = 2 * SECOND;

/// How much work a shrinking may be.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Simulated time, in all runs together.
    pub simulated: Real,
    /// With how many other seeds a change is tried.
    pub seeds: u64,
}

impl Default for Effort {
    /// A few minutes of one processor at the most, mostly seconds.
    fn default() -> Self {
        Self { simulated: 1_000_000 * SECOND, seeds: 20 }
    }
}

/// How large a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Size {
    /// Members of the group.
    pub nodes: usize,
    /// Actions: things that are done to it.
    pub actions: usize,
    /// Lines of its scenario, without comments.
    pub lines: usize,
    /// Simulated nanoseconds until it fails.
    pub simulated: Real,
}

/// How far a shrinking has come.
#[derive(Clone, Copy, Debug)]
pub struct Shrinking {
    /// What is being tried.
    pub stage: &'static str,
    /// The smallest run so far.
    pub size: Size,
    /// Runs so far.
    pub plays: u64,
    /// Simulated time in all runs together, and how much of it there may be.
    pub simulated: Real,
    /// The most of it.
    pub simulated_max: Real,
}

/// A run that failed, as a scenario.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Shrunk {
    /// The text of the scenario.
    pub scenario: String,
    /// What does not hold in it.
    pub violation: Violation,
    /// How large the run was.
    pub before: Size,
    /// How large the scenario is.
    pub after: Size,
    /// How many runs it took.
    pub plays: u64,
}

/// Shrinks the run of `options`; `None` if everything holds in it. `typed` is how a person runs it, for the comment
/// at the head of the scenario. The same arguments lead to the same scenario.
pub fn shrink(
    options: &Options,
    typed: &str,
    effort: Effort,
    show: &mut dyn FnMut(&Shrinking),
) -> Option<Shrunk> {
    let run = Run::new(options.clone(), Detail::Hash);
    let violation = run.world.violation()?;
    // Where there is peace from the first boot on, everything belongs to what is demanded.
    let is_peaceful = options.safety == 0 && !options.wild_clocks;
    let is_calm = is_peaceful || run.world.calm_since().is_some();
    let plan = Plan {
        options: Options { faults: Vec::<Fault>::new(), ..options.clone() },
        actions: run.world.actions().to_vec(),
        end: if is_peaceful { 0 } else { run.world.calm_since().unwrap_or(violation.at + 1) },
        calm: is_calm.then_some(options.liveness),
    };
    let mut shrinker = Shrinker {
        checker: violation.checker,
        failed_at: violation.at,
        best: plan,
        plays: 0,
        simulated: 0,
        effort,
        stage: "as it was",
        show,
    };
    let before = shrinker.size();
    // The list of what was done leads to the same run.
    let whole = shrinker.best.clone();
    if !shrinker.holds_on(whole, 0) {
        return None;
    }
    shrinker.shrink();
    shrinker.finish(typed, before)
}

struct Shrinker<'a> {
    checker: Checker,
    /// The smallest plan that fails, and when it does.
    best: Plan,
    failed_at: Real,
    plays: u64,
    simulated: Real,
    effort: Effort,
    stage: &'static str,
    show: &'a mut dyn FnMut(&Shrinking),
}

impl Shrinker<'_> {
    fn size(&self) -> Size {
        Size {
            nodes: self.best.options.kinds.len(),
            actions: self.best.actions.len(),
            lines: self.best.text().lines().count(),
            simulated: self.failed_at,
        }
    }

    /// Whether `candidate` fails too, by its seed or by one of `seeds` others: then it is the best so far.
    fn holds_on(&mut self, mut candidate: Plan, seeds: u64) -> bool {
        let own = candidate.options.seed;
        if candidate.calm.is_none() {
            candidate.end += SLACK;
        }
        for seed in std::iter::once(own).chain((1..=seeds).filter(|&seed| seed != own)) {
            if self.simulated >= self.effort.simulated {
                return false;
            }
            candidate.options.seed = seed;
            let Some((violation, is_calm)) = self.play(&candidate) else { continue };
            if violation.checker != self.checker {
                continue;
            }
            if !is_calm {
                candidate.end = violation.at + 1;
                candidate.actions.retain(|&(at, _)| at <= violation.at);
                candidate.calm = None;
            }
            self.failed_at = violation.at;
            self.best = candidate;
            return true;
        }
        false
    }

    /// What does not hold, and whether it was calm by then.
    fn play(&mut self, plan: &Plan) -> Option<(Violation, bool)> {
        self.plays += 1;
        let shrinking = Shrinking {
            stage: self.stage,
            size: self.size(),
            plays: self.plays,
            simulated: self.simulated,
            simulated_max: self.effort.simulated,
        };
        (self.show)(&shrinking);
        let scenario = Scenario::parse(&plan.text()).expect("a plan is a scenario");
        // What makes no valid configuration does not even begin.
        let report = catch_unwind(AssertUnwindSafe(|| scenario.play(Detail::Hash))).ok()?;
        self.simulated += report.world.now();
        report.world.violation().map(|violation| (violation.clone(), report.world.calm_since().is_some()))
    }

    fn finish(mut self, typed: &str, before: Size) -> Option<Shrunk> {
        let plan = self.best.clone();
        let (violation, _) = self.play(&plan)?;
        let words = violation.to_string();
        let head = format!(
            "# Shrunk from `elect-sim replay {typed}`, which fails likewise:\n# {}\n",
            words.lines().next().unwrap_or_default().chars().take(160).collect::<String>()
        );
        let after = self.size();
        Some(Shrunk { scenario: head + &plan.text(), violation, before, after, plays: self.plays })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_what_was_done_leads_to_the_same_run() {
        for seed in 0..40 {
            let draw = if seed % 5 == 0 { Options::wild } else { Options::swarm };
            let options = draw(seed, None, 30 * SECOND);
            let run = Run::new(options.clone(), Detail::Hash);
            let plan = Plan {
                actions: run.world.actions().to_vec(),
                end: options.safety,
                calm: (!options.wild_clocks).then_some(options.liveness),
                options,
            };
            let scenario = Scenario::parse(&plan.text()).unwrap();
            let played = scenario.play(Detail::Hash).world;
            assert_eq!(played.trace().hash(), run.world.trace().hash(), "seed {seed}");
            assert_eq!(played.counts().acknowledged, run.world.counts().acknowledged, "seed {seed}");
        }
    }
}
