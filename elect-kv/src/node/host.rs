//! The host: one thread that owns replica, journal and the promotion to primary.
//!
//! It drains what waits, writes once, syncs once, and acknowledges: group commit without a timer. What the
//! elector says comes first.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Select, Sender, bounded};
use elect_core::{Health, NodeId, Position};
use elect_tcp::Events;
use tokio::sync::mpsc;

use super::input::{Ending, Input, WriteReply};
use super::promotion::Promotion;
use super::replicated::ReplicatedState;
use super::shared::{Progress, Shared};
use super::writes::Writes;
use crate::event_log::{EventLog, Kind};
use crate::replication::{Message, Output};

/// At most this many inputs make one batch; then it is written, synced and acknowledged.
const BATCH_MAX: usize = 4096;

/// How long a winner waits for its source to say something.
pub(super) const SOURCE_TIMEOUT: Duration = Duration::from_secs(1);
/// One turn of the loop declares the node healthy for at least this long.
const HEALTHY_FOR: Duration = Duration::from_secs(2);

/// Rings when an event has come, so that one `select` waits for events and inputs.
struct Bell(Sender<()>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // It is ringing already where there is no room.
        let _ = self.0.try_send(());
    }
}

/// The thread's state. Its elector side is in `events.rs`.
pub(crate) struct Host {
    pub(super) shared: Arc<Shared>,
    events: Events,
    /// Rung by `waker` when `events` has more.
    rung: Receiver<()>,
    waker: Waker,
    pub(super) inbox: Receiver<Input>,
    pub(super) log: Arc<EventLog>,
    /// `None` on a witness.
    pub(super) replicated: Option<ReplicatedState>,
    pub(super) promotion: Promotion,
    /// A handover waits until nothing is pending.
    pub(super) draining: bool,
    pub(super) ending: Option<Ending>,
    /// When a source that stays silent counts as lost.
    pub(super) source_deadline: Option<Instant>,
    /// The proof of a rebuilt storage, and when to show it again: the elector may find it too early.
    pub(super) rebuilt: Option<(Position, Instant)>,
    links: HashMap<NodeId, (u64, mpsc::UnboundedSender<Message>)>,
    /// The peers whose election links stand in both directions.
    pub(super) linked: BTreeSet<NodeId>,
    writes: Writes,
    reported: Option<Position>,
    /// When this loop declares the node healthy again.
    health_due: Instant,
}

impl Host {
    pub(crate) fn new(
        shared: Arc<Shared>,
        events: Events,
        inbox: Receiver<Input>,
        log: Arc<EventLog>,
        replicated: Option<ReplicatedState>,
    ) -> Self {
        let (bell, rung) = bounded(1);
        // What has come already has rung for nobody.
        let _ = bell.send(());
        Self {
            shared,
            events,
            rung,
            waker: Arc::new(Bell(bell)).into(),
            inbox,
            log,
            replicated,
            promotion: Promotion::NotElected,
            draining: false,
            ending: None,
            source_deadline: None,
            rebuilt: None,
            links: HashMap::new(),
            linked: BTreeSet::new(),
            writes: Writes::default(),
            reported: None,
            health_due: Instant::now(),
        }
    }

    /// Runs until the node ends.
    pub(crate) fn run(mut self) -> Ending {
        self.report();
        loop {
            self.wait();
            self.run_batch();
            if let Some(ending) = self.ending.take() {
                self.abandon_writes();
                return ending;
            }
        }
    }

    /// Sleeps until something arrives or a deadline passes.
    fn wait(&self) {
        let others = self.source_deadline.into_iter().chain(self.rebuilt.map(|(_, again)| again));
        let deadline = others.chain([self.health_due]).min();
        let mut select = Select::new();
        select.recv(&self.rung);
        select.recv(&self.inbox);
        match deadline {
            Some(deadline) => drop(select.ready_deadline(deadline)),
            None => drop(select.ready()),
        }
    }

    /// One batch: everything that waits, one write, one sync.
    fn run_batch(&mut self) {
        self.take_events();
        let mut writes = Vec::new();
        for _ in 0..BATCH_MAX {
            match self.inbox.try_recv() {
                Ok(Input::Write { command, reply }) => writes.push((command, reply)),
                Ok(input) => self.on_input(input),
                Err(_) => break,
            }
        }
        // What the elector reported meanwhile is handled before new writes are admitted.
        self.take_events();
        self.admit(writes);
        self.carry_out();
        self.sync();
        self.check_source();
        self.show_rebuilt();
        // What is drained is vouched for by the position: that comes first.
        self.report();
        self.finish_draining();
        self.renew_health();
    }

    /// This loop does the work of the node, in every role: as long as it runs, the host is healthy.
    fn renew_health(&mut self) {
        let now = Instant::now();
        if now >= self.health_due && self.ending.is_none() {
            let span = HEALTHY_FOR.max(self.shared.settings.elect.detection().ceiling() * 2);
            self.health_due = now + span / 4;
            self.shared.handle.healthy_for(span);
        }
    }

    fn take_events(&mut self) {
        let _ = self.rung.try_recv();
        let waker = self.waker.clone();
        // Once there is no more, the bell rings for the next.
        while let Poll::Ready(Some(event)) = self.events.poll_recv(&mut Context::from_waker(&waker)) {
            self.on_event(event);
            self.carry_out();
        }
    }

    fn on_input(&mut self, input: Input) {
        let current = |links: &HashMap<NodeId, (u64, _)>, peer, session| {
            links.get(&peer).is_some_and(|(known, _)| *known == session)
        };
        match input {
            Input::Write { .. } => unreachable!("writes are collected by `run_batch`"),
            Input::Up { peer, session, outbox } => {
                let earlier = self.links.insert(peer, (session, outbox));
                if let Some(replicated) = &mut self.replicated {
                    if earlier.is_some() {
                        replicated.replica.on_down(peer);
                    }
                    replicated.replica.on_up(peer);
                }
            }
            Input::Down { peer, session } if current(&self.links, peer, session) => {
                self.links.remove(&peer);
                if let Some(replicated) = &mut self.replicated {
                    replicated.replica.on_down(peer);
                }
            }
            Input::Message { peer, session, message } if current(&self.links, peer, session) => {
                if let Some(replicated) = &mut self.replicated {
                    replicated.replica.on_message(peer, message, &mut replicated.journal);
                }
                if self.source_deadline.is_some() {
                    self.source_deadline = Some(Instant::now() + SOURCE_TIMEOUT);
                }
            }
            // From an earlier connection.
            Input::Down { .. } | Input::Message { .. } => {}
            Input::Stop => self.ending = Some(Ending::Stopped),
        }
        self.carry_out();
    }

    /// Lets a replication connection go: both sides close it, and its dialler comes back.
    pub(super) fn drop_link(&mut self, peer: NodeId) {
        if self.links.remove(&peer).is_some()
            && let Some(replicated) = &mut self.replicated
        {
            replicated.replica.on_down(peer);
            self.carry_out();
        }
    }

    pub(super) fn admit(&mut self, writes: Vec<(Bytes, WriteReply)>) {
        let handle = &self.shared.handle;
        self.writes.admit(writes, &self.promotion, self.replicated.as_mut(), handle);
    }

    /// Applies what is committed and answers the clients that wait for it.
    fn commit(&mut self, offset: u64) {
        let Some(replicated) = &self.replicated else { return };
        if let Err(error) = self.writes.commit(offset, replicated) {
            self.fail(error.to_string());
        }
        self.acknowledge();
    }

    fn acknowledge(&mut self) {
        self.writes.acknowledge(&self.promotion, self.replicated.as_ref(), &self.shared.handle);
    }

    /// A raised epoch: what waited for it goes on.
    pub(super) fn resume_waiting(&mut self) {
        self.acknowledge();
        let waiting = self.writes.take_waiting();
        self.admit(waiting);
    }

    /// A handover goes on once nothing is pending.
    fn finish_draining(&mut self) {
        if self.draining && self.writes.are_answered() {
            self.draining = false;
            self.shared.handle.on_drained();
        }
    }

    pub(super) fn abandon_writes(&mut self) {
        self.writes.abandon(self.promotion.epoch().unwrap_or_default());
    }

    /// Carries out what the replica decided, until it has no more output.
    pub(super) fn carry_out(&mut self) {
        while let Some(replicated) = &mut self.replicated {
            let outputs = replicated.replica.take_output();
            if outputs.is_empty() {
                return;
            }
            for output in outputs {
                self.carry_out_one(output);
            }
        }
    }

    fn carry_out_one(&mut self, output: Output) {
        match output {
            Output::Send { to, message } => {
                if let Some((_, outbox)) = self.links.get(&to) {
                    // A connection that is closing loses its messages anyway.
                    let _ = outbox.send(message);
                }
            }
            Output::Committed(offset) => self.commit(offset),
            Output::CaughtUp { epoch, held } => self.on_caught_up(epoch, held),
            Output::SourceLost { epoch } => self.on_source_lost(epoch),
            Output::OwnEntryCommitted(entry) => self.on_own_entry(entry),
            Output::Rebuilt(entry) => self.on_rebuilt(entry),
            Output::Diverged { shared, commit } => self.fail(format!(
                "the log of the leader shares only {shared} with this one, where entries up to {commit} are committed: \
                 nothing was cut; one of the two was restored from a backup or is damaged"
            )),
        }
    }

    /// One sync for everything that was written; then acknowledgements leave.
    fn sync(&mut self) {
        let Some(replicated) = &mut self.replicated else { return };
        if let Some(error) = replicated.journal.take_failure() {
            return self.fail(error.to_string());
        }
        if replicated.journal.is_dirty() {
            self.shared.stall.begin(self.shared.handle.now());
            let synced = replicated.journal.sync();
            self.shared.stall.end();
            if let Err(error) = synced {
                return self.fail(error.to_string());
            }
        }
        replicated.replica.on_synced(&mut replicated.journal);
        self.carry_out();
    }

    /// Tells elector and clients how far the log is.
    fn report(&mut self) {
        let Some(replicated) = &self.replicated else { return };
        let durable = replicated.replica.durable();
        if self.reported != Some(durable) {
            self.reported = Some(durable);
            self.shared.handle.set_position(Some(durable));
        }
        self.shared.set_progress(Progress {
            durable: durable.offset,
            commit: replicated.replica.commit(),
            followers: replicated.replica.acknowledged(),
        });
    }

    fn check_source(&mut self) {
        if self.source_deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.source_deadline = None;
            if let Promotion::Elected(elected) = &self.promotion {
                let epoch = elected.epoch();
                self.on_source_lost(epoch);
            }
        }
    }

    /// Fail stop: what the disk holds is not known, so this node declines office and ends.
    pub(super) fn fail(&mut self, error: String) {
        self.shared.handle.set_health(Health::Unfit);
        self.log.tell(Kind::Failed, None, None, &error);
        self.ending.get_or_insert(Ending::Failed(error));
    }
}
