//! Faults: what goes wrong in the stormy part of a run, and how it ends.

use std::time::Duration;
use strum::VariantArray;

use elect_core::{Health, Storage};

use super::World;
use crate::action::{Action, Wiped};
use crate::clock::{MICRO, MILLI, SECOND};
use crate::clocks::draw_rate;
use crate::counts::Counted;
use crate::disk::{DiskState, Outcome};
use crate::fault::Fault;
use crate::ids::{Link, NodeIndex};
use crate::input::{Interrupt, Request};
use crate::queue::Event;
use crate::rule::{Kind, Rule, Treatment};
use crate::trigger::{Moment, Strike, Trigger};

impl World {
    /// The next fault of a swarm run.
    pub(crate) fn fault(&mut self) {
        if self.calm_since.is_some() {
            return;
        }
        let wait = self.fault_rng.waiting(self.options.fault_every).max(1);
        self.queue.push(self.clocks.now() + wait, Event::Fault);
        if self.options.faults.is_empty() {
            return;
        }
        let fault = self.options.faults[self.fault_rng.index(self.options.faults.len())];
        self.book.count(Counted::Fault);
        let node = self.some_node();
        self.strike(fault, node);
    }

    fn some_node(&mut self) -> NodeIndex {
        // Half of all faults hit the leader, if there is one: that is where they hurt.
        let leader = self.leader().map(|(node, _)| node);
        let any = self.any_member();
        if self.fault_rng.below(2) == 0 { leader.unwrap_or(any) } else { any }
    }

    fn any_member(&mut self) -> NodeIndex {
        NodeIndex::at(self.fault_rng.index(self.options.kinds.len()))
    }

    fn strike(&mut self, fault: Fault, node: NodeIndex) {
        self.note(None, || format!("fault {fault:?} at {node}"));
        match fault {
            Fault::Cut => self.cut_some(),
            Fault::Isolate => self.isolate(node),
            Fault::Clog => self.clog_some(node),
            Fault::Crash => {
                let wait = self.some_span();
                self.kill(Action::Crash(node), node, wait);
            }
            Fault::PowerCut => self.power_cut(),
            Fault::Pause => {
                let span = self.some_span();
                self.act(Action::Pause(node, span));
            }
            Fault::Interrupt => self.interrupt(node),
            Fault::SlowDisk => {
                let extra = self.fault_rng.waiting(200 * MILLI);
                self.spoil_disk(node, DiskState::Slow(extra));
            }
            Fault::HungDisk => self.spoil_disk(node, DiskState::Hung),
            Fault::FailedSave => {
                let outcomes = [Outcome::FailsBefore, Outcome::FailsAfter];
                let outcome = outcomes[self.fault_rng.index(2)];
                self.act(Action::NextSave(node, outcome));
            }
            Fault::LostDisk => self.lose_disk(node),
            Fault::SecondFirstBoot => self.init_again(node),
            Fault::SetBack => self.set_back(node),
            Fault::Twin => self.start_twin(),
            Fault::Reset => {
                let peer = self.any_member();
                self.act(Action::Close(node, peer));
            }
            Fault::Drift => {
                let rate = draw_rate(&self.options, node, &mut self.fault_rng);
                self.act(Action::Rate(node, rate));
            }
            Fault::Unfit => {
                self.act(Action::Ask(node, Request::Health(Health::Unfit)));
                let span = self.some_span();
                self.act_later(span, vec![Action::Ask(node, Request::Health(Health::Healthy))]);
            }
            Fault::HungHost => {
                let vouched = Duration::from_millis(self.fault_rng.between(1, 500));
                self.act(Action::Ask(node, Request::Vouch(vouched)));
                let span = self.some_span();
                self.act_later(span, vec![Action::Ask(node, Request::Health(Health::Healthy))]);
            }
            Fault::Resign => self.act(Action::Ask(node, Request::Resign)),
            Fault::AtEvent => self.strike_at_event(node),
            Fault::LostOffers => self.lose_offers(node),
            Fault::HigherEpoch => self.return_higher(node),
            Fault::SlowNetwork => {
                let mean = [5 * MILLI, 50 * MILLI, 200 * MILLI][self.fault_rng.index(3)];
                let extra = self.fault_rng.waiting(mean);
                self.act(Action::Slower(extra));
                let span = self.some_span();
                self.act_later(span, vec![Action::Slower(0)]);
            }
            Fault::DataCut => self.cut_data(),
            Fault::Reconfigure => self.reconfigure(node),
            Fault::Handover => {
                self.act(Action::Ask(node, Request::Handover(None)));
                if self.options.faults.contains(&Fault::Freeze) && self.fault_rng.below(3) == 0 {
                    self.freeze_soon();
                }
            }
            Fault::Freeze => self.freeze(node),
            Fault::HostChanges => {
                let number = u32::try_from(self.fault_rng.between(1, 1_000)).unwrap_or(1);
                let changes = [Request::Move(number), Request::Upgrade(number)];
                let change = changes[self.fault_rng.index(2)];
                self.act(Action::Ask(node, change));
            }
        }
    }

    /// Mostly short; half of the time somebody thaws before it ends.
    fn freeze(&mut self, node: NodeIndex) {
        let longest = [3_000, 3_000, 3_000, 15_000][self.fault_rng.index(4)];
        let span = Duration::from_millis(self.fault_rng.between(1, longest));
        self.act(Action::Ask(node, Request::Freeze(span)));
        if self.fault_rng.below(2) == 0 {
            let (thaws, wait) = (self.some_node(), self.some_span());
            self.act_later(wait, vec![Action::Ask(thaws, Request::Thaw)]);
        }
    }

    /// While a handover drains, or just after it.
    fn freeze_soon(&mut self) {
        let (node, wait) = (self.some_node(), self.fault_rng.waiting(30 * MILLI));
        let span = Duration::from_millis(self.fault_rng.between(100, 5_000));
        self.act_later(wait, vec![Action::Ask(node, Request::Freeze(span))]);
    }

    /// The process ends by this action and starts again so much later.
    fn kill(&mut self, action: Action, node: NodeIndex, wait: u64) {
        self.act(action);
        self.act_later(wait, vec![Action::Start(node)]);
    }

    /// Mostly short, sometimes long: around the detection time is where it matters.
    fn some_span(&mut self) -> u64 {
        let mean = [20 * MILLI, 300 * MILLI, 2 * SECOND][self.fault_rng.index(3)];
        self.fault_rng.waiting(mean).max(MICRO)
    }

    fn begin_episode(&mut self, links: &[Link]) {
        self.note(None, || {
            let names: Vec<_> = links.iter().map(ToString::to_string).collect();
            format!("cuts {}", names.join(" "))
        });
        for &Link { from, to } in links {
            self.act(Action::Cut(from, to));
        }
        let span = self.some_span() * 2;
        self.act_later(span, links.iter().map(|&Link { from, to }| Action::Heal(from, to)).collect());
    }

    /// All directed links.
    pub(crate) fn all_links(&self) -> impl Iterator<Item = Link> + use<> {
        Link::all(self.nodes.len())
    }

    fn cut_some(&mut self) {
        let share = [150_000, 400_000, 700_000][self.fault_rng.index(3)];
        let links: Vec<_> = self.all_links().filter(|_| self.fault_rng.chance(share)).collect();
        self.begin_episode(&links);
    }

    fn isolate(&mut self, node: NodeIndex) {
        let (out, inward) = [(true, true), (true, false), (false, true)][self.fault_rng.index(3)];
        let links: Vec<_> = self
            .all_links()
            .filter(|link| (out && link.from == node) || (inward && link.to == node))
            .collect();
        self.begin_episode(&links);
    }

    fn clog_some(&mut self, node: NodeIndex) {
        for peer in self.members() {
            if peer != node && self.fault_rng.below(2) == 0 {
                let (from, to) = if self.fault_rng.below(2) == 0 { (node, peer) } else { (peer, node) };
                self.act(Action::Clog(from, to));
                let span = self.some_span();
                self.act_later(span, vec![Action::Unclog(from, to)]);
            }
        }
    }

    /// Everybody dies at once; or everybody but the leader, which is cut off at the same moment: then the voters
    /// that come back quickly must remember what they promised it.
    fn power_cut(&mut self) {
        let spared = self.leader().map(|(node, _)| node).filter(|_| self.fault_rng.below(2) == 0);
        if let Some(leader) = spared {
            let links: Vec<_> =
                self.all_links().filter(|link| link.from == leader || link.to == leader).collect();
            self.begin_episode(&links);
        }
        for node in self.members().filter(|&node| Some(node) != spared) {
            let wait = if spared.is_some() { self.fault_rng.waiting(30 * MILLI) } else { self.some_span() };
            self.kill(Action::PowerOff(node), node, wait);
        }
    }

    /// The process dies and starts with another detection time. Not while its storage is replaced (R45).
    fn reconfigure(&mut self, node: NodeIndex) {
        let detection = self.options.draw_detection(node, &mut self.fault_rng);
        if self.node(node).record().is_some_and(|record| record.storage == Storage::Intact) {
            self.act(Action::Configure(node, detection));
            let wait = self.some_span();
            self.kill(Action::Crash(node), node, wait);
        }
    }

    fn interrupt(&mut self, node: NodeIndex) {
        let span = self.some_span();
        let restart = self.fault_rng.waiting(SECOND);
        let interrupts =
            [Interrupt::Pause(span), Interrupt::PauseAfterClock(span), Interrupt::Crash(restart)];
        let interrupt = interrupts[self.fault_rng.index(3)];
        let after = u32::try_from(self.fault_rng.below(40)).unwrap_or(0);
        self.act(Action::Interrupt(node, after, interrupt));
    }

    fn spoil_disk(&mut self, node: NodeIndex, state: DiskState) {
        self.act(Action::Disk(node, state));
        let span = self.some_span();
        self.act_later(span, vec![Action::Disk(node, DiskState::Well)]);
    }

    /// The machine dies; when it comes back its record is gone, and half of the time its log too.
    fn lose_disk(&mut self, node: NodeIndex) {
        let wait = self.some_span();
        self.kill(Action::Crash(node), node, wait);
        let wiped = [Wiped::Record, Wiped::RecordAndLog][self.fault_rng.index(2)];
        self.act(Action::Wipe(node, wiped));
    }

    /// The machine dies, its disk is lost, and its operator says that it has never run.
    fn init_again(&mut self, node: NodeIndex) {
        if !self.would_notice_init(node) {
            return;
        }
        let wait = self.some_span();
        self.kill(Action::Crash(node), node, wait);
        self.act(Action::Wipe(node, Wiped::RecordAndLog));
        self.act(Action::InitIfFinal(node));
        // Where everybody restarts, nobody remembers the lives of the lost disk.
        if self.fault_rng.below(2) == 0 {
            for peer in self.members().filter(|&peer| peer != node) {
                let wait = self.fault_rng.waiting(30 * MILLI);
                self.kill(Action::Crash(peer), peer, wait);
            }
        }
    }

    /// The machine is copied now, dies later, and gets its copy back.
    fn set_back(&mut self, node: NodeIndex) {
        self.act(Action::BackUp(node));
        let runs = self.fault_rng.between(10 * MILLI, 2 * SECOND);
        // Whoever knows must not have died since.
        let down =
            if self.fault_rng.below(2) == 0 { self.fault_rng.waiting(30 * MILLI) } else { self.some_span() };
        self.act_later(runs, vec![Action::Crash(node)]);
        self.act_later(runs + down, vec![Action::RestoreIfKnown(node), Action::Start(node)]);
    }

    /// What is on a member's disk now runs on a second machine later, under the same name.
    fn start_twin(&mut self) {
        let Some(twin) = self.machines().find(|&machine| !self.is_member(machine)) else { return };
        self.act(Action::BackUp(self.member(twin)));
        let (wait, runs) = (self.fault_rng.between(10 * MILLI, 2 * SECOND), self.some_span());
        self.act_later(wait, vec![Action::TwinIfKnown(twin)]);
        self.act_later(wait + runs, vec![Action::Crash(twin)]);
    }

    /// Something happens to the node as soon as it does something.
    fn strike_at_event(&mut self, node: NodeIndex) {
        let moment = Moment::VARIANTS[self.fault_rng.index(Moment::VARIANTS.len())];
        let after = if self.fault_rng.below(2) == 0 { 0 } else { self.fault_rng.below(MILLI) };
        let (time, peer) = (self.some_span(), self.any_member());
        let strikes = [
            Strike::Crash(time),
            Strike::Pause(time),
            Strike::CutTo(peer, time),
            Strike::CutFrom(peer, time),
            Strike::NextSave([Outcome::FailsBefore, Outcome::FailsAfter][self.fault_rng.index(2)]),
        ];
        let strike = strikes[self.fault_rng.index(strikes.len())];
        self.act(Action::On(Trigger { node, moment, after, strike }));
    }

    /// Of what an election of this node consists of, something does not arrive.
    fn lose_offers(&mut self, node: NodeIndex) {
        let kinds = [Kind::Offer, Kind::Accept, Kind::Refuse, Kind::Announce];
        let kind = kinds[self.fault_rng.index(kinds.len())];
        for peer in self.members().filter(|&peer| peer != node) {
            if self.fault_rng.below(2) == 0 {
                continue;
            }
            let is_answer = matches!(kind, Kind::Accept | Kind::Refuse);
            let (from, to) = if is_answer { (peer, node) } else { (node, peer) };
            let left = u32::try_from(self.fault_rng.between(1, 3)).unwrap_or(1);
            self.act(Action::Rule(Rule { from, to, kind, left, treatment: Treatment::Lose }));
        }
    }

    /// One or two nodes die that had campaigned unheard, and return: a leader meets their epochs one after the other.
    fn return_higher(&mut self, node: NodeIndex) {
        let other = self.any_member();
        let leader = self.leader().map(|(leader, _)| leader);
        let mut above = 0;
        for node in [node, other].into_iter().filter(|&node| Some(node) != leader) {
            // It can have campaigned only after its promise had ended.
            let wait = self.election_timeout() + self.fault_rng.waiting(30 * MILLI);
            self.act(Action::Crash(node));
            above += self.fault_rng.between(1, 3);
            self.act_later(wait, vec![Action::RaiseRecord(node, above), Action::Start(node)]);
        }
    }

    fn cut_data(&mut self) {
        let share = [150_000, 400_000, 700_000][self.fault_rng.index(3)];
        let links: Vec<_> = self.all_links().filter(|_| self.fault_rng.chance(share)).collect();
        for &Link { from, to } in &links {
            self.act(Action::CutData(from, to));
        }
        let span = self.some_span() * 2;
        self.act_later(span, links.iter().map(|&Link { from, to }| Action::HealData(from, to)).collect());
    }
}
