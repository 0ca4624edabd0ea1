//! The command line.

use std::env;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::RangedU64ValueParser;

use super::figure::Figure;
use super::machine::Machine;
use super::redis_server::Missing;
use super::report::{Report, Section};
use super::setting::Setting;
use super::{Outcome, acknowledge, beside_redis, clients, failover, fill, restart};

type Part = fn(&Setting) -> Outcome<Vec<Figure>>;

const PARTS: [(&str, Part); 6] = [
    ("beside-redis", beside_redis::measure),
    ("fill", fill::measure),
    ("restart", restart::measure),
    ("clients", clients::measure),
    ("failover", failover::measure),
    ("acknowledge", acknowledge::measure),
];

/// What elect-kv reaches on this machine, beside what it should.
#[derive(Debug, Parser)]
#[command(name = "figures", after_help = HELP)]
struct Options {
    /// What to measure; without one, everything, in about ten minutes
    #[arg(value_name = "PART", value_parser = PARTS.map(|(name, _)| name))]
    parts: Vec<String>,
    /// A small form of each part, which shows that it works and is no measurement
    #[arg(long = "quick")]
    is_quick: bool,
    /// Kills for each figure of failover (200)
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    runs: Option<usize>,
    /// Where nodes and redis-server keep their files (a new directory in TMPDIR, removed at the end)
    #[arg(long)]
    dir: Option<PathBuf>,
    /// An elect-kv to measure (this program itself)
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// One line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
Parts:
  beside-redis  SET and GET from 50 clients, beside a redis-server that syncs every write (needs redis-server)
  fill          a million writes of 100 bytes: what they take on disk and in memory
  restart       how soon a node answers that was killed after 300,000 writes
  clients       10,000 idle clients, 500 half-sent requests, five big MGETs: memory, and SET beside them
  failover      kill -9 of the primary, again and again: how long a client is without one
  acknowledge   what a SET takes with acknowledge = \"quorum\", \"all\" and \"one\"

Latencies mean little on a busy machine: each figure has its load.

Exit codes: 0 measured, 1 something failed, 2 wrong arguments, 3 a tool is missing for a part that was asked for.

  figures
  figures beside-redis fill --json
  figures failover --runs 30
  figures --quick";

pub(crate) fn main() -> ExitCode {
    run(&Options::parse()).unwrap_or_else(|error| {
        eprintln!("figures: {error}");
        ExitCode::FAILURE
    })
}

fn run(options: &Options) -> Outcome<ExitCode> {
    let (report, is_complete) = report(options)?;
    let text = if options.json { format!("{}\n", report.json()) } else { report.to_string() };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

/// The figures that these arguments ask for, and whether there are some of every part that was named.
#[allow(dead_code, reason = "the test of this program asks so")]
pub(crate) fn measure(arguments: &[&str]) -> Outcome<(Report, bool)> {
    report(&Options::try_parse_from(["figures"].iter().chain(arguments))?)
}

fn report(options: &Options) -> Outcome<(Report, bool)> {
    let parent = options.dir.clone().unwrap_or_else(env::temp_dir);
    std::fs::create_dir_all(&parent)?;
    let dir = tempfile::Builder::new().prefix("figures-").tempdir_in(&parent)?;
    let setting = Setting {
        dir: dir.path().to_owned(),
        binary: options.binary.clone().map_or_else(env::current_exe, Ok)?,
        is_quick: options.is_quick,
        runs: options.runs,
    };
    let mut report = Report::new(Machine::look(dir.path())?, options.is_quick);
    let mut is_complete = true;
    let is_named = |name: &str| options.parts.iter().any(|part| part == name);
    for (name, measure) in PARTS.into_iter().filter(|(name, _)| options.parts.is_empty() || is_named(name)) {
        eprintln!("measuring {name} …");
        let measured = match measure(&setting) {
            Ok(figures) => Ok(figures),
            Err(error) if error.is::<Missing>() => {
                is_complete &= !is_named(name);
                Err(error.to_string())
            }
            Err(error) => return Err(format!("{name}: {error}").into()),
        };
        report.add(Section { part: name, measured });
    }
    Ok((report, is_complete))
}
