//! What the command says to input that it cannot use.

use std::process::Command;

#[track_caller]
fn refused(arguments: &[&str], words: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_elect-sim"))
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("the command runs");
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    assert!(words.iter().all(|word| text.contains(word)), "{arguments:?}: {text}");
}

#[test]
fn bad_input_is_named_with_what_is_allowed() {
    refused(&["run", "--nodes", "8"], &["8", "--nodes", "3..=7"]);
    refused(&["run", "--seeds", "0"], &["--seeds", "0"]);
    refused(&["run", "--jobs", "0"], &["--jobs", "1 to 1024"]);
    refused(&["topologies", "--jobs", "0"], &["--jobs", "1 to 1024"]);
    refused(&["run", "--hashes", "no-such/hashes.txt"], &["no-such/hashes.txt"]);
    refused(&["run", "--sabotage", "nothing"], &["nothing", "no-fence"]);
    refused(&["replay", "first"], &["first", "SEED"]);
    refused(&["scenario", "no-such"], &["no-such", "scenario --list"]);
    refused(&["scenario", "Cargo.toml"], &["Cargo.toml", "line 1"]);
    refused(&["timeline", "no-such", "-o", "never-written.svg"], &["no-such", "scenario --list"]);
    refused(&["timeline", "paused-primary", "-o", "no-such/run.svg"], &["no-such/run.svg"]);
    refused(&["topologies", "--nodes", "3", "--set", "64"], &["--set 64", "0 to 63"]);
    refused(&["topologies", "--nodes", "3", "--set", "0", "--leader", "3"], &["--leader 3", "0 to 2"]);
    refused(&["topologies", "--nodes", "3", "--set", "0", "--flip", "6"], &["--flip 6", "0 to 5"]);
    refused(&["mutants", "--dry-run", "no-such"], &["no-such"]);
    refused(&["mutants", "-o", "no-such/table.md"], &["no-such/table.md"]);
    refused(&["shrink", "1", "--hours", "0"], &["--hours", "1..=1000000"]);
    refused(&["shrink", "1", "-o", "no-such/failing.txt"], &["no-such/failing.txt"]);
    refused(&["shrink", "1", "--seconds", "3"], &["seed 1 holds"]);
}

#[test]
fn nothing_is_left_behind_where_nothing_came_of_it() {
    let output = std::env::temp_dir().join(format!("elect-sim-{}.txt", std::process::id()));
    let named = output.to_str().expect("a plain path");
    refused(&["shrink", "1", "--seconds", "3", "-o", named], &["seed 1 holds"]);
    assert!(!output.exists());
}

#[test]
fn a_scenario_reports_as_json() {
    let output = Command::new(env!("CARGO_BIN_EXE_elect-sim"))
        .args(["scenario", "paused-primary", "--json"])
        .output()
        .expect("the command runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report, serde_json::json!({ "scenarios": 1, "failed": [] }));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn hashes_of_traces_are_the_same_whichever_thread_was_first() {
    let hashes = |jobs: &str| {
        let path = std::env::temp_dir().join(format!("elect-sim-hashes-{}-{jobs}.txt", std::process::id()));
        let named = path.to_str().expect("a plain path");
        let status = Command::new(env!("CARGO_BIN_EXE_elect-sim"))
            .args(["run", "--seeds", "6", "--seed", "7", "--seconds", "3", "--jobs", jobs, "--hashes", named])
            .output()
            .expect("the command runs")
            .status;
        assert_eq!(status.code(), Some(0));
        let text = std::fs::read_to_string(&path).expect("a file was written");
        std::fs::remove_file(&path).expect("it was there");
        text
    };
    let text = hashes("1");
    let seeds: Vec<_> = text.lines().map(|line| line.split_once(' ').expect("two words")).collect();
    assert_eq!(seeds.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), ["7", "8", "9", "10", "11", "12"]);
    assert!(seeds.iter().all(|(_, hash)| hash.len() == 16));
    assert_eq!(text, hashes("3"));
}
