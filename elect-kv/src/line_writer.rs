//! Lines for a file or a stream, written by a thread of their own: a reader that stalls stalls nobody else.
//!
//! At most [`LINES_MAX`] lines wait. What comes beyond is dropped and counted, and so is what cannot be written: a node does
//! not fail, or wait, for its diary.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use tracing_subscriber::fmt::MakeWriter;

/// The most lines that wait to be written.
pub const LINES_MAX: usize = 1024;

/// How long an end waits for the lines that are left.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Where lines go. Cheap to clone.
#[derive(Clone)]
pub struct LineWriter(Arc<Inner>);

struct Inner {
    lines: Sender<Item>,
    dropped: Arc<AtomicU64>,
}

enum Item {
    Line(Vec<u8>),
    /// Tells when everything before it was written.
    Mark(Sender<()>),
}

impl LineWriter {
    /// Starts the thread `name`, which writes to `target`, one write for each line. Before the first line that follows
    /// dropped ones it writes what `about_dropped` makes of their number.
    pub fn start(
        name: &str,
        target: impl Write + Send + 'static,
        about_dropped: impl FnMut(u64) -> Vec<u8> + Send + 'static,
    ) -> io::Result<Self> {
        let (lines, waiting) = bounded(LINES_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = dropped.clone();
        let run = move || write_for_ever(&waiting, target, &counter, about_dropped);
        std::thread::Builder::new().name(name.into()).spawn(run)?;
        Ok(Self(Arc::new(Inner { lines, dropped })))
    }

    /// Hands one line over, with its line break. Never waits.
    pub fn write(&self, line: Vec<u8>) {
        if self.0.lines.try_send(Item::Line(line)).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until the lines so far are written, for a second at most.
    pub fn finish(&self) {
        self.0.finish();
    }

    /// How many lines were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

fn write_for_ever(
    waiting: &Receiver<Item>,
    mut target: impl Write,
    dropped: &AtomicU64,
    mut about_dropped: impl FnMut(u64) -> Vec<u8>,
) {
    let mut told = 0;
    for item in waiting {
        let line = match item {
            Item::Line(line) => line,
            Item::Mark(reached) => {
                let _ = (target.flush(), reached.send(()));
                continue;
            }
        };
        let lost = dropped.load(Ordering::Relaxed);
        if lost > told && target.write_all(&about_dropped(lost - told)).is_ok() {
            told = lost;
        }
        if target.write_all(&line).is_err() {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Inner {
    fn finish(&self) {
        let deadline = Instant::now() + FLUSH_TIMEOUT;
        let (reach, reached) = bounded(1);
        if self.lines.send_deadline(Item::Mark(reach), deadline).is_ok() {
            let _ = reached.recv_deadline(deadline);
        }
    }
}

/// The last one waits for the lines that are left, but not for a reader that has stalled.
impl Drop for Inner {
    fn drop(&mut self) {
        self.finish();
    }
}

impl fmt::Debug for LineWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineWriter").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

/// For `tracing`, which writes each line at once.
impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        Self::write(self, line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LineWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Takes each line only when it is let, and keeps it.
    struct Stalled {
        lets: Receiver<()>,
        taken: Arc<Mutex<Vec<String>>>,
    }

    impl Write for Stalled {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.lets.recv();
            self.taken.lock().unwrap().push(String::from_utf8(line.to_vec()).unwrap());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stalled() -> (LineWriter, Sender<()>, Arc<Mutex<Vec<String>>>) {
        let (lets, waits) = bounded(0);
        let taken = Arc::<Mutex<Vec<String>>>::default();
        let target = Stalled { lets: waits, taken: taken.clone() };
        let writer = LineWriter::start("test", target, |lost| format!("{lost} lost\n").into_bytes()).unwrap();
        (writer, lets, taken)
    }

    #[test]
    fn a_reader_that_stalls_stalls_nobody_and_what_is_dropped_is_counted() {
        let (writer, lets, taken) = stalled();
        // One may be in the thread's hands.
        let more = LINES_MAX + 1 + 5;
        for number in 0..more {
            writer.write(format!("{number}\n").into_bytes());
        }
        let dropped = writer.dropped();
        assert!((5..=6).contains(&dropped), "{dropped}");
        drop(lets);
        drop(writer);
        let taken = taken.lock().unwrap();
        let (lost, lines): (Vec<&String>, Vec<_>) = taken.iter().partition(|line| line.ends_with("lost\n"));
        assert_eq!(lines.len() as u64, more as u64 - dropped);
        assert_eq!(lost, [&format!("{dropped} lost\n")], "told once");
    }

    #[test]
    fn an_end_does_not_wait_for_ever() {
        let (writer, lets, taken) = stalled();
        writer.write(b"line\n".to_vec());
        drop(writer);
        assert!(taken.lock().unwrap().is_empty(), "it was given up");
        drop(lets);
    }

    #[test]
    fn a_target_that_is_closed_costs_lines_and_nothing_else() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let writer = LineWriter::start("test", Closed, |_| b"lost\n".to_vec()).unwrap();
        let counter = writer.0.dropped.clone();
        writer.write(b"line\n".to_vec());
        drop(writer);
        assert_eq!(counter.load(Ordering::Relaxed), 1);
    }
}
