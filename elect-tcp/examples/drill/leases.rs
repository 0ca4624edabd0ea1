//! Who held a lease and when, written down by every node on one clock, and the checker that compares them all.
//!
//! A node writes one line for each epoch that it leads and renews it in place, so that what a killed process held last is
//! in the file. All processes of a machine share `CLOCK_BOOTTIME`.
//!
//! An interval begins at the first look after the lease has begun, and ends where it is certain that it did not end before.
//! So there is no false alarm, and an overlap of less than a look (1 ms, more on a machine that is busy) is not seen.

use std::error::Error;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use elect_core::{Lease, StepDown, Time};

use crate::node::now;

/// Bytes of a line: five numbers of 20 digits, what became of it, and spaces. Many of them fill a page exactly: a process that
/// is killed leaves none half-written.
const LINE: usize = 128;

/// The file of one life of one node.
#[derive(Debug)]
pub(crate) struct LeaseLog {
    file: File,
    life: u32,
    line: Option<(u64, Held)>,
    next: u64,
}

/// A lease that is or was held.
#[derive(Clone, Copy, Debug)]
struct Held {
    epoch: u64,
    first: u64,
    last: u64,
    end: u64,
}

impl LeaseLog {
    /// Appends to the file of earlier lives, which are over from this moment on.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(false).write(true).truncate(false).open(path)?;
        let length = file.metadata()?.len();
        if !length.is_multiple_of(LINE as u64) {
            return Err(unreadable(path, "its last line is not whole"));
        }
        let next = length / LINE as u64 + 1;
        let log = Self { file, life: std::process::id(), line: None, next };
        let started = now();
        log.write(next - 1, Held { epoch: 0, first: started, last: started, end: started }, 's')?;
        Ok(log)
    }

    /// A lease that was held at some moment between the two readings of the clock. The interval written down is never
    /// longer than the real one at its beginning.
    pub(crate) fn held(&mut self, lease: &Lease, before: Time, after: Time) -> io::Result<()> {
        let epoch = lease.epoch.number();
        let (number, held) = match self.line {
            Some((number, held)) if held.epoch == epoch => {
                (number, Held { last: before.as_nanos(), end: lease.end.as_nanos(), ..held })
            }
            _ => {
                // A leader that raised its own epoch holds the earlier lease no more.
                self.close('r')?;
                self.next += 1;
                let (first, end) = (after.as_nanos(), lease.end.as_nanos());
                (self.next - 1, Held { epoch, first, last: first, end })
            }
        };
        self.line = Some((number, held));
        self.write(number, held, 'h')
    }

    /// The lease is over. Where nothing else has ended it, it was held to its end, also by a process that did not run.
    pub(crate) fn lost(&mut self, reason: StepDown) -> io::Result<()> {
        self.close(if reason == StepDown::LeaseOver { 'e' } else { 'l' })
    }

    fn close(&mut self, state: char) -> io::Result<()> {
        match self.line.take() {
            Some((number, held)) => self.write(number, held, state),
            None => Ok(()),
        }
    }

    fn write(&self, number: u64, held: Held, state: char) -> io::Result<()> {
        let Held { epoch, first, last, end } = held;
        let line = format!("{:>20} {epoch:>20} {first:>20} {last:>20} {end:>20} {state}", self.life);
        let line = format!("{line:<width$}\n", width = LINE - 1);
        self.file.write_all_at(line.as_bytes(), number * LINE as u64)
    }
}

/// A span in which a node was entitled to act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) node: String,
    pub(crate) life: u32,
    pub(crate) epoch: u64,
    pub(crate) from: u64,
    pub(crate) until: u64,
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, life, epoch, from, until } = self;
        let ms = |nanos: &u64| format!("{}.{:06} ms", nanos / 1_000_000, nanos % 1_000_000);
        write!(f, "{node} (process {life}) led epoch {epoch} from {} until {}", ms(from), ms(until))
    }
}

/// Two that overlap.
#[derive(Debug)]
pub(crate) struct Overlap(pub(crate) Box<[Interval; 2]>);

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [earlier, later] = &*self.0;
        write!(f, "two leases overlap:\n  {earlier}\n  {later}")
    }
}

impl std::error::Error for Overlap {}

/// How far a lease reaches whose holder never said that it lost it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// To its end, dead or alive.
    ToItsEnd,
    /// To when it was last used: with crash evidence a dead holder is succeeded before its lease is over.
    ToItsLastUse,
}

/// Every lease that any node in `directory` wrote down, in order, once no two overlap and none is missing: each node has one for
/// each epoch in which it told that it was in office.
pub(crate) fn checked(
    directory: &Path,
    unfinished: Unfinished,
    offices: &[(String, u64)],
) -> Result<Vec<Interval>, Box<dyn Error>> {
    let intervals = read(directory, unfinished)?;
    let is_there =
        |node: &str, epoch| intervals.iter().any(|interval| interval.node == node && interval.epoch == epoch);
    if let Some((node, epoch)) = offices.iter().find(|(node, epoch)| !is_there(node, *epoch)) {
        return Err(format!("{node} was in office in epoch {epoch}, and has written no lease down").into());
    }
    check(&intervals)?;
    Ok(intervals)
}

/// Every lease that any node in `directory` wrote down, in order.
pub(crate) fn read(directory: &Path, unfinished: Unfinished) -> io::Result<Vec<Interval>> {
    let mut intervals = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "leases") {
            let node = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path)?;
            // A later life of the same node proves that the earlier one acts no more, and ends the promises to it.
            let mut next_life = u64::MAX;
            for line in text.lines().rev() {
                match parse(&node, line, unfinished).ok_or_else(|| unreadable(&path, line))? {
                    Line::Started(at) => next_life = at,
                    Line::Led(interval) if interval.from <= interval.until.min(next_life) => {
                        intervals.push(Interval { until: interval.until.min(next_life), ..interval });
                    }
                    // Begun in an earlier life, and not before the next one.
                    Line::Led(interval) => return Err(unreadable(&path, &interval.to_string())),
                }
            }
        }
    }
    intervals.sort_by_key(|interval| (interval.from, interval.until));
    Ok(intervals)
}

fn unreadable(path: &Path, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()))
}

enum Line {
    Started(u64),
    Led(Interval),
}

fn parse(node: &str, line: &str, unfinished: Unfinished) -> Option<Line> {
    let mut words = line.split_whitespace();
    let mut number = || words.next()?.parse::<u64>().ok();
    let (process, epoch, from, last, end) = (number()?, number()?, number()?, number()?, number()?);
    let until = match words.next()? {
        "s" => return Some(Line::Started(from)),
        "h" if unfinished == Unfinished::ToItsEnd => end,
        "e" => end,
        "h" | "l" | "r" => last,
        _ => return None,
    };
    Some(Line::Led(Interval { node: node.into(), life: u32::try_from(process).ok()?, epoch, from, until }))
}

/// Compares all with all. One process that raises its own epoch is one holder.
pub(crate) fn check(intervals: &[Interval]) -> Result<(), Overlap> {
    let mut open: Vec<&Interval> = Vec::new();
    for later in intervals {
        open.retain(|earlier| earlier.until > later.from);
        if let Some(earlier) =
            open.iter().find(|earlier| (&earlier.node, earlier.life) != (&later.node, later.life))
        {
            return Err(Overlap(Box::new([(*earlier).clone(), later.clone()])));
        }
        open.push(later);
    }
    Ok(())
}
