//! The kinds of drills.

/// One deliberate trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// A voter restarts with a higher epoch than anybody's: a candidate whose round nobody heard of.
    HigherEpoch,
    /// A candidate is cut off when it has just stood, and returns.
    CutOffCandidate,
    /// Every machine loses power, and all return at once.
    PowerCut,
    /// Every machine loses power, and all but the old leader's return at once.
    PowerCutWithoutLeader,
    /// In a freeze the leader is cut off or restarts, in its way into office or later; meanwhile a follower restarts.
    FreezeLeader,
}

impl Drill {
    /// All of them, with their names in scenarios.
    pub const ALL: [(Self, &str); 12] = [
        (Self::Resign, "resign"),
        (Self::LoseAnnounce, "lose-announce"),
        (Self::HandOver, "hand-over"),
        (Self::PowerOffLeader, "power-off-leader"),
        (Self::KillLeader, "kill-leader"),
        (Self::IsolateLeader, "isolate-leader"),
        (Self::IsolateFollower, "isolate-follower"),
        (Self::HigherEpoch, "higher-epoch"),
        (Self::CutOffCandidate, "cut-off-candidate"),
        (Self::PowerCut, "power-cut"),
        (Self::PowerCutWithoutLeader, "power-cut-without-leader"),
        (Self::FreezeLeader, "freeze-leader"),
    ];

    /// By its name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|&(drill, _)| drill)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(drill, _)| *drill == self).map_or("none", |&(_, name)| name)
    }
}
