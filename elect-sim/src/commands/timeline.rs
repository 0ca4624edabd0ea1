//! `elect-sim timeline`: a run as a picture.

use std::path::PathBuf;

use clap::Args;
use elect_sim::{Detail, Run, Window, World, draw};

use super::{Exit, Group, scenario, write};

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

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let drawn = if let Ok(seed) = arguments.what.parse() {
        let Run { world, .. } = Run::new(arguments.group.options(seed), Detail::Events);
        picture(arguments, &format!("seed {seed}"), &world)
    } else {
        let report = scenario(&arguments.what)?.play(Detail::Events);
        let stem = std::path::Path::new(&arguments.what).file_stem();
        let title = stem.map_or(arguments.what.clone(), |stem| stem.to_string_lossy().into_owned());
        picture(arguments, &title, &report.world)
    };
    write(&arguments.output, &drawn)?;
    Ok(true)
}

fn picture(arguments: &Arguments, title: &str, world: &World) -> String {
    let (trace, now, violation) = (world.trace(), world.now(), world.violation());
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
    draw(trace, world.node_count(), title, violation, Window { from, to, width: arguments.width.max(200) })
}
