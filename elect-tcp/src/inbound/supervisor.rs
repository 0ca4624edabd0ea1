//! A stream of a node's supervisor: each life of that node that has ended.

use elect_core::{Incarnation, NodeId};

use super::InboundConnections;
use crate::orchestrator::Input;
use crate::transport::Stream;

impl InboundConnections {
    /// Reads until the stream ends.
    pub(super) fn hear_supervisor<S: Stream>(&self, mut stream: S, peer: NodeId) {
        if stream.set_timeouts(None, None).is_err() {
            return;
        }
        let (mut counter, mut random) = ([0; 4], [0; 4]);
        while stream.read_exact(&mut counter).and_then(|()| stream.read_exact(&mut random)).is_ok() {
            let incarnation =
                Incarnation { counter: u32::from_le_bytes(counter), random: u32::from_le_bytes(random) };
            if self.inbox.send(Input::LifeEnded { peer, incarnation }).is_err() {
                return;
            }
        }
    }
}
