//! The command line.

use std::fmt::Display;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use elect_core::{ClusterId, NodeId};
use elect_tcp::DevCerts;
use jiff::SignedDuration;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

use crate::config::{EXAMPLE, Settings};
use crate::event_log::EventLog;
use crate::logging::{self, LogFormat};
use crate::node::{self, Server};
use crate::parent::end_with;
use crate::remote::{self, Outcome};

/// A replicated key-value server: redis-cli talks to it, and it survives the loss of its primary.
#[derive(Debug, Parser)]
#[command(name = "elect-kv", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  refused or failed; one line on standard error says why
  2  the command line is wrong
  3  status: a primary serves, and something is wrong: a node that does not answer, a link that does not stand, writes
     that no quorum confirms
  4  status, handover, pause, resume: no node serves as the primary, or none answers

status, handover, pause and resume ask the nodes of the configuration file over their client ports, with its
operator_password or password. Each node has 2 s for its answer.

Examples:
  elect-kv example-config > a.toml
  elect-kv check-config --config a.toml && systemctl restart elect-kv
  elect-kv status --config a.toml --watch
  elect-kv status --config a.toml --json | jq -r '.nodes[] | select(.error) | .node'
  elect-kv handover b --config a.toml
  elect-kv pause 10m --config a.toml";

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
    /// Shows all nodes of a configuration: role, epoch, lease, lag, links and what is wrong with them.
    Status(StatusArgs),
    /// Hands the primary's office over, to one node or to the best, and waits until it is done.
    Handover(HandoverArgs),
    /// Pauses failover in the whole cluster, for 1ms to 24h: nobody but the primary of now is elected meanwhile.
    Pause(PauseArgs),
    /// Ends a pause.
    Resume(ConfigArg),
    /// Checks all that `serve` checks in a configuration file, without starting. The node may run meanwhile.
    CheckConfig(ConfigArg),
    /// Prints a configuration file with every key, explained.
    ExampleConfig,
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
    /// What is written to standard error: off, error, warn, info, debug. Default: the file's `log_level`, or info.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<LevelFilter>,
    /// How. Default: the file's `log_format`, or text.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Ends, whatever it is doing, when the process with this id that started it ends. For the demo.
    #[arg(long, value_name = "PID", hide = true)]
    end_with: Option<u32>,
}

#[derive(Debug, Args)]
struct StatusArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Again every second, until it is interrupted.
    #[arg(long)]
    watch: bool,
    /// What every node says, as one JSON object on a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct HandoverArgs {
    /// To whom. Default: the best node that is fit.
    #[arg(value_name = "NODE")]
    to: Option<NodeId>,
    #[command(flatten)]
    config: ConfigArg,
    /// Also where the node lacks entries: the handover waits for it until its deadline.
    #[arg(long, requires = "to")]
    force: bool,
}

#[derive(Debug, Args)]
struct PauseArgs {
    /// For how long: 90s, 10m, 1h30m.
    #[arg(value_name = "DURATION")]
    span: SignedDuration,
    #[command(flatten)]
    config: ConfigArg,
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
    match run(Cli::parse().command) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Degraded) => ExitCode::from(3),
        Ok(Outcome::NoPrimary) => ExitCode::from(4),
        Err(error) => {
            // Nobody may listen any more: that is no reason to panic.
            let _ = writeln!(std::io::stderr(), "elect-kv: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Init(arg) => init(&arg)?,
        Command::ReplaceLost(arg) => replace_lost(&arg)?,
        Command::Adopt(arg) => adopt(&arg)?,
        Command::Serve(args) => serve(&args)?,
        Command::CheckConfig(arg) => check_config(&arg)?,
        Command::ExampleConfig => say(EXAMPLE.trim_end()),
        Command::DevCerts(args) => dev_certs(&args)?,
        Command::Status(args) => return Ok(remote::status(&args.config.read()?, args.json, args.watch)?),
        Command::Handover(args) => {
            return Ok(remote::handover(&args.config.read()?, args.to, args.force)?);
        }
        Command::Pause(args) => {
            let span = args.span.try_into().map_err(|_| "a pause lasts from now on: 10m for ten minutes")?;
            return Ok(remote::pause(&args.config.read()?, span)?);
        }
        Command::Resume(arg) => return Ok(remote::resume(&arg.read()?)?),
    }
    Ok(Outcome::Done)
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
    let (cluster, dir) = (args.cluster, args.directory.display());
    say(format_args!("certificates for development of cluster {cluster} are in {dir}"));
    Ok(())
}

impl ConfigArg {
    fn read(&self) -> Result<Settings, Failure> {
        Ok(Settings::read(&self.config)?)
    }
}

fn init(arg: &ConfigArg) -> Result<(), Failure> {
    let settings = arg.read()?;
    node::init(&settings)?;
    let (node, dir) = (settings.node(), settings.data_dir.display());
    say(format_args!("{node} is ready for its first start; its vote and its log are in {dir}"));
    Ok(())
}

fn replace_lost(arg: &ConfigArg) -> Result<(), Failure> {
    let settings = arg.read()?;
    let kept = node::replace_lost(&settings)?;
    let node = settings.node();
    say(format_args!("{node} rejoins at its next start and counts for nothing until it has caught up"));
    if let Some(kept) = kept {
        say(format_args!("the old vote file is kept as {}", kept.display()));
    }
    Ok(())
}

fn adopt(arg: &ConfigArg) -> Result<(), Failure> {
    let settings = arg.read()?;
    let repaired = node::adopt(&settings)?;
    say(format_args!("{} is at home in {}", settings.node(), settings.vote_file().display()));
    if repaired > 0 {
        say(format_args!("{repaired} of four copies in it were restored"));
    }
    Ok(())
}

fn check_config(arg: &ConfigArg) -> Result<(), Failure> {
    let settings = arg.read()?;
    settings.check_files()?;
    let (file, node) = (settings.path.display(), settings.node());
    let count = settings.peers.len() + 1;
    say(format_args!(
        "{file} is in order: node {node} of cluster {}, {count} nodes",
        settings.elect.cluster()
    ));
    let vote = settings.vote_file();
    let unmade = (!vote.exists()).then(|| {
        format!("there is no vote file at {}: if this node has never run, `init` comes next", vote.display())
    });
    for note in settings.notes().into_iter().chain(unmade) {
        say(format_args!("  note: {note}"));
    }
    Ok(())
}

fn serve(args: &ServeArgs) -> Result<(), Failure> {
    if let Some(parent) = args.end_with {
        end_with(parent)?;
    }
    let settings = args.config.read()?;
    let level = args.log_level.unwrap_or(settings.log_level);
    let lines = logging::start(level, args.log_format.unwrap_or(settings.file.log_format))?;
    let notes: Vec<_> = settings.notes().iter().map(|note| format!("\n  note: {note}")).collect();
    let server = Server::start(settings, args.events.as_deref())?;
    say(server.banner() + &notes.concat());
    let stop = asked_to_stop(server.events());
    let ended = server.run_until(stop);
    lines.finish();
    Ok(ended?)
}

/// SIGTERM or SIGINT. SIGHUP opens the file of events again; certificates are looked at in each handshake anyway.
async fn asked_to_stop(log: Arc<EventLog>) {
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = kinds.map(signal) else {
        // Without handlers the signals end the process as they always do.
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            _ = hangup.recv() => log.reopen(),
        }
    }
}
