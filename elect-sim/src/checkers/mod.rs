//! What must hold, checked at every step and in the simulator's time.
//!
//! Checkers see what leaves an elector and what its disk holds, never its inside. Each has a name, and a test
//! that plants a bug in what it watches and sees it fail by that name.

mod election;
mod freeze;
mod promise;
mod set_back;
mod storage;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use elect_core::{Epoch, Frame, Incarnation, PeerState, Record};
use strum::{IntoStaticStr, VariantArray};

use crate::clock::Real;
use crate::ids::{Life, NODES_MAX, NodeIndex};
use crate::model_log::EntryId;

pub(crate) use election::Sent;
use freeze::Freezes;
pub(crate) use promise::LeaseRule;
use promise::Promises;
use set_back::{Heard, Knowers};
use storage::Touched;

/// One thing that must hold.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Checker {
    /// S1: at most one node ever leads an epoch.
    OneLeaderPerEpoch,
    /// S1: whoever leads an epoch has the durable votes of a quorum.
    LedByQuorum,
    /// S1, S13: no later incarnation of the same node leads it again.
    NotLedAgain,
    /// S2: at most one candidate is accepted per voter and epoch, across restarts.
    OneAcceptPerEpoch,
    /// S2: an accept, and leading, come only after the vote is durable.
    DurableBeforeSent,
    /// S3: the durable epoch never falls, and no save raises it by more than 2³² over what was offered.
    EpochNeverFalls,
    /// S3, S7: no frame claims more than the durable epoch, and no log reports what is not its last durable entry.
    ClaimsDurable,
    /// S5: leases are disjoint in real time, and their epochs rise.
    LeasesDisjoint,
    /// S8: every loss of authority is one step-down event, before any later event.
    StepDownOnce,
    /// A promise is kept until it ends.
    PromisesKept,
    /// S6: a fence never lets a stale leader apply, and its floor is never below the durable epoch.
    FenceAtApply,
    /// S7: every later primary holds every acknowledged write before it serves.
    AcknowledgedPresent,
    /// S7: a read shows every write that was acknowledged before it began.
    ReadsFresh,
    /// S13: an incarnation is durable before its first frame, and belongs to one life of one node.
    IncarnationFirst,
    /// S13, L1: no node is refused, or stops, over its storage if nobody touched that.
    HealthyNotRefused,
    /// S13: whoever knows that a disk held more counts nothing of a life that began with less.
    SetBackCounts,
    /// S11: after a storage error a node only says that it has stopped.
    SilentAfterStop,
    /// L3: a leader without a lease is silent as leader.
    SilentWithoutLease,
    /// L1: there is a leader in time once faults stop.
    Settles,
    /// L2: a leader with a quorum stays.
    Stays,
    /// L3: nobody holds a lease where nobody can reach a quorum.
    RightlyNoLeader,
    /// L5: a leader gets into office once faults stop.
    Serves,
    /// L3: a leader without a quorum steps down by the end of its lease.
    StepsDownInTime,
    /// L4: a node that is cut off adds no epochs, in the middle of its election at most one.
    AddsNoEpoch,
    /// L6: a node that returns follows within two heartbeats and a round trip, whatever its epoch.
    FollowsAgain,
    /// L7: a follower is free as soon as it hears that its leader no longer leads.
    FreeAtOnce,
    /// L7: who missed the announcement learns of the leader from the next heartbeat.
    LearnsLeader,
    /// L8: a first boot, and a power cut of all, elect without waiting for D.
    BootsInTime,
    /// L9: from the end of a quorum's promises to a new leader, three delays and one save.
    ElectsAtOnce,
    /// S9, L9: the target of a handover leads three delays and one save after the step-down.
    HandsOver,
    /// A dead leader is replaced within one election timeout, with crash evidence in a few round trips.
    DetectsInTime,
    /// A preferred node leads when its cooldown is over.
    FailsBack,
    /// R62: a voter that knows of a freeze accepts nobody but the last leader, and what it knows stays.
    FrozenStays,
    /// R67: who hears a node knows what its host says, and a host that is told of a newer version gets its bytes.
    HostsKnown,
    /// A tick moves the deadline: the elector does not spin.
    DeadlineMoves,
    /// Real bytes: what one node encodes the other decodes to the same frame.
    WireRoundTrip,
    /// The elector does not panic.
    NoPanic,
    /// What an embedder's own state machine promises, as it says itself.
    HostHolds,
}

impl Checker {
    /// All of them, in order.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name in reports.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Something that must hold did not.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// What should have held.
    pub checker: Checker,
    /// When, in nanoseconds of simulated time.
    pub at: Real,
    /// At which node.
    pub node: String,
    /// What happened instead.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = std::time::Duration::from_nanos(self.at).as_secs_f64();
        write!(f, "{} at {seconds:.6} s on {}: {}", self.checker, self.node, self.detail)
    }
}

/// What the checkers know of one node.
#[derive(Clone, Debug, Default)]
struct Watched {
    life: Life,
    running: bool,
    /// What its disk holds.
    durable: Option<Record>,
    /// What its process knows to be there: not the record of a save that failed after it took effect.
    known: Option<Record>,
    /// The leadership that its host knows of, by its events.
    leading: Option<Epoch>,
    /// What its last frame said is over for it.
    ended: Epoch,
    stopped: bool,
    touched: Touched,
    /// The incarnation in which it was last seen to speak in this life.
    spoke: Option<Incarnation>,
    /// The epoch that it was last seen to lead in this life: spares a look into the table.
    led: Option<Epoch>,
    /// The floor of its fence, and the one stamp below that passes.
    floor: Epoch,
    kept: Option<Epoch>,
    promises: Promises,
    freezes: Freezes,
    /// What this life heard of its peers.
    heard: Heard,
    /// That it runs with an older copy of its disk, and who knows better.
    set_back: Option<Knowers>,
}

/// All checkers of one world.
#[derive(Clone, Debug)]
pub(crate) struct Checkers {
    nodes: Vec<Watched>,
    /// Who led each epoch, in which life.
    led: BTreeMap<Epoch, (NodeIndex, Life)>,
    /// Whom each voter accepted in each epoch, as its disk tells.
    votes: BTreeMap<(NodeIndex, Epoch), NodeIndex>,
    /// Likewise, as its frames tell.
    accepts: BTreeMap<(NodeIndex, Epoch), NodeIndex>,
    /// Which life of which machine spoke in each incarnation of a member.
    incarnations: BTreeMap<(NodeIndex, u32, u32), (NodeIndex, Life)>,
    /// By released epoch: whom its leader handed over to.
    released: BTreeMap<Epoch, NodeIndex>,
    /// The highest epoch under which anybody held a lease.
    lease_epoch: Epoch,
    /// The acknowledged entries by offset.
    acknowledged: Vec<EntryId>,
    /// The last primary that entered office, and the tip of its log then.
    served: (Epoch, EntryId),
    violation: Option<Violation>,
    /// By leader.
    lease_rules: Vec<LeaseRule>,
    /// The members whose names further machines bear.
    twins: Vec<NodeIndex>,
    /// Whether drift beyond the configured bound is simulated: then clocks prove nothing.
    clocks_are_sound: bool,
}

impl Checkers {
    pub(crate) fn new(lease_rules: Vec<LeaseRule>, twins: &[NodeIndex], clocks_are_sound: bool) -> Self {
        let nodes = lease_rules.len();
        assert!(nodes <= NODES_MAX, "a world has at most {NODES_MAX} nodes");
        Self {
            nodes: vec![Watched::default(); nodes],
            led: BTreeMap::new(),
            votes: BTreeMap::new(),
            accepts: BTreeMap::new(),
            incarnations: BTreeMap::new(),
            released: BTreeMap::new(),
            lease_epoch: Epoch::ZERO,
            acknowledged: vec![0],
            served: (Epoch::ZERO, 0),
            violation: None,
            lease_rules,
            twins: twins.to_vec(),
            clocks_are_sound,
        }
    }

    /// Whether clocks are within the bound that the protocol assumes.
    pub(crate) fn clocks_are_sound(&self) -> bool {
        self.clocks_are_sound
    }

    pub(crate) fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Records the first violation; what follows from it is noise.
    pub(crate) fn fail(
        &mut self,
        checker: Checker,
        at: Real,
        node: NodeIndex,
        detail: impl FnOnce() -> String,
    ) {
        if self.violation.is_none() {
            self.violation = Some(Violation { checker, at, node: node.to_string(), detail: detail() });
        }
    }

    /// A process starts; its fence is a new one.
    pub(crate) fn started(&mut self, node: NodeIndex, life: Life, durable: Record) {
        let watched = self.at(node);
        watched.life = life;
        watched.running = true;
        watched.durable = Some(durable);
        watched.known = Some(durable);
        watched.leading = None;
        watched.led = None;
        watched.stopped = false;
        watched.spoke = None;
        watched.floor = Epoch::ZERO;
        watched.kept = None;
        watched.freezes = Freezes::default();
        watched.heard = Heard::default();
        self.forget_detections(node);
    }

    /// A process dies.
    pub(crate) fn died(&mut self, node: NodeIndex) {
        let watched = self.at(node);
        watched.running = false;
        watched.leading = None;
    }

    /// Whether the node's host knows that it leads.
    pub(crate) fn leading(&self, node: NodeIndex) -> Option<Epoch> {
        self.nodes[node].leading
    }

    /// Whether the node's elector has stopped for good.
    pub(crate) fn is_stopped(&self, node: NodeIndex) -> bool {
        self.nodes[node].stopped
    }

    /// The member under whose name a machine runs: members come first.
    fn member(&self, node: NodeIndex) -> NodeIndex {
        let twin = node.place().checked_sub(self.nodes.len() - self.twins.len());
        twin.map_or(node, |twin| self.twins[twin])
    }

    /// The machine that speaks as `incarnation` of `member`.
    #[inline]
    fn machine(&self, member: NodeIndex, incarnation: Incarnation) -> NodeIndex {
        if self.twins.is_empty() { member } else { self.machine_of_several(member, incarnation) }
    }

    #[cold]
    fn machine_of_several(&self, member: NodeIndex, incarnation: Incarnation) -> NodeIndex {
        let speaks =
            |&node: &NodeIndex| self.member(node) == member && self.nodes[node].spoke == Some(incarnation);
        NodeIndex::all(self.nodes.len()).find(speaks).unwrap_or(member)
    }

    fn at(&mut self, node: NodeIndex) -> &mut Watched {
        &mut self.nodes[node]
    }
}

/// The highest epoch up to which the sender of such a frame never acts again (PROTOCOL.md, "What is over").
pub(crate) fn ended(frame: &Frame) -> Epoch {
    let header = &frame.header;
    match header.state {
        PeerState::Leader(epoch) | PeerState::Candidate(epoch) => {
            Epoch::new(epoch.number().saturating_sub(1)).min(header.epoch)
        }
        _ => header.epoch,
    }
}
