//! What the tests, benchmarks and examples of elect share, defined once: a [`MemoryStore`], a driver that keeps what it
//! is given ([`Collected`]), one elector whose peers the test plays ([`Solo`](solo::Solo)), and a [`Group`] of electors
//! on virtual time. It is not published.
//!
//! The property world of elect-core and the simulator share nothing with it on purpose: they are second opinions.
#![allow(clippy::missing_panics_doc, reason = "what does not hold in a test panics")]

mod collected;
mod frames;
mod group;
pub mod solo;
mod store;

use std::time::Duration;

use elect_core::{ClusterId, Config, ConfigBuilder, NodeId};

pub use collected::{Collected, Told};
pub use group::{Group, Node, Seen};
pub use store::{DiskFull, MemoryStore, Tail, told_genesis};

/// A millisecond in nanoseconds.
pub const MS: u64 = 1_000_000;

/// So many milliseconds.
pub fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// The node of this name.
pub fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

/// The cluster of every test.
pub fn cluster() -> ClusterId {
    ClusterId::new("test").unwrap()
}

/// A configuration of `name` in a group whose voters are `names`.
pub fn builder(name: &str, names: &[&str]) -> ConfigBuilder {
    Config::builder(cluster(), id(name)).voters(names.iter().map(|name| id(name))).seed(7)
}
