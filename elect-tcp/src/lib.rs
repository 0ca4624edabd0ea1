#![doc = include_str!("../README.md")]

mod announcer;
mod assembly;
mod begin;
mod cells;
mod clock;
mod closers;
mod config;
mod counters;
mod desk;
#[cfg(feature = "dev-certs")]
mod dev_certs;
mod dialer;
mod direct;
mod echoes;
mod effects;
mod event;
#[cfg(feature = "faults")]
mod faults;
mod frames;
mod groups;
mod handle;
mod handshake;
mod hearing;
mod inbound;
mod introduction;
mod judgement;
mod leader_cell;
mod link;
mod links;
#[cfg(unix)]
mod local;
#[cfg_attr(not(feature = "metrics"), path = "measures/off.rs")]
mod measures;
mod node;
mod node_status;
mod observed;
mod open_store;
mod orchestrator;
mod outbox;
mod own_address;
mod refusals;
mod role;
mod roster;
mod saver;
mod shutdown_guard;
mod signal;
mod start_error;
mod stream;
mod supervisor;
mod tcp;
#[cfg(test)]
mod testing;
mod threads;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tracing")]
mod trace;
mod transport;
mod vote_file;
mod watch;

pub use clock::{now, random_seed};
pub use config::{ConfigError, NodeConfig, NodeConfigBuilder};
pub use counters::Counts;
#[cfg(feature = "dev-certs")]
pub use dev_certs::DevCerts;
#[doc(hidden)]
pub use elect_core::Address;
pub use event::{Ended, HostEvent, NodeNotice};
#[cfg(feature = "faults")]
pub use faults::{Fault, Faults, FaultyStream, FaultyTransport};
pub use groups::Groups;
pub use handle::{NodeGone, NodeHandle, RequestError, ShutdownError};
pub use handshake::HandshakeRefusal;
pub use link::{InboundFailure, Link, LinkEnd, RefusedDialler};
#[cfg(unix)]
pub use local::{LocalNetwork, LocalTransport};
#[cfg(feature = "metrics")]
pub use measures::metric_names;
pub use node::Node;
pub use node_status::{NodeExplanation, NodeStatus};
pub use observed::{DutySummary, Observed};
pub use open_store::OpenStore;
pub use role::Role;
pub use start_error::{StartError, StartGroupError};
pub use stream::{Events, Iter, NoEvent};
pub use supervisor::{Held, LifeEnd, Supervisor};
pub use tcp::TcpTransport;
#[cfg(feature = "tls")]
pub use tls::{KeyPin, PinsError, TlsConfig, TlsEnds, TlsStream, TlsTransport};
#[cfg(any(target_os = "linux", target_os = "android"))]
#[doc(hidden)]
pub use transport::send_without_blocking;
pub use transport::{Close, DialError, Stream, Tell, Transport, TransportNotice, TrySend, Unproven, Watch};
pub use vote_file::{VoteFile, VoteFileError, VoteSyncs};
pub use watch::{Changed, LeaderWatch};

/// For what unit tests share with the tests beside them.
#[cfg(all(test, feature = "tls"))]
extern crate self as elect_tcp;

/// The first screen of the repository compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct RepositoryReadme;
