//! Scenarios: text files that tell a group's story, with what must come of it.
//!
//! A file begins with comment lines that say what used to go wrong, and where. Then come settings, then steps; one
//! each per line. `elect-sim scenario --help` lists them.

mod forge;
mod parse;
mod play;
mod settings;
mod state;
mod words;

use std::time::Duration;

use elect_core::Detection;

use crate::action::Wiped;
use crate::disk::{DiskState, Outcome};
use crate::ids::NodeIndex;
use crate::input::Interrupt;
use crate::node::Setup;
use crate::node_overrides::NodeOverrides;
use crate::options::Options;
use crate::rule::Rule;
use crate::trigger::Trigger;

pub use parse::ParseError;
pub use play::Report;

/// A story and its expectations.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What used to go wrong, and where.
    pub about: String,
    options: Options,
    steps: Vec<(usize, Step)>,
}

/// A node in a script: a letter, or whoever led at the last `until leader`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Node(NodeIndex),
    Leader,
}

/// What a script can wait for or expect.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// A lease runs: anybody's, this node's, or another's.
    Leads(Option<Name>),
    /// A lease runs on another node than this one.
    LeadsNot(Name),
    InOffice(Name),
    Nobody,
    Stopped(Name),
    Replaced(Name),
    Intact(Name),
    /// The durable epoch is at most this.
    EpochAtMost(Name, u64),
    /// Since the last mark.
    Elections(u64),
    Losses(u64),
    /// At least this many more writes were acknowledged since the last mark.
    Acknowledged(u64),
    /// At most this many.
    AcknowledgedAtMost(u64),
    /// At most this many frames left, or inputs reached the electors.
    FramesAtMost(u64),
    InputsAtMost(u64),
    NoOffice,
    /// The detection time in use is at most this.
    DetectionAtMost(Name, u64),
    DetectionAtLeast(Name, u64),
    /// The durable epoch is at least this.
    EpochAtLeast(Name, u64),
    /// The floor of its fence is at least, or at most this.
    FenceAtLeast(Name, u64),
    FenceAtMost(Name, u64),
    /// The last start failed, for a reason that has these words.
    Refused(Name, String),
    /// It knows of the other that its host runs this version, and that clients reach it there.
    Knows(Name, Name, u32, u32),
    /// Its elector explains itself with these words.
    Explains(Name, String),
}

/// A setting of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Override {
    Drift(u32),
    Detection(Detection),
    Heartbeat(Duration),
    Members(Vec<String>),
    Preferred(NodeIndex),
}

impl Override {
    fn apply(&self, overrides: &mut NodeOverrides) {
        match self {
            Self::Drift(ppm) => overrides.drift_ppm = Some(*ppm),
            Self::Detection(detection) => overrides.detection = Some(*detection),
            Self::Heartbeat(interval) => overrides.heartbeat = Some(*interval),
            Self::Preferred(node) => overrides.preferred = Some(*node),
            Self::Members(written) => overrides.members = Some(written.clone()),
        }
    }
}

/// When a mistake of an operator's is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Always,
    /// Where it is noticed for certain.
    Noticed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Wait(u64),
    Until(State, u64),
    Expect(State),
    Mark,
    Cut(Name, Name),
    Heal(Name, Name),
    HealAll,
    Isolate(Name),
    Crash(Name),
    PowerOff(Name),
    Start(Name),
    Wipe(Name, Wiped),
    Init(Name, When),
    Close(Name, Name),
    Interrupt(Name, u32, Interrupt),
    Rate(Name, i64),
    /// Faults end, and for so long there must be a leader where there can be one.
    Calm(u64),
    Pause(Name, u64),
    DiskState(Name, DiskState),
    NextSave(Name, Outcome),
    Resign(Name),
    Handover(Name, Option<Name>),
    Unfit(Name),
    Fit(Name),
    Freeze(Name, u64),
    Vouch(Name, u64),
    Thaw(Name),
    Move(Name, u32),
    Upgrade(Name, u32),
    Clog(Name, Name),
    Unclog(Name, Name),
    Rule(Name, Name, Rule),
    CutData(Name, Name),
    HealData(Name, Name),
    /// Every message takes this much longer.
    Slower(u64),
    RaiseRecord(Name, u64),
    /// The node, the other end of a link that is cut, and what happens.
    On(Name, Option<Name>, Trigger),
    Forge(NodeIndex, Name, Forged, Echo),
    /// Delays lie between these from now on.
    Delays(u64, u64),
    /// From its next start on.
    Override(NodeIndex, Override),
    CopyDisk(Name, Name),
    BackUp(Name),
    Restore(Name, When),
    TwinIfKnown(Name),
    Setup(Name, Setup),
    /// The host claims that its replaced storage holds everything up to the end of its log.
    ClaimRebuilt(Name),
}

/// Which nonce a forged frame sends back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Echo {
    /// One that the receiver has not sent yet.
    Unsent,
    /// One that it sent a moment ago: a member whose memory is wrong.
    Recent,
}

/// A frame that no elector wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forged {
    Accept(u64),
    Announce(u64),
    Offer(u64),
    Heartbeat(u64),
    /// A greeting of a life with this counter.
    Life(u32),
}

macro_rules! scenarios {
    ($($name:literal)*) => {
        /// The name and the text of every scenario in the repository.
        pub const SCENARIOS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/", $name, ".txt")))),*];
    };
}

include!("../../scenarios/list.rs");
