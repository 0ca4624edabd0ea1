//! What must have held, judged from what the demo saw.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use elect_core::{Epoch, NodeId};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use super::client::{Ledger, ReadBack, key, value};
use super::format::{count, milliseconds};
use super::trace::{ActionKind, EventKind, Trace};

/// What the checks judge.
#[derive(Clone, Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) trace: &'a Trace,
    pub(crate) ledger: &'a Ledger,
    pub(crate) read_back: &'a ReadBack,
    /// When the restarted node held everything again.
    pub(crate) caught_up: Option<Duration>,
    /// The longest from the kill to the next election.
    pub(crate) failover_at_most: Duration,
}

/// The outcome of all checks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) checks: Vec<Check>,
}

/// One check: what held, or why it did not.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) outcome: Result<String, Broken>,
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = match &self.outcome {
            Ok(text) => text.clone(),
            Err(broken) => broken.to_string(),
        };
        let mut check = serializer.serialize_struct("Check", 3)?;
        check.serialize_field("name", self.name)?;
        check.serialize_field("held", &self.outcome.is_ok())?;
        check.serialize_field("text", &text)?;
        check.end()
    }
}

/// Why a check failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the events name no election")]
    NobodyElected,
    #[error("{first} and {second} both led epoch {epoch}")]
    TwoLeaders { epoch: Epoch, first: ProcessRun, second: ProcessRun },
    #[error("{node} came to lead epoch {epoch} after epoch {before} had been led")]
    EpochFell { node: NodeId, epoch: Epoch, before: Epoch },
    #[error("no write was acknowledged, so nothing is shown")]
    NothingWritten,
    #[error("{lost} of {acknowledged} acknowledged keys; the first: {key} reads {found}")]
    KeysLost { lost: usize, acknowledged: usize, key: String, found: String },
    #[error("an increment was acknowledged with {reply} after an earlier one with {before}")]
    CounterFell { before: i64, reply: i64 },
    #[error("the counter reads {found}, but must lie between {least} and {most}")]
    CounterWrong { found: i64, least: i64, most: i64 },
    #[error("nobody was killed")]
    NothingKilled,
    #[error("no other node was elected")]
    NobodyTookOver,
    #[error("no other node acknowledged a write after {0} had been the primary")]
    NoWriteAfter(NodeId),
    #[error("{winner} was elected after {} ms; allowed are {} ms", milliseconds(*.took), milliseconds(*.bound))]
    Late { winner: NodeId, took: Duration, bound: Duration },
    #[error("the killed node did not come back and hold everything again")]
    NotCaughtUp,
    #[error("no handover was asked for")]
    NoHandover,
    #[error("{0} did not step down for it")]
    KeptOffice(NodeId),
    #[error("{winner} was elected, not {target}")]
    WrongWinner { winner: NodeId, target: NodeId },
    #[error("it took {} ms; allowed are {} ms", milliseconds(*.took), milliseconds(*.bound))]
    TooLong { took: Duration, bound: Duration },
    #[error("these ports are still taken: {0:?}")]
    PortsTaken(Vec<SocketAddr>),
}

/// One process of a node: a restart begins another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessRun {
    pub(crate) node: NodeId,
    /// Counted from 1.
    pub(crate) start: u32,
}

impl fmt::Display for ProcessRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (start {})", self.node, self.start)
    }
}

impl Verdict {
    /// Judges what the cluster and its client did.
    pub(crate) fn of(evidence: &Evidence<'_>) -> Self {
        let mut verdict = Self::default();
        verdict.add("one leader per epoch", one_leader_per_epoch(evidence.trace));
        verdict.add("no acknowledged write lost", no_key_lost(evidence.ledger, evidence.read_back));
        verdict.add("no acknowledged increment lost", counter_right(evidence.ledger, evidence.read_back));
        verdict.add("failover after the kill", failover(evidence.trace, evidence.failover_at_most));
        verdict.add("the killed node is back", back_again(evidence.trace, evidence.caught_up));
        verdict.add("graceful handover", handover(evidence.trace));
        verdict
    }

    /// Judges whether it was over in time.
    pub(crate) fn add_duration(&mut self, took: Duration, bound: Duration) {
        let held = format!("{} ms, at most {} ms", milliseconds(took), milliseconds(bound));
        self.add("bounded", if took <= bound { Ok(held) } else { Err(Broken::TooLong { took, bound }) });
    }

    /// Judges whether anything is left: `taken` are the cluster's ports that cannot be bound.
    pub(crate) fn add_cleanup(&mut self, taken: Vec<SocketAddr>) {
        let held = "every process has ended, every port is free".to_owned();
        self.add("nothing left", if taken.is_empty() { Ok(held) } else { Err(Broken::PortsTaken(taken)) });
    }

    /// Whether every check held. Without any check nothing did.
    pub(crate) fn held(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.outcome.is_ok())
    }

    fn add(&mut self, name: &'static str, outcome: Result<String, Broken>) {
        self.checks.push(Check { name, outcome });
    }
}

/// At most one process ever leads an epoch, and each leadership has a higher epoch than the one before.
fn one_leader_per_epoch(trace: &Trace) -> Result<String, Broken> {
    let mut leaders: BTreeMap<Epoch, ProcessRun> = BTreeMap::new();
    let mut highest = Epoch::ZERO;
    for election in trace.elections() {
        let (node, epoch) = (election.node, election.epoch);
        let life = ProcessRun { node, start: trace.starts_until(node, election.at) };
        match leaders.insert(epoch, life) {
            Some(first) if first != life => return Err(Broken::TwoLeaders { epoch, first, second: life }),
            Some(_) => {}
            None if epoch < highest => return Err(Broken::EpochFell { node, epoch, before: highest }),
            None => highest = epoch,
        }
    }
    if leaders.is_empty() {
        return Err(Broken::NobodyElected);
    }
    let list: Vec<String> = leaders.iter().map(|(epoch, life)| format!("{epoch} {}", life.node)).collect();
    Ok(list.join(", "))
}

/// Every key whose write was acknowledged reads as it was written.
fn no_key_lost(ledger: &Ledger, read_back: &ReadBack) -> Result<String, Broken> {
    if ledger.keys.is_empty() {
        return Err(Broken::NothingWritten);
    }
    let reads = |number: &u64| read_back.keys.get(number).cloned().flatten();
    let mut lost = ledger.keys.iter().filter(|number| reads(number) != Some(value(**number)));
    let Some(first) = lost.next() else {
        return Ok(format!("{} keys written, acknowledged and read back", count(ledger.keys.len())));
    };
    Err(Broken::KeysLost {
        lost: 1 + lost.count(),
        acknowledged: ledger.keys.len(),
        key: key(*first),
        found: reads(first).unwrap_or_else(|| "nothing".into()),
    })
}

/// Acknowledged increments rise, and the counter holds them all: at most those in doubt come on top.
fn counter_right(ledger: &Ledger, read_back: &ReadBack) -> Result<String, Broken> {
    if ledger.counted.is_empty() {
        return Err(Broken::NothingWritten);
    }
    if let Some(pair) = ledger.counted.windows(2).find(|pair| pair[1] <= pair[0]) {
        return Err(Broken::CounterFell { before: pair[0], reply: pair[1] });
    }
    let least = i64::try_from(ledger.counted.len()).unwrap_or(i64::MAX);
    let most = least.saturating_add(i64::try_from(ledger.increments_in_doubt).unwrap_or(i64::MAX));
    let found = read_back.counter.unwrap_or(0);
    if !(least..=most).contains(&found) {
        return Err(Broken::CounterWrong { found, least, most });
    }
    Ok(format!(
        "the counter reads {}: {} acknowledged, {} in doubt when the primary died",
        count(usize::try_from(found).unwrap_or(0)),
        count(ledger.counted.len()),
        ledger.increments_in_doubt
    ))
}

/// After the kill another node is elected in time, and clients write to it.
fn failover(trace: &Trace, bound: Duration) -> Result<String, Broken> {
    let killed = trace.actions.iter().find_map(|action| match action.kind {
        ActionKind::Kill { node } => Some((action.at, node)),
        _ => None,
    });
    let (at, old) = killed.ok_or(Broken::NothingKilled)?;
    let election = trace.election_after(at, old).ok_or(Broken::NobodyTookOver)?;
    let took = election.at.saturating_sub(at);
    if took > bound {
        return Err(Broken::Late { winner: election.node, took, bound });
    }
    let gap = trace.gap_after(at, old).ok_or(Broken::NoWriteAfter(old))?;
    Ok(format!(
        "{} elected after {} ms; no write for {} ms",
        election.node,
        milliseconds(took),
        milliseconds(gap.length())
    ))
}

/// The killed node runs again, follows, and holds what the primary held.
fn back_again(trace: &Trace, caught_up: Option<Duration>) -> Result<String, Broken> {
    let restarted = trace.actions.iter().find_map(|action| match action.kind {
        ActionKind::Restart { node } => Some((action.at, node)),
        _ => None,
    });
    let ((at, node), caught_up) = restarted.zip(caught_up).ok_or(Broken::NotCaughtUp)?;
    let follows = |kind: &EventKind| matches!(kind, EventKind::Following { .. });
    if !trace.events.iter().any(|event| event.node == node && event.at >= at && follows(&event.kind)) {
        return Err(Broken::NotCaughtUp);
    }
    Ok(format!(
        "{node} follows and holds everything {} ms after its restart",
        milliseconds(caught_up.saturating_sub(at))
    ))
}

/// The old primary steps down for it, and its target is the next to be elected.
fn handover(trace: &Trace) -> Result<String, Broken> {
    let asked = trace.actions.iter().find_map(|action| match action.kind {
        ActionKind::Handover { from, to } => Some((action.at, from, to)),
        _ => None,
    });
    let (at, from, to) = asked.ok_or(Broken::NoHandover)?;
    if !trace
        .events
        .iter()
        .any(|event| event.node == from && event.at >= at && event.kind == EventKind::SteppedDown)
    {
        return Err(Broken::KeptOffice(from));
    }
    let election = trace.election_after(at, from).ok_or(Broken::NobodyTookOver)?;
    if election.node != to {
        return Err(Broken::WrongWinner { winner: election.node, target: to });
    }
    let gap = trace.gap_after(at, from).ok_or(Broken::NoWriteAfter(from))?;
    let took = election.at.saturating_sub(at);
    Ok(format!(
        "{to} elected after {} ms; no write for {} ms",
        milliseconds(took),
        milliseconds(gap.length())
    ))
}

#[cfg(test)]
mod tests;
