//! The host: one thread that does what the elector's events ask for, and keeps the promotion to primary.
//!
//! It never waits for a disk: what the log has to do for an event is an order for the log's thread, and what that brings
//! about comes back as a note. So a loss demotes, answers every client and opens the way for others at once, whatever the
//! disk is doing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select};
use elect_core::{Health, NodeId, Position, RoleName, Time};
use elect_tcp::Events;

use super::absence::Absence;
use super::bell::Bell;
use super::fitness::Fitness;
use super::input::{Ending, Note};
use super::orders::{Order, Orders};
use super::promotion::Promotion;
use super::shared::Shared;
use crate::event_log::{EventLog, Kind};

/// How long a winner waits for its source to say something.
pub(super) const SOURCE_TIMEOUT: Duration = Duration::from_secs(1);

/// The thread's state. Its elector side is in `events.rs`.
pub(crate) struct Host {
    pub(super) shared: Arc<Shared>,
    events: Events,
    /// Rung by `waker` when `events` has more.
    rung: Receiver<()>,
    waker: Waker,
    notes: Receiver<Note>,
    pub(super) log: Arc<EventLog>,
    /// What the log's thread has to do. Nobody takes it on a witness.
    pub(super) orders: Arc<Orders>,
    /// The peers whose election links stand in both directions.
    pub(super) linked: BTreeSet<NodeId>,
    pub(super) promotion: Promotion,
    /// A handover waits until nothing is pending.
    pub(super) draining: bool,
    /// The log's thread has nothing left of what the handover waits for, and has reported how far the log is.
    pub(super) answered: bool,
    pub(super) ending: Option<Ending>,
    /// Since when a source is waited for; whenever it speaks it gets more time.
    pub(super) source_since: Option<Time>,
    /// The proof of a rebuilt storage, and when to show it again: the elector may find it too early.
    pub(super) rebuilt: Option<(Position, Instant)>,
    pub(super) fitness: Fitness,
    pub(super) absence: Absence,
    /// Whether the service manager was told that this node votes.
    is_ready: bool,
}

impl Host {
    pub(super) fn new(
        shared: Arc<Shared>,
        events: Events,
        notes: Receiver<Note>,
        log: Arc<EventLog>,
        orders: Arc<Orders>,
    ) -> Self {
        let (bell, rung) = Bell::new();
        // What has come already has rung for nobody.
        bell.ring();
        let fitness = Fitness::new(shared.settings.elect.detection().ceiling(), Instant::now());
        Self {
            shared,
            events,
            rung,
            waker: bell.waker(),
            notes,
            log,
            orders,
            linked: BTreeSet::new(),
            promotion: Promotion::NotElected,
            draining: false,
            answered: false,
            ending: None,
            source_since: None,
            rebuilt: None,
            fitness,
            absence: Absence::new(Instant::now()),
            is_ready: false,
        }
    }

    /// Runs until the node ends.
    pub(super) fn run(mut self) -> Ending {
        loop {
            self.wait();
            self.take_events();
            while let Ok(note) = self.notes.try_recv() {
                self.on_note(note);
            }
            self.check_source();
            self.show_rebuilt();
            self.finish_draining();
            self.watch_fitness();
            self.watch_absence();
            self.tell_manager();
            if let Some(ending) = self.ending.take() {
                self.shared.set_office(None);
                self.abandon_writes();
                self.orders.give(Order::Stop);
                return ending;
            }
        }
    }

    /// Sleeps until something arrives or a deadline passes.
    fn wait(&self) {
        let source = self.source_since.map(|_| Instant::now() + SOURCE_TIMEOUT / 4);
        let others = source.into_iter().chain(self.rebuilt.map(|(_, again)| again));
        let deadline = others.fold(self.fitness.due(), Instant::min);
        let mut select = Select::new();
        select.recv(&self.rung);
        select.recv(&self.notes);
        // Without a sender the channel is always ready: then this node is ending.
        let _ = select.ready_deadline(deadline);
    }

    fn take_events(&mut self) {
        let _ = self.rung.try_recv();
        let waker = self.waker.clone();
        // Once there is no more, the bell rings for the next.
        while let Poll::Ready(Some(event)) = self.events.poll_recv(&mut Context::from_waker(&waker)) {
            self.on_event(event);
        }
    }

    fn on_note(&mut self, note: Note) {
        match note {
            Note::CaughtUp { epoch, held } => self.on_caught_up(epoch, held),
            Note::SourceLost { epoch } => self.on_source_lost(epoch),
            Note::OwnEntryCommitted(entry) => self.on_own_entry(entry),
            Note::Rebuilt(entry) => self.on_rebuilt(entry),
            Note::Answered => self.answered = true,
            Note::Failed(error) => self.fail(error),
            Note::Stop => {
                self.ending.get_or_insert(Ending::Stopped);
            }
        }
    }

    /// A node whose incarnation is saved votes, whoever leads and whether anybody does.
    fn tell_manager(&mut self) {
        if self.is_ready {
            return;
        }
        let status = self.shared.handle.status();
        self.is_ready =
            status.is_ok_and(|status| !matches!(status.role, RoleName::Starting | RoleName::Stopped));
        if self.is_ready {
            self.shared.manager.ready();
        }
    }

    /// A handover goes on once nothing is pending, and the position is reported that vouches for that.
    fn finish_draining(&mut self) {
        if self.draining && self.answered && self.shared.writes.is_drained() {
            self.stop_draining();
            self.shared.handle.on_drained();
        }
    }

    pub(super) fn stop_draining(&mut self) {
        (self.draining, self.answered) = (false, false);
        self.shared.writes.drain(false);
    }

    pub(super) fn abandon_writes(&mut self) {
        self.shared.writes.close(self.promotion.epoch().unwrap_or_default());
    }

    fn check_source(&mut self) {
        let Some(since) = self.source_since else { return };
        if self.shared.handle.now().since(since.max(self.shared.pulse.heard())) >= SOURCE_TIMEOUT {
            self.source_since = None;
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
