//! Why a replaced node may not vote yet.

/// Why a replaced node does not vote yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum NotRebuilt {
    /// Its storage was not replaced.
    #[error("its storage was not replaced")]
    NotReplaced,
    /// A record is being saved: ask again.
    #[error("a record is being saved, ask again")]
    Saving,
    /// It follows nobody.
    #[error("it follows nobody")]
    NoLeader,
    /// It has not followed one leader for longer than the largest detection time.
    #[error("it has not followed one leader without interruption for longer than the largest detection time")]
    TooEarly,
    /// The entry is not of the followed leader's epoch.
    #[error("the entry must be of the followed leader's epoch, appended after this node's return")]
    NotOfTheLeader,
}
