//! A sans-IO leader election state machine.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod authority;
mod candidate;
mod config;
mod detector;
mod elector;
mod epoch;
mod event;
mod explain;
#[cfg(feature = "std")]
mod fence;
mod follower;
mod frame;
mod handover;
mod leader;
mod members;
mod name;
mod nonce;
mod office;
mod outbox;
mod pause;
mod peer;
mod promise;
mod random;
mod ranking;
mod re_offer;
mod rebuild;
mod receive;
mod record;
mod saving;
mod standing;
mod status;
mod step;
mod tally;
mod time;
mod timers;
#[cfg(feature = "wire")]
pub mod wire;

pub use authority::{Authority, Lease};
pub use config::{BeyondLagLimit, Config, ConfigBuilder, ConfigError, ConfigWarning, Detection, LagLimit};
pub use elector::{Elector, StartRefused};
pub use epoch::{Epoch, Position, Stamp};
pub use event::{
    Event, HandoverAborted, HandoverCause, Health, Ignored, LeaderLost, LinkState, Loss, Raised, RebuiltTo,
    RequestRefused, RoundLost, StepDown, Stopped, Unfit,
};
pub use explain::{Explanation, Hearing, PeerSays};
#[cfg(feature = "std")]
pub use fence::{Fence, Fenced, Log};
pub use frame::{
    ADDRESS_BYTES_MAX, Address, AddressTooLong, Body, Frame, Header, Heartbeat, Lead, Refusal, Standing,
};
pub use members::{Digest, Member, MemberKind, Members};
pub use name::{ClusterId, NAME_BYTES_MAX, NameError, NodeId};
pub use nonce::{Incarnation, Nonce};
pub use office::{CaughtUp, Elected, NotCaughtUp, NotInOffice, NotOwnEntry, Office, Source};
pub use rebuild::NotRebuilt;
pub use record::{Holder, Record, Storage, Word};
pub use standing::Blocker;
pub use status::{PeerStatus, RoleName, Status};
pub use step::{Driver, Floor, Gate, Gated, NoLog, Raise, Step, StorageFailed, VoteStore};
pub use time::Time;
