//! What is done to a world, done.

use elect_core::{Detection, Epoch, Holder, MemberKind, PromiseKind, Record, Storage};

use super::World;
use crate::action::{Action, Wiped};
use crate::disk::DiskState;
use crate::ids::{Link, NodeIndex};
use crate::input::Input;
use crate::queue::Event;

impl World {
    /// Does it, now.
    pub(crate) fn act(&mut self, action: Action) {
        self.actions.note(self.clocks.now(), action);
        self.perform(action);
    }

    /// Does it without keeping it: it follows from something else that is kept.
    pub(crate) fn perform(&mut self, action: Action) {
        let is_of_links =
            matches!(action, Action::Cut(..) | Action::Heal(..) | Action::Clog(..) | Action::Unclog(..));
        match action {
            Action::Cut(from, to) => self.wires.links_mut().cut(from, to),
            Action::Heal(from, to) => self.wires.links_mut().heal(from, to),
            Action::Clog(from, to) => self.wires.links_mut().clog(from, to),
            Action::Unclog(from, to) => self.unclog(from, to),
            Action::Close(node, peer) => self.closed(node, peer, self.node(node).life()),
            Action::Crash(node) => self.crash(node, None),
            Action::PowerOff(node) => self.power_off(node),
            Action::Start(node) => self.queue.push(self.clocks.now(), Event::Start { node }),
            Action::Wipe(node, wiped) => self.wipe(node, wiped),
            Action::InitIfFinal(node) => self.init_if_final(node),
            Action::BackUp(node) => self.back_up(node),
            Action::RestoreIfKnown(node) => self.restore_if_known(node),
            Action::TwinIfKnown(node) => self.start_twin_if_known(node),
            Action::Pause(node, span) => self.pause(node, span),
            Action::Interrupt(node, after, interrupt) => {
                self.node_mut(node).interrupt_after(after, interrupt);
            }
            Action::Disk(node, DiskState::Well) => self.mend_disk(node),
            Action::Disk(node, state) => self.node_mut(node).disk_mut().set_state(state),
            Action::NextSave(node, outcome) => self.node_mut(node).disk_mut().set_next_save(outcome),
            Action::Rate(node, rate) => {
                self.clocks.set_rate(node, rate);
                if self.node(node).is_running() {
                    self.wake(node);
                }
            }
            Action::Ask(node, request) => self.input(node, Input::Request(request)),
            Action::CutData(from, to) => self.wires.links_mut().cut_data(from, to),
            Action::HealData(from, to) => self.wires.links_mut().heal_data(from, to),
            Action::Slower(extra) => self.wires.links_mut().set_slower(extra),
            Action::Rule(rule) => self.wires.add_rule(rule),
            Action::On(trigger) => self.triggers.set(trigger),
            Action::RaiseRecord(node, by) => self.stood_unheard(node, by),
            Action::Configure(node, detection) => {
                self.options.overrides_mut(node).detection = Some(detection);
            }
        }
        if is_of_links {
            self.mark_links();
        }
    }

    /// A dead node had campaigned so far above everybody's epoch, if it could have.
    fn stood_unheard(&mut self, node: NodeIndex, by: u64) {
        let stood = self.node(node);
        let votes = stood.record().is_some_and(|record| record.storage == Storage::Intact);
        let could = !stood.has_process() && stood.kind() == MemberKind::Voter && votes;
        // Nobody campaigns while another may act on its promise.
        if could && !self.book.checks().is_bound(node, &self.clocks) {
            self.raise_record(node, by);
        }
    }

    /// Does all of them when `span` is over, unless everything heals before.
    pub(crate) fn act_later(&mut self, span: u64, actions: Vec<Action>) {
        let number = self.actions.put_off(actions);
        self.queue.push(self.clocks.now() + span, Event::End { number });
    }

    pub(crate) fn end(&mut self, number: u32) {
        let actions = self.actions.take(number);
        if actions.iter().any(|action| matches!(action, Action::Heal(..))) {
            self.note_network("cuts heal");
        }
        for action in actions {
            self.act(action);
        }
    }

    /// R45: who replaces a disk keeps the lost node's maximum until it is rebuilt.
    pub(crate) fn keep_maximum(&mut self, node: NodeIndex) {
        let promised = self.node(node).record().map(|record| record.detection_max);
        if let Some(promised) = promised.filter(|&span| span > self.options.detection_of(node).ceiling()) {
            self.options.overrides_mut(node).detection = Some(Detection::Fixed(promised));
        }
    }

    pub(crate) fn wipe(&mut self, node: NodeIndex, wiped: Wiped) {
        if self.node(node).has_process() {
            return; // A disk in use is not lost, it fails.
        }
        self.keep_maximum(node);
        self.node_mut(node).disk_mut().wipe();
        self.book.checks_mut().lost_disk(node);
        if wiped == Wiped::RecordAndLog {
            self.node_mut(node).seat_mut().hosted_mut().put_disk(&[]);
        }
    }

    /// A dead node campaigned in an epoch above everybody's, and nobody heard of it.
    pub(crate) fn raise_record(&mut self, node: NodeIndex, by: u64) {
        let everybody = self.machines().map(|node| self.durable_epoch(node));
        let highest = everybody.max().unwrap_or(Epoch::ZERO).max(self.book.checks().highest_vote());
        let Some(record) = self.node(node).record().copied() else { return };
        let holder = Some(Holder { node: node.id(), how: PromiseKind::Voted });
        let record = Record { epoch: Epoch::new(highest.number() + by), holder, ..record };
        self.node_mut(node).disk_mut().install(record);
        let now = self.now();
        self.book.checks_mut().saved(now, node, &record);
    }

    pub(crate) fn heal_links(&mut self) {
        for Link { from, to } in self.all_links() {
            if self.wires.links().is_cut(from, to) {
                self.perform(Action::Heal(from, to));
            }
        }
    }

    /// Cuts these links and no others.
    pub(crate) fn set_cuts(&mut self, cuts: &[Link]) {
        self.note_network(&format!("cuts are now {cuts:?}"));
        self.wires.links_mut().heal_all();
        for &Link { from, to } in cuts {
            self.wires.links_mut().cut(from, to);
        }
        self.mark_links();
    }
}
