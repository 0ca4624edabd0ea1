//! `ARCHITECTURE.md` names files, folders and types: each must exist, or the page is out of date. What it says of the
//! crates, that imports run one way, and of the core, that parts own their fields, is looked at in the source.

use std::collections::{BTreeMap, BTreeSet};
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

/// The files of a crate, by the paths of their modules, without their tests.
fn files_of(folder: &str) -> BTreeMap<String, String> {
    let folder = root().join(folder);
    let mut files = Vec::new();
    sources(&folder, &mut files);
    let module = |path: &Path| {
        let path = path.strip_prefix(&folder).expect("a file of the folder").with_extension("");
        let parts = path.iter().map(|part| part.to_string_lossy()).filter(|part| part != "mod");
        parts.collect::<Vec<_>>().join("::")
    };
    let text = |path: &Path| fs::read_to_string(path).expect("a source file");
    files
        .iter()
        .map(|path| (module(path), text(path)))
        .filter(|(module, _)| !module.ends_with("tests"))
        .map(|(module, text)| (module, text.split("mod tests").next().unwrap_or("").to_owned()))
        .collect()
}

/// The modules that `module` with this text imports from, as far as a file of the crate is one of them.
fn imports(module: &str, text: &str, files: &BTreeMap<String, String>) -> BTreeSet<String> {
    let own: Vec<_> = module.split("::").collect();
    let file = |parts: &[&str]| {
        let known = (1..=parts.len()).rev().map(|length| parts[..length].join("::"));
        known.into_iter().find(|module| files.contains_key(module))
    };
    let imports = text.split("use ").skip(1).filter_map(|rest| rest.split([';', '{']).next());
    let target = |path: &str| {
        let mut parts = path.trim().trim_end_matches("::").split("::").peekable();
        let mut base = match parts.next()? {
            "crate" => Vec::new(),
            "self" => own.clone(),
            "super" => own[..own.len() - 1].to_vec(),
            _ => return None,
        };
        while parts.next_if_eq(&"super").is_some() {
            base.pop();
        }
        base.extend(parts);
        file(&base)
    };
    imports.filter_map(target).filter(|target| target != module).collect()
}

/// What imports each other in a circle: `lib` and `main` are above everything.
fn circle(files: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let mut above: BTreeMap<_, _> = files
        .iter()
        .filter(|(module, _)| !["lib", "main"].contains(&module.as_str()))
        .map(|(module, text)| (module.clone(), imports(module, text, files)))
        .collect();
    // Takes away whatever imports only what was taken away before: of a circle nothing can go.
    loop {
        let ground: Vec<_> = above
            .iter()
            .filter(|(module, imports)| {
                imports.iter().all(|name| name == *module || !above.contains_key(name))
            })
            .map(|(module, _)| module.clone())
            .collect();
        if ground.is_empty() {
            return above;
        }
        for module in ground {
            above.remove(&module);
        }
    }
}

#[test]
fn imports_of_no_crate_draw_a_circle() {
    let crates = [
        ("elect-core/src", 60),
        ("elect-sim/src", 90),
        ("elect-tcp/src", 20),
        ("elect-kv/src", 40),
        ("elect-demo/src", 18),
    ];
    for (folder, at_least) in crates {
        let files = files_of(folder);
        assert!(files.len() >= at_least, "{folder} was read: {} files", files.len());
        let circle = circle(&files);
        assert!(circle.is_empty(), "these of {folder} import each other in a circle: {circle:#?}");
    }
}

#[test]
fn a_circle_is_found_however_its_imports_are_written() {
    let text = |lines: &str| lines.to_owned();
    let files = BTreeMap::from([
        ("a::one".to_owned(), text("use super::two::Two;")),
        ("a::two".to_owned(), text("use crate::b::{B, C};")),
        ("b".to_owned(), text("use self::three::Three;")),
        ("b::three".to_owned(), text("use super::super::a::one::One;")),
    ]);
    assert_eq!(circle(&files).len(), 4);
}

/// Fields that other files of the core may see, with the file that they belong to.
fn open_fields(files: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    files
        .iter()
        .flat_map(|(module, text)| {
            text.lines()
                .filter(|line| line.starts_with("    pub(crate) ") && line.ends_with(','))
                .filter_map(|line| line.trim_start_matches("    pub(crate) ").split_once(": "))
                .filter(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
                .map(|(name, _)| (module.as_str(), name))
        })
        .collect()
}

#[test]
fn parts_own_their_fields() {
    let files = files_of("elect-core/src");
    let open = open_fields(&files);
    assert!(open.len() < 60, "{} fields of the core are open: {open:?}", open.len());
    // Plain facts may be read anywhere, and are written in their own file alone. Frames and records are anybody's to
    // fill in, and a file's own field of the same name is another one.
    let is_filled_in = |line: &str| line.contains("frame.header.") || line.contains(" record.");
    for (module, text) in &files {
        let parent = module.split_once("::").and_then(|(parent, _)| files.get(parent));
        let declares = |text: &str, name: &str| {
            text.contains(&format!("\n    {name}: ")) || text.contains(&format!("\n    pub(crate) {name}: "))
        };
        let is_own = |name: &str| declares(text, name) || parent.is_some_and(|parent| declares(parent, name));
        for line in text.lines().filter(|line| !is_filled_in(line)) {
            for &(owner, name) in open.iter().filter(|(owner, name)| owner != module && !is_own(name)) {
                let writes =
                    [" = ", " += ", " |= "].iter().any(|sign| line.contains(&format!(".{name}{sign}")));
                assert!(!writes, "{module} writes {name} of {owner}: {}", line.trim());
            }
        }
    }
}

#[test]
fn the_role_changes_in_one_place() {
    let files = files_of("elect-core/src");
    let writes =
        |text: &str| ["state.role = ", "&mut self.state.role)"].iter().any(|sign| text.contains(sign));
    let found: Vec<_> =
        files.iter().filter(|(_, text)| writes(text)).map(|(module, _)| module.as_str()).collect();
    assert_eq!(found, ["elector::transition"]);
}
