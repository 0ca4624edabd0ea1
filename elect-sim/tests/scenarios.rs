//! Every story of the repository holds, and its trace is the one that was looked at.
//!
//! After a change that is meant to change traces: `ELECT_SIM_BLESS=1 cargo test -p elect-sim --test scenarios`, then
//! read the difference.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use elect_sim::{Detail, SCENARIOS, Scenario};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

#[test]
fn every_file_is_listed_and_says_what_it_is_about() {
    let listed: BTreeSet<_> = SCENARIOS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let files = fs::read_dir(folder()).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        let is_text = path.extension().is_some_and(|extension| extension == "txt");
        is_text.then(|| path.file_stem().unwrap().to_str().unwrap().to_owned())
    });
    assert_eq!(files.collect::<BTreeSet<_>>(), listed);
    assert!(SCENARIOS.len() >= 60, "{} scenarios", SCENARIOS.len());
    for (name, text) in SCENARIOS {
        assert!(
            Scenario::parse(text).unwrap().about.len() > 40,
            "{name} should say what used to go wrong, and where"
        );
    }
}

#[test]
fn every_scenario_holds_with_its_golden_trace() {
    let bless = std::env::var_os("ELECT_SIM_BLESS").is_some();
    let mut failures = Vec::new();
    for (name, text) in SCENARIOS {
        let report = Scenario::parse(text).unwrap().play(Detail::Events);
        if let Some(failure) = report.failure {
            failures.push(format!("{name}: {failure}"));
            continue;
        }
        let trace = report.world.trace().to_text();
        let path = folder().join("golden").join(format!("{name}.trace"));
        if bless {
            fs::create_dir_all(folder().join("golden")).unwrap();
            fs::write(&path, trace).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != trace {
            failures.push(format!("{name}: another trace than {}", path.display()));
        }
    }
    assert!(failures.is_empty(), "{}\n(see the head of this file)", failures.join("\n"));
}

/// The limit of R60, as PROTOCOL.md says it: the only node that knows better is cut off when the old copy starts.
#[test]
fn what_no_present_peer_knows_better_passes_for_a_restart() {
    let schedule = "# a copy is put back\nuntil office a within 1s\nback-up a\nisolate b\nwait 300ms\nhandover a to c\n\
         until office c within 2s\ncrash a\nrestore a\nheal\nisolate c\nwait 600ms\nstart a\nuntil leader within 5s\nwait 1s\n";
    let played = |text: &str| Scenario::parse(text).unwrap().play(Detail::Hash).failure;
    let failure = played(schedule).expect("a vote was given twice");
    assert!(failure.contains("one-accept-per-epoch"), "{failure}");
    let somebody_knows = schedule.replace("isolate c\nwait 600ms\n", "isolate b\nwait 600ms\n");
    let stopped = somebody_knows.replace("until leader within 5s", "until stopped a within 2s");
    assert_eq!(played(&stopped), None);
}

#[test]
fn an_expectation_that_does_not_hold_fails_with_its_line() {
    let scenario = Scenario::parse("# a story\nuntil leader within 1s\nexpect nobody\n").unwrap();
    let failure = scenario.play(Detail::Hash).failure.unwrap();
    assert!(failure.starts_with("line 3: expected Nobody; Some((0"), "{failure}");
    let scenario = Scenario::parse("# a story\nuntil leader b within 1s\n").unwrap();
    let failure = scenario.play(Detail::Hash).failure.unwrap();
    assert!(failure.starts_with("line 2: Leads(Some(Node(1))) did not come within 1s"), "{failure}");
}

#[test]
fn a_story_fails_with_its_own_bug_planted() {
    let (_, text) = SCENARIOS.iter().find(|(name, _)| *name == "mixed-position").unwrap();
    let planted = text.replacen("voters 5", "voters 5\nsabotage mixed-position", 1);
    let failure = Scenario::parse(&planted).unwrap().play(Detail::Hash).failure.unwrap();
    assert!(failure.contains("claims-durable"), "{failure}");
}

#[test]
fn a_step_that_cannot_be_done_fails_with_its_line() {
    let table = [
        ("wait 1ms\ncopy-disk a>b", "line 2: a disk is copied to a machine where nothing runs"),
        ("twin c\ncopy-disk d>a", "line 2: there is nothing on that disk"),
        ("twin c\nwait 1ms\ncopy-disk a>e", "line 3: there is no node e"),
        ("wait 1ms\nrestore a", "line 2: only the disk of a dead node is restored"),
        ("restore a", "line 1: there is no backup"),
    ];
    for (text, why) in table {
        let failure = Scenario::parse(text).unwrap().play(Detail::Hash).failure;
        assert_eq!(failure.as_deref(), Some(why));
    }
}
