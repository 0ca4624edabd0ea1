//! Replication beside the elector: a state machine without I/O, clocks or threads.
//!
//! The elector says who leads; this module moves the log. Messages of a leader and their answers carry the
//! leader's epoch as a [`Stamp`](elect_core::Stamp):
//!
//! ```text
//! follower                               leader
//!    │  Follow { attempt, last }  ─────────▶ │   "this is where my log ends"
//!    │ ◀────────  Append { prev, entries }   │   from the point that both logs share
//!    │  write through the fence, sync        │
//!    │  Ack { matched }  ──────────────────▶ │   fence again, as the last act
//!    │ ◀────────  Append { commit }          │   a quorum of voters holds it under this stamp
//! ```
//!
//! The follower asks, so a leader never guesses: after a lost connection, a mismatch or an adoption the
//! follower says where it stands and transmission goes on from there. Nothing waits on a timer.
//!
//! A winner that is behind a voter of its quorum pulls first (`Pull`, `Pulled`) and sends no data until it
//! holds what that voter's accept reported.
//!
//! The host drops what is applied from the beginning of the log. Whose log ends before that is sent the state
//! (`Behind`, `Fetch`, `Part`).

mod codec;
mod fetch;
mod follower;
mod follower_state;
mod history;
mod journal;
mod leader;
mod leader_state;
mod message;
mod output;
mod replica;
#[cfg(test)]
mod simulation;
mod transfer;

pub use codec::{DecodeError, FRAME_BYTES_MAX, decode, encode};
pub use history::History;
pub use journal::{Journal, WriteRefused};
pub use message::{Cursor, Entry, Message, Part};
pub use output::Output;
pub use replica::{Replica, ReplicaConfig, ReplicaPeer};
