//! What a node counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::measures::Measures;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The running counts of one node.
        #[derive(Debug)]
        pub(crate) struct Counters {
            /// The same and more for a recorder of metrics.
            pub(crate) measures: Measures,
            $(pub(crate) $name: Counter,)*
        }

        /// What a node has counted since it started.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            pub(crate) fn new(measures: Measures) -> Self {
                Self { measures, $($name: Counter::default(),)* }
            }

            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.read(),)* }
            }
        }
    };
}

counters! {
    /// How often the orchestrator woke up.
    orchestrator_wakes,
    /// How often the sending threads woke up while connected.
    sender_wakes,
    /// How often the reading threads woke up.
    reader_wakes,
    /// How often the listener woke up.
    listener_wakes,
    /// Frames sent.
    frames_sent,
    /// Frames received.
    frames_received,
    /// Attempts to connect.
    dials,
    /// Gates committed: saves of the vote file, or raises of the fence alone.
    gates_committed,
    /// Handshakes of others that failed, and streams of theirs that were closed for what came after: port scans and
    /// health checks among them.
    handshakes_failed,
    /// Streams closed because too many were in handshake.
    inbound_refused,
}

impl Counts {
    /// How often any thread of the node woke up.
    pub const fn wakes(&self) -> u64 {
        self.orchestrator_wakes + self.sender_wakes + self.reader_wakes + self.listener_wakes
    }
}

#[cfg(test)]
impl Default for Counters {
    fn default() -> Self {
        let harness = elect_harness::cluster();
        Self::new(Measures::new(harness, 0, elect_harness::id("a"), []))
    }
}
