//! How it came to a violation: a path of actions, without those that it does not need.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::action::Action;
use super::bounds::Model;
use super::world::{Next, World};
use crate::checkers::{Checker, Violation};

/// A violation and what led to it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Counterexample {
    /// What did not hold.
    pub violation: Violation,
    /// What happened before, one event a line.
    pub path: Vec<String>,
}

/// Leaves out whatever the same checker fails without.
pub(super) fn shrink(model: &Model, actions: &[Action], violation: Violation) -> Counterexample {
    let checker = violation.checker;
    let mut actions = actions.to_vec();
    let mut part = actions.len().div_ceil(2);
    while part > 0 {
        let before = actions.len();
        let mut from = 0;
        while from < actions.len() {
            let to = (from + part).min(actions.len());
            let rest: Vec<_> = actions[..from].iter().chain(&actions[to..]).copied().collect();
            match replay(model, &rest) {
                Some((length, found)) if found.checker == checker => {
                    actions = rest;
                    actions.truncate(length);
                }
                _ => from = to,
            }
        }
        // The same size again as long as that helps.
        if actions.len() == before {
            part /= 2;
        }
    }
    tell(model, &actions, violation)
}

/// Takes the actions that are possible; how many were used up to a violation, and which.
fn replay(model: &Model, actions: &[Action]) -> Option<(usize, Violation)> {
    let mut world = World::first(model);
    for (index, &action) in actions.iter().enumerate() {
        if !world.allows(action, world.turn(model), model) {
            continue;
        }
        match step(&world, action, model) {
            Next::World(next) => world = next,
            Next::Beyond => return None,
            Next::Violated(violation) => return Some((index + 1, violation)),
        }
    }
    None
}

fn tell(model: &Model, actions: &[Action], found: Violation) -> Counterexample {
    let mut world = World::first(model);
    let mut path = Vec::new();
    for &action in actions {
        if !world.allows(action, world.turn(model), model) {
            continue;
        }
        path.push(world.tell(action, model));
        match step(&world, action, model) {
            Next::World(next) => world = next,
            Next::Beyond => break,
            Next::Violated(violation) => return Counterexample { violation, path },
        }
    }
    Counterexample { violation: found, path }
}

/// What comes of an action; a panic is a violation too.
pub(super) fn step(world: &World, action: Action, model: &Model) -> Next {
    catch_unwind(AssertUnwindSafe(|| world.next(action, model))).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
        Next::Violated(world.violation(Checker::NoPanic, world.place_of(action, model), words.to_owned()))
    })
}
