//! `elect-sim timeline`: a run as a picture.

use std::path::PathBuf;

use clap::Args;
use elect_sim::{Detail, Real, Run, SCENARIOS, Scenario, Trace, Violation, Window, draw};

use super::Group;

const EXAMPLES: &str = "\
Examples:
  elect-sim timeline 4711 -o run.svg                          a seed, whole
  elect-sim timeline 4711 -o run.svg --from 22000 --to 24000  two seconds of it
  elect-sim timeline paused-primary -o run.svg                a scenario
  elect-sim timeline failing.txt -o run.svg                   one of your own
  elect-sim timeline 0 --sabotage no-fence -o run.svg         a violation, marked

Open the file in a browser. It needs nothing else, also no network; point at anything to read more of it.";

/// Draws a seed or a scenario.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A seed, the name of a scenario, or the path of one
    what: String,
    /// The file to write
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    group: Group,
    /// Begin here, in milliseconds
    #[arg(long)]
    from: Option<u64>,
    /// End here, in milliseconds
    #[arg(long)]
    to: Option<u64>,
    /// Width of the time axis, in pixels
    #[arg(long, default_value_t = 1_200)]
    width: u32,
}

pub(crate) fn run(arguments: &Arguments) -> bool {
    let drawn = match arguments.what.parse() {
        Ok(seed) => {
            let run = Run::new(arguments.group.options(seed), Detail::Events);
            let nodes = run.world.node_count();
            picture(
                arguments,
                &format!("seed {seed}"),
                run.world.trace(),
                nodes,
                run.world.now(),
                run.world.violation(),
            )
        }
        Err(_) => match scenario(&arguments.what) {
            Ok(scenario) => {
                let report = scenario.play(Detail::Events);
                let world = &report.world;
                let stem = std::path::Path::new(&arguments.what).file_stem();
                let title = stem.map_or(arguments.what.clone(), |stem| stem.to_string_lossy().into_owned());
                let (nodes, now) = (world.node_count(), world.now());
                picture(arguments, &title, world.trace(), nodes, now, world.violation())
            }
            Err(error) => {
                eprintln!("{}: {error}", arguments.what);
                return false;
            }
        },
    };
    match std::fs::write(&arguments.output, drawn) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("{}: {error}", arguments.output.display());
            false
        }
    }
}

fn scenario(name: &str) -> Result<Scenario, String> {
    let text = match SCENARIOS.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => (*text).to_owned(),
        None => std::fs::read_to_string(name)
            .map_err(|error| format!("neither a seed nor a scenario: {error}"))?,
    };
    Scenario::parse(&text).map_err(|error| error.to_string())
}

fn picture(
    arguments: &Arguments,
    title: &str,
    trace: &Trace,
    nodes: usize,
    now: Real,
    violation: Option<&Violation>,
) -> String {
    let milli = 1_000_000;
    // Beyond a violation there is nothing; some room lets it be seen.
    let room = if violation.is_some() { now / 25 } else { 0 };
    let to = arguments.to.map_or(now + room, |to| to * milli).max(1);
    let from = arguments.from.map_or(0, |from| from * milli).min(to - 1);
    if let Some(violation) = violation
        && to - from > 10_000 * milli
    {
        let (closer, end) = (violation.at.saturating_sub(1_500 * milli) / milli, violation.at / milli + 100);
        eprintln!("{violation}\nits last moments: --from {closer} --to {end}");
    }
    draw(trace, nodes, title, violation, Window { from, to, width: arguments.width.max(200) })
}
