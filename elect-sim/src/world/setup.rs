//! How a world begins: members, clocks and disks as drawn, and the configuration of each life.

use elect_core::{Config, Record};

use super::World;
use crate::actions::Actions;
use crate::book::Book;
use crate::checkers::{Checkers, LeaseRule};
use crate::clocks::Clocks;
use crate::disk::Disk;
use crate::host::Host;
use crate::ids::{Life, NodeIndex};
use crate::model_log::Entries;
use crate::network::Network;
use crate::node::Node;
use crate::options::Options;
use crate::queue::{Event, Queue};
use crate::random::Random;
use crate::trace::Detail;
use crate::trigger::Triggers;
use crate::wires::Wires;

impl World {
    /// A world as `options` say, with every node about to boot for the first time.
    ///
    /// # Panics
    /// If `options` make no valid configuration.
    pub fn new(options: Options, detail: Detail) -> Self {
        let seed = options.seed;
        let count = options.kinds.len() + options.twins.len();
        let mut fault_rng = Random::stream(seed, 2);
        let rule = |node| LeaseRule { drift_ppm: options.drift_of(node), granularity: options.granularity };
        let checks =
            Checkers::new(NodeIndex::all(count).map(rule).collect(), &options.twins, !options.wild_clocks);
        let mut world = Self {
            queue: Queue::default(),
            nodes: Vec::with_capacity(count),
            clocks: Clocks::drawn(&options, count, &mut fault_rng),
            wires: Wires::new(Network::new(count, options.stormy, Random::stream(seed, 3))),
            entries: Entries::new(),
            book: Book::new(checks, detail),
            host_rng: Random::stream(seed, 4),
            calm_since: None,
            actions: Actions::default(),
            triggers: Triggers::default(),
            clients_rest: false,
            outputs: Vec::new(),
            fault_rng,
            consequence_rng: Random::stream(seed, 6),
            options,
        };
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
        let mut world = Self::new(options, detail);
        world.book.close_eyes();
        world
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
            self.node_mut(node).disk_mut().install(record);
            let at = self.host_rng.below(self.options.boot_spread);
            self.queue.push(at, Event::Start { node });
        }
        if !self.options.faults.is_empty() {
            let wait = self.fault_rng.waiting(self.options.fault_every);
            self.queue.push(wait, Event::Fault);
        }
        self.queue.push(self.options.client_every, Event::Clients);
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
