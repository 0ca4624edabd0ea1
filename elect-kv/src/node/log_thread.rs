//! The log's thread: it owns replica, journal and applied state, and is the only one that waits for the disk.
//!
//! It drains what waits, writes once, syncs once, and acknowledges: group commit without a timer. What the host orders
//! comes first.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select, Sender};
use elect_core::{MemberKind, NodeId, Position};
use tokio::sync::mpsc;

use super::input::{Input, Note};
use super::orders::{Order, Orders};
use super::replicated::ReplicatedState;
use super::shared::{Progress, Shared};
use super::writes::Appended;
use crate::config::{Acknowledge, Peer};
use crate::event_log::Kind;
use crate::replication::{Journal as _, Message, Output, WriteRefused};

/// At most this many inputs make one batch; then it is written, synced and acknowledged.
const BATCH_MAX: usize = 4096;
/// How soon it looks again at writes that a lease held up which was over at that moment. The elector tells of its end, or of a
/// raised epoch; of one that was renewed just in time it tells nothing.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How often it is told how far a state has been received.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// The thread's state.
pub(super) struct LogThread {
    pub(super) shared: Arc<Shared>,
    pub(super) replicated: ReplicatedState,
    pub(super) orders: Arc<Orders>,
    pub(super) inbox: Receiver<Input>,
    /// Rung for orders and for writes.
    pub(super) rung: Receiver<()>,
    pub(super) notes: Sender<Note>,
    pub(super) links: HashMap<NodeId, (u64, mpsc::Sender<Message>)>,
    pub(super) reported: Option<Position>,
    /// When it was last told how far which state has been received.
    pub(super) told: Option<(Position, Instant)>,
}

/// Why the thread ends.
enum End {
    Stopped,
    Failed(String),
}

impl LogThread {
    /// Runs until the host orders the end, or the storage fails. What is written by then is synced.
    pub(super) fn run(mut self) {
        self.report();
        let end = loop {
            self.shared.pulse.rest();
            self.wait();
            if let Err(end) = self.run_batch() {
                break end;
            }
        };
        let failed = match end {
            End::Failed(error) => Some(error),
            End::Stopped => self.replicated.store.sync().err().map(|error| error.to_string()),
        };
        if let Some(error) = failed {
            self.tell(Note::Failed(error));
        }
    }

    fn wait(&self) {
        let mut select = Select::new();
        select.recv(&self.rung);
        select.recv(&self.inbox);
        if self.shared.writes.is_held_up() {
            let _ = select.ready_timeout(LOOK_AGAIN);
        } else {
            select.ready();
        }
    }

    /// One batch: everything that waits, one write, one sync.
    fn run_batch(&mut self) -> Result<(), End> {
        let _ = self.rung.try_recv();
        self.take_orders()?;
        for _ in 0..BATCH_MAX {
            let Ok(input) = self.inbox.try_recv() else { break };
            self.begin();
            self.on_input(input);
            self.carry_out()?;
        }
        self.admit()?;
        self.sync()?;
        self.acknowledge();
        self.drop_old()?;
        self.report();
        if self.shared.writes.is_drained() {
            self.tell(Note::Answered);
        }
        Ok(())
    }

    fn begin(&self) {
        self.shared.pulse.begin(self.shared.handle.now());
    }

    fn tell(&self, note: Note) {
        // A host that has ended needs no news.
        let _ = self.notes.send(note);
    }

    fn take_orders(&mut self) -> Result<(), End> {
        for order in self.orders.take() {
            self.begin();
            let ReplicatedState { replica, journal, .. } = &mut self.replicated;
            match order {
                Order::Follow { leader, epoch } => replica.follow(leader, epoch),
                Order::StandAside => replica.stand_aside(),
                Order::Elected { epoch, source } => replica.elected(epoch, source),
                Order::Begin(stamp) => replica.begin(stamp, journal),
                Order::Raise(epoch) => replica.raise(epoch, journal),
                Order::Storage { intact: true } => replica.storage_rebuilt(),
                Order::Storage { intact: false } => replica.storage_replaced(),
                // Both sides close it, and its dialler comes back.
                Order::Unlink(peer) => {
                    if self.links.remove(&peer).is_some() {
                        replica.on_down(peer);
                    }
                }
                Order::Stop => return Err(End::Stopped),
            }
            self.carry_out()?;
        }
        Ok(())
    }

    fn on_input(&mut self, input: Input) {
        let current = |links: &HashMap<NodeId, (u64, _)>, peer, session| {
            links.get(&peer).is_some_and(|(known, _)| *known == session)
        };
        let ReplicatedState { replica, journal, .. } = &mut self.replicated;
        match input {
            Input::Up { peer, session, outbox } => {
                if self.links.insert(peer, (session, outbox)).is_some() {
                    replica.on_down(peer);
                }
                replica.on_up(peer);
            }
            Input::Down { peer, session, .. } if current(&self.links, peer, session) => {
                self.links.remove(&peer);
                replica.on_down(peer);
            }
            Input::Message { peer, session, message, .. } if current(&self.links, peer, session) => {
                self.shared.pulse.hear(self.shared.handle.now());
                replica.on_message(peer, message, journal);
            }
            // From an earlier connection.
            Input::Down { .. } | Input::Message { .. } => {}
        }
    }

    /// Appends what clients ask for.
    fn admit(&mut self) -> Result<(), End> {
        let Some((stamp, commands)) = self.shared.writes.take(self.shared.handle.now()) else {
            return Ok(());
        };
        // What the host ordered before it told this stamp is carried out first: a raise, without which the stamp is not that of
        // the replica.
        self.take_orders()?;
        self.begin();
        let ReplicatedState { replica, journal, .. } = &mut self.replicated;
        self.shared.writes.on_appended(match replica.propose(stamp, commands, journal) {
            Ok(first) => Appended::From(first),
            Err(WriteRefused::Failed) => Appended::Failed,
            Err(WriteRefused::Fenced(_) | WriteRefused::NotLeading) => Appended::Refused,
        });
        self.carry_out()
    }

    /// Carries out what the replica decided, until it has no more output.
    fn carry_out(&mut self) -> Result<(), End> {
        loop {
            let outputs = self.replicated.replica.take_output();
            if outputs.is_empty() {
                return Ok(());
            }
            for output in outputs {
                self.carry_out_one(output)?;
            }
        }
    }

    fn carry_out_one(&mut self, output: Output) -> Result<(), End> {
        match output {
            Output::Send { to, message } => self.send(to, message),
            Output::Committed(offset) => self.commit(offset)?,
            Output::CaughtUp { epoch, held } => self.tell(Note::CaughtUp { epoch, held }),
            Output::SourceLost { epoch } => self.tell(Note::SourceLost { epoch }),
            Output::OwnEntryCommitted(entry) => self.tell(Note::OwnEntryCommitted(entry)),
            Output::Rebuilt(entry) => self.tell(Note::Rebuilt(entry)),
            Output::Sends { .. } | Output::Receives { .. } | Output::Installed { .. } => {
                self.log_state(&output);
            }
            Output::Diverged { shared, commit } => {
                return Err(End::Failed(format!(
                    "the log of the leader shares only {shared} with this one, where entries up to {commit} are committed: \
                 nothing was cut; one of the two was restored from a backup or is damaged"
                )));
            }
        }
        Ok(())
    }

    /// A connection that takes nothing any more is let go: its other side asks again on the next one.
    fn send(&mut self, to: NodeId, message: Message) {
        if let Some((_, outbox)) = self.links.get(&to)
            && let Err(mpsc::error::TrySendError::Full(_)) = outbox.try_send(message)
        {
            self.links.remove(&to);
            self.replicated.replica.on_down(to);
        }
    }

    /// Applies what is committed and answers the clients that wait for it.
    fn commit(&mut self, offset: u64) -> Result<(), End> {
        self.begin();
        let (mut results, shared) = (Vec::new(), &self.shared);
        // Of a follower's results, old values among them, nobody waits for any.
        let is_awaited = shared.writes.is_open();
        let applied = self.replicated.store.apply(offset, |offset, result| {
            shared.pulse.begin(shared.handle.now());
            if is_awaited {
                results.push((offset, result));
            }
        });
        self.shared.writes.on_committed(results);
        self.acknowledge();
        applied.map_err(|error| End::Failed(error.to_string()))
    }

    fn acknowledge(&self) {
        let (journal, confirmed) = (&self.replicated.journal, self.confirmed());
        self.shared.writes.acknowledge(
            confirmed,
            |stamp| journal.ack(stamp).is_ok(),
            || self.shared.handle.now(),
        );
    }

    /// Up to where what is committed may be acknowledged: everything, unless every voter must hold it.
    fn confirmed(&self) -> u64 {
        if self.shared.settings.file.acknowledge != Acknowledge::All {
            return u64::MAX;
        }
        let acknowledged = self.replicated.replica.acknowledged();
        let held_by =
            |peer: &Peer| acknowledged.iter().find(|(node, _)| *node == peer.id).map_or(0, |(_, held)| *held);
        let voters = self.shared.settings.peers.iter().filter(|peer| peer.kind == MemberKind::Voter);
        voters.map(held_by).min().unwrap_or(u64::MAX)
    }

    /// One sync for everything that was written; then acknowledgements leave.
    fn sync(&mut self) -> Result<(), End> {
        self.begin();
        self.check_journal()?;
        let ReplicatedState { replica, journal, .. } = &mut self.replicated;
        if journal.is_dirty() {
            journal.sync().map_err(|error| End::Failed(error.to_string()))?;
        }
        replica.on_synced(journal);
        let (durable, handle) = (replica.durable().offset, &self.shared.handle);
        self.shared.writes.on_durable(durable, |stamp| journal.ack(stamp).is_ok(), || handle.now());
        self.carry_out()?;
        // It has read, too, what is to be sent: without another input nobody would hear of a failure.
        self.check_journal()
    }

    fn check_journal(&mut self) -> Result<(), End> {
        let failure = self.replicated.journal.take_failure();
        failure.map_or(Ok(()), |error| Err(End::Failed(error.to_string())))
    }

    /// Keeps the log within its budget. What is written for that is synced with the next batch.
    fn drop_old(&mut self) -> Result<(), End> {
        let ReplicatedState { replica, journal, .. } = &mut self.replicated;
        let budget = self.shared.settings.file.repl_backlog_size.0;
        let dropped = journal.drop_old(budget).map_err(|error| End::Failed(error.to_string()))?;
        if let Some(begin) = dropped {
            replica.on_dropped(begin);
        }
        Ok(())
    }

    /// One line when a state is sent, or begins to come, and now and then while it comes.
    fn log_state(&mut self, output: &Output) {
        let own = self.shared.settings.node();
        let (peer, text) = match output {
            Output::Sends { to, state, keys } => (
                to,
                format!(
                    "{own} sends {to} the state at {state}, {keys} keys: the log begins after what {to} lacks"
                ),
            ),
            Output::Receives { from, state, received, keys } => {
                let is_news =
                    |(told, at): (Position, Instant)| told != *state || at.elapsed() >= PROGRESS_INTERVAL;
                if !self.told.is_none_or(is_news) {
                    return;
                }
                self.told = Some((*state, Instant::now()));
                (from, format!("{own} receives the state at {state} from {from}: {received} of {keys} keys"))
            }
            Output::Installed { from, state } => {
                self.told = None;
                (from, format!("{own} holds the state at {state} that {from} sent, and goes on from there"))
            }
            _ => return,
        };
        self.shared.log.tell(Kind::State, None, Some(*peer), &text);
    }

    /// Tells elector and clients how far the log is.
    fn report(&mut self) {
        let replica = &self.replicated.replica;
        let durable = replica.durable();
        if self.reported != Some(durable) {
            self.reported = Some(durable);
            self.shared.handle.set_position(Some(durable));
        }
        if replica.commit().min(self.confirmed()) >= replica.last().offset {
            self.shared.writes.on_all_confirmed();
        }
        self.shared.set_progress(Progress {
            durable: durable.offset,
            commit: replica.commit(),
            followers: replica.acknowledged(),
        });
    }
}
