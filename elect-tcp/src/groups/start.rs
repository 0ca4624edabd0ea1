//! Starting the process' threads, and a group.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crossbeam_channel::{Receiver, bounded, unbounded};
use elect_core::{Address, Config, Floor, NodeId, Time, VoteStore};

use super::deadlines::Deadlines;
use super::desk::{Control, GroupDesk, Line};
use super::group::{Group, GroupLink};
use super::savers::{GroupKey, Savers, Vault};
use super::tenancy::{Numbers, Tenancy};
use super::thread::{Inputs, Peer, Thread};
use crate::assembly::{Assembly, Dialers};
use crate::begin::Begun;
use crate::cells::Cells;
use crate::clock;
use crate::config::NodeConfig;
use crate::counters::Counters;
use crate::effects::Effects;
use crate::handle::{NodeHandle, SHUTDOWN_BOUND, Shared};
use crate::handshake::MANY_GROUPS;
use crate::inbound;
use crate::introduction::Introduction;
use crate::judgement::{Claim, Judgement};
use crate::links::Links;
use crate::measures::Measures;
use crate::orchestrator::Seat;
use crate::outbox::Outbox;
use crate::own_address::OwnAddress;
use crate::refusals::Refusals;
use crate::roster::Rosters;
use crate::start_error::StartGroupError;
use crate::stream::Events;
use crate::transport::Transport;

/// At most this many commands wait for the thread; beyond that their callers block.
const COMMANDS_MAX: usize = 64;

/// What starting a group needs.
pub(super) struct Process {
    pub(super) line: Arc<Line>,
    pub(super) config: Config,
    /// The others.
    pub(super) peers: Vec<NodeId>,
    outboxes: BTreeMap<NodeId, Arc<Outbox>>,
    listen: Address,
    pub(super) numbers: Numbers,
    pub(super) serial: AtomicU64,
    pub(super) refusals: Refusals,
    pub(super) counters: Arc<Counters>,
}

/// Starts every thread. If one cannot be started, the others end.
pub(super) fn start_process<T: Transport>(config: NodeConfig, transport: T) -> io::Result<Process> {
    let elect = config.elect().clone();
    let counters = Arc::new(Counters::new(Measures::of_process(elect.cluster(), elect.node())));
    let peers: Vec<_> =
        elect.members().iter().map(|member| member.id).filter(|id| *id != elect.node()).collect();
    let rosters = Rosters::new(peers.iter().copied());
    let introduce =
        |config: &NodeConfig, address, listen| Introduction::of_process(config.elect(), address, listen);
    let assembly = Assembly::new(config, transport, introduce, counters, Some(rosters.clone()));
    let threads = assembly.threads.clone();
    start_threads(assembly, elect, &peers, &rosters).inspect_err(|_| {
        let _ = threads.join_all(SHUTDOWN_BOUND);
    })
}

fn start_threads<T: Transport>(
    assembly: Assembly<T>,
    config: Config,
    peers: &[NodeId],
    rosters: &Rosters,
) -> io::Result<Process> {
    let Dialers { outboxes, wake_dialer, mut doubts } = assembly.start_dialers()?;
    let ask = inbound::judge(assembly.inbox.0.clone(), assembly.stop.clone());
    // The life of a process is nobody's: its groups are judged one by one.
    let judge = move |claim: Claim, sample| {
        if claim.group == MANY_GROUPS { Some(Judgement::Possible) } else { ask(claim, sample) }
    };
    assembly.start_listener(wake_dialer, Box::new(judge))?;

    let (commands_in, commands) = bounded(COMMANDS_MAX);
    let (control_in, control) = unbounded();
    let (saved_in, saved) = unbounded();
    let line = Line { commands: commands_in, control: control_in, threads: assembly.threads.clone() };
    let peer = |id: &NodeId| {
        let (outbox, doubt, roster) = (Arc::clone(outboxes.get(id)?), doubts.remove(id)?, rosters.of(*id)?);
        Some((*id, Peer { outbox, doubt, roster, is_up: false, reason: None }))
    };
    let process = Process {
        line: Arc::new(line),
        config,
        outboxes: outboxes.clone(),
        listen: assembly.transport.own_address(),
        numbers: Numbers::default(),
        serial: AtomicU64::new(0),
        refusals: assembly.refusals.clone(),
        counters: Arc::clone(&assembly.counters),
        peers: peers.to_vec(),
    };
    let savers = Savers::new(assembly.threads.clone(), saved_in);
    let thread = Thread {
        groups: BTreeMap::new(),
        peers: peers.iter().filter_map(peer).collect(),
        deadlines: Deadlines::default(),
        rosters: rosters.clone(),
        savers,
        inputs: Inputs { inbox: assembly.inbox.1, _inbox_open: assembly.inbox.0, commands, control, saved },
        refusals: assembly.refusals,
        counters: assembly.counters,
        shutdown_guard: assembly.shutdown_guard,
        retry_at: Time::NEVER,
        leaving: None,
        ending: None,
    };
    // It catches its own panics.
    assembly.threads.spawn("elect-groups", drop, move || thread.run())?;
    Ok(process)
}

impl Process {
    /// Hands a group whose incarnation is durable to the thread.
    pub(super) fn start_group<S: VoteStore + Send + 'static, F: Floor + Send + Sync + 'static>(
        &self,
        begun: Begun<S>,
        floor: Arc<F>,
        key: GroupKey,
        (tenancy, ended): (Arc<Tenancy>, Receiver<()>),
    ) -> Result<(NodeHandle, Events), StartGroupError> {
        let Begun { elector, bootstrap, store, life, vote_file, counters, events } = begun;
        let config = elector.config();
        let own_address = OwnAddress::new(config.address().clone());
        let introduction =
            Introduction::new(config, own_address.clone(), self.listen.clone(), life.0, life.1);
        let others: Vec<_> =
            config.members().iter().map(|member| member.id).filter(|id| *id != config.node()).collect();
        let has_ended = Arc::new(AtomicBool::new(false));
        let cells = Cells::new(elector.authority(), config.node(), own_address, Arc::clone(&has_ended));
        let (gates, gates_in) = bounded(1);
        let (positions, position_waits) = (bounded(1), Arc::new(AtomicBool::new(false)));
        let (answering, gone) = bounded(0);
        let (announcer, told) = bootstrap.split();
        let outbox = |id: &NodeId| Some((*id, Arc::clone(self.outboxes.get(id)?)));
        let mut effects = Effects {
            outboxes: others.iter().filter_map(outbox).collect(),
            // One group that is not heard is no reason to take the stream from all.
            echoes: BTreeMap::new(),
            gates,
            announcer,
            links: Links::new(others.iter().copied(), clock::now()),
            refusals: Refusals::new(config.members().iter().map(|member| member.id)),
            cells: cells.clone(),
            now: clock::now(),
        };
        told.resolve(&mut effects);
        let vault = Vault { store, floor, counters: Arc::clone(&counters), _tenancy: Arc::clone(&tenancy) };
        let group = Group {
            key,
            seat: Seat { elector, effects, counters: Arc::clone(&counters), introduction },
            links: others.into_iter().map(|id| (id, GroupLink::default())).collect(),
            gates: gates_in,
            vault: Some(Box::new(vault)),
            positions: positions.1.clone(),
            position_waits: Arc::clone(&position_waits),
            ended: has_ended,
            ending: None,
            leaving: None,
            doubted: None,
            _answering: answering,
            _tenancy: tenancy,
        };
        let started = self.line.control.send(Control::Start(Box::new(group)));
        started.map_err(|_| StartGroupError::Ended)?;
        let desk = GroupDesk { key, line: Arc::clone(&self.line), position_waits, ended };
        let shared = Shared { cells, desk: Box::new(desk), gone, positions, counters, vote_file };
        Ok((NodeHandle { shared: Arc::new(shared) }, events))
    }
}
