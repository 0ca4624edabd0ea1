//! Depth first through every state of a model.

use std::time::{Duration, Instant};

use super::action::Action;
use super::bounds::{Bounds, Model};
use super::coverage::Coverage;
use super::fingerprint::Fingerprint;
use super::path::{self, Counterexample, step};
use super::visited::Visited;
use super::world::{Next, Turn, World};
use crate::checkers::Violation;

/// How far an exploration has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Explored {
    /// Different states.
    pub states: u64,
    /// Steps tried: from one state to another or the same.
    pub steps: u64,
    /// Steps that led beyond the highest epoch.
    pub beyond: u64,
    /// The longest path without a state twice.
    pub depth: usize,
    /// States on the present path: some of their steps may be untried. Zero when everything is.
    pub frontier: usize,
    /// Seconds.
    pub seconds: f64,
    /// What was seen.
    pub coverage: Coverage,
}

/// What came of an exploration.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Verdict {
    /// How far it came.
    pub explored: Explored,
    /// Whether every state within the bounds was seen.
    pub complete: bool,
    /// What did not hold, and how it came to that.
    pub counterexample: Option<Counterexample>,
}

/// A state on the present path, and the first of its actions that was not tried.
struct Level {
    world: World,
    turn: Option<Turn>,
    untried: usize,
}

/// Explores every state within `bounds`, at most `states_max`. `show` is called now and then.
pub fn explore(bounds: Bounds, states_max: u64, mut show: impl FnMut(&Explored)) -> Verdict {
    let model = Model::new(bounds);
    let mut search = Search::new(&model);
    let complete = search.run(states_max, &mut show);
    let counterexample = search.violation.take().map(|violation| {
        let actions: Vec<_> = search.stack.iter().map(|level| Action::ALL[level.untried - 1]).collect();
        path::shrink(&model, &actions, violation)
    });
    Verdict { explored: search.explored(), complete, counterexample }
}

struct Search<'a> {
    model: &'a Model,
    stack: Vec<Level>,
    visited: Visited,
    fingerprint: Fingerprint,
    explored: Explored,
    violation: Option<Violation>,
    began: Instant,
}

impl<'a> Search<'a> {
    fn new(model: &'a Model) -> Self {
        let mut search = Self {
            model,
            stack: Vec::new(),
            visited: Visited::new(),
            fingerprint: Fingerprint::new(model),
            explored: Explored::default(),
            violation: None,
            began: Instant::now(),
        };
        search.arrive(World::first(model));
        search
    }

    fn run(&mut self, states_max: u64, show: &mut impl FnMut(&Explored)) -> bool {
        while let Some(level) = self.stack.last_mut() {
            let number = level.untried;
            if number == Action::COUNT {
                self.stack.pop();
                continue;
            }
            level.untried += 1;
            let action = Action::ALL[number];
            if !level.world.allows(action, level.turn, self.model) {
                continue;
            }
            self.explored.steps += 1;
            self.explored.coverage.note_step(&level.world, action, level.turn);
            match step(&level.world, action, self.model) {
                Next::World(world) => self.arrive(world),
                Next::Beyond => self.explored.beyond += 1,
                Next::Violated(violation) => {
                    self.violation = Some(violation);
                    return false;
                }
            }
            if self.explored.steps.is_multiple_of(1 << 14) {
                show(&self.explored());
                if self.visited.len() as u64 >= states_max {
                    return false;
                }
            }
        }
        true
    }

    fn arrive(&mut self, world: World) {
        let fingerprint = world.fingerprint(&mut self.fingerprint, self.model);
        if self.visited.insert(fingerprint) {
            self.explored.coverage.note_state(&world, self.model);
            let turn = world.turn(self.model);
            self.stack.push(Level { world, turn, untried: 0 });
            self.explored.depth = self.explored.depth.max(self.stack.len());
        }
    }

    fn explored(&self) -> Explored {
        let states = self.visited.len() as u64;
        let seconds = self.began.elapsed().max(Duration::from_nanos(1)).as_secs_f64();
        Explored { states, frontier: self.stack.len(), seconds, ..self.explored }
    }
}
