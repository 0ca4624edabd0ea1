//! The way into office and what is done there: catching up, the own entry, writes and their acknowledgements.

use elect_core::{Elected, Epoch, Log as _, MemberKind, Position, Source, Stamp};

use super::message::Message;
use super::{EntryId, ModelLog, Store, Task, Way};
use crate::clock::{MICRO, MILLI};
use crate::host::Machine;
use crate::ids::{NODES_MAX, NodeIndex};
use crate::sabotage::Sabotage;

/// How often the source of a catch-up is asked before it counts as lost.
const PULLS_MAX: u32 = 8;

impl Store {
    pub(super) fn begin_way(&mut self, machine: &mut Machine<'_>, elected: Elected) {
        if machine.setup_fails() {
            machine.note(|| "its setup fails".into());
            return;
        }
        if machine.is_sabotaged(Sabotage::NeverOpens) {
            return;
        }
        if machine.is_sabotaged(Sabotage::ServesAtOnce) {
            let epoch = elected.epoch();
            let office = elected.serve_without_log_forgetting_earlier_writes();
            self.way = Way::InOffice(office, epoch, 0);
            self.serves(machine, epoch);
            return;
        }
        let wait = machine.random().below(200 * MICRO);
        self.way = Way::CatchingUp(elected);
        self.pulls = 0;
        self.ways += 1;
        self.later(machine, wait, Task::Advance { way: self.ways });
    }

    /// The epoch led is another one now, and office goes on.
    pub(super) fn on_raised(&mut self, machine: &mut Machine<'_>, epoch: Epoch) {
        let Some(own) = self.append(machine, epoch) else { return };
        let Way::InOffice(office, led, first) = &mut self.way else { return };
        (*led, *first) = (epoch, machine.entries().offset(own));
        // A process that was stopped since it read the clock may learn of an office that is over.
        if office.check(machine.now()).is_ok() {
            self.serves(machine, epoch);
        }
    }

    /// One step further on the way into office, if there is something to do.
    pub(super) fn go_further(&mut self, machine: &mut Machine<'_>) {
        let Some(held) = self.fence.as_ref().map(|fence| fence.inspect(ModelLog::last_durable)) else {
            return;
        };
        if !matches!(self.way, Way::CatchingUp(_)) {
            return;
        }
        let Way::CatchingUp(elected) = std::mem::replace(&mut self.way, Way::Out) else { return };
        let epoch = elected.epoch();
        match elected.caught_up(held) {
            Ok(caught_up) => {
                self.matched = [(Epoch::ZERO, 0); NODES_MAX];
                if let Some(own) = self.append(machine, epoch) {
                    self.way = Way::Opening(caught_up, machine.entries().offset(own));
                    self.replicate(machine);
                }
            }
            Err((elected, _)) => self.way = Way::CatchingUp(elected),
        }
    }

    /// Asks the source of a catch-up, again if it did not answer, and gives it up in the end.
    pub(super) fn pull(&mut self, machine: &mut Machine<'_>) {
        let Way::CatchingUp(elected) = &self.way else { return };
        let Some(Source { peer, position }) = elected.catch_up_from() else { return };
        let stamp = elected.catch_up_stamp().epoch();
        self.pulls += 1;
        if self.pulls > PULLS_MAX {
            self.pulls = 0;
            machine.source_lost();
        } else if let Some(peer) = NodeIndex::of(peer) {
            Self::tell(machine, peer, Message::Pull { stamp, position });
        }
        self.later(machine, 40 * MILLI, Task::Advance { way: self.ways });
    }

    pub(super) fn on_pulled(
        &mut self,
        machine: &mut Machine<'_>,
        from: NodeIndex,
        stamp: Epoch,
        position: Position,
        tip: Option<EntryId>,
    ) {
        let source = machine.member_of(from).id();
        let Way::CatchingUp(elected) = &self.way else { return };
        if elected.epoch() != stamp || elected.catch_up_from() != Some(Source { peer: source, position }) {
            return;
        }
        let Some(tip) = tip else {
            machine.source_lost();
            return;
        };
        let Some(fence) = &self.fence else { return };
        let entries = machine.entries();
        if fence.apply(Stamp::received(stamp), |log| log.end_with(entries, tip)).is_ok() {
            machine.admitted(Stamp::received(stamp));
            self.last_apply = (stamp, machine.index());
            self.begin_sync(machine);
        }
    }

    /// Appends an entry of the epoch that this node leads.
    pub(super) fn append(&mut self, machine: &mut Machine<'_>, epoch: Epoch) -> Option<EntryId> {
        let entries = machine.entries_mut();
        let stamp = Stamp::received(epoch);
        let appended = self.fence.as_ref()?.apply(stamp, |log| {
            let id = entries.append(log.tip(), epoch);
            log.push(id);
            id
        });
        let id = appended.ok()?;
        machine.admitted(stamp);
        self.last_apply = (epoch, machine.index());
        self.begin_sync(machine);
        Some(id)
    }

    /// Counts acknowledgements: opens the office with the own entry, then acknowledges writes.
    pub(super) fn advance(&mut self, machine: &mut Machine<'_>) {
        let (epoch, own) = match &self.way {
            Way::Opening(caught_up, own) => (caught_up.stamp().epoch(), *own),
            Way::InOffice(_, led, own) => (*led, *own),
            _ => return,
        };
        let offset = if machine.is_sabotaged(Sabotage::OwnCopyIsEnough) {
            self.matched[machine.member()].1
        } else {
            self.on_write_quorum(machine, epoch)
        };
        if offset < own || offset <= self.committed && matches!(self.way, Way::InOffice(..)) {
            return;
        }
        let Some(fence) = &self.fence else { return };
        let Some(entry) = fence.inspect(|log| log.at(offset)) else { return };
        // The second look, the primary's own too, and its lease.
        if fence.ack(Stamp::received(epoch)).is_err() {
            return;
        }
        match &self.way {
            Way::Opening(..) => self.open(machine, epoch, own, offset),
            Way::InOffice(office, ..)
                if office.check_write(Stamp::received(epoch), machine.now()).is_ok() =>
            {
                machine.acknowledged(Stamp::received(epoch), entry);
                self.committed = offset;
            }
            _ => {}
        }
    }

    fn open(&mut self, machine: &mut Machine<'_>, epoch: Epoch, own: u64, committed: u64) {
        let Way::Opening(caught_up, _) = std::mem::replace(&mut self.way, Way::Out) else { return };
        match caught_up.own_entry_committed(Position::new(epoch, own)) {
            Ok(office) => {
                self.committed = committed;
                self.way = Way::InOffice(office.clone(), epoch, own);
                if office.check(machine.now()).is_ok() {
                    self.serves(machine, epoch);
                }
                machine.entered_office(&office);
            }
            Err((caught_up, _)) => self.way = Way::Opening(caught_up, own),
        }
    }

    fn serves(&self, machine: &mut Machine<'_>, epoch: Epoch) {
        let Some(fence) = &self.fence else { return };
        fence.inspect(|log| machine.serves(epoch, log));
    }

    /// The highest offset that a write quorum of data-holding voters acknowledged under this stamp.
    fn on_write_quorum(&self, machine: &Machine<'_>, stamp: Epoch) -> u64 {
        let kinds = machine.kinds();
        let mut offsets = [0; NODES_MAX];
        for (index, (&(acknowledged, offset), &kind)) in self.matched.iter().zip(kinds).enumerate() {
            if kind == MemberKind::Voter && acknowledged == stamp {
                offsets[index] = offset;
            }
        }
        let voting = kinds.iter().filter(|kind| kind.votes()).count();
        offsets.sort_unstable_by(|one, other| other.cmp(one));
        offsets[voting / 2]
    }
}
