//! Everything that happens to this node and matters to its operator: as lines of its log, as one JSON object per line in a
//! file of events, and the last transitions for whoever asks.
//!
//! ```json
//! {"unix_ns":1795257093000000000,"node":"a","kind":"elected","epoch":3,"leader":"a","text":"a won epoch 3"}
//! ```
//!
//! `unix_ns`, `node`, `kind` and `text` are always there, `epoch` and `leader` where they make sense.

mod file;
pub(crate) mod kind;
mod recent;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use elect_core::{Epoch, NodeId};
use serde::Serialize;
use tracing::Level;
use tracing::field::display;

use self::file::EventFile;
pub use self::kind::Kind;
use self::recent::Recent;
pub use self::recent::Transition;
use crate::line_writer::LineWriter;

/// Where a node's events go: lines to a thread of their own, so that a file or a reader that stalls stalls nothing else.
#[derive(Debug)]
pub struct EventLog {
    node: NodeId,
    lines: Option<LineWriter>,
    reopen: Arc<AtomicBool>,
    recent: Recent,
}

#[derive(Serialize)]
struct Line<'a> {
    unix_ns: u64,
    node: &'a str,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<&'a str>,
    text: &'a str,
}

impl EventLog {
    /// Appends to `file`, made if it is missing. Without one the log and the last transitions are all there is.
    pub fn open(node: NodeId, file: Option<&Path>) -> io::Result<Self> {
        let (reopen, recent) = (Arc::<AtomicBool>::default(), Recent::default());
        let Some(path) = file else { return Ok(Self { node, lines: None, reopen, recent }) };
        let file = EventFile::open(path, reopen.clone())?;
        let about_dropped = move |lost| {
            let text =
                format!("{lost} events before this one were dropped: they could not be written in time");
            line(node, Kind::Dropped, None, None, &text, unix_time())
        };
        let lines = LineWriter::start("events", file, about_dropped)?;
        Ok(Self { node, lines: Some(lines), reopen, recent })
    }

    /// Hands one line over, with the time of now. Never waits: a line that cannot be written in time is dropped and
    /// counted, since a node does not fail for its diary. The drop of the log waits a second for those that are left.
    pub fn tell(&self, kind: Kind, epoch: Option<Epoch>, leader: Option<NodeId>, text: &str) {
        let now = unix_time();
        self.recent.note(kind, epoch, leader, text, millis(now));
        trace(self.node, kind, epoch, leader, text);
        if let Some(lines) = &self.lines {
            lines.write(line(self.node, kind, epoch, leader, text, now));
        }
    }

    /// The file is opened again before the next line: what rotates logs has renamed it.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// How many lines were dropped.
    pub fn dropped(&self) -> u64 {
        self.lines.as_ref().map_or(0, LineWriter::dropped)
    }

    /// The last transitions, the newest last.
    pub fn transitions(&self) -> Vec<Transition> {
        self.recent.all()
    }

    /// For how many milliseconds this node has been what it is.
    pub fn unchanged_for_ms(&self) -> u64 {
        millis(unix_time()).saturating_sub(self.recent.since_unix_ms())
    }
}

/// A line of the process's log.
fn trace(node: NodeId, kind: Kind, epoch: Option<Epoch>, leader: Option<NodeId>, text: &str) {
    let (epoch, leader) = (epoch.map(Epoch::number), leader.map(display));
    macro_rules! trace {
        ($level:expr) => {
            tracing::event!(target: "elect_kv", $level, node = %node, kind = %kind, epoch, leader, "{text}")
        };
    }
    match kind.level() {
        Level::ERROR => trace!(Level::ERROR),
        Level::WARN => trace!(Level::WARN),
        Level::INFO => trace!(Level::INFO),
        _ => trace!(Level::DEBUG),
    }
}

/// In nanoseconds since 1970.
fn unix_time() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn millis(nanos: u64) -> u64 {
    nanos / 1_000_000
}

fn line(
    node: NodeId,
    kind: Kind,
    epoch: Option<Epoch>,
    leader: Option<NodeId>,
    text: &str,
    unix_ns: u64,
) -> Vec<u8> {
    let line = Line {
        unix_ns,
        node: node.as_str(),
        kind,
        epoch: epoch.map(Epoch::number),
        leader: leader.as_ref().map(NodeId::as_str),
        text,
    };
    let mut bytes = serde_json::to_vec(&line).expect("a line has only plain fields");
    // One write per line: lines of several processes that append to one file stay whole.
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests;
