//! Replication, and how a replaced disk is filled again.

use elect_core::{Epoch, MemberKind, RebuiltTo};

use crate::clock::MILLI;
use crate::host::Message;
use crate::log::{EntryId, ModelLog};
use crate::process::Way;
use crate::queue::{Life, NodeIndex, Task};
use crate::world::World;

/// How often a primary sends again what is not acknowledged.
const REPLICATE_EVERY: u64 = 60 * MILLI;

impl World {
    pub(crate) fn replicate(&mut self, node: NodeIndex) {
        let Some(tip) = self.fence(node).map(|fence| fence.inspect(ModelLog::tip)) else { return };
        let Some(host) = self.host(node) else { return };
        let stamp = match &host.way {
            Way::Opening(caught_up, _) => caught_up.stamp().epoch(),
            Way::InOffice(office, _) => office.epoch(),
            _ => return,
        };
        let again = !std::mem::replace(&mut host.replicating, true);
        let matched = host.matched;
        let offset = self.entries.offset(tip);
        for peer in self.members() {
            let lacks = matched[usize::from(peer)] < (stamp, offset);
            if peer != self.member(node) && lacks && self.node(peer).kind != MemberKind::Witness {
                self.tell(node, peer, Message::Append { stamp, tip });
            }
        }
        if again {
            self.host_task(node, REPLICATE_EVERY, Task::Replicate);
        }
    }

    pub(crate) fn rejoin_later(&mut self, node: NodeIndex) {
        if let Some(host) = self.host(node)
            && host.replaced
            && !std::mem::replace(&mut host.rejoining, true)
        {
            self.host_task(node, 100 * MILLI, Task::Rejoin);
        }
    }

    pub(crate) fn rejoin(&mut self, node: NodeIndex) {
        let life = self.node(node).life;
        let Some(host) = self.host(node) else { return };
        host.rejoining = false;
        let (true, Some((leader, stamp))) = (host.replaced, host.following) else { return };
        host.rejoining = true;
        if self.node(node).kind == MemberKind::Witness {
            let now = self.local(node);
            self.elector(node, now, |elector| elector.on_rebuilt(RebuiltTo { entry: None }, now));
        } else {
            self.tell(node, leader, Message::Rejoin { stamp, life });
        }
        self.host_task(node, 100 * MILLI, Task::Rejoin);
    }

    pub(crate) fn on_rejoin(&mut self, node: NodeIndex, from: NodeIndex, stamp: Epoch, life: Life) {
        let Some(host) = self.host(node) else { return };
        let Way::InOffice(office, _) = &host.way else { return };
        if office.epoch() != stamp {
            return;
        }
        let committed = host.committed;
        let entry = match host.markers[usize::from(from)] {
            Some((asked, epoch, entry)) if (asked, epoch) == (life, stamp) => entry,
            _ => {
                let Some(entry) = self.append(node, stamp) else { return };
                if let Some(host) = self.host(node) {
                    host.markers[usize::from(from)] = Some((life, stamp, entry));
                }
                self.replicate(node);
                entry
            }
        };
        let committed = self.entries.offset(entry) <= committed;
        self.tell(node, from, Message::Marker { stamp, entry, committed });
    }

    pub(crate) fn on_marker(&mut self, node: NodeIndex, stamp: Epoch, entry: EntryId, committed: bool) {
        let position = self.entries.position(entry);
        let Some(fence) = self.fence(node) else { return };
        let holds = fence.inspect(|log| self.find(log, position)) == Some(entry);
        let Some(host) = self.host(node) else { return };
        if host.replaced && committed && holds && host.following.is_some_and(|(_, epoch)| epoch == stamp) {
            let now = self.local(node);
            self.elector(node, now, |elector| elector.on_rebuilt(RebuiltTo { entry: Some(position) }, now));
        }
    }
}
