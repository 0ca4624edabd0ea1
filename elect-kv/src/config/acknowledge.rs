//! When a write is acknowledged.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who must hold a write durably before its client is told that it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Acknowledge {
    /// A quorum of the voters: no failover loses it.
    #[default]
    Quorum,
    /// Every voter that holds data: while one is away nothing is acknowledged.
    All,
    /// This node alone, where the answer does not depend on what was there: a failover may lose it.
    One,
}

impl Acknowledge {
    /// What whoever chose it should be reminded of.
    pub(crate) fn warning(self) -> Option<&'static str> {
        match self {
            Self::Quorum => None,
            Self::All => Some(
                "acknowledge = \"all\": while a single voter is away, or its replication, no write is acknowledged",
            ),
            Self::One => Some(
                "acknowledge = \"one\": SET and MSET are acknowledged before a quorum holds them, so a failover may lose \
                 acknowledged writes, and a read may not show them yet",
            ),
        }
    }
}

impl fmt::Display for Acknowledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
