//! The command line.

use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, io};

use serde_json::{Value, json};

use crate::figures::load;
use crate::findings::Findings;
use crate::group::{Links, Plan};
use crate::leases::Overlap;
use crate::{disks, kills, node, silent, stops, topologies, twins};

const HELP: &str = "\
Real processes on this machine, and what goes wrong with them.

usage: drill DRILL [OPTIONS]

  kills        kill -9 of the primary, again and again: kill to elected, and what that time is made of
  stops        SIGSTOP of the primary for 0.1 to 30 s
  disks        a hung and a full disk, under the primary and under a follower
  silent       a peer that accepts and never answers, while primaries are killed
  twins        a second process under the primary's name
  topologies   directed drops between network namespaces (needs root)

  --runs N          how often (kills 200, stops 16, disks 5, silent 20, twins 3, topologies 200)
  --nodes N         3 to 9 (3)
  --crash-evidence  a refused connection proves that a process is dead
  --writes          a write per millisecond
  --tls             links are TLS
  --supervised      a supervisor of each node tells the others when its process has ended; with TLS
  --detection MS    how long silence lasts before a leader counts as gone (500)
  --pause MS        what a group gets between two runs, at least (100)
  --longest SECONDS of stops (30)
  --seed N          of topologies (1)
  --stories         tell the slowest runs in full
  --keep DIR        leave the files of the nodes there
  --json            one line of JSON instead of text

Every node writes down when it held a lease, on the clock that all share; at the end no two may overlap.
Exit codes: 0 all is well, 1 two leases overlap or something that must not happen did, 2 wrong arguments.

  drill kills --runs 500 --crash-evidence --writes
  drill kills --nodes 5 --runs 50 --json
  drill kills --supervised --writes
  drill stops --runs 8 --longest 5
  drill topologies --nodes 5 --detection 200
";

struct Options {
    drill: String,
    runs: Option<usize>,
    plan: Plan,
    longest: Duration,
    seed: u64,
    keep: Option<std::path::PathBuf>,
    json: bool,
}

pub(crate) fn main() -> ExitCode {
    match node::run_if_started_as_one() {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    let options = match parse(env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}; see drill --help");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(is_well) => ExitCode::from(u8::from(!is_well)),
        Err(error) => {
            if options.json {
                let is_overlap = error.is::<Overlap>();
                println!(
                    "{}",
                    json!({ "drill": options.drill, "overlap": is_overlap, "error": error.to_string() })
                );
            }
            eprintln!("{}: {error}", options.drill);
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, Box<dyn Error>> {
    let mut options = Options {
        drill: String::new(),
        runs: None,
        plan: Plan {
            nodes: 3,
            crash_evidence: false,
            writes: false,
            detection_ms: 500,
            links: Links::Plain,
            pause: Duration::from_millis(100),
            stories: false,
        },
        longest: Duration::from_secs(30),
        seed: 1,
        keep: None,
        json: false,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "-h" | "--help" => return Ok(None),
            "--runs" => options.runs = Some(value()?.parse()?),
            "--nodes" => options.plan.nodes = value()?.parse()?,
            "--detection" => options.plan.detection_ms = value()?.parse()?,
            "--pause" => options.plan.pause = Duration::from_millis(value()?.parse()?),
            "--longest" => options.longest = Duration::from_secs(value()?.parse()?),
            "--seed" => options.seed = value()?.parse()?,
            "--keep" => options.keep = Some(value()?.into()),
            "--crash-evidence" => options.plan.crash_evidence = true,
            "--writes" => options.plan.writes = true,
            "--tls" => options.plan.links = Links::Tls,
            "--supervised" => options.plan.links = Links::Supervised,
            "--stories" => options.plan.stories = true,
            "--json" => options.json = true,
            drill if options.drill.is_empty() && !drill.starts_with('-') => options.drill = argument,
            _ => return Err(format!("unknown: {argument}").into()),
        }
    }
    if options.drill.is_empty() {
        return Ok(None);
    }
    if !(3..=9).contains(&options.plan.nodes) {
        return Err("--nodes must be 3 to 9".into());
    }
    Ok(Some(options))
}

fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let directory = match &options.keep {
        Some(directory) => {
            std::fs::create_dir_all(directory)?;
            directory.clone()
        }
        None => temporary.path().to_owned(),
    };
    let before = load();
    let findings = drill(options, &directory)?;
    if options.json {
        let Value::Object(mut fields) = findings.json else { return Err("no figures".into()) };
        fields.insert("drill".into(), json!(options.drill));
        fields.insert("load_before".into(), json!(before));
        fields.insert("load_after".into(), json!(load()));
        fields.insert("wrong".into(), json!(findings.wrong));
        println!("{}", Value::Object(fields));
    } else {
        for line in &findings.lines {
            println!("{line}");
        }
        println!("load average {before} before, {} after", load());
    }
    for wrong in &findings.wrong {
        eprintln!("wrong: {wrong}");
    }
    Ok(findings.wrong.is_empty())
}

fn drill(options: &Options, directory: &std::path::Path) -> Result<Findings, Box<dyn Error>> {
    let launch = |_: &node::Seat| -> io::Result<Command> { Ok(Command::new(env::current_exe()?)) };
    let Options { plan, longest, seed, .. } = options;
    let usual = match options.drill.as_str() {
        "kills" | "topologies" => 200,
        "silent" => 20,
        "stops" => 16,
        "disks" => 5,
        _ => 3,
    };
    let count = options.runs.unwrap_or(usual);
    let progress = |done| progress(done, count);
    match options.drill.as_str() {
        "kills" => {
            let report = kills::run(plan, count, directory, &launch, progress)?;
            Ok(Findings { lines: report.lines(plan), json: report.json(), wrong: Vec::new() })
        }
        "stops" => stops::run(plan, count, *longest, directory, &launch, progress),
        "disks" => disks::run(&Plan { writes: true, ..plan.clone() }, count, directory, &launch, progress),
        "silent" => silent::run(plan, count, directory, &launch, progress),
        "twins" => twins::run(plan, count, directory, &launch, progress),
        "topologies" => topologies::run(plan, count, *seed, directory, progress),
        other => Err(format!("no drill {other}; see drill --help").into()),
    }
}

/// On a terminal, one line that moves; elsewhere, every tenth.
fn progress(done: usize, of: usize) {
    let mut err = io::stderr();
    if err.is_terminal() {
        let _ = write!(err, "\r{done} of {of}{}", if done == of { "\n" } else { "" });
    } else if done.is_multiple_of((of / 10).max(1)) {
        eprintln!("{done} of {of}");
    }
}
