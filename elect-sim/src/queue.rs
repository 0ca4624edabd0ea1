//! The agenda of a simulation: a binary heap of what happens when.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use elect_core::Incarnation;

use crate::clock::Real;
use crate::ids::{Life, NodeIndex};
use crate::trigger::Strike;

/// What happens. Small and `Copy`: bytes and messages lie in slabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A frame arrives.
    Deliver { from: NodeIndex, to: NodeIndex, slot: u32 },
    /// The elector's deadline has come.
    Tick { node: NodeIndex, life: Life },
    /// The disk has finished a save of the record.
    SaveDone { node: NodeIndex, life: Life },
    /// The result of a commit reaches the elector.
    Gated { node: NodeIndex, life: Life },
    /// A message of a host arrives.
    Message { from: NodeIndex, to: NodeIndex, slot: u32 },
    /// The disk has finished a sync of the host.
    SyncDone { node: NodeIndex, life: Life },
    /// A host's thread has something to do.
    Host { node: NodeIndex, life: Life, ticket: u64 },
    /// A host's position is reported late.
    Report { node: NodeIndex, life: Life },
    /// An operator repairs a node that has stopped.
    Repair { node: NodeIndex, life: Life },
    /// A process starts.
    Start { node: NodeIndex },
    /// A stopped process goes on.
    Continue { node: NodeIndex, life: Life, pause: u32 },
    /// A node tries to connect to a peer.
    Dial { from: NodeIndex, to: NodeIndex, life: Life },
    /// The attempt reaches the peer's machine.
    DialArrives { from: NodeIndex, to: NodeIndex, life: Life, began: Real },
    /// The answer comes back.
    DialAnswered { from: NodeIndex, to: NodeIndex, life: Life, began: Real, accepted: bool },
    /// The close of a peer's connection is noticed.
    Closed { node: NodeIndex, peer: NodeIndex, life: Life },
    /// Who held a peer's process tells that it has ended.
    Ended { node: NodeIndex, peer: NodeIndex, life: Life, incarnation: Incarnation },
    /// What an event fired.
    Strike { node: NodeIndex, strike: Strike },
    /// A link that was cut so works again.
    Mended { from: NodeIndex, to: NodeIndex },
    /// Clients do something.
    Clients,
    /// The next fault.
    Fault,
    /// The end of a fault: what was to be done then.
    End { number: u32 },
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Real,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Entry {}

impl Ord for Entry {
    /// Earliest first out of a max-heap; among equals, in the order of entry.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What happens when.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Entry>,
    number: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Real, event: Event) {
        self.number += 1;
        self.heap.push(Entry { at, number: self.number, event });
    }

    /// Takes the next event unless it lies at or after `until`.
    pub(crate) fn pop(&mut self, until: Real) -> Option<(Real, Event)> {
        if self.heap.peek()?.at >= until {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_in_order_of_entry() {
        let mut queue = Queue::default();
        for (at, node) in [(5, 0), (3, 1), (5, 2), (3, 3), (9, 4)] {
            queue.push(at, Event::Start { node: NodeIndex::new(node) });
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop(9)).collect();
        let nodes: Vec<_> = order.iter().map(|(_, event)| *event).collect();
        assert_eq!(nodes, [1, 3, 0, 2].map(|node| Event::Start { node: NodeIndex::new(node) }));
    }
}
