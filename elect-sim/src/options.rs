//! What one run is made of: drawn from its seed, or set by hand.

use std::time::Duration;

use elect_core::{Detection, MemberKind};
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::clock::{MICRO, MILLI, Real, SECOND};
use crate::drill::Drill;
use crate::ids::NodeIndex;
use crate::network::Quality;
use crate::node_overrides::NodeOverrides;
use crate::random::Random;
use crate::remaining::Topology;

/// A kind of fault that a run may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
pub enum Fault {
    /// Some directed links are cut for a while.
    Cut,
    /// One node is cut off, in one direction or both.
    Isolate,
    /// A link holds everything back for a while.
    Clog,
    /// A process is killed and starts again later.
    Crash,
    /// Every machine loses power.
    PowerCut,
    /// A process stops for a while: SIGSTOP, or its machine is suspended.
    Pause,
    /// A process stops or dies between two particular instructions.
    Interrupt,
    /// A disk becomes slow for a while.
    SlowDisk,
    /// A disk hangs for a while.
    HungDisk,
    /// The next save fails, before or after it took effect.
    FailedSave,
    /// A machine comes back with an empty or an unreadable disk.
    LostDisk,
    /// A connection breaks and is made again.
    Reset,
    /// A clock changes its rate, within the bound.
    Drift,
    /// A host reports itself unfit for a while.
    Unfit,
    /// A host hangs for a while: it no longer says that it is well.
    HungHost,
    /// A leader is asked to resign.
    Resign,
    /// A leader is asked to hand over.
    Handover,
    /// Failover is frozen for a while.
    Freeze,
    /// Something happens to a node as soon as it stands, accepts, saves, is elected, hands over …
    AtEvent,
    /// Offers and what answers them are lost, a re-offer's too.
    LostOffers,
    /// A node returns that campaigned in a higher epoch: its leader must offer itself anew, and may be refused.
    HigherEpoch,
    /// Every message takes longer for a while, also longer than configured.
    SlowNetwork,
    /// Links are cut for what hosts send, while the electors go on talking.
    DataCut,
    /// A process dies and starts with another detection time, where nodes are configured differently.
    Reconfigure,
    /// A machine comes back with an empty disk, and an operator gives it a first boot in place of a replacement.
    SecondFirstBoot,
    /// A host says something else of itself: where clients reach it, or which version it runs.
    HostChanges,
}

impl Fault {
    /// All kinds, in order.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// How many there were when seeds were first kept: what was added later is drawn apart, so that the rest of a
    /// seed's world stays what it was.
    const FIRST: usize = 17;
}

/// A bug planted in what surrounds an elector: proof that a checker can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Sabotage {
    /// One in five saves is reported as done and is not.
    LyingDisk,
    /// Bytes are missing at the end of a frame.
    GarbledBytes,
    /// The primary acknowledges what only it holds.
    OwnCopyIsEnough,
    /// Nobody looks at the fence again before an acknowledgement leaves, and entries are applied without it.
    NoFence,
    /// A log reports the epoch of an entry in memory with the offset of a durable one.
    MixedPosition,
    /// A read does not check the lease after it took its value.
    UncheckedRead,
    /// A winner serves at once: no catching up, no entry of its own.
    ServesAtOnce,
    /// A winner never enters office.
    NeverOpens,
    /// Clocks run far outside the bound that the leases rely on, and the checkers do not know.
    SecretDrift,
    /// The network goes on losing everything when it should have healed.
    NeverHeals,
    /// The network goes on stalling for long after it has healed.
    Stalls,
    /// A node that is cut off finds a higher epoch on its disk.
    CountsAlone,
    /// Saves take far longer than configured once the faults are over.
    SlowSaves,
    /// Links are far slower than they should be once the faults are over.
    SlowLinks,
    /// What hosts say of themselves is lost on its way.
    LosesProfiles,
    /// No leader knows who is preferred.
    ForgetsPreference,
    /// The process panics after ten simulated seconds.
    Panics,
}

impl Sabotage {
    /// All of them.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its name, in scenarios too.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What one run is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed that decides everything.
    pub seed: u64,
    /// What each member is.
    pub kinds: Vec<MemberKind>,
    /// Further machines: each runs under the name of this member once its disk is copied there.
    pub twins: Vec<NodeIndex>,
    /// The interval of a leader's heartbeats.
    pub heartbeat: Duration,
    /// The detection time.
    pub detection: Detection,
    /// ρ as configured; clocks stay within it unless `wild_clocks`.
    pub drift_ppm: u32,
    /// σ as configured.
    pub granularity: Duration,
    /// In which steps clocks are read.
    pub reading: u64,
    /// The round trip as configured: twice δ.
    pub round_trip: Duration,
    /// One save as configured: S.
    pub save: Duration,
    /// Whether a refused connection counts as evidence of death.
    pub crash_evidence: bool,
    /// The network while faults last.
    pub stormy: Quality,
    /// How often a message of the model store is lost on top of that, per million: followers lag.
    pub store_loss_ppm: u32,
    /// The network afterwards.
    pub calm: Quality,
    /// The faults that may happen.
    pub faults: Vec<Fault>,
    /// Mean time between faults, in nanoseconds.
    pub fault_every: u64,
    /// Mean time between clients' requests.
    pub client_every: u64,
    /// What stays broken when faults end.
    pub remaining: Topology,
    /// How long faults last.
    pub safety: Real,
    /// How long the run goes on without them.
    pub liveness: Real,
    /// Clocks run far outside ρ: everything but S5, S13 and lease reads must still hold.
    pub wild_clocks: bool,
    /// How far the first starts lie apart at most; zero also makes every connection stand at once.
    pub boot_spread: u64,
    /// The node that should lead whenever it is fit.
    pub preferred: Option<NodeIndex>,
    /// How long a preferred node must have been fit.
    pub cooldown: Duration,
    /// How long a winner may take into office.
    pub office_timeout: Duration,
    /// How late a host tells its elector how far its log is durable: it only ranks by this.
    pub reports: Real,
    /// What single nodes are set to differently, by node.
    pub overrides: Vec<NodeOverrides>,
    /// What is measured when the faults are over and the group has settled.
    pub drills: Vec<Drill>,
    /// A planted bug, for tests.
    pub sabotage: Option<Sabotage>,
}

impl Options {
    /// A quiet group of `nodes` voters: no faults, a good network.
    pub fn quiet(seed: u64, nodes: usize) -> Self {
        let calm = Quality::calm(200 * MICRO, 2 * MILLI);
        Self {
            seed,
            kinds: vec![MemberKind::Voter; nodes],
            twins: Vec::new(),
            heartbeat: Duration::from_millis(50),
            detection: Detection::Fixed(Duration::from_millis(500)),
            drift_ppm: 20_000,
            granularity: Duration::from_millis(1),
            reading: 1,
            round_trip: Duration::from_millis(10),
            save: Duration::from_millis(10),
            crash_evidence: false,
            stormy: calm,
            store_loss_ppm: 0,
            calm,
            faults: Vec::new(),
            fault_every: SECOND,
            client_every: 100 * MILLI,
            remaining: Topology::default(),
            safety: 0,
            liveness: 60 * SECOND,
            wild_clocks: false,
            boot_spread: 20 * MILLI,
            preferred: None,
            cooldown: Duration::from_mins(2),
            office_timeout: Duration::from_secs(30),
            reports: 0,
            overrides: Vec::new(),
            drills: Vec::new(),
            sabotage: None,
        }
    }

    /// Draws which faults exist and how strong they are. Two thirds of the time are stormy, one third calm.
    /// Then come three drills. One group in sixteen is at peace instead, and goes through all of them.
    pub fn swarm(seed: u64, nodes: Option<usize>, length: Real) -> Self {
        let mut options = Self::drawn(seed, nodes, length);
        if options.is_mixed() {
            return options; // What a drill may take is measured in a detection time that all share.
        }
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
        options.liveness = length / 3;
        options.safety = length - options.liveness;
        options.remaining = Topology::draw(&mut Random::stream(seed, 5), count);
        options.draw_own(&mut Random::stream(seed, 8));
        options
    }

    /// The same with clocks far outside ρ: safe but for what may use clocks, and without demands on liveness.
    /// Lost disks are left out, because their return (S13) rests on clocks.
    pub fn wild(seed: u64, nodes: Option<usize>, length: Real) -> Self {
        let mut options = Self::drawn(seed, nodes, length);
        options.wild_clocks = true;
        options.faults.retain(|&fault| !matches!(fault, Fault::LostDisk | Fault::SecondFirstBoot));
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
