//! The `elect-sim` command.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to its user")]

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  elect-sim run --seeds 10000                 ten thousand groups, one simulated minute each
  elect-sim run --nodes 5 --minutes 10        groups of five, ten minutes each
  elect-sim run --seeds 100000 --json | jq .  a summary for machines
  elect-sim run --kept                        the seeds that failed once, and the worst that held
  elect-sim run --hashes before.txt           a hash of each trace: equal where a change changes nothing
  elect-sim replay 4711                       what happened in one of them
  elect-sim replay 4711 --frames              with every frame
  elect-sim shrink 4711 -o failing.txt        the same failure as a short scenario
  elect-sim scenario failing.txt              which is played like any other
  elect-sim scenario --all                    every story of the repository
  elect-sim scenario one-cut-link             one of them, with its trace
  elect-sim check                             every state of a small group
  elect-sim mutants                           every planted bug, and what notices it
  elect-sim bench                             how fast the simulator is
  elect-sim timeline 4711 -o run.svg          a picture of it
  elect-sim topologies --nodes 4              every set of cut links in a steady group of four";

/// Attacks the real elector on virtual time, checks every step, and shows what happened.
///
/// One seed decides everything: a run that fails is repeated exactly by its seed. The exit code is 0 if everything
/// held, 1 if something did not, 2 for input that cannot be used.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs many seeds: each a storm of faults and then a calm in which there must be a leader
    Run(commands::run::Arguments),
    /// Runs one seed and shows what happened
    Replay(commands::replay::Arguments),
    /// Makes a short scenario out of a seed that fails
    Shrink(commands::shrink::Arguments),
    /// Plays stories with expectations: everything that ever went wrong somewhere
    Scenario(commands::scenario::Arguments),
    /// Tries what can happen in a group of three in every order, until no state is left
    Check(commands::check::Arguments),
    /// Measures how fast the simulator is
    Bench(commands::bench::Arguments),
    /// Plants bugs into a copy of the library and looks who notices
    Mutants(commands::mutants::Arguments),
    /// Draws a seed or a scenario as an SVG that needs nothing else
    Timeline(commands::timeline::Arguments),
    /// Cuts every set of directed links in a steady group, or heals it, and looks who leads then
    Topologies(commands::topologies::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Replay(arguments) => Ok(commands::replay::run(&arguments)),
        Command::Shrink(arguments) => commands::shrink::run(&arguments),
        Command::Scenario(arguments) => commands::scenario::run(&arguments),
        Command::Check(arguments) => Ok(commands::check::run(&arguments)),
        Command::Bench(arguments) => Ok(commands::bench::run(&arguments)),
        Command::Mutants(arguments) => commands::mutants::run(&arguments),
        Command::Timeline(arguments) => commands::timeline::run(&arguments),
        Command::Topologies(arguments) => commands::topologies::run(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => {
            eprintln!("error: {wrong}");
            ExitCode::from(2)
        }
    }
}
