//! `elect-sim check`: every state of a small group.

use clap::Args;
use elect_sim::check::{Bounds, Explored, Planted, Verdict, explore};

use super::line::Line;

const EXAMPLES: &str = "\
Examples:
  elect-sim check                           every state within the full bounds, in some minutes
  elect-sim check --small                   every state within the bounds of the tests, in a second
  elect-sim check --small --sleeps 1        the same with a process that stands still once
  elect-sim check --states-max 1000000      as far as a million states
  elect-sim check --small --plant disk-forgets-votes   a counterexample, and exit code 1";

/// Tries what can happen in every order.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The smaller bounds of the tests; single bounds can still be changed
    #[arg(long)]
    small: bool,
    /// The highest epoch that anybody may campaign in
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=6))]
    epochs: Option<u8>,
    /// Crashes of each node
    #[arg(long)]
    crashes: Option<u8>,
    /// Crashes of all nodes together
    #[arg(long)]
    crashes_together: Option<u8>,
    /// Frames that go astray or are copied, and slow saves, all together
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=4))]
    strays: Option<u8>,
    /// Breaks of directed links
    #[arg(long)]
    cuts: Option<u8>,
    /// How often a process stands still
    #[arg(long)]
    sleeps: Option<u8>,
    /// How many moments there are; 0 for as many as it takes
    #[arg(long)]
    moments: Option<u8>,
    /// Which clocks are slow by the drift, as bits (1 for a, 2 for b, 4 for c); the others are fast by it
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=7))]
    slow: Option<u8>,
    /// Stop after so many states
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    states_max: u64,
    /// Plant a bug around the electors, to see it found
    #[arg(long, value_enum)]
    plant: Option<Bug>,
    /// The report as JSON
    #[arg(long)]
    json: bool,
}

/// A planted bug.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Bug {
    /// A disk says that it holds a vote for another node, and does not
    DiskForgetsVotes,
    /// The network answers offers with accepts that nobody sent
    NetworkForgesAccepts,
}

impl Arguments {
    fn bounds(&self) -> Bounds {
        let base = if self.small { Bounds::SMALL } else { Bounds::FULL };
        Bounds {
            epochs: self.epochs.map_or(base.epochs, u64::from),
            crashes: self.crashes.unwrap_or(base.crashes),
            crashes_together: self.crashes_together.unwrap_or(base.crashes_together),
            strays: self.strays.unwrap_or(base.strays),
            cuts: self.cuts.unwrap_or(base.cuts),
            sleeps: self.sleeps.unwrap_or(base.sleeps),
            moments: self.moments.unwrap_or(base.moments),
            slow: self.slow.unwrap_or(base.slow),
            sabotage: self.plant.map(|bug| match bug {
                Bug::DiskForgetsVotes => Planted::DiskForgetsVotes,
                Bug::NetworkForgesAccepts => Planted::NetworkForgesAccepts,
            }),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> bool {
    // A panic is a violation, with its words: nothing is lost by keeping the terminal clean.
    std::panic::set_hook(Box::new(|_| {}));
    let bounds = arguments.bounds();
    let mut line = Line::new();
    let verdict = explore(bounds, arguments.states_max, |explored| line.show(|_| progress(explored)));
    line.clear();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&verdict).expect("a verdict is plain data"));
    } else {
        print(&bounds, &verdict);
    }
    verdict.counterexample.is_none()
}

fn print(bounds: &Bounds, verdict: &Verdict) {
    let Explored { states, steps, beyond, depth, frontier, seconds, coverage } = &verdict.explored;
    println!("{bounds}");
    println!("{states} states, {steps} steps in {seconds:.1} s, longest path {depth}, frontier {frontier}");
    println!("{beyond} steps led beyond the bounds");
    let coverage = serde_json::to_value(coverage).expect("a coverage is plain data");
    for (name, count) in coverage.as_object().into_iter().flatten() {
        println!("  {:<32} {count}", name.replace('_', " "));
    }
    if let Some(counterexample) = &verdict.counterexample {
        println!("VIOLATION {}", counterexample.violation);
        for (number, line) in counterexample.path.iter().enumerate() {
            println!("{:>4} {line}", number + 1);
        }
    } else if verdict.complete {
        println!("everything held in every state");
    } else {
        println!("everything held in the states that were seen; --states-max kept the others unseen");
    }
}

fn progress(explored: &Explored) -> String {
    let Explored { states, steps, depth, frontier, seconds, .. } = explored;
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    let rate = *states as f64 / seconds;
    format!("{states} states, {rate:.0}/s, {steps} steps, depth {depth}, frontier {frontier}")
}
