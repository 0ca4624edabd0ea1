//! Where a handle takes what its host asks for: to the thread of its own node, or to one that many groups share.

use std::time::Duration;

use crossbeam_channel::Sender;

use crate::orchestrator::Command;
use crate::threads::Threads;

/// The way to the thread that owns the elector.
pub(crate) trait Desk: Send + Sync {
    /// Has a command run; false where nobody takes it any more. Never waits longer than that thread needs to take it.
    fn command(&self, command: Command) -> bool;

    /// The same, but not for longer than that.
    fn command_within(&self, command: Command, bound: Duration) -> bool;

    /// A newer position waits to be looked at.
    fn position_waits(&self);

    /// Waits until everything has ended; what has not after `bound`.
    fn wait_for_end(&self, bound: Duration) -> Result<(), Vec<String>>;

    /// How many threads there are now.
    fn threads(&self) -> usize;
}

/// That of a node with threads of its own. Its end tells them that the last handle is gone.
pub(crate) struct NodeDesk {
    pub(crate) commands: Sender<Command>,
    pub(crate) threads: Threads,
}

impl Desk for NodeDesk {
    fn command(&self, command: Command) -> bool {
        self.commands.send(command).is_ok()
    }

    fn command_within(&self, command: Command, bound: Duration) -> bool {
        self.commands.send_timeout(command, bound).is_ok()
    }

    /// The thread waits for the position itself.
    fn position_waits(&self) {}

    fn wait_for_end(&self, bound: Duration) -> Result<(), Vec<String>> {
        self.threads.join_all(bound)
    }

    fn threads(&self) -> usize {
        self.threads.count()
    }
}
