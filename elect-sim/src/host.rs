//! The model host: a replicated store that does everything that S7 asks of a host, and nothing else.

use elect_core::{
    Elected, Epoch, Event, Fence, Loss, MemberKind, Position, Raised, RebuiltTo, Source, Stamp, Stopped,
};

use crate::checkers::node_name;
use crate::clock::{MICRO, MILLI, SECOND};
use crate::log::{EntryId, ModelLog};
use crate::network::{Fate, Held};
use crate::options::Sabotage;
use crate::process::{Host, Process, State, Way};
use crate::queue::{Life, NodeIndex, Task, What};
use crate::trace::{Detail, Marked};
use crate::world::{World, index_from, index_of};

/// How often a primary sends again what is not acknowledged.
const REPLICATE_EVERY: u64 = 60 * MILLI;
/// How often the source of a catch-up is asked before it counts as lost.
const PULLS_MAX: u32 = 8;

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

    fn tell(&mut self, from: NodeIndex, to: NodeIndex, message: Message) {
        if self.calm_since.is_none() && self.chance.chance(self.options.store_loss_ppm) {
            return;
        }
        match self.network.carry(from, to, self.now) {
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
    fn find(&self, log: &ModelLog, position: Position) -> Option<EntryId> {
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
        let Some(host) = self.host(node) else { return };
        let (to, counts) = (host.last_apply.1, !host.replaced);
        if to == node {
            host.matched[usize::from(node)] = (stamp, offset);
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
        self.report(node);
        self.go_further(node);
    }

    /// Tells the elector how far the log is durable: it only ranks by this.
    fn report(&mut self, node: NodeIndex) {
        use elect_core::Log as _;
        let Some(fence) = self.fence(node) else { return };
        let position = fence.inspect(ModelLog::last_durable);
        let now = self.local(node);
        self.elector(node, now, |elector| Ok(elector.set_position(position, now)));
    }

    // The way into office.

    pub(crate) fn on_lost(&mut self, node: NodeIndex, loss: Loss) {
        self.counts.losses += 1;
        self.note(Some(node), || format!("LOSES epoch {}: {}", loss.epoch, loss.reason));
        if let Some(host) = self.host(node) {
            host.way = Way::Out;
        }
        self.mark(node, Marked::Free);
    }

    pub(crate) fn on_event(&mut self, node: NodeIndex, event: Event) {
        if self.trace.wants(Detail::Events) && !matches!(event, Event::Ignored { .. }) {
            let text = describe(&event);
            self.note(Some(node), || text);
        }
        self.mark_event(node, &event);
        match event {
            Event::Elected(elected) => {
                self.counts.elections += 1;
                self.counts.behind += u64::from(elected.catch_up_from().is_some());
                self.begin_way(node, elected);
            }
            Event::EpochRaised { raised: Raised::OnTheWay(elected), .. } => self.begin_way(node, elected),
            Event::EpochRaised { raised: Raised::InOffice(office), .. } => {
                self.counts.raises += 1;
                let epoch = office.epoch();
                // A process that was stopped since it read the clock may learn of an office that is over.
                let serves = office.check(self.local(node)).is_ok();
                if let Some(own) = self.append(node, epoch) {
                    let offset = self.entries.offset(own);
                    if let Some(host) = self.host(node) {
                        host.way = Way::InOffice(office, offset);
                    }
                    if serves {
                        self.serves(node, epoch);
                    }
                }
            }
            Event::Following { leader, epoch, .. } => {
                if let Some(host) = self.host(node) {
                    host.following = index_of(leader).map(|leader| (leader, epoch));
                }
                self.rejoin_later(node);
            }
            Event::LeaderLost { .. } => {
                if let Some(host) = self.host(node) {
                    host.following = None;
                }
            }
            Event::HandoverBegan { .. } => {
                let wait = self.chance.between(MILLI, 20 * MILLI);
                self.host_task(node, wait, Task::Drained);
            }
            Event::Stopped { reason } => self.on_stopped(node, &reason),
            Event::Rebuilt => {
                self.counts.rebuilt += 1;
                if let Some(host) = self.host(node) {
                    host.replaced = false;
                }
            }
            _ => {}
        }
    }

    fn mark_event(&mut self, node: NodeIndex, event: &Event) {
        let what = match event {
            Event::Elected(elected) => Marked::Leads(elected.epoch().number()),
            Event::EpochRaised { raised: Raised::InOffice(office), .. } => {
                Marked::Serves(office.epoch().number())
            }
            Event::EpochRaised { raised: Raised::OnTheWay(elected), .. } => {
                Marked::Leads(elected.epoch().number())
            }
            Event::Stood { epoch, .. } => Marked::Stands(epoch.number()),
            Event::Following { leader, epoch, .. } => {
                Marked::Follows(index_of(*leader).unwrap_or(node), epoch.number())
            }
            Event::RoundLost { .. } | Event::LeaderLost { .. } => Marked::Free,
            Event::Stopped { .. } => Marked::Stops,
            _ => return,
        };
        self.mark(node, what);
    }

    /// An operator notices, repairs or replaces the storage, and starts the node again.
    fn on_stopped(&mut self, node: NodeIndex, reason: &Stopped) {
        if matches!(reason, Stopped::Cloned { .. }) {
            self.node_mut(node).disk.wipe();
        }
        let wait = self.chaos.between(SECOND, 5 * SECOND);
        let life = self.node(node).life;
        self.queue.push(self.now + wait, What::Host { node, life, task: Task::Repair });
    }

    fn begin_way(&mut self, node: NodeIndex, elected: Elected) {
        if self.is_sabotaged(Sabotage::NeverOpens) {
            return;
        }
        if self.is_sabotaged(Sabotage::ServesAtOnce) {
            let epoch = elected.epoch();
            let office = elected.serve_without_log_forgetting_earlier_writes();
            if let Some(host) = self.host(node) {
                host.way = Way::InOffice(office, 0);
            }
            self.serves(node, epoch);
            return;
        }
        let wait = self.chance.below(200 * MICRO);
        let Some(host) = self.host(node) else { return };
        host.way = Way::CatchingUp(elected);
        host.pulls = 0;
        host.ways += 1;
        let way = host.ways;
        self.host_task(node, wait, Task::Advance { way });
    }

    /// One step further on the way into office, if there is something to do.
    pub(crate) fn go_further(&mut self, node: NodeIndex) {
        use elect_core::Log as _;
        let Some(fence) = self.fence(node) else { return };
        let held = fence.inspect(ModelLog::last_durable);
        let Some(host) = self.host(node).filter(|host| matches!(host.way, Way::CatchingUp(_))) else {
            return;
        };
        let Way::CatchingUp(elected) = std::mem::replace(&mut host.way, Way::Out) else { return };
        let epoch = elected.epoch();
        match elected.caught_up(held) {
            Ok(caught_up) => {
                host.matched = Host::new(false).matched;
                if let Some(own) = self.append(node, epoch) {
                    let offset = self.entries.offset(own);
                    if let Some(host) = self.host(node) {
                        host.way = Way::Opening(caught_up, offset);
                    }
                    self.replicate(node);
                }
            }
            Err((elected, _)) => host.way = Way::CatchingUp(elected),
        }
    }

    fn restore_way(&mut self, node: NodeIndex, way: Way) {
        if let Some(host) = self.host(node) {
            host.way = way;
        }
    }

    /// Asks the source of a catch-up, again if it did not answer, and gives it up in the end.
    fn pull(&mut self, node: NodeIndex) {
        let Some(host) = self.host(node) else { return };
        let Way::CatchingUp(elected) = &host.way else { return };
        let Some(Source { peer, position }) = elected.catch_up_from() else { return };
        let stamp = elected.catch_up_stamp().epoch();
        host.pulls += 1;
        let way = host.ways;
        if host.pulls > PULLS_MAX {
            host.pulls = 0;
            let now = self.local(node);
            self.elector(node, now, |elector| Ok(elector.on_source_lost(now)));
        } else if let Some(peer) = index_of(peer) {
            self.tell(node, peer, Message::Pull { stamp, position });
        }
        self.host_task(node, 40 * MILLI, Task::Advance { way });
    }

    fn on_pulled(
        &mut self,
        node: NodeIndex,
        from: NodeIndex,
        stamp: Epoch,
        position: Position,
        tip: Option<EntryId>,
    ) {
        let source = self.node(from).id;
        let Some(host) = self.host(node) else { return };
        let Way::CatchingUp(elected) = &host.way else { return };
        if elected.epoch() != stamp || elected.catch_up_from() != Some(Source { peer: source, position }) {
            return;
        }
        let Some(tip) = tip else {
            let now = self.local(node);
            self.elector(node, now, |elector| Ok(elector.on_source_lost(now)));
            return;
        };
        let entries = &self.entries;
        let Some(process) = &self.nodes[usize::from(node)].process else { return };
        let Some(fence) = &process.fence else { return };
        if fence.apply(Stamp::received(stamp), |log| log.end_with(entries, tip)).is_ok() {
            self.checks.admitted(self.now, node, Stamp::received(stamp));
            if let Some(host) = self.host(node) {
                host.last_apply = (stamp, node);
            }
            self.begin_sync(node);
        }
    }

    /// Appends an entry of the epoch that this node leads.
    fn append(&mut self, node: NodeIndex, epoch: Epoch) -> Option<EntryId> {
        let entries = &mut self.entries;
        let process = self.nodes[usize::from(node)].process.as_ref()?;
        let stamp = Stamp::received(epoch);
        let appended = process.fence.as_ref()?.apply(stamp, |log| {
            let id = entries.append(log.tip(), epoch);
            log.push(id);
            id
        });
        let id = appended.ok()?;
        self.checks.admitted(self.now, node, stamp);
        if let Some(host) = self.host(node) {
            host.last_apply = (epoch, node);
        }
        self.begin_sync(node);
        Some(id)
    }

    /// Counts acknowledgements: opens the office with the own entry, then acknowledges writes.
    fn advance(&mut self, node: NodeIndex) {
        let Some(process) = &self.nodes[usize::from(node)].process else { return };
        let (epoch, own) = match &process.host.way {
            Way::Opening(caught_up, own) => (caught_up.stamp().epoch(), *own),
            Way::InOffice(office, own) => (office.epoch(), *own),
            _ => return,
        };
        let offset = if self.is_sabotaged(Sabotage::OwnCopyIsEnough) {
            process.host.matched[usize::from(node)].1
        } else {
            self.on_write_quorum(&process.host, epoch)
        };
        if offset < own || offset <= process.host.committed && matches!(process.host.way, Way::InOffice(..)) {
            return;
        }
        let Some(fence) = &process.fence else { return };
        let Some(entry) = fence.inspect(|log| log.at(offset)) else { return };
        // The second look, the primary's own too, and its lease.
        if fence.ack(Stamp::received(epoch)).is_err() {
            return;
        }
        match &process.host.way {
            Way::Opening(..) => self.open(node, epoch, own, offset),
            Way::InOffice(office, _) if office.check(self.local(node)).is_ok() => {
                self.checks.acknowledged(self.now, node, Stamp::received(epoch), entry, &self.entries);
                self.counts.acknowledged = self.checks.acknowledged_length();
                if let Some(host) = self.host(node) {
                    host.committed = offset;
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, node: NodeIndex, epoch: Epoch, own: u64, committed: u64) {
        let Some(host) = self.host(node) else { return };
        let Way::Opening(caught_up, _) = std::mem::replace(&mut host.way, Way::Out) else { return };
        match caught_up.own_entry_committed(Position::new(epoch, own)) {
            Ok(office) => {
                host.committed = committed;
                host.way = Way::InOffice(office.clone(), own);
                let now = self.local(node);
                if office.check(now).is_ok() {
                    self.serves(node, epoch);
                }
                self.counts.offices += 1;
                self.note(Some(node), || format!("IN OFFICE, epoch {epoch}"));
                self.mark(node, Marked::Serves(epoch.number()));
                self.elector(node, now, |elector| Ok(elector.on_office(&office, now)));
            }
            Err((caught_up, _)) => self.restore_way(node, Way::Opening(caught_up, own)),
        }
    }

    fn serves(&mut self, node: NodeIndex, epoch: Epoch) {
        let Some(process) = &self.nodes[usize::from(node)].process else { return };
        let Some(fence) = &process.fence else { return };
        fence.inspect(|log| self.checks.serves(self.now, node, epoch, log));
    }

    /// The highest offset that a write quorum of data-holding voters acknowledged under this stamp.
    fn on_write_quorum(&self, host: &Host, stamp: Epoch) -> u64 {
        let mut offsets = [0; crate::checkers::NODES_MAX];
        for (index, &(acknowledged, offset)) in host.matched.iter().enumerate().take(self.nodes.len()) {
            if self.nodes[index].kind == MemberKind::Voter && acknowledged == stamp {
                offsets[index] = offset;
            }
        }
        let voting = self.nodes.iter().filter(|node| node.kind.votes()).count();
        offsets.sort_unstable_by(|one, other| other.cmp(one));
        offsets[voting / 2]
    }

    // Replication and rebuilding.

    fn replicate(&mut self, node: NodeIndex) {
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
        for peer in 0..index_from(self.nodes.len()) {
            let lacks = matched[usize::from(peer)] < (stamp, offset);
            if peer != node && lacks && self.node(peer).kind != MemberKind::Witness {
                self.tell(node, peer, Message::Append { stamp, tip });
            }
        }
        if again {
            self.host_task(node, REPLICATE_EVERY, Task::Replicate);
        }
    }

    fn rejoin_later(&mut self, node: NodeIndex) {
        if let Some(host) = self.host(node)
            && host.replaced
            && !std::mem::replace(&mut host.rejoining, true)
        {
            self.host_task(node, 100 * MILLI, Task::Rejoin);
        }
    }

    fn rejoin(&mut self, node: NodeIndex) {
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

    fn on_rejoin(&mut self, node: NodeIndex, from: NodeIndex, stamp: Epoch, life: Life) {
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

    fn on_marker(&mut self, node: NodeIndex, stamp: Epoch, entry: EntryId, committed: bool) {
        let position = self.entries.position(entry);
        let Some(fence) = self.fence(node) else { return };
        let holds = fence.inspect(|log| self.find(log, position)) == Some(entry);
        let Some(host) = self.host(node) else { return };
        if host.replaced && committed && holds && host.following.is_some_and(|(_, epoch)| epoch == stamp) {
            let now = self.local(node);
            self.elector(node, now, |elector| elector.on_rebuilt(RebuiltTo { entry: Some(position) }, now));
        }
    }

    // Tasks and clients.

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
                self.elector(node, now, |elector| Ok(elector.on_drained(now)));
            }
            Task::Report => self.report(node),
            Task::Rejoin => self.rejoin(node),
            Task::Repair => {
                let wait = self.chaos.waiting(SECOND);
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
        for node in 0..index_from(self.nodes.len()) {
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

/// What happened, in few words.
fn describe(event: &Event) -> String {
    match event {
        Event::Elected(elected) => match elected.catch_up_from() {
            Some(source) => format!("LEADS epoch {}, catches up from {source}", elected.epoch()),
            None => format!("LEADS epoch {}", elected.epoch()),
        },
        Event::EpochRaised { from, raised: Raised::InOffice(office) } => {
            format!("raises its epoch from {from} to {}, in office", office.epoch())
        }
        Event::EpochRaised { from, raised: Raised::OnTheWay(elected) } => {
            format!("raises its epoch from {from} to {}, on its way", elected.epoch())
        }
        Event::Following { leader, epoch, .. } => format!("follows {leader} in {epoch}"),
        Event::LeaderLost { leader, epoch, reason } => {
            format!("follows {leader} in {epoch} no longer: {reason}")
        }
        Event::Stood { epoch, rank } => format!("stands in {epoch}, rank {rank}"),
        Event::RoundLost { epoch, reason } => format!("ends its round in {epoch}: {reason:?}"),
        Event::Accepted { candidate, epoch } => format!("accepts {candidate} in {epoch}"),
        Event::RefusedOffer { candidate, epoch, refusal } => {
            format!("refuses {candidate} in {epoch}: {refusal}")
        }
        Event::OfferRefused { voter, epoch, refusal } => {
            format!("is refused by {voter} in {epoch}: {refusal}")
        }
        Event::HandoverBegan { target, cause, .. } => format!("hands over to {target} ({cause:?})"),
        Event::HandoverAborted { target, reason } => format!("does not hand over to {target}: {reason:?}"),
        Event::Paused { .. } => "failover is frozen".into(),
        Event::Stopped { reason } => format!("STOPS: {reason}"),
        other => format!("{other:?}"),
    }
}
