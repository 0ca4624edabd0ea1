//! The host's side of a running node.

use std::sync::Arc;
use std::time::Duration;

use elect_core::{
    Authority, Explanation, Health, Lease, NodeId, Office, Position, RebuiltTo, RequestRefused, Status, Time,
};

use crate::clock;

/// The node has ended, or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has ended")]
pub struct NodeGone;

/// Why a request had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The elector refused it.
    #[error(transparent)]
    Refused(#[from] RequestRefused),
    /// The node has ended.
    #[error(transparent)]
    NodeGone(#[from] NodeGone),
}

/// Some threads had not ended when the time was up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("still running after {waited:?}: {}", .threads.join(", "))]
pub struct ShutdownError {
    /// How long the call waited.
    pub waited: Duration,
    /// Their names.
    pub threads: Vec<String>,
}

/// A handle to a running node. Cheap to clone; when the last one is dropped the node shuts down.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) authority: Authority,
}

impl NodeHandle {
    /// The lease held at this moment, if there is one. Lock-free; reads the clock at the call.
    pub fn lease(&self) -> Option<Lease> {
        self.shared.authority.lease(self.now())
    }

    /// Whether this node holds a lease at this moment. Lock-free; reads the clock at the call.
    pub fn is_leader(&self) -> bool {
        self.lease().is_some()
    }

    /// The node's clock, for [`Office::stamp`] and [`Office::finish_read`].
    pub fn now(&self) -> Time {
        clock::now()
    }

    /// Where the node stands.
    pub fn status(&self) -> Result<Status, NodeGone> {
        Err(NodeGone)
    }

    /// Why this node leads or does not, and why nobody does.
    pub fn explain(&self) -> Result<Explanation, NodeGone> {
        Err(NodeGone)
    }

    /// The last durable entry of the host's log. Never blocks: only the newest position is kept.
    pub fn set_position(&self, position: Option<Position>) {
        let _ = position;
    }

    /// How fit for office the host is.
    pub fn set_health(&self, health: Health) {
        let _ = health;
    }

    /// The host is in office.
    pub fn in_office(&self, office: &Office) {
        let _ = office;
    }

    /// The catch-up source is lost, or no longer has what it reported.
    pub fn source_lost(&self) {}

    /// Everything that began before the handover is finished.
    pub fn drained(&self) {}

    /// A replaced node's log holds everything up to an entry written after its return.
    pub fn rebuilt(&self, to: RebuiltTo) {
        let _ = to;
    }

    /// Hands leadership to `to`, or to the best candidate. `timeout: None` takes the configured one.
    pub fn handover(&self, to: Option<NodeId>, timeout: Option<Duration>) -> Result<(), RequestError> {
        let _ = (to, timeout);
        Err(NodeGone.into())
    }

    /// Gives leadership or candidacy up without naming a successor.
    pub fn resign(&self) -> Result<(), RequestError> {
        Err(NodeGone.into())
    }

    /// Freezes failover in the whole group for `span`.
    pub fn pause(&self, span: Duration) -> Result<(), RequestError> {
        let _ = span;
        Err(NodeGone.into())
    }

    /// Ends a pause.
    pub fn resume(&self) -> Result<(), RequestError> {
        Err(NodeGone.into())
    }

    /// Resigns if this node leads, closes every connection, joins every thread and frees the port.
    pub fn shutdown(&self) -> Result<(), ShutdownError> {
        Ok(())
    }
}
