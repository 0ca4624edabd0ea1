//! What this node says of itself in every handshake, as it is at that moment.

use std::sync::Arc;

use arc_swap::ArcSwap;
use elect_core::{Address, Birth, Config, Incarnation, NodeId};

use crate::handshake::{Greeting, VERSIONS};
use crate::own_address::OwnAddress;

/// Cheap to clone; the clones say the same.
#[derive(Clone, Debug)]
pub(crate) struct Introduction {
    config: Arc<Config>,
    address: OwnAddress,
    listen: Address,
    life: Arc<ArcSwap<(Incarnation, Option<Birth>)>>,
}

impl Introduction {
    /// `listen` is where peers dial this node, empty if that is not known. Of a storage that is marked as replaced the
    /// birth proves nothing: it is `None`.
    pub(crate) fn new(
        config: &Config,
        address: OwnAddress,
        listen: Address,
        incarnation: Incarnation,
        birth: Option<Birth>,
    ) -> Self {
        let life = Arc::new(ArcSwap::from_pointee((incarnation, birth)));
        Self { config: Arc::new(config.clone()), address, listen, life }
    }

    pub(crate) fn to(&self, addressee: NodeId) -> Greeting {
        let (incarnation, birth) = **self.life.load();
        Greeting {
            versions: VERSIONS,
            cluster: self.config.cluster(),
            node: self.config.node(),
            addressee,
            incarnation,
            group: self.config.group(),
            members: self.config.digest(),
            address: self.address.get(),
            listen: self.listen.clone(),
            birth,
        }
    }

    /// A replacement has taken another life.
    pub(crate) fn set_incarnation(&self, incarnation: Incarnation) {
        let (before, birth) = **self.life.load();
        if before != incarnation {
            self.life.store(Arc::new((incarnation, birth)));
        }
    }
}
