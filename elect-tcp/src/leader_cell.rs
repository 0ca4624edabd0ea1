//! Who leads, and where, as any thread may read it without a lock.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use elect_core::{Address, Duty, KnownLeader, NodeId, Notice};

use crate::own_address::OwnAddress;
use crate::signal::Signal;

/// Follows what the elector tells its host, and is written before the host hears it.
#[derive(Clone, Debug)]
pub(crate) struct LeaderCell {
    own_name: NodeId,
    own_address: OwnAddress,
    known: Arc<ArcSwapOption<KnownLeader>>,
    signal: Signal,
}

impl LeaderCell {
    pub(crate) fn new(own_name: NodeId, own_address: OwnAddress, signal: Signal) -> Self {
        Self { own_name, own_address, known: Arc::default(), signal }
    }

    pub(crate) const fn own_name(&self) -> NodeId {
        self.own_name
    }

    pub(crate) fn read(&self) -> Option<Arc<KnownLeader>> {
        self.known.load_full()
    }

    fn write(&self, known: Option<KnownLeader>) {
        if self.read().as_deref() != known.as_ref() {
            self.known.store(known.map(Arc::new));
            self.signal.raise();
        }
    }

    pub(crate) fn on_lost(&self) {
        self.write(None);
    }

    pub(crate) fn on_duty(&self, duty: &Duty) {
        let epoch = match duty {
            Duty::Elected(elected) => elected.epoch(),
            Duty::EpochRaised { raised, .. } => raised.epoch(),
            _ => return,
        };
        self.write(Some(KnownLeader { node: self.own_name, epoch, address: self.own_address.get() }));
    }

    /// Clients reach this node elsewhere from now on.
    pub(crate) fn on_moved(&self, address: Address) {
        self.own_address.set(address.clone());
        if let Some(known) = self.read().filter(|known| known.node == self.own_name) {
            self.write(Some(KnownLeader { address, ..*known }));
        }
    }

    pub(crate) fn on_notice(&self, notice: &Notice) {
        match notice {
            &Notice::Following { leader, epoch, ref address } => {
                self.write(Some(KnownLeader { node: leader, epoch, address: address.clone() }));
            }
            Notice::LeaderAddress { leader, address } => {
                if let Some(known) = self.read().filter(|known| known.node == *leader) {
                    self.write(Some(KnownLeader { address: address.clone(), ..(*known).clone() }));
                }
            }
            Notice::LeaderLost { .. } => self.write(None),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use elect_core::{Epoch, LeaderLost};
    use elect_harness::id;

    use super::*;

    #[test]
    fn the_cell_names_a_leader_with_its_own_address() {
        let address = |text| Address::new(text).unwrap();
        let cell = LeaderCell::new(id("a"), OwnAddress::new(address("a:1")), Signal::default());
        let named = || cell.read().map(|known| (known.node, known.epoch.number(), known.address.to_string()));
        assert_eq!(named(), None);
        let (leader, epoch) = (id("b"), Epoch::new(3));
        cell.on_notice(&Notice::Following { leader, epoch, address: Address::default() });
        assert_eq!(named(), Some((id("b"), 3, String::new())));
        cell.on_notice(&Notice::LeaderAddress { leader: id("c"), address: address("c:1") });
        assert_eq!(named(), Some((id("b"), 3, String::new())), "that is another one's");
        cell.on_notice(&Notice::LeaderAddress { leader, address: address("b:1") });
        assert_eq!(named(), Some((id("b"), 3, "b:1".into())));
        cell.on_notice(&Notice::Resumed);
        assert!(named().is_some());
        cell.on_notice(&Notice::LeaderLost { leader, epoch, reason: LeaderLost::Silent });
        assert_eq!(named(), None);
        cell.on_notice(&Notice::Following { leader, epoch, address: address("b:1") });
        cell.on_moved(address("a:2"));
        assert_eq!(named(), Some((id("b"), 3, "b:1".into())), "this node does not lead");
        cell.on_lost();
        assert_eq!(named(), None);
    }
}
