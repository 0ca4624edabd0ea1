//! What happened in a run, counted.

/// What happened how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Events of any kind.
    pub events: u64,
    /// Frames that left an elector.
    pub frames: u64,
    /// Frames that an elector decoded and handled.
    pub handled: u64,
    /// Times that anything reached an elector: frames, ticks, ends of saves, requests.
    pub inputs: u64,
    /// Elections won.
    pub elections: u64,
    /// Elections won by a node that was behind a voter.
    pub behind: u64,
    /// Epochs raised by a leader in office.
    pub raises: u64,
    /// Authority lost.
    pub losses: u64,
    /// Faults injected.
    pub faults: u64,
    /// Starts of a process.
    pub starts: u64,
    /// Times a host entered office.
    pub offices: u64,
    /// Writes acknowledged.
    pub acknowledged: u64,
    /// Reads served.
    pub reads: u64,
    /// Replaced disks that earned their vote back.
    pub rebuilt: u64,
    /// Disks that were lost and given a first boot, and noticed that themselves.
    pub noticed: u64,
    /// Machines that were set back to an older copy of their disk.
    pub set_back: u64,
    /// Those that stopped because a peer knew better.
    pub set_back_noticed: u64,
    /// Copies of a member's disk that ran on a second machine.
    pub twins: u64,
    /// Those that stopped because a peer knew better.
    pub twins_noticed: u64,
}

/// Something that is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counted {
    Event,
    Frame,
    Handled,
    Input,
    /// Whether the winner was behind a voter.
    Election {
        behind: bool,
    },
    Raise,
    SteppedDown,
    Fault,
    Start,
    Office,
    /// So many so far.
    Acknowledged(u64),
    Read,
    Rebuilt,
    /// A disk that was lost and given a first boot noticed that itself.
    Noticed,
    /// A machine starts with an older copy of its disk.
    SetBack,
    /// It stops because a peer knows better.
    SetBackNoticed,
    /// A copy of a member's disk starts on a second machine.
    Twin,
    /// It stops because a peer knows better.
    TwinNoticed,
}

impl Counts {
    pub(crate) fn count(&mut self, what: Counted) {
        match what {
            Counted::Event => self.events += 1,
            Counted::Frame => self.frames += 1,
            Counted::Handled => self.handled += 1,
            Counted::Input => self.inputs += 1,
            Counted::Election { behind } => {
                self.elections += 1;
                self.behind += u64::from(behind);
            }
            Counted::Raise => self.raises += 1,
            Counted::SteppedDown => self.losses += 1,
            Counted::Fault => self.faults += 1,
            Counted::Start => self.starts += 1,
            Counted::Office => self.offices += 1,
            Counted::Acknowledged(total) => self.acknowledged = total,
            Counted::Read => self.reads += 1,
            Counted::Rebuilt => self.rebuilt += 1,
            Counted::Noticed => self.noticed += 1,
            Counted::SetBack => self.set_back += 1,
            Counted::SetBackNoticed => self.set_back_noticed += 1,
            Counted::Twin => self.twins += 1,
            Counted::TwinNoticed => self.twins_noticed += 1,
        }
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.frames += other.frames;
        self.handled += other.handled;
        self.inputs += other.inputs;
        self.elections += other.elections;
        self.behind += other.behind;
        self.raises += other.raises;
        self.losses += other.losses;
        self.faults += other.faults;
        self.starts += other.starts;
        self.offices += other.offices;
        self.acknowledged += other.acknowledged;
        self.reads += other.reads;
        self.rebuilt += other.rebuilt;
        self.noticed += other.noticed;
        self.set_back += other.set_back;
        self.set_back_noticed += other.set_back_noticed;
        self.twins += other.twins;
        self.twins_noticed += other.twins_noticed;
    }
}
