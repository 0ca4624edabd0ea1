//! Reading a configuration: every setting, as it was built.

use core::time::Duration;

use super::{Config, Detection, LagLimit};
use crate::address::Address;
use crate::birth::LogSync;
use crate::members::{Digest, MemberIndex, MemberKind, Members};
use crate::name::{ClusterId, NodeId};
use crate::pace::Pacing;
use crate::profile::HostData;

macro_rules! getters {
    ($($(#[$doc:meta])* $visible:vis $field:ident: $type:ty,)*) => {
        $($(#[$doc])* #[inline] $visible const fn $field(&self) -> $type {
            self.$field
        })*
    };
}

impl Config {
    /// The members of the group.
    #[inline]
    pub const fn members(&self) -> &Members {
        &self.members
    }

    /// The address that this node advertises, until its host sets another one.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// What kind of member this node is.
    pub fn kind(&self) -> MemberKind {
        self.members.get(self.me).kind
    }

    getters! {
        /// This node.
        pub node: NodeId,
        /// Its place in the list of members.
        pub(crate) me: MemberIndex,
        /// The cluster.
        pub cluster: ClusterId,
        /// The number of this group between the same nodes.
        pub group: u32,
        /// Digest of cluster and members, as it stands in every frame and in the record.
        pub digest: Digest,
        /// How often a leader sends heartbeats.
        pub heartbeat_interval: Duration,
        /// The detection time.
        pub detection: Detection,
        /// The shortest detection time that this node can lead with: its lease outlasts two heartbeats, a round trip
        /// and a save. A voter that allows no longer promise carries no lease of this node.
        pub detection_min: Duration,
        /// Twice the step in which the coarsest clock of the group is read.
        pub clock_granularity: Duration,
        /// A round trip on a bad day.
        pub round_trip: Duration,
        /// One save of the vote file on a bad day.
        pub save: Duration,
        /// The delay per rank, where it does not follow what is measured.
        pub rank_step: Duration,
        /// Whether the delay per rank was set by hand.
        pub(crate) pacing: Pacing,
        /// Among equally fresh candidates the higher priority wins.
        pub priority: u8,
        /// Whether this node votes but never leads.
        pub never_leader: bool,
        /// The node that should lead whenever it is fit.
        pub preferred_leader: Option<NodeId>,
        /// How long a preferred node must have been fit before the leader hands over to it.
        pub fail_back_cooldown: Duration,
        /// The deadline of a handover that names none.
        pub handover_timeout: Duration,
        /// How long an elected node may take to enter office.
        pub office_timeout: Duration,
        /// Logs that differ by at most this, in the host's unit of offset, count as equally fresh.
        pub lag_tolerance: u64,
        /// What happens to a candidate whose log lags too far behind.
        pub lag_limit: Option<LagLimit>,
        /// Whether a refused connection ends promises to a dead process.
        pub crash_evidence: bool,
        /// The host's version number, until it sets another one.
        pub application: u32,
        /// The bytes that belong to this version.
        pub host_data: HostData,
        /// Whether entries survive a crash once their position was told.
        pub log_sync: LogSync,
        /// Whether the transport proves who sent a frame.
        pub transport_authenticates: bool,
        /// What everything random comes from.
        pub(crate) seed: u64,
    }
}
