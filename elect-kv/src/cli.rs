//! The command line.

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use elect_core::{ClusterId, NodeId};
use elect_tcp::DevCerts;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

use crate::config::Settings;
use crate::line_writer::LineWriter;
use crate::node::{self, Server};
use crate::parent::end_with;

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
    /// Says that a vote file which was moved or restored is the only copy and the newest: if it is neither, votes are
    /// forgotten, and `replace-lost` is what is needed.
    Adopt(ConfigArg),
    /// Runs one node until SIGTERM or SIGINT, then hands over and ends in good order.
    Serve(ServeArgs),
    /// Makes certificates for development: `ca.pem`, and `NODE.pem` with `NODE.key` for each node. Whoever can read the
    /// directory can be every node: not for production.
    DevCerts(DevCertsArgs),
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
    /// What is written to standard error about the election: off, error, warn, info, debug.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: LevelFilter,
    /// Ends, whatever it is doing, when the process with this id that started it ends. For the demo.
    #[arg(long, value_name = "PID", hide = true)]
    end_with: Option<u32>,
}

#[derive(Debug, Args)]
struct DevCertsArgs {
    /// The cluster's name, as in the nodes' configuration files.
    #[arg(long)]
    cluster: ClusterId,
    /// Where they are written. An authority that is there already issues more.
    directory: PathBuf,
    /// The nodes.
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<NodeId>,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Init(arg) => prepare(&arg.config, node::init).map(|(settings, ())| {
            say(format_args!(
                "{} is ready for its first start; its vote and its log are in {}",
                settings.node(),
                settings.data_dir.display()
            ));
        }),
        Command::ReplaceLost(arg) => prepare(&arg.config, node::replace_lost).map(|(settings, kept)| {
            say(format_args!(
                "{} rejoins at its next start and counts for nothing until it has caught up",
                settings.node()
            ));
            if let Some(kept) = kept {
                say(format_args!("the old vote file is kept as {}", kept.display()));
            }
        }),
        Command::Adopt(arg) => prepare(&arg.config, node::adopt).map(|(settings, repaired)| {
            say(format_args!("{} is at home in {}", settings.node(), settings.vote_file().display()));
            if repaired > 0 {
                say(format_args!("{repaired} of four copies in it were restored"));
            }
        }),
        Command::DevCerts(args) => dev_certs(&args).map(|()| {
            say(format_args!(
                "certificates for development of cluster {} are in {}",
                args.cluster,
                args.directory.display()
            ));
        }),
        Command::Serve(args) => serve(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may listen any more: that is no reason to panic.
            let _ = writeln!(std::io::stderr(), "elect-kv: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One line on standard output, which may be closed.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

type Failure = Box<dyn std::error::Error>;

fn dev_certs(args: &DevCertsArgs) -> Result<(), Failure> {
    let authority = DevCerts::open(&args.directory, args.cluster)?;
    for node in &args.nodes {
        authority.issue(*node)?;
    }
    Ok(())
}

fn prepare<T>(
    config: &Path,
    make: impl FnOnce(&Settings) -> Result<T, node::ServeError>,
) -> Result<(Settings, T), Failure> {
    let settings = Settings::read(config)?;
    let answer = make(&settings)?;
    Ok((settings, answer))
}

fn serve(args: &ServeArgs) -> Result<(), Failure> {
    if let Some(parent) = args.end_with {
        end_with(parent)?;
    }
    let about_dropped = |lost| {
        format!("{lost} lines before this one were dropped: standard error took them too slowly\n").into()
    };
    // From a thread of its own: the election must not wait for whoever reads this.
    let lines = LineWriter::start("log", std::io::stderr(), about_dropped)?;
    tracing_subscriber::fmt().with_writer(lines.clone()).with_max_level(args.log).init();
    let settings = Settings::read(&args.config.config)?;
    let warnings: Vec<_> =
        settings.elect.warnings().iter().map(|warning| format!("\n  note: {warning}")).collect();
    let server = Server::start(settings, args.events.as_deref())?;
    say(server.banner() + &warnings.concat());
    let ended = server.run_until(asked_to_stop());
    lines.finish();
    Ok(ended?)
}

async fn asked_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without handlers the signals end the process as they always do.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
