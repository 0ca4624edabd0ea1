//! The lifecycle of a node: first boot, start, end.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Receiver;
use elect_core::{Fence, HandoverRequest, MemberKind, NoLog, Storage};
use elect_tcp::{Events, Node, NodeHandle, StartError, TcpTransport, VoteFile, VoteFileError};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::host::Host;
use super::input::{Ending, Input};
use super::peers::Peers;
use super::replicated::ReplicatedState;
use super::shared::Shared;
use crate::client::Clients;
use crate::config::Settings;
use crate::event_log::{EventLog, Kind};
use crate::replication::{Replica, ReplicaConfig, ReplicaPeer};
use crate::store::{FencedLog, ReplicaLog, Store, StoreError};

/// How long clients have to take their last replies.
const CLIENTS_TIMEOUT: Duration = Duration::from_secs(2);
/// Appends that may be under way to one follower.
const WINDOW: usize = 16;
/// About how many bytes one append carries.
const MESSAGE_BYTES: usize = 256 << 10;

/// Why a node does not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The vote file.
    #[error(transparent)]
    VoteFile(#[from] VoteFileError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The elector's configuration.
    #[error(transparent)]
    Config(#[from] elect_tcp::ConfigError),
    /// The elector.
    #[error(transparent)]
    Start(#[from] StartError),
    /// `init` found a node that is ready.
    #[error(
        "{} exists already: this node was initialised, so start it with `elect-kv serve`", path.display()
    )]
    IsReady {
        /// Its vote file.
        path: PathBuf,
    },
    /// `init` found what only a node leaves that has run.
    #[error(
        "{} is {what}: this node has run before, and its vote file is gone. Put the file back, or say with \
         `elect-kv replace-lost` that it is lost: with `init` the votes that it gave would be forgotten", path.display()
    )]
    HasRun {
        /// Where.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A file or a socket.
    #[error("{what}: {error}")]
    Io {
        /// Which.
        what: String,
        /// Why.
        error: io::Error,
    },
    /// It failed while it ran.
    #[error("{0}")]
    Failed(String),
    /// Threads are still busy.
    #[error(transparent)]
    Shutdown(#[from] elect_tcp::ShutdownError),
}

pub(super) fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> ServeError {
    let what = what.into();
    |error| ServeError::Io { what, error }
}

/// A running node.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    clients: Arc<Clients>,
    host: JoinHandle<()>,
    ending: oneshot::Receiver<Ending>,
    log: Arc<EventLog>,
    runtime: Runtime,
}

impl Server {
    /// Starts a node; `events` receives one JSON object per line.
    pub fn start(settings: Settings, events: Option<&Path>) -> Result<Self, ServeError> {
        let open = |path: Option<&Path>| EventLog::open(settings.node(), path);
        let log = open(events)
            .map_err(io_error(events.map_or(String::new(), |path| path.display().to_string())))?;
        let log = Arc::new(log);
        // Sockets first: a node that cannot listen has not begun an incarnation.
        let clients = listen("listen_client", settings.file.listen_client)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(io_error("cannot start the runtime"))?;
        let _entered = runtime.enter();
        let (inbox, inputs) = crossbeam_channel::unbounded();
        let started = Started::open(&settings)?;
        let store = started.replicated.as_ref().map(|replicated| replicated.store.clone());
        let shared = Shared::new(settings, started.handle, store, inbox.clone());
        let settings = &shared.settings;
        if let (true, Some(listen_replication)) =
            (started.replicated.is_some(), settings.file.listen_replication)
        {
            let address =
                |peer: &crate::config::Peer| peer.replication.clone().map(|address| (peer.id, address));
            let peers = Peers {
                node: settings.node(),
                members: settings.elect.digest(),
                addresses: Arc::new(settings.peers.iter().filter_map(address).collect()),
                inbox,
                sessions: Arc::new(AtomicU64::new(1)),
                detection: settings.elect.detection().ceiling(),
                news: shared.links_up.clone(),
                problems: shared.problems.clone(),
                log: log.clone(),
            };
            let listener = listen("listen_replication", listen_replication)?;
            peers.start(listener).map_err(io_error("listen_replication"))?;
        }
        let clients = Clients::start(shared.clone(), clients).map_err(io_error("listen_client"))?;
        let own = shared.settings.node();
        log.tell(
            Kind::Started,
            None,
            None,
            &format!("{own} runs; clients connect to {}", shared.settings.advertise_client),
        );
        let bound = shared.settings.elect.detection().ceiling();
        runtime.spawn(super::stall::watch(shared.stall.clone(), shared.handle.clone(), bound));
        let (ended, ending) = oneshot::channel();
        let host =
            start_host(shared.clone(), started.events, inputs, log.clone(), started.replicated, ended)?;
        Ok(Self { shared, clients, host, ending, log, runtime })
    }

    /// The node's election: status, explanation, handover.
    pub fn handle(&self) -> &NodeHandle {
        &self.shared.handle
    }

    /// Where to connect and how, for the operator who started the node.
    pub fn banner(&self) -> String {
        let settings = &self.shared.settings;
        let (host, port) =
            settings.advertise_client.rsplit_once(':').unwrap_or((&settings.advertise_client, ""));
        format!(
            "elect-kv {version}: node {node} of cluster {cluster}\n  clients      {client}   redis-cli -h {host} -p {port}\n  \
             election     {election}\n  replication  {replication}\n  data         {data}\n  \
             why is there (no) primary?  redis-cli -h {host} -p {port} ELECT EXPLAIN",
            version = env!("CARGO_PKG_VERSION"),
            node = settings.node(),
            cluster = settings.elect.cluster(),
            client = settings.advertise_client,
            election = settings.file.listen_election,
            replication = match settings.file.listen_replication {
                Some(address) if self.shared.store.is_some() => address.to_string(),
                _ => "none: a witness holds no log".into(),
            },
            data = settings.data_dir.display(),
        )
    }

    /// Runs until `stop` resolves or the node fails, then ends in good order: hands over, answers what was
    /// asked, flushes, frees the ports.
    pub fn run_until(mut self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let failed = self.runtime.block_on(async {
            tokio::select! {
                () = stop => None,
                ending = &mut self.ending => Some(ending),
            }
        });
        match failed {
            None => self.stop(),
            Some(Ok(Ending::Failed(error))) => {
                // A last frame says that this node has stopped.
                let _ = self.shared.handle.shutdown();
                Err(ServeError::Failed(error))
            }
            Some(Ok(Ending::Stopped)) => Err(ServeError::Failed("the election ended".into())),
            Some(Err(_)) => Err(ServeError::Failed("the host's thread panicked".into())),
        }
    }

    fn stop(self) -> Result<(), ServeError> {
        self.runtime.block_on(async {
            hand_over(&self.shared).await;
            self.clients.close(CLIENTS_TIMEOUT).await;
            resign(&self.shared).await;
        });
        // Fails only if the host has ended already.
        let _ = self.shared.inbox.send(Input::Stop);
        let joined = self.host.join();
        self.shared.handle.shutdown()?;
        if let Some(store) = &self.shared.store {
            store.sync()?;
        }
        joined.map_err(|_| ServeError::Failed("the host's thread panicked".into()))?;
        self.log.tell(
            Kind::Stopped,
            None,
            None,
            &format!("{} ends in good order", self.shared.settings.node()),
        );
        self.runtime.shutdown_timeout(Duration::from_secs(1));
        Ok(())
    }
}

/// Hands over if this node leads, and waits until it no longer does, or the handover comes to nothing.
async fn hand_over(shared: &Shared) {
    let mut leads = shared.leads.subscribe();
    let mut aborted = shared.handovers_aborted.subscribe();
    // Forced: this node ends in any case, and what it knows of its successor's log may be a heartbeat old.
    let to_the_best = HandoverRequest { force: true, ..HandoverRequest::default() };
    if !*leads.borrow_and_update() || shared.handle.handover(to_the_best).is_err() {
        return;
    }
    let bound =
        Duration::from_millis(shared.settings.file.handover_timeout_ms.unwrap_or(5_000)) + CLIENTS_TIMEOUT;
    let over = async {
        tokio::select! {
            _ = leads.wait_for(|leads| !leads) => {}
            _ = aborted.changed() => {}
        }
    };
    let _ = timeout(bound, over).await;
}

/// Nobody could take over: leadership ends here all the same, before the log does.
async fn resign(shared: &Shared) {
    let mut leads = shared.leads.subscribe();
    if shared.handle.resign().is_ok() {
        let _ = timeout(CLIENTS_TIMEOUT, leads.wait_for(|leads| !leads)).await;
    }
}

fn listen(key: &str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).map_err(io_error(format!("{key} = {address}")))
}

fn start_host(
    shared: Arc<Shared>,
    events: Events,
    inputs: Receiver<Input>,
    log: Arc<EventLog>,
    replicated: Option<ReplicatedState>,
    ended: oneshot::Sender<Ending>,
) -> Result<JoinHandle<()>, ServeError> {
    let host = Host::new(shared, events, inputs, log, replicated);
    let run = move || {
        // Nobody waits any more when the server is being dropped.
        let _ = ended.send(host.run());
    };
    std::thread::Builder::new()
        .name("host".into())
        .spawn(run)
        .map_err(io_error("cannot start the host's thread"))
}

/// The elector and, unless this is a witness, the log behind its fence.
struct Started {
    handle: NodeHandle,
    events: Events,
    replicated: Option<ReplicatedState>,
}

impl Started {
    fn open(settings: &Settings) -> Result<Self, ServeError> {
        let config = settings.node_config()?;
        let transport = TcpTransport::bind(&config)
            .map_err(io_error(format!("listen_election = {}", settings.file.listen_election)))?;
        let vote = VoteFile::open(settings.vote_file(), &settings.elect)?;
        // Whether this storage counts decides how it follows.
        let storage = vote.record().storage;
        if settings.elect.kind() == MemberKind::Witness {
            let (handle, events) = Node::start_with(config, vote, Arc::new(NoLog), transport)?;
            return Ok(Self { handle, events, replicated: None });
        }
        let store = Arc::new(Store::open(&settings.store_dir())?);
        let fence = Arc::new(Fence::new(ReplicaLog::new(store.clone())?));
        let journal = FencedLog::new(fence.clone(), store.clone());
        let replica = Replica::new(replica_config(settings, storage), store.history()?, store.applied());
        let (handle, events) = Node::start_with(config, vote, fence, transport)?;
        Ok(Self { handle, events, replicated: Some(ReplicatedState { replica, journal, store }) })
    }
}

fn replica_config(settings: &Settings, storage: Storage) -> ReplicaConfig {
    let holds_data = settings.peers.iter().filter(|peer| peer.kind != MemberKind::Witness);
    ReplicaConfig {
        node: settings.node(),
        peers: holds_data
            .map(|peer| ReplicaPeer { id: peer.id, counts: peer.kind == MemberKind::Voter })
            .collect(),
        write_quorum: settings.elect.members().quorum(),
        counts: settings.elect.kind() == MemberKind::Voter,
        intact: storage == Storage::Intact,
        window: WINDOW,
        message_bytes: MESSAGE_BYTES,
    }
}
