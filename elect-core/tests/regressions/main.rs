//! What went wrong once and must not again: each test says what the group promises and, in a sentence, how that
//! promise used to be broken.
#![cfg(feature = "std")]

mod handover;
mod incarnations;
mod pause;
mod promises;
mod re_offer;
mod replaced;
mod stories;
mod waits;

use elect_harness::{self as harness, solo};
