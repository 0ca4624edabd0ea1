//! The clients' side: RESP over TCP.

mod access;
mod address;
mod cluster;
mod commands;
mod connection;
mod info;
mod limits;
mod long_read;
mod operator;
mod outgoing;
mod pattern;
mod port;
mod read;
mod refusal;
mod reply;
mod request;
mod short_reads;
mod table;
mod transaction;
mod wait;
mod words;
mod write;

pub(crate) use limits::Limits;
pub(crate) use port::Clients;
pub use reply::{Reply, Version};
pub use request::{Malformed, REQUEST_BYTES_MAX, WORDS_MAX, take_request};
pub(crate) use short_reads::CLIENT_THREADS;
