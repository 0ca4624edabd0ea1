//! How long the threads of a peer wait.

use std::time::Duration;

/// How long a thread that sends may wait for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) dial: Duration,
    pub(crate) handshake: Duration,
    /// A peer that takes nothing for this long is dialled anew.
    pub(crate) stall: Duration,
    /// What waited longer before a stream stood is not sent on it.
    pub(crate) stale: Duration,
}
