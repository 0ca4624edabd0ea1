//! The `elect-demo` command. Started with a subcommand of `elect-kv` it is that: its nodes are processes of itself.

use std::process::ExitCode;

use clap::Parser as _;
use elect_demo::DemoArgs;

fn main() -> ExitCode {
    let subcommand = std::env::args().nth(1);
    match subcommand.as_deref() {
        Some("init" | "serve") => elect_kv::cli::main(),
        _ => elect_demo::run(&DemoArgs::parse()),
    }
}
