//! Short stories on virtual time that a text of the simulator (`elect-sim/scenarios`) cannot tell: frames written by
//! hand, many seeds, what is seen inside.
#![cfg(feature = "std")]

mod liveness;
mod puppets;
mod safety;

use elect_harness as harness;
