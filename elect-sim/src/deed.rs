//! Deeds: what faults and operators do to a world, one at a time. A swarm draws them, a scenario lists them, and both
//! do them here: so the deeds of a run that failed are a scenario.

use std::fmt;
use std::time::Duration;

use elect_core::{Health, MemberKind, Storage};

use crate::clock::{MICRO, MILLI, SECOND};
use crate::disk::{Mood, Outcome};
use crate::ids::NodeIndex;
use crate::process::{Interrupt, Request, State};
use crate::queue::What;
use crate::rule::Rule;
use crate::trigger::Trigger;
use crate::world::World;

/// One thing that is done to a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A directed link is cut.
    Cut(NodeIndex, NodeIndex),
    /// It works again.
    Heal(NodeIndex, NodeIndex),
    /// It holds everything back.
    Clog(NodeIndex, NodeIndex),
    /// It gives everything back.
    Unclog(NodeIndex, NodeIndex),
    /// The first node sees its connection to the other break.
    Close(NodeIndex, NodeIndex),
    /// A process is killed.
    Crash(NodeIndex),
    /// A machine loses power.
    PowerOff(NodeIndex),
    /// A process starts, with its machine.
    Start(NodeIndex),
    /// The disk of a dead node loses what is named.
    Wipe(NodeIndex, Wiped),
    /// A process stops for so long.
    Pause(NodeIndex, u64),
    /// So many instructions from now, this happens.
    Interrupt(NodeIndex, u32, Interrupt),
    /// A disk behaves like this.
    Disk(NodeIndex, Mood),
    /// The next save ends like this.
    NextSave(NodeIndex, Outcome),
    /// A clock runs fast by so many millionths.
    Rate(NodeIndex, i64),
    /// An operator or a host asks something of an elector.
    Ask(NodeIndex, Request),
    /// A directed link is cut for what hosts send, not for the electors' frames.
    CutData(NodeIndex, NodeIndex),
    /// It works again.
    HealData(NodeIndex, NodeIndex),
    /// Every message takes this much longer from now on.
    Slower(u64),
    /// Single frames are lost, late or doubled.
    Rule(Rule),
    /// Something happens to a node as soon as it does something.
    On(Trigger),
    /// A dead node stood so far above everybody's epoch, and nobody heard of it.
    RaiseRecord(NodeIndex, u64),
}

/// What a disk loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wiped {
    Record,
    RecordAndLog,
}

impl World {
    /// Does it, now.
    pub(crate) fn act(&mut self, deed: Deed) {
        self.deeds.push((self.now, deed));
        self.perform(deed);
    }

    /// Does it without keeping it: it follows from something else that is kept.
    pub(crate) fn perform(&mut self, deed: Deed) {
        let is_of_links = matches!(deed, Deed::Cut(..) | Deed::Heal(..) | Deed::Clog(..) | Deed::Unclog(..));
        match deed {
            Deed::Cut(from, to) => self.network.cut(from, to),
            Deed::Heal(from, to) => self.network.heal(from, to),
            Deed::Clog(from, to) => self.network.clog(from, to),
            Deed::Unclog(from, to) => self.unclog(from, to),
            Deed::Close(node, peer) => self.closed(node, peer, self.node(node).life),
            Deed::Crash(node) => self.crash(node, None),
            Deed::PowerOff(node) => self.power_off(node),
            Deed::Start(node) => self.queue.push(self.now, What::Start { node }),
            Deed::Wipe(node, wiped) => self.wipe(node, wiped),
            Deed::Pause(node, span) => self.pause(node, span),
            Deed::Interrupt(node, after, interrupt) => {
                self.node_mut(node).interrupt = Some((after, interrupt));
            }
            Deed::Disk(node, Mood::Well) => self.mend_disk(node),
            Deed::Disk(node, mood) => self.node_mut(node).disk.mood = mood,
            Deed::NextSave(node, outcome) => self.node_mut(node).disk.next_save = outcome,
            Deed::Rate(node, rate) => {
                self.clocks[node].set_rate(self.now, rate);
                if self.node(node).state == State::Running {
                    self.wake(node);
                }
            }
            Deed::Ask(node, request) => self.input(node, crate::process::Input::Request(request)),
            Deed::CutData(from, to) => self.network.cut_data(from, to),
            Deed::HealData(from, to) => self.network.heal_data(from, to),
            Deed::Slower(extra) => self.network.slower = extra,
            Deed::Rule(rule) => self.rules.push(rule),
            Deed::On(trigger) => self.triggers.push(trigger),
            Deed::RaiseRecord(node, by) => self.stood_unheard(node, by),
        }
        if is_of_links {
            self.mark_links();
        }
    }

    /// A dead node had stood so far above everybody's epoch, if it could have.
    fn stood_unheard(&mut self, node: NodeIndex, by: u64) {
        let stood = self.node(node);
        let votes = stood.disk.record().is_some_and(|record| record.storage == Storage::Intact);
        let could = stood.process.is_none() && stood.kind == MemberKind::Voter && votes;
        // Nobody stands while another may act on its promise.
        if could && !(self.checks.clocks_are_sound && self.checks.is_bound(node, self.now, &self.clocks)) {
            self.raise_record(node, by);
        }
    }

    /// Does all of them when `span` is over, unless everything heals before.
    pub(crate) fn act_later(&mut self, span: u64, deeds: Vec<Deed>) {
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.ends.push(deeds);
        self.queue.push(self.now + span, What::End { number });
    }

    pub(crate) fn end(&mut self, number: u32) {
        let deeds = std::mem::take(&mut self.ends[number as usize]);
        if deeds.iter().any(|deed| matches!(deed, Deed::Heal(..))) {
            self.note_network("cuts heal");
        }
        for deed in deeds {
            self.act(deed);
        }
    }

    fn wipe(&mut self, node: NodeIndex, wiped: Wiped) {
        if self.node(node).process.is_some() {
            return; // A disk in use is not lost, it fails.
        }
        self.node_mut(node).disk.wipe();
        self.checks.lost_disk(node);
        if wiped == Wiped::RecordAndLog {
            self.node_mut(node).hosted_mut().put_disk(&[]);
        }
    }
}

/// A span as scenarios write it, in the largest unit that is exact.
pub(crate) fn span(nanos: u64) -> String {
    match nanos {
        0 => "0s".to_owned(),
        _ if nanos.is_multiple_of(SECOND) => format!("{}s", nanos / SECOND),
        _ if nanos.is_multiple_of(MILLI) => format!("{}ms", nanos / MILLI),
        _ if nanos.is_multiple_of(MICRO) => format!("{}us", nanos / MICRO),
        _ => format!("{nanos}ns"),
    }
}

/// Likewise.
pub(crate) fn duration(span_of: Duration) -> String {
    span(u64::try_from(span_of.as_nanos()).unwrap_or(u64::MAX))
}

impl fmt::Display for Deed {
    /// The line of a scenario that does it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |node: &NodeIndex| *node;
        match self {
            Self::Cut(from, to) => write!(f, "cut {}>{}", name(from), name(to)),
            Self::Heal(from, to) => write!(f, "heal {}>{}", name(from), name(to)),
            Self::Clog(from, to) => write!(f, "clog {}>{}", name(from), name(to)),
            Self::Unclog(from, to) => write!(f, "unclog {}>{}", name(from), name(to)),
            Self::Close(node, peer) => write!(f, "close {}>{}", name(node), name(peer)),
            Self::Crash(node) => write!(f, "crash {}", name(node)),
            Self::PowerOff(node) => write!(f, "power-off {}", name(node)),
            Self::Start(node) => write!(f, "start {}", name(node)),
            Self::Wipe(node, Wiped::RecordAndLog) => write!(f, "wipe {}", name(node)),
            Self::Wipe(node, Wiped::Record) => write!(f, "wipe-record {}", name(node)),
            Self::Pause(node, time) => write!(f, "pause {} {}", name(node), span(*time)),
            Self::Interrupt(node, after, interrupt) => {
                let (what, time) = match interrupt {
                    Interrupt::Pause(time) => ("pause", time),
                    Interrupt::PauseAfterClock(time) => ("pause-after-clock", time),
                    Interrupt::Crash(time) => ("crash", time),
                };
                write!(f, "interrupt {} after {after} {what} {}", name(node), span(*time))
            }
            Self::Disk(node, Mood::Well) => write!(f, "disk {} well", name(node)),
            Self::Disk(node, Mood::Hung) => write!(f, "disk {} hung", name(node)),
            Self::Disk(node, Mood::Slow(extra)) => write!(f, "disk {} slow {}", name(node), span(*extra)),
            Self::NextSave(node, outcome) => {
                let word = match outcome {
                    Outcome::Succeeds => "succeeds",
                    Outcome::FailsBefore => "fails-before",
                    Outcome::FailsAfter => "fails-after",
                    Outcome::Lies => "lies",
                };
                write!(f, "disk {} {word}", name(node))
            }
            Self::CutData(from, to) => write!(f, "cut {}>{} store", name(from), name(to)),
            Self::HealData(from, to) => write!(f, "heal {}>{} store", name(from), name(to)),
            Self::Slower(extra) => write!(f, "slower {}", span(*extra)),
            Self::Rule(rule) => write!(f, "{rule}"),
            Self::On(trigger) => write!(f, "{trigger}"),
            Self::RaiseRecord(node, by) => write!(f, "raise-record {} {by}", name(node)),
            Self::Rate(node, rate) => write!(f, "rate {} {rate}", name(node)),
            Self::Ask(node, request) => match request {
                Request::Resign => write!(f, "resign {}", name(node)),
                Request::Handover(None) => write!(f, "handover {}", name(node)),
                Request::Handover(Some(to)) => write!(f, "handover {} to {to}", name(node)),
                Request::Vouch(time) => write!(f, "vouch {} {}", name(node), duration(*time)),
                Request::Freeze(time) => write!(f, "freeze {} {}", name(node), duration(*time)),
                Request::Thaw => write!(f, "thaw {}", name(node)),
                Request::Health(Health::Healthy) => write!(f, "fit {}", name(node)),
                Request::Health(_) => write!(f, "unfit {}", name(node)),
            },
        }
    }
}
