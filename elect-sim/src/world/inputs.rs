//! What reaches an elector, what it asks for in return, and the agenda of its ticks and saves.

use elect_core::{Driver, Duty, Elector, Frame, Gate, NodeId, Notice, Requested, SteppedDown, Time};

use super::World;
use crate::checkers::{Checker, Sent};
use crate::clock::{MICRO, SECOND};
use crate::counts::Counted;
use crate::disk::Outcome;
use crate::host::{Call, Host};
use crate::ids::{Life, NodeIndex};
use crate::input::{Input, Interrupt, Output, Request, Told};
use crate::node::{Process, State};
use crate::profile::{address_of, data_of};
use crate::queue::Event;
use crate::sabotage::Sabotage;
use crate::store::Store;
use crate::trigger::Moment;

/// Collects what a step asks for, in its order.
struct Collector<'a>(&'a mut Vec<Output>);

impl Driver for Collector<'_> {
    fn lost(&mut self, loss: SteppedDown) {
        self.0.push(Output::Lost(loss));
    }

    fn send(&mut self, to: NodeId, frame: &Frame) {
        // A frame for somebody outside the group has nowhere to go.
        if let Some(to) = NodeIndex::of(to) {
            self.0.push(Output::Send(to, frame.clone()));
        }
    }

    fn save(&mut self, gate: Gate) {
        self.0.push(Output::Save(gate));
    }

    fn act(&mut self, duty: Duty) {
        self.0.push(Output::Told(Told::Duty(duty)));
    }

    fn happened(&mut self, notice: Notice) {
        self.0.push(Output::Told(Told::Notice(notice)));
    }
}

impl World {
    pub(crate) fn input_of(&mut self, node: NodeIndex, life: Life, input: Input) {
        if self.node(node).lives(life) {
            self.input(node, input);
        }
    }

    /// A process gets something to deal with: at once, or when it goes on.
    pub(crate) fn input(&mut self, node: NodeIndex, input: Input) {
        match self.node(node).state() {
            State::Down => self.drop_input(input),
            State::Paused => self.node_mut(node).wait(input),
            State::Running => {
                let now = self.local(node);
                if self.pauses_after_clock(node) {
                    if let Some(process) = self.node_mut(node).process_mut() {
                        process.hold(input, now);
                    }
                } else {
                    self.handle(node, input, now);
                }
            }
        }
    }

    pub(crate) fn pauses_after_clock(&mut self, node: NodeIndex) -> bool {
        let Some(span) = self.node_mut(node).stops_after_clock() else { return false };
        self.pause(node, span);
        true
    }

    pub(crate) fn drop_input(&mut self, input: Input) {
        match input {
            Input::Frame { slot, .. } => self.wires.drop_frame(slot),
            Input::Message { slot, .. } => self.wires.drop_packet(slot),
            _ => {}
        }
    }

    pub(crate) fn handle(&mut self, node: NodeIndex, input: Input, now: Time) {
        match input {
            Input::Frame { from, slot } => self.on_frame(node, from, slot, now),
            Input::Message { from, slot } => {
                let packet = self.wires.take_packet(slot);
                let from = self.member(from);
                self.call(node, Call::Message(from, packet));
            }
            Input::Tick => {
                self.elector(node, now, |elector| elector.tick(now).into());
                if let Some(process) = self.node(node).process() {
                    let deadline = process.elector().deadline();
                    self.book.checks_mut().ticked(self.clocks.now(), node, now, deadline);
                }
            }
            Input::SaveDone => self.commit(node),
            Input::Gated => {
                let gated = self.node_mut(node).process_mut().and_then(Process::take_gated);
                if let Some(gated) = gated {
                    self.elector(node, now, |elector| elector.on_gated(gated, now).into());
                }
            }
            Input::SyncDone => {
                if let Some(process) = self.node_mut(node).process_mut() {
                    process.end_sync();
                    self.call(node, Call::Synced);
                }
            }
            Input::Link { peer, state } => {
                let peer = self.node(peer).id();
                self.elector(node, now, |elector| elector.on_link(peer, state, now).into());
            }
            Input::Host(ticket) => self.call(node, Call::Tick(ticket)),
            Input::Client => self.call(node, Call::Client),
            Input::Report => {
                let position = self.hosted(node).and_then(Host::position);
                self.report(node, position);
            }
            Input::Repair => {
                let wait = self.consequence_rng.waiting(SECOND);
                self.crash(node, Some(wait));
            }
            Input::Request(request) => self.on_request(node, request, now),
        }
    }

    pub(crate) fn on_frame(&mut self, node: NodeIndex, from: NodeIndex, slot: u32, now: Time) {
        if self.is_sabotaged(Sabotage::GarbledBytes) && self.consequence_rng.below(50) == 0 {
            self.wires.garble(slot);
        }
        let decoded = self.wires.take_frame(slot);
        let peer = self.node(from).id();
        match decoded {
            Ok(mut frame) => {
                self.book.count(Counted::Handled);
                if self.is_sabotaged(Sabotage::LosesProfiles) {
                    frame.profile = None;
                }
                let outputs = self.ask(node, |elector| elector.on_message(peer, &frame, now).into());
                let is_ignored =
                    |output: &Output| matches!(output, Output::Told(Told::Notice(Notice::Ignored { .. })));
                if !outputs.iter().any(is_ignored) {
                    let member = self.member(from);
                    self.book.checks_mut().hears(node, member, &frame);
                }
                self.settle(node, outputs, now);
            }
            Err(error) => {
                self.book.checks_mut().fail(Checker::WireRoundTrip, self.clocks.now(), node, || {
                    format!("a frame of {peer} does not decode: {error}")
                });
            }
        }
    }

    pub(crate) fn on_request(&mut self, node: NodeIndex, request: Request, now: Time) {
        self.note(Some(node), || format!("request {request:?}"));
        let member = self.member(node);
        self.elector(node, now, |elector| match request {
            Request::Resign => elector.resign(now),
            Request::Handover(to) => elector.request_handover(to, now),
            Request::Vouch(span) => elector.set_healthy_until(now + span, now).into(),
            Request::Freeze(span) => elector.pause(span, now),
            Request::Thaw => elector.resume(now),
            Request::Move(number) => elector.set_address(address_of(member, number), now),
            Request::Upgrade(version) => elector.set_host_data(version, data_of(version), now),
            Request::Health(health) => elector.set_health(health, now).into(),
        });
    }

    /// One input of the elector, and everything that follows from it.
    pub(crate) fn elector(
        &mut self,
        node: NodeIndex,
        now: Time,
        input: impl FnOnce(&mut Elector) -> Requested<'_>,
    ) {
        let outputs = self.ask(node, input);
        self.settle(node, outputs, now);
    }

    /// What one input of the elector asks for.
    fn ask(&mut self, node: NodeIndex, input: impl FnOnce(&mut Elector) -> Requested<'_>) -> Vec<Output> {
        self.book.count(Counted::Input);
        let mut outputs = std::mem::take(&mut self.outputs);
        if let Some(process) = self.nodes[node].process_mut() {
            let outcome = input(process.elector_mut()).resolve(&mut Collector(&mut outputs));
            if let Err(refused) = outcome {
                self.note(Some(node), || format!("refused: {refused}"));
            }
        }
        outputs
    }

    /// It is looked at and carried out.
    fn settle(&mut self, node: NodeIndex, outputs: Vec<Output>, now: Time) {
        if self.book.is_checked() {
            self.check(node, &outputs, now);
        }
        self.outputs = self.carry_out(node, outputs);
        self.schedule_tick(node);
    }

    /// Shows the checkers what an elector let go, before anything of it takes effect.
    pub(crate) fn check(&mut self, node: NodeIndex, outputs: &[Output], now: Time) {
        for output in outputs {
            match output {
                Output::Lost(loss) => self.book.lost(self.clocks.now(), node, *loss),
                Output::Told(told) => {
                    let quorum = self.configured_quorum();
                    self.book.told(self.clocks.now(), node, told, quorum);
                }
                _ => {}
            }
        }
        let Some(process) = self.nodes[node].process() else { return };
        // A process that stopped between reading the clock and this step is silent as of what it read.
        let lease_runs = process.lease(now).is_some();
        let lease = process.lease(self.clocks.local(node));
        if let Some(lease) = lease {
            self.mark_lease(node, lease);
            let mut others = [(node, lease.epoch); 4];
            let mut count = 0;
            for other in self.leases(Some(node)).take(others.len()) {
                others[count] = other;
                count += 1;
            }
            self.book.checks_mut().lease(
                self.clocks.now(),
                node,
                lease.epoch,
                others[..count].iter().copied(),
            );
        }
        if !lease_runs {
            self.book.checks_mut().without_lease(self.clocks.now(), node);
        }
        for output in outputs {
            match output {
                Output::Send(to, frame) => self.book.checks_mut().sent(&Sent {
                    at: self.clocks.now(),
                    node,
                    to: *to,
                    frame,
                    lease_runs,
                    clocks: &self.clocks,
                }),
                Output::Save(gate) => {
                    if let Some(record) = gate.record() {
                        self.book.checks_mut().saving(self.clocks.now(), node, record);
                    }
                }
                Output::Told(Told::Duty(Duty::Stopped { reason })) => {
                    self.book.checks_mut().stopped(node);
                    self.book.checks_mut().stops_for(self.clocks.now(), node, reason);
                }
                _ => {}
            }
        }
    }

    /// Carries out outputs one by one; an interrupt may strike between any two. Returns the emptied list.
    pub(crate) fn carry_out(&mut self, node: NodeIndex, mut outputs: Vec<Output>) -> Vec<Output> {
        let mut rest = Vec::new();
        for output in &mut outputs {
            if !rest.is_empty() || self.is_interrupted(node) {
                rest.push(std::mem::replace(output, Output::Done));
                continue;
            }
            // A frame is large, and most outputs are frames: they are not moved.
            if let Output::Send(to, frame) = output {
                self.send(node, *to, frame);
                continue;
            }
            match std::mem::replace(output, Output::Done) {
                Output::Lost(loss) => self.on_lost(node, loss),
                Output::Save(gate) => self.on_save(node, gate),
                Output::Told(told) => self.on_told(node, told),
                Output::Send(..) | Output::Done => {}
            }
        }
        outputs.clear();
        if !rest.is_empty()
            && let Some(process) = self.node_mut(node).process_mut()
        {
            process.keep_rest(rest);
        }
        outputs
    }

    pub(crate) fn is_interrupted(&mut self, node: NodeIndex) -> bool {
        match self.node_mut(node).strikes_now() {
            None | Some(Interrupt::PauseAfterClock(_)) => return false,
            Some(Interrupt::Pause(span)) => self.pause(node, span),
            Some(Interrupt::Crash(wait)) => self.crash(node, Some(wait)),
        }
        true
    }

    // Ticks.

    /// A clock changed: the deadline lies elsewhere in real time.
    pub(crate) fn wake(&mut self, node: NodeIndex) {
        if let Some(process) = self.node_mut(node).process_mut() {
            process.forget_tick();
        }
        self.schedule_tick(node);
    }

    pub(crate) fn schedule_tick(&mut self, node: NodeIndex) {
        let (life, now, clocks) = (self.node(node).life(), self.clocks.now(), &self.clocks);
        if let Some(at) = self.nodes[node].next_tick(now, |deadline| clocks.reaches(node, deadline)) {
            self.queue.push(at, Event::Tick { node, life });
        }
    }

    pub(crate) fn tick_due(&mut self, node: NodeIndex, life: Life) {
        if self.node(node).life() != life {
            return;
        }
        let now = self.local(node);
        let Some(process) = self.node(node).process() else { return };
        if !process.is_tick_due(self.clocks.now()) {
            return;
        }
        if now >= process.elector().deadline() {
            self.input(node, Input::Tick);
        } else {
            self.schedule_tick(node);
        }
    }

    // Saves.

    pub(crate) fn on_save(&mut self, node: NodeIndex, gate: Gate) {
        self.fire(node, Moment::Saves);
        let host_rng = &mut self.host_rng;
        let saves = &mut self.nodes[node];
        let life = saves.life();
        if let Some(duration) = saves.begin_save(gate, || host_rng.below(10 * MICRO)) {
            self.queue.push(self.clocks.now() + duration, Event::SaveDone { node, life });
        }
    }

    pub(crate) fn commit(&mut self, node: NodeIndex) {
        let now = self.clocks.now();
        if self.is_sabotaged(Sabotage::LyingDisk) && self.consequence_rng.below(5) == 0 {
            self.node_mut(node).disk_mut().set_next_save(Outcome::Lies);
        }
        if self.node(node).disk().next_save() == Outcome::Lies {
            self.book.checks_mut().meddled(node);
        }
        let (is_mixing, entries) = (self.is_sabotaged(Sabotage::MixedPosition), &self.entries);
        let mixed = |store: &Store| {
            let tip = if is_mixing { store.tip() } else { None };
            tip.map(|tip| entries.position(tip).epoch)
        };
        let Some(committed) = self.nodes[node].commit(mixed) else { return };
        if let Some(record) = &committed.record {
            self.book.saved(now, node, record);
        }
        let checks = self.book.checks_mut();
        if let Some((raised, kept)) = committed.raised {
            checks.fence_raised(node, raised, kept);
        }
        if let Some((position, durable)) = committed.reported {
            checks.reports(now, node, position, self.entries.position(durable));
        }
        if committed.succeeded {
            checks.committed(now, node);
        }
        let life = self.node(node).life();
        let wait = self.host_rng.below(50 * MICRO);
        self.queue.push(now + wait, Event::Gated { node, life });
    }
}
