//! Campaigns: many seeds, each a storm and then a calm in which there must be a leader.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use elect_core::MemberKind;

use crate::checkers::{Checker, Violation};
use crate::clock::{MILLI, Real};
use crate::counts::Counts;
use crate::host::Host;
use crate::ids::NodeIndex;
use crate::liveness::{Liveness, Measured, Unit};
use crate::options::Options;
use crate::remaining::Topology;
use crate::trace::Detail;
use crate::world::World;

/// How long it takes at most, without faults, until processes run and connections stand.
const RECONNECTED: Real = 110 * MILLI;

/// What came of one seed.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What did not hold, if something did not.
    pub violation: Option<Violation>,
    /// Hash of the whole trace, in hexadecimal.
    pub hash: String,
    /// Simulated nanoseconds.
    pub simulated: Real,
    /// What happened how often.
    pub counts: Counts,
    /// What was measured of liveness.
    pub measured: Vec<Measured>,
}

/// A world that is taken through its storm and its calm.
#[derive(Debug)]
pub struct Run {
    /// The world.
    pub world: World,
    pub(crate) measured: Vec<Measured>,
}

impl Run {
    /// Runs `options` to their end or the first violation.
    pub fn new(options: Options, detail: Detail) -> Self {
        Self::through(World::new(options, detail))
    }

    /// The same with an embedder's own state machine on every machine. What the checkers demand of the elector holds
    /// whatever the host does; what the host promises, it checks itself ([`Machine::fail`](crate::Machine::fail)).
    pub fn with_hosts(
        options: Options,
        detail: Detail,
        make: impl FnMut(NodeIndex) -> Box<dyn Host>,
    ) -> Self {
        Self::through(World::with_hosts(options, detail, make))
    }

    fn through(world: World) -> Self {
        let mut run = Self::of(world);
        // After a panic only the time and the trace are looked at, and both are whole at every instruction.
        let panicked = catch_unwind(AssertUnwindSafe(|| run.storm_and_calm())).err();
        if let Some(payload) = panicked {
            run.panicked(payload.as_ref());
        }
        run
    }

    /// A panic is a violation like any other.
    pub(crate) fn panicked(&mut self, payload: &(dyn Any + Send)) {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned()));
        let text = text.unwrap_or_else(|| "a panic without words".into());
        self.world.fail(Checker::NoPanic, || text);
    }

    /// A world that its caller takes where it wants.
    pub(crate) fn of(world: World) -> Self {
        Self { world, measured: Vec::new() }
    }

    /// What came of it.
    pub fn outcome(&self) -> Outcome {
        Outcome {
            seed: self.world.options().seed,
            violation: self.world.violation().cloned(),
            hash: format!("{:016x}", self.world.trace().hash()),
            simulated: self.world.now(),
            counts: self.world.counts(),
            measured: self.measured.clone(),
        }
    }

    fn storm_and_calm(&mut self) {
        let (safety, liveness) = (self.world.options().safety, self.world.options().liveness);
        self.world.run_until(safety);
        if self.world.options().wild_clocks {
            return; // Nothing is demanded afterwards.
        }
        self.demand(liveness);
    }

    /// Everything heals but what remains broken, and from then on there must be a leader where there can be one.
    pub(crate) fn demand(&mut self, liveness: Real) {
        if self.world.now() == 0 {
            self.peace();
            if self.world.options().preferred.is_some() {
                return; // A preferred leader comes back into office whenever it may.
            }
        }
        let Topology { cuts, retired } = self.world.options().remaining.clone();
        if self.world.violation().is_none() {
            self.world.heal(&cuts, &retired);
            self.calm(self.world.now() + liveness, self.world.options().remaining.is_whole());
            self.hosts_are_known();
            if self.world.options().remaining.is_whole() {
                self.drills();
            }
        }
    }

    /// After healing: a leader in time where there can be one, and it stays; none where there cannot.
    fn calm(&mut self, end: Real, full_mesh: bool) {
        let healed = self.world.now();
        let timeout = self.world.election_timeout();
        // Processes that start and links that are made belong to the healing.
        let begin = healed + RECONNECTED;
        let bound = timeout * if full_mesh { 2 } else { 4 };
        let led =
            |world: &World| world.leader().is_some_and(|(node, _)| world.able_to_lead().contains(&node));
        let mut settled = self.wait_until(begin, led);
        self.world.run_until(begin);
        let able = self.world.able_to_lead();
        if able.is_empty() {
            self.world.run_until((healed + 2 * timeout).min(end));
            self.nobody_leads(end);
            return;
        }
        if !led(&self.world) {
            settled = self.wait_until(begin + bound, led);
        }
        let Some(settled) = settled else {
            // Peers may have stopped a node since whose disk had been lost.
            if self.world.able_to_lead().is_empty() {
                return;
            }
            let detail = format!("no leader within {bound} ns although {able:?} could lead");
            self.fail(Checker::Settles, &detail);
            return;
        };
        let what = if full_mesh { Liveness::SettlesInFullMesh } else { Liveness::Settles };
        self.measure(what, settled - healed, RECONNECTED + bound);
        self.stays(begin, timeout, &able, end);
    }

    /// R67: who is connected with a node knows what its host says. One that has just started is not known yet.
    fn hosts_are_known(&mut self) {
        let until = self.world.now() + 2 * self.world.election_timeout();
        if self.wait_until(until, |world| world.unknown_host().is_none()).is_none()
            && let Some((node, peer)) = self.world.unknown_host()
        {
            self.fail(Checker::HostsKnown, &format!("{node} does not know what the host of {peer} says"));
        }
    }

    fn stays(&mut self, begin: Real, timeout: Real, able: &[NodeIndex], end: Real) {
        let served = self.wait_until(begin + 8 * timeout, |world| world.in_office().is_some());
        if served.is_none() && self.can_serve(able) {
            self.fail(Checker::Serves, "nobody is in office within 8 election timeouts");
            return;
        }
        if let Some(served) = served {
            self.measure(Liveness::Serves, served - begin, 8 * timeout);
        }
        self.world.run_until((begin + 8 * timeout).min(end));
        let losses = self.world.counts().losses;
        self.world.run_until(end);
        if self.world.counts().losses > losses && served.is_some() {
            self.fail(Checker::Stays, "a leader lost its authority although nothing was wrong");
        }
        if self.world.leader().is_none() && self.can_serve(able) {
            self.fail(Checker::Settles, "nobody leads in the end");
        }
    }

    /// Whether a write quorum of data-holding voters can be reached, so that somebody can get into office.
    fn can_serve(&self, able: &[NodeIndex]) -> bool {
        let world = &self.world;
        let quorum = world.quorum();
        able.iter().all(|&node| {
            let data = |&peer: &NodeIndex| {
                world.node(peer).kind() == MemberKind::Voter
                    && world.is_intact(peer)
                    && world.network().is_open_both_ways(node, peer)
            };
            world.members().filter(data).count() >= quorum
        })
    }

    fn nobody_leads(&mut self, end: Real) {
        while self.world.now() < end && self.world.violation().is_none() {
            if let Some((node, epoch)) = self.world.leader()
                && self.world.able_to_lead().is_empty()
            {
                let detail = format!("node {node:?} leads {epoch} although it cannot reach a quorum");
                self.fail(Checker::RightlyNoLeader, &detail);
            }
            let next = (self.world.now() + 50 * MILLI).min(end);
            self.world.run_until(next);
        }
    }

    /// Notes a measurement; beyond its bound its checker fails.
    pub(crate) fn measure(&mut self, what: Liveness, seen: u64, bound: u64) {
        let options = &self.world.options();
        let nanos = |span: std::time::Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let one = match what.unit() {
            Unit::ElectionTimeouts => self.world.election_timeout(),
            Unit::DetectionTimes => nanos(options.longest_detection()),
            Unit::HeartbeatIntervals => nanos(options.longest_heartbeat()),
            Unit::Milliseconds => MILLI,
            Unit::Times => 1,
        };
        self.measured.push(Measured { what, seen, bound, one });
        if seen > bound {
            let (property, words) = what.describe();
            let text = |value: Real| match what.unit() {
                Unit::Times => value.to_string(),
                _ => format!("{:?}", std::time::Duration::from_nanos(value)),
            };
            let detail = format!("{property}, {words}: {}, at most {}", text(seen), text(bound));
            self.fail(what.checker(), &detail);
        }
    }

    /// What should have come did not come at all.
    pub(crate) fn never(&mut self, what: Liveness) {
        let (property, words) = what.describe();
        self.fail(what.checker(), &format!("{property}, {words}: it did not come"));
    }

    /// Goes on in small steps until `holds` or `until`; the time at which it held.
    pub(crate) fn wait_until(&mut self, until: Real, holds: impl Fn(&World) -> bool) -> Option<Real> {
        while self.world.violation().is_none() {
            if holds(&self.world) {
                return Some(self.world.now());
            }
            if self.world.now() >= until {
                return None;
            }
            let next = (self.world.now() + MILLI).min(until);
            self.world.run_until(next);
        }
        None
    }

    pub(crate) fn fail(&mut self, checker: Checker, detail: &str) {
        if self.world.violation().is_some() {
            return;
        }
        let explained: Vec<_> = self.world.machines().map(|node| self.world.describe(node)).collect();
        self.world.fail(checker, || format!("{detail}\n{}", explained.join("\n")));
    }
}

/// Runs one seed of a swarm.
pub fn swarm(seed: u64, nodes: Option<usize>, length: Real, detail: Detail) -> Run {
    Run::new(Options::swarm(seed, nodes, length), detail)
}
