//! `elect-sim replay`: one seed, with everything that a person wants to see.

use clap::Args;
use elect_sim::{Detail, Run};

use super::Group;

/// Runs one seed and shows what happened.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The seed
    seed: u64,
    #[command(flatten)]
    group: Group,
    /// Show every frame too
    #[arg(long)]
    frames: bool,
    /// Only the outcome, as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> bool {
    let detail = match arguments {
        Arguments { json: true, .. } => Detail::Hash,
        Arguments { frames: true, .. } => Detail::Frames,
        _ => Detail::Events,
    };
    let run = Run::new(arguments.group.options(arguments.seed), detail);
    let outcome = run.outcome();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&outcome).expect("an outcome is plain data"));
    } else {
        print!("{}", run.world.trace().to_text());
        let counts = outcome.counts;
        println!("\ntrace {}: {counts:?}", outcome.hash);
        match &outcome.violation {
            Some(violation) => println!("VIOLATION {violation}"),
            None => println!("everything held"),
        }
    }
    outcome.violation.is_none()
}
