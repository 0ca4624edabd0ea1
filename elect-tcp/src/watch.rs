//! Waiting for who leads, what this node is, and the end of its lease.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use elect_core::{KnownLeader, Lease};

use crate::cells::Cells;
use crate::role::Role;
use crate::signal::{Listener, Waited};
use crate::stream::NoEvent;

/// Watches a node: the newest answers at any time, and a wait, on a thread or as a task, for the next change. What
/// changed and changed back while nobody looked is not seen; [`Events`](crate::Events) miss no step-down.
///
/// From [`NodeHandle::watch`](crate::NodeHandle::watch). Does not keep the node alive.
#[derive(Clone, Debug)]
pub struct LeaderWatch {
    cells: Cells,
    listener: Listener,
}

impl LeaderWatch {
    pub(crate) fn new(cells: Cells) -> Self {
        Self { listener: cells.listen(), cells }
    }

    /// Who leads, and where: see [`NodeHandle::leader`](crate::NodeHandle::leader).
    pub fn leader(&self) -> Option<Arc<KnownLeader>> {
        self.cells.leader()
    }

    /// What this node is.
    pub fn role(&self) -> Role {
        self.cells.role()
    }

    /// The lease held at this moment: see [`NodeHandle::lease`](crate::NodeHandle::lease).
    pub fn lease(&self) -> Option<Lease> {
        self.cells.lease()
    }

    /// Blocks until leader or role have changed since the last wait that said so, or since the watch began.
    ///
    /// [`NoEvent::NotYet`] at the deadline; `None` waits for ever. [`NoEvent::Ended`] once the node has ended and that
    /// was told as a change, to [`Role::Ended`].
    pub fn wait_for_change(&mut self, deadline: Option<Instant>) -> Result<(), NoEvent> {
        outcome(self.listener.wait(deadline))
    }

    /// The same for a task, on any runtime.
    pub const fn changed(&mut self) -> Changed<'_> {
        Changed(self)
    }

    /// Blocks until this node holds no lease: a renewed one is waited for too. At once where it does not lead.
    ///
    /// Wakes at the end of each lease and at each change, and looks at the clock. [`NoEvent::NotYet`] if it still holds
    /// one at the deadline; `None` waits for ever.
    pub fn wait_for_lease_end(&self, deadline: Option<Instant>) -> Result<(), NoEvent> {
        // Of its own: what it sees is still news to the other waits.
        let mut listener = self.cells.listen();
        while let Some(end) = self.cells.lease_end() {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(NoEvent::NotYet);
            }
            let _ = listener.wait(Some(deadline.map_or(end, |deadline| deadline.min(end))));
        }
        Ok(())
    }
}

/// What [`LeaderWatch::changed`] waits for.
#[derive(Debug)]
#[must_use = "a future waits only where it is awaited"]
pub struct Changed<'a>(&'a mut LeaderWatch);

impl Future for Changed<'_> {
    type Output = Result<(), NoEvent>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.listener.poll(context).map(outcome)
    }
}

const fn outcome(waited: Waited) -> Result<(), NoEvent> {
    match waited {
        Waited::Changed => Ok(()),
        Waited::DeadlinePassed => Err(NoEvent::NotYet),
        Waited::Ended => Err(NoEvent::Ended),
    }
}
