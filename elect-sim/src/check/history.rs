//! The little of the past that it takes to see what must hold.

use elect_core::{Epoch, StateSink, Time};

use super::bounds::NODES;
use super::fingerprint::Fingerprint;

/// More than a model ever has, `Bounds::epochs` being at most one less.
pub(super) const EPOCHS: usize = 8;

/// What is remembered.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// By epoch: who led it, in which life.
    pub(super) led: [Option<(u8, u8)>; EPOCHS],
    /// By voter and leader.
    grants: [[Option<Grant>; NODES]; NODES],
}

/// A lease that a voter granted.
#[derive(Clone, Copy, Debug)]
struct Grant {
    epoch: Epoch,
    /// The leader may act before this point of its own clock.
    end: Time,
}

impl History {
    pub(super) fn describe(&self, sink: &mut Fingerprint) {
        for led in &self.led {
            sink.word(led.map_or(0, |(node, life)| 1 | u64::from(node) << 8 | u64::from(life) << 16));
        }
        for (place, grant) in self.grants.iter().flatten().enumerate() {
            let Some(grant) = grant else { continue };
            sink.word(place as u64 | grant.epoch.number() << 8 | 1 << 32);
            sink.by(place % NODES);
            sink.until(grant.end);
        }
    }

    /// The highest epoch that anybody led.
    pub(super) fn highest(&self) -> Option<(Epoch, u8)> {
        let (epoch, led) =
            self.led.iter().enumerate().rev().find_map(|(epoch, led)| Some((epoch, (*led)?)))?;
        Some((Epoch::new(epoch as u64), led.0))
    }

    /// A voter follows `leader` in `epoch`: the election of a higher epoch's leader proves older leases over.
    pub(super) fn follows(&mut self, voter: usize, leader: usize, epoch: Epoch) {
        for (other, grant) in self.grants[voter].iter_mut().enumerate() {
            *grant = grant.filter(|grant| other == leader || grant.epoch > epoch);
        }
    }

    /// A voter grants a lease that ends there.
    pub(super) fn grant(&mut self, voter: usize, leader: usize, epoch: Epoch, end: Time) {
        let grant = &mut self.grants[voter][leader];
        *grant = Some(match *grant {
            Some(earlier) => Grant { epoch: earlier.epoch.max(epoch), end: earlier.end.max(end) },
            None => Grant { epoch, end },
        });
    }

    /// Of what was granted to a leader only what it can still act on is remembered.
    pub(super) fn forget(&mut self, leader: usize, can_act: impl Fn(Epoch, Time) -> bool) {
        for grants in &mut self.grants {
            grants[leader] = grants[leader].filter(|grant| can_act(grant.epoch, grant.end));
        }
    }

    /// Who else than `candidate` holds a grant of this voter, and in which epoch.
    pub(super) fn granted_to_another(&self, voter: usize, candidate: usize) -> Option<(usize, Epoch)> {
        (0..NODES)
            .filter(|&leader| leader != candidate && leader != voter)
            .find_map(|leader| self.grants[voter][leader].map(|grant| (leader, grant.epoch)))
    }
}
