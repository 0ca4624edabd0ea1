//! How a world begins: members, clocks and disks as drawn, and the configuration of each life.

use elect_core::{ClusterId, Config, Record};

use crate::checkers::{Checkers, LeaseRule};
use crate::clock::{Clock, Real, SECOND};
use crate::counts::Counts;
use crate::disk::Disk;
use crate::host::Host;
use crate::ids::{Life, NodeIndex};
use crate::liveness::Moments;
use crate::network::Network;
use crate::options::{Options, Sabotage};
use crate::process::Node;
use crate::queue::{Queue, What};
use crate::random::{Random, mix};
use crate::slab::Slab;
use crate::store::Entries;
use crate::trace::{Detail, Trace};
use crate::world::World;

impl World {
    /// A world as `options` say, with every node about to boot for the first time.
    ///
    /// # Panics
    /// If `options` make no valid configuration.
    pub fn new(options: Options, detail: Detail) -> Self {
        let seed = options.seed;
        let count = options.kinds.len() + options.twins.len();
        let mut chaos = Random::stream(seed, 2);
        let nodes = || NodeIndex::all(count);
        let rule = |node| LeaseRule { drift_ppm: options.drift_of(node), granularity: options.granularity };
        let mut world = Self {
            now: 0,
            queue: Queue::default(),
            nodes: Vec::with_capacity(count),
            clocks: nodes().map(|node| draw_clock(&options, node, &mut chaos, 0)).collect(),
            network: Network::new(count, options.stormy, Random::stream(seed, 3)),
            frames: Slab::default(),
            packets: Slab::default(),
            entries: Entries::new(),
            checks: Checkers::new(nodes().map(rule).collect(), &options.twins),
            trace: Trace::new(detail),
            chance: Random::stream(seed, 4),
            calm_since: None,
            ends: Vec::new(),
            deeds: Vec::new(),
            rules: Vec::new(),
            triggers: Vec::new(),
            counts: Counts::default(),
            moments: Moments::default(),
            clients_rest: false,
            is_checked: true,
            actions: Vec::new(),
            chaos,
            luck: Random::stream(seed, 6),
            options,
        };
        world.checks.clocks_are_sound = !world.options.wild_clocks;
        let save = u64::try_from(world.options.save.as_nanos()).unwrap_or(u64::MAX);
        let members = world.members();
        let machines = members.chain(world.options.twins.iter().copied());
        world.nodes.extend(machines.zip(100..).map(|(member, stream)| {
            let disk = Disk::new(save / 40, save / 2, Random::stream(seed, stream));
            Node::new(member.id(), world.options.kinds[member], disk)
        }));
        world.boot();
        world
    }

    /// The same without checkers and without the hash of the trace: to see what they cost.
    ///
    /// # Panics
    /// If `options` make no valid configuration.
    pub fn unchecked(options: Options, detail: Detail) -> Self {
        Self { is_checked: false, ..Self::new(options, detail) }
    }

    /// The same with an embedder's own state machine on every machine, in place of the built-in store. The crate's
    /// documentation has an example.
    ///
    /// # Panics
    /// If `options` make no valid configuration.
    pub fn with_hosts(
        options: Options,
        detail: Detail,
        make: impl FnMut(NodeIndex) -> Box<dyn Host>,
    ) -> Self {
        let mut world = Self::new(options, detail);
        world.install_hosts(make);
        world
    }

    fn boot(&mut self) {
        for node in self.members() {
            let record = Record::first_boot(&self.config(node, 0));
            self.nodes[node].disk.install(record);
            let at = self.chance.below(self.options.boot_spread);
            self.queue.push(at, What::Start { node });
        }
        if !self.options.faults.is_empty() {
            let wait = self.chaos.waiting(self.options.fault_every);
            self.queue.push(wait, What::Fault);
        }
        self.queue.push(self.options.client_every, What::Clients);
    }

    /// The configuration of one life of a node.
    pub(crate) fn config(&self, node: NodeIndex, life: Life) -> Config {
        self.written_config(node, life).expect("drawn options make a valid configuration")
    }

    /// The same, where an operator may have written nonsense.
    pub(crate) fn written_config(&self, node: NodeIndex, life: Life) -> Result<Config, String> {
        self.options.config(node, life)
    }
}

impl Options {
    /// The configuration of one life of a node, or what is wrong with it.
    pub(crate) fn config(&self, node: NodeIndex, life: Life) -> Result<Config, String> {
        let cluster = ClusterId::new("sim").expect("a valid name");
        let builder = Config::builder(cluster, self.member_of(node).id());
        let builder = match self.preferred {
            Some(node) if self.sabotage != Some(Sabotage::ForgetsPreference) => {
                builder.preferred_leader(node.id())
            }
            _ => builder,
        };
        let builder = self.with_members(node, builder)?;
        builder
            .heartbeat_interval(self.heartbeat)
            .detection(self.detection)
            .drift_ppm(self.drift_of(node))
            .clock_granularity(self.granularity)
            .round_trip(self.round_trip)
            .save(self.save)
            .crash_evidence(self.crash_evidence)
            .fail_back_cooldown(self.cooldown)
            .office_timeout(self.office_timeout)
            .seed(mix(self.seed ^ mix(u64::from(node.number()) << 32 | u64::from(life))))
            .build()
            .map_err(|why| why.to_string())
    }

    /// Under whose name this machine runs.
    fn member_of(&self, node: NodeIndex) -> NodeIndex {
        let twin = node.place().checked_sub(self.kinds.len());
        twin.and_then(|twin| self.twins.get(twin)).copied().unwrap_or(node)
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
