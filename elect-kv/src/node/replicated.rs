//! What a node with data has besides the elector.

use std::sync::Arc;

use crate::replication::Replica;
use crate::store::{FencedLog, Store};

/// The log of a node that holds data: its part in replication, the log behind the fence, the applied state.
pub(super) struct ReplicatedState {
    pub(super) replica: Replica,
    pub(super) journal: FencedLog,
    pub(super) store: Arc<Store>,
}
