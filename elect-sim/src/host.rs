//! The model host: a replicated store that does everything that S7 asks of a host, and nothing else.

use elect_core::{Epoch, Fence, Position, Stamp};

use crate::checkers::node_name;
use crate::clock::{MICRO, SECOND};
use crate::log::{EntryId, ModelLog};
use crate::network::{Fate, Held};
use crate::options::Sabotage;
use crate::process::{Host, Process, State, Way};
use crate::queue::{Life, NodeIndex, Task, What};
use crate::world::{World, index_from};

/// What hosts tell each other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Message {
    /// Nothing: an unused place.
    #[default]
    None,
    /// Make your log hold this tip. Its entries are thought to be inside.
    Append { stamp: Epoch, tip: EntryId },
    /// My log holds this tip durably.
    Acknowledged { stamp: Epoch, offset: u64 },
    /// I was elected and you hold more: send me everything up to here.
    Pull { stamp: Epoch, position: Position },
    /// Here it is; `None` if this log no longer holds it.
    Pulled { stamp: Epoch, position: Position, tip: Option<EntryId> },
    /// My storage was replaced: tell me an entry that was appended after this.
    Rejoin { stamp: Epoch, life: Life },
    /// This one; and whether it is on a write quorum.
    Marker { stamp: Epoch, entry: EntryId, committed: bool },
}

impl World {
    // Messages.

    /// A message leaves for a member: for every machine that bears its name.
    pub(crate) fn tell(&mut self, from: NodeIndex, member: NodeIndex, message: Message) {
        self.tell_machine(from, member, message);
        for twin in self.twins_of(member) {
            self.tell_machine(from, twin, message);
        }
    }

    fn tell_machine(&mut self, from: NodeIndex, to: NodeIndex, message: Message) {
        if self.calm_since.is_none() && self.chance.chance(self.options.store_loss_ppm) {
            return;
        }
        let fate = match self.apply_store_rules(from, to) {
            Some(fate) => fate,
            None => self.network.carry(from, to, self.now),
        };
        match fate {
            Fate::Arrives(arrivals) => {
                for &at in &arrivals.at[..arrivals.count] {
                    let slot = self.messages.put(message);
                    self.queue.push(at, What::Message { from, to, slot });
                }
            }
            Fate::Waits => {
                let slot = self.messages.put(message);
                self.network.hold(from, to, Held::Message(slot));
            }
        }
    }

    pub(crate) fn message_arrives(&mut self, from: NodeIndex, to: NodeIndex, slot: u32) {
        if self.node(to).state == State::Down {
            self.messages.free(slot);
        } else {
            self.input(to, crate::process::Input::Message { from, slot });
        }
    }

    pub(crate) fn on_host_message(&mut self, node: NodeIndex, from: NodeIndex, message: Message) {
        let from = self.member(from);
        match message {
            Message::None => {}
            Message::Append { stamp, tip } => self.on_append(node, from, stamp, tip),
            Message::Acknowledged { stamp, offset } => {
                if let Some(host) = self.host(node) {
                    let matched = &mut host.matched[usize::from(from)];
                    *matched = (*matched).max((stamp, offset));
                }
                self.advance(node);
            }
            Message::Pull { stamp, position } => {
                let tip = self.fence(node).and_then(|fence| fence.inspect(|log| self.find(log, position)));
                self.tell(node, from, Message::Pulled { stamp, position, tip });
            }
            Message::Pulled { stamp, position, tip } => self.on_pulled(node, from, stamp, position, tip),
            Message::Rejoin { stamp, life } => self.on_rejoin(node, from, stamp, life),
            Message::Marker { stamp, entry, committed } => self.on_marker(node, stamp, entry, committed),
        }
    }

    /// The entry at `position`, if this log still holds it durably.
    pub(crate) fn find(&self, log: &ModelLog, position: Position) -> Option<EntryId> {
        if position == Position::EMPTY {
            return Some(0);
        }
        let id = self.entries.on_path(log.durable(), position.offset)?;
        (self.entries.position(id) == position && log.holds(&self.entries, id)).then_some(id)
    }

    // Followers.

    fn on_append(&mut self, node: NodeIndex, from: NodeIndex, stamp: Epoch, tip: EntryId) {
        let Some(process) = &self.nodes[usize::from(node)].process else { return };
        let Some(fence) = &process.fence else { return };
        let entries = &self.entries;
        let admitted = if self.is_sabotaged(Sabotage::NoFence) { fence.floor() } else { stamp };
        let applied = fence.apply(Stamp::received(admitted), |log| {
            log.extend_to(entries, tip);
            entries.on_path(log.durable(), entries.offset(tip)) == Some(tip)
        });
        let Ok(is_durable) = applied else { return };
        self.checks.admitted(self.now, node, Stamp::received(stamp));
        if let Some(host) = self.host(node) {
            host.last_apply = (stamp, from);
        }
        if is_durable {
            self.acknowledge(node, stamp, tip);
        } else {
            self.begin_sync(node);
        }
    }

    /// The last act before an acknowledgement leaves is a second look at the fence.
    fn acknowledge(&mut self, node: NodeIndex, stamp: Epoch, tip: EntryId) {
        let admitted = self.fence(node).is_some_and(|fence| fence.ack(Stamp::received(stamp)).is_ok());
        if !admitted {
            return;
        }
        self.checks.admitted(self.now, node, Stamp::received(stamp));
        let offset = self.entries.offset(tip);
        let member = usize::from(self.member(node));
        let Some(host) = self.host(node) else { return };
        let (to, counts) = (host.last_apply.1, !host.replaced);
        if to == node {
            host.matched[member] = (stamp, offset);
            self.advance(node);
        } else if counts {
            self.tell(node, to, Message::Acknowledged { stamp, offset });
        }
    }

    pub(crate) fn begin_sync(&mut self, node: NodeIndex) {
        let Some(tip) = self.fence(node).map(|fence| fence.inspect(ModelLog::tip)) else { return };
        let Some(host) = self.host(node) else { return };
        if host.syncing.is_some() {
            return;
        }
        host.syncing = Some((tip, host.last_apply.0));
        let life = self.node(node).life;
        match self.node_mut(node).disk.duration() {
            Some(duration) => self.queue.push(self.now + duration, What::SyncDone { node, life }),
            None => {
                if let Some(process) = &mut self.node_mut(node).process {
                    process.hung_sync = true;
                }
            }
        }
    }

    pub(crate) fn on_sync_done(&mut self, node: NodeIndex) {
        let Some((tip, stamp)) = self.host(node).and_then(|host| host.syncing.take()) else { return };
        self.node_mut(node).log = tip;
        let entries = &self.entries;
        let Some(process) = &self.nodes[usize::from(node)].process else { return };
        let Some(fence) = &process.fence else { return };
        let is_behind = fence.inspect(|log| {
            log.synced(entries, tip);
            log.tip() != tip
        });
        self.acknowledge(node, stamp, tip);
        if is_behind {
            self.begin_sync(node);
        }
        match self.options.reports {
            0 => self.report(node),
            late => self.host_task(node, late, Task::Report),
        }
        self.go_further(node);
    }

    /// Tells the elector how far the log is durable: it only ranks by this.
    fn report(&mut self, node: NodeIndex) {
        use elect_core::Log as _;
        let Some(fence) = self.fence(node) else { return };
        let position = fence.inspect(ModelLog::last_durable);
        let now = self.local(node);
        self.elector(node, now, |elector| elector.set_position(position, now).into());
    }

    pub(crate) fn host_task(&mut self, node: NodeIndex, wait: u64, task: Task) {
        let life = self.node(node).life;
        self.queue.push(self.now + wait, What::Host { node, life, task });
    }

    pub(crate) fn on_task(&mut self, node: NodeIndex, task: Task) {
        match task {
            Task::Advance { way } => {
                if self.host(node).is_some_and(|host| host.ways == way) {
                    self.go_further(node);
                    self.pull(node);
                }
            }
            Task::Append { stamp } => {
                if self.append(node, Epoch::new(stamp)).is_some() {
                    self.replicate(node);
                }
            }
            Task::Replicate => {
                if let Some(host) = self.host(node) {
                    host.replicating = false;
                }
                self.replicate(node);
            }
            Task::ReadTake { since } => {
                if let Some(host) = self.host(node)
                    && matches!(host.way, Way::InOffice(..))
                {
                    let value = host.committed;
                    let wait = self.chance.waiting(300 * MICRO);
                    self.host_task(node, wait, Task::ReadFinish { since, value });
                }
            }
            Task::ReadFinish { since, value } => self.finish_read(node, since, value),
            Task::Drained => {
                let now = self.local(node);
                self.elector(node, now, |elector| elector.on_drained(now).into());
            }
            Task::Report => self.report(node),
            Task::Rejoin => self.rejoin(node),
            Task::Repair => {
                let wait = self.luck.waiting(SECOND);
                self.crash(node, Some(wait));
            }
        }
    }

    fn finish_read(&mut self, node: NodeIndex, since: u64, value: u64) {
        let Some(process) = &self.nodes[usize::from(node)].process else { return };
        let now = self.local(node);
        let covered = match &process.host.way {
            Way::InOffice(office, _) => office.finish_read(value, || now).is_ok(),
            _ => false,
        };
        let covered = covered || self.is_sabotaged(Sabotage::UncheckedRead);
        if covered && self.checks.clocks_are_sound {
            self.counts.reads += 1;
            self.checks.read(self.now, node, since, value);
        }
    }

    /// A client asks every node that was in office when it last worked: a deposed one must refuse, also one
    /// that does not know it yet. What is asked of a stopped process waits for it.
    pub(crate) fn clients(&mut self) {
        let asked = if self.clients_rest { 0 } else { index_from(self.nodes.len()) };
        for node in 0..asked {
            let now = self.local(node);
            let state = self.node(node).state;
            let Some(host) = self.host(node) else { continue };
            let Way::InOffice(office, _) = &host.way else { continue };
            let stamp = office.stamp(now);
            let since = self.checks.acknowledged_length();
            if let (Ok(stamp), State::Running) = (stamp, state) {
                let wait = self.chance.waiting(300 * MICRO);
                self.host_task(node, wait, Task::Append { stamp: stamp.epoch().number() });
            }
            let wait = self.chance.waiting(300 * MICRO);
            self.host_task(node, wait, Task::ReadTake { since });
        }
        let wait = self.chance.waiting(self.options.client_every);
        self.queue.push(self.now + wait.max(1), What::Clients);
    }

    pub(crate) fn host(&mut self, node: NodeIndex) -> Option<&mut Host> {
        self.nodes[usize::from(node)].process.as_mut().map(|process: &mut Process| &mut process.host)
    }

    pub(crate) fn fence(&self, node: NodeIndex) -> Option<&Fence<ModelLog>> {
        self.nodes[usize::from(node)].process.as_ref()?.fence.as_ref()
    }

    /// Who is in office, for reports.
    pub(crate) fn in_office(&self) -> Option<NodeIndex> {
        (0..index_from(self.nodes.len())).find(|&node| {
            self.node(node).process.as_ref().is_some_and(|process| {
                matches!(&process.host.way, Way::InOffice(office, _) if office.check(self.local(node)).is_ok())
            })
        })
    }

    pub(crate) fn describe(&self, node: NodeIndex) -> String {
        let name = node_name(node);
        match &self.node(node).process {
            None => format!("{name}: no process"),
            Some(process) => format!("{name}: {:?}", process.elector.explain(self.local(node))),
        }
    }
}
