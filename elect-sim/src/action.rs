//! Actions: what faults and operators do to a world, one at a time. A swarm draws them, a scenario lists them, and both
//! do them here: so the actions of a run that failed are a scenario.

use std::fmt;

use elect_core::{Detection, Health};

use crate::clock::{duration, setting, span};
use crate::disk::{DiskState, Outcome};
use crate::ids::NodeIndex;
use crate::input::{Interrupt, Request};
use crate::rule::Rule;
use crate::trigger::Trigger;

/// One thing that is done to a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
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
    /// An operator gives a dead node, whose record is gone, a first boot, where that is noticed for certain.
    InitIfFinal(NodeIndex),
    /// What is durable on a machine is copied and put aside.
    BackUp(NodeIndex),
    /// A dead node gets that copy back, where everybody who votes would notice it.
    RestoreIfKnown(NodeIndex),
    /// The last copy of a member's disk is put on this twin's, which starts, where everybody would notice it.
    TwinIfKnown(NodeIndex),
    /// A process stops for so long.
    Pause(NodeIndex, u64),
    /// So many instructions from now, this happens.
    Interrupt(NodeIndex, u32, Interrupt),
    /// A disk behaves like this.
    Disk(NodeIndex, DiskState),
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
    /// A dead node campaigned so far above everybody's epoch, and nobody heard of it.
    RaiseRecord(NodeIndex, u64),
    /// A node is configured with this detection time, from its next start on.
    Configure(NodeIndex, Detection),
}

/// What a disk loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wiped {
    Record,
    RecordAndLog,
}

impl fmt::Display for Action {
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
            Self::InitIfFinal(node) => write!(f, "init-if-final {}", name(node)),
            Self::BackUp(node) => write!(f, "back-up {}", name(node)),
            Self::RestoreIfKnown(node) => write!(f, "restore-if-known {}", name(node)),
            Self::TwinIfKnown(node) => write!(f, "twin-if-known {}", name(node)),
            Self::Pause(node, time) => write!(f, "pause {} {}", name(node), span(*time)),
            Self::Interrupt(node, after, interrupt) => {
                let (what, time) = match interrupt {
                    Interrupt::Pause(time) => ("pause", time),
                    Interrupt::PauseAfterClock(time) => ("pause-after-clock", time),
                    Interrupt::Crash(time) => ("crash", time),
                };
                write!(f, "interrupt {} after {after} {what} {}", name(node), span(*time))
            }
            Self::Disk(node, DiskState::Well) => write!(f, "disk {} well", name(node)),
            Self::Disk(node, DiskState::Hung) => write!(f, "disk {} hung", name(node)),
            Self::Disk(node, DiskState::Slow(extra)) => {
                write!(f, "disk {} slow {}", name(node), span(*extra))
            }
            Self::NextSave(node, outcome) => {
                let word: &'static str = outcome.into();
                write!(f, "disk {} {word}", name(node))
            }
            Self::CutData(from, to) => write!(f, "cut {}>{} store", name(from), name(to)),
            Self::HealData(from, to) => write!(f, "heal {}>{} store", name(from), name(to)),
            Self::Slower(extra) => write!(f, "slower {}", span(*extra)),
            Self::Rule(rule) => write!(f, "{rule}"),
            Self::On(trigger) => write!(f, "{trigger}"),
            Self::RaiseRecord(node, by) => write!(f, "raise-record {} {by}", name(node)),
            Self::Configure(node, detection) => write!(f, "of {} {}", name(node), setting(*detection)),
            Self::Rate(node, rate) => write!(f, "rate {} {rate}", name(node)),
            Self::Ask(node, request) => match request {
                Request::Resign => write!(f, "resign {}", name(node)),
                Request::Handover(None) => write!(f, "handover {}", name(node)),
                Request::Handover(Some(to)) => write!(f, "handover {} to {to}", name(node)),
                Request::Vouch(time) => write!(f, "vouch {} {}", name(node), duration(*time)),
                Request::Freeze(time) => write!(f, "freeze {} {}", name(node), duration(*time)),
                Request::Thaw => write!(f, "thaw {}", name(node)),
                Request::Move(number) => write!(f, "move {} {number}", name(node)),
                Request::Upgrade(version) => write!(f, "upgrade {} {version}", name(node)),
                Request::Health(Health::Healthy) => write!(f, "fit {}", name(node)),
                Request::Health(_) => write!(f, "unfit {}", name(node)),
            },
        }
    }
}
