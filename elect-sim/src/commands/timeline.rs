//! `elect-sim timeline`: a run as a picture.

use std::path::PathBuf;

use clap::Args;
use elect_sim::{Detail, Real, Run, SCENARIOS, Scenario, Trace, Violation, Window, draw};

use super::Group;

/// Draws a seed or a scenario.
#[derive(Debug, Args)]
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
                let (nodes, now) = (world.node_count(), world.now());
                picture(arguments, &arguments.what, world.trace(), nodes, now, world.violation())
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
    let to = arguments.to.map_or(now, |to| to * milli).max(1);
    let from = arguments.from.map_or(0, |from| from * milli).min(to - 1);
    draw(trace, nodes, title, violation, Window { from, to, width: arguments.width.max(200) })
}
