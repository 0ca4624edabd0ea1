//! The `elect-sim` command.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use elect_sim::{Detail, SECOND, swarm};

/// Attacks the real elector on virtual time, checks every step, and shows what happened.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a swarm of seeds.
    Run {
        #[arg(long, default_value_t = 1_000)]
        seeds: u64,
        #[arg(long, default_value_t = 0)]
        seed: u64,
        #[arg(long)]
        nodes: Option<usize>,
        #[arg(long, default_value_t = 1)]
        minutes: u64,
        #[arg(long)]
        keep_going: bool,
    },
    /// Runs one seed and prints what happened.
    Replay {
        seed: u64,
        #[arg(long)]
        nodes: Option<usize>,
        #[arg(long, default_value_t = 1)]
        minutes: u64,
        #[arg(long)]
        frames: bool,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { seeds, seed, nodes, minutes, keep_going } => {
            let began = Instant::now();
            let mut simulated = 0;
            let mut failed = 0;
            let mut worst = (0, 0);
            let mut counts = elect_sim::Counts::default();
            for seed in seed..seed + seeds {
                let outcome = std::panic::catch_unwind(|| {
                    swarm(seed, nodes, minutes * 60 * SECOND, Detail::Hash).outcome()
                });
                let Ok(outcome) = outcome else {
                    println!("seed {seed}: PANIC");
                    failed += 1;
                    if !keep_going {
                        return ExitCode::FAILURE;
                    }
                    continue;
                };
                simulated += outcome.simulated;
                counts.events += outcome.counts.events;
                counts.elections += outcome.counts.elections;
                counts.offices += outcome.counts.offices;
                counts.acknowledged += outcome.counts.acknowledged;
                counts.raises += outcome.counts.raises;
                counts.rebuilt += outcome.counts.rebuilt;
                counts.reads += outcome.counts.reads;
                if let Some(settled) = outcome.settled {
                    worst = worst.max((settled, seed));
                }
                if let Some(violation) = outcome.violation {
                    failed += 1;
                    let text = violation.to_string();
                    let first = text.lines().next().unwrap_or_default();
                    println!("seed {seed}: {first}");
                    if !keep_going {
                        return ExitCode::FAILURE;
                    }
                }
            }
            let rate = simulated as f64 / began.elapsed().as_nanos() as f64;
            println!(
                "{seeds} seeds, {failed} failed, {rate:.0} x real time, worst settle {worst:?}, {counts:?}"
            );
            if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Command::Replay { seed, nodes, minutes, frames } => {
            let detail = if frames { Detail::Frames } else { Detail::Events };
            let run = swarm(seed, nodes, minutes * 60 * SECOND, detail);
            print!("{}", run.world.trace().to_text());
            let outcome = run.outcome();
            println!("{:#?}", outcome);
            if outcome.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
    }
}
