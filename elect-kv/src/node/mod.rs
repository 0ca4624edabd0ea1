//! One node: the elector's threads, the host's thread, the log's thread, and tokio for peers and clients.

mod absence;
mod banner;
mod bell;
mod events;
mod first_boot;
pub(crate) mod fitness;
mod host;
pub(crate) mod input;
mod log_thread;
mod orders;
mod peers;
mod problems;
mod promotion;
mod pulse;
mod redial;
mod replicated;
mod serve;
mod serve_error;
pub(crate) mod shared;
mod watch;
pub(crate) mod writes;

pub use first_boot::{adopt, init, replace_lost};
pub use serve::Server;
pub use serve_error::ServeError;
