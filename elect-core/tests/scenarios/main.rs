//! Short stories on virtual time, each named after what once went wrong and where.
#![cfg(feature = "std")]

#[path = "../harness/mod.rs"]
mod harness;

mod data;
mod liveness;
mod named;
mod promises;
mod puppets;
mod safety;
mod storage;
