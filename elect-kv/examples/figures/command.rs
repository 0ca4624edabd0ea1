//! The command line.

use std::env;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use super::figure::Figure;
use super::machine::Machine;
use super::redis_server::Missing;
use super::report::{Report, Section};
use super::setting::Setting;
use super::{Outcome, acknowledge, beside_redis, clients, failover, fill, restart};

const HELP: &str = "\
What elect-kv reaches on this machine, beside what it should.

usage: figures [PART …] [OPTIONS]

  beside-redis  SET and GET from 50 clients, beside a redis-server that syncs every write (needs redis-server)
  fill          a million writes of 100 bytes: what they take on disk and in memory
  restart       how soon a node answers that was killed after 300,000 writes
  clients       10,000 idle clients, 500 half-sent requests, five big MGETs: memory, and SET beside them
  failover      kill -9 of the primary, again and again: how long a client is without one
  acknowledge   what a SET takes with acknowledge = \"quorum\", \"all\" and \"one\"

Without a part all are measured, in about ten minutes. Latencies mean little on a busy machine: each figure has its load.

  --quick        a small form of each part, which shows that it works and is no measurement
  --runs N       kills for each figure of failover (200)
  --dir DIR      where nodes and redis-server keep their files (a new directory in TMPDIR, removed at the end)
  --binary FILE  an elect-kv to measure (this program itself)
  --json         one line of JSON instead of a table
  -h, --help

Exit codes: 0 measured, 1 something failed, 2 wrong arguments, 3 a tool is missing for a part that was asked for.

  figures
  figures beside-redis fill --json
  figures failover --runs 30
  figures --quick
";

type Part = fn(&Setting) -> Outcome<Vec<Figure>>;

const PARTS: [(&str, Part); 6] = [
    ("beside-redis", beside_redis::measure),
    ("fill", fill::measure),
    ("restart", restart::measure),
    ("clients", clients::measure),
    ("failover", failover::measure),
    ("acknowledge", acknowledge::measure),
];

#[derive(Debug, Default)]
struct Options {
    parts: Vec<&'static str>,
    is_quick: bool,
    runs: Option<usize>,
    dir: Option<PathBuf>,
    binary: Option<PathBuf>,
    json: bool,
}

pub(crate) fn main() -> ExitCode {
    let options = match parse(env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}; see figures --help");
            return ExitCode::from(2);
        }
    };
    run(&options).unwrap_or_else(|error| {
        eprintln!("figures: {error}");
        ExitCode::FAILURE
    })
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Option<Options>> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "-h" | "--help" => return Ok(None),
            "--quick" => options.is_quick = true,
            "--json" => options.json = true,
            "--runs" => options.runs = Some(value()?.parse::<usize>()?.max(1)),
            "--dir" => options.dir = Some(value()?.into()),
            "--binary" => options.binary = Some(value()?.into()),
            name => {
                let known = PARTS.iter().find(|(part, _)| *part == name);
                options.parts.push(known.ok_or_else(|| format!("unknown: {name}"))?.0);
            }
        }
    }
    Ok(Some(options))
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
    let options = parse(arguments.iter().map(|argument| (*argument).to_owned()))?;
    report(&options.ok_or("help is no figure")?)
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
    let is_asked = |name: &str| options.parts.is_empty() || options.parts.contains(&name);
    for (name, measure) in PARTS.into_iter().filter(|(name, _)| is_asked(name)) {
        eprintln!("measuring {name} …");
        let measured = match measure(&setting) {
            Ok(figures) => Ok(figures),
            Err(error) if error.is::<Missing>() => {
                is_complete &= !options.parts.contains(&name);
                Err(error.to_string())
            }
            Err(error) => return Err(format!("{name}: {error}").into()),
        };
        report.add(Section { part: name, measured });
    }
    Ok((report, is_complete))
}
