//! What an operator asks running nodes for from a command line, over their client ports.

mod ask;
mod seen;

use std::io::{self, IsTerminal as _, Write as _};
use std::thread::sleep;
use std::time::{Duration, Instant};

use elect_core::NodeId;

use self::ask::ask;
pub(crate) use self::seen::readable_span;
use self::seen::{Seen, SeenNode};
use crate::config::Settings;

/// How often `--watch` looks.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// How often a handover is looked at that is under way.
const HANDOVER_INTERVAL: Duration = Duration::from_millis(200);
/// How long a handover may take beyond its own deadline.
const HANDOVER_MARGIN: Duration = Duration::from_secs(5);

/// How a command ended that asked running nodes. Each has an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done; for `status`: a primary serves, and nothing is wrong.
    Done,
    /// A primary serves, and something is wrong.
    Degraded,
    /// No node serves as the primary.
    NoPrimary,
}

/// Why a command came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    #[error("{node} ({address}) refused: {reason}")]
    Refused { node: NodeId, address: String, reason: String },
    #[error("{target} did not take over within {} s; `elect-kv status` shows how it is now", waited.as_secs())]
    NotHandedOver { target: String, waited: Duration },
    #[error("{0}")]
    Aborted(String),
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Shows all nodes, once or again and again.
pub(crate) fn status(settings: &Settings, is_json: bool, is_watched: bool) -> Result<Outcome, RemoteError> {
    loop {
        let seen = Seen::of(settings);
        let text = if is_json {
            serde_json::to_string(&seen).map_err(io::Error::other)? + "\n"
        } else {
            seen.table()
        };
        let mut out = io::stdout().lock();
        if is_watched && !is_json && out.is_terminal() {
            // Home, and nothing below.
            out.write_all(b"\x1b[H\x1b[2J")?;
        }
        out.write_all(text.as_bytes())?;
        out.flush()?;
        drop(out);
        if !is_watched {
            return Ok(match seen.primary() {
                None => Outcome::NoPrimary,
                Some(_) if seen.is_well() => Outcome::Done,
                Some(_) => Outcome::Degraded,
            });
        }
        sleep(WATCH_INTERVAL);
    }
}

/// Hands the primary's office over, and waits until somebody else has it.
pub(crate) fn handover(
    settings: &Settings,
    to: Option<NodeId>,
    is_forced: bool,
) -> Result<Outcome, RemoteError> {
    let seen = Seen::of(settings);
    let Some(primary) = seen.primary() else { return Ok(no_primary(&seen)) };
    let mut words = vec!["ELECT".to_owned(), "HANDOVER".into()];
    words.extend(to.map(|node| node.to_string()));
    words.extend(is_forced.then(|| "FORCE".to_owned()));
    order(settings, primary, words)?;
    let began = Instant::now();
    let bound = Duration::from_millis(settings.file.handover_timeout_ms.unwrap_or(5_000)) + HANDOVER_MARGIN;
    while began.elapsed() < bound {
        let seen = Seen::of(settings);
        let aborted = seen.nodes.iter().find(|node| node.node == primary.node).and_then(SeenNode::abort);
        if let Some((_, why)) = aborted.filter(|abort| Some(abort) != primary.abort().as_ref()) {
            return Err(RemoteError::Aborted(why));
        }
        if let Some(now) = seen.primary().filter(|now| now.node != primary.node) {
            say(&format!("{} serves as the primary in place of {}", now.node, primary.node))?;
            return Ok(Outcome::Done);
        }
        sleep(HANDOVER_INTERVAL);
    }
    let target = to.map_or_else(|| "nobody".into(), |node| node.to_string());
    Err(RemoteError::NotHandedOver { target, waited: bound })
}

/// Pauses failover.
pub(crate) fn pause(settings: &Settings, span: Duration) -> Result<Outcome, RemoteError> {
    let done = format!("failover is paused for {}", readable_span(span.as_secs()));
    of_primary(settings, vec!["ELECT".into(), "PAUSE".into(), span.as_millis().to_string()], &done)
}

/// Ends a pause.
pub(crate) fn resume(settings: &Settings) -> Result<Outcome, RemoteError> {
    of_primary(settings, vec!["ELECT".into(), "RESUME".into()], "failover works again")
}

/// The primary is asked, or where nobody serves the first node that answers: it passes the word on, or says why not.
fn of_primary(settings: &Settings, words: Vec<String>, done: &str) -> Result<Outcome, RemoteError> {
    let seen = Seen::of(settings);
    let answering = seen.nodes.iter().find(|node| node.status.is_some());
    let Some(asked) = seen.primary().or(answering) else { return Ok(no_primary(&seen)) };
    order(settings, asked, words)?;
    say(done)?;
    Ok(Outcome::Done)
}

fn order(settings: &Settings, node: &SeenNode, words: Vec<String>) -> Result<(), RemoteError> {
    let address = node.address.clone().unwrap_or_default();
    match ask(settings, &address, words) {
        Ok(_) => Ok(()),
        Err(reason) => Err(RemoteError::Refused { node: node.node, address, reason }),
    }
}

fn no_primary(seen: &Seen) -> Outcome {
    // Nobody may listen any more.
    let _ = io::stderr().write_all(seen.table().as_bytes());
    Outcome::NoPrimary
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
