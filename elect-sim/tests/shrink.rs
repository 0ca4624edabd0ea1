//! A failing run becomes a short scenario that fails by the same checker.

use std::sync::LazyLock;

use elect_sim::{Checker, Detail, Effort, Options, Run, SECOND, Sabotage, Scenario, Shrunk, shrink};

/// The first seed of a swarm of five that fails by `checker`, shrunk.
fn shrunk(sabotage: Sabotage, checker: Checker) -> (Options, Shrunk) {
    let failing = (0..100)
        .map(|seed| Options { sabotage: Some(sabotage), ..Options::swarm(seed, Some(5), 30 * SECOND) });
    let fails = |options: &Options| {
        let outcome = Run::new(options.clone(), Detail::Hash).outcome();
        outcome.violation.is_some_and(|violation| violation.checker == checker)
    };
    let options = failing.into_iter().find(fails).expect("some seed fails");
    let shrunk = shrink(&options, "a seed", Effort::default(), &mut |_| {}).expect("it failed a moment ago");
    (options, shrunk)
}

/// The one that takes longest, once for all tests.
fn own_copy() -> &'static (Options, Shrunk) {
    static SHRUNK: LazyLock<(Options, Shrunk)> =
        LazyLock::new(|| shrunk(Sabotage::OwnCopyIsEnough, Checker::AcknowledgedPresent));
    &SHRUNK
}

#[test]
fn the_scenario_is_short_and_fails_by_the_same_checker() {
    let table = [
        (Sabotage::OwnCopyIsEnough, Checker::AcknowledgedPresent),
        (Sabotage::ServesAtOnce, Checker::ReadsFresh),
        (Sabotage::NeverOpens, Checker::Serves),
        (Sabotage::Panics, Checker::NoPanic),
    ];
    for (sabotage, checker) in table {
        let shrunk = match sabotage {
            Sabotage::OwnCopyIsEnough => own_copy().1.clone(),
            _ => shrunk(sabotage, checker).1,
        };
        let report = Scenario::parse(&shrunk.scenario).unwrap().play(Detail::Hash);
        let violation = report.world.violation().cloned();
        assert_eq!(violation.as_ref().map(|violation| violation.checker), Some(checker), "{sabotage:?}");
        assert_eq!(violation.as_ref(), Some(&shrunk.violation), "what was promised happens");
        assert!(report.failure.unwrap().contains(checker.name()));
        assert!(shrunk.after.lines <= 12 && shrunk.after.actions <= 4, "{}", shrunk.scenario);
        assert!(shrunk.after.lines < shrunk.before.lines, "{:?}", shrunk.before);
        assert_eq!(shrunk.after.nodes, 3, "{}", shrunk.scenario);
    }
}

#[test]
fn the_same_seed_shrinks_to_the_same_scenario() {
    let (options, first) = own_copy();
    let again = shrink(options, "a seed", Effort::default(), &mut |_| {}).unwrap();
    assert_eq!((&first.scenario, first.plays), (&again.scenario, again.plays));
}

#[test]
fn without_the_bug_the_scenario_holds() {
    let (_, shrunk) = own_copy();
    let mended: String = shrunk
        .scenario
        .lines()
        .filter(|line| !line.starts_with("sabotage"))
        .fold(String::new(), |text, line| text + line + "\n");
    assert_eq!(Scenario::parse(&mended).unwrap().play(Detail::Hash).failure, None);
}

#[test]
fn a_run_that_holds_is_not_shrunk() {
    let options = Options::swarm(1, Some(3), 10 * SECOND);
    assert!(shrink(&options, "1", Effort::default(), &mut |_| {}).is_none());
}

#[test]
fn an_effort_has_an_end() {
    let (options, whole) = own_copy();
    let little = Effort { simulated: whole.before.simulated * 2, ..Effort::default() };
    let cut_short = shrink(options, "a seed", little, &mut |_| {}).unwrap();
    assert!(cut_short.plays < whole.plays, "{} of {}", cut_short.plays, whole.plays);
    assert_eq!(cut_short.violation.checker, Checker::AcknowledgedPresent);
}
