//! Kinds of faults.

use strum::VariantArray;

/// A kind of fault that a run may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
pub enum Fault {
    /// Some directed links are cut for a while.
    Cut,
    /// One node is cut off, in one direction or both.
    Isolate,
    /// A link holds everything back for a while.
    Clog,
    /// A process is killed and starts again later.
    Crash,
    /// Every machine loses power.
    PowerCut,
    /// A process stops for a while: SIGSTOP, or its machine is suspended.
    Pause,
    /// A process stops or dies between two particular instructions.
    Interrupt,
    /// A disk becomes slow for a while.
    SlowDisk,
    /// A disk hangs for a while.
    HungDisk,
    /// The next save fails, before or after it took effect.
    FailedSave,
    /// A machine comes back with an empty or an unreadable disk.
    LostDisk,
    /// A connection breaks and is made again.
    Reset,
    /// A clock changes its rate, within the bound.
    Drift,
    /// A host reports itself unfit for a while.
    Unfit,
    /// A host hangs for a while: it no longer says that it is well.
    HungHost,
    /// A leader is asked to resign.
    Resign,
    /// A leader is asked to hand over.
    Handover,
    /// Failover is frozen for a while.
    Freeze,
    /// Something happens to a node as soon as it stands, accepts, saves, is elected, hands over …
    AtEvent,
    /// Offers and what answers them are lost, a re-offer's too.
    LostOffers,
    /// A node returns that campaigned in a higher epoch: its leader must offer itself anew, and may be refused.
    HigherEpoch,
    /// Every message takes longer for a while, also longer than configured.
    SlowNetwork,
    /// Links are cut for what hosts send, while the electors go on talking.
    DataCut,
    /// A process dies and starts with another detection time, where nodes are configured differently.
    Reconfigure,
    /// A machine comes back with an empty disk, and an operator gives it a first boot in place of a replacement.
    SecondFirstBoot,
    /// A host says something else of itself: where clients reach it, or which version it runs.
    HostChanges,
    /// A machine dies and comes back with a copy of its disk that was taken before, while it ran.
    SetBack,
    /// A second machine runs for a while with a copy of a member's disk, under its name.
    Twin,
}

impl Fault {
    /// All kinds, in order.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// How many there were when seeds were first kept: what was added later is drawn apart, so that the rest of a
    /// seed's world stays what it was.
    pub(crate) const FIRST: usize = 17;
}
