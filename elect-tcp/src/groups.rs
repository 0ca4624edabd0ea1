//! Several groups in one process: one listener, one stream to and from each peer, and a handful of threads for all of them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use elect_core::{Config, Floor, VoteStore};

use self::desk::Control;
use self::savers::GroupKey;
use self::start::{Process, start_process};
use crate::begin::begin;
use crate::config::{ConfigError, NodeConfig};
use crate::counters::Counts;
use crate::handle::{NodeHandle, SHUTDOWN_BOUND, ShutdownError};
use crate::handshake::MANY_GROUPS;
use crate::link::RefusedDialler;
use crate::open_store::OpenStore;
use crate::start_error::{StartError, StartGroupError};
use crate::stream::Events;
use crate::tcp::TcpTransport;
use crate::transport::Transport;

/// This process' nodes of any number of groups. Cheap to clone.
///
/// They share the listener, one stream to and one from each peer, and the threads: one that owns the electors, one that
/// listens, four at most that save, and three for each peer. Each group has its own members, vote store, fence, lease, events and
/// handle, and is let in or refused by itself. The groups end with [`shutdown`](Self::shutdown), or when the last clone of
/// this and the last handle of a group are dropped.
#[derive(Clone)]
pub struct Groups {
    shared: Arc<Process>,
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups")
            .field("node", &self.shared.config.node())
            .field("groups", &self.shared.numbers.all())
            .finish_non_exhaustive()
    }
}

impl Groups {
    /// Listens on TCP: with TLS if the configuration says so, and otherwise plain. The configuration is that of [`NodeConfig::builder_for_groups`].
    pub fn start(config: NodeConfig) -> Result<Self, StartError> {
        let failed = |source| StartError::Io { action: "listen", source };
        #[cfg(feature = "tls")]
        if config.tls.is_some() {
            let transport = crate::TlsTransport::bind(&config).map_err(failed)?;
            return Self::start_on(config, transport);
        }
        let transport = TcpTransport::bind(&config).map_err(failed)?;
        Self::start_on(config, transport)
    }

    /// The same on another transport.
    pub fn start_on<T: Transport>(config: NodeConfig, transport: T) -> Result<Self, StartError> {
        let process = start_process(config, transport);
        let process = process.map_err(|source| StartError::Io { action: "start a thread", source })?;
        Ok(Self { shared: Arc::new(process) })
    }

    /// Starts this process' node of one more group, while the others run. See [`Node::start_with`] for `store` and
    /// `floor`.
    ///
    /// Cluster and node are those of the process, the group's number ([`ConfigBuilder::group`]) is any but [`u32::MAX`] and
    /// has to be free, and every other member is one of the process' peers. The new incarnation is saved before this
    /// returns, on the caller's thread. [`NodeHandle::shutdown`] ends this group alone, and frees its number and its store.
    ///
    /// [`Node::start_with`]: crate::Node::start_with
    /// [`ConfigBuilder::group`]: elect_core::ConfigBuilder::group
    pub fn start_group<S: VoteStore + Send + 'static, F: Floor + Send + Sync + 'static>(
        &self,
        config: &Config,
        store: impl Into<OpenStore<S>>,
        floor: Arc<F>,
    ) -> Result<(NodeHandle, Events), StartGroupError> {
        self.check(config)?;
        let process = &self.shared;
        let number = config.group();
        let tenancy = process.numbers.take(number).ok_or(StartGroupError::Taken(number))?;
        let begun = begin(config, store.into(), &*floor)?;
        let serial = process.serial.fetch_add(1, Ordering::SeqCst);
        process.start_group(begun, floor, GroupKey { number, serial }, tenancy)
    }

    /// The numbers of the groups that run in this process, or whose last save is not over.
    pub fn numbers(&self) -> Vec<u32> {
        self.shared.numbers.all()
    }

    /// How many threads there are now, for all groups.
    pub fn threads(&self) -> usize {
        self.shared.line.threads.count()
    }

    /// What the threads of all groups have counted. What a group has a count of its own of, its handle says: saves, frames
    /// received, handshakes refused.
    pub fn counts(&self) -> Counts {
        self.shared.counters.read()
    }

    /// Who dialled this process and was not let in, or for a group that does not run here; the newest last, at most 64.
    /// Who was refused by a group, its handle says.
    pub fn refused_diallers(&self) -> Vec<RefusedDialler> {
        self.shared.refusals.all()
    }

    /// Hands over every group that this process leads, as [`NodeHandle::shutdown`] does, ends all groups, closes every
    /// stream, then the listener, and joins every thread. 10 s at most.
    pub fn shutdown(&self) -> Result<(), ShutdownError> {
        self.shutdown_within(SHUTDOWN_BOUND)
    }

    /// The same within another bound, of which the handovers get half.
    pub fn shutdown_within(&self, bound: Duration) -> Result<(), ShutdownError> {
        self.end(Control::Leave(bound / 2), bound)
    }

    /// The same without handovers.
    pub fn shutdown_at_once(&self, bound: Duration) -> Result<(), ShutdownError> {
        self.end(Control::End, bound)
    }

    fn end(&self, control: Control, bound: Duration) -> Result<(), ShutdownError> {
        let began = Instant::now();
        // Groups that have ended already have only their threads to be joined.
        let _ = self.shared.line.control.send(control);
        let left = bound.saturating_sub(began.elapsed());
        let joined = self.shared.line.threads.join_all(left);
        joined.map_err(|threads| ShutdownError { waited: bound, threads })
    }

    fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let process = &self.shared;
        let refused = |field, value: String, rule: String| Err(ConfigError { field, value, rule });
        if config.cluster() != process.config.cluster() {
            let rule = format!("must be that of the process, {}", process.config.cluster());
            return refused("cluster", config.cluster().to_string(), rule);
        }
        if config.node() != process.config.node() {
            let rule = format!("must be that of the process, {}", process.config.node());
            return refused("node", config.node().to_string(), rule);
        }
        if config.group() == MANY_GROUPS {
            return refused("group", config.group().to_string(), "must be less than that".into());
        }
        let mut others = config.members().iter().map(|member| member.id).filter(|id| *id != config.node());
        match others.find(|id| !process.peers.contains(id)) {
            Some(stranger) => {
                refused("members", stranger.to_string(), "must be one of the peers of the process".into())
            }
            None => Ok(()),
        }
    }
}

mod deadlines;
mod desk;
mod ending;
mod group;
mod savers;
mod start;
mod tenancy;
mod thread;
