//! One node: the elector's threads, the host's thread, and tokio for peers and clients.

mod events;
mod first_boot;
mod host;
pub(crate) mod input;
mod peers;
mod problems;
mod promotion;
mod redial;
mod replicated;
mod serve;
pub(crate) mod shared;
mod stall;
mod writes;

pub use first_boot::{adopt, init, replace_lost};
pub use serve::{ServeError, Server};
