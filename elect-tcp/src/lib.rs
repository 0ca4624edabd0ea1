//! Threads, sockets and a vote file around [`elect_core`].

mod clock;
mod config;
mod event;
mod handle;
mod node;
#[cfg(test)]
mod testing;
mod vote_file;

pub use clock::{now, random_seed};
pub use config::{ConfigError, NodeConfig, NodeConfigBuilder};
pub use event::{Ended, Events, HostEvent};
pub use handle::{NodeGone, NodeHandle, RequestError, ShutdownError};
pub use node::{Node, StartError};
pub use vote_file::{VoteFile, VoteFileError};
