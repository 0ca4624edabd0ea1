//! Acknowledged operations of real nodes under faults, judged for linearizability: the evidence of the README, by command.
//!
//! `cargo run --release -p elect-kv --example campaign -- --help`
#![cfg_attr(not(target_os = "linux"), allow(unused))]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints what it finds, and its progress")]

#[cfg(target_os = "linux")]
#[path = "mod.rs"]
mod campaign;
#[cfg(target_os = "linux")]
mod command;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    command::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("skipped: the campaign needs the signals and the preloaded libraries of Linux");
}
