//! The thread that alone owns the elector.
//!
//! Whatever happens arrives here through a channel, and whatever the elector wants leaves through one that does not
//! block: this thread never waits for a socket, a disk, a name server or the host.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select};
use elect_core::{
    Address, Body, Driver, Elector, Frame, Gated, HandoverRequest, Incarnation, LinkState, NodeId, Position,
    StepDown, SteppedDown, StorageFailed, Time,
};

use crate::announcer::Announcer;
use crate::clock;
use crate::counters::Counters;
use crate::effects::Effects;
use crate::event::{Ended, HostEvent, NodeNotice};
use crate::handshake::{Greeting, HandshakeRefusal};
use crate::hearing::Hearing;
use crate::introduction::Introduction;
use crate::judgement::{Claim, Judgement, Sample};
use crate::link::RefusedDialler;
use crate::shutdown_guard::ShutdownGuard;
use crate::transport::TransportNotice;

/// The longest sleep: an elector without a deadline is looked at once a day.
const SLEEP_MAX: Duration = Duration::from_hours(24);

/// What the other threads report.
#[derive(Debug)]
pub(crate) enum Input {
    /// A frame of an authenticated peer.
    Frame {
        from: NodeId,
        frame: Frame,
        /// Whether the transport has proved that it is of that peer.
        is_proven: bool,
    },
    /// The transport reports.
    Transport(TransportNotice),
    /// A link changed.
    Link { peer: NodeId, state: LinkState, reason: Option<String> },
    /// A peer that is not connected cannot be, for a new reason.
    Unreachable { peer: NodeId, reason: String, refusal: Option<Box<HandshakeRefusal>> },
    /// A peer that this node dialled said in the handshake that this life of this node is over.
    Rejected { peer: NodeId, said: Body },
    /// A peer dialled this node and said who it is.
    Greeted { peer: NodeId, incarnation: Incarnation, address: Address },
    /// A frame on a stream that a peer dialled has counted, the first on that stream; `change` counts such changes.
    Heard { peer: NodeId, stream: u64, change: u64 },
    /// A stream that a peer dialled has ended.
    Unheard { peer: NodeId, stream: u64, reason: String },
    /// A peer's supervisor, who is proven, says that this life has ended.
    LifeEnded { peer: NodeId, incarnation: Incarnation },
    /// Somebody who dialled this node was not let in, and the host shall hear of it.
    Refused(Box<RefusedDialler>),
    /// A thread asks what the elector knows of a life, and whether a frame of it counts.
    Judge { claim: Claim, sample: Option<Box<Sample>>, answer: Sender<Judgement> },
    /// In a process of many groups: what this node said of one of them to a peer that it dialled was welcome, or refused.
    Introduced { peer: NodeId, group: u32, incarnation: Incarnation, refusal: Option<Box<HandshakeRefusal>> },
    /// In a process of many groups: a peer that has dialled this node from there says what it is in one of them.
    Introduces { greeting: Box<Greeting>, from: Address, answer: Sender<Result<Greeting, HandshakeRefusal>> },
    /// In a process of many groups: somebody in the name of a peer says that one of them no longer runs there.
    Gone { peer: NodeId, group: u32 },
    /// In a process of many groups: this is for one of them alone.
    Of { group: u32, input: Box<Input> },
    /// A thread of this node panicked.
    Panicked { thread: String },
}

/// What the host asks for, run between two inputs.
pub(crate) type Command = Box<dyn FnOnce(&mut CommandContext<'_>) + Send>;

/// What a command sees.
pub(crate) struct CommandContext<'a> {
    pub(crate) elector: &'a mut Elector,
    pub(crate) effects: &'a mut Effects,
    pub(crate) now: Time,
    /// Set to end the node.
    pub(crate) ending: &'a mut Option<Ended>,
    /// Set to end the node as soon as no handover is under way, and at this point in any case.
    pub(crate) leaving: &'a mut Option<Time>,
}

/// What a handover may take, at least and at most.
const HANDOVER_SPANS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_hours(1));

/// Hands over, if this node is in office, and ends: after that, or after this span, an hour at most.
pub(crate) fn leave(context: &mut CommandContext<'_>, for_handover: Duration) {
    let for_handover = for_handover.clamp(HANDOVER_SPANS.0, HANDOVER_SPANS.1);
    let request = HandoverRequest { timeout: Some(for_handover), ..HandoverRequest::default() };
    // Before office there is nothing to drain: the best member is as good at once. Nor does anybody drain who has dropped
    // the events.
    if context.elector.status(context.now).in_office && context.effects.announcer.has_host() {
        let _ = context.elector.request_handover(request, context.now).resolve(context.effects);
    }
    let until = context.now + for_handover;
    *context.leaving = Some(context.leaving.map_or(until, |earlier| earlier.min(until)));
}

/// The channels that the orchestrator listens to.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) inbox: Receiver<Input>,
    /// Keeps the inbox connected in a group of one.
    pub(crate) _inbox_open: Sender<Input>,
    pub(crate) commands: Receiver<Command>,
    /// Its end tells callers that no answer will come.
    pub(crate) _answering: Sender<()>,
    pub(crate) positions: Receiver<Option<Position>>,
    pub(crate) saved: Receiver<Result<Gated, StorageFailed>>,
}

/// One elector and what carries out its steps: what a node's own thread owns, and a host's thread once for each group.
pub(crate) struct Seat {
    pub(crate) elector: Elector,
    pub(crate) effects: Effects,
    pub(crate) counters: Arc<Counters>,
    /// What the greetings say.
    pub(crate) introduction: Introduction,
}

/// Owns the elector.
pub(crate) struct Orchestrator {
    pub(crate) seat: Seat,
    pub(crate) inputs: Inputs,
    /// Has a peer asked whether this life of this node is over.
    pub(crate) doubts: BTreeMap<NodeId, Sender<()>>,
    pub(crate) shutdown_guard: ShutdownGuard,
}

impl Orchestrator {
    /// The thread.
    pub(crate) fn run(mut self) {
        let ended = panic::catch_unwind(AssertUnwindSafe(|| {
            let ended = self.listen();
            self.seat.resign();
            ended
        }));
        let ended = ended.unwrap_or_else(|_| Ended::Panicked { thread: "elect-node".into() });
        let Self { seat, inputs, doubts, shutdown_guard } = self;
        shutdown_guard.ended.store(true, Ordering::SeqCst);
        // The peers' threads send what is left and end; the saver ends after the save that it is busy with.
        let announcer = seat.end(ended);
        drop(doubts);
        drop(inputs);
        drop(shutdown_guard);
        announcer.end();
    }

    fn listen(&mut self) -> Ended {
        let (mut ending, mut leaving) = (None, None);
        loop {
            let now = self.seat.tick_if_due();
            if self.seat.is_done_leaving(leaving, now) {
                return Ended::Shutdown;
            }
            let wakes_at = self.seat.elector.deadline().min(leaving.unwrap_or(Time::NEVER));
            let sleep = wakes_at.since(now).min(SLEEP_MAX);
            select! {
                recv(self.inputs.inbox) -> input => if let Ok(input) = input {
                    ending = self.on_input(input);
                },
                recv(self.inputs.saved) -> saved => match saved {
                    Ok(saved) => self.seat.on_saved(saved),
                    Err(_) => ending = Some(Ended::Panicked { thread: "elect-save".into() }),
                },
                recv(self.inputs.positions) -> position => if let Ok(position) = position {
                    self.seat.step(|elector, now| elector.set_position(position, now));
                },
                recv(self.inputs.commands) -> command => match command {
                    Ok(command) => {
                        // What the host reported before it asked counts before what it asks.
                        if let Ok(position) = self.inputs.positions.try_recv() {
                            self.seat.step(|elector, now| elector.set_position(position, now));
                        }
                        self.seat.on_command(command, &mut ending, &mut leaving);
                    }
                    // The last handle is gone.
                    Err(_) => ending = Some(Ended::Shutdown),
                },
                default(sleep) => {}
            }
            self.seat.counters.orchestrator_wakes.add(1);
            self.seat.measure_lease();
            if let Some(ending) = ending {
                return ending;
            }
        }
    }

    /// A frame that says that this life of this node is over, and proves nothing, is a reason to ask.
    fn on_input(&mut self, input: Input) -> Option<Ended> {
        match self.seat.on_input(input)? {
            Outcome::Doubted(peer) => {
                if let Some(doubt) = self.doubts.get(&peer) {
                    let _ = doubt.try_send(());
                }
                None
            }
            Outcome::Ended(ended) => Some(ended),
        }
    }
}

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Counted,
    Ignored,
    /// It says that this life of this node is over, and does not prove it.
    Doubted,
}

impl Taken {
    fn outcome(self, from: NodeId) -> Option<Outcome> {
        (self == Self::Doubted).then_some(Outcome::Doubted(from))
    }
}

/// What an input has led to, beyond the elector's step.
pub(crate) enum Outcome {
    /// A frame of that peer says that this life of this node is over, and does not prove it: the peer shall be asked.
    Doubted(NodeId),
    Ended(Ended),
}

impl Seat {
    /// Followers are free as soon as they hear it. Who does not lead has nothing to resign.
    pub(crate) fn resign(&mut self) {
        self.effects.now = clock::now();
        let _ = self.elector.resign(self.effects.now).resolve(&mut self.effects);
    }

    /// Tells everybody that this was all. The announcer has nothing more to tell.
    pub(crate) fn end(self, ended: Ended) -> Announcer {
        let Self { elector, mut effects, .. } = self;
        // A panic on this thread left no elector to say so.
        if let Some(epoch) = effects.cells.led() {
            effects.lost(SteppedDown { epoch, reason: StepDown::DriverFailed });
        }
        drop(elector);
        let Effects { outboxes, gates, mut announcer, cells, .. } = effects;
        cells.on_ended();
        announcer.tell(HostEvent::Ended(ended));
        drop((outboxes, gates));
        announcer
    }

    pub(crate) fn measure_lease(&self) {
        if cfg!(feature = "metrics") {
            self.counters.measures.on_lease(self.effects.cells.lease(), clock::now());
        }
    }

    /// A leader's heartbeats are answered at once: their round trip is what the link needs. A follower's echoes come
    /// with the leader's next heartbeat.
    fn measure_round_trip(&self, peer: NodeId, frame: &Frame) {
        if let (true, Some(_), Some(echo)) =
            (cfg!(feature = "metrics"), self.effects.cells.led(), frame.header.echo)
        {
            self.counters.measures.on_echo(peer, echo.sent, clock::now());
        }
    }

    /// Before each input: a flood of messages must not keep the elector from its deadline.
    pub(crate) fn tick_if_due(&mut self) -> Time {
        let now = clock::now();
        if now >= self.elector.deadline() {
            self.effects.now = now;
            self.elector.tick(now).resolve(&mut self.effects);
        }
        now
    }

    pub(crate) fn step(&mut self, input: impl FnOnce(&mut Elector, Time) -> elect_core::Step<'_>) {
        self.effects.now = clock::now();
        input(&mut self.elector, self.effects.now).resolve(&mut self.effects);
    }

    /// A replacement may have taken another life.
    pub(crate) fn on_saved(&mut self, saved: Result<Gated, StorageFailed>) {
        self.step(|elector, now| elector.on_gated(saved, now));
        self.introduction.set_incarnation(self.elector.status(self.effects.now).incarnation);
    }

    /// A frame of a peer. One that says that this life of this node is over stops it only if its sender is proven: anybody
    /// could send it. Otherwise the peer is to be dialled and asked.
    fn on_frame(&mut self, from: NodeId, frame: &Frame, is_proven: bool) -> Taken {
        let is_proof = is_proven && self.elector.config().transport_authenticates();
        if !is_proof && matches!(frame.body, Body::Reject { .. } | Body::WentBack { .. }) {
            return Taken::Doubted;
        }
        self.measure_round_trip(from, frame);
        let now = clock::now();
        self.effects.now = now;
        let mut hearing = Hearing::new(&mut self.effects, from);
        self.elector.on_message(from, frame, now).resolve(&mut hearing);
        if !hearing.has_counted() {
            return Taken::Ignored;
        }
        self.effects.on_counted(from, frame);
        Taken::Counted
    }

    pub(crate) fn on_command(
        &mut self,
        command: Command,
        ending: &mut Option<Ended>,
        leaving: &mut Option<Time>,
    ) {
        let now = clock::now();
        self.effects.now = now;
        let (elector, effects) = (&mut self.elector, &mut self.effects);
        command(&mut CommandContext { elector, effects, now, ending, leaving });
    }

    /// Whether a node that shall end need not wait for a handover, or no longer.
    pub(crate) fn is_done_leaving(&self, leaving: Option<Time>, now: Time) -> bool {
        leaving.is_some_and(|until| now >= until || !self.effects.cells.is_handing_over())
    }

    pub(crate) fn on_input(&mut self, input: Input) -> Option<Outcome> {
        let now = clock::now();
        match input {
            Input::Frame { from, frame, is_proven } => {
                return self.on_frame(from, &frame, is_proven).outcome(from);
            }
            Input::Link { peer, state, reason } => {
                if let Some(echoes) = self.effects.echoes.get_mut(&peer) {
                    echoes.on_stream(state == LinkState::Up);
                }
                self.effects.change(|links| links.on_outbound(peer, state, reason, now));
                self.step(|elector, now| elector.on_link(peer, state, now));
            }
            Input::Rejected { peer, said } => self.step(|elector, now| elector.on_rejected(peer, &said, now)),
            Input::Unreachable { peer, reason, refusal } => {
                let refusal = refusal.map(|refusal| *refusal);
                self.effects.change(|links| links.on_unreachable(peer, reason, refusal));
            }
            Input::Greeted { peer, incarnation, address } => {
                self.effects.links.on_greeted(peer, incarnation, address);
            }
            Input::Heard { peer, stream, change } => {
                self.effects.change(|links| links.on_heard(peer, stream, change, now));
            }
            Input::Unheard { peer, stream, reason } => {
                self.effects.change(|links| links.on_unheard(peer, stream, reason, now));
            }
            Input::LifeEnded { peer, incarnation } => {
                let state = LinkState::Ended { incarnation };
                self.step(|elector, now| elector.on_link(peer, state, now));
            }
            Input::Refused(refused) => {
                self.effects.links.on_refused(&refused);
                self.effects.announcer.tell(HostEvent::Happened(NodeNotice::DiallerRefused(refused)));
            }
            Input::Transport(notice) => {
                self.effects.announcer.tell(HostEvent::Happened(NodeNotice::Transport(notice)));
            }
            Input::Judge { claim, sample, answer } => {
                let taken = sample.map_or(Taken::Counted, |sample| {
                    self.on_frame(claim.peer, &sample.frame, sample.is_proven)
                });
                let judgement = Judgement::of(&self.elector, &claim, clock::now());
                let _ = answer.send(judgement.given(taken == Taken::Counted));
                return taken.outcome(claim.peer);
            }
            // A node of one group gets none of these.
            Input::Introduced { .. } | Input::Introduces { .. } | Input::Gone { .. } | Input::Of { .. } => {}
            Input::Panicked { thread } => return Some(Outcome::Ended(Ended::Panicked { thread })),
        }
        None
    }
}
