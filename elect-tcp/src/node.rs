//! Starting a node.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use elect_core::{
    Birth, Driver, Duty, Elector, Floor, Frame, Gate, Incarnation, NodeId, Notice, StartRefused, SteppedDown,
    Storage, StorageFailed, VoteStore,
};

use crate::announcer::{self, Announcer};
use crate::cells::Cells;
use crate::clock;
use crate::closers::Closers;
use crate::config::NodeConfig;
use crate::counters::Counters;
use crate::dialer::{Dialer, Timeouts};
use crate::event::{HostEvent, NodeNotice};
use crate::handle::{NodeHandle, SHUTDOWN_BOUND, Shared};
use crate::inbound::{self, Inbound, InboundConnections, Slots};
use crate::introduction::Introduction;
use crate::links::Links;
use crate::measures::Measures;
use crate::open_store::OpenStore;
use crate::orchestrator::{Effects, Input, Inputs, Orchestrator, Seat};
use crate::outbox::{Outbox, Outgoing, outbox};
use crate::own_address::OwnAddress;
use crate::refusals::Refusals;
use crate::saver::Saver;
use crate::shutdown_guard::ShutdownGuard;
use crate::stream::Events;
use crate::tcp::TcpTransport;
use crate::threads::Threads;
use crate::transport::Transport;
use crate::vote_file::{VoteFile, VoteFileError, VoteFileName};

/// At most this many inputs wait for the orchestrator; beyond that their readers block.
const INBOX_MAX: usize = 256;
/// At most this many commands wait for the orchestrator; beyond that their callers block.
const COMMANDS_MAX: usize = 64;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The vote file is missing, damaged, in use or another node's.
    #[error(transparent)]
    VoteFile(#[from] VoteFileError),
    /// The configuration names no vote file, and no store was given.
    #[error("the configuration names no vote file: start this node with its store (`Node::start_with`)")]
    NoVoteFile,
    /// The elector refused the record.
    #[error(transparent)]
    Refused(#[from] StartRefused),
    /// The new incarnation could not be saved.
    #[error(transparent)]
    Storage(#[from] StorageFailed),
    /// The port could not be bound, or a thread not be started.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A node of a group: starts its threads.
#[derive(Debug)]
pub struct Node(());

impl Node {
    /// Starts a node on TCP: with TLS if the configuration says so, and otherwise plain.
    ///
    /// Saves the new incarnation before it returns, and raises `floor` with it; everything later happens on the node's
    /// own threads.
    pub fn start<F: Floor + Send + Sync + 'static>(
        config: NodeConfig,
        floor: Arc<F>,
    ) -> Result<(NodeHandle, Events), StartError> {
        Self::start_bound(config, floor, open_vote_file)
    }

    /// The same with a vote store that is open already, the host's own or a [`VoteFile`].
    pub fn start_with_store<S: VoteStore + Send + 'static, F: Floor + Send + Sync + 'static>(
        config: NodeConfig,
        store: impl Into<OpenStore<S>>,
        floor: Arc<F>,
    ) -> Result<(NodeHandle, Events), StartError> {
        Self::start_bound(config, floor, |_| Ok(store.into()))
    }

    /// Bound first: a node that cannot listen has not begun an incarnation.
    fn start_bound<S: VoteStore + Send + 'static, F: Floor + Send + Sync + 'static>(
        config: NodeConfig,
        floor: Arc<F>,
        open: impl FnOnce(&NodeConfig) -> Result<OpenStore<S>, StartError>,
    ) -> Result<(NodeHandle, Events), StartError> {
        let failed = |source| StartError::Io { action: "listen", source };
        #[cfg(feature = "tls")]
        if config.tls.is_some() {
            let transport = crate::TlsTransport::bind(&config).map_err(failed)?;
            let store = open(&config)?;
            return Self::start_with(config, store, floor, transport);
        }
        let transport = TcpTransport::bind(&config).map_err(failed)?;
        let store = open(&config)?;
        Self::start_with(config, store, floor, transport)
    }

    /// Starts a node on another transport. Its own listening address and peers are the transport's affair.
    pub fn start_on<F: Floor + Send + Sync + 'static, T: Transport>(
        config: NodeConfig,
        floor: Arc<F>,
        transport: T,
    ) -> Result<(NodeHandle, Events), StartError> {
        let store = open_vote_file(&config)?;
        Self::start_with(config, store, floor, transport)
    }

    /// Starts a node with a vote store that is open already, the host's own or a [`VoteFile`], on any transport
    /// ([`TcpTransport::bind`] makes the usual one).
    pub fn start_with<S: VoteStore + Send + 'static, F: Floor + Send + Sync + 'static, T: Transport>(
        config: NodeConfig,
        store: impl Into<OpenStore<S>>,
        floor: Arc<F>,
        transport: T,
    ) -> Result<(NodeHandle, Events), StartError> {
        let OpenStore { mut store, record, name, found } = store.into();
        let peers = config.elect.members().iter().map(|member| member.id);
        let measures = Measures::new(config.elect.cluster(), config.elect.node(), peers);
        let counters = Arc::new(Counters::new(measures));
        let (mut announcer, events) = announcer::stream(config.elect.node(), Arc::clone(&counters));
        for notice in found {
            announcer.tell(HostEvent::Happened(notice));
        }
        // R59: before an incarnation begins.
        record.check_log(floor.last_durable())?;
        let mut elector = Elector::new(config.elect.clone(), record, clock::now())?;
        let mut bootstrap = Bootstrap { announcer, told: Vec::new(), sent: Vec::new(), gate: None };
        elector.tick(clock::now()).resolve(&mut bootstrap);
        let mut incarnation = record.incarnation;
        // The new incarnation. What follows from it is saved by the saver, as everything later.
        if let Some(gate) = bootstrap.gate.take() {
            incarnation = gate.record().map_or(incarnation, |record| record.incarnation);
            let began = Instant::now();
            let gated = gate.commit(&mut store, &floor)?;
            counters.measures.on_save(began.elapsed(), false);
            elector.on_gated(Ok(gated), clock::now()).resolve(&mut bootstrap);
        }
        let birth = elector.birth().filter(|_| record.storage == Storage::Intact);
        let life = (incarnation, birth);
        let assembly = Assembly::new(config, transport, life, name, counters);
        let handle = assembly.start(elector, bootstrap, store, floor)?;
        Ok((handle, events))
    }
}

fn open_vote_file(config: &NodeConfig) -> Result<OpenStore<VoteFile>, StartError> {
    let path = config.vote_file().ok_or(StartError::NoVoteFile)?;
    Ok(VoteFile::open(path, &config.elect)?.with_syncs(config.vote_syncs).into())
}

/// Carries out the steps of the first save, before there are threads.
struct Bootstrap {
    announcer: Announcer,
    /// For the host, and for the cells that its threads read.
    told: Vec<HostEvent>,
    sent: Vec<(NodeId, Frame)>,
    gate: Option<Gate>,
}

impl Driver for Bootstrap {
    fn lost(&mut self, loss: SteppedDown) {
        self.told.push(HostEvent::Lost(loss));
    }

    fn send(&mut self, to: NodeId, frame: &Frame) {
        self.sent.push((to, frame.clone()));
    }

    fn save(&mut self, gate: Gate) {
        self.gate = Some(gate);
    }

    fn act(&mut self, duty: Duty) {
        self.told.push(HostEvent::Act(duty));
    }

    fn happened(&mut self, notice: Notice) {
        self.told.push(HostEvent::Happened(NodeNotice::Elector(notice)));
    }
}

/// The orchestrator's, and the listener's, ends of what leads to the threads that dial.
#[derive(Default)]
struct Dialers {
    outboxes: BTreeMap<NodeId, Outbox>,
    wake_dialer: HashMap<NodeId, Sender<()>>,
    doubts: BTreeMap<NodeId, Sender<()>>,
}

/// What the threads of one node share, while they are being started.
struct Assembly<T> {
    config: NodeConfig,
    own_address: OwnAddress,
    introduction: Introduction,
    refusals: Refusals,
    transport: Arc<T>,
    threads: Threads,
    closers: Closers,
    counters: Arc<Counters>,
    inbox: (Sender<Input>, Receiver<Input>),
    stop: Receiver<()>,
    flushing: Sender<()>,
    shutdown_guard: ShutdownGuard,
    vote_file: Option<VoteFileName>,
}

impl<T: Transport> Assembly<T> {
    fn new(
        config: NodeConfig,
        transport: T,
        life: (Incarnation, Option<Birth>),
        vote_file: Option<VoteFileName>,
        counters: Arc<Counters>,
    ) -> Self {
        let transport = Arc::new(transport);
        let inbox = bounded(INBOX_MAX);
        let telling = inbox.0.clone();
        transport.tell(Box::new(move |notice| drop(telling.send(Input::Transport(notice)))));
        let (stopper, stop) = bounded(0);
        let (flushing, flushed) = bounded(0);
        let closers = Closers::default();
        let closing = Arc::clone(&transport);
        let shutdown_guard = ShutdownGuard {
            stop: Some(stopper),
            flushed,
            closers: closers.clone(),
            close_transport: Box::new(move || closing.close()),
            ended: Arc::new(AtomicBool::new(false)),
        };
        let own_address = OwnAddress::new(config.elect.address().clone());
        let listen = transport.own_address();
        let introduction = Introduction::new(&config.elect, own_address.clone(), listen, life.0, life.1);
        Self {
            own_address,
            introduction,
            refusals: Refusals::default(),
            config,
            transport,
            threads: Threads::default(),
            closers,
            counters,
            inbox,
            stop,
            flushing,
            shutdown_guard,
            vote_file,
        }
    }

    /// Starts every thread. If one cannot be started, the drop of the shutdown guard ends the others.
    fn start<S: VoteStore + Send + 'static, F: Floor + Send + Sync + 'static>(
        self,
        elector: Elector,
        bootstrap: Bootstrap,
        store: S,
        floor: Arc<F>,
    ) -> Result<NodeHandle, StartError> {
        let threads = self.threads.clone();
        self.start_threads(elector, bootstrap, store, floor).map_err(|source| {
            // The vote file and the port are free when this returns.
            let _ = threads.join_all(SHUTDOWN_BOUND);
            StartError::Io { action: "start a thread", source }
        })
    }

    fn start_threads<S: VoteStore + Send + 'static, F: Floor + Send + Sync + 'static>(
        self,
        elector: Elector,
        bootstrap: Bootstrap,
        store: S,
        floor: Arc<F>,
    ) -> io::Result<NodeHandle> {
        let (gates, gates_in) = bounded(1);
        let (results, committed) = bounded(1);
        let saver =
            Saver { store, floor, gates: gates_in, saved: results, counters: Arc::clone(&self.counters) };
        self.threads.spawn("elect-save", self.panicked(), move || saver.run())?;

        let Dialers { outboxes, wake_dialer, doubts } = self.start_dialers()?;
        self.start_listener(wake_dialer)?;

        let (commands_out, commands) = bounded(COMMANDS_MAX);
        let (answering, gone) = bounded(0);
        let positions = bounded(1);
        let ended = Arc::clone(&self.shutdown_guard.ended);
        let cells = Cells::new(elector.authority(), elector.config().node(), self.own_address.clone(), ended);
        let shared = Shared {
            cells: cells.clone(),
            commands: commands_out,
            gone,
            positions: positions.clone(),
            threads: self.threads.clone(),
            counters: Arc::clone(&self.counters),
            vote_file: self.vote_file,
        };
        let mut effects = Effects {
            links: Links::new(outboxes.keys().copied(), clock::now()),
            refusals: self.refusals,
            outboxes,
            gates,
            announcer: bootstrap.announcer,
            cells,
            now: clock::now(),
        };
        for event in bootstrap.told {
            effects.tell(event);
        }
        for (to, frame) in bootstrap.sent {
            effects.send(to, &frame);
        }
        if let Some(gate) = bootstrap.gate {
            effects.save(gate);
        }
        let (inbox_out, inbox) = self.inbox;
        let inputs = Inputs {
            inbox,
            _inbox_open: inbox_out,
            commands,
            _answering: answering,
            positions: positions.1,
            saved: committed,
        };
        let seat =
            Seat { elector, effects, counters: self.counters, introduction: self.introduction };
        let orchestrator = Orchestrator { seat, inputs, doubts, shutdown_guard: self.shutdown_guard };
        // It catches its own panics.
        self.threads.spawn("elect-node", drop, move || orchestrator.run())?;
        Ok(NodeHandle { shared: Arc::new(shared) })
    }

    fn panicked(&self) -> impl FnOnce(String) + Send + 'static {
        let inbox = self.inbox.0.clone();
        move |thread| drop(inbox.send(Input::Panicked { thread }))
    }

    fn start_dialers(&self) -> io::Result<Dialers> {
        let mut dialers = Dialers::default();
        let own = self.config.elect.node();
        for peer in self.config.elect.members().iter().map(|member| member.id).filter(|id| *id != own) {
            let (outbox, outgoing) = outbox(Arc::clone(&self.counters));
            let ((wake, woken), (doubt, doubted)) = (bounded(1), bounded(1));
            let dialer = self.dialer(peer, outgoing, woken, doubted);
            self.threads.spawn(format!("to {peer}"), self.panicked(), move || dialer.run())?;
            dialers.outboxes.insert(peer, outbox);
            dialers.wake_dialer.insert(peer, wake);
            dialers.doubts.insert(peer, doubt);
        }
        Ok(dialers)
    }

    fn dialer(
        &self,
        peer: NodeId,
        outgoing: Outgoing,
        woken: Receiver<()>,
        doubted: Receiver<()>,
    ) -> Dialer<T> {
        let elect = &self.config.elect;
        Dialer {
            peer,
            transport: Arc::clone(&self.transport),
            introduction: self.introduction.clone(),
            outgoing,
            woken,
            doubted,
            stop: self.stop.clone(),
            flushing: self.flushing.clone(),
            inbox: self.inbox.0.clone(),
            closers: self.closers.clone(),
            threads: self.threads.clone(),
            counters: Arc::clone(&self.counters),
            timeouts: Timeouts {
                dial: self.config.dial_timeout,
                handshake: self.config.handshake_timeout,
                stall: self.config.stall_timeout(),
                stale: elect.heartbeat_interval(),
            },
        }
    }

    fn start_listener(&self, wake_dialer: HashMap<NodeId, Sender<()>>) -> io::Result<()> {
        let learning = Arc::clone(&self.transport);
        let connections = InboundConnections {
            introduction: self.introduction.clone(),
            handshake_timeout: self.config.handshake_timeout,
            inbox: self.inbox.0.clone(),
            judge: inbound::judge(self.inbox.0.clone(), self.stop.clone()),
            learn: Box::new(move |peer, address, remote| learning.learn(peer, address, remote)),
            refusals: self.refusals.clone(),
            wake_dialer,
            closers: self.closers.clone(),
            threads: self.threads.clone(),
            counters: Arc::clone(&self.counters),
            slots: Slots::default().into(),
        };
        let inbound = Inbound {
            transport: Arc::clone(&self.transport),
            connections: Arc::new(connections),
            stop: self.stop.clone(),
        };
        self.threads.spawn("elect-listen", self.panicked(), move || inbound.run())
    }
}
