//! What a node tells a recorder of the `metrics` facade. Install the recorder before the node is started.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use elect_core::{ClusterId, Duty, Lease, NodeId, Notice, Time};
use metrics::{Counter, Gauge, Histogram, SharedString};

use crate::clock;
use crate::event::{HostEvent, NodeNotice};

/// The names of the metrics of a node; a histogram's count and sum go by the recorder's habit. Each has the labels
/// `cluster`, `group` and `node`; the group is empty where a process of several has refused somebody for none of them.
pub mod metric_names {
    /// Gauge: 1 from being elected until authority ends, else 0.
    pub const IS_LEADER: &str = "elect_is_leader";
    /// Gauge: the epoch that this node leads or follows, the newest one.
    pub const EPOCH: &str = "elect_epoch";
    /// Counter: changes of what this node is, by the labels `to` (`leader`, `follower`, `candidate`, `leaderless`) and
    /// `reason`.
    pub const TRANSITIONS: &str = "elect_transitions_total";
    /// Gauge: when the lease ends, in seconds since 1970, or 0 without one. A point in time, so that what is left of a
    /// lease shrinks even where the node hangs.
    pub const LEASE_END: &str = "elect_lease_end_timestamp_seconds";
    /// Histogram: how long this node knew of no leader, in seconds.
    pub const FAILOVER: &str = "elect_failover_seconds";
    /// Histogram, on a leader: from a heartbeat to its answer, in seconds, by the label `peer`.
    pub const ROUND_TRIP: &str = "elect_heartbeat_round_trip_seconds";
    /// Counter: handshakes of others that failed, by the label `reason`.
    pub const HANDSHAKES_REFUSED: &str = "elect_handshakes_refused_total";
    /// Histogram: how long a save took, the raise of the fence included, in seconds.
    pub const SAVE: &str = "elect_save_seconds";
    /// Counter: saves that failed. Each stops its node.
    pub const SAVES_FAILED: &str = "elect_saves_failed_total";

    /// All of them.
    pub const ALL: [&str; 9] = [
        IS_LEADER,
        EPOCH,
        TRANSITIONS,
        LEASE_END,
        FAILOVER,
        ROUND_TRIP,
        HANDSHAKES_REFUSED,
        SAVE,
        SAVES_FAILED,
    ];
}

type Labels = [(&'static str, SharedString); 3];

/// What one node measures of itself.
pub(crate) struct Measures {
    labels: Labels,
    is_leader: Gauge,
    epoch: Gauge,
    lease_end: Gauge,
    failover: Histogram,
    save: Histogram,
    saves_failed: Counter,
    /// With what was echoed last: it may be echoed again.
    round_trips: BTreeMap<NodeId, (Histogram, AtomicU64)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    leaderless_since: Option<Time>,
    told_lease: Option<Lease>,
}

impl Measures {
    pub(crate) fn new(
        cluster: ClusterId,
        group: u32,
        node: NodeId,
        peers: impl IntoIterator<Item = NodeId>,
    ) -> Self {
        let labels = labels(cluster, group.to_string(), node);
        // What an earlier life sent is no answer to this one.
        let begin = clock::now().as_nanos();
        let round_trip = |peer: NodeId| {
            metrics::histogram!(metric_names::ROUND_TRIP, &with(&labels, "peer", peer.to_string()))
        };
        let measures = Self {
            is_leader: metrics::gauge!(metric_names::IS_LEADER, &labels),
            epoch: metrics::gauge!(metric_names::EPOCH, &labels),
            lease_end: metrics::gauge!(metric_names::LEASE_END, &labels),
            failover: metrics::histogram!(metric_names::FAILOVER, &labels),
            save: metrics::histogram!(metric_names::SAVE, &labels),
            saves_failed: metrics::counter!(metric_names::SAVES_FAILED, &labels),
            round_trips: peers
                .into_iter()
                .map(|peer| (peer, (round_trip(peer), AtomicU64::new(begin))))
                .collect(),
            state: Mutex::default(),
            labels,
        };
        measures.is_leader.set(0.0);
        measures.lease_end.set(0.0);
        measures
    }

    /// Those of a process of several groups, which leads nothing itself.
    pub(crate) fn of_process(cluster: ClusterId, node: NodeId) -> Self {
        Self {
            is_leader: Gauge::noop(),
            epoch: Gauge::noop(),
            lease_end: Gauge::noop(),
            failover: Histogram::noop(),
            save: Histogram::noop(),
            saves_failed: Counter::noop(),
            round_trips: BTreeMap::new(),
            state: Mutex::default(),
            labels: labels(cluster, String::new(), node),
        }
    }

    pub(crate) fn on_event(&self, event: &HostEvent) {
        match event {
            HostEvent::Lost(loss) => {
                self.is_leader.set(0.0);
                self.lease_end.set(0.0);
                self.state().told_lease = None;
                self.transition("leaderless", label(&loss.reason));
                self.lead_missing();
            }
            HostEvent::Act(Duty::Elected(elected)) => {
                self.is_leader.set(1.0);
                self.note_epoch(elected.epoch().number());
                self.transition("leader", "elected".into());
                self.lead_found();
            }
            HostEvent::Act(Duty::EpochRaised { raised, .. }) => {
                self.note_epoch(raised.epoch().number());
                self.transition("leader", "epoch_raised".into());
            }
            HostEvent::Happened(NodeNotice::Elector(notice)) => self.on_notice(notice),
            HostEvent::Act(_) | HostEvent::Happened(_) | HostEvent::Ended(_) => {}
        }
    }

    fn on_notice(&self, notice: &Notice) {
        match notice {
            Notice::Following { epoch, .. } => {
                self.note_epoch(epoch.number());
                self.transition("follower", "following".into());
                self.lead_found();
            }
            Notice::LeaderLost { reason, .. } => {
                self.transition("leaderless", label(reason));
                self.lead_missing();
            }
            Notice::CampaignStarted { .. } => self.transition("candidate", "campaign_started".into()),
            Notice::CampaignLost { reason, .. } => self.transition("leaderless", label(reason)),
            _ => {}
        }
    }

    /// The lease that is held now, at every look of the orchestrator.
    pub(crate) fn on_lease(&self, lease: Option<Lease>, now: Time) {
        let mut state = self.state();
        if state.told_lease != lease {
            state.told_lease = lease;
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.lease_end.set(lease.map_or(0.0, |lease| (unix + lease.end.since(now)).as_secs_f64()));
        }
    }

    /// A peer has echoed what this leader sent then.
    pub(crate) fn on_echo(&self, peer: NodeId, sent: Time, now: Time) {
        let Some((round_trip, newest)) = self.round_trips.get(&peer) else { return };
        if sent <= now && newest.fetch_max(sent.as_nanos(), Ordering::Relaxed) < sent.as_nanos() {
            round_trip.record(now.since(sent));
        }
    }

    pub(crate) fn on_save(&self, took: Duration, has_failed: bool) {
        self.save.record(took);
        self.saves_failed.increment(u64::from(has_failed));
    }

    pub(crate) fn on_handshake_refused(&self, reason: String) {
        metrics::counter!(metric_names::HANDSHAKES_REFUSED, &with(&self.labels, "reason", reason))
            .increment(1);
    }

    fn transition(&self, to: &'static str, reason: String) {
        let [cluster, group, node] = self.labels.clone();
        let labels = [cluster, group, node, ("to", to.into()), ("reason", reason.into())];
        metrics::counter!(metric_names::TRANSITIONS, &labels).increment(1);
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; epochs are small numbers")]
    fn note_epoch(&self, epoch: u64) {
        self.epoch.set(epoch as f64);
    }

    fn lead_missing(&self) {
        self.state().leaderless_since.get_or_insert_with(clock::now);
    }

    fn lead_found(&self) {
        if let Some(since) = self.state().leaderless_since.take() {
            self.failover.record(clock::now().since(since));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debug for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measures").field("labels", &self.labels).finish_non_exhaustive()
    }
}

fn labels(cluster: ClusterId, group: String, node: NodeId) -> Labels {
    [("cluster", cluster.to_string().into()), ("group", group.into()), ("node", node.to_string().into())]
}

fn with(labels: &Labels, name: &'static str, value: String) -> [(&'static str, SharedString); 4] {
    let [cluster, group, node] = labels.clone();
    [cluster, group, node, (name, value.into())]
}

/// A variant's name as a label: `HandedOver(b)` is `handed_over`.
pub(crate) fn label(reason: &impl Debug) -> String {
    let text = format!("{reason:?}");
    let mut label = String::new();
    for character in text.chars().take_while(char::is_ascii_alphanumeric) {
        if character.is_ascii_uppercase() && !label.is_empty() {
            label.push('_');
        }
        label.push(character.to_ascii_lowercase());
    }
    label
}
