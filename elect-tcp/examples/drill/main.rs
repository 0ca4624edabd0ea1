//! Real processes on this machine, and what goes wrong with them: the evidence of the README, by command.
//!
//! `cargo run --release -p elect-tcp --example drill -- --help`
#![cfg_attr(not(target_os = "linux"), allow(unused))]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints what it measures, and its progress")]

#[cfg(target_os = "linux")]
mod command;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod disks;
#[cfg(target_os = "linux")]
mod figures;
#[cfg(target_os = "linux")]
mod findings;
#[cfg(target_os = "linux")]
mod group;
#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod kills;
#[cfg(target_os = "linux")]
mod leases;
#[cfg(target_os = "linux")]
mod log;
#[cfg(target_os = "linux")]
mod node;
#[cfg(target_os = "linux")]
mod silent;
#[cfg(target_os = "linux")]
mod stops;
#[cfg(target_os = "linux")]
mod topologies;
#[cfg(target_os = "linux")]
mod twins;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    command::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("skipped: the drills need the signals and the shared clock of Linux");
}
