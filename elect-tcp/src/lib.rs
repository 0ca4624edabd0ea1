#![doc = include_str!("../README.md")]

mod clock;
mod closers;
mod config;
mod counters;
mod dialer;
mod event;
mod frames;
mod handle;
mod handshake;
mod inbound;
mod introduction;
mod judgement;
mod leader_cell;
mod link;
mod links;
#[cfg(unix)]
mod local;
mod node;
mod node_status;
mod orchestrator;
mod outbox;
mod own_address;
mod refusals;
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
pub use event::{Ended, Events, HostEvent, NodeNotice};
pub use handle::{NodeGone, NodeHandle, RequestError, ShutdownError};
pub use handshake::HandshakeRefusal;
pub use link::{InboundFailure, Link, LinkEnd, RefusedDialler};
#[cfg(unix)]
pub use local::{LocalNetwork, LocalTransport};
pub use node::{Node, StartError};
pub use node_status::{NodeExplanation, NodeStatus};
pub use tcp::TcpTransport;
pub use transport::{Close, DialError, Stream, Transport, Watch};
pub use vote_file::{VoteFile, VoteFileError};

/// The first screen of the repository compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct RepositoryReadme;
