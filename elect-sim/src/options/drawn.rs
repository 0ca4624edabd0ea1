//! What a seed draws: which faults exist, how strong they are, and what the group is.

use std::time::Duration;

use elect_core::{Detection, MemberKind};

use crate::clock::{MICRO, MILLI, Real, SECOND};
use crate::drill::Drill;
use crate::fault::Fault;
use crate::ids::NodeIndex;
use crate::network::Quality;
use crate::options::Options;
use crate::random::Random;
use crate::remaining::Topology;

impl Options {
    /// Draws which faults exist and how strong they are. Two thirds of the time are stormy, one third calm.
    /// Then come three drills. One group in sixteen is at peace instead, and goes through all of them.
    pub fn swarm(seed: u64, nodes: Option<usize>, length: Real) -> Self {
        let mut options = Self::drawn(seed, nodes, length);
        let mut random = Random::stream(seed, 6);
        options.drills = (0..3).map(|_| Drill::ALL[random.index(Drill::ALL.len())]).collect();
        if random.below(16) == 0 {
            options.make_peaceful(&mut random);
        }
        options
    }

    /// No faults from the first boot on: what that takes is measured, then all drills, or the return of a preferred
    /// leader.
    fn make_peaceful(&mut self, random: &mut Random) {
        self.faults.clear();
        self.twins.clear();
        self.stormy = self.calm;
        (self.store_loss_ppm, self.reports) = (0, 0);
        self.remaining = Topology::default();
        (self.boot_spread, self.safety) = (0, 0);
        self.drills = Drill::ALL.to_vec();
        if random.below(2) == 0 {
            let voters = self.kinds.iter().filter(|&&kind| kind == MemberKind::Voter).count();
            self.preferred = Some(NodeIndex::at(random.index(voters)));
            self.cooldown = Duration::from_millis(random.between(500, 3_000));
        }
    }

    fn drawn(seed: u64, nodes: Option<usize>, length: Real) -> Self {
        let mut random = Random::stream(seed, 1);
        let count = nodes.unwrap_or_else(|| 3 + random.index(5));
        let mut options = Self::quiet(seed, count);
        options.draw_members(&mut random);
        options.draw_spans(&mut random);
        options.draw_network(&mut random);
        options.faults = drawn_faults(seed, &mut random);
        let mut late = Random::stream(seed, 7);
        if late.below(4) == 0 {
            options.reports = late.between(MILLI, SECOND);
        }
        // A third of all groups hardly come to rest.
        let calmest = if random.below(3) == 0 { 250 * MILLI } else { 3 * SECOND };
        options.fault_every = random.between(50 * MILLI, calmest);
        options.client_every = random.between(20 * MILLI, 300 * MILLI);
        options.crash_evidence = random.below(2) == 0;
        options.supervised = Random::stream(seed, 10).below(4) == 0;
        options.liveness = length / 3;
        options.safety = length - options.liveness;
        options.remaining = Topology::draw(&mut Random::stream(seed, 5), count);
        if options.faults.contains(&Fault::Twin) {
            options.twins.push(NodeIndex::at(Random::stream(seed, 9).index(count)));
        }
        options.draw_own(&mut Random::stream(seed, 8));
        options
    }

    /// The same with clocks far outside ρ: safe but for what may use clocks, and without demands on liveness.
    /// Lost disks are left out, because their return (S13) rests on clocks.
    pub fn wild(seed: u64, nodes: Option<usize>, length: Real) -> Self {
        let mut options = Self::drawn(seed, nodes, length);
        options.wild_clocks = true;
        options.twins.clear();
        options.faults.retain(|&fault| {
            !matches!(fault, Fault::LostDisk | Fault::SecondFirstBoot | Fault::SetBack | Fault::Twin)
        });
        (options.safety, options.liveness) = (length, 0);
        options
    }

    fn draw_members(&mut self, random: &mut Random) {
        let count = self.kinds.len();
        if random.below(4) == 0 {
            self.kinds[count - 1] = MemberKind::Witness;
        }
        if count > 3 && random.below(6) == 0 {
            // Voters come first, as in a scenario.
            let last_voter = count - 1 - usize::from(self.kinds[count - 1] != MemberKind::Voter);
            self.kinds[last_voter] = MemberKind::Observer;
        }
    }

    fn draw_spans(&mut self, random: &mut Random) {
        let ms = Duration::from_millis;
        let detection = ms(random.between(4, 20) * 50);
        self.detection = match random.below(4) {
            0 => Detection::Adaptive {
                floor: detection,
                ceiling: detection * u32::try_from(random.between(1, 4)).unwrap_or(1),
                phi: u8::try_from(random.between(1, 12)).unwrap_or(8),
            },
            _ => Detection::Fixed(detection),
        };
        self.heartbeat = ms(random.between(1, 5) * 10).min(detection.saturating_sub(ms(60)) / 4);
        self.drift_ppm = [1_000, 10_000, 20_000][random.index(3)];
        self.reading = [1, MICRO, MILLI / 2][random.index(3)];
    }

    /// In a quarter of all groups nodes are configured differently, and then some change at a restart.
    fn draw_own(&mut self, random: &mut Random) {
        if random.below(4) != 0 {
            self.faults.retain(|&fault| fault != Fault::Reconfigure);
            return;
        }
        for node in NodeIndex::all(self.kinds.len()) {
            if random.below(2) == 0 {
                let interval = Duration::from_millis(random.between(1, 10) * 10);
                self.overrides_mut(node).heartbeat = Some(interval);
            }
            let detection = self.draw_detection(node, random);
            self.overrides_mut(node).detection = Some(detection);
        }
    }

    /// A detection time that this node can lead with: mostly not the others'.
    pub(crate) fn draw_detection(&self, node: NodeIndex, random: &mut Random) -> Detection {
        let needed = self.heartbeat_of(node) * 2 + self.round_trip + self.save;
        // Drift and granularity on top, generously.
        let least = u64::try_from((needed * 13 / 10 + self.granularity).as_millis()).unwrap_or(u64::MAX);
        let longest = [least + 50, 1_000, 3_000][random.index(3)].max(least + 1);
        let floor = Duration::from_millis(random.between(least, longest));
        if random.below(4) != 0 {
            return Detection::Fixed(floor);
        }
        let ceiling = floor * u32::try_from(random.between(1, 4)).unwrap_or(1);
        Detection::Adaptive { floor, ceiling, phi: u8::try_from(random.between(1, 12)).unwrap_or(8) }
    }

    fn draw_network(&mut self, random: &mut Random) {
        // Calm delays stay within what the configuration calls a bad day.
        self.calm =
            Quality::calm(random.between(50 * MICRO, 2 * MILLI), random.between(2 * MILLI, 5 * MILLI));
        let flag = |random: &mut Random, value: u64| if random.below(2) == 0 { value } else { 0 };
        let ppm = |random: &mut Random, most: u64| {
            let value = random.between(0, most);
            u32::try_from(flag(random, value)).unwrap_or(0)
        };
        self.store_loss_ppm = ppm(random, 700_000);
        self.stormy = Quality {
            delay_min: self.calm.delay_min,
            delay_max: self.calm.delay_max * random.between(1, 10),
            tail_ppm: ppm(random, 50_000),
            tail_max: random.between(10 * MILLI, 2 * SECOND),
            loss_ppm: ppm(random, 300_000),
            duplicate_ppm: ppm(random, 200_000),
            stale_ppm: ppm(random, 20_000),
            stale_max: random.between(SECOND, 20 * SECOND),
        };
    }
}

fn drawn_faults(seed: u64, random: &mut Random) -> Vec<Fault> {
    let mut is_drawn = |(index, _): &(usize, Fault)| {
        let apart = &mut Random::stream(seed, 50 + *index as u64);
        let random = if *index < Fault::FIRST { &mut *random } else { apart };
        random.below(2) == 0
    };
    Fault::ALL.iter().copied().enumerate().filter(|fault| is_drawn(fault)).map(|(_, fault)| fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_options_again_and_another_seed_others() {
        let draw = |seed| format!("{:?}", Options::swarm(seed, None, 60 * SECOND));
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn every_fault_and_every_size_is_drawn_by_some_seed() {
        let drawn: Vec<_> = (0..200).map(|seed| Options::swarm(seed, None, SECOND)).collect();
        for fault in Fault::ALL {
            assert!(drawn.iter().any(|options| options.faults.contains(fault)), "{fault:?}");
        }
        assert!(drawn.iter().any(|options| options.reports > 0), "no host reports late");
        for count in 3..=7 {
            assert!(drawn.iter().any(|options| options.kinds.len() == count), "{count}");
        }
    }
}
