//! One JSON object per line for everything that happens to this node and matters to its operator.
//!
//! ```json
//! {"unix_ns":1795257093000000000,"node":"a","kind":"elected","epoch":3,"leader":"a","text":"a won epoch 3"}
//! ```
//!
//! `unix_ns`, `node`, `kind` and `text` are always there, `epoch` and `leader` where they make sense.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use elect_core::{Epoch, NodeId};
use serde::Serialize;

use crate::line_writer::LineWriter;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The node runs.
    Started,
    /// It voted for a candidate.
    Accepted,
    /// It campaigns.
    CampaignStarted,
    /// Its campaign ended without office.
    CampaignLost,
    /// It won an election.
    Elected,
    /// It must catch up with a voter before it may serve.
    CatchingUp,
    /// It holds everything that was acknowledged before.
    CaughtUp,
    /// The voter to catch up with is lost.
    SourceLost,
    /// It serves clients as the primary.
    InOffice,
    /// It raised its own epoch and goes on.
    EpochRaised,
    /// Its leadership is over.
    SteppedDown,
    /// It follows a leader.
    Following,
    /// It follows nobody any more.
    LeaderLost,
    /// A handover began.
    HandoverBegan,
    /// A handover is off.
    HandoverAborted,
    /// Failover is paused.
    Paused,
    /// Failover works again.
    Resumed,
    /// The storage counts as replaced: it is not the one that the group has held.
    Replaced,
    /// A replaced storage has caught up.
    Rebuilt,
    /// The genesis that tells this group from another of its name was saved, or is final.
    Genesis,
    /// No quorum confirms writes any more: those that waited were given up.
    Standstill,
    /// A connection to another node came up, or does not stand for a new reason.
    Link,
    /// Something an operator should look at.
    Warning,
    /// Events before this one were dropped: the file took them too slowly, or not at all.
    Dropped,
    /// A failure stopped the node.
    Failed,
    /// The node ends in good order.
    Stopped,
}

/// Where a node's events go: to a thread of its own, so that a file or a reader that stalls stalls nothing else.
#[derive(Debug)]
pub struct EventLog {
    node: NodeId,
    lines: Option<LineWriter>,
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
    /// Appends to `file`, made if it is missing; drops everything without one.
    pub fn open(node: NodeId, file: Option<&Path>) -> io::Result<Self> {
        let Some(path) = file else { return Ok(Self { node, lines: None }) };
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let about_dropped = move |lost| {
            let text =
                format!("{lost} events before this one were dropped: they could not be written in time");
            line(node, Kind::Dropped, None, None, &text)
        };
        let lines = LineWriter::start("events", file, about_dropped)?;
        Ok(Self { node, lines: Some(lines) })
    }

    /// Hands one line over, with the time of now. Never waits: a line that cannot be written in time is dropped and
    /// counted, since a node does not fail for its diary. The drop of the log waits a second for those that are left.
    pub fn tell(&self, kind: Kind, epoch: Option<Epoch>, leader: Option<NodeId>, text: &str) {
        if let Some(lines) = &self.lines {
            lines.write(line(self.node, kind, epoch, leader, text));
        }
    }

    /// How many lines were dropped.
    pub fn dropped(&self) -> u64 {
        self.lines.as_ref().map_or(0, LineWriter::dropped)
    }
}

fn line(node: NodeId, kind: Kind, epoch: Option<Epoch>, leader: Option<NodeId>, text: &str) -> Vec<u8> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let line = Line {
        unix_ns: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
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
mod tests {
    use super::*;

    #[test]
    fn a_line_is_whole_and_appended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        let node = NodeId::new("a").unwrap();
        for _ in 0..2 {
            let log = EventLog::open(node, Some(&path)).unwrap();
            log.tell(Kind::InOffice, Some(Epoch::new(3)), Some(node), "a \"serves\"");
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(
            (&line["kind"], &line["epoch"], &line["leader"]),
            (&"in_office".into(), &3.into(), &"a".into())
        );
        assert_eq!(line["text"], "a \"serves\"");
        assert!(line["unix_ns"].as_u64().unwrap() > 1_600_000_000_000_000_000);
    }
}
