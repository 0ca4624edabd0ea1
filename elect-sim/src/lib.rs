#![doc = include_str!("../README.md")]

mod campaign;
mod checkers;
mod clock;
mod connections;
mod disk;
mod faults;
mod host;
mod inputs;
mod life;
mod log;
mod network;
mod office;
mod options;
mod process;
mod queue;
mod random;
mod replication;
mod rule;
mod scenario;
mod slab;
mod timeline;
mod topology;
mod trace;
mod world;

pub use campaign::{Outcome, Run, Topology, swarm};
pub use checkers::{Checker, NODES_MAX, Violation};
pub use clock::{Clock, MICRO, MILLI, Real, SECOND};
pub use disk::{Disk, Mood, SaveError};
pub use network::Quality;
pub use options::{Fault, Options, Sabotage};
pub use random::Random;
pub use scenario::{ParseError, Report, SCENARIOS, Scenario};
pub use timeline::{Window, draw};
pub use topology::{Case, Fate, Verdict};
pub use trace::{Detail, Line, Trace};
pub use world::{Counts, World};
