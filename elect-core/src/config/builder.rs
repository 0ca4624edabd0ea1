//! Building a configuration: every setting, and the checks that they must pass together.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::{
    Config, ConfigError, ConfigWarning, DETECTION_MAX, DETECTION_MIN, Detection, LagLimit, detection_for,
    lease_span,
};
use crate::address::Address;
use crate::birth::LogSync;
use crate::handover::HANDOVER_TIMEOUTS;
use crate::members::{Member, MemberKind, Members, majority};
use crate::name::{ClusterId, NodeId};
use crate::pace::Pacing;
use crate::profile::HostData;
use crate::time::nanos;

impl Config {
    /// Starts a configuration for `node` in `cluster`. Every setting has a default but the members.
    ///
    /// ```
    /// use core::time::Duration;
    /// use elect_core::{ClusterId, Config, Detection, NodeId};
    ///
    /// let [a, b, c] = ["a", "b", "c"].map(|name| NodeId::new(name).unwrap());
    /// let config = Config::builder(ClusterId::new("shop")?, a)
    ///     .voters([a, b, c])
    ///     .detection(Detection::Fixed(Duration::from_millis(300)))
    ///     .build()?;
    /// assert_eq!(config.members().quorum(), 2);
    ///
    /// let error = Config::builder(ClusterId::new("shop")?, a).voters([b, c]).build().unwrap_err();
    /// assert_eq!(error.to_string(), "members = b, c: must hold this node, a");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(cluster: ClusterId, node: NodeId) -> ConfigBuilder {
        ConfigBuilder::new(cluster, node)
    }
}

/// Collects settings; [`build`](Self::build) checks them together.
#[derive(Clone, Debug)]
#[must_use = "a configuration begins to exist with `build`"]
pub struct ConfigBuilder {
    cluster: ClusterId,
    node: NodeId,
    group: u32,
    members: Vec<Member>,
    address: Address,
    heartbeat_interval: Duration,
    detection: Detection,
    drift_ppm: u32,
    clock_granularity: Duration,
    round_trip: Duration,
    save: Duration,
    rank_step: Option<Duration>,
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
}

macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        $($(#[$doc])* pub fn $field(mut self, $field: $type) -> Self {
            self.$field = $field;
            self
        })*
    };
}

impl ConfigBuilder {
    fn new(cluster: ClusterId, node: NodeId) -> Self {
        Self {
            cluster,
            node,
            group: 0,
            members: Vec::new(),
            address: Address::default(),
            heartbeat_interval: Duration::from_millis(50),
            detection: Detection::Fixed(Duration::from_millis(500)),
            drift_ppm: 10_000,
            clock_granularity: Duration::from_millis(1),
            round_trip: Duration::from_millis(20),
            save: Duration::from_millis(20),
            rank_step: None,
            priority: 100,
            never_leader: false,
            preferred_leader: None,
            fail_back_cooldown: Duration::from_mins(2),
            handover_timeout: Duration::from_secs(5),
            office_timeout: Duration::from_secs(30),
            lag_tolerance: 0,
            lag_limit: None,
            crash_evidence: false,
            application: 0,
            host_data: HostData::default(),
            log_sync: LogSync::Synchronous,
            transport_authenticates: true,
            seed: 0,
        }
    }

    /// Adds members. Every node of a group must be given the same list, in any order.
    pub fn members(mut self, members: impl IntoIterator<Item = Member>) -> Self {
        self.members.extend(members);
        self
    }

    /// Adds voters: they vote, hold data and may lead.
    pub fn voters(self, ids: impl IntoIterator<Item = NodeId>) -> Self {
        self.members(ids.into_iter().map(|id| Member { id, kind: MemberKind::Voter }))
    }

    /// Adds witnesses: they vote, hold no data and never lead.
    pub fn witnesses(self, ids: impl IntoIterator<Item = NodeId>) -> Self {
        self.members(ids.into_iter().map(|id| Member { id, kind: MemberKind::Witness }))
    }

    /// Adds observers: they hold data and count for nothing.
    pub fn observers(self, ids: impl IntoIterator<Item = NodeId>) -> Self {
        self.members(ids.into_iter().map(|id| Member { id, kind: MemberKind::Observer }))
    }

    /// The delay per rank; it must exceed one round trip plus one save. Default: twice that, and as much less or more
    /// as the round trips and saves that are measured take; one that is set here stays, and so do campaigns and waits.
    pub fn rank_step(mut self, rank_step: Duration) -> Self {
        self.rank_step = Some(rank_step);
        self
    }

    /// The node that should lead whenever it is fit; acts only through handover.
    pub fn preferred_leader(mut self, node: NodeId) -> Self {
        self.preferred_leader = Some(node);
        self
    }

    /// What a lag beyond a limit means. Default: no limit, lag only ranks.
    pub fn lag_limit(mut self, limit: LagLimit) -> Self {
        self.lag_limit = Some(limit);
        self
    }

    setters! {
        /// The number of this group between the same nodes. Default 0.
        group: u32,
        /// Where clients reach this node: told to everybody, and changed by
        /// [`Elector::set_address`](crate::Elector::set_address). Default empty.
        address: Address,
        /// How often a leader sends heartbeats. Default 50 ms; 1 ms to 60 s.
        heartbeat_interval: Duration,
        /// How long silence lasts before a leader counts as gone. Default 500 ms, fixed; at most 1 h, whole
        /// microseconds. Members may differ: a promise lasts for the smaller of what its leader and its giver are
        /// configured with, so it is changed on a running group node by node.
        detection: Detection,
        /// ρ: how far the clock's rate may be off, in parts per million. Default 10,000 (1 %); at most 200,000.
        drift_ppm: u32,
        /// σ: twice the step in which the coarsest clock of the group is read, since a lease and a promise are each
        /// read once. Default 1 ms; 10 µs to 1 s.
        clock_granularity: Duration,
        /// A round trip on a bad day: dimensions leases and delays, is never waited for. Default 20 ms. Longer ones are
        /// reported ([`Notice::SlowerThanConfigured`](crate::Notice::SlowerThanConfigured)).
        round_trip: Duration,
        /// One save of the vote file on a bad day: likewise. Default 20 ms.
        save: Duration,
        /// Among equally fresh candidates the higher priority wins. Default 100.
        priority: u8,
        /// This node votes but never leads. Default false.
        never_leader: bool,
        /// How long the preferred node, or one of higher priority, must have been fit without interruption before
        /// the leader hands over to it. Default 2 min.
        fail_back_cooldown: Duration,
        /// The deadline of a handover that names none. Default 5 s.
        handover_timeout: Duration,
        /// How long an elected node may take to enter office before it resigns. Default 30 s.
        office_timeout: Duration,
        /// Logs that differ by at most this count as equally fresh. Default 0.
        lag_tolerance: u64,
        /// Whether [`LinkState::Refused`](crate::LinkState::Refused) ends promises to a dead process. Default false.
        crash_evidence: bool,
        /// The host's version number: the hosts of peers with a lower one hear of it, if this node has an address.
        /// Default 0; raised by [`Elector::set_host_data`](crate::Elector::set_host_data).
        application: u32,
        /// The bytes that belong to this version. Default none.
        host_data: HostData,
        /// Whether entries survive a crash once their position was told. If not, peers that see a restarted node hold
        /// fewer only warn ([`Notice::EntriesLost`](crate::Notice::EntriesLost)). Default: they do.
        log_sync: LogSync,
        /// Whether the transport proves who sent a frame. If not, no frame stops this node by saying that its life is
        /// over; [`Elector::on_rejected`](crate::Elector::on_rejected) does. Default true.
        transport_authenticates: bool,
        /// Everything random comes from this. Draw it from the operating system at every start.
        seed: u64,
    }

    /// Checks everything together.
    pub fn build(self) -> Result<Config, ConfigError> {
        self.check_members()?;
        self.check_spans()?;
        let rank_step = self.checked_rank_step()?;
        self.check_lease()?;
        let voting = self.members.iter().filter(|member| member.kind.votes()).count();
        let voters = self.members.iter().filter(|member| member.kind == MemberKind::Voter).count();
        let quorum = majority(voting);
        let mut warnings = Vec::new();
        if voting.is_multiple_of(2) {
            warnings.push(ConfigWarning::EvenVoters(voting));
        }
        if voters < voting && voters <= quorum {
            warnings.push(ConfigWarning::NoSpareVoter { voters, quorum });
        }
        if self.never_leader && self.preferred_leader == Some(self.node) {
            warnings.push(ConfigWarning::PreferredNeverLeads(self.node));
        }
        let detection_min = detection_for(self.needed_lease(), self.drift_ppm, self.clock_granularity);
        let members = Members::new(self.members.clone());
        let Some(me) = members.index(self.node) else {
            return Err(self.members_refused(format!("must hold this node, {}", self.node)));
        };
        Ok(Config {
            me,
            digest: members.digest(self.cluster),
            cluster: self.cluster,
            node: self.node,
            group: self.group,
            members,
            address: self.address,
            heartbeat_interval: self.heartbeat_interval,
            detection: self.detection,
            detection_min,
            drift_ppm: self.drift_ppm,
            clock_granularity: self.clock_granularity,
            round_trip: self.round_trip,
            save: self.save,
            rank_step,
            pacing: if self.rank_step.is_some() { Pacing::ByHand } else { Pacing::Measured },
            priority: self.priority,
            never_leader: self.never_leader,
            preferred_leader: self.preferred_leader,
            fail_back_cooldown: self.fail_back_cooldown,
            handover_timeout: self.handover_timeout,
            office_timeout: self.office_timeout,
            lag_tolerance: self.lag_tolerance,
            lag_limit: self.lag_limit,
            crash_evidence: self.crash_evidence,
            application: self.application,
            host_data: self.host_data,
            log_sync: self.log_sync,
            transport_authenticates: self.transport_authenticates,
            seed: self.seed,
            warnings,
        })
    }

    fn members_refused(&self, rule: String) -> ConfigError {
        let ids = self.members.iter().map(|member| member.id);
        let value = if self.members.is_empty() { "(none)".into() } else { list(ids) };
        ConfigError { field: "members", value, rule }
    }

    fn check_members(&self) -> Result<(), ConfigError> {
        let refuse = |rule| Err(self.members_refused(rule));
        if self.members.is_empty() {
            return refuse("must hold at least one voter".into());
        }
        if self.members.len() > Members::COUNT_MAX {
            let value = self.members.len().to_string();
            return Err(ConfigError {
                field: "members",
                value,
                rule: format!("must be at most {}", Members::COUNT_MAX),
            });
        }
        let mut ids: Vec<_> = self.members.iter().map(|member| member.id).collect();
        ids.sort_unstable();
        if let Some([twice, _]) = ids.array_windows().find(|[left, right]| left == right) {
            return refuse(format!("must hold each name once, {twice} stands twice"));
        }
        let count = |kind| self.members.iter().filter(|member| member.kind == kind).count();
        let (voters, witnesses) = (count(MemberKind::Voter), count(MemberKind::Witness));
        let quorum = majority(voters + witnesses);
        if voters < quorum {
            return refuse(format!(
                "must leave a quorum of data-holding voters: {witnesses} witnesses leave {voters} voters, a quorum is {quorum}"
            ));
        }
        match self.preferred_leader {
            Some(id) if !self.members.iter().any(|m| m.id == id && m.kind == MemberKind::Voter) => {
                Err(ConfigError {
                    field: "preferred_leader",
                    value: id.to_string(),
                    rule: "must be a voter".into(),
                })
            }
            _ => Ok(()),
        }
    }

    fn check_spans(&self) -> Result<(), ConfigError> {
        let ms = Duration::from_millis;
        within("heartbeat_interval", self.heartbeat_interval, ms(1), ms(60_000))?;
        within("clock_granularity", self.clock_granularity, Duration::from_micros(10), ms(1_000))?;
        within("round_trip", self.round_trip, Duration::from_micros(1), ms(60_000))?;
        within("save", self.save, Duration::ZERO, ms(60_000))?;
        within("fail_back_cooldown", self.fail_back_cooldown, Duration::ZERO, ms(7 * 24 * 3_600_000))?;
        let (least, most) = HANDOVER_TIMEOUTS.into_inner();
        within("handover_timeout", self.handover_timeout, least, most)?;
        within("office_timeout", self.office_timeout, ms(1), ms(24 * 3_600_000))?;
        if self.drift_ppm > 200_000 {
            let rule = "must be at most 200000 (20 %)".into();
            return Err(ConfigError { field: "drift_ppm", value: self.drift_ppm.to_string(), rule });
        }
        for span in [self.detection.floor(), self.detection.ceiling()] {
            within("detection", span, DETECTION_MIN, DETECTION_MAX)?;
            if !nanos(span).is_multiple_of(1_000) {
                return refuse("detection", span, "must be whole microseconds, as frames carry it".into());
            }
        }
        match self.detection {
            Detection::Adaptive { floor, ceiling, .. } if floor > ceiling => {
                refuse("detection", floor, format!("the floor must not exceed the ceiling, {ceiling:?}"))
            }
            Detection::Adaptive { phi, .. } if !(1..=12).contains(&phi) => Err(ConfigError {
                field: "detection",
                value: phi.to_string(),
                rule: "phi must be 1 to 12".into(),
            }),
            _ => Ok(()),
        }
    }

    fn checked_rank_step(&self) -> Result<Duration, ConfigError> {
        let needed = self.round_trip + self.save;
        let step = self.rank_step.unwrap_or(needed * 2);
        if step <= needed || step > Duration::from_mins(10) {
            let rule = format!("must exceed round_trip + save = {needed:?} and be at most 600 s");
            return refuse("rank_step", step, rule);
        }
        Ok(step)
    }

    /// R54: what the shortest lease must outlast.
    fn needed_lease(&self) -> Duration {
        self.heartbeat_interval * 2 + self.round_trip + self.save
    }

    /// R54: the arithmetic of leases: the shortest lease must outlast two heartbeats, a round trip and a save.
    fn check_lease(&self) -> Result<(), ConfigError> {
        let floor = self.detection.floor();
        let lease = lease_span(floor, self.drift_ppm, self.clock_granularity);
        let needed = self.needed_lease();
        if lease < needed {
            // Its fractions say nothing to whoever must raise it.
            let lease = Duration::from_millis(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX));
            let rule = format!(
                "leads to a lease of {lease:?} (detection less drift and clock granularity), which must be at least two \
                 heartbeats, a round trip and a save: {needed:?}"
            );
            return refuse("detection", floor, rule);
        }
        Ok(())
    }
}

fn list(ids: impl Iterator<Item = NodeId>) -> String {
    let names: Vec<_> = ids.map(|id| id.to_string()).collect();
    names.join(", ")
}

fn refuse<T>(field: &'static str, value: Duration, rule: String) -> Result<T, ConfigError> {
    Err(ConfigError { field, value: format!("{value:?}"), rule })
}

fn within(field: &'static str, value: Duration, min: Duration, max: Duration) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        refuse(field, value, format!("must be {min:?} to {max:?}"))
    }
}

#[cfg(test)]
mod tests;
