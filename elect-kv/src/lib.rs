//! A small, honest, replicated key-value server that shows how to embed the elect library.
//!
//! Clients speak RESP, so `redis-cli` works. A write is acknowledged once a quorum of voters holds it durably
//! under the current epoch; the election says who is the primary, and its fence keeps a deposed one out.
//!
//! ```text
//! elector ─▶ events ─▶ ┌───────────────┐ ─▶ orders ─▶ ┌──────────────┐ ─▶ replication (state machine)
//!                      │ host (thread) │ ◀─ notes  ◀─ │ log (thread) │ ─▶ store (one engine: log and state,
//! clients ─▶ writes ─▶ └───────────────┘              └──────────────┘           behind the fence)
//! (tokio)      └───── asked for, appended, answered ────▲    ▲
//!                                         peers (tokio) ◀────┘
//! ```
//!
//! The election lives on its own threads, clients and peers on a runtime each, as in most hosts. The host does what
//! the election's events ask for and never waits for a disk; the log's thread does.

pub mod cli;
pub mod client;
pub mod config;
pub mod event_log;
mod http;
pub mod line_writer;
pub mod logging;
pub mod node;
mod parent;
mod remote;
pub mod replication;
mod report;
mod service_manager;
pub mod store;
