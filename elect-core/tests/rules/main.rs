//! One test or more per rule of PROTOCOL.md: `rNN_what_it_says`, what it allows and what it forbids.
//!
//! Most drive a single real elector with hand-made frames ([`solo::Solo`]); where a rule is about a whole group, the
//! tests use the harness on virtual time.

mod adoption;
mod aftermath;
mod campaigns;
mod candidacy;
mod connection;
mod detection;
mod disks;
mod elections;
mod figures;
mod following;
mod frames;
mod genesis;
mod handing;
mod handover;
mod handovers;
mod hearing;
mod histories;
mod in_between;
mod inputs;
mod leading;
mod lease;
mod lives;
mod office;
mod operation;
mod paces;
mod pauses;
mod profiles;
mod promises;
mod re_offer;
mod repeated;
mod restart;
mod saving;
mod turns;

use elect_harness::{self as harness, solo};
