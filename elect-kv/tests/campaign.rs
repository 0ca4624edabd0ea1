//! Acknowledged operations under faults, judged for linearizability: the CI-sized form of `examples/campaign`.
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "the command tells more of it")]
#[path = "../examples/campaign/mod.rs"]
mod campaign;

use campaign::faults::Spans;
use campaign::run::{Plan, run};

#[test]
fn nothing_acknowledged_is_lost_and_every_history_is_linearizable() {
    let directory = tempfile::tempdir().unwrap();
    let plan = Plan {
        program: env!("CARGO_BIN_EXE_elect-kv").into(),
        directory: directory.path().into(),
        operations: 2_000,
        seed: 1,
        spans: Spans { least_ms: 100, most_ms: 800 },
        quiet_ms: 400,
        duty: 50,
        acknowledge: "quorum".into(),
    };
    let mut told = Vec::new();
    let findings = run(&plan, &mut |line| told.push(line.to_owned())).unwrap();
    if !findings.wrong.is_empty() {
        let kept = directory.keep();
        panic!("seed {}, files in {}: {}\n{told:#?}", plan.seed, kept.display(), findings.wrong.join("\n"));
    }
    assert!(findings.acknowledged >= plan.operations && findings.bent > 0, "{findings:#?}");
}
