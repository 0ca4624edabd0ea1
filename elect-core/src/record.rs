//! What a node remembers across restarts.

use core::time::Duration;

use crate::config::Config;
use crate::epoch::Epoch;
use crate::genesis::told::SavedGenesis;
use crate::members::Digest;
use crate::name::{ClusterId, NodeId};
use crate::nonce::Incarnation;

/// The durable state of one node: a vote file holds exactly one of these.
///
/// A store hands it to [`Elector::new`](crate::Elector::new) and saves each new one that a
/// [`Gate`](crate::Gate) passes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The cluster that this node belongs to.
    pub cluster: ClusterId,
    /// The node whose record this is.
    pub node: NodeId,
    /// Digest of the member list: a start with another list is refused (S10).
    pub members: Digest,
    /// The current or last life of the node.
    pub incarnation: Incarnation,
    /// The counter of the first life on this storage; zero before that. It tells a later life of this storage from one
    /// of another (R60).
    pub first_life: u32,
    /// The durable epoch: never falls (S3).
    pub epoch: Epoch,
    /// Who has this node's promise in `epoch`; nobody before the first election.
    pub holder: Option<Holder>,
    /// The longest promise to `holder` that may still run, in real time.
    pub detection_max: Duration,
    /// Whether this node's storage was replaced and has not earned its vote back.
    pub storage: Storage,
    /// Which history of the group this storage belongs to (R59); none before the first election.
    pub genesis: Option<SavedGenesis>,
}

impl Record {
    /// The record of a node that never ran before. An operator's explicit act, once: a missing record of a
    /// node that did run is a lost one.
    pub fn first_boot(config: &Config) -> Self {
        Self {
            cluster: config.cluster(),
            node: config.node(),
            members: config.digest(),
            incarnation: Incarnation::default(),
            first_life: 0,
            epoch: Epoch::ZERO,
            holder: None,
            detection_max: config.detection().ceiling(),
            storage: Storage::Intact,
            genesis: None,
        }
    }

    /// The record of a node whose storage was lost: it counts for nothing until it has caught up (S13).
    pub fn replacement(config: &Config) -> Self {
        Self { storage: Storage::Replaced, ..Self::first_boot(config) }
    }
}

/// Whom a node's promise in an epoch is to, and how it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The accepted candidate or the proven leader.
    pub node: NodeId,
    /// How the promise was given.
    pub how: PromiseKind,
}

/// How a promise was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromiseKind {
    /// By accepting its offer: a vote.
    Voted,
    /// By following it as the proven leader: this epoch's vote, if there was one, stays spent.
    Followed,
}

/// What is known of a node's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// It has held everything this node ever saved.
    Intact,
    /// It was lost and replaced: the node counts for nothing until it has caught up again (S13).
    Replaced,
}
