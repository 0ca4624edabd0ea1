//! `ARCHITECTURE.md` names files, folders and types: each must exist, or the page is out of date.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in a workspace").to_path_buf()
}

/// What stands between backticks, code blocks aside.
fn quoted(page: &str) -> Vec<String> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

fn is_path(text: &str) -> bool {
    text.contains('/') || Path::new(text).extension().is_some()
}

fn is_type(text: &str) -> bool {
    text.starts_with(char::is_uppercase)
        && text.chars().any(char::is_lowercase)
        && text.chars().all(char::is_alphanumeric)
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Every type that some crate of the workspace defines.
fn types() -> BTreeSet<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root()).expect("the workspace") {
        let folder = entry.expect("an entry").path().join("src");
        if folder.is_dir() {
            sources(&folder, &mut files);
        }
    }
    let mut types = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).expect("a source file");
        let words: Vec<_> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        for pair in words.windows(2) {
            if ["struct", "enum", "trait", "type"].contains(&pair[0]) {
                types.insert(pair[1].to_owned());
            }
        }
    }
    types
}

#[test]
fn every_path_and_type_of_the_architecture_exists() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let (quoted, types) = (quoted(&page), types());
    let (mut paths, mut names) = (0, 0);
    for text in &quoted {
        if is_path(text) {
            paths += 1;
            assert!(root().join(text).exists(), "ARCHITECTURE.md names `{text}`, which does not exist");
        } else if is_type(text) {
            names += 1;
            assert!(types.contains(text), "ARCHITECTURE.md names `{text}`, which no crate defines");
        }
    }
    assert!(paths >= 20 && names >= 20, "only {paths} paths and {names} types were found to check");
}
