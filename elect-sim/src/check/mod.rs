//! Every state of a small group, explored depth first: the real electors and their real frames.
//!
//! Three voters start for the first time; from there on, whatever is next in turn happens: deadlines first, then
//! frames and saves in the order in which they began. When nothing is left to do, the next *moment* comes on every
//! clock, half of D later. [`Bounds`] says how often the world may depart from this order, and the search departs from
//! it everywhere that it may:
//!
//! * a frame goes astray: it arrives at any later point, so late and out of order, or never;
//! * a copy of a frame goes astray likewise; a save is slow likewise;
//! * a process crashes anywhere, before or after its save has taken effect, keeps only what its disk holds, and starts
//!   again at any later moment or never;
//! * a directed link breaks and heals at any moment; a process stands still from any moment on, and goes on.
//!
//! There is no bound on time. Moments, incarnations and turns are told relative to the present, so that a group that
//! has settled comes back to a state that was seen, and the search ends by itself: an empty stack is an empty frontier.
//!
//! # What makes two states one
//!
//! Nothing is left out but what no later answer depends on:
//!
//! * Points of time count in moments from now, rounded up: nothing happens between two moments. Older than D is one
//!   age, because no rule asks further.
//! * Nonces are told by their order among those that the same two nodes have of each other: electors compare no others.
//!   They differ within a moment by nanoseconds, which σ covers in leases.
//! * Of the past only what the properties need: who led which epoch in which life, and grants that may still be used.
//! * Chance is drawn from one seed, as an elector does it, and its state is part of the state.
//!
//! There is no symmetry between nodes (their names rank them), and none is used. What an elector's later answers depend
//! on is listed field by field beside its code (feature `explore` of elect-core): a new field does not compile there
//! until somebody has decided. States are kept as 128 bits each, so two could be taken for one; with 10⁸ states the
//! chance is below 10⁻²².
//!
//! # Why not a model checker from a library
//!
//! Such a checker asks for a state that can be cloned, compared and hashed as a value. Here equality is relative to
//! clocks and peers, which needs a pass over the whole state; a state shares the two electors of three that an event
//! did not touch; and the deviations from the turn are part of what the search enumerates. What is left for a library
//! to do is a stack and a set.

mod action;
mod bounds;
mod coverage;
mod fingerprint;
mod flight;
mod history;
mod node;
mod path;
mod rules;
mod search;
mod state;
mod tell;
mod visited;
mod world;

pub use bounds::{Bounds, Planted};
pub use coverage::Coverage;
pub use path::Counterexample;
pub use search::{Explored, Verdict, explore};
