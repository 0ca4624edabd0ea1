//! What went wrong once and must not again: each test says what the group promises and, in a sentence, how that
//! promise used to be broken.
#![cfg(feature = "std")]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../rules/solo.rs"]
#[allow(dead_code, reason = "shared with the tests of the rules; each binary uses its part")]
mod solo;

mod handover;
mod incarnations;
mod pause;
mod promises;
mod re_offer;
mod replaced;
mod stories;
mod waits;
