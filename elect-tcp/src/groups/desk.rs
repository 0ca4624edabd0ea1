//! The way from the handles of one group to the thread that all groups share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::group::Group;
use super::savers::GroupKey;
use crate::desk::Desk;
use crate::orchestrator::Command;
use crate::threads::Threads;

/// What is asked of the thread itself. Never more of it waits than there are groups, or calls.
pub(super) enum Control {
    Start(Box<Group>),
    /// A newer position waits.
    Position(GroupKey),
    /// The last handle to that group is gone.
    Abandoned(GroupKey),
    /// Every group ends, after a handover that may take so long where it leads.
    Leave(Duration),
    /// Nobody is left who could ask for anything.
    End,
}

/// What the handles of all groups share. Its end is the end of the process' groups.
pub(super) struct Line {
    pub(super) commands: Sender<(GroupKey, Command)>,
    pub(super) control: Sender<Control>,
    pub(super) threads: Threads,
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.control.send(Control::End);
    }
}

/// That of one group.
pub(super) struct GroupDesk {
    pub(super) key: GroupKey,
    pub(super) line: Arc<Line>,
    pub(super) position_waits: Arc<AtomicBool>,
    /// Disconnected when the group has ended and its vote store is free.
    pub(super) ended: Receiver<()>,
}

impl Desk for GroupDesk {
    fn command(&self, command: Command) -> bool {
        self.line.commands.send((self.key, command)).is_ok()
    }

    fn command_within(&self, command: Command, bound: Duration) -> bool {
        self.line.commands.send_timeout((self.key, command), bound).is_ok()
    }

    fn position_waits(&self) {
        if !self.position_waits.swap(true, Ordering::SeqCst) {
            let _ = self.line.control.send(Control::Position(self.key));
        }
    }

    fn wait_for_end(&self, bound: Duration) -> Result<(), Vec<String>> {
        match self.ended.recv_timeout(bound) {
            Err(RecvTimeoutError::Timeout) => {
                Err(vec![format!("elect-save, with the vote store of group {}", self.key.number)])
            }
            _ => Ok(()),
        }
    }

    fn threads(&self) -> usize {
        self.line.threads.count()
    }
}

impl Drop for GroupDesk {
    fn drop(&mut self) {
        let _ = self.line.control.send(Control::Abandoned(self.key));
    }
}
