//! A small, honest, replicated key-value server that shows how to embed the elect library.
//!
//! Clients speak RESP, so `redis-cli` works. A write is acknowledged once a quorum of voters holds it durably
//! under the current epoch; the election says who is the primary, and its fence keeps a deposed one out.
//!
//! ```text
//! clients ─▶ client (tokio) ─▶ ┌───────────────┐ ─▶ store (one engine: log and state, behind the fence)
//! peers  ◀─▶ peers  (tokio) ◀▶ │ host (thread) │
//! elector ─▶ events ─────────▶ └───────────────┘ ─▶ replication (state machine)
//! ```
//!
//! The election lives on its own threads, the clients on an async runtime, as in most hosts: one thread owns
//! replica and log between them.

pub mod cli;
pub mod client;
pub mod config;
pub mod event_log;
pub mod line_writer;
pub mod node;
mod parent;
pub mod replication;
pub mod store;
