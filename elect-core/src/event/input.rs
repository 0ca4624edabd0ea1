//! What a host and a driver report.

use crate::epoch::Position;
use crate::nonce::Incarnation;
use crate::time::Time;

/// How fit for office a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Health {
    /// It can serve.
    Healthy,
    /// Its storage is stalled, it cannot serve, or it did not renew its health: it loses or declines office.
    Unfit,
}

/// What a driver learned about the connection to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum LinkState {
    /// A connection stands.
    Up,
    /// The connection closed.
    Closed,
    /// The connection closed *and* the peer's address refused a new one: evidence that the process is dead.
    ///
    /// Report it only where a process closes its listener after everything else it does (a killed process
    /// does), and where nothing else ever answers at that address with a refusal.
    Refused {
        /// When the refused attempt began, on this node's clock.
        #[cfg_attr(feature = "wire", serde(rename = "attempt_began_ms"))]
        attempt_began: Time,
    },
    /// The process of that life has ended, which says nothing of the connection.
    ///
    /// Report it only as the word of somebody who holds the process and has proved to speak for that node: a promise to a
    /// life that goes on would be broken. It counts whether or not crash evidence is configured.
    Ended {
        /// The life that is over.
        incarnation: Incarnation,
    },
}

/// A rebuilt node's claim that it holds everything up to an entry written after its return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct RebuiltTo {
    /// An entry of the followed leader's epoch, appended after this node's return and on a write quorum
    /// without this node. A witness names none.
    pub entry: Option<Position>,
}
