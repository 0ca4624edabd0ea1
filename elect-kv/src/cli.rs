//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::demo::{self, DemoArgs};

/// A replicated key-value server: redis-cli talks to it, and it survives the loss of its primary.
#[derive(Debug, Parser)]
#[command(name = "elect-kv", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// First boot of a node, once: makes its data directory. An existing vote file is refused.
    Init(ConfigArg),
    /// Says that a node's storage was lost: it rejoins, and counts for nothing until it has caught up.
    ReplaceLost(ConfigArg),
    /// Runs one node until SIGTERM or SIGINT.
    Serve(ServeArgs),
    /// Shows a failover: three processes, a writing client, a kill, a restart, a handover.
    Demo(DemoArgs),
}

#[derive(Debug, Args)]
struct ConfigArg {
    /// The node's configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Appends one JSON object per line for everything that matters.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Init(_) | Command::ReplaceLost(_) | Command::Serve(_) => ExitCode::FAILURE,
    }
}
