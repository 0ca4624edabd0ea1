//! What elect-kv reaches on this machine, measured on real processes: beside redis-server, after many writes, among many
//! clients, through failovers. Started with a subcommand of `elect-kv` it is that: its nodes are processes of itself.
//!
//! `cargo run --release -p elect-kv --example figures -- --help`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints figures, and what it is doing")]

mod acknowledge;
mod beside_redis;
mod client;
mod clients;
pub(crate) mod command;
mod failover;
mod figure;
mod fill;
mod group;
mod machine;
mod ports;
mod probe;
mod process;
mod redis_server;
pub(crate) mod report;
mod restart;
mod setting;
mod spans;

use std::process::ExitCode;

/// Whatever goes wrong is told in a line.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("init" | "serve") => elect_kv::cli::main(),
        _ => command::main(),
    }
}
