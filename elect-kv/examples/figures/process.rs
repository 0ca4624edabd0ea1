//! A process that ends with its value, and what it uses.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::Outcome;
use super::machine::field;

#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Outcome<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        child.map(Self).map_err(|error| format!("{program}: {error}").into())
    }

    /// kill −9, and waits for its end.
    pub(crate) fn kill(mut self) -> Outcome<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Fails once it has ended by itself.
    pub(crate) fn check(&mut self) -> Outcome<()> {
        self.0.try_wait()?.map_or(Ok(()), |status| Err(format!("a process has ended: {status}").into()))
    }

    /// The memory that it has, in MiB.
    pub(crate) fn memory(&self) -> Outcome<f64> {
        self.kibibytes("VmRSS").map(|kibibytes| kibibytes / 1024.0)
    }

    /// The most memory that it has had, in MiB.
    pub(crate) fn peak(&self) -> Outcome<f64> {
        self.kibibytes("VmHWM").map(|kibibytes| kibibytes / 1024.0)
    }

    fn kibibytes(&self, name: &str) -> Outcome<f64> {
        let value = field(format!("/proc/{}/status", self.0.id()), name);
        Ok(value
            .ok_or("Linux' /proc is needed to see what a process uses")?
            .trim_end_matches(" kB")
            .parse()?)
    }

    /// What it has used of the processors, to ten milliseconds: on a busy machine it waits for them, too.
    pub(crate) fn processor_time(&self) -> Outcome<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        Ok(Duration::from_millis(10 * fields.map(str::parse::<u64>).sum::<Result<u64, _>>()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a directory takes on the disk, in MiB.
pub(crate) fn disk_usage(dir: &Path) -> Outcome<f64> {
    fn blocks(dir: &Path) -> std::io::Result<u64> {
        fs::read_dir(dir)?.try_fold(0, |sum, entry| {
            let entry = entry?;
            let below = if entry.file_type()?.is_dir() { blocks(&entry.path())? } else { 0 };
            Ok(sum + below + entry.metadata()?.blocks())
        })
    }
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 blocks")]
    Ok(blocks(dir)? as f64 / 2048.0)
}
