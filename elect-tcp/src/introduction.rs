//! What this node says of itself in every handshake, as it is at that moment.

use std::sync::Arc;

use arc_swap::ArcSwap;
use elect_core::{Address, Birth, Config, Digest, Incarnation, NodeId};

use crate::clock::random_seed;
use crate::handshake::{Greeting, MANY_GROUPS, VERSIONS};
use crate::own_address::OwnAddress;

/// Cheap to clone; the clones say the same.
#[derive(Clone, Debug)]
pub(crate) struct Introduction {
    config: Arc<Config>,
    group: u32,
    members: Digest,
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
        let (group, members) = (config.group(), config.digest());
        Self { config: Arc::new(config.clone()), group, members, address, listen, life }
    }

    /// That of a process of many groups. Its life and its members are those of its groups; this one only tells it from the
    /// process before it.
    pub(crate) fn of_process(config: &Config, address: OwnAddress, listen: Address) -> Self {
        let seed = random_seed().to_le_bytes();
        let random = u32::from_le_bytes([seed[0], seed[1], seed[2], seed[3]]);
        let incarnation = Incarnation { counter: 0, random };
        let process = Self::new(config, address, listen, incarnation, None);
        Self { group: MANY_GROUPS, members: Digest::from_bits(0), ..process }
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        self.life.load().0
    }

    pub(crate) fn to(&self, addressee: NodeId) -> Greeting {
        let (incarnation, birth) = **self.life.load();
        Greeting {
            versions: VERSIONS,
            cluster: self.config.cluster(),
            node: self.config.node(),
            addressee,
            incarnation,
            group: self.group,
            members: self.members,
            address: self.address.get(),
            listen: self.listen.clone(),
            birth,
            is_supervisor: false,
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
