//! The thread that owns the electors of all groups: see [`orchestrator`](crate::orchestrator) for that of one.
//!
//! An input costs a look at its own group only. A group whose elector panics ends; the others go on.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select};
use elect_core::{Address, Incarnation, LinkState, NodeId, Time};

use super::deadlines::Deadlines;
use super::desk::Control;
use super::group::{Group, GroupLink};
use super::savers::{GroupKey, Job, Saved, Savers};
use crate::clock;
use crate::counters::Counters;
use crate::event::Ended;
use crate::handshake::{Greeting, HandshakeRefusal};
use crate::link::InboundFailure;
use crate::orchestrator::{Command, Input, leave};
use crate::outbox::Outbox;
use crate::refusals::Refusals;
use crate::roster::{Roster, Rosters};
use crate::shutdown_guard::ShutdownGuard;

/// Peers are asked so often for the groups that they refuse.
pub(super) const RETRY_AFTER: Duration = Duration::from_millis(500);
/// The longest sleep.
const SLEEP_MAX: Duration = Duration::from_hours(24);

/// The channels that the thread listens to.
pub(super) struct Inputs {
    pub(super) inbox: Receiver<Input>,
    /// Keeps the inbox connected where there are no peers.
    pub(super) _inbox_open: Sender<Input>,
    pub(super) commands: Receiver<(GroupKey, Command)>,
    pub(super) control: Receiver<Control>,
    pub(super) saved: Receiver<Saved>,
}

/// The streams to one peer.
pub(super) struct Peer {
    pub(super) outbox: Arc<Outbox>,
    /// Has the peer asked for the groups that it has not let in.
    pub(super) doubt: Sender<()>,
    pub(super) roster: Roster,
    pub(super) is_up: bool,
    /// Why there is no stream, for the groups that begin later.
    pub(super) reason: Option<(String, Option<HandshakeRefusal>)>,
}

/// Owns the groups.
pub(super) struct Thread {
    pub(super) groups: BTreeMap<u32, Group>,
    pub(super) peers: BTreeMap<NodeId, Peer>,
    pub(super) deadlines: Deadlines,
    pub(super) rosters: Rosters,
    pub(super) savers: Savers,
    pub(super) inputs: Inputs,
    pub(super) refusals: Refusals,
    pub(super) counters: Arc<Counters>,
    pub(super) shutdown_guard: ShutdownGuard,
    /// When peers are asked again.
    pub(super) retry_at: Time,
    /// Set to end all groups, at this point at the latest.
    pub(super) leaving: Option<Time>,
    pub(super) ending: Option<Ended>,
}

impl Thread {
    /// The thread.
    pub(super) fn run(mut self) {
        let ended = panic::catch_unwind(AssertUnwindSafe(|| self.listen()));
        self.end(&ended.unwrap_or_else(|_| Ended::Panicked { thread: "elect-groups".into() }));
        let Self { groups, peers, inputs, shutdown_guard, .. } = self;
        // The peers' threads send what is left and end.
        drop((groups, peers));
        drop(inputs);
        drop(shutdown_guard);
    }

    fn listen(&mut self) -> Ended {
        loop {
            let now = self.tick_due();
            if let Some(ended) = self.ending.take() {
                return ended;
            }
            if self.leaving.is_some_and(|until| now >= until || self.groups.is_empty()) {
                return Ended::Shutdown;
            }
            let sleep = self.sleep(now);
            select! {
                recv(self.inputs.inbox) -> input => if let Ok(input) = input {
                    self.on_input(input);
                },
                recv(self.inputs.saved) -> saved => if let Ok(saved) = saved {
                    self.on_saved(saved);
                },
                recv(self.inputs.control) -> control => if let Ok(control) = control {
                    self.on_control(control);
                },
                recv(self.inputs.commands) -> command => if let Ok((key, command)) = command {
                    self.on_command(key, command);
                },
                default(sleep) => {}
            }
            self.counters.orchestrator_wakes.add(1);
        }
    }

    fn sleep(&self, now: Time) -> Duration {
        let earliest = self.deadlines.earliest().map_or(Time::NEVER, |(at, _)| at);
        let wakes_at = earliest.min(self.retry_at).min(self.leaving.unwrap_or(Time::NEVER));
        let sleep = wakes_at.since(now).min(SLEEP_MAX);
        // A save that hangs must not keep a thread from those that wait.
        let relief = self.savers.relieve().map(|at| at.saturating_duration_since(Instant::now()));
        relief.map_or(sleep, |relief| sleep.min(relief))
    }

    /// Before each input: a flood of messages must not keep any elector from its deadline.
    fn tick_due(&mut self) -> Time {
        let now = clock::now();
        while let Some((at, number)) = self.deadlines.earliest()
            && at <= now
        {
            self.drive(number, |group| {
                group.seat.tick_if_due();
            });
        }
        if self.retry_at <= now {
            self.retry(now);
        }
        now
    }

    fn retry(&mut self, now: Time) {
        self.retry_at = Time::NEVER;
        for peer in self.peers.values().filter(|peer| peer.is_up && peer.roster.has_unsettled()) {
            let _ = peer.doubt.try_send(());
            self.retry_at = now + RETRY_AFTER;
        }
    }

    /// Gives one group an input, and carries out what follows from it.
    fn drive(&mut self, number: u32, input: impl FnOnce(&mut Group)) {
        let Some(group) = self.groups.get_mut(&number) else { return self.deadlines.remove(number) };
        let result = panic::catch_unwind(AssertUnwindSafe(|| {
            input(group);
            group.look_whether_done();
        }));
        if result.is_err() {
            group.ending = Some(Ended::Panicked { thread: "elect-groups".into() });
        }
        group.save(&self.savers);
        self.deadlines.set(number, group.wakes_at());
        group.seat.measure_lease();
        if let Some(ended) = group.ending.take() {
            self.end_group(number, ended);
        }
    }

    /// Gives each group that this peer belongs to an input.
    fn drive_all(&mut self, peer: NodeId, mut input: impl FnMut(&mut Group)) {
        let with_peer = self.groups.iter().filter(|(_, group)| group.links.contains_key(&peer));
        for number in with_peer.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.drive(number, &mut input);
        }
    }

    fn on_control(&mut self, control: Control) {
        match control {
            Control::Start(group) => self.start(*group),
            Control::Position(key) => self.drive_life(key, Group::take_position),
            Control::Abandoned(key) => self.drive_life(key, |group| group.ending = Some(Ended::Shutdown)),
            Control::End => self.ending = Some(Ended::Shutdown),
            Control::Leave(for_handover) => {
                for number in self.groups.keys().copied().collect::<Vec<_>>() {
                    let command: Command = Box::new(move |context| leave(context, for_handover));
                    self.drive(number, |group| group.on_command(command));
                }
                let until = clock::now() + for_handover;
                self.leaving = Some(self.leaving.map_or(until, |earlier| earlier.min(until)));
            }
        }
    }

    pub(super) fn start(&mut self, group: Group) {
        let number = group.key.number;
        for peer in group.links.keys() {
            if let Some(peer) = self.peers.get(peer) {
                peer.roster.insert(number, group.seat.introduction.clone());
                let _ = peer.doubt.try_send(());
            }
        }
        self.rosters.on_begun();
        let reasons: Vec<_> =
            group.links.keys().filter_map(|id| Some((*id, self.peers.get(id)?.reason.clone()?))).collect();
        self.groups.insert(number, group);
        self.retry_at = self.retry_at.min(clock::now() + RETRY_AFTER);
        let is_late = self.leaving.is_some();
        self.drive(number, |group| {
            for (peer, (reason, refusal)) in reasons {
                group.tell_reason(peer, reason, refusal);
            }
            if is_late {
                group.ending = Some(Ended::Shutdown);
            }
        });
    }

    /// A number may have been used again since.
    fn drive_life(&mut self, key: GroupKey, input: impl FnOnce(&mut Group)) {
        if self.is_running(key) {
            self.drive(key.number, input);
        }
    }

    fn is_running(&self, key: GroupKey) -> bool {
        self.groups.get(&key.number).is_some_and(|group| group.key == key)
    }

    fn on_command(&mut self, key: GroupKey, command: Command) {
        // The group may be about to start. No more than waits now: positions may come as fast as they are taken.
        for _ in 0..self.inputs.control.len() {
            if let Ok(control) = self.inputs.control.try_recv() {
                self.on_control(control);
            }
        }
        self.drive_life(key, |group| group.on_command(command));
    }

    fn on_saved(&mut self, saved: Saved) {
        let Saved { of, vault, result } = saved;
        if !self.is_running(of) {
            return self.savers.submit(Job { vault, save: None });
        }
        let mut has_new_life = false;
        self.drive_life(of, |group| {
            group.vault = Some(vault);
            let before = group.seat.introduction.incarnation();
            match result {
                Some(result) => group.seat.on_saved(result),
                None => group.ending = Some(Ended::Panicked { thread: "elect-save".into() }),
            }
            has_new_life = before != group.seat.introduction.incarnation();
        });
        if has_new_life {
            for peer in self.peers.keys().copied().collect::<Vec<_>>() {
                self.ask(peer, of.number);
            }
        }
    }

    /// Has a peer asked whether it lets this life of this node in.
    fn ask(&mut self, peer: NodeId, number: u32) {
        if let Some(peer) = self.peers.get(&peer) {
            peer.roster.settle(number, false);
            let _ = peer.doubt.try_send(());
            self.retry_at = self.retry_at.min(clock::now() + RETRY_AFTER);
        }
    }

    /// Something says that a group, or all, no longer run on a peer that this process sends to. It proves nothing: whoever
    /// listens where that peer is dialled is asked, with the others that are to be asked.
    fn is_in_doubt(&mut self, peer: NodeId, group: Option<u32>) {
        if let Some(peer) = self.peers.get(&peer).filter(|peer| peer.is_up) {
            peer.roster.unsettle(group);
            self.retry_at = self.retry_at.min(clock::now() + RETRY_AFTER);
        }
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Frame { ref frame, .. } => self.on_frame(frame.header.group, input),
            Input::Judge { claim, .. } => self.drive(claim.group, |group| group.on_input(input)),
            Input::Of { group: number, input } => self.drive(number, |group| group.on_input(*input)),
            Input::Introduced { peer, group, incarnation, refusal } => {
                self.on_introduced(peer, group, incarnation, refusal.map(|refusal| *refusal));
            }
            Input::Introduces { greeting, from, answer } => {
                let _ = answer.send(self.on_introduces(&greeting, from));
            }
            Input::Gone { peer, group } => self.is_in_doubt(peer, Some(group)),
            Input::Link { peer, state, reason } => self.on_link(peer, state, reason.as_deref()),
            Input::Unreachable { peer, reason, refusal } => {
                let refusal = refusal.map(|refusal| *refusal);
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.reason = Some((reason.clone(), refusal.clone()));
                }
                self.drive_all(peer, |group| group.tell_reason(peer, reason.clone(), refusal.clone()));
            }
            Input::Unheard { peer, stream, reason } => {
                // As after the end of the last group that it shares with this process.
                self.is_in_doubt(peer, None);
                self.drive_all(peer, |group| {
                    group.on_input(Input::Unheard { peer, stream, reason: reason.clone() });
                });
            }
            Input::Refused(refused) => {
                if let Some(claimed) = refused.claimed {
                    self.drive_all(claimed, |group| group.on_input(Input::Refused(refused.clone())));
                }
            }
            Input::Transport(notice) => {
                for number in self.groups.keys().copied().collect::<Vec<_>>() {
                    self.drive(number, |group| group.on_input(Input::Transport(notice.clone())));
                }
            }
            // A process of many groups is no group's life, greets for all, and has no supervisor.
            Input::Greeted { .. }
            | Input::Heard { .. }
            | Input::Rejected { .. }
            | Input::LifeEnded { .. } => {}
            Input::Panicked { thread } => self.ending = Some(Ended::Panicked { thread }),
        }
    }

    fn on_frame(&mut self, number: u32, input: Input) {
        let (mut doubted, now) = (None, clock::now());
        self.drive(number, |group| {
            group.seat.counters.frames_received.add(1);
            group.on_input(input);
            let may_ask = |peer: &NodeId| group.links.get_mut(peer).is_some_and(|link| link.may_ask(now));
            doubted = group.doubted.take().filter(may_ask);
        });
        if let Some(peer) = doubted {
            self.ask(peer, number);
        }
    }

    fn on_link(&mut self, id: NodeId, state: LinkState, reason: Option<&str>) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.is_up = state == LinkState::Up;
            if peer.is_up {
                peer.reason = None;
                if peer.roster.has_unsettled() {
                    self.retry_at = self.retry_at.min(clock::now() + RETRY_AFTER);
                }
            }
        }
        self.drive_all(id, |group| group.on_link(id, state, reason.map(str::to_owned)));
    }

    /// A peer has answered what this node said of one group.
    fn on_introduced(
        &mut self,
        id: NodeId,
        number: u32,
        incarnation: Incarnation,
        refusal: Option<HandshakeRefusal>,
    ) {
        let life = self.groups.get(&number).map(|group| group.seat.introduction.incarnation());
        if life != Some(incarnation) {
            return;
        }
        let Some(peer) = self.peers.get(&id) else { return };
        peer.roster.settle(number, refusal.is_none());
        let (outbox, is_up) = (Arc::clone(&peer.outbox), peer.is_up);
        match refusal {
            None => self.drive(number, |group| group.on_welcome(id, &outbox, is_up)),
            Some(refusal) => {
                self.retry_at = self.retry_at.min(clock::now() + RETRY_AFTER);
                self.drive(number, |group| group.on_refused(id, refusal));
            }
        }
    }

    /// A peer says what it is in one group.
    fn on_introduces(&mut self, greeting: &Greeting, from: Address) -> Result<Greeting, HandshakeRefusal> {
        let (number, id, now) = (greeting.group, greeting.node, clock::now());
        if !self.groups.contains_key(&number) {
            let refusal = HandshakeRefusal::NoGroup(number);
            let _ = self.refusals.note(from, Some(id), InboundFailure::Refused(refusal.clone()), now);
            return Err(refusal);
        }
        let (mut answer, mut asks) = (Err(HandshakeRefusal::Stopped(greeting.addressee)), false);
        self.drive(number, |group| {
            answer = group.let_in(greeting, &from);
            let is_waiting = |link: &mut GroupLink| !link.is_welcome && link.may_ask(now);
            asks = answer.is_ok() && group.links.get_mut(&id).is_some_and(is_waiting);
        });
        // It is there: it may let this node in now.
        if asks {
            self.ask(id, number);
        }
        answer
    }
}

impl Group {
    fn on_command(&mut self, command: Command) {
        let Self { seat, ending, leaving, .. } = self;
        seat.on_command(command, ending, leaving);
    }
}
