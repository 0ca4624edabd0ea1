//! Short stories on virtual time that a text of the simulator (`elect-sim/scenarios`) cannot tell: frames written by hand,
//! many seeds, what is seen inside.
#![cfg(feature = "std")]

#[path = "../harness/mod.rs"]
mod harness;

mod liveness;
mod puppets;
mod safety;
