//! `elect-sim mutants`: does the simulator notice when a rule is missing?

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use super::{Exit, writable};

/// Plants each bug of a list into a copy of the workspace and counts the seeds until a checker notices.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only mutants whose name contains one of these
    filters: Vec<String>,
    /// The workspace
    #[arg(long, default_value = ".")]
    workspace: PathBuf,
    /// Where the copy and its build go
    #[arg(long, default_value = "target/mutants")]
    scratch: PathBuf,
    /// Starts per mutant: the median of them is reported
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,
    /// Seeds per start at most
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Only check that every mutant still applies
    #[arg(long)]
    dry_run: bool,
    /// Write the table to this file
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// The table as JSON
    #[arg(long)]
    json: bool,
}

/// One planted bug.
#[derive(Debug, Default)]
struct Mutant {
    name: String,
    rule: String,
    /// Why nothing can notice it, if that is known.
    redundant: Option<String>,
    file: String,
    /// What is replaced by what.
    edits: Vec<(String, String)>,
}

/// What noticed a mutant.
#[derive(Debug)]
enum Caught {
    /// The campaign: the median number of seeds, and the checkers' names.
    Campaign(u64, Vec<String>),
    /// A scenario.
    Scenario(String),
    /// The compiler, or nothing.
    NotBuilt(String),
    Escaped,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let list = arguments.workspace.join("elect-sim/mutants/list.txt");
    let mutants = parse(&read(&list)?)?;
    let chosen = |mutant: &&Mutant| {
        let named = |filter: &String| mutant.name.contains(filter.as_str());
        arguments.filters.is_empty() || arguments.filters.iter().any(named)
    };
    let unknown = |filter: &&String| !mutants.iter().any(|mutant| mutant.name.contains(filter.as_str()));
    if let Some(filter) = arguments.filters.iter().find(unknown) {
        return Err(format!("no mutant's name contains `{filter}`"));
    }
    if arguments.dry_run {
        for mutant in mutants.iter().filter(chosen) {
            mutated(&arguments.workspace, mutant)?;
        }
        println!("all of {} mutants apply", mutants.iter().filter(chosen).count());
        return Ok(true);
    }
    arguments.output.as_deref().map_or(Ok(()), writable)?;
    let chosen: Vec<_> = mutants.iter().filter(chosen).collect();
    let mut rows = Vec::new();
    for mutant in &chosen {
        let row = Row::of(mutant, &attack(arguments, mutant)?);
        rows.push(row);
        let Row { mutant, caught_by, seeds, .. } = &rows[rows.len() - 1];
        let line = format!("{:>2} of {}  {mutant:<32} {caught_by} ({seeds})", rows.len(), chosen.len());
        // Each takes a minute or so: a row is progress as well.
        if arguments.json {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }
    if let Some(output) = &arguments.output {
        fs::write(output, table(&rows)).map_err(|error| format!("{}: {error}", output.display()))?;
    }
    let escaped = rows.iter().filter(|row| row.escaped).count();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&rows).expect("plain data"));
    } else {
        println!("{} mutants, {escaped} escaped", rows.len());
    }
    Ok(escaped == 0)
}

/// What became of one mutant.
#[derive(Debug, serde::Serialize)]
struct Row {
    mutant: String,
    rule: String,
    caught_by: String,
    /// The median over the starts, where a campaign caught it.
    seeds: String,
    /// Nothing noticed it, and nobody has said why that may be.
    escaped: bool,
}

impl Row {
    fn of(mutant: &Mutant, caught: &Caught) -> Self {
        let none = || String::from("—");
        let (caught_by, seeds) = match caught {
            Caught::Campaign(seeds, checkers) => (checkers.join(", "), seeds.to_string()),
            Caught::Scenario(name) => (format!("scenario {name}"), none()),
            Caught::NotBuilt(why) => (format!("NOT BUILT: {why}"), none()),
            Caught::Escaped => match &mutant.redundant {
                Some(why) => (format!("nothing: redundant {why}"), none()),
                None => ("NOTHING".into(), none()),
            },
        };
        let noticed = matches!(caught, Caught::Campaign(..) | Caught::Scenario(_));
        let escaped = !noticed && mutant.redundant.is_none();
        Self { mutant: mutant.name.clone(), rule: mutant.rule.clone(), caught_by, seeds, escaped }
    }
}

fn table(rows: &[Row]) -> String {
    let head = "# Planted bugs\n\nEach deletes or bends one rule; the campaign, or else a scenario, must notice. \
                Made by `elect-sim mutants -o elect-sim/MUTANTS.md`.\n\n\
                | mutant | rule | caught by | seeds, median |\n|---|---|---|---|\n";
    let mut table = String::from(head);
    for Row { mutant, rule, caught_by, seeds, .. } in rows {
        // Writing to a string does not fail.
        let _ = writeln!(table, "| {mutant} | {rule} | {caught_by} | {seeds} |");
    }
    table
}

fn parse(text: &str) -> Result<Vec<Mutant>, String> {
    let mut mutants: Vec<Mutant> = Vec::new();
    let mut replacing = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix("mutant ") {
            mutants.push(Mutant { name: name.into(), ..Mutant::default() });
            replacing = false;
            continue;
        }
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let mutant = mutants.last_mut().ok_or("the list begins with a mutant")?;
        if let Some(rule) = line.strip_prefix("rule ") {
            mutant.rule = rule.into();
        } else if let Some(why) = line.strip_prefix("redundant ") {
            mutant.redundant = Some(why.into());
        } else if let Some(file) = line.strip_prefix("file ") {
            mutant.file = file.into();
        } else if let Some(old) = line.strip_prefix('-') {
            if replacing || mutant.edits.is_empty() {
                mutant.edits.push((String::new(), String::new()));
                replacing = false;
            }
            push_line(&mut mutant.edits.last_mut().ok_or("an edit")?.0, old);
        } else if let Some(new) = line.strip_prefix('+') {
            replacing = true;
            push_line(&mut mutant.edits.last_mut().ok_or("a + stands after a -")?.1, new);
        } else {
            return Err(format!("line {}: `{line}` is not understood", number + 1));
        }
    }
    Ok(mutants)
}

fn push_line(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

/// The mutant's file with its bug.
fn mutated(workspace: &Path, mutant: &Mutant) -> Result<String, String> {
    let mut text = read(&workspace.join(&mutant.file))?;
    for (old, new) in &mutant.edits {
        let found = text.matches(old.as_str()).count();
        if found != 1 {
            return Err(format!("{}: what it replaces stands {found} times in {}", mutant.name, mutant.file));
        }
        text = text.replace(old.as_str(), new);
    }
    Ok(text)
}

fn attack(arguments: &Arguments, mutant: &Mutant) -> Result<Caught, String> {
    let copy = arguments.scratch.join("copy");
    copy_workspace(&arguments.workspace, &copy)?;
    let text = mutated(&arguments.workspace, mutant)?;
    fs::write(copy.join(&mutant.file), text).map_err(|error| error.to_string())?;
    let target = absolute(&arguments.scratch.join("build"))?;
    let built = Command::new("cargo")
        .args(["build", "--release", "--quiet", "-p", "elect-sim", "--offline"])
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("RUSTFLAGS", "--cap-lints=allow")
        .current_dir(&copy)
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    if !built.status.success() {
        let words = String::from_utf8_lossy(&built.stderr);
        let first = words.lines().find(|line| line.starts_with("error")).unwrap_or("no reason given");
        return Ok(Caught::NotBuilt(first.into()));
    }
    judge(arguments, &target.join("release/elect-sim"))
}

fn judge(arguments: &Arguments, command: &Path) -> Result<Caught, String> {
    let mut needed = Vec::new();
    let mut checkers = Vec::new();
    for start in 0..arguments.starts {
        let first = u64::from(start) * 1_000_000;
        let output = Command::new(command)
            .args(["run", "--json", "--jobs", "1"])
            .args(["--seed", &first.to_string(), "--seeds", &arguments.seeds.to_string()])
            .output()
            .map_err(|error| error.to_string())?;
        let summary: serde_json::Value =
            serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        if let Some(checker) = summary["failed"][0]["violation"]["checker"].as_str() {
            // The run went on for a moment after the first seed that failed.
            let seed = summary["failed"][0]["seed"].as_u64().ok_or("a seed that failed has a number")?;
            needed.push(seed - first + 1);
            checkers.push(checker.to_owned());
        } else if start == 1 && needed.is_empty() {
            break; // Twice in vain: leave it to the scenarios.
        }
    }
    checkers.sort();
    checkers.dedup();
    if needed.len() * 2 > arguments.starts as usize {
        needed.sort_unstable();
        return Ok(Caught::Campaign(needed[needed.len() / 2], checkers));
    }
    let output =
        Command::new(command).args(["scenario", "--all"]).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<_> =
        text.lines().filter_map(|line| line.split_once(" FAILS ").map(|(name, _)| name)).collect();
    Ok(if failed.is_empty() { Caught::Escaped } else { Caught::Scenario(failed.join(", ")) })
}

/// Copies what elect-sim is built from.
fn copy_workspace(from: &Path, to: &Path) -> Result<(), String> {
    for folder in ["elect-core", "elect-harness", "elect-sim"] {
        copy_folder(&from.join(folder), &to.join(folder))?;
    }
    for file in ["Cargo.lock", "rust-toolchain.toml"] {
        copy_if_changed(&from.join(file), &to.join(file))?;
    }
    let manifest = read(&from.join("Cargo.toml"))?;
    let manifest: Vec<_> = manifest
        .lines()
        .map(|line| {
            if line.starts_with("members") {
                "members = [\"elect-core\", \"elect-harness\", \"elect-sim\"]"
            } else {
                line
            }
        })
        .collect();
    write_if_changed(&to.join("Cargo.toml"), &manifest.join("\n"))
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| format!("{}: {error}", to.display()))?;
    let entries = fs::read_dir(from).map_err(|error| format!("{}: {error}", from.display()))?;
    for entry in entries {
        let entry = entry.map_err(|error| error.to_string())?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            copy_if_changed(&source, &target)?;
        }
    }
    Ok(())
}

/// Leaves equal files alone, so that cargo rebuilds only what changed.
fn copy_if_changed(from: &Path, to: &Path) -> Result<(), String> {
    let bytes = fs::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
    if fs::read(to).is_ok_and(|known| known == bytes) {
        return Ok(());
    }
    fs::write(to, bytes).map_err(|error| format!("{}: {error}", to.display()))
}

fn write_if_changed(to: &Path, text: &str) -> Result<(), String> {
    if fs::read_to_string(to).is_ok_and(|known| known == text) {
        return Ok(());
    }
    fs::write(to, text).map_err(|error| format!("{}: {error}", to.display()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_understood_and_every_mutant_names_its_rule() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mutants = parse(&read(&workspace.join("elect-sim/mutants/list.txt")).unwrap()).unwrap();
        assert!(mutants.len() >= 25, "{} mutants", mutants.len());
        assert!(mutants.iter().all(|mutant| !mutant.rule.is_empty() && !mutant.edits.is_empty()));
    }

    #[test]
    fn what_a_mutant_replaces_stands_once() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mutant = |old: &str| {
            let list = format!("mutant m\nrule r\nfile src/ids.rs\n-{old}\n+pub(crate) type Life = u8;\n");
            mutated(workspace, &parse(&list).unwrap()[0])
        };
        assert!(mutant("pub(crate) type Life = u32;").unwrap().contains("pub(crate) type Life = u8;"));
        assert!(mutant("no such line").unwrap_err().contains("stands 0 times"));
    }

    #[test]
    fn a_list_that_is_not_understood_is_refused() {
        assert!(parse("mutant a\nfile f\ndance").unwrap_err().contains("line 3"));
        assert!(parse("- x").unwrap_err().contains("begins with a mutant"));
    }
}
