//! Configuration: checked when it is built, so that a running elector has nothing to doubt.

pub(crate) mod builder;
mod settings;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::address::Address;
use crate::birth::LogSync;
use crate::epoch::Position;
use crate::members::{Digest, MemberIndex, MemberKind, Members};
use crate::name::{ClusterId, NodeId};
use crate::pace::Pacing;
use crate::profile::{HostData, Profile};
use crate::ranking::lag;
use crate::time::nanos;

/// No detection time is shorter.
pub(crate) const DETECTION_MIN: Duration = Duration::from_millis(1);
/// No detection time is longer: a record that names a longer one is no record of this group.
pub(crate) const DETECTION_MAX: Duration = Duration::from_hours(1);

/// How long silence lasts before a leader counts as gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detection {
    /// Always this long.
    Fixed(Duration),
    /// The leader adapts it to the arrival of its acknowledgements (phi accrual).
    Adaptive {
        /// Never below this.
        floor: Duration,
        /// Never above this.
        ceiling: Duration,
        /// A false suspicion once in 10^phi heartbeats; 1 to 12.
        phi: u8,
    },
}

impl Detection {
    /// The shortest detection time that this may lead to.
    pub const fn floor(self) -> Duration {
        match self {
            Self::Fixed(span) | Self::Adaptive { floor: span, .. } => span,
        }
    }

    /// The longest detection time that this may lead to.
    pub const fn ceiling(self) -> Duration {
        match self {
            Self::Fixed(span) | Self::Adaptive { ceiling: span, .. } => span,
        }
    }
}

/// What happens to a candidate whose log lags too far behind the best connected voter's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LagLimit {
    /// Largest lag, in the host's unit of offset; an entry of a lower epoch always exceeds it.
    pub offset: u64,
    /// What a larger one means.
    pub beyond: BeyondLagLimit,
}

impl LagLimit {
    pub(crate) fn is_exceeded(self, own: Option<Position>, best: Option<Position>) -> bool {
        lag(own, best).is_none_or(|lag| lag > self.offset)
    }
}

/// What a lag beyond the limit means for a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeyondLagLimit {
    /// It campaigns one election timeout after the others: availability first.
    Delays,
    /// It never campaigns: data first. If only such nodes are left there is no leader.
    Bars,
}

/// A configuration that cannot work, with the field, the value and the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} = {value}: {rule}")]
pub struct ConfigError {
    /// The builder's method.
    pub field: &'static str,
    /// What it was given, or what follows from it.
    pub value: String,
    /// What is allowed.
    pub rule: String,
}

/// A configuration that works but wastes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigWarning {
    /// An even number of voters and witnesses.
    EvenVoters(usize),
    /// Without one of its voters a write quorum cannot be had.
    NoSpareVoter {
        /// How many voters there are.
        voters: usize,
        /// How many must hold a write.
        quorum: usize,
    },
    /// This node is preferred as the leader and may never lead.
    PreferredNeverLeads(NodeId),
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EvenVoters(count) => write!(
                f,
                "{count} voters and witnesses survive no more failures than {} would, and one more must answer each \
                 election: add a witness or remove one",
                count.saturating_sub(1)
            ),
            Self::NoSpareVoter { voters, quorum } => write!(
                f,
                "{quorum} of {voters} data-holding voters must hold each write: the loss of one voter stops all writes, and \
                 the loss of one disk stops them until the disk is back, since a replaced node needs a write quorum \
                 without it: turn a witness into a voter"
            ),
            Self::PreferredNeverLeads(node) => write!(
                f,
                "{node} is the preferred leader, and `never_leader` keeps it from leading: the preference has no effect, drop \
                 one of the two"
            ),
        }
    }
}

/// The checked configuration of one elector. Built by [`Config::builder`].
#[derive(Clone, Debug)]
pub struct Config {
    cluster: ClusterId,
    node: NodeId,
    me: MemberIndex,
    group: u32,
    members: Members,
    digest: Digest,
    address: Address,
    heartbeat_interval: Duration,
    detection: Detection,
    detection_min: Duration,
    drift_ppm: u32,
    clock_granularity: Duration,
    round_trip: Duration,
    save: Duration,
    rank_step: Duration,
    pacing: Pacing,
    priority: u8,
    never_leader: bool,
    preferred_leader: Option<NodeId>,
    fail_back_cooldown: Duration,
    handover_timeout: Duration,
    office_timeout: Duration,
    lag_tolerance: u64,
    lag_limit: Option<LagLimit>,
    crash_evidence: bool,
    application: u32,
    host_data: HostData,
    log_sync: LogSync,
    transport_authenticates: bool,
    seed: u64,
    warnings: Vec<ConfigWarning>,
}

impl Config {
    /// What the host says of itself at first.
    pub(crate) fn profile(&self) -> Profile {
        Profile { version: self.application, data: self.host_data, address: self.address.clone() }
    }

    /// Members whose accepts and acknowledgements count, this node aside.
    pub(crate) fn voting_peers(&self) -> impl Iterator<Item = MemberIndex> + Clone + '_ {
        self.members.indices().filter(|&index| index != self.me && self.members.get(index).kind.votes())
    }

    /// What deserves a word in the log.
    pub fn warnings(&self) -> &[ConfigWarning] {
        &self.warnings
    }

    /// How long a voter waits on its clock for a promise of `detection` in real time: D(1 + ρ).
    pub(crate) fn promise_span(&self, detection: Duration) -> Duration {
        let span = nanos(detection);
        Duration::from_nanos(span.saturating_add(drift(span, self.drift_ppm)))
    }

    /// How long a leader may rely on that promise on its clock: L(D) = D(1 - ρ) - σ.
    pub fn lease_span(&self, detection: Duration) -> Duration {
        lease_span(detection, self.drift_ppm, self.clock_granularity)
    }

    /// The shortest detection time, in whole microseconds, whose lease lasts at least `lease`.
    pub(crate) fn detection_for(&self, lease: Duration) -> Duration {
        detection_for(lease, self.drift_ppm, self.clock_granularity)
    }

    /// The election timeout: largest detection time + largest rank delay + 4δ + 2S, on this node's clock.
    pub fn election_timeout(&self) -> Duration {
        self.election_timeout_after(self.detection.ceiling())
    }

    /// The same where a promise of `detection` may still run.
    pub(crate) fn election_timeout_after(&self, detection: Duration) -> Duration {
        let candidates = self.members.iter().filter(|member| member.kind == MemberKind::Voter).count();
        let ranks = u32::try_from(candidates.saturating_sub(1)).unwrap_or(u32::MAX);
        self.promise_span(detection) + self.rank_step * ranks + self.round_trip * 2 + self.save * 2
    }

    /// How long a campaign may take where ranks are `step` apart, after `lost` campaigns were lost in a row: every
    /// voter's answer and both saves, twice over; then longer and longer, in case the network or a disk is slower than
    /// configured. Beyond the lease of the first answers a campaign is lost anyway.
    pub(crate) fn campaign_timeout(&self, step: Duration, lost: u32) -> Duration {
        let longest = self.lease_span(self.detection.ceiling()).max(self.rank_step * 2);
        (step * 2 * (1 << lost.min(4))).min(longest)
    }
}

/// `span` × ρ, rounded up.
fn drift(span: u64, ppm: u32) -> u64 {
    let whole = (span / 1_000_000).saturating_mul(u64::from(ppm));
    let rest = (span % 1_000_000 * u64::from(ppm)).div_ceil(1_000_000);
    whole.saturating_add(rest)
}

/// The shortest detection time, in whole microseconds, whose lease lasts at least `lease`: (L + σ) / (1 − ρ).
fn detection_for(lease: Duration, drift_ppm: u32, granularity: Duration) -> Duration {
    let span = u128::from(nanos(lease).saturating_add(nanos(granularity)));
    let micros = (span * 1_000).div_ceil(1_000_000 - u128::from(drift_ppm));
    // The drift is rounded up, so the last microsecond may be missing.
    let at_least = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX / 1_000));
    if lease_span(at_least, drift_ppm, granularity) < lease {
        at_least + Duration::from_micros(1)
    } else {
        at_least
    }
}

fn lease_span(detection: Duration, drift_ppm: u32, granularity: Duration) -> Duration {
    let span = nanos(detection);
    let lease = span.saturating_sub(drift(span, drift_ppm)).saturating_sub(nanos(granularity));
    Duration::from_nanos(lease)
}
