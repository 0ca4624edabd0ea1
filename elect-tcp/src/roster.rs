//! Which groups of this node a peer belongs to, as the threads that dial it know them.
//!
//! A stream between two nodes of many groups carries the frames of all of them. Who dials says of each group in which life
//! this node is in it, and hears whether the peer lets it in: before the first frame, and later, when a group begins or was
//! refused, on a short stream beside the one that stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use elect_core::NodeId;

use crate::handshake::{self, Greeting, HandshakeError};
use crate::introduction::Introduction;
use crate::orchestrator::Input;
use crate::transport::Stream;

/// So many greetings are under way at once: their answers fit into what a socket holds.
const WINDOW: usize = 32;
/// At most so many groups that have ended wait for the peer to be told of them. Of others it finds out when it asks.
const GONE_MAX: usize = 1024;

/// The rosters of all peers. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Rosters {
    of: Arc<BTreeMap<NodeId, Roster>>,
    restarts: Arc<AtomicU64>,
}

impl Rosters {
    pub(crate) fn new(peers: impl Iterator<Item = NodeId>) -> Self {
        let of = peers.map(|peer| (peer, Roster::default())).collect();
        Self { of: Arc::new(of), restarts: Arc::default() }
    }

    pub(crate) fn of(&self, peer: NodeId) -> Option<Roster> {
        self.of.get(&peer).cloned()
    }

    /// How many groups have begun: one that begins anew has heard nobody yet.
    pub(crate) fn restarts(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.restarts)
    }

    /// A group has begun.
    pub(crate) fn on_begun(&self) {
        self.restarts.fetch_add(1, Ordering::SeqCst);
    }
}

/// What reading the streams of many groups needs.
pub(crate) struct Many {
    /// See [`Rosters::restarts`].
    pub(crate) restarts: Arc<AtomicU64>,
    /// Disconnected when the node ends.
    pub(crate) stop: Receiver<()>,
}

impl Many {
    pub(crate) const fn new(restarts: Arc<AtomicU64>, stop: Receiver<()>) -> Self {
        Self { restarts, stop }
    }
}

/// The groups that one peer belongs to. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster(Arc<Mutex<Groups>>);

#[derive(Debug, Default)]
struct Groups {
    running: BTreeMap<u32, Entry>,
    /// Those that have ended in this process, and of which the peer was not told yet.
    gone: BTreeSet<u32>,
}

#[derive(Debug)]
struct Entry {
    introduction: Introduction,
    /// The peer lets this life in.
    is_settled: bool,
}

/// Which groups are introduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All: the stream is new, and their frames follow.
    All,
    /// Those that the peer has not let in; nothing follows.
    Unsettled,
}

impl Roster {
    pub(crate) fn insert(&self, group: u32, introduction: Introduction) {
        let mut groups = self.lock();
        groups.gone.remove(&group);
        groups.running.insert(group, Entry { introduction, is_settled: false });
    }

    pub(crate) fn remove(&self, group: u32) {
        let mut groups = self.lock();
        if groups.running.remove(&group).is_some()
            && groups.gone.insert(group)
            && groups.gone.len() > GONE_MAX
        {
            groups.gone.pop_first();
        }
    }

    /// That group, or all, are to be asked about.
    pub(crate) fn unsettle(&self, group: Option<u32>) {
        for (number, entry) in &mut self.lock().running {
            if group.is_none_or(|group| group == *number) {
                entry.is_settled = false;
            }
        }
    }

    /// Whether the peer lets that group in.
    pub(crate) fn settle(&self, group: u32, is_settled: bool) {
        if let Some(entry) = self.lock().running.get_mut(&group) {
            entry.is_settled = is_settled;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().running.is_empty()
    }

    /// Whether the peer is to be asked about a group, or told of one.
    pub(crate) fn has_unsettled(&self) -> bool {
        let groups = self.lock();
        !groups.gone.is_empty() || groups.running.values().any(|entry| !entry.is_settled)
    }

    /// What is said of the groups.
    fn greetings(&self, scope: Scope, peer: NodeId) -> Vec<Greeting> {
        let groups = self.lock();
        let entries = groups.running.values().filter(|entry| scope == Scope::All || !entry.is_settled);
        entries.map(|entry| entry.introduction.to(peer)).collect()
    }

    /// Introduces the groups on a stream whose own greeting was welcome, and reports the answers. One that is refused
    /// costs the others nothing.
    pub(crate) fn introduce<S: Stream>(
        &self,
        stream: &mut S,
        scope: Scope,
        process: &Greeting,
        inbox: &Sender<Input>,
        timeout: Duration,
    ) -> Result<(), HandshakeError> {
        let peer = process.addressee;
        for greetings in self.greetings(scope, peer).chunks(WINDOW) {
            let answers = handshake::dial_each(stream, greetings, timeout)?;
            for (greeting, answer) in greetings.iter().zip(answers) {
                let (group, incarnation) = (greeting.group, greeting.incarnation);
                let refusal = answer.err().map(Box::new);
                // An orchestrator that is gone is noticed at the next report.
                let _ = inbox.send(Input::Introduced { peer, group, incarnation, refusal });
            }
        }
        let gone: Vec<_> = self.lock().gone.iter().copied().collect();
        handshake::tell_gone(stream, &gone, timeout)?;
        self.lock().gone.retain(|group| !gone.contains(group));
        if scope == Scope::All {
            // The frames follow.
            handshake::dial(stream, process, timeout)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Groups> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
