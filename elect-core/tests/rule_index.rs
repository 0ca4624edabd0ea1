//! The rules of PROTOCOL.md, the comments that name them where they are enforced, and the tests that are named after
//! them: three sets that must be equal.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

type Rules = BTreeSet<u32>;

fn crate_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of every Rust file under `directory`.
fn sources(directory: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
    texts
}

/// The numbers that directly follow `mark`, where `mark` begins a word.
fn numbers_after(text: &str, mark: &str) -> Vec<u32> {
    let begins_a_word = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    text.match_indices(mark)
        .filter(|&(at, _)| begins_a_word(at))
        .filter_map(|(at, _)| {
            let digits: String = text[at + mark.len()..].chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .collect()
}

/// `### R12: …`, one heading per rule.
fn documented() -> Vec<u32> {
    let text = fs::read_to_string(crate_file("PROTOCOL.md")).unwrap();
    text.lines().filter(|line| line.starts_with("### R")).flat_map(|line| numbers_after(line, "R")).collect()
}

/// `R12` in a comment.
fn enforced() -> Rules {
    let comments = |text: &String| {
        let comments = text.lines().filter_map(|line| line.split_once("//").map(|(_, comment)| comment));
        comments.flat_map(|comment| numbers_after(comment, "R")).collect::<Vec<_>>()
    };
    sources(&crate_file("src")).iter().flat_map(comments).collect()
}

/// `fn r12_what_it_says`, directly below `#[test]` or within `proptest!`.
fn tested() -> Rules {
    let tests = |text: &String| {
        let names = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
        names.flat_map(|name| numbers_after(name, "r").into_iter().take(1)).collect::<Vec<_>>()
    };
    let mut files = sources(&crate_file("src"));
    files.extend(sources(&crate_file("tests")));
    files.iter().flat_map(tests).collect()
}

fn list(rules: &Rules, without: &Rules) -> Vec<String> {
    rules.difference(without).map(|rule| format!("R{rule}")).collect()
}

#[test]
fn every_rule_has_a_number_a_line_and_a_test() {
    let (in_order, enforced, tested) = (documented(), enforced(), tested());
    let documented: Rules = in_order.iter().copied().collect();
    assert!(documented.len() > 50, "PROTOCOL.md was read: {documented:?}");
    assert_eq!(in_order.len(), documented.len(), "each number has one heading");
    let expected: Vec<u32> = (1..).take(in_order.len()).collect();
    assert_eq!(documented.iter().copied().collect::<Vec<_>>(), expected, "no number is skipped");
    let (code, tests) = (list(&enforced, &documented), list(&tested, &documented));
    assert!(code.is_empty(), "named in a comment, but not in PROTOCOL.md: {code:?}");
    assert!(tests.is_empty(), "tested, but not in PROTOCOL.md: {tests:?}");
    let (no_line, no_test) = (list(&documented, &enforced), list(&documented, &tested));
    assert!(no_line.is_empty(), "in PROTOCOL.md, but at no line of src: {no_line:?}");
    assert!(no_test.is_empty(), "in PROTOCOL.md, but no test is named after: {no_test:?}");
}

#[test]
fn each_rule_says_what_why_where_and_for_which_property() {
    let text = fs::read_to_string(crate_file("PROTOCOL.md")).unwrap();
    for section in text.split("\n### R").skip(1) {
        let section = section.split("\n## ").next().unwrap_or(section);
        let title = section.lines().next().unwrap_or_default();
        for part in ["Without it", "Where:", "Serves:"] {
            assert!(section.contains(part), "R{title} does not say: {part}");
        }
        let (_, place) = section.split_once("Where:").unwrap();
        let files = place.lines().next().unwrap().split('`').skip(1).step_by(2);
        for file in files {
            let path = crate_file("src").join(file);
            let rule: u32 = numbers_after(&format!("R{title}"), "R")[0];
            let named = numbers_after(&fs::read_to_string(&path).unwrap(), "R");
            assert!(named.contains(&rule), "{file} does not name R{rule}");
        }
    }
}

#[test]
fn numbers_are_found_where_a_word_begins() {
    assert_eq!(numbers_after("R7, (R12) and AR9 R x R3a", "R"), [7, 12, 3]);
    assert_eq!(numbers_after("r07_says()", "r"), [7]);
}
