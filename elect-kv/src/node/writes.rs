//! The writes of clients: asked for, appended under a stamp, answered once a quorum holds them.
//!
//! Three sides share them. Clients ask; the log's thread takes what was asked for, appends it and says what is committed;
//! the host opens and closes. Nobody holds the lock over work on a disk, so that a lost office answers every client at once,
//! whatever the log's thread is waiting for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use elect_core::{Epoch, NotInOffice, Office, Stamp, Time};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::bell::Bell;
use super::input::WriteFailed;
use crate::config::Acknowledge;
use crate::store::{Command, CommandResult};

/// Commands of all clients that wait for a quorum hold at most this many bytes; whoever comes then waits to be let in.
const BYTES_MAX: usize = 32 << 20;
/// What one write costs besides its command.
const OVERHEAD_BYTES: usize = 256;
/// At most this many writes are appended together.
const BATCH_MAX: usize = 4096;

/// What a write comes to.
pub(crate) type WriteResult = Result<CommandResult, WriteFailed>;

/// Every write that a client waits for.
#[derive(Debug)]
pub(crate) struct Writes {
    state: Mutex<State>,
    acknowledge: Acknowledge,
    /// Wakes the log's thread.
    bell: Bell,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    /// The right to serve, and the stamp under which writes are appended.
    office: Option<(Office, Stamp)>,
    /// Asked for, and not yet taken by the log's thread.
    queue: VecDeque<(Bytes, Reply)>,
    /// Being appended.
    in_hand: Vec<Reply>,
    /// In the log, by offset, and not yet committed.
    pending: BTreeMap<u64, Reply>,
    /// Committed, and not yet confirmed by everybody that must; or the lease of the known office is over: a raised epoch or
    /// the loss is on its way.
    committed: Vec<(u64, CommandResult, Reply)>,
    /// A handover waits until every admitted write is answered.
    draining: bool,
    /// Since when something waits and nothing was committed.
    waits_since: Option<Instant>,
    /// Since when nothing is committed, once that has taken too long: nothing new is let in.
    stands_since: Option<Instant>,
}

/// Whoever waits for a write, and the room that it takes.
#[derive(Debug)]
struct Reply {
    /// Nobody once it was answered early.
    to: Option<oneshot::Sender<WriteResult>>,
    /// What may be answered as soon as it is durable here.
    early: Option<CommandResult>,
    _room: OwnedSemaphorePermit,
}

impl Reply {
    fn send(mut self, result: WriteResult) {
        self.answer(result);
    }

    fn answer(&mut self, result: WriteResult) {
        // A client that has gone needs no reply.
        let _ = self.to.take().map(|to| to.send(result));
    }

    /// Whether its client has gone. One that was answered early has not: what becomes of its write still counts.
    fn is_moot(&self) -> bool {
        self.to.as_ref().is_some_and(oneshot::Sender::is_closed)
    }
}

/// How an append ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// They are in the log, from this offset on.
    From(u64),
    /// Nothing was written.
    Refused,
    /// The storage failed on the way: what it holds is not known.
    Failed,
}

/// What was given up because nothing is committed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GivenUp {
    /// In the log: they may take effect yet.
    pub(super) unknown: usize,
    /// Never appended.
    pub(super) refused: usize,
}

impl Writes {
    pub(super) fn new(bell: Bell, acknowledge: Acknowledge) -> Self {
        Self { state: Mutex::default(), acknowledge, bell, room: Arc::new(Semaphore::new(BYTES_MAX)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a write, as soon as there is room for it. Its result comes when a quorum holds it, or when that is out of
    /// the question.
    pub(crate) async fn ask(&self, command: Bytes, now: impl Fn() -> Time) -> oneshot::Receiver<WriteResult> {
        let bytes = (command.len() + OVERHEAD_BYTES).min(BYTES_MAX);
        let bytes = u32::try_from(bytes).expect("the room is smaller than 4 GiB");
        let room = self.room.clone().acquire_many_owned(bytes).await.expect("it is never closed");
        let (to, result) = oneshot::channel();
        let early = (self.acknowledge == Acknowledge::One).then(|| Command::decode(command.clone()).ok());
        let early = early.flatten().and_then(|command| command.known_result());
        let reply = Reply { to: Some(to), early, _room: room };
        let mut state = self.lock();
        if let Some(failed) = state.refusal(now()) {
            reply.send(Err(failed));
            return result;
        }
        state.queue.push_back((command, reply));
        state.waits_since.get_or_insert_with(Instant::now);
        drop(state);
        self.bell.ring();
        result
    }

    /// Office begins.
    pub(super) fn open(&self, office: Office, stamp: Stamp) {
        let mut state = self.lock();
        state.office = Some((office, stamp));
        state.stands_since = None;
    }

    /// The leader raised its epoch and stays in office: what waited for that goes on.
    pub(super) fn raise(&self, stamp: Stamp) {
        if let Some((_, known)) = &mut self.lock().office {
            *known = stamp;
        }
        self.bell.ring();
    }

    /// Office is lost, or this node ends: whether a quorum will hold what was appended is for the next primary to see.
    pub(super) fn close(&self, epoch: Epoch) {
        let mut state = self.lock();
        state.office = None;
        state.draining = false;
        state.stands_since = None;
        state.abandon(WriteFailed::Unknown(epoch), WriteFailed::NotAdmitted(None));
    }

    /// Nothing is committed any more: whoever waits is told so, and nothing new is let in until something is committed.
    pub(super) fn give_up(&self) -> GivenUp {
        let mut state = self.lock();
        state.stands_since = state.waits_since;
        state.abandon(WriteFailed::Stands, WriteFailed::NoQuorum)
    }

    /// For how long something has been waiting while nothing was committed.
    pub(crate) fn waits_for(&self) -> Option<Duration> {
        self.lock().waits_since.map(|since| since.elapsed())
    }

    /// For how long nothing was committed, once writes were given up for that.
    pub(crate) fn stands_for(&self) -> Option<Duration> {
        self.lock().stands_since.map(|since| since.elapsed())
    }

    /// Whether a handover waits until every admitted write is answered. The log's thread says so when they are.
    pub(super) fn drain(&self, draining: bool) {
        self.lock().draining = draining;
        self.bell.ring();
    }

    /// Whether a handover waits for nothing more.
    pub(super) fn is_drained(&self) -> bool {
        let state = self.lock();
        state.draining && state.is_empty()
    }

    /// Whether this node is in office, as far as the host knows.
    pub(super) fn is_open(&self) -> bool {
        self.lock().office.is_some()
    }

    /// Whether something waits for nothing but an office that admits it again.
    pub(super) fn is_held_up(&self) -> bool {
        let state = self.lock();
        state.office.is_some() && !(state.queue.is_empty() && state.committed.is_empty())
    }

    /// The log's thread takes what was asked for, and the stamp to append it under. Whoever has gone is forgotten.
    pub(super) fn take(&self, now: Time) -> Option<(Stamp, Vec<Bytes>)> {
        let mut state = self.lock();
        let (office, stamp) = state.office.clone()?;
        // Over, or of a raised epoch: the elector is about to report which. What is asked for waits.
        if state.queue.is_empty() || office.check_write(stamp, now).is_err() {
            return None;
        }
        // It may be raised between these two looks: then the fence finds the stamp stale.
        if let Err(reason) = office.stamp(now) {
            for (_, reply) in std::mem::take(&mut state.queue) {
                reply.send(Err(WriteFailed::NotAdmitted(Some(reason))));
            }
            state.settle();
            return None;
        }
        let count = state.queue.len().min(BATCH_MAX);
        let taken: Vec<_> = state.queue.drain(..count).filter(|(_, reply)| !reply.is_moot()).collect();
        let (commands, replies): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
        if !state.queue.is_empty() {
            self.bell.ring();
        }
        state.in_hand = replies;
        state.settle();
        (!commands.is_empty()).then_some((stamp, commands))
    }

    /// What was taken is in the log, or is not. Whoever was answered meanwhile is not in hand any more.
    pub(super) fn on_appended(&self, appended: Appended) {
        let mut state = self.lock();
        let in_hand = std::mem::take(&mut state.in_hand);
        let epoch = state.office.as_ref().map_or(Epoch::ZERO, |(_, stamp)| stamp.epoch());
        let failed = match appended {
            Appended::From(first) => {
                state.pending.extend((first..).zip(in_hand));
                return;
            }
            Appended::Refused => WriteFailed::NotAdmitted(None),
            Appended::Failed => WriteFailed::Unknown(epoch),
        };
        for reply in in_hand {
            reply.send(Err(failed));
        }
        state.settle();
    }

    /// These entries are committed and applied. The clients that wait for them are answered by
    /// [`acknowledge`](Self::acknowledge).
    pub(super) fn on_committed(&self, results: Vec<(u64, CommandResult)>) {
        let mut state = self.lock();
        for (offset, result) in results {
            if let Some(reply) = state.pending.remove(&offset) {
                state.committed.push((offset, result, reply));
            }
        }
        if self.acknowledge != Acknowledge::All {
            state.go_on();
        }
    }

    /// Everything in the log is confirmed: nothing stands.
    pub(super) fn on_all_confirmed(&self) {
        self.lock().stands_since = None;
    }

    /// Everything up to this offset is durable here: with `acknowledge = "one"` that is enough for those whose answer is
    /// known. They go on to count as waiting, so that a primary that nobody follows does not go on acknowledging.
    pub(super) fn on_durable(&self, offset: u64, admits: impl Fn(Stamp) -> bool, now: impl Fn() -> Time) {
        if self.acknowledge != Acknowledge::One {
            return;
        }
        let mut state = self.lock();
        let Some((office, stamp)) = state.office.clone() else { return };
        for (_, reply) in state.pending.range_mut(..=offset) {
            if reply.early.is_some() && admits(stamp) && office.check_write(stamp, now()).is_ok() {
                let result = reply.early.take().expect("just looked at");
                reply.answer(Ok(result));
            }
        }
    }

    /// The last act before clients are told of what is committed and confirmed up to this offset: the fence still admits
    /// the stamp, and the lease still runs. If not, they wait until the elector reports which it is, a raised epoch or a
    /// lost office.
    pub(super) fn acknowledge(&self, confirmed: u64, admits: impl Fn(Stamp) -> bool, now: impl Fn() -> Time) {
        let mut state = self.lock();
        let Some((office, stamp)) = state.office.clone() else { return };
        let mut goes_on = false;
        for (offset, result, reply) in std::mem::take(&mut state.committed) {
            if offset <= confirmed && admits(stamp) && office.check_write(stamp, now()).is_ok() {
                goes_on = true;
                reply.send(Ok(result));
            } else {
                state.committed.push((offset, result, reply));
            }
        }
        if goes_on && self.acknowledge == Acknowledge::All {
            state.go_on();
        }
        state.settle();
    }
}

impl State {
    /// Why nothing new may be asked for.
    fn refusal(&self, now: Time) -> Option<WriteFailed> {
        let Some((office, _)) = &self.office else { return Some(WriteFailed::NotAdmitted(None)) };
        match office.stamp(now) {
            Err(reason @ NotInOffice::Draining(_)) => Some(WriteFailed::NotAdmitted(Some(reason))),
            // A raised epoch or the loss is on its way: either answers.
            Err(_) | Ok(_) => self.stands_since.map(|_| WriteFailed::NoQuorum),
        }
    }

    fn is_empty(&self) -> bool {
        self.queue.is_empty()
            && self.in_hand.is_empty()
            && self.pending.is_empty()
            && self.committed.is_empty()
    }

    /// Something was confirmed: whoever still waits has time anew.
    fn go_on(&mut self) {
        self.waits_since = Some(Instant::now());
        self.stands_since = None;
        self.settle();
    }

    /// Nobody waits where there is nothing.
    fn settle(&mut self) {
        if self.is_empty() {
            self.waits_since = None;
        }
    }

    fn abandon(&mut self, appended: WriteFailed, asked: WriteFailed) -> GivenUp {
        let in_hand = std::mem::take(&mut self.in_hand);
        let pending = std::mem::take(&mut self.pending).into_values();
        let committed = std::mem::take(&mut self.committed).into_iter().map(|(_, _, reply)| reply);
        let unknown = in_hand
            .into_iter()
            .chain(pending)
            .chain(committed)
            .filter(|reply| reply.to.is_some())
            .map(|reply| reply.send(Err(appended)))
            .count();
        let queue = std::mem::take(&mut self.queue);
        let refused = queue.into_iter().map(|(_, reply)| reply.send(Err(asked))).count();
        self.waits_since = None;
        GivenUp { unknown, refused }
    }
}

#[cfg(test)]
mod tests;
