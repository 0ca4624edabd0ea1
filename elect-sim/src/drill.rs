//! The kinds of drills.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// One deliberate trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Drill {
    /// The leader resigns.
    Resign,
    /// The leader resigns, and one follower misses every first announcement.
    LoseAnnounce,
    /// The leader hands over to a chosen voter.
    HandOver,
    /// The leader's machine loses power and returns later: nothing but silence tells.
    PowerOffLeader,
    /// The leader's process is killed and returns later.
    KillLeader,
    /// The leader is cut off, in one direction or both, and returns.
    IsolateLeader,
    /// Another node is cut off, in one direction or both, and returns.
    IsolateFollower,
    /// A voter restarts with a higher epoch than anybody's: a candidate whose campaign nobody heard of.
    HigherEpoch,
    /// A candidate is cut off when it has just campaigned, and returns.
    CutOffCandidate,
    /// Every machine loses power, and all return at once.
    PowerCut,
    /// Every machine loses power, and all but the old leader's return at once.
    PowerCutWithoutLeader,
    /// In a freeze the leader is cut off or restarts, in its way into office or later; meanwhile a follower restarts.
    FreezeLeader,
}

impl Drill {
    /// All of them.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its name, in scenarios too.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
