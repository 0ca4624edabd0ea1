//! The clients' side: RESP over TCP.

mod commands;
mod connection;
mod info;
mod limits;
mod long_read;
mod reply;
mod request;
mod write;

pub(crate) use connection::Clients;
pub(crate) use limits::Limits;
pub use reply::{Reply, Version};
pub use request::{Malformed, REQUEST_BYTES_MAX, WORDS_MAX, take_request};
