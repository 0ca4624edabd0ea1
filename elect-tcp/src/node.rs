//! Starting a node.

use std::io;
use std::sync::Arc;

use crossbeam_channel::bounded;
use elect_core::{Elector, Floor, VoteStore};

use crate::assembly::{Assembly, Dialers};
use crate::begin::{Begun, Bootstrap, begin};
use crate::cells::Cells;
use crate::clock;
use crate::config::NodeConfig;
use crate::desk::NodeDesk;
use crate::echoes::Echoes;
use crate::effects::Effects;
use crate::handle::{NodeHandle, SHUTDOWN_BOUND, Shared};
use crate::inbound;
use crate::introduction::Introduction;
use crate::links::Links;
use crate::open_store::OpenStore;
use crate::orchestrator::{Inputs, Orchestrator, Seat};
use crate::saver::Saver;
use crate::start_error::StartError;
use crate::stream::Events;
use crate::tcp::TcpTransport;
use crate::transport::Transport;
use crate::vote_file::{VoteFile, VoteFileName};

/// At most this many commands wait for the orchestrator; beyond that their callers block.
const COMMANDS_MAX: usize = 64;

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
        let Begun { elector, bootstrap, store, life, vote_file, counters, events } =
            begin(&config.elect, store.into(), &*floor)?;
        let introduce = |config: &NodeConfig, address, listen| {
            Introduction::new(&config.elect, address, listen, life.0, life.1)
        };
        let assembly = Assembly::new(config, transport, introduce, counters, None);
        let threads = assembly.threads.clone();
        let handle = start_threads(assembly, elector, bootstrap, store, floor, vote_file);
        // If a thread cannot be started, the drop of the shutdown guard ends the others: the vote file and the port are
        // free when this returns.
        let handle = handle.map_err(|source| {
            let _ = threads.join_all(SHUTDOWN_BOUND);
            StartError::Io { action: "start a thread", source }
        })?;
        Ok((handle, events))
    }
}

fn open_vote_file(config: &NodeConfig) -> Result<OpenStore<VoteFile>, StartError> {
    let path = config.vote_file().ok_or(StartError::NoVoteFile)?;
    Ok(VoteFile::open(path, &config.elect)?.with_syncs(config.vote_syncs).into())
}

/// Starts every thread.
fn start_threads<T: Transport, S: VoteStore + Send + 'static, F: Floor + Send + Sync + 'static>(
    assembly: Assembly<T>,
    elector: Elector,
    bootstrap: Bootstrap,
    store: S,
    floor: Arc<F>,
    vote_file: Option<VoteFileName>,
) -> io::Result<NodeHandle> {
    let (gates, gates_in) = bounded(1);
    let (results, committed) = bounded(1);
    let saver =
        Saver { store, floor, gates: gates_in, saved: results, counters: Arc::clone(&assembly.counters) };
    assembly.threads.spawn("elect-save", assembly.panicked(), move || saver.run())?;

    let Dialers { outboxes, wake_dialer, doubts } = assembly.start_dialers()?;
    let judge = inbound::judge(assembly.inbox.0.clone(), assembly.stop.clone());
    assembly.start_listener(wake_dialer, judge)?;

    let (commands_out, commands) = bounded(COMMANDS_MAX);
    let (answering, gone) = bounded(0);
    let positions = bounded(1);
    let ended = Arc::clone(&assembly.shutdown_guard.ended);
    let cells = Cells::new(elector.authority(), elector.config().node(), assembly.own_address.clone(), ended);
    let shared = Shared {
        cells: cells.clone(),
        desk: Box::new(NodeDesk { commands: commands_out, threads: assembly.threads.clone() }),
        gone,
        positions: positions.clone(),
        counters: Arc::clone(&assembly.counters),
        vote_file,
    };
    let (announcer, told) = bootstrap.split();
    let detection = assembly.config.elect.detection().ceiling();
    let mut effects = Effects {
        links: Links::new(outboxes.keys().copied(), clock::now()),
        refusals: assembly.refusals.clone(),
        echoes: outboxes.keys().map(|peer| (*peer, Echoes::new(detection))).collect(),
        outboxes,
        gates,
        announcer,
        cells,
        now: clock::now(),
    };
    told.resolve(&mut effects);
    let (inbox_out, inbox) = assembly.inbox;
    let inputs = Inputs {
        inbox,
        _inbox_open: inbox_out,
        commands,
        _answering: answering,
        positions: positions.1,
        saved: committed,
    };
    let seat = Seat { elector, effects, counters: assembly.counters, introduction: assembly.introduction };
    let orchestrator = Orchestrator { seat, inputs, doubts, shutdown_guard: assembly.shutdown_guard };
    // It catches its own panics.
    assembly.threads.spawn("elect-node", drop, move || orchestrator.run())?;
    Ok(NodeHandle { shared: Arc::new(shared) })
}
