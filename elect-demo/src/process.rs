//! A child process that ends on every path: its output is read to the end, its end is waited for, and dropping
//! it kills it.

use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A running child process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    reader: Option<JoinHandle<()>>,
    /// Hangs up when the process has closed its output: it has ended.
    ended: Receiver<()>,
}

impl Process {
    /// Starts `command`. `on_line` hears each line of its output, then `on_end` once.
    pub(crate) fn spawn(
        command: &mut Command,
        mut on_line: impl FnMut(&str) + Send + 'static,
        on_end: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        // A group of its own: Ctrl-C on the terminal reaches the demo, which decides what becomes of its nodes.
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take();
        let (hold, ended) = mpsc::channel();
        let reader = thread::Builder::new().name("reader".into()).spawn(move || {
            for line in stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
                match line {
                    Ok(line) => on_line(&line),
                    Err(_) => break,
                }
            }
            on_end();
            drop(hold);
        });
        let mut process = Self { child, reader: None, ended };
        // Without its reader the process must not stay: dropping it here kills it.
        process.reader = Some(reader?);
        Ok(process)
    }

    /// kill −9. Its end is certain, and its last output has been heard, when this returns.
    pub(crate) fn kill(mut self) {
        self.end_now();
    }

    /// Asks it to end (SIGTERM).
    pub(crate) fn terminate(&self) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            // A process that has just ended by itself needs no signal.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
    }

    /// Waits for its end, but not longer than `within`: then it is killed and there is no status.
    pub(crate) fn wait(mut self, within: Duration) -> Option<ExitStatus> {
        match self.ended.recv_timeout(within) {
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => self.child.wait().ok(),
        }
    }

    fn end_now(&mut self) {
        // It may have ended by itself: then there is nothing to kill, and the wait returns at once.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end_now();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> (Process, Receiver<String>) {
        let (lines, heard): (Sender<String>, _) = channel();
        let lines = Arc::new(lines);
        let last = Arc::clone(&lines);
        let process = Process::spawn(
            Command::new("sh").args(["-c", script]),
            move |line| lines.send(line.into()).expect("a listener"),
            move || last.send("(end)".into()).expect("a listener"),
        );
        (process.expect("a shell"), heard)
    }

    #[test]
    fn output_is_heard_to_the_end_and_the_status_is_kept() {
        let (process, heard) = shell("echo one; echo two; exit 3");
        let status = process.wait(LONG).expect("it ends");
        assert_eq!(status.code(), Some(3));
        assert_eq!(heard.into_iter().collect::<Vec<_>>(), ["one", "two", "(end)"]);
    }

    #[test]
    fn kill_leaves_nothing_and_returns_when_it_is_over() {
        let (process, heard) = shell("echo up; exec sleep 1000");
        assert_eq!(heard.recv_timeout(LONG), Ok("up".into()));
        process.kill();
        assert_eq!(heard.try_recv(), Ok("(end)".into()));
    }

    #[test]
    fn dropping_kills() {
        let (process, heard) = shell("echo up; exec sleep 1000");
        assert_eq!(heard.recv_timeout(LONG), Ok("up".into()));
        drop(process);
        assert_eq!(heard.try_recv(), Ok("(end)".into()));
    }

    #[test]
    fn termination_is_asked_for_and_a_deaf_process_is_killed() {
        let (process, heard) = shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done");
        assert_eq!(heard.recv_timeout(LONG), Ok("up".into()));
        process.terminate();
        assert_eq!(process.wait(LONG).and_then(|status| status.code()), Some(0));
        assert_eq!(heard.recv_timeout(LONG), Ok("bye".into()));

        let (process, heard) = shell("trap '' TERM; echo up; while :; do sleep 0.01; done");
        assert_eq!(heard.recv_timeout(LONG), Ok("up".into()));
        process.terminate();
        assert_eq!(process.wait(Duration::from_millis(50)), None);
        assert_eq!(heard.try_recv(), Ok("(end)".into()), "it is dead when wait returns");
    }
}
