//! How large the explored world is.

use std::fmt;
use std::time::Duration;

use elect_core::{ClusterId, Config, Detection, NodeId, Time};

use crate::clock::MILLI;
use crate::ids::NodeIndex;

/// How many nodes a model has.
pub(super) const NODES: usize = 3;
/// The most frames that may be astray at once.
pub(super) const STRAYS_MAX: usize = 4;
/// Real time from one moment to the next: half of D.
pub(super) const STEP: u64 = 100 * MILLI;
/// D.
const DETECTION: Duration = Duration::from_millis(200);
/// L(D) = D(1 − ρ) − σ: not asked of the library.
pub(super) const LEASE: Duration = Duration::from_millis(200 - 2 - 1);
/// ρ: one percent.
const DRIFT_PPM: u32 = 10_000;

/// What a model may do, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The highest epoch that anybody may stand in.
    pub epochs: u64,
    /// How often each node may crash.
    pub crashes: u8,
    /// How often all nodes together may crash.
    pub crashes_together: u8,
    /// How many frames go astray or are copied, and saves are slow, all together.
    pub strays: u8,
    /// How often a directed link breaks, for as long as it likes.
    pub cuts: u8,
    /// How often a process stands still, for as long as it likes.
    pub sleeps: u8,
    /// How many moments there are; zero for as many as it takes.
    pub moments: u8,
    /// Which clocks are slow by ρ, as bits; the others are fast by ρ.
    pub slow: u8,
    /// A planted bug, for tests.
    pub sabotage: Option<Planted>,
}

/// A bug planted in what surrounds the electors: proof that the search can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A disk says that it holds a vote for another node, and does not.
    DiskForgetsVotes,
    /// The network answers each offer that it delivers with an accept that nobody sent.
    NetworkForgesAccepts,
}

/// What does not change while a model is explored.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) bounds: Bounds,
    /// Of each node.
    pub(super) configs: [Config; NODES],
    /// One moment later on the clock of each node.
    pub(super) steps: [u64; NODES],
}

impl Bounds {
    /// What the command explores unless it is told otherwise.
    pub const FULL: Self = Self {
        epochs: 3,
        crashes: 1,
        crashes_together: 3,
        strays: 1,
        cuts: 0,
        sleeps: 0,
        moments: 0,
        slow: 1,
        sabotage: None,
    };

    /// What the tests explore: no crash together with a stray.
    pub const SMALL: Self = Self { crashes_together: 2, strays: 0, ..Self::FULL };
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epochs, crashes, crashes_together, strays, cuts, sleeps, moments, slow, sabotage } = self;
        write!(
            f,
            "{NODES} nodes, epochs up to {epochs}, {crashes} crashes each and {crashes_together} together, {strays} strays, \
             {cuts} cuts, {sleeps} sleeps, {moments} moments (0: no end), slow clocks {slow:03b}"
        )?;
        sabotage.map_or(Ok(()), |planted| write!(f, ", planted: {planted:?}"))
    }
}

impl Model {
    pub(super) fn new(bounds: Bounds) -> Self {
        let drift = STEP / 1_000_000 * u64::from(DRIFT_PPM);
        let step = |node: usize| if bounds.slow >> node & 1 == 1 { STEP - drift } else { STEP + drift };
        Self { bounds, configs: std::array::from_fn(config), steps: std::array::from_fn(step) }
    }

    /// What the clock of `node` shows at `moment`.
    pub(super) fn clock(&self, node: usize, moment: u64) -> Time {
        // No node is as young as its clock.
        Time::from_nanos(self.steps[node] * (moment + 10))
    }

    /// From which age on, in moments, a nonce of `node` is older than D, for `node` itself.
    pub(super) fn stale_age(&self, node: usize) -> u64 {
        let detection = u64::try_from(DETECTION.as_nanos()).expect("D is short");
        detection / self.steps[node] + 1
    }
}

/// The configuration of `node`: D is two moments long, everything else fits into one.
fn config(node: usize) -> Config {
    let ms = Duration::from_millis;
    let cluster = ClusterId::new("model").expect("a valid name");
    Config::builder(cluster, node_id(node))
        .voters((0..NODES).map(node_id))
        .detection(Detection::Fixed(DETECTION))
        .drift_ppm(DRIFT_PPM)
        .clock_granularity(ms(1))
        .heartbeat_interval(ms(60))
        .round_trip(ms(20))
        .save(ms(10))
        .rank_step(ms(55))
        .office_timeout(Duration::from_hours(24))
        .seed(1)
        .build()
        .expect("the model's configuration is valid")
}

pub(super) fn node_id(node: usize) -> NodeId {
    NodeId::new(&name(node)).expect("a valid name")
}

pub(super) fn name(node: usize) -> String {
    NodeIndex::at(node).to_string()
}

pub(super) fn index(node: NodeId) -> usize {
    usize::from(node.as_str().as_bytes()[0] - b'a')
}
