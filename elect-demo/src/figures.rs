//! The figures that a run states.

use std::time::Duration;

use elect_core::NodeId;
use serde::Serialize;

use super::client::Ledger;
use super::format::{count, milliseconds};
use super::trace::{ActionKind, Trace};

/// How the cluster of the demo is set up.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Setting {
    pub(crate) nodes: usize,
    #[serde(rename = "detection_ms", serialize_with = "as_ms")]
    pub(crate) detection: Duration,
    #[serde(rename = "heartbeat_ms", serialize_with = "as_ms")]
    pub(crate) heartbeat: Duration,
    pub(crate) crash_evidence: bool,
    /// Whether the links of the election are TLS.
    pub(crate) tls: bool,
}

impl Setting {
    /// What a failover after kill −9 should take at most: the detection time, or with crash evidence no
    /// detection at all, and 20 ms.
    pub(crate) fn failover_target(&self) -> Duration {
        let detection = if self.crash_evidence { Duration::ZERO } else { self.detection };
        detection + Duration::from_millis(20)
    }
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    #[serde(flatten)]
    pub(crate) setting: Setting,
    #[serde(rename = "failover_target_ms", serialize_with = "as_ms")]
    pub(crate) failover_target: Duration,
    pub(crate) failover: Option<Change>,
    pub(crate) handover: Option<Change>,
    pub(crate) acknowledged: usize,
    pub(crate) redirects: u64,
    pub(crate) refusals: u64,
    pub(crate) reconnects: u64,
}

/// One primary followed another.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Change {
    #[serde(serialize_with = "as_text")]
    pub(crate) from: NodeId,
    #[serde(serialize_with = "as_text")]
    pub(crate) to: NodeId,
    pub(crate) epoch: u64,
    /// From the act to the election.
    #[serde(rename = "elected_ms", serialize_with = "as_ms")]
    pub(crate) elected: Duration,
    /// From the act to the first write that the new primary acknowledged.
    #[serde(rename = "first_write_ms", serialize_with = "as_ms")]
    pub(crate) first_write: Duration,
    /// From the last acknowledged write to the next.
    #[serde(rename = "no_writes_ms", serialize_with = "as_ms")]
    pub(crate) no_writes: Duration,
}

impl Figures {
    pub(crate) fn of(setting: Setting, trace: &Trace, ledger: &Ledger) -> Self {
        let mut figures = Self {
            setting,
            failover_target: setting.failover_target(),
            failover: None,
            handover: None,
            acknowledged: trace.acknowledged.len(),
            redirects: ledger.redirects,
            refusals: ledger.refusals,
            reconnects: ledger.reconnects,
        };
        for action in &trace.actions {
            match action.kind {
                ActionKind::Kill { node } => figures.failover = change(trace, action.at, node),
                ActionKind::Handover { from, .. } => figures.handover = change(trace, action.at, from),
                ActionKind::Restart { .. } => {}
            }
        }
        figures
    }

    /// One line about the cluster.
    pub(crate) fn setting(&self) -> String {
        let Setting { nodes, detection, heartbeat, crash_evidence, .. } = self.setting;
        format!(
            "{nodes} nodes, detection {} ms, heartbeat {} ms, crash evidence {}",
            milliseconds(detection),
            milliseconds(heartbeat),
            if crash_evidence { "on" } else { "off" }
        )
    }

    /// The figures to show large: a name, a value, a note.
    pub(crate) fn cards(&self) -> [(&'static str, String, String); 4] {
        let missing = || ("none".to_owned(), String::new());
        let ms = |span| format!("{} ms", milliseconds(span));
        let target = milliseconds(self.failover_target);
        let met = |took| if took <= self.failover_target { "met" } else { "missed" };
        let (elected, elected_note) = self.failover.map_or_else(missing, |change| {
            let Change { to, epoch, elected, .. } = change;
            (ms(elected), format!("{to} leads epoch {epoch}; target {target} ms: {}", met(elected)))
        });
        let (outage, outage_note) = self.failover.map_or_else(missing, |change| {
            (ms(change.no_writes), "from the last acknowledged write to the next".into())
        });
        let (handed, handed_note) = self.handover.map_or_else(missing, |change| {
            let Change { from, to, epoch, .. } = change;
            (ms(change.no_writes), format!("without a write while {from} hands over to {to}, epoch {epoch}"))
        });
        [
            ("From kill \u{2212}9 to a new primary", elected, elected_note),
            ("Clients could not write for", outage, outage_note),
            ("Graceful handover", handed, handed_note),
            (
                "Acknowledged writes",
                count(self.acknowledged),
                format!("{} redirects followed, {} reconnects", self.redirects, self.reconnects),
            ),
        ]
    }
}

fn change(trace: &Trace, at: Duration, from: NodeId) -> Option<Change> {
    let election = trace.election_after(at, from)?;
    let gap = trace.gap_after(at, from)?;
    Some(Change {
        from,
        to: election.node,
        epoch: election.epoch.number(),
        elected: election.at.saturating_sub(at),
        first_write: gap.first.at.saturating_sub(at),
        no_writes: gap.length(),
    })
}

/// Milliseconds with three decimals.
pub(crate) fn as_ms<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((span.as_secs_f64() * 1e6).round() / 1e3)
}

fn as_text<S: serde::Serializer>(node: &NodeId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(node.as_str())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::trace::tests::{good_run, ms};

    const SETTING: Setting = Setting {
        nodes: 3,
        detection: Duration::from_millis(500),
        heartbeat: Duration::from_millis(50),
        crash_evidence: false,
        tls: false,
    };

    /// Of a run in which nothing happened.
    pub(crate) fn nothing() -> Figures {
        Figures::of(SETTING, &Trace::default(), &Ledger::default())
    }

    #[test]
    fn changes_are_measured_from_what_caused_them() {
        let figures = Figures::of(SETTING, &good_run(), &Ledger::default());
        let failover = figures.failover.expect("n2 took over");
        assert_eq!((failover.elected, failover.first_write, failover.no_writes), (ms(500), ms(506), ms(511)));
        assert_eq!(failover.epoch, 2);
        let handover = figures.handover.expect("n1 took over");
        assert_eq!((handover.elected, handover.first_write, handover.no_writes), (ms(6), ms(11), ms(10)));
    }

    #[test]
    fn target_is_missed_when_the_election_came_later() {
        let mut trace = good_run();
        let note = |trace: &Trace| Figures::of(SETTING, trace, &Ledger::default()).cards()[0].2.clone();
        assert!(note(&trace).ends_with("target 520 ms: met"));
        for event in trace.events.iter_mut().filter(|event| event.at == ms(1500)) {
            event.at = ms(1521);
        }
        assert!(note(&trace).ends_with("target 520 ms: missed"));
    }

    #[test]
    fn machine_readable_form_is_in_milliseconds() {
        let figures = Figures::of(SETTING, &good_run(), &Ledger::default());
        let json = serde_json::to_value(figures).expect("plain data");
        assert_eq!(json["detection_ms"], 500.0);
        assert_eq!(json["failover"]["elected_ms"], 500.0);
        assert_eq!(json["failover"]["to"], "n2");
        assert_eq!(json["handover"]["no_writes_ms"], 10.0);
    }
}
