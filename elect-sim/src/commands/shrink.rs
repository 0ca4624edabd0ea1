//! `elect-sim shrink`: a seed that fails becomes a short scenario that fails likewise.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use elect_sim::{Effort, SECOND, Shrinking, Shrunk, Size, shrink};

use super::line::Line;
use super::{Exit, Group, writable, write};

/// Makes a short scenario out of a seed that fails.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The seed
    seed: u64,
    #[command(flatten)]
    group: Group,
    /// Where the scenario goes; to standard output if not given
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// With how many other seeds each change is tried: more take longer and get further
    #[arg(long, default_value_t = Effort::default().seeds, value_parser = clap::value_parser!(u64).range(1..))]
    tries: u64,
    /// Simulated hours at most, in all runs together
    #[arg(
        long,
        default_value_t = Effort::default().simulated / SECOND / 3_600,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000)
    )]
    hours: u64,
    /// Sizes and scenario as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    // Runs that panic are part of the work.
    std::panic::set_hook(Box::new(|_| {}));
    let typed = format!("{}{}", arguments.seed, arguments.group.typed());
    arguments.output.as_deref().map_or(Ok(()), writable)?;
    let effort = Effort { seeds: arguments.tries, simulated: arguments.hours * 3_600 * SECOND };
    let mut line = Line::new();
    let options = arguments.group.options(arguments.seed);
    let shrunk = shrink(&options, &typed, effort, &mut |shrinking| line.show(|_| progress(shrinking)));
    line.clear();
    let Some(shrunk) = shrunk else {
        return Err(format!("seed {} holds: there is nothing to shrink", arguments.seed));
    };
    report(arguments, &shrunk)
}

fn report(arguments: &Arguments, shrunk: &Shrunk) -> Exit {
    if let Some(output) = &arguments.output {
        write(output, &shrunk.scenario)?;
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(shrunk).expect("plain data"));
        return Ok(true);
    }
    let words = |size: Size| {
        let Size { nodes, actions, lines, simulated } = size;
        let seconds = Duration::from_nanos(simulated).as_secs_f64();
        format!("{actions} actions, {lines} lines, {nodes} nodes, {seconds:.1} s")
    };
    eprintln!("{}: {}", shrunk.violation.checker, shrunk.violation.detail.lines().next().unwrap_or_default());
    eprintln!("from {} to {}, in {} runs", words(shrunk.before), words(shrunk.after), shrunk.plays);
    match &arguments.output {
        Some(output) => eprintln!("play it: elect-sim scenario {}", output.display()),
        None => print!("{}", shrunk.scenario),
    }
    Ok(true)
}

fn progress(shrinking: &Shrinking) -> String {
    let Shrinking { stage, size, plays, simulated, simulated_max } = *shrinking;
    let share = simulated * 100 / simulated_max.max(1);
    let Size { nodes, actions, lines, .. } = size;
    format!("{stage}: {actions} actions, {lines} lines, {nodes} nodes; {plays} runs, {share} % of the effort")
}
