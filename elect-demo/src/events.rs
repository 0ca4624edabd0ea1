//! Reads the event lines that a node writes (`serve --events`).

use std::time::Duration;

use elect_core::{Epoch, NodeId};
use serde::Deserialize;

use super::clock::Clock;
use super::trace::{EventKind, NodeEvent};

/// One line.
#[derive(Debug, Deserialize)]
struct Line {
    unix_ns: u64,
    kind: String,
    epoch: Option<u64>,
    leader: Option<String>,
    text: String,
}

/// Why a line cannot be understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    #[error("no event line: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("no node: {0}")]
    NodeName(#[from] elect_core::NameError),
    #[error("{0} is missing")]
    Missing(&'static str),
}

/// What `line`, written by `node`, says. `None` if it does not concern the demo.
pub(crate) fn parse(node: NodeId, line: &str, clock: Clock) -> Result<Option<NodeEvent>, LineError> {
    let Line { unix_ns, kind, epoch, leader, text } = serde_json::from_str(line)?;
    let epoch = || epoch.map(Epoch::new).ok_or(LineError::Missing("epoch"));
    let leader = || Ok::<_, LineError>(NodeId::new(&leader.ok_or(LineError::Missing("leader"))?)?);
    let kind = match kind.as_str() {
        "campaign_started" => EventKind::CampaignStarted { epoch: epoch()? },
        "campaign_lost" => EventKind::CampaignLost,
        "elected" => EventKind::Elected { epoch: epoch()? },
        "in_office" => EventKind::InOffice { epoch: epoch()? },
        "epoch_raised" => EventKind::EpochRaised { epoch: epoch()? },
        "stepped_down" => EventKind::SteppedDown,
        "following" => EventKind::Following { leader: leader()?, epoch: epoch()? },
        "leader_lost" => EventKind::LeaderLost,
        "handover_began" => EventKind::Draining,
        "handover_aborted" => EventKind::HandoverOff,
        _ => return Ok(None),
    };
    Ok(Some(NodeEvent { at: clock.at(Duration::from_nanos(unix_ns)), node, kind, text }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::tests::node;
    use elect_kv::event_log::{EventLog, Kind};

    fn parsed(line: &str) -> Result<Option<NodeEvent>, LineError> {
        parse(node("n1"), line, Clock::start())
    }

    #[test]
    fn what_a_node_writes_is_understood() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("events");
        let log = EventLog::open(node("n1"), Some(&path)).expect("a file");
        let (epoch, leader) = (Epoch::new(3), node("n2"));
        let table = [
            (Kind::CampaignStarted, Some(EventKind::CampaignStarted { epoch })),
            (Kind::CampaignLost, Some(EventKind::CampaignLost)),
            (Kind::Elected, Some(EventKind::Elected { epoch })),
            (Kind::InOffice, Some(EventKind::InOffice { epoch })),
            (Kind::EpochRaised, Some(EventKind::EpochRaised { epoch })),
            (Kind::SteppedDown, Some(EventKind::SteppedDown)),
            (Kind::Following, Some(EventKind::Following { leader, epoch })),
            (Kind::LeaderLost, Some(EventKind::LeaderLost)),
            (Kind::HandoverBegan, Some(EventKind::Draining)),
            (Kind::HandoverAborted, Some(EventKind::HandoverOff)),
            (Kind::Started, None),
            (Kind::Warning, None),
        ];
        for (kind, _) in table {
            log.tell(kind, Some(epoch), Some(leader), "in words");
        }
        // Its end waits for the lines.
        drop(log);
        let lines = std::fs::read_to_string(&path).expect("text");
        assert_eq!(lines.lines().count(), table.len());
        for (line, (_, expected)) in lines.lines().zip(table) {
            let event = parsed(line).expect("a line of the node");
            assert_eq!(event.as_ref().map(|event| event.kind), expected, "{line}");
            assert!(event.is_none_or(|event| event.node == node("n1") && event.text == "in words"));
        }
    }

    #[test]
    fn times_count_from_the_start_of_the_demo() {
        let clock = Clock::start();
        let began = clock.now();
        let line = format!(
            r#"{{"unix_ns":{},"kind":"stepped_down","text":""}}"#,
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .expect("after 1970")
                .as_nanos()
        );
        let event = parse(node("n1"), &line, clock).expect("a line").expect("an event");
        assert!(began <= event.at && event.at <= clock.now());
    }

    #[test]
    fn line_that_lacks_something_is_refused_with_what_it_lacks() {
        for (line, expected) in [
            ("", "no event line"),
            (r#"{"unix_ns":1,"kind":"elected","text":""}"#, "epoch is missing"),
            (r#"{"unix_ns":1,"kind":"following","epoch":1,"text":""}"#, "leader is missing"),
            (r#"{"unix_ns":1,"kind":"following","epoch":1,"leader":"a b","text":""}"#, "no node"),
        ] {
            let error = parsed(line).expect_err(line).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
