//! The command line.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use serde_json::json;

use crate::campaign::faults::Spans;
use crate::campaign::findings::Findings;
use crate::campaign::run::{Plan, run};

const HELP: &str = "\
What goes wrong, one thing or two at a time: kill -9 of one, two or all nodes, SIGTERM, SIGSTOP; cuts, trickles and half-open
connections, each direction and each plane (election, replication) apart; hung, full and lost disks, restored backups, the last
two with `replace-lost`; handovers and pauses. In between everything is well, as `elect-kv status` says. At the end each node in
turn is the primary and is asked for everything.

Nine clients share three groups of four keys: GET, MGET, EXISTS, SET, SET NX, MSET, INCR, DEL, MULTI … EXEC. A refused operation
(MOVED, NOLEADER, NOREPLICAS, …) must not take effect; one that is answered with UNKNOWN, or not at all, may at any later time. The
history of each group is judged for linearizability, and so are copies of it in which something was bent.

Exit codes: 0 all held, 1 something did not, 2 wrong arguments.

  campaign --operations 100000 --seed 1
  campaign --operations 5000 --duty 100 --seed 7 --keep /tmp/seven
  campaign --json | jq .faults";

/// What is wrong is told in full up to so many times.
const TOLD_MAX: usize = 3;

/// Three real nodes, clients, and everything that goes wrong: is any acknowledged operation lost, is any history not linearizable?
#[derive(Debug, Parser)]
#[command(name = "campaign", after_help = HELP)]
struct Options {
    /// Acknowledged operations
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    operations: usize,
    /// What clients ask and what goes wrong, and how long
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Percent of the time in which all clients work: fewer operations meet more faults
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100))]
    duty: usize,
    /// The longest fault
    #[arg(long, value_name = "MS", default_value_t = 3_000, value_parser = RangedU64ValueParser::<u64>::new().range(100..=60_000))]
    longest: u64,
    /// The longest time between two episodes
    #[arg(long, value_name = "MS", default_value_t = 1_500)]
    quiet: u64,
    /// Who must hold a write: with `one`, which promises less, something is lost
    #[arg(long, value_name = "WHO", default_value = "quorum", value_parser = ["quorum", "all", "one"])]
    acknowledge: String,
    /// Leaves the nodes' files there; after a violation they stay anyway
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// One line of JSON instead of text
    #[arg(long)]
    json: bool,
}

pub(crate) fn main() -> ExitCode {
    // The nodes are this very program: one command builds all that it needs.
    if matches!(
        env::args().nth(1).as_deref(),
        Some("init" | "serve" | "replace-lost" | "status" | "handover" | "pause" | "resume")
    ) {
        return elect_kv::cli::main();
    }
    let options = Options::parse();
    match carry_out(&options) {
        Ok(findings) => ExitCode::from(u8::from(!findings.wrong.is_empty())),
        Err(error) => {
            if options.json {
                println!("{}", json!({ "seed": options.seed, "error": error.to_string() }));
            }
            eprintln!("seed {}: {error}", options.seed);
            ExitCode::FAILURE
        }
    }
}

fn carry_out(options: &Options) -> Result<Findings, Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let directory = options.keep.clone().unwrap_or_else(|| temporary.path().to_owned());
    fs::create_dir_all(&directory)?;
    let plan = Plan {
        program: env::current_exe()?,
        directory,
        operations: options.operations,
        seed: options.seed,
        spans: Spans { least_ms: 100, most_ms: options.longest },
        quiet_ms: options.quiet,
        duty: options.duty,
        acknowledge: options.acknowledge.clone(),
    };
    let before = load();
    let findings = run(&plan, &mut |line| eprintln!("{line}"))?;
    if options.json {
        let mut told = findings.json(options.seed);
        told["load_before"] = json!(before);
        told["load_after"] = json!(load());
        println!("{told}");
    } else {
        findings.lines().iter().for_each(|line| println!("{line}"));
        println!("seed {}, load average {before} before, {} after", options.seed, load());
    }
    if !findings.wrong.is_empty() {
        findings.wrong.iter().take(TOLD_MAX).for_each(|wrong| eprintln!("wrong: {wrong}"));
        let more = findings.wrong.len().saturating_sub(TOLD_MAX);
        eprintln!("{more} more of these are in the file `wrong`");
        let kept = plan.directory.display().to_string();
        if options.keep.is_none() {
            // Kept for whoever looks for the reason.
            let _ = temporary.keep();
        }
        eprintln!("seed {}; the nodes' files, their history and the faults are kept in {kept}", options.seed);
    }
    Ok(findings)
}

/// The load of this machine in the last minute: no figure means anything without it.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
