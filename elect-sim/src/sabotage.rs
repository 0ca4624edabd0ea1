//! Bugs planted in what surrounds an elector.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// A bug planted in what surrounds an elector: proof that a checker can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Sabotage {
    /// One in five saves is reported as done and is not.
    LyingDisk,
    /// Bytes are missing at the end of a frame.
    GarbledBytes,
    /// The primary acknowledges what only it holds.
    OwnCopyIsEnough,
    /// Nobody looks at the fence again before an acknowledgement leaves, and entries are applied without it.
    NoFence,
    /// A log reports the epoch of an entry in memory with the offset of a durable one.
    MixedPosition,
    /// A read does not check the lease after it took its value.
    UncheckedRead,
    /// A winner serves at once: no catching up, no entry of its own.
    ServesAtOnce,
    /// A winner never enters office.
    NeverOpens,
    /// Clocks run far outside the bound that the leases rely on, and the checkers do not know.
    SecretDrift,
    /// The network goes on losing everything when it should have healed.
    NeverHeals,
    /// The network goes on stalling for long after it has healed.
    Stalls,
    /// A node that is cut off finds a higher epoch on its disk.
    CountsAlone,
    /// Saves take far longer than configured once the faults are over.
    SlowSaves,
    /// Links are far slower than they should be once the faults are over.
    SlowLinks,
    /// What hosts say of themselves is lost on its way.
    LosesProfiles,
    /// No leader knows who is preferred.
    ForgetsPreference,
    /// The process panics after ten simulated seconds.
    Panics,
}

impl Sabotage {
    /// All of them.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its name, in scenarios too.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
