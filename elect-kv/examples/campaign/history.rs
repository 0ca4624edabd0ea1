//! What clients asked and were told, when: on one monotonic clock, group by group.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::operation::{Answer, Operation};

/// One operation. A refused one is in no history: it did not take effect.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) client: usize,
    pub(crate) operation: Operation,
    /// In nanoseconds of the campaign.
    pub(crate) invoked: u64,
    /// When it returned, and with what. Without an answer it is open: it may take effect at any later time, or never.
    pub(crate) answered: Option<(u64, Answer)>,
}

/// The clock of a campaign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    pub(crate) started: SystemTime,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), started: SystemTime::now() }
    }

    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// All groups.
#[derive(Debug, Default)]
pub(crate) struct History {
    groups: BTreeMap<u32, Vec<Entry>>,
    answered: usize,
    written: usize,
    open: usize,
}

impl History {
    pub(crate) fn add(&mut self, group: u32, entry: Entry) {
        if entry.answered.is_some() {
            self.answered += 1;
            self.written += usize::from(!entry.operation.is_read());
        } else {
            self.open += 1;
        }
        self.groups.entry(group).or_default().push(entry);
    }

    /// Acknowledged operations, and those of them that write.
    pub(crate) fn acknowledged(&self) -> (usize, usize) {
        (self.answered, self.written)
    }

    pub(crate) fn open(&self) -> usize {
        self.open
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = (u32, &[Entry])> {
        self.groups.iter().map(|(group, entries)| (*group, entries.as_slice()))
    }

    pub(crate) fn group(&self, group: u32) -> &[Entry] {
        self.groups.get(&group).map_or(&[], Vec::as_slice)
    }

    /// When each acknowledged operation returned, in order.
    pub(crate) fn returns(&self) -> Vec<u64> {
        let entries = self.groups.values().flatten();
        let mut times: Vec<_> =
            entries.filter_map(|entry| entry.answered.as_ref().map(|(at, _)| *at)).collect();
        times.sort_unstable();
        times
    }

    /// One line for each operation.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = io::BufWriter::new(std::fs::File::create(path)?);
        for (group, entries) in &self.groups {
            for entry in entries {
                writeln!(file, "{group} {}", line(entry))?;
            }
        }
        file.flush()
    }
}

/// The operations of a group around one of them, which is marked.
pub(crate) fn around(entries: &[Entry], marked: usize) -> String {
    const BEFORE: u64 = 5_000_000_000;
    let until = entries[marked].answered.as_ref().map_or(u64::MAX, |(at, _)| *at);
    let from = entries[marked].invoked.saturating_sub(BEFORE);
    let mut near: Vec<_> = (0..entries.len())
        .filter(|index| {
            let entry = &entries[*index];
            // Open ones may take effect later.
            let ends = entry.answered.as_ref().map_or(u64::MAX, |(at, _)| *at);
            entry.invoked <= until && ends >= from
        })
        .collect();
    near.sort_by_key(|index| entries[*index].invoked);
    let mut text = String::new();
    for index in &near[near.len().saturating_sub(60)..] {
        let mark = if *index == marked { "→" } else { " " };
        let _ = writeln!(text, "{mark} {}", line(&entries[*index]));
    }
    text
}

fn line(entry: &Entry) -> String {
    let Entry { client, operation, invoked, answered } = entry;
    let (until, answer) = match answered {
        Some((at, answer)) => (millis(*at), answer.to_string()),
        None => ("open".to_owned(), "?".to_owned()),
    };
    format!("{:>12} {until:>12}  client {client:<3} {operation} = {answer}", millis(*invoked))
}

/// In milliseconds, to the microsecond.
pub(crate) fn millis(nanos: u64) -> String {
    let span = Duration::from_nanos(nanos);
    format!("{}.{:03}", span.as_millis(), span.subsec_micros() % 1_000)
}
