//! Reads the event lines that a node writes (`serve --events`).

use elect_core::{Epoch, NodeId, Time};
use serde::Deserialize;

use super::clock::Clock;
use super::trace::{Seen, What};

/// One line.
#[derive(Debug, Deserialize)]
struct Line {
    /// On the clock of the machine.
    at_ns: u64,
    #[serde(flatten)]
    event: Event,
}

/// The events that the demo looks at.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Stood {
        epoch: u64,
    },
    RoundLost {
        epoch: u64,
        reason: String,
    },
    Elected {
        epoch: u64,
    },
    InOffice {
        epoch: u64,
    },
    EpochRaised {
        from: u64,
        to: u64,
    },
    Lost {
        epoch: u64,
        reason: String,
    },
    Following {
        leader: String,
        epoch: u64,
    },
    LeaderLost {
        leader: String,
        epoch: u64,
        reason: String,
    },
    Stopped {
        reason: String,
    },
    #[serde(other)]
    Other,
}

/// Why a line cannot be understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    #[error("no event line: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("no node: {0}")]
    NodeName(#[from] elect_core::NameError),
}

/// What `line`, written by `node`, says. `None` if it does not concern the demo.
pub(crate) fn parse(node: NodeId, line: &str, clock: Clock) -> Result<Option<Seen>, LineError> {
    let line: Line = serde_json::from_str(line)?;
    let what = match line.event {
        Event::Stood { epoch } => What::Stood { epoch: Epoch::new(epoch) },
        Event::RoundLost { epoch, reason } => What::RoundLost { epoch: Epoch::new(epoch), reason },
        Event::Elected { epoch } => What::Elected { epoch: Epoch::new(epoch) },
        Event::InOffice { epoch } => What::InOffice { epoch: Epoch::new(epoch) },
        Event::EpochRaised { from, to } => What::EpochRaised { from: Epoch::new(from), to: Epoch::new(to) },
        Event::Lost { epoch, reason } => What::SteppedDown { epoch: Epoch::new(epoch), reason },
        Event::Following { leader, epoch } => {
            What::Following { leader: NodeId::new(&leader)?, epoch: Epoch::new(epoch) }
        }
        Event::LeaderLost { leader, epoch, reason } => {
            What::LeaderLost { leader: NodeId::new(&leader)?, epoch: Epoch::new(epoch), reason }
        }
        Event::Stopped { reason } => What::Stopped { reason },
        Event::Other => return Ok(None),
    };
    Ok(Some(Seen { at: clock.at(Time::from_nanos(line.at_ns)), node, what }))
}
