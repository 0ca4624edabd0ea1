//! Real time, and what each machine reads of it.

use elect_core::Time;

use crate::clock::{Clock, Real, SECOND};
use crate::ids::NodeIndex;
use crate::options::Options;
use crate::random::Random;
use crate::sabotage::Sabotage;

/// The time of a world and the clocks of its machines.
#[derive(Clone, Debug)]
pub(crate) struct Clocks {
    now: Real,
    clocks: Vec<Clock>,
}

impl Clocks {
    /// One clock for each machine.
    pub(crate) fn new(now: Real, clocks: Vec<Clock>) -> Self {
        Self { now, clocks }
    }

    /// As `options` say, at the begin of a run.
    pub(crate) fn drawn(options: &Options, nodes: usize, random: &mut Random) -> Self {
        Self::new(0, NodeIndex::all(nodes).map(|node| draw_clock(options, node, random, 0)).collect())
    }

    /// Real time.
    pub(crate) fn now(&self) -> Real {
        self.now
    }

    /// Real time goes on.
    pub(crate) fn go_to(&mut self, at: Real) {
        self.now = at;
    }

    /// What a machine reads now.
    #[inline]
    pub(crate) fn local(&self, node: NodeIndex) -> Time {
        self.read(node, self.now)
    }

    /// What it reads at a point of real time.
    #[inline]
    pub(crate) fn read(&self, node: NodeIndex, real: Real) -> Time {
        self.clocks[node].read(real)
    }

    /// The same for a name that no machine has: a stranger's clock is as the first one.
    pub(crate) fn local_of_anybody(&self, node: NodeIndex) -> Time {
        self.local(if node.place() < self.clocks.len() { node } else { NodeIndex::default() })
    }

    /// When a machine reads this or more; `None` if that is out of reach.
    pub(crate) fn reaches(&self, node: NodeIndex, local: Time) -> Option<Real> {
        self.clocks[node].reaches(local)
    }

    /// From now on a clock runs at another rate.
    pub(crate) fn set_rate(&mut self, node: NodeIndex, rate_ppm: i64) {
        self.clocks[node].set_rate(self.now, rate_ppm);
    }

    /// A machine boots: its clock starts again.
    pub(crate) fn reboot(&mut self, node: NodeIndex, origin: u64) {
        self.clocks[node].reboot(self.now, origin);
    }
}

/// A clock within ρ (or, if wild, far outside it) that was started at some other time.
fn draw_clock(options: &Options, node: NodeIndex, random: &mut Random, now: Real) -> Clock {
    let origin = random.between(SECOND, 1_000_000 * SECOND);
    Clock::new(now, origin, draw_rate(options, node, random), options.reading)
}

pub(crate) fn draw_rate(options: &Options, node: NodeIndex, random: &mut Random) -> i64 {
    let secret = options.sabotage == Some(Sabotage::SecretDrift);
    let bound = if options.wild_clocks || secret { 500_000 } else { i64::from(options.drift_of(node)) };
    match random.below(4) {
        0 => bound,
        1 => -bound,
        _ => random.between(0, bound.unsigned_abs() * 2).cast_signed() - bound,
    }
}
