//! What is done to a world, done.

use elect_core::{Detection, Epoch, Holder, MemberKind, Record, Storage, Word};

use super::World;
use crate::deed::{Deed, Wiped};
use crate::disk::Mood;
use crate::ids::{Link, NodeIndex};
use crate::input::Input;
use crate::queue::What;

impl World {
    /// Does it, now.
    pub(crate) fn act(&mut self, deed: Deed) {
        self.deeds.note(self.clocks.now(), deed);
        self.perform(deed);
    }

    /// Does it without keeping it: it follows from something else that is kept.
    pub(crate) fn perform(&mut self, deed: Deed) {
        let is_of_links = matches!(deed, Deed::Cut(..) | Deed::Heal(..) | Deed::Clog(..) | Deed::Unclog(..));
        match deed {
            Deed::Cut(from, to) => self.wires.links_mut().cut(from, to),
            Deed::Heal(from, to) => self.wires.links_mut().heal(from, to),
            Deed::Clog(from, to) => self.wires.links_mut().clog(from, to),
            Deed::Unclog(from, to) => self.unclog(from, to),
            Deed::Close(node, peer) => self.closed(node, peer, self.node(node).life()),
            Deed::Crash(node) => self.crash(node, None),
            Deed::PowerOff(node) => self.power_off(node),
            Deed::Start(node) => self.queue.push(self.clocks.now(), What::Start { node }),
            Deed::Wipe(node, wiped) => self.wipe(node, wiped),
            Deed::InitIfFinal(node) => self.init_if_final(node),
            Deed::Pause(node, span) => self.pause(node, span),
            Deed::Interrupt(node, after, interrupt) => {
                self.node_mut(node).interrupt_after(after, interrupt);
            }
            Deed::Disk(node, Mood::Well) => self.mend_disk(node),
            Deed::Disk(node, mood) => self.node_mut(node).disk_mut().set_mood(mood),
            Deed::NextSave(node, outcome) => self.node_mut(node).disk_mut().set_next_save(outcome),
            Deed::Rate(node, rate) => {
                self.clocks.set_rate(node, rate);
                if self.node(node).is_running() {
                    self.wake(node);
                }
            }
            Deed::Ask(node, request) => self.input(node, Input::Request(request)),
            Deed::CutData(from, to) => self.wires.links_mut().cut_data(from, to),
            Deed::HealData(from, to) => self.wires.links_mut().heal_data(from, to),
            Deed::Slower(extra) => self.wires.links_mut().set_slower(extra),
            Deed::Rule(rule) => self.wires.add_rule(rule),
            Deed::On(trigger) => self.triggers.set(trigger),
            Deed::RaiseRecord(node, by) => self.stood_unheard(node, by),
            Deed::Configure(node, detection) => self.options.own_mut(node).detection = Some(detection),
        }
        if is_of_links {
            self.mark_links();
        }
    }

    /// A dead node had stood so far above everybody's epoch, if it could have.
    fn stood_unheard(&mut self, node: NodeIndex, by: u64) {
        let stood = self.node(node);
        let votes = stood.record().is_some_and(|record| record.storage == Storage::Intact);
        let could = !stood.has_process() && stood.kind() == MemberKind::Voter && votes;
        // Nobody stands while another may act on its promise.
        if could && !self.book.checks().is_bound(node, &self.clocks) {
            self.raise_record(node, by);
        }
    }

    /// Does all of them when `span` is over, unless everything heals before.
    pub(crate) fn act_later(&mut self, span: u64, deeds: Vec<Deed>) {
        let number = self.deeds.put_off(deeds);
        self.queue.push(self.clocks.now() + span, What::End { number });
    }

    pub(crate) fn end(&mut self, number: u32) {
        let deeds = self.deeds.take(number);
        if deeds.iter().any(|deed| matches!(deed, Deed::Heal(..))) {
            self.note_network("cuts heal");
        }
        for deed in deeds {
            self.act(deed);
        }
    }

    fn wipe(&mut self, node: NodeIndex, wiped: Wiped) {
        if self.node(node).has_process() {
            return; // A disk in use is not lost, it fails.
        }
        // R45: who replaces a disk keeps the lost node's maximum until it is rebuilt.
        if let Some(promised) = self.node(node).record().map(|record| record.detection_max)
            && promised > self.options.detection_of(node).ceiling()
        {
            self.options.own_mut(node).detection = Some(Detection::Fixed(promised));
        }
        self.node_mut(node).disk_mut().wipe();
        self.book.checks_mut().lost_disk(node);
        if wiped == Wiped::RecordAndLog {
            self.node_mut(node).seat_mut().hosted_mut().put_disk(&[]);
        }
    }

    /// A dead node stood in an epoch above everybody's, and nobody heard of it.
    pub(crate) fn raise_record(&mut self, node: NodeIndex, by: u64) {
        let everybody = self.machines().map(|node| self.durable_epoch(node));
        let highest = everybody.max().unwrap_or(Epoch::ZERO).max(self.book.checks().highest_vote());
        let Some(record) = self.node(node).record().copied() else { return };
        let holder = Some(Holder { node: node.id(), word: Word::Vote });
        let record = Record { epoch: Epoch::new(highest.number() + by), holder, ..record };
        self.node_mut(node).disk_mut().install(record);
        let now = self.now();
        self.book.checks_mut().saved(now, node, &record);
    }

    pub(crate) fn heal_links(&mut self) {
        for Link { from, to } in self.all_links() {
            if self.wires.links().is_cut(from, to) {
                self.perform(Deed::Heal(from, to));
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
