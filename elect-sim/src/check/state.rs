//! What a state of a model consists of.

use elect_core::{Epoch, PromiseKind, Record, StateSink};

use super::bounds::{Model, NODES, index};
use super::fingerprint::Fingerprint;
use super::flight::{Flight, Kind};
use super::node::Node;
use super::world::World;

impl World {
    /// What the future depends on, in 128 bits.
    pub(super) fn fingerprint(&self, sink: &mut Fingerprint, model: &Model) -> u128 {
        sink.begin(std::array::from_fn(|node| self.clock(node, model)));
        sink.word(if model.bounds.moments == 0 { 0 } else { self.moment });
        sink.word(u64::from(self.strayed) | u64::from(self.cuts) << 8 | u64::from(self.cut) << 16);
        sink.word(u64::from(self.sleeps) | u64::from(self.asleep) << 8);
        let mut turns = [(u64::MAX, 0); NODES * NODES * Kind::COUNT + NODES];
        for (index, node) in self.nodes.iter().enumerate() {
            sink.by(index);
            describe_node(sink, node);
            if node.gate.is_some() && !node.slow {
                turns[index] = (node.turn, index);
            }
        }
        for (place, flight) in self.flights.iter().enumerate() {
            if let Some(flight) = flight {
                turns[NODES + place] = (flight.turn, NODES + place);
            }
        }
        // The order of their turns is all that turns are for.
        turns.sort_unstable();
        for (_, place) in turns.into_iter().take_while(|(turn, _)| *turn != u64::MAX) {
            sink.word(place as u64 | 1 << 32);
            if let Some(flight) = place.checked_sub(NODES).and_then(|place| self.flights[place].as_ref()) {
                describe_flight(sink, flight, model);
            }
        }
        for flight in &self.strays {
            sink.word((flight.from * NODES + flight.to) as u64 | 1 << 33);
            describe_flight(sink, flight, model);
        }
        self.history.describe(sink);
        sink.finish()
    }
}

fn describe_flight(sink: &mut Fingerprint, flight: &Flight, model: &Model) {
    sink.by(flight.from);
    model.configs[flight.from].describe_frame(sink, flight.from, flight.to, &flight.frame);
}

fn describe_node(sink: &mut Fingerprint, node: &Node) {
    let Node { elector, gate, slow, turn: _, disk, floor, leading, ended, stopped, born, crashes } = node;
    let slow = gate.is_some() && *slow;
    sink.word(u64::from(*crashes) | u64::from(slow) << 8 | u64::from(*stopped) << 16);
    sink.word(u64::from(gate.is_some()) | u64::from(*born) << 8);
    sink.word(floor.number() | ended.number() << 8 | leading.map_or(255, Epoch::number) << 16);
    describe_disk(sink, disk);
    if let Some(elector) = elector {
        elector.describe(sink);
    }
}

fn describe_disk(sink: &mut Fingerprint, disk: &Record) {
    let holder = disk
        .holder
        .map_or(255, |holder| index(holder.node) as u64 | u64::from(holder.how == PromiseKind::Voted) << 4);
    sink.word(disk.epoch.number() | holder << 8 | u64::from(disk.incarnation.counter) << 16);
}
