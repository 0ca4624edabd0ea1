//! The `elect-kv` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    elect_kv::cli::main()
}
