//! What a node's threads share, and the threads that dial and accept: for one group, or for many.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::{Receiver, Sender, bounded};
use elect_core::{Address, NodeId};

use crate::closers::Closers;
use crate::config::NodeConfig;
use crate::counters::Counters;
use crate::dialer::{Dialer, Timeouts};
use crate::inbound::{Inbound, InboundConnections, Judge, Slots};
use crate::introduction::Introduction;
use crate::orchestrator::Input;
use crate::outbox::{Outbox, Outgoing, outbox};
use crate::own_address::OwnAddress;
use crate::refusals::Refusals;
use crate::roster::{Many, Rosters};
use crate::shutdown_guard::ShutdownGuard;
use crate::threads::Threads;
use crate::transport::Transport;

/// At most this many inputs wait for the orchestrator; beyond that their readers block.
const INBOX_MAX: usize = 256;

/// The orchestrator's, and the listener's, ends of what leads to the threads that dial.
#[derive(Default)]
pub(crate) struct Dialers {
    pub(crate) outboxes: BTreeMap<NodeId, Arc<Outbox>>,
    pub(crate) wake_dialer: HashMap<NodeId, Sender<()>>,
    pub(crate) doubts: BTreeMap<NodeId, Sender<()>>,
}

/// What the threads of one node share, while they are being started.
pub(crate) struct Assembly<T> {
    pub(crate) config: NodeConfig,
    pub(crate) own_address: OwnAddress,
    pub(crate) introduction: Introduction,
    pub(crate) refusals: Refusals,
    pub(crate) transport: Arc<T>,
    pub(crate) threads: Threads,
    pub(crate) closers: Closers,
    pub(crate) counters: Arc<Counters>,
    pub(crate) inbox: (Sender<Input>, Receiver<Input>),
    pub(crate) stop: Receiver<()>,
    flushing: Sender<()>,
    pub(crate) shutdown_guard: ShutdownGuard,
    /// The groups that share this node's streams, where it is of more than one.
    pub(crate) rosters: Option<Rosters>,
}

impl<T: Transport> Assembly<T> {
    pub(crate) fn new(
        config: NodeConfig,
        transport: T,
        introduce: impl FnOnce(&NodeConfig, OwnAddress, Address) -> Introduction,
        counters: Arc<Counters>,
        rosters: Option<Rosters>,
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
        let introduction = introduce(&config, own_address.clone(), transport.own_address());
        Self {
            own_address,
            introduction,
            refusals: Refusals::new(config.elect.members().iter().map(|member| member.id)),
            config,
            transport,
            threads: Threads::default(),
            closers,
            counters,
            inbox,
            stop,
            flushing,
            shutdown_guard,
            rosters,
        }
    }

    pub(crate) fn panicked(&self) -> impl FnOnce(String) + Send + 'static {
        let inbox = self.inbox.0.clone();
        move |thread| drop(inbox.send(Input::Panicked { thread }))
    }

    pub(crate) fn start_dialers(&self) -> io::Result<Dialers> {
        let mut dialers = Dialers::default();
        let own = self.config.elect.node();
        for peer in self.config.elect.members().iter().map(|member| member.id).filter(|id| *id != own) {
            let (outbox, outgoing) = outbox(Arc::clone(&self.counters));
            let ((wake, woken), (doubt, doubted)) = (bounded(1), bounded(1));
            let dialer = self.dialer(peer, outgoing, woken, doubted);
            self.threads.spawn(format!("to {peer}"), self.panicked(), move || dialer.run())?;
            dialers.outboxes.insert(peer, Arc::new(outbox));
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
            roster: self.rosters.as_ref().and_then(|rosters| rosters.of(peer)),
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

    pub(crate) fn start_listener(
        &self,
        wake_dialer: HashMap<NodeId, Sender<()>>,
        judge: Judge,
    ) -> io::Result<()> {
        let learning = Arc::clone(&self.transport);
        let connections = InboundConnections {
            introduction: self.introduction.clone(),
            handshake_timeout: self.config.handshake_timeout,
            inbox: self.inbox.0.clone(),
            judge,
            many: self.rosters.as_ref().map(|rosters| Many::new(rosters.restarts(), self.stop.clone())),
            learn: Box::new(move |peer, address, remote| learning.learn(peer, address, remote)),
            refusals: self.refusals.clone(),
            wake_dialer,
            closers: self.closers.clone(),
            threads: self.threads.clone(),
            counters: Arc::clone(&self.counters),
            slots: Slots::new(self.rosters.is_some()).into(),
        };
        let inbound = Inbound {
            transport: Arc::clone(&self.transport),
            connections: Arc::new(connections),
            stop: self.stop.clone(),
        };
        self.threads.spawn("elect-listen", self.panicked(), move || inbound.run())
    }
}
