//! What one run is made of.

mod drawn;

use std::time::Duration;

use elect_core::{Detection, MemberKind};

use crate::clock::{MICRO, MILLI, Real, SECOND};
use crate::drill::Drill;
use crate::fault::Fault;
use crate::ids::NodeIndex;
use crate::network::Quality;
use crate::node_overrides::NodeOverrides;
use crate::remaining::Topology;
use crate::sabotage::Sabotage;

/// What one run is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed that decides everything.
    pub seed: u64,
    /// What each member is.
    pub kinds: Vec<MemberKind>,
    /// Further machines: each runs under the name of this member once its disk is copied there.
    pub twins: Vec<NodeIndex>,
    /// The interval of a leader's heartbeats.
    pub heartbeat: Duration,
    /// The detection time.
    pub detection: Detection,
    /// ρ as configured; clocks stay within it unless `wild_clocks`.
    pub drift_ppm: u32,
    /// σ as configured.
    pub granularity: Duration,
    /// In which steps clocks are read.
    pub reading: u64,
    /// The round trip as configured: twice δ.
    pub round_trip: Duration,
    /// One save as configured: S.
    pub save: Duration,
    /// Whether a refused connection counts as evidence of death.
    pub crash_evidence: bool,
    /// Whether somebody holds each process and tells its peers when it has ended.
    pub supervised: bool,
    /// The network while faults last.
    pub stormy: Quality,
    /// How often a message of the model store is lost on top of that, per million: followers lag.
    pub store_loss_ppm: u32,
    /// The network afterwards.
    pub calm: Quality,
    /// The faults that may happen.
    pub faults: Vec<Fault>,
    /// Mean time between faults, in nanoseconds.
    pub fault_every: u64,
    /// Mean time between clients' requests.
    pub client_every: u64,
    /// What stays broken when faults end.
    pub remaining: Topology,
    /// How long faults last.
    pub safety: Real,
    /// How long the run goes on without them.
    pub liveness: Real,
    /// Clocks run far outside ρ: everything but S5, S13 and lease reads must still hold.
    pub wild_clocks: bool,
    /// How far the first starts lie apart at most; zero also makes every connection stand at once.
    pub boot_spread: u64,
    /// The node that should lead whenever it is fit.
    pub preferred: Option<NodeIndex>,
    /// How long a preferred node must have been fit.
    pub cooldown: Duration,
    /// How long a winner may take into office.
    pub office_timeout: Duration,
    /// How late a host tells its elector how far its log is durable: it only ranks by this.
    pub reports: Real,
    /// What single nodes are set to differently, by node.
    pub overrides: Vec<NodeOverrides>,
    /// What is measured when the faults are over and the group has settled.
    pub drills: Vec<Drill>,
    /// A planted bug, for tests.
    pub sabotage: Option<Sabotage>,
}

impl Options {
    /// A quiet group of `nodes` voters: no faults, a good network.
    pub fn quiet(seed: u64, nodes: usize) -> Self {
        let calm = Quality::calm(200 * MICRO, 2 * MILLI);
        Self {
            seed,
            kinds: vec![MemberKind::Voter; nodes],
            twins: Vec::new(),
            heartbeat: Duration::from_millis(50),
            detection: Detection::Fixed(Duration::from_millis(500)),
            drift_ppm: 20_000,
            granularity: Duration::from_millis(1),
            reading: 1,
            round_trip: Duration::from_millis(10),
            save: Duration::from_millis(10),
            crash_evidence: false,
            supervised: false,
            stormy: calm,
            store_loss_ppm: 0,
            calm,
            faults: Vec::new(),
            fault_every: SECOND,
            client_every: 100 * MILLI,
            remaining: Topology::default(),
            safety: 0,
            liveness: 60 * SECOND,
            wild_clocks: false,
            boot_spread: 20 * MILLI,
            preferred: None,
            cooldown: Duration::from_mins(2),
            office_timeout: Duration::from_secs(30),
            reports: 0,
            overrides: Vec::new(),
            drills: Vec::new(),
            sabotage: None,
        }
    }
}
