//! What a node says of itself at one moment, for machines and for those who show it to people.

use std::fmt;
use std::time::Duration;

use elect_core::{MemberKind, NodeId};
use elect_tcp::{NodeGone, NodeStatus};
use serde::Serialize;

use crate::config::Acknowledge;
use crate::event_log::Transition;
use crate::node::shared::{Progress, Shared};

/// How long somebody who was refused counts as something wrong: a twin, say, is gone once it has ended.
const REFUSED_OF_LATE: Duration = Duration::from_mins(1);

/// The election's status, and beside its fields, as `kv`, what the store's node adds.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) election: NodeStatus,
    pub(crate) kv: OwnReport,
}

/// What the election does not know.
#[derive(Debug, Serialize)]
pub(crate) struct OwnReport {
    pub(crate) version: &'static str,
    pub(crate) serves: Serves,
    pub(crate) acknowledge: Acknowledge,
    /// For how long it has been what it is.
    pub(crate) unchanged_for_ms: u64,
    /// How far the log is here: durable, committed.
    pub(crate) durable: u64,
    pub(crate) commit: u64,
    /// On a primary: its followers.
    pub(crate) followers: Vec<Follower>,
    /// Why writes are refused, if they are.
    pub(crate) standstill: Option<String>,
    /// What is wrong with which link, one line each.
    pub(crate) problems: Vec<String>,
    pub(crate) connected_clients: usize,
    /// The newest last.
    pub(crate) transitions: Vec<Transition>,
}

/// What a node is for its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Serves {
    /// It answers reads and writes at this moment.
    Primary,
    /// It follows a primary and holds what was acknowledged, or is about to.
    Replica,
    /// It follows a primary and holds no data.
    Witness,
    /// Neither: nobody leads as far as it knows, or it was elected and does not serve yet.
    Nothing,
}

/// The same word as for machines.
impl fmt::Display for Serves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A follower, as its primary sees it.
#[derive(Debug, Serialize)]
pub(crate) struct Follower {
    pub(crate) node: NodeId,
    /// What it holds durably.
    pub(crate) acknowledged: u64,
    /// How many entries it lacks.
    pub(crate) lag: u64,
}

impl Report {
    pub(crate) fn of(shared: &Shared) -> Result<Self, NodeGone> {
        let election = shared.handle.status()?;
        let Progress { durable, commit, followers } = shared.progress();
        let follower = |(node, acknowledged): (NodeId, u64)| Follower {
            node,
            acknowledged,
            lag: durable.saturating_sub(acknowledged),
        };
        let kv = OwnReport {
            version: env!("CARGO_PKG_VERSION"),
            serves: Serves::of(shared),
            acknowledge: shared.settings.file.acknowledge,
            unchanged_for_ms: shared.log.unchanged_for_ms(),
            durable,
            commit,
            followers: followers.into_iter().map(follower).collect(),
            standstill: shared.standstill_text(),
            problems: problems(shared, &election),
            connected_clients: shared.limits.connected(),
            transitions: shared.log.transitions(),
        };
        Ok(Self { election, kv })
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a report has only plain fields")
    }
}

impl Serves {
    /// By the lease, at the call.
    pub(crate) fn of(shared: &Shared) -> Self {
        let own = shared.settings.node();
        if shared.office().is_some_and(|office| office.stamp(shared.handle.now()).is_ok()) {
            return Self::Primary;
        }
        match shared.leader() {
            Some(leader) if leader.id != own && shared.settings.elect.kind() == MemberKind::Witness => {
                Self::Witness
            }
            Some(leader) if leader.id != own => Self::Replica,
            _ => Self::Nothing,
        }
    }
}

/// What is wrong with which link: one line each, with the reason.
pub(crate) fn problems(shared: &Shared, status: &NodeStatus) -> Vec<String> {
    let (links, now) = (&status.links, shared.handle.now());
    let broken = links.iter().filter(|link| !(link.outbound.is_up && link.inbound.is_up));
    let broken = broken.map(|link| link.describe(now));
    let strangers = status.refused.iter().filter(|refused| {
        now.since(refused.last) < REFUSED_OF_LATE
            && !links.iter().any(|link| Some(link.peer) == refused.claimed && !link.inbound.is_up)
    });
    let replication = shared.replication_problems();
    broken.chain(strangers.map(ToString::to_string)).chain(replication).collect()
}
