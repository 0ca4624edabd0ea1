//! The lifecycle of a node: first boot, start, end.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use elect_core::{Fence, HandoverRequest, MemberKind, NoLog, Storage};
use elect_tcp::{Events, Node, NodeHandle, StartError, TlsEnds, VoteFile};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::banner::banner;
use super::bell::Bell;
use super::host::Host;
use super::input::{Ending, Input, Note};
use super::log_thread::LogThread;
use super::orders::Orders;
use super::peers::{Links, PROTOCOL, Peers, Places};
use super::replicated::ReplicatedState;
use super::serve_error::{ServeError, io_error};
use super::shared::Shared;
use super::writes::Writes;
use crate::client::{CLIENT_THREADS, Clients, Limits};
use crate::config::Settings;
use crate::event_log::{EventLog, Kind};
use crate::http::{self, Measures};
use crate::replication::{Replica, ReplicaConfig, ReplicaPeer};
use crate::store::{FencedLog, ReplicaLog, Store};

/// How long clients have to take their last replies.
const CLIENTS_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the election's threads have to end.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the log's thread has for what it is doing, and for a last sync.
const LOG_TIMEOUT: Duration = Duration::from_secs(3);
/// How long tasks have that wait for a disk.
const RUNTIME_TIMEOUT: Duration = Duration::from_millis(200);
/// Notes that wait for the host, which never waits for long.
const NOTES_MAX: usize = 1024;
/// Appends that may be under way to one follower.
const WINDOW: usize = 16;
/// About how many bytes one append carries.
const MESSAGE_BYTES: usize = 256 << 10;

/// A running node.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    clients: Arc<Clients>,
    notes: Sender<Note>,
    ending: oneshot::Receiver<Ending>,
    /// Closes when the log's thread has ended.
    log_ended: Receiver<()>,
    /// Clients.
    runtime: Runtime,
    /// Replication, which shares no thread with clients.
    peers: Option<Runtime>,
    /// What is shown over HTTP, which shares no thread with either.
    http: Option<Runtime>,
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
        let http = settings.file.listen_http.map(|address| listen("listen_http", address)).transpose()?;
        // Before the elector, which counts from its start on.
        let http = http.map(|listener| (listener, Measures::install()));
        let (limits, warning) = Limits::new(&settings.file);
        for warning in warning.as_deref().into_iter().chain(settings.file.acknowledge.warning()) {
            log.tell(Kind::Warning, None, None, warning);
        }
        let runtime = start_runtime("clients", CLIENT_THREADS)?;
        let _entered = runtime.enter();
        let started = Started::open(&settings)?;
        let store = started.replicated.as_ref().map(|replicated| replicated.store.clone());
        let (bell, rung) = Bell::new();
        let orders = Arc::new(Orders::new(bell.clone()));
        let writes = Writes::new(bell, settings.file.acknowledge);
        let shared = Shared::new(settings, started.handle, store, log.clone(), writes, limits);
        let (notes, notes_in) = bounded(NOTES_MAX);
        let (ending_log, log_ended) = bounded::<()>(0);
        let peers = match started.replicated {
            None => None,
            Some(replicated) => {
                // Bounded by what its senders may have under way.
                let (inbox, inputs) = crossbeam_channel::unbounded();
                let runtime = start_peers(&shared, inbox)?;
                let thread = LogThread {
                    shared: shared.clone(),
                    replicated,
                    orders: orders.clone(),
                    inbox: inputs,
                    rung,
                    notes: notes.clone(),
                    links: HashMap::new(),
                    reported: None,
                    told: None,
                };
                let (name, panicked) = ("log", notes.clone());
                start_thread(name, move || {
                    let _ending = ending_log;
                    run_or_tell(name, || thread.run(), &panicked);
                })?;
                Some(runtime)
            }
        };
        let clients = Clients::start(shared.clone(), clients).map_err(io_error("listen_client"))?;
        let own = shared.settings.node();
        log.tell(
            Kind::Started,
            None,
            None,
            &format!("{own} runs; clients connect to {}", shared.settings.advertise_client),
        );
        let start_http = |(listener, measures)| {
            let runtime = start_runtime("http", 1)?;
            runtime.spawn(http::serve(listener, shared.clone(), measures));
            Ok::<_, ServeError>(runtime)
        };
        let http = http.map(start_http).transpose()?;
        let (ended, ending) = oneshot::channel();
        let host = Host::new(shared.clone(), started.events, notes_in, log, orders);
        start_thread("host", move || {
            // Nobody waits any more when the server is being dropped.
            let _ = ended.send(host.run());
        })?;
        Ok(Self { shared, clients, notes, ending, log_ended, runtime, peers, http })
    }

    /// The node's election: status, explanation, handover.
    pub fn handle(&self) -> &NodeHandle {
        &self.shared.handle
    }

    /// Its event log.
    pub fn events(&self) -> Arc<EventLog> {
        self.shared.log.clone()
    }

    /// Where to connect and how, for the operator who started the node.
    pub fn banner(&self) -> String {
        banner(&self.shared)
    }

    /// Runs until `stop` resolves or the node fails, then ends in good order: hands over, answers what was
    /// asked, flushes, frees the ports. Each of these has a bound, so that a disk that hangs does not keep the process:
    /// `handover_timeout_ms` and 2 s, 2 s for clients, 2 s for the resignation, 3 s for the log, 3 s for the election.
    pub fn run_until(mut self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        // A runtime of its own: clients' threads may all be waiting for the disk.
        let control = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let control = control.map_err(io_error("cannot start the runtime"))?;
        let failed = control.block_on(async {
            tokio::select! {
                () = stop => None,
                ending = &mut self.ending => Some(ending),
            }
        });
        let ended = match failed {
            None => self.stop(&control),
            Some(Ok(Ending::Failed(error))) => {
                // A last frame says that this node has stopped.
                let _ = self.shared.handle.shutdown_at_once(ELECTION_TIMEOUT);
                Err(ServeError::Failed(error))
            }
            Some(Ok(Ending::Stopped)) => Err(ServeError::Failed("the election ended".into())),
            Some(Err(_)) => Err(ServeError::Failed("the host's thread panicked".into())),
        };
        // Not dropped: that would wait for whoever waits for a disk.
        self.runtime.shutdown_timeout(RUNTIME_TIMEOUT);
        for runtime in [self.peers, self.http].into_iter().flatten() {
            runtime.shutdown_timeout(RUNTIME_TIMEOUT);
        }
        ended
    }

    fn stop(&mut self, control: &Runtime) -> Result<(), ServeError> {
        self.shared.manager.stopping();
        let ending = &mut self.ending;
        let ended = control.block_on(async {
            hand_over(&self.shared).await;
            self.clients.close(CLIENTS_TIMEOUT).await;
            resign(&self.shared).await;
            // Fails only if the host has ended already.
            let _ = self.notes.try_send(Note::Stop);
            timeout(CLIENTS_TIMEOUT, ending).await
        });
        let log_ended = self.log_ended.recv_timeout(LOG_TIMEOUT);
        self.shared.handle.shutdown_at_once(ELECTION_TIMEOUT)?;
        match ended {
            Ok(Ok(Ending::Stopped)) => {}
            Ok(Ok(Ending::Failed(error))) => return Err(ServeError::Failed(error)),
            Ok(Err(_)) => return Err(ServeError::Failed("the host's thread panicked".into())),
            Err(_) => return Err(ServeError::Failed("the host's thread does not end".into())),
        }
        if log_ended == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            let text = "the storage does not answer: this process ends without the last sync, which nobody was promised";
            return Err(ServeError::Failed(text.into()));
        }
        self.shared.log.tell(
            Kind::Stopped,
            None,
            None,
            &format!("{} ends in good order", self.shared.settings.node()),
        );
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

fn start_runtime(name: &str, threads: usize) -> Result<Runtime, ServeError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
        .map_err(io_error("cannot start the runtime"))
}

fn start_thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), ServeError> {
    let what = format!("cannot start the thread `{name}`");
    std::thread::Builder::new().name(name.into()).spawn(run).map(drop).map_err(io_error(what))
}

/// A thread that panics takes the node with it.
fn run_or_tell(name: &str, run: impl FnOnce(), notes: &Sender<Note>) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err() {
        let _ = notes.send(Note::Failed(format!("the thread `{name}` panicked")));
    }
}

/// Replication's connections, on a runtime of their own.
fn start_peers(shared: &Shared, inbox: Sender<Input>) -> Result<Runtime, ServeError> {
    let settings = &shared.settings;
    let address = |peer: &crate::config::Peer| peer.replication.clone().map(|address| (peer.id, address));
    let addresses: Vec<_> = settings.peers.iter().filter_map(address).collect();
    let peers = Peers {
        node: settings.node(),
        members: settings.elect.digest(),
        places: Places::of(addresses.iter().map(|(peer, _)| *peer)),
        addresses: Arc::new(addresses),
        inbox,
        sessions: Arc::new(AtomicU64::new(1)),
        detection: settings.elect.detection().ceiling(),
        news: shared.links_up.clone(),
        problems: shared.problems.clone(),
        log: shared.log.clone(),
        links: links(settings)?,
    };
    // The file of a node that holds data names one: it was checked.
    let missing = || io_error("listen_replication")(io::ErrorKind::InvalidInput.into());
    let listener = listen("listen_replication", settings.file.listen_replication.ok_or_else(missing)?)?;
    let runtime = start_runtime("peers", 1)?;
    let entered = runtime.enter();
    peers.start(listener).map_err(io_error("listen_replication"))?;
    drop(entered);
    Ok(runtime)
}

/// TLS with the certificate of the election's links, if there is one.
fn links(settings: &Settings) -> Result<Links, ServeError> {
    if settings.tls.is_none() {
        return Ok(Links::Plain);
    }
    let ends = TlsEnds::open(&settings.node_config()?, PROTOCOL).map_err(io_error("tls_cert"))?;
    Ok(Links::Tls(Arc::new(ends)))
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
        let vote = VoteFile::open(settings.vote_file(), &settings.elect)?;
        // Whether this storage counts decides how it follows.
        let storage = vote.record().storage;
        let address = settings.file.listen_election;
        let unbound = |error| match error {
            StartError::Io { action: "listen", source } => {
                io_error(format!("listen_election = {address}"))(source)
            }
            error => error.into(),
        };
        if settings.elect.kind() == MemberKind::Witness {
            let (handle, events) = Node::start_with_store(config, vote, Arc::new(NoLog)).map_err(unbound)?;
            return Ok(Self { handle, events, replicated: None });
        }
        let store = Arc::new(Store::open(&settings.store_dir())?);
        let fence = Arc::new(Fence::new(ReplicaLog::new(store.clone())?));
        let journal = FencedLog::new(fence.clone(), store.clone());
        let replica = Replica::new(replica_config(settings, storage), store.history()?, store.applied());
        let (handle, events) = Node::start_with_store(config, vote, fence).map_err(unbound)?;
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
