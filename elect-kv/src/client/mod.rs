//! The clients' side: RESP over TCP.

mod commands;
mod connection;
mod info;
mod reply;
mod request;
mod write;

pub(crate) use connection::Clients;
pub use reply::{Reply, Version};
pub use request::{Malformed, REQUEST_BYTES_MAX, WORDS_MAX, take_request};
