//! Reads the event lines that a node writes (`serve --events`).

use std::time::Duration;

use elect_core::{Epoch, NodeId};
use serde::Deserialize;

use super::clock::Clock;
use super::trace::{Seen, What};

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
pub(crate) fn parse(node: NodeId, line: &str, clock: Clock) -> Result<Option<Seen>, LineError> {
    let Line { unix_ns, kind, epoch, leader, text } = serde_json::from_str(line)?;
    let epoch = || epoch.map(Epoch::new).ok_or(LineError::Missing("epoch"));
    let leader = || Ok::<_, LineError>(NodeId::new(&leader.ok_or(LineError::Missing("leader"))?)?);
    let what = match kind.as_str() {
        "campaign_started" => What::CampaignStarted { epoch: epoch()? },
        "campaign_lost" => What::CampaignLost,
        "elected" => What::Elected { epoch: epoch()? },
        "in_office" => What::InOffice { epoch: epoch()? },
        "epoch_raised" => What::EpochRaised { epoch: epoch()? },
        "stepped_down" => What::SteppedDown,
        "following" => What::Following { leader: leader()?, epoch: epoch()? },
        "leader_lost" => What::LeaderLost,
        "handover_began" => What::Draining,
        "handover_aborted" => What::HandoverOff,
        _ => return Ok(None),
    };
    Ok(Some(Seen { at: clock.at(Duration::from_nanos(unix_ns)), node, what, text }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::trace::tests::node;
    use crate::event_log::{EventLog, Kind};

    fn parsed(line: &str) -> Result<Option<Seen>, LineError> {
        parse(node("n1"), line, Clock::start())
    }

    #[test]
    fn what_a_node_writes_is_understood() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("events");
        let log = EventLog::open(node("n1"), Some(&path)).expect("a file");
        let (epoch, leader) = (Epoch::new(3), node("n2"));
        let table = [
            (Kind::CampaignStarted, Some(What::CampaignStarted { epoch })),
            (Kind::CampaignLost, Some(What::CampaignLost)),
            (Kind::Elected, Some(What::Elected { epoch })),
            (Kind::InOffice, Some(What::InOffice { epoch })),
            (Kind::EpochRaised, Some(What::EpochRaised { epoch })),
            (Kind::SteppedDown, Some(What::SteppedDown)),
            (Kind::Following, Some(What::Following { leader, epoch })),
            (Kind::LeaderLost, Some(What::LeaderLost)),
            (Kind::HandoverBegan, Some(What::Draining)),
            (Kind::HandoverAborted, Some(What::HandoverOff)),
            (Kind::Started, None),
            (Kind::Warning, None),
        ];
        for (kind, _) in table {
            log.tell(kind, Some(epoch), Some(leader), "in words");
        }
        let lines = std::fs::read_to_string(&path).expect("text");
        assert_eq!(lines.lines().count(), table.len());
        for (line, (_, expected)) in lines.lines().zip(table) {
            let seen = parsed(line).expect("a line of the node");
            assert_eq!(seen.as_ref().map(|seen| seen.what), expected, "{line}");
            assert!(seen.is_none_or(|seen| seen.node == node("n1") && seen.text == "in words"));
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
        let seen = parse(node("n1"), &line, clock).expect("a line").expect("an event");
        assert!(began <= seen.at && seen.at <= clock.now());
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
