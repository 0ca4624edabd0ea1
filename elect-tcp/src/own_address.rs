//! Where clients reach this node, as its host said last: what its greetings say, and its leader cell while it leads.

use std::sync::Arc;

use arc_swap::ArcSwap;
use elect_core::Address;

/// Shared by whoever says it.
#[derive(Clone, Debug)]
pub(crate) struct OwnAddress(Arc<ArcSwap<Address>>);

impl OwnAddress {
    pub(crate) fn new(address: Address) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(address)))
    }

    pub(crate) fn get(&self) -> Address {
        (**self.0.load()).clone()
    }

    pub(crate) fn set(&self, address: Address) {
        self.0.store(Arc::new(address));
    }
}
