//! The machine that is measured: no figure means anything without it.

use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Outcome;
use super::spans::Spans;

/// Synced appends that tell how fast the disk is.
const SYNCS: usize = 200;

#[derive(Debug)]
pub(crate) struct Machine {
    date: String,
    processor: String,
    cores: usize,
    kernel: String,
    file_system: String,
    load: String,
    /// What a synced append of 100 bytes takes.
    sync: Spans,
}

impl Machine {
    pub(crate) fn look(dir: &Path) -> Outcome<Self> {
        Ok(Self {
            date: Timestamp::now()
                .to_zoned_datetime(TimeZone::system())
                .strftime("%Y-%m-%d %H:%M %:z")
                .to_string(),
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism()?.get(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            file_system: file_system(dir).unwrap_or_else(|| "unknown".into()),
            load: load(),
            sync: synced_appends(dir)?,
        })
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "date": self.date, "processor": self.processor, "cores": self.cores, "kernel": self.kernel,
            "file_system": self.file_system, "load": self.load, "sync_ms": self.sync.millis(0.5),
            "sync_p99_ms": self.sync.millis(0.99),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, processor, cores, kernel, file_system, load, sync } = self;
        write!(
            f,
            "{date}, {cores} × {processor}, Linux {kernel}, {file_system}: a synced append takes {:.2} ms (p99 {:.2}), load {load}",
            sync.millis(0.5),
            sync.millis(0.99)
        )
    }
}

/// The load of this machine in the last minute.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// What stands behind a name in a file of lines `name : value`.
pub(crate) fn field(file: impl AsRef<Path>, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The kind of file system below a directory: that of the longest mount point that leads there.
fn file_system(dir: &Path) -> Option<String> {
    let (dir, mounts) = (dir.canonicalize().ok()?, fs::read_to_string("/proc/mounts").ok()?);
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let leading = fields.filter(|fields| fields.len() > 2 && dir.starts_with(fields[1]));
    leading.max_by_key(|fields| fields[1].len()).map(|fields| fields[2].to_owned())
}

fn synced_appends(dir: &Path) -> Outcome<Spans> {
    let path = dir.join("sync");
    let (mut file, mut spans) = (File::create(&path)?, Spans::default());
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&[b'x'; 100])?;
        file.sync_data()?;
        spans.note(began.elapsed());
    }
    fs::remove_file(path)?;
    Ok(spans)
}
