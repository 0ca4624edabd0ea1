//! The model host's way into office: catch up, append an entry of the own epoch, count who holds it, serve.

use elect_core::{Elected, Epoch, Event, Loss, MemberKind, Position, Raised, Source, Stamp, Stopped};

use crate::clock::{MICRO, MILLI, SECOND};
use crate::host::Message;
use crate::log::{EntryId, ModelLog};
use crate::options::Sabotage;
use crate::process::{Host, Setup, Way};
use crate::queue::{NodeIndex, Task, What};
use crate::trace::{Detail, Marked};
use crate::world::{World, index_of};

/// How often the source of a catch-up is asked before it counts as lost.
const PULLS_MAX: u32 = 8;

impl World {
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

    pub(crate) fn mark_event(&mut self, node: NodeIndex, event: &Event) {
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
    pub(crate) fn on_stopped(&mut self, node: NodeIndex, reason: &Stopped) {
        if !self.members().contains(&node) {
            return; // A machine that runs a copied disk is not repaired.
        }
        if matches!(reason, Stopped::Cloned { .. }) {
            self.node_mut(node).disk.wipe();
        }
        let wait = self.luck.between(SECOND, 5 * SECOND);
        let life = self.node(node).life;
        self.queue.push(self.now + wait, What::Host { node, life, task: Task::Repair });
    }

    pub(crate) fn begin_way(&mut self, node: NodeIndex, elected: Elected) {
        if self.node(node).setup == Setup::Fails {
            self.note(Some(node), || "its setup fails".into());
            return;
        }
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

    pub(crate) fn restore_way(&mut self, node: NodeIndex, way: Way) {
        if let Some(host) = self.host(node) {
            host.way = way;
        }
    }

    /// Asks the source of a catch-up, again if it did not answer, and gives it up in the end.
    pub(crate) fn pull(&mut self, node: NodeIndex) {
        let Some(host) = self.host(node) else { return };
        let Way::CatchingUp(elected) = &host.way else { return };
        let Some(Source { peer, position }) = elected.catch_up_from() else { return };
        let stamp = elected.catch_up_stamp().epoch();
        host.pulls += 1;
        let way = host.ways;
        if host.pulls > PULLS_MAX {
            host.pulls = 0;
            let now = self.local(node);
            self.elector(node, now, |elector| elector.on_source_lost(now).into());
        } else if let Some(peer) = index_of(peer) {
            self.tell(node, peer, Message::Pull { stamp, position });
        }
        self.host_task(node, 40 * MILLI, Task::Advance { way });
    }

    pub(crate) fn on_pulled(
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
            self.elector(node, now, |elector| elector.on_source_lost(now).into());
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
    pub(crate) fn append(&mut self, node: NodeIndex, epoch: Epoch) -> Option<EntryId> {
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
    pub(crate) fn advance(&mut self, node: NodeIndex) {
        let Some(process) = &self.nodes[usize::from(node)].process else { return };
        let (epoch, own) = match &process.host.way {
            Way::Opening(caught_up, own) => (caught_up.stamp().epoch(), *own),
            Way::InOffice(office, own) => (office.epoch(), *own),
            _ => return,
        };
        let offset = if self.is_sabotaged(Sabotage::OwnCopyIsEnough) {
            process.host.matched[usize::from(self.member(node))].1
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

    pub(crate) fn open(&mut self, node: NodeIndex, epoch: Epoch, own: u64, committed: u64) {
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
                self.elector(node, now, |elector| elector.on_office(&office, now).into());
            }
            Err((caught_up, _)) => self.restore_way(node, Way::Opening(caught_up, own)),
        }
    }

    pub(crate) fn serves(&mut self, node: NodeIndex, epoch: Epoch) {
        let Some(process) = &self.nodes[usize::from(node)].process else { return };
        let Some(fence) = &process.fence else { return };
        fence.inspect(|log| self.checks.serves(self.now, node, epoch, log));
    }

    /// The highest offset that a write quorum of data-holding voters acknowledged under this stamp.
    pub(crate) fn on_write_quorum(&self, host: &Host, stamp: Epoch) -> u64 {
        let mut offsets = [0; crate::checkers::NODES_MAX];
        for (index, &(acknowledged, offset)) in host.matched.iter().enumerate().take(self.options.kinds.len())
        {
            if self.nodes[index].kind == MemberKind::Voter && acknowledged == stamp {
                offsets[index] = offset;
            }
        }
        let voting = self.options.kinds.iter().filter(|kind| kind.votes()).count();
        offsets.sort_unstable_by(|one, other| other.cmp(one));
        offsets[voting / 2]
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
