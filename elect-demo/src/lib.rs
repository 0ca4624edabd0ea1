//! The demonstration: a cluster of real processes that loses its primary while a client writes.
//!
//! Three nodes run as processes of their own. The primary is killed, another takes over, the killed one comes
//! back and is handed the office again. In the end everything that was acknowledged is read back, every election
//! is checked, and the whole run is drawn as a timeline.

mod client;
mod clock;
mod cluster;
mod console;
mod events;
mod figures;
mod format;
mod ports;
mod process;
mod recorder;
mod resp;
mod script;
mod signals;
mod timeline;
mod trace;
mod verdict;
mod writer;

use std::fs::{self, OpenOptions};
use std::io::{self, Stdout, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use self::clock::Clock;
use self::cluster::{Cluster, SetupError};
use self::console::{Console, Style};
use self::figures::{Figures, Setting};
use self::recorder::{Recorder, Stop};
use self::script::{DEMO_DURATION_MAX, Failure, RunResult, Script};
use self::trace::Trace;
use self::verdict::{Evidence, Verdict};

/// Shows a failover: three processes, a writing client, a kill, a restart, a handover.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "elect-demo", version)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct DemoArgs {
    /// Leave the cluster up after the run, say how to reach it with redis-cli, and wait for Ctrl-C.
    #[arg(long)]
    pub keep: bool,
    /// Print one JSON object instead of the running report.
    #[arg(long)]
    pub json: bool,
    /// Let the survivors take a refused connection for proof that the primary is dead: a failover in milliseconds.
    #[arg(long)]
    pub crash_evidence: bool,
    /// Links of the election are TLS, with certificates that are made for the run.
    #[arg(long)]
    pub tls: bool,
    /// Where to write the timeline, an HTML page. Default: into the directory of the run.
    #[arg(long, value_name = "FILE")]
    pub timeline: Option<PathBuf>,
}

/// Runs the demonstration. It ends with 0 if everything held, with 1 if something did not, with 2 if there was
/// no cluster to judge.
pub fn run(args: &DemoArgs) -> ExitCode {
    match Demo::prepare(args).and_then(Demo::run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "elect-demo: {failure}");
            match failure {
                Failure::Setup(_) => ExitCode::from(2),
                Failure::Stopped(_) => ExitCode::FAILURE,
            }
        }
    }
}

struct Demo<'a> {
    args: &'a DemoArgs,
    setting: Setting,
    directory: PathBuf,
    recorder: Arc<Recorder>,
    began: Instant,
    clock: Clock,
    cluster: Cluster,
    console: Console<Stdout>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Summary<'a> {
    held: bool,
    #[serde(flatten)]
    figures: &'a Figures,
    checks: &'a [verdict::Check],
    #[serde(rename = "took_ms", serialize_with = "figures::as_ms")]
    took: Duration,
    timeline: &'a Path,
    /// Configurations, logs and events of the nodes.
    directory: &'a Path,
}

impl<'a> Demo<'a> {
    fn prepare(args: &'a DemoArgs) -> Result<Self, Failure> {
        let began = Instant::now();
        if let Some(path) = &args.timeline {
            // Before the run: at its end it would be too late.
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|error| unwritable(path, &error))?;
        }
        let recorder = Arc::new(Recorder::default());
        signals::stop_on_signals(Arc::clone(&recorder)).map_err(|error| {
            SetupError::new("signal handlers", &error, "allow this user to start more threads")
        })?;
        let setting = Setting {
            nodes: 3,
            detection: Duration::from_millis(500),
            heartbeat: Duration::from_millis(50),
            crash_evidence: args.crash_evidence,
            tls: args.tls,
        };
        let directory = fresh_directory()?;
        let mut cluster = Cluster::prepare(&directory, &setting, Arc::clone(&recorder))?;
        let clock = cluster.start_clock();
        let style = if args.json { Style::Silent } else { Style::for_stdout() };
        Ok(Self {
            args,
            setting,
            directory,
            recorder,
            began,
            clock,
            cluster,
            console: Console::new(io::stdout(), style),
        })
    }

    /// Plays, judges and draws. Whatever ends it, no process of the cluster outlives it: dropping kills them.
    fn run(mut self) -> Result<bool, Failure> {
        self.introduce();
        let script = Script {
            recorder: Arc::clone(&self.recorder),
            began: self.began,
            clock: self.clock,
            cluster: &mut self.cluster,
            console: &mut self.console,
            setting: self.setting,
        };
        let (result, stopped) = match script.play() {
            Ok(result) => (result, None),
            Err(Failure::Stopped(stop @ Stop::Interrupted(_))) => {
                self.cluster.stop();
                self.delete_data()?;
                return Err(stop.into());
            }
            Err(Failure::Stopped(stop)) => (RunResult::default(), Some(stop)),
            Err(failure) => return Err(failure),
        };
        let end = self.clock.now();
        let keeps = self.args.keep && stopped.is_none();
        if !keeps {
            self.cluster.stop();
        }
        let (figures, mut verdict, trace) = self.judge(&result, end);
        let took = self.began.elapsed();
        verdict.add_duration(took, DEMO_DURATION_MAX);
        if !keeps {
            verdict.add_cleanup(self.cluster.ports_taken());
        }
        let timeline = self.draw(&trace, &figures, &verdict)?;
        self.conclude(&figures, &verdict, took, &timeline);
        if let Some(stop) = stopped {
            return Err(stop.into());
        }
        let mut held = verdict.held();
        if keeps {
            held &= self.keep(&result)?;
        }
        if held {
            self.delete_data()?;
        }
        Ok(held)
    }

    /// What the nodes stored is of no use any more, unless something broke.
    fn delete_data(&self) -> Result<(), SetupError> {
        self.cluster.delete_data().map_err(|error| {
            SetupError::new(self.directory.display().to_string(), &error, "delete the directory by hand")
        })
    }

    fn introduce(&mut self) {
        let Setting { nodes, detection, heartbeat, crash_evidence, tls } = self.setting;
        self.console.print(&format!(
            "elect-demo: {nodes} nodes on 127.0.0.1, detection {} ms, heartbeat {} ms, crash evidence {}, TLS {}",
            detection.as_millis(),
            heartbeat.as_millis(),
            if crash_evidence { "on" } else { "off" },
            if tls { "on" } else { "off" },
        ));
        for (node, address) in self.cluster.nodes() {
            self.console.print(&format!("  {node} serves clients at {address}"));
        }
        self.console.print(&format!("  configurations, logs and events: {}\n", self.directory.display()));
    }

    fn judge(&self, result: &RunResult, end: Duration) -> (Figures, Verdict, Trace) {
        let trace = self.recorder.read(|state| {
            let mut events = state.events.clone();
            events.sort_by_key(|event| event.at);
            Trace {
                nodes: self.cluster.nodes().into_iter().map(|(node, _)| node).collect(),
                events,
                actions: state.actions.clone(),
                acknowledged: state.acknowledged.clone(),
                end,
            }
        });
        let verdict = Verdict::of(&Evidence {
            trace: &trace,
            ledger: &result.ledger,
            read_back: &result.read_back,
            caught_up: result.caught_up,
            failover_at_most: self.cluster.failover_at_most(),
        });
        (Figures::of(self.setting, &trace, &result.ledger), verdict, trace)
    }

    fn draw(&self, trace: &Trace, figures: &Figures, verdict: &Verdict) -> Result<PathBuf, SetupError> {
        let path = self.args.timeline.clone().unwrap_or_else(|| self.directory.join("timeline.html"));
        fs::write(&path, timeline::draw(trace, figures, verdict))
            .map_err(|error| unwritable(&path, &error))?;
        Ok(path)
    }

    fn conclude(&mut self, figures: &Figures, verdict: &Verdict, took: Duration, timeline: &Path) {
        self.console.print_summary(figures, verdict);
        self.console.print(&format!("  timeline: {}", timeline.display()));
        if self.args.json {
            let (held, checks, directory) = (verdict.held(), &*verdict.checks, &*self.directory);
            let summary = Summary { held, figures, checks, took, timeline, directory };
            if let Ok(json) = serde_json::to_string_pretty(&summary) {
                let _ = writeln!(io::stdout(), "{json}");
            }
        }
    }

    /// Leaves the cluster up until a signal comes. Whether it ended cleanly then.
    fn keep(&mut self, result: &RunResult) -> Result<bool, Stop> {
        self.console.print("\nThe cluster stays up until Ctrl-C. Try, for example:");
        let mut nodes = self.cluster.nodes();
        nodes.sort_by_key(|(node, _)| Some(*node) != result.primary);
        for (index, (node, address)) in nodes.into_iter().enumerate() {
            let port = address.port();
            if index == 0 {
                self.console
                    .print(&format!("  redis-cli -p {port} SET greeting hello   # {node}, the primary"));
                self.console.print(&format!("  redis-cli -p {port} GET greeting"));
            } else {
                self.console.print(&format!(
                    "  redis-cli -p {port} SET greeting hello   # {node} follows: a redirect"
                ));
            }
        }
        match self.recorder.wait_for_stop() {
            Stop::Interrupted(_) => {}
            stop => return Err(stop),
        }
        self.console.print("\nThe cluster is stopped.");
        self.cluster.stop();
        let taken = self.cluster.ports_taken();
        for port in &taken {
            self.console.print(&format!("  {port} is still taken"));
        }
        Ok(taken.is_empty())
    }
}

fn unwritable(path: &Path, error: &io::Error) -> SetupError {
    SetupError::new(path.display().to_string(), error, "name a file that can be written with --timeline")
}

fn fresh_directory() -> Result<PathBuf, SetupError> {
    let unwritable = |path: &Path, error: &io::Error| {
        SetupError::new(path.display().to_string(), error, "set TMPDIR to a directory that can be written to")
    };
    let parent = std::env::temp_dir();
    for attempt in 0..100 {
        let path = parent.join(format!("elect-demo-{}-{attempt}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unwritable(&path, &error)),
        }
    }
    Err(unwritable(
        &parent,
        &io::Error::new(io::ErrorKind::AlreadyExists, "too many directories of earlier demos"),
    ))
}
