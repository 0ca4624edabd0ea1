//! Liveness: what PROTOCOL.md bounds and a run measures, in which unit, and against which checker.

use strum::IntoStaticStr;

use crate::checkers::Checker;

/// Something about liveness that a run measures against its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Liveness {
    /// L1: from healing to a leader, every link and node in order.
    SettlesInFullMesh,
    /// L1: likewise, with some links cut or nodes down.
    Settles,
    /// L2: step-downs of a leader while another node is cut off, returns or is ahead of it.
    Undisturbed,
    /// L3: from the cut that takes a leader's quorum to its step-down.
    StepsDown,
    /// L4: epochs that a node adds while it is cut off.
    EpochsAlone,
    /// L4: likewise, where it is cut off in the middle of its own election.
    EpochsOfCutOffCandidate,
    /// L5: from healing to a leader in office: no standoff on the way.
    Serves,
    /// L6: from a restart, links state, to following; its durable epoch may be higher.
    FollowsAgain,
    /// L6: from the end of a cut to following.
    Rejoins,
    /// L7: from a step-down to the last follower that is free.
    FreeAtOnce,
    /// L7: from an election to a follower that missed the announcement.
    LearnsLeader,
    /// L8: from a connected quorum to a leader, at the first boot of all.
    FirstBoot,
    /// L8: likewise after a power cut of all, the old leader among those that return.
    PowerCut,
    /// L8: likewise, the old leader stays away: from the return of the others.
    PowerCutWithoutLeader,
    /// L9: from a resignation to a new leader.
    Elects,
    /// L9: from the end of a quorum's promises to a new leader.
    ElectsAfterSilence,
    /// L9: likewise, while clients write or a deaf leader still counts as a candidate: then a rank delay may come on
    /// top, for one that cannot win or has lost its rank under way.
    ElectsBehindAnother,
    /// Further candidacies before somebody is elected: then the bounds that hold "when the first campaign does not
    /// split" are not asked, and only L1 is.
    FurtherCampaigns,
    /// Likewise, while clients write: positions change under way, and so do the ranks that others see.
    FurtherCampaignsAmidWrites,
    /// Likewise, after a first boot or a power cut of all: a quorum is connected before the best is known.
    FurtherCampaignsAtBoot,
    /// L9, S9: from the step-down of a handover to its target's leadership.
    HandsOver,
    /// From a leader's end or cut to a new leader, by silence.
    Detects,
    /// From a leader's end to a new leader, by a refused connection.
    DetectsByEvidence,
    /// From a preferred node's fitness to its leadership.
    FailsBack,
    /// L1: from the return of the leader that a freeze keeps in office to its leadership.
    LeadsAgain,
}

/// In what a bound is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "lowercase")]
pub enum Unit {
    /// Election timeouts of that group.
    #[strum(serialize = "election timeouts")]
    ElectionTimeouts,
    /// Detection times (the longest that the group may use).
    #[strum(serialize = "detection times")]
    DetectionTimes,
    /// Heartbeat intervals of its leaders.
    #[strum(serialize = "heartbeat intervals")]
    HeartbeatIntervals,
    /// Milliseconds.
    #[strum(serialize = "ms")]
    Milliseconds,
    /// Epochs or step-downs.
    Times,
}

impl Unit {
    /// As it stands behind a number.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Liveness {
    /// Its property in PROTOCOL.md, and what is measured, in few words.
    pub const fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::SettlesInFullMesh => ("L1", "healed to a leader, full mesh"),
            Self::Settles => ("L1", "healed to a leader, some links cut"),
            Self::Undisturbed => ("L2", "step-downs while others are cut off, return, are ahead"),
            Self::StepsDown => ("L3", "quorum cut off to step-down"),
            Self::EpochsAlone => ("L4", "epochs added while cut off"),
            Self::EpochsOfCutOffCandidate => ("L4", "epochs added by a candidate cut off"),
            Self::Serves => ("L5", "healed to a leader in office"),
            Self::FollowsAgain => ("L6", "restarted to following, also from a higher epoch"),
            Self::Rejoins => ("L6", "cut healed to following"),
            Self::FreeAtOnce => ("L7", "step-down to every follower free"),
            Self::LearnsLeader => ("L7", "elected to followed, announcement lost"),
            Self::FirstBoot => ("L8", "first boot, quorum connected to a leader"),
            Self::PowerCut => ("L8", "power cut of all, quorum connected to a leader"),
            Self::PowerCutWithoutLeader => ("L8", "power cut of all, old leader away, to a leader"),
            Self::Elects => ("L9", "resignation to a new leader"),
            Self::ElectsAfterSilence => ("L9", "promises of a quorum over to a new leader"),
            Self::FurtherCampaigns => ("L9", "further candidacies before somebody is elected"),
            Self::FurtherCampaignsAmidWrites => ("L9", "likewise, amid writes"),
            Self::FurtherCampaignsAtBoot => ("L9", "likewise, when all boot at once"),
            Self::ElectsBehindAnother => ("L9", "likewise, amid writes or behind a better candidate"),
            Self::HandsOver => ("L9", "handover, step-down to the target leading"),
            Self::Detects => ("—", "leader dead or cut off to a new leader"),
            Self::DetectsByEvidence => ("—", "leader killed to a new one, by crash evidence"),
            Self::FailsBack => ("—", "preferred node fit to its leadership"),
            Self::LeadsAgain => ("L1", "frozen leader back to its leadership"),
        }
    }

    /// The unit of its bound.
    pub const fn unit(self) -> Unit {
        match self {
            Self::SettlesInFullMesh
            | Self::Settles
            | Self::Serves
            | Self::Detects
            | Self::FailsBack
            | Self::LeadsAgain => Unit::ElectionTimeouts,
            Self::StepsDown | Self::PowerCutWithoutLeader => Unit::DetectionTimes,
            Self::FollowsAgain | Self::Rejoins | Self::LearnsLeader => Unit::HeartbeatIntervals,
            Self::Undisturbed
            | Self::EpochsAlone
            | Self::EpochsOfCutOffCandidate
            | Self::FurtherCampaigns
            | Self::FurtherCampaignsAmidWrites
            | Self::FurtherCampaignsAtBoot => Unit::Times,
            _ => Unit::Milliseconds,
        }
    }

    /// The checker that fails beyond the bound.
    pub const fn checker(self) -> Checker {
        match self {
            Self::SettlesInFullMesh
            | Self::Settles
            | Self::FurtherCampaigns
            | Self::FurtherCampaignsAmidWrites
            | Self::FurtherCampaignsAtBoot => Checker::Settles,
            Self::Undisturbed => Checker::Stays,
            Self::StepsDown => Checker::StepsDownInTime,
            Self::EpochsAlone | Self::EpochsOfCutOffCandidate => Checker::AddsNoEpoch,
            Self::Serves => Checker::Serves,
            Self::FollowsAgain | Self::Rejoins => Checker::FollowsAgain,
            Self::FreeAtOnce => Checker::FreeAtOnce,
            Self::LearnsLeader => Checker::LearnsLeader,
            Self::FirstBoot | Self::PowerCut | Self::PowerCutWithoutLeader => Checker::BootsInTime,
            Self::Elects | Self::ElectsAfterSilence | Self::ElectsBehindAnother => Checker::ElectsAtOnce,
            Self::HandsOver => Checker::HandsOver,
            Self::Detects | Self::DetectsByEvidence => Checker::DetectsInTime,
            Self::FailsBack => Checker::FailsBack,
            Self::LeadsAgain => Checker::FrozenStays,
        }
    }
}

/// One measurement: nanoseconds, or a count where the unit is [`Unit::Times`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Measured {
    /// What was measured.
    pub what: Liveness,
    /// What was seen.
    pub seen: u64,
    /// What must not be exceeded in this group.
    pub bound: u64,
    /// How much of `seen` and `bound` is one unit in this group.
    pub one: u64,
}
