//! Replication, and how a replaced disk is filled again.

use elect_core::{Epoch, MemberKind};

use super::message::Message;
use super::{Store, Task, Way};
use crate::clock::MILLI;
use crate::host::Machine;
use crate::ids::{Life, NodeIndex};
use crate::model_log::EntryId;

/// How often a primary sends again what is not acknowledged.
const REPLICATE_EVERY: u64 = 60 * MILLI;

impl Store {
    pub(super) fn replicate(&mut self, machine: &mut Machine<'_>) {
        let Some(tip) = self.tip() else { return };
        let stamp = match &self.way {
            Way::Opening(caught_up, _) => caught_up.stamp().epoch(),
            Way::InOffice(_, led, _) => *led,
            _ => return,
        };
        let again = !std::mem::replace(&mut self.replicating, true);
        let (offset, own) = (machine.entries().offset(tip), machine.member());
        for peer in machine.members() {
            let lacks = self.matched[peer] < (stamp, offset);
            if peer != own && lacks && machine.kind(peer) != Some(MemberKind::Witness) {
                Self::tell(machine, peer, Message::Append { stamp, tip });
            }
        }
        if again {
            self.later(machine, REPLICATE_EVERY, Task::Replicate);
        }
    }

    pub(super) fn rejoin_later(&mut self, machine: &mut Machine<'_>) {
        if self.replaced && !std::mem::replace(&mut self.rejoining, true) {
            self.later(machine, 100 * MILLI, Task::Rejoin);
        }
    }

    pub(super) fn rejoin(&mut self, machine: &mut Machine<'_>) {
        self.rejoining = false;
        let (true, Some((leader, stamp))) = (self.replaced, machine.leader()) else { return };
        self.rejoining = true;
        if self.fence.is_none() {
            machine.rebuilt(None);
        } else {
            let life = machine.life();
            Self::tell(machine, leader, Message::Rejoin { stamp, life });
        }
        self.later(machine, 100 * MILLI, Task::Rejoin);
    }

    pub(super) fn on_rejoin(&mut self, machine: &mut Machine<'_>, from: NodeIndex, stamp: Epoch, life: Life) {
        let Way::InOffice(_, led, _) = &self.way else { return };
        if *led != stamp {
            return;
        }
        let committed = self.committed;
        let entry = match self.markers[from] {
            Some((asked, epoch, entry)) if (asked, epoch) == (life, stamp) => entry,
            _ => {
                let Some(entry) = self.append(machine, stamp) else { return };
                self.markers[from] = Some((life, stamp, entry));
                self.replicate(machine);
                entry
            }
        };
        let committed = machine.entries().offset(entry) <= committed;
        Self::tell(machine, from, Message::Marker { stamp, entry, committed });
    }

    pub(super) fn on_marker(
        &mut self,
        machine: &mut Machine<'_>,
        stamp: Epoch,
        entry: EntryId,
        committed: bool,
    ) {
        let position = machine.entries().position(entry);
        let holds = self.find(machine, position) == Some(entry);
        let follows = machine.leader().is_some_and(|(_, epoch)| epoch == stamp);
        if self.replaced && committed && holds && follows {
            machine.rebuilt(Some(position));
        }
    }
}
