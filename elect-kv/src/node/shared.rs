//! What the host's thread and the clients' tasks share.

use std::fmt::Write as _;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use elect_core::{Epoch, NodeId, Office};
use elect_tcp::NodeHandle;
use tokio::sync::{Notify, watch};

use super::problems::Problems;
use super::pulse::Pulse;
use super::writes::Writes;
use crate::client::Limits;
use crate::config::Settings;
use crate::event_log::EventLog;
use crate::service_manager::ServiceManager;
use crate::store::Store;

/// What a client's task knows of its node.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) handle: NodeHandle,
    /// Absent on a witness.
    pub(crate) store: Option<Arc<Store>>,
    pub(crate) log: Arc<EventLog>,
    /// Rings when an election link came up.
    pub(crate) links_up: Arc<Notify>,
    /// What is wrong with the replication connections.
    pub(crate) problems: Arc<Problems>,
    /// The writes that clients wait for.
    pub(crate) writes: Writes,
    /// What clients may take.
    pub(crate) limits: Limits,
    /// What the log's thread is doing.
    pub(crate) pulse: Pulse,
    pub(crate) manager: ServiceManager,
    office: RwLock<Option<Office>>,
    leader: RwLock<Option<Leader>>,
    /// The last one that was known, whether it leads still or not.
    last_leader: RwLock<Option<Leader>>,
    progress: watch::Sender<Progress>,
    /// Whether this node leads, in office or on its way.
    pub(crate) leads: watch::Sender<bool>,
    /// Counts handovers that came to nothing.
    pub(crate) handovers_aborted: watch::Sender<u64>,
}

/// The leader, as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) id: NodeId,
    pub(crate) epoch: Epoch,
    /// Where clients reach it; empty if unknown.
    pub(crate) address: String,
}

/// How far the log is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) durable: u64,
    pub(crate) commit: u64,
    /// On a leader: what each follower has acknowledged.
    pub(crate) followers: Vec<(NodeId, u64)>,
}

impl Shared {
    pub(crate) fn new(
        settings: Settings,
        handle: NodeHandle,
        store: Option<Arc<Store>>,
        log: Arc<EventLog>,
        writes: Writes,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            settings,
            handle,
            store,
            log,
            links_up: Arc::default(),
            problems: Arc::default(),
            writes,
            limits,
            pulse: Pulse::default(),
            manager: ServiceManager::of_process(),
            office: RwLock::default(),
            leader: RwLock::default(),
            last_leader: RwLock::default(),
            progress: watch::Sender::default(),
            leads: watch::Sender::new(false),
            handovers_aborted: watch::Sender::new(0),
        })
    }

    pub(crate) fn office(&self) -> Option<Office> {
        self.office.read().expect("no holder panics").clone()
    }

    pub(crate) fn set_office(&self, office: Option<Office>) {
        *self.office.write().expect("no holder panics") = office;
    }

    pub(crate) fn leader(&self) -> Option<Leader> {
        self.leader.read().expect("no holder panics").clone()
    }

    /// The leader, or between two leaders the one that was.
    pub(crate) fn last_leader(&self) -> Option<Leader> {
        self.last_leader.read().expect("no holder panics").clone()
    }

    pub(crate) fn set_leader(&self, leader: Option<Leader>) {
        if leader.is_some() {
            self.last_leader.write().expect("no holder panics").clone_from(&leader);
        }
        *self.leader.write().expect("no holder panics") = leader;
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    pub(crate) fn set_progress(&self, progress: Progress) {
        self.progress.send_replace(progress);
    }

    /// Told again after each batch.
    pub(crate) fn watch_progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// What is wrong with which replication connection.
    pub(crate) fn replication_problems(&self) -> Vec<String> {
        self.problems.lines()
    }

    /// How far each follower has acknowledged the log, for a primary whose writes nobody confirms.
    pub(crate) fn followers_text(&self) -> String {
        let Progress { durable, commit, followers } = self.progress();
        let mut text = format!("The log ends at {durable} and is committed up to {commit}");
        for peer in self.settings.peers.iter().filter(|peer| peer.replication.is_some()) {
            let _ = match followers.iter().find(|(node, _)| *node == peer.id) {
                Some((node, acknowledged)) => write!(text, "; {node} has acknowledged {acknowledged}"),
                None => write!(text, "; {} has no replication stream", peer.id),
            };
        }
        text
    }

    /// For how long the storage has been busy with one piece of work: of the log's thread, or a read of anybody's.
    pub(crate) fn storage_busy_for(&self) -> Duration {
        let read = self.store.as_ref().map_or(Duration::ZERO, |store| store.longest_read());
        self.pulse.busy_for(self.handle.now()).max(read)
    }

    /// Why nothing is committed, if writes were given up for that or the storage hangs: for `ELECT EXPLAIN`.
    pub(crate) fn standstill_text(&self) -> Option<String> {
        let busy = self.storage_busy_for();
        if busy > self.settings.elect.detection().ceiling() {
            return Some(format!("the storage has not answered for {} ms", busy.as_millis()));
        }
        let span = self.writes.stands_for()?;
        let (span, followers) = (span.as_millis(), self.followers_text());
        Some(format!("no write was committed for {span} ms, so new ones are refused. {followers}"))
    }
}
