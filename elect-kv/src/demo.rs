//! The demonstration: a cluster of real processes that loses its primary.

use std::process::ExitCode;

/// What `demo` may be told.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct DemoArgs {
    /// Leave the cluster up and say how to reach it with redis-cli.
    #[arg(long)]
    pub keep: bool,
}

/// Runs the demonstration.
pub fn run(args: DemoArgs) -> ExitCode {
    let _ = args;
    ExitCode::FAILURE
}
