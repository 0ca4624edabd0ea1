//! One node: the elector's threads, the host's thread, and tokio for peers and clients.

mod events;
pub(crate) mod host;
mod peers;
mod serve;
pub(crate) mod shared;
mod stall;

pub use serve::{ServeError, Server, init, replace_lost};
