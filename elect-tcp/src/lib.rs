#![doc = include_str!("../README.md")]

mod clock;
mod closers;
mod config;
mod counters;
mod dialer;
mod event;
#[cfg(feature = "faults")]
mod faults;
mod frames;
mod handle;
mod handshake;
mod inbound;
mod leader_cell;
#[cfg(unix)]
mod local;
mod node;
mod open_store;
mod orchestrator;
mod outbox;
mod own_address;
mod saver;
mod tcp;
#[cfg(test)]
mod testing;
mod threads;
mod transport;
mod vote_file;

pub use clock::{now, random_seed};
pub use config::{ConfigError, NodeConfig, NodeConfigBuilder};
pub use counters::Counts;
pub use event::{Ended, Events, HostEvent, Link, NodeNotice};
#[cfg(feature = "faults")]
pub use faults::{Fault, Faults, FaultyStream, FaultyTransport};
pub use handle::{NodeGone, NodeHandle, RequestError, ShutdownError};
pub use handshake::HandshakeRefusal;
#[cfg(unix)]
pub use local::{LocalNetwork, LocalTransport};
pub use node::{Node, StartError};
pub use open_store::OpenStore;
pub use tcp::TcpTransport;
pub use transport::{Close, DialError, Stream, Transport, Watch};
pub use vote_file::{VoteFile, VoteFileError, VoteSyncs};

/// The first screen of the repository compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct RepositoryReadme;
