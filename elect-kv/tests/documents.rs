//! docs/OPERATIONS.md names commands that there are, and quotes what elect says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn operations() -> String {
    fs::read_to_string(root().join("docs/OPERATIONS.md")).unwrap()
}

#[test]
fn commands_of_the_operations_manual_exist() {
    let text = operations();
    let is_command = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && word.len() > 3;
    let first_words = text.split("elect-kv ").skip(1).filter_map(|rest| rest.split([' ', '\n', '`']).next());
    let named: BTreeSet<_> = first_words.filter(is_command).collect();
    let help = Command::new(env!("CARGO_BIN_EXE_elect-kv")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let known: Vec<_> = help.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let meant = [
        "adopt",
        "check-config",
        "example-config",
        "handover",
        "init",
        "pause",
        "replace-lost",
        "resume",
        "status",
    ];
    for command in meant {
        assert!(named.contains(command), "{command} is not told of: {named:?}");
        assert!(known.contains(&command), "{command} is none: {help}");
    }
}

/// All that the crates and the system can say, without the breaks of long literals.
fn said() -> String {
    fn read(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                read(&entry.path(), text);
            } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
                *text += &fs::read_to_string(entry.path()).unwrap();
            }
        }
    }
    let mut text = String::new();
    for folder in ["elect-core/src", "elect-tcp/src", "elect-kv/src"] {
        read(&root().join(folder), &mut text);
    }
    let lines = text.split("\\\n").map(str::trim_start).collect::<String>();
    lines.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn messages_of_the_operations_manual_are_said() {
    let (text, said) = (operations(), said());
    let (_, symptoms) = text.split_once("## From the symptom").unwrap();
    let of_the_system = ["Address already in use", "Connection refused", "connection timed out"];
    let cells = symptoms.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let quoted = cells.flat_map(|cell| cell.split('`').step_by(2));
    let fragments = quoted
        .flat_map(|text| text.split(" … "))
        .map(|text| text.replace("replication to b", "replication to "));
    let mut count = 0;
    for fragment in fragments.filter(|text| !text.is_empty()) {
        count += 1;
        assert!(
            of_the_system.contains(&fragment.as_str()) || said.contains(fragment.trim()),
            "nobody says: {fragment}"
        );
    }
    assert!(count > 40, "{count}");
}
