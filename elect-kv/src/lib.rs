//! A small, honest, replicated key-value server that shows how to embed the elect library.

pub mod cli;
pub mod config;
pub mod demo;
pub mod replication;
pub mod store;
