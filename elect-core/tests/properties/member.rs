//! One node of the world: elector, disk, clock and host.

use std::cell::Cell;
use std::rc::Rc;

use elect_core::{
    Authority, Config, Elected, Elector, Epoch, Fence, Frame, Gate, Log, NodeId, Position, Record, Time,
    VoteStore,
};

/// A clock whose rate is off by a constant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) offset: u64,
    /// Its rate in parts per million of real time.
    pub(crate) rate: u64,
}

impl Clock {
    /// Its reading at a point of real time.
    pub(crate) fn read(self, real: u64) -> Time {
        let elapsed = u128::from(real) * u128::from(self.rate) / 1_000_000;
        Time::from_nanos(self.offset + u64::try_from(elapsed).unwrap())
    }

    /// The first point of real time at which it reads `local` or later.
    pub(crate) fn real(self, local: Time) -> u64 {
        if local == Time::NEVER {
            return u64::MAX;
        }
        let elapsed = u128::from(local.as_nanos().saturating_sub(self.offset));
        u64::try_from((elapsed * 1_000_000).div_ceil(u128::from(self.rate))).unwrap_or(u64::MAX)
    }
}

/// How the disk behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    Works,
    /// A save takes so long that it counts as stalled.
    Slow,
    Hangs,
    /// The save fails; the store keeps the old record.
    FailsWithOld,
    /// The save fails; the store holds the new record all the same.
    FailsWithNew,
}

#[derive(Debug, thiserror::Error)]
#[error("no space left")]
pub(crate) struct Full;

/// The end of the host's log, shared with the fence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail(pub(crate) Rc<Cell<Option<Position>>>);

impl Log for Tail {
    fn last_durable(&self) -> Option<Position> {
        self.0.get()
    }
}

pub(crate) struct Member {
    pub(crate) id: NodeId,
    pub(crate) config: Config,
    pub(crate) elector: Option<Elector>,
    pub(crate) authority: Option<Authority>,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) gate: Option<Gate>,
    /// When the save under way ends, in real time.
    pub(crate) gate_due: u64,
    pub(crate) disk: Disk,
    pub(crate) tail: Tail,
    pub(crate) fence: Fence<Tail>,
    pub(crate) elected: Option<Elected>,
    /// The epoch led, by the events alone.
    pub(crate) led: Option<Epoch>,
    pub(crate) stopped: bool,
    /// Nothing reaches the process before this point of real time.
    pub(crate) paused_until: u64,
    /// The host does not find into office by itself.
    pub(crate) lazy: bool,
    /// Starts so far: each draws another seed.
    pub(crate) starts: u64,
    /// Nonce of the last frame to each member, for forgers who echo it.
    pub(crate) said: Vec<Option<elect_core::Nonce>>,
    /// The last frame to each member, for those who change its genesis.
    pub(crate) copies: Vec<Option<Frame>>,
}

/// The disk's one record.
pub(crate) struct Store {
    pub(crate) record: Record,
    pub(crate) fails: Option<Disk>,
}

impl VoteStore for Store {
    type Error = Full;

    fn save(&mut self, record: &Record) -> Result<(), Full> {
        if self.fails != Some(Disk::FailsWithOld) {
            self.record = *record;
        }
        if self.fails.is_some() { Err(Full) } else { Ok(()) }
    }
}

impl Member {
    /// When this process next acts by itself, in real time.
    pub(crate) fn next_due(&self) -> u64 {
        let Some(elector) = &self.elector else { return u64::MAX };
        let tick = self.clock.real(elector.deadline());
        let save = if self.gate.is_some() { self.gate_due } else { u64::MAX };
        tick.min(save).max(self.paused_until)
    }

    pub(crate) fn kill(&mut self) {
        self.elector = None;
        self.authority = None;
        self.gate = None;
        self.elected = None;
        self.led = None;
        self.stopped = false;
        self.paused_until = 0;
    }
}
