//! The rules of PROTOCOL.md, the comments that name them where they are enforced, and the tests that are named after
//! them: three sets that must be equal. What the simulator says of rules and properties is looked at too.

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

/// Numbers that were given to rules which are not written down yet.
const ON_THEIR_WAY: [u32; 0] = [];

#[test]
fn every_rule_has_a_number_a_line_and_a_test() {
    let (in_order, enforced, tested) = (documented(), enforced(), tested());
    let documented: Rules = in_order.iter().copied().collect();
    assert!(documented.len() > 50, "PROTOCOL.md was read: {documented:?}");
    assert_eq!(in_order.len(), documented.len(), "each number has one heading");
    let last = documented.last().copied().unwrap_or_default();
    let is_missing = |rule: &u32| !documented.contains(rule) && !ON_THEIR_WAY.contains(rule);
    let missing: Vec<u32> = (1..=last).filter(is_missing).collect();
    assert_eq!(missing, [], "no number is skipped");
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

/// A planted bug of the simulator: its name, the rule or property that it breaks, and the files that it changes.
struct Planted {
    name: String,
    breaks: String,
    files: Vec<String>,
}

fn planted() -> Vec<Planted> {
    let text = fs::read_to_string(crate_file("../elect-sim/mutants/list.txt")).unwrap();
    let mut all: Vec<Planted> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("mutant ") {
            all.push(Planted { name: name.to_owned(), breaks: String::new(), files: Vec::new() });
        } else if let (Some(rule), Some(planted)) = (line.strip_prefix("rule "), all.last_mut()) {
            let (breaks, _) = rule.split_once(": ").unwrap_or_else(|| panic!("{}: {rule}", planted.name));
            planted.breaks = breaks.to_owned();
        } else if let (Some(file), Some(planted)) = (line.strip_prefix("file "), all.last_mut()) {
            planted.files.push(file.to_owned());
        }
    }
    all
}

/// The properties `S1`, `L2` of PROTOCOL.md's tables.
fn properties() -> BTreeSet<String> {
    let text = fs::read_to_string(crate_file("PROTOCOL.md")).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let is_property =
        |name: &&str| name.strip_prefix(['S', 'L']).is_some_and(|number| number.parse::<u32>().is_ok());
    names.filter(is_property).map(str::to_owned).collect()
}

/// The section of one rule in PROTOCOL.md.
fn section(rule: u32) -> String {
    let text = fs::read_to_string(crate_file("PROTOCOL.md")).unwrap();
    let section = text.split("\n### R").skip(1).find(|section| section.starts_with(&format!("{rule}:")));
    let section = section.unwrap_or_else(|| panic!("there is no R{rule}"));
    section.split("\n## ").next().unwrap_or(section).to_owned()
}

#[test]
fn a_planted_bug_names_the_rule_that_it_breaks() {
    let (rules, properties) = (documented(), properties());
    assert!(properties.len() > 20, "PROTOCOL.md was read: {properties:?}");
    let planted = planted();
    assert!(planted.len() > 50, "the list was read");
    for Planted { name, breaks, files } in planted {
        if properties.contains(&breaks) {
            continue;
        }
        let rule = breaks.strip_prefix('R').and_then(|number| number.parse().ok());
        let rule = rule.filter(|rule| rules.contains(rule));
        let rule = rule.unwrap_or_else(|| panic!("{name}: {breaks} is neither a rule nor a property"));
        let section = section(rule);
        let (_, place) = section.split_once("Where:").unwrap();
        for file in files.iter().filter_map(|file| file.strip_prefix("elect-core/src/")) {
            let names = numbers_after(&fs::read_to_string(crate_file("src").join(file)).unwrap(), "R");
            let enforced = place.contains(&format!("`{file}`")) || names.contains(&rule);
            assert!(enforced, "{name}: R{rule} is not enforced in {file}, say PROTOCOL.md and its comments");
        }
    }
}

#[test]
fn the_simulator_cites_rules_and_properties_that_exist() {
    let (rules, properties) = (documented(), properties());
    let simulator = crate_file("../elect-sim");
    let mut comments: Vec<String> = ["src", "tests", "examples"]
        .iter()
        .flat_map(|directory| sources(&simulator.join(directory)))
        .flat_map(|text| {
            text.lines().filter_map(|line| Some(line.split_once("//")?.1.to_owned())).collect::<Vec<_>>()
        })
        .collect();
    for entry in fs::read_dir(simulator.join("scenarios")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let text = fs::read_to_string(path).unwrap();
            comments.extend(text.lines().filter_map(|line| Some(line.split_once('#')?.1.to_owned())));
        }
    }
    for document in ["README.md", "MUTANTS.md"] {
        comments.push(fs::read_to_string(simulator.join(document)).unwrap());
    }
    assert!(comments.len() > 500, "the simulator was read");
    for comment in &comments {
        for rule in numbers_after(comment, "R") {
            assert!(rules.contains(&rule), "R{rule} does not exist: {comment}");
        }
        for kind in ["S", "L"] {
            for number in numbers_after(comment, kind) {
                assert!(
                    properties.contains(&format!("{kind}{number}")),
                    "{kind}{number} does not exist: {comment}"
                );
            }
        }
    }
}

#[test]
fn numbers_are_found_where_a_word_begins() {
    assert_eq!(numbers_after("R7, (R12) and AR9 R x R3a", "R"), [7, 12, 3]);
    assert_eq!(numbers_after("r07_says()", "r"), [7]);
}
