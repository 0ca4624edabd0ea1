//! redis-server beside elect-kv, and redis-benchmark for both.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Outcome;
use super::client::{self, BOUND};
use super::group::wait_until;
use super::process::Process;
use super::setting::Setting;

/// A tool that is not installed.
#[derive(Debug)]
pub(crate) struct Missing(&'static str);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is missing: on Debian and Ubuntu `apt-get install redis-server redis-tools`", self.0)
    }
}

impl std::error::Error for Missing {}

/// The version of a tool, if it is there.
fn look_for(tool: &'static str) -> Result<(), Missing> {
    let found = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.map(drop).map_err(|_| Missing(tool))
}

/// A redis-server that has synced whatever it acknowledged.
#[derive(Debug)]
pub(crate) struct RedisServer {
    pub(crate) port: u16,
    _process: Process,
}

impl RedisServer {
    pub(crate) fn start(setting: &Setting) -> Outcome<Self> {
        look_for("redis-server")?;
        look_for("redis-benchmark")?;
        let (dir, port) = (setting.dir.join("redis"), super::ports::free(1)?[0]);
        fs::create_dir(&dir)?;
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no", "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--logfile", "redis.log", "--dir"]);
        let mut process = Process::spawn(command.arg(&dir))?;
        let deadline = Instant::now() + BOUND;
        while !client::is_primary(port) {
            process.check()?;
            wait_until(deadline, "redis-server does not answer")?;
        }
        Ok(Self { port, _process: process })
    }
}

/// What redis-benchmark does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) test: &'static str,
    pub(crate) clients: u32,
    pub(crate) pipeline: u32,
}

impl Load {
    /// How many requests a second the server there answers, of so many; each with 100 bytes, over 100,000 keys.
    pub(crate) fn run(self, port: u16, requests: u64) -> Outcome<f64> {
        let Self { test, clients, pipeline } = self;
        let numbers =
            [u64::from(port), u64::from(clients), u64::from(pipeline), requests].map(|n| n.to_string());
        let [port, clients, pipeline, requests] = &numbers;
        let output = Command::new("redis-benchmark")
            .args(["-h", "127.0.0.1", "-p", port, "-c", clients, "-P", pipeline, "-n", requests])
            .args(["-t", test, "-d", "100", "-r", "100000", "--csv"])
            .stdin(Stdio::null())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        rate(&text).ok_or_else(|| {
            let errors = String::from_utf8_lossy(&output.stderr);
            format!("redis-benchmark ended with {} and said: {}{}", output.status, text.trim(), errors.trim())
                .into()
        })
    }
}

/// The second cell of the last line.
fn rate(text: &str) -> Option<f64> {
    text.lines().last()?.split(',').nth(1)?.trim_matches('"').parse().ok()
}
