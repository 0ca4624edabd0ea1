//! Leader election as a pure state machine: who may lead, since when, until when, and why not.
//!
//! [`Elector`] knows no clock, no socket, no disk and no thread. A driver feeds it time, frames and results, and
//! carries out what each [`Step`] says, in the only safe order. Everything that must not precede the disk comes out of
//! it only after a [`Gate`] was committed. `elect-tcp` is such a driver; this is a whole one, for a group of one node:
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use elect_core::{
//!     ClusterId, Config, Driver, Duty, Elector, Frame, Gate, SteppedDown, NoLog, NodeId, Notice, Raised, Record, Time,
//!     VoteStore,
//! };
//!
//! /// Where the record is kept: a real one syncs before it returns.
//! struct Memory(Record);
//! impl VoteStore for Memory {
//!     type Error = std::convert::Infallible;
//!     fn save(&mut self, record: &Record) -> Result<(), Self::Error> {
//!         self.0 = *record;
//!         Ok(())
//!     }
//! }
//!
//! /// What a step hands out.
//! #[derive(Default)]
//! struct Host {
//!     gate: Option<Gate>,
//!     serves: bool,
//! }
//! impl Driver for Host {
//!     fn lost(&mut self, _: SteppedDown) {
//!         self.serves = false; // at once: the lease has already fallen
//!     }
//!     fn send(&mut self, to: NodeId, frame: &Frame) {
//!         println!("to {to}: {frame:?}"); // `wire::encode` makes bytes of it
//!     }
//!     fn save(&mut self, gate: Gate) {
//!         self.gate = Some(gate); // committed below; off this thread where a save may block
//!     }
//!     fn act(&mut self, duty: Duty) {
//!         match duty {
//!             Duty::Elected(elected) => {
//!                 // A host with a log catches up and writes an entry of its own epoch first.
//!                 let office = elected.serve_without_log_forgetting_earlier_writes();
//!                 self.serves = office.stamp(Time::ZERO).is_ok();
//!             }
//!             // The office that the host has goes on; a host with a log appends an entry of the new epoch.
//!             Duty::EpochRaised { raised: Raised::InOffice(_), .. } => {}
//!             Duty::EpochRaised { raised: Raised::OnTheWay(elected), .. } => self.act(Duty::Elected(elected)),
//!             // Nothing to drain here: a real host admits no more, finishes, and calls `on_drained`.
//!             Duty::HandoverBegan { .. } | Duty::HandoverAborted { .. } => {}
//!             // A real host ends its process.
//!             Duty::Stopped { reason } => println!("stopped: {reason}"),
//!             // A host with a log acknowledges again what it holds.
//!             Duty::Rebuilt => {}
//!             // A host with a log acknowledges nothing, and fills it from the leader.
//!             Duty::Replaced { told_by, .. } => println!("replaced, says {told_by}"),
//!         }
//!     }
//!     fn happened(&mut self, notice: Notice) {
//!         println!("{notice:?}");
//!     }
//! }
//!
//! let node = NodeId::new("berlin")?;
//! let config = Config::builder(ClusterId::new("shop")?, node).voters([node]).build()?;
//! let mut store = Memory(Record::first_boot(&config)); // an operator's explicit act, once
//! let started = Instant::now();
//! let now = || Time::from_nanos(started.elapsed().as_nanos() as u64);
//!
//! let mut host = Host::default();
//! let mut elector = Elector::new(config, store.0, now())?;
//! while !host.serves {
//!     elector.tick(now()).resolve(&mut host);
//!     while let Some(gate) = host.gate.take() {
//!         let result = gate.commit(&mut store, &NoLog); // or a `Fence` around the host's log
//!         elector.on_gated(result, now()).resolve(&mut host);
//!     }
//!     // A real driver now sleeps until `elector.deadline()` or the next frame.
//! }
//! println!("{}", elector.explain(now()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it fits together
//!
//! ```text
//! tick, on_message, on_… ──▶ Elector ──▶ Step ─┬▶ losses ─▶ demote                        at once
//!                               ▲              ├▶ frames ─▶ peers                         at once
//!                               │              └▶ gate ───▶ save, raise the fence, pull the position
//!                            on_gated ◀────────────────────┘   then: what waited for the disk
//! ```
//!
//! * [`Config`] cannot be invalid: its builder checks every field and the arithmetic of leases.
//! * [`Authority`] and [`Office`] are what the host's threads hold: lock-free, judged by their clock at the call.
//! * [`Duty`] is what a host must act on, each variant of it; [`Notice`] is what is merely worth knowing.
//! * [`Fence`] guards the host's log against leaderships that are over.
//! * [`Elector::explain`] says who leads, or which rule keeps this node from it.
//! * [`wire`] makes frames and records of bytes, and bytes of them.
//!
//! The rules are numbered in [`protocol`]; `// R7` in the code names the line that enforces rule 7.
//!
//! # Features
//!
//! * `std` (default): the [`Fence`], which needs a lock. Without it the crate is `no_std` + `alloc`.
//! * `wire` (default): the byte formats, and `Serialize` for [`Status`] and [`Explanation`].
//! * `explore`: a second elector in the same state, and what that state is, for model checkers. No host needs it.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[doc = include_str!("../PROTOCOL.md")]
pub mod protocol {}

mod address;
mod authority;
mod birth;
mod blocker;
mod campaign;
mod candidate;
mod config;
#[cfg(feature = "explore")]
mod describe;
mod detection;
mod detector;
mod durable;
mod duty;
mod elector;
mod epoch;
mod event;
mod explain;
mod favour;
#[cfg(feature = "std")]
mod fence;
mod follower;
mod frame;
mod gate;
mod genesis;
mod handover;
mod leader;
mod members;
#[cfg(feature = "wire")]
mod millis;
mod name;
mod nonce;
mod nonces;
mod notices;
mod offer;
mod office;
mod outbox;
mod pace;
mod pair;
mod pause;
mod peer_state;
mod peers;
mod preference;
mod profile;
mod progress;
mod promise;
mod random;
mod ranking;
mod rebuild;
mod record;
mod refusals;
mod saving;
mod start;
mod status;
mod steady;
mod step;
mod tally;
mod this_life;
mod time;
mod timers;
mod told;
mod view;
#[cfg(feature = "wire")]
pub mod wire;

pub use address::{ADDRESS_BYTES_MAX, Address, AddressError};
pub use authority::{Authority, Lease};
pub use birth::{Birth, Durable, LogSync};
pub use blocker::CampaignBlocker;
pub use config::builder::ConfigBuilder;
pub use config::{BeyondLagLimit, Config, ConfigError, ConfigWarning, Detection, LagLimit};
#[cfg(feature = "explore")]
pub use describe::StateSink;
pub use detection::DetectionTerms;
pub use duty::{Duty, Raised};
pub use elector::Elector;
pub use epoch::{Epoch, Position, Stamp};
pub use event::{
    CampaignLost, HandoverAborted, Health, Ignored, LeaderLost, LinkState, Notice, RebuiltTo, RequestRefused,
    StepDown, SteppedDown, Stopped, Unfit,
};
pub use explain::{Explanation, Hearing, OtherHistory};
#[cfg(feature = "std")]
pub use fence::{Fence, Fenced, Log};
pub use frame::{Body, Frame, Header, Heartbeat, Lead, PauseNumber, PauseStamp, Refusal};
pub use gate::{Floor, Gate, Gated, NoLog, Raise, StorageFailed, VoteStore};
pub use genesis::told::{Genesis, SavedGenesis, ToldGenesis};
pub use handover::{HandoverCause, HandoverRequest, Lag};
pub use members::{Digest, Member, MemberKind, Members};
pub use name::{ClusterId, NAME_BYTES_MAX, NameError, NodeId};
pub use nonce::{Incarnation, Nonce};
pub use office::{CaughtUp, Elected, NotCaughtUp, NotInOffice, NotOwnEntry, Office, Source};
pub use pace::SlowRoundTrip;
pub use peer_state::PeerState;
pub use profile::{HOST_DATA_BYTES_MAX, HostData, HostDataError, Profile};
pub use rebuild::NotRebuilt;
pub use record::{Holder, PromiseKind, Record, Storage};

pub use start::StartRefused;
pub use status::{GenesisStatus, KnownLeader, PauseStatus, PeerStatus, RoleName, Status};
pub use step::{Driver, Requested, Step};
pub use time::Time;
